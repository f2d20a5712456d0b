//! The guard at commit and push, with the real git and the installed shims.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::common;
use crate::common::{Repo, noise};

/// Makes a repository with the guard, whose bare remote has the first commit.
fn with_remote() -> Repo {
    let repo = Repo::set_up();
    repo.place
        .run(
            repo.place.path(),
            "git",
            &["init", "-q", "--bare", "-b", "main", "remote.git"],
        )
        .ok();
    repo.git(&["remote", "add", "origin", "../remote.git"]).ok();
    repo.git(&["push", "-q", "-u", "origin", "main"]).ok();
    repo
}

#[track_caller]
fn assert_blocked(done: &common::Done, what: &str, names: &[&str]) {
    assert_ne!(done.code, 0, "{what} passed");
    assert!(done.stderr.contains("blocked"), "{what}: {}", done.stderr);
    for name in names {
        assert!(
            done.stderr.contains(name),
            "{what} does not name {name}: {}",
            done.stderr
        );
    }
}

#[test]
fn a_forced_add_of_a_vector_is_blocked_and_the_named_command_fixes_it() {
    let repo = Repo::set_up();
    repo.write("embeddings/index.vec", "secret");
    repo.git(&["add", "-f", "embeddings/index.vec"]).ok();
    let done = repo.git(&["commit", "-m", "leak"]);
    assert_blocked(
        &done,
        "commit",
        &["embeddings/index.vec", "vector", "**/*.vec", "(built in)"],
    );
    let fix = "git restore --staged -- embeddings/index.vec";
    assert!(done.stderr.contains(fix), "{}", done.stderr);
    repo.place.run(&repo.root, "sh", &["-c", fix]).ok();
    repo.write("README.md", "more\n");
    repo.git(&["commit", "-qam", "fine"]).ok();
    assert!(repo.path("embeddings/index.vec").exists());
}

#[test]
fn run_outputs_are_blocked_without_exception() {
    let repo = Repo::set_up();
    repo.write(
        ".gitpack.toml",
        "version = 1\n[[protect]]\nclass = \"x\"\npaths = [\"**\", \"_PACK_RUN/**\"]\npolicy = \"allowed\"\nallow_in = [\"**\"]\n",
    );
    repo.commit("release everything");
    repo.write("_PACK_RUN/x/out.json", "{}");
    repo.write("deep/_pack_run/out.json", "{}");
    repo.git(&["add", "-f", "_PACK_RUN/x/out.json", "deep"]).ok();
    let done = repo.git(&["commit", "-m", "leak"]);
    assert_blocked(
        &done,
        "commit",
        &["_PACK_RUN/x/out.json", "deep/_pack_run/out.json", "pack-run"],
    );
}

#[test]
fn what_is_judged_is_what_git_would_commit() {
    type Case = fn(&Repo) -> common::Done;
    let cases: [(&str, Case); 10] = [
        ("commit -a", |repo| {
            repo.write("a.vec", "first");
            repo.git(&["add", "-N", "a.vec"]).ok();
            repo.git(&["commit", "-am", "x"])
        }),
        ("commit <path>", |repo| {
            repo.write("a.vec", "x");
            repo.git(&["add", "-N", "a.vec"]).ok();
            repo.git(&["commit", "-m", "x", "a.vec"])
        }),
        ("staged, then deleted on disk", |repo| {
            repo.write("a.vec", "x");
            repo.git(&["add", "a.vec"]).ok();
            fs::remove_file(repo.path("a.vec")).unwrap();
            repo.git(&["commit", "-m", "x"])
        }),
        ("renamed in place", |repo| {
            repo.git(&["mv", "README.md", "README.index"]).ok();
            repo.git(&["commit", "-m", "x"])
        }),
        ("upper case", |repo| {
            repo.write("A.VEC", "x");
            repo.git(&["add", "."]).ok();
            repo.git(&["commit", "-m", "x"])
        }),
        ("a newline in the name", |repo| {
            repo.write("line\nbreak.vec", "x");
            repo.git(&["add", "."]).ok();
            repo.git(&["commit", "-m", "x"])
        }),
        ("a symbolic link", |repo| {
            symlink("README.md", repo.path("l.vec")).unwrap();
            repo.git(&["add", "."]).ok();
            repo.git(&["commit", "-m", "x"])
        }),
        ("from a subdirectory", |repo| {
            repo.write("sub/a.vec", "x");
            repo.place.run(&repo.path("sub"), "git", &["add", "."]).ok();
            repo.place.run(&repo.path("sub"), "git", &["commit", "-m", "x"])
        }),
        ("amend", |repo| {
            repo.write("a.vec", "x");
            repo.git(&["add", "."]).ok();
            repo.git(&["commit", "--amend", "-m", "x"])
        }),
        ("in a linked worktree", |repo| {
            repo.git(&["worktree", "add", "-q", "../linked", "-b", "side"]).ok();
            let linked = repo.place.path().join("linked");
            common::write(&linked.join("a.vec"), "x");
            repo.place.run(&linked, "git", &["add", "."]).ok();
            repo.place.run(&linked, "git", &["commit", "-m", "x"])
        }),
    ];
    for (what, case) in cases {
        let repo = Repo::set_up();
        let before = repo.rev("HEAD");
        assert_blocked(&case(&repo), what, &[]);
        assert_eq!(repo.rev("HEAD"), before, "{what}");
    }
}

#[test]
fn a_merge_that_brings_a_leak_is_blocked() {
    let repo = Repo::set_up();
    repo.git(&["checkout", "-q", "-b", "side"]).ok();
    repo.write("a.vec", "x");
    repo.git(&["add", "."]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "side"]).ok();
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.write("b", "x");
    repo.commit("main");
    assert_blocked(&repo.git(&["merge", "-m", "m", "side"]), "merge", &["a.vec"]);
}

#[test]
fn the_first_commit_of_all_is_guarded_too() {
    let repo = Repo::empty();
    repo.pack(&["init"]).ok();
    repo.write("a.vec", "x");
    repo.git(&["add", "."]).ok();
    let done = repo.git(&["commit", "-m", "x"]);
    assert_blocked(&done, "first commit", &["a.vec", "git rm --cached -- a.vec"]);
    repo.git(&["rm", "-q", "--cached", "--", "a.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "x"]).ok();
}

#[test]
fn the_commit_hook_starts_no_git() {
    let repo = Repo::set_up_in_files();
    let bin = repo.place.path().join("no-git");
    fs::create_dir_all(&bin).unwrap();
    let make = r#"printf '%s\n' '#!/bin/sh' ': >"${0%/*}/started"' 'exit 1' >git && chmod +x git"#;
    repo.place.run(&bin, "sh", &["-c", make]).ok();
    repo.write("a.txt", "x");
    repo.git(&["add", "."]).ok();
    let starts_git = || {
        drop(fs::remove_file(bin.join("started")));
        let mut command = repo.place.command(common::GIT_PACK, &repo.root);
        let done = command.env("PATH", &bin).args(["hook", "pre-commit"]).output().unwrap();
        (done.status.code(), bin.join("started").exists())
    };
    assert_eq!(starts_git(), (Some(0), false));
    // While git picks, it alone knows which conflicts were settled.
    repo.git(&["update-ref", "CHERRY_PICK_HEAD", "HEAD"]).ok();
    assert!(starts_git().1);
}

#[test]
fn innocent_commits_pass_in_silence() {
    let repo = Repo::set_up();
    for path in ["index.html", "vec/readme", "src/index", "PROOF_BUNDLE.json.md"] {
        repo.write(path, "x");
    }
    repo.git(&["add", "."]).ok();
    let done = repo.git(&["commit", "-q", "-m", "x"]).ok();
    assert_eq!((done.out().as_str(), done.stderr.as_str()), ("", ""));
    // A file that is only marked with `add -N` is not part of the commit.
    repo.write("later.vec", "x");
    repo.git(&["add", "-N", "later.vec"]).ok();
    repo.git(&["commit", "-q", "--allow-empty", "-m", "x"]).ok();
    // Deleting a leak must stay possible.
    repo.git(&["reset", "-q"]).ok();
    repo.git(&["add", "-f", "later.vec"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "leak"]).ok();
    repo.git(&["rm", "-q", "--cached", "later.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "gone"]).ok();
}

#[test]
fn configured_rules_count_and_a_weakening_commit_is_judged_by_the_old_ones_too() {
    let repo = Repo::set_up();
    let rule = "version = 1\n[[protect]]\nclass = \"ledger\"\npaths = [\"books/**\"]\n";
    repo.write(".gitpack.toml", rule);
    repo.commit("rule");
    repo.write("books/2026.csv", "x");
    repo.git(&["add", "."]).ok();
    assert_blocked(
        &repo.git(&["commit", "-m", "x"]),
        "own rule",
        &["books/2026.csv", "ledger", "(.gitpack.toml)"],
    );
    // The same commit removes the rule.
    repo.write(".gitpack.toml", "version = 1\n");
    repo.git(&["add", "."]).ok();
    assert_blocked(&repo.git(&["commit", "-m", "x"]), "weakened", &["books/2026.csv"]);
    // A staged rule counts before it is committed; a rule that is only on disk does not.
    let repo = Repo::set_up();
    repo.write(".gitpack.toml", rule);
    repo.write("books/2026.csv", "x");
    repo.git(&["add", "."]).ok();
    assert_blocked(&repo.git(&["commit", "-m", "x"]), "staged rule", &["books/2026.csv"]);
    repo.git(&["restore", "--staged", ".gitpack.toml"]).ok();
    repo.git(&["commit", "-q", "-m", "x"]).ok();
}

#[test]
fn a_broken_configuration_blocks_and_is_named() {
    let repo = Repo::set_up();
    repo.write(
        ".gitpack.toml",
        "version = 1\n[[protect]]\nclass = \"x\"\npaths = [\"a[\"]\n",
    );
    repo.git(&["add", "."]).ok();
    let done = repo.git(&["commit", "-m", "x"]);
    assert_ne!(done.code, 0);
    assert!(
        done.stderr.contains(".gitpack.toml in the index, line 2"),
        "{}",
        done.stderr
    );
}

#[test]
fn clean_pushes_pass_in_silence() {
    let repo = with_remote();
    repo.write("a", "x");
    repo.commit("clean");
    repo.git(&["tag", "-a", "v1", "-m", "v1"]).ok();
    let done = repo.git(&["push", "-q", "--follow-tags"]).ok();
    assert_eq!((done.out().as_str(), done.stderr.as_str()), ("", ""));
    repo.git(&["push", "-q", "origin", "main:other"]).ok();
    repo.git(&["push", "-q", "origin", ":other"]).ok();
    repo.git(&["push", "-q"]).ok();
}

/// Commits a leak without the hook, and deletes it in the next commit.
fn leak_and_delete(repo: &Repo) -> (String, String) {
    repo.write("data/x.vec", "secret");
    repo.git(&["add", "-f", "data/x.vec"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "leak"]).ok();
    let leak = repo.rev("HEAD")[..7].to_owned();
    repo.git(&["rm", "-q", "data/x.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "delete"]).ok();
    (leak, repo.rev("HEAD")[..7].to_owned())
}

#[test]
fn a_leak_that_a_later_commit_deletes_is_blocked_at_push() {
    let repo = with_remote();
    let (leak, deleted) = leak_and_delete(&repo);
    repo.write("more", "x");
    repo.commit("more");
    let before = repo
        .place
        .run(&repo.place.path().join("remote.git"), "git", &["rev-parse", "main"])
        .out();
    let done = repo.git(&["push"]);
    assert_blocked(
        &done,
        "push",
        &[
            "data/x.vec",
            "vector",
            "**/*.vec",
            &leak,
            &deleted,
            "1 leak in 3 new commits",
        ],
    );
    assert!(
        done.stderr.contains("git reset --soft ") && done.stderr.contains(&leak),
        "{}",
        done.stderr
    );
    let after = repo
        .place
        .run(&repo.place.path().join("remote.git"), "git", &["rev-parse", "main"])
        .out();
    assert_eq!(before, after);
}

#[test]
fn every_way_to_push_is_looked_at() {
    let cases: [(&str, &[&str], &[&str]); 9] = [
        ("a new branch", &[], &["push", "origin", "HEAD:refs/heads/new"]),
        ("the parent only", &[], &["push", "origin", "HEAD~1:refs/heads/new"]),
        (
            "second ref of several",
            &["branch clean HEAD~2"],
            &["push", "origin", "clean", "main"],
        ),
        ("all", &[], &["push", "--all", "origin"]),
        ("mirror", &[], &["push", "--mirror", "origin"]),
        ("a lightweight tag", &["tag t"], &["push", "origin", "t"]),
        ("an annotated tag", &["tag -a t -m t"], &["push", "origin", "t"]),
        ("by URL", &[], &["push", "../remote.git", "main"]),
        (
            "force",
            &["commit -q --amend --no-verify -m amended"],
            &["push", "--force"],
        ),
    ];
    for (what, prepare, push) in cases {
        let repo = with_remote();
        leak_and_delete(&repo);
        for command in prepare {
            repo.git(&command.split(' ').collect::<Vec<_>>()).ok();
        }
        assert_blocked(&repo.git(push), what, &["data/x.vec"]);
    }
}

#[test]
fn merges_cherry_picks_and_rebases_are_caught_at_push() {
    // An evil merge: neither parent has the file.
    let repo = with_remote();
    repo.git(&["checkout", "-q", "-b", "side"]).ok();
    repo.write("s", "x");
    repo.commit("side");
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.write("m", "x");
    repo.commit("main");
    repo.git(&["merge", "-q", "--no-commit", "--no-ff", "side"]).ok();
    repo.write("evil.vec", "x");
    repo.git(&["add", "."]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "merge"]).ok();
    repo.git(&["rm", "-q", "evil.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "gone"]).ok();
    assert_blocked(&repo.git(&["push"]), "evil merge", &["evil.vec"]);

    // A leak in the second parent's history that the merge drops.
    let repo = with_remote();
    repo.git(&["checkout", "-q", "-b", "side"]).ok();
    leak_and_delete(&repo);
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]).ok();
    assert_blocked(&repo.git(&["push"]), "merged side branch", &["data/x.vec"]);

    // A clean merge of what the remote has already passes.
    let repo = with_remote();
    repo.git(&["checkout", "-q", "-b", "side"]).ok();
    repo.write("s", "x");
    repo.commit("side");
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.write("m", "x");
    repo.commit("main");
    repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]).ok();
    repo.git(&["push", "-q"]).ok();
}

#[test]
fn a_push_that_is_behind_is_told_to_fetch() {
    let repo = with_remote();
    // What was public before the guard came.
    repo.write("old.vec", "x");
    repo.git(&["add", "-f", "old.vec"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "old"]).ok();
    repo.git(&["rm", "-q", "--cached", "old.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "gone"]).ok();
    repo.git(&["push", "-q", "--no-verify"]).ok();
    let other = repo.place.path().join("other");
    repo.place
        .run(repo.place.path(), "git", &["clone", "-q", "remote.git", "other"])
        .ok();
    let commit = ["commit", "-q", "--allow-empty", "-m", "theirs"];
    repo.place.run(&other, "git", &commit).ok();
    repo.place.run(&other, "git", &["push", "-q"]).ok();
    repo.write("new.txt", "x");
    repo.git(&["add", "new.txt"]).ok();
    repo.git(&["commit", "-q", "-m", "ours"]).ok();
    let blocked = repo.git(&["push"]);
    assert_eq!(blocked.code, 1);
    assert!(blocked.stderr.contains("git fetch origin"), "{}", blocked.stderr);
    assert!(!blocked.stderr.contains("another remote"), "{}", blocked.stderr);
    repo.git(&["fetch", "-q", "origin"]).ok();
    repo.git(&["rebase", "-q", "origin/main"]).ok();
    repo.git(&["push", "-q"]).ok();
}

#[test]
fn what_the_remote_has_already_is_not_judged_again() {
    let repo = with_remote();
    leak_and_delete(&repo);
    repo.git(&["push", "-q", "--no-verify"]).ok();
    repo.write("clean", "x");
    repo.commit("clean");
    repo.git(&["push", "-q"]).ok();
    repo.git(&["push", "-q", "origin", "main:refs/heads/copy"]).ok();
}

#[test]
fn internal_artifacts_go_to_private_remotes_only() {
    let rule = "[[protect]]\nclass = \"notes\"\npaths = [\"*.notes\"]\npolicy = \"internal\"\n";
    let repo = with_remote();
    repo.write(".gitpack.toml", format!("version = 1\n{rule}"));
    repo.write("a.notes", "x");
    repo.commit("internal files may be committed");
    assert_blocked(&repo.git(&["push"]), "public", &["a.notes", "not on a public remote"]);

    let repo = with_remote();
    let url = fs::canonicalize(repo.path("../remote.git")).unwrap();
    let url = url.to_str().unwrap();
    repo.git(&["remote", "set-url", "origin", url]).ok();
    repo.write(
        ".gitpack.toml",
        format!("version = 1\nprivate_remotes = [\"{url}\"]\n{rule}"),
    );
    repo.commit("private");
    repo.git(&["push", "-q"]).ok();
    repo.write("a.notes", "x");
    repo.commit("internal");
    repo.git(&["push", "-q"]).ok();
    assert_blocked(
        &repo.git(&["push", "./../remote.git", "main:elsewhere"]),
        "by another URL",
        &["a.notes"],
    );
}

#[test]
fn a_shallow_clone_judges_what_it_has() {
    let repo = with_remote();
    repo.write("second", "x");
    repo.commit("second");
    repo.git(&["push", "-q"]).ok();
    let url = format!("file://{}", repo.place.path().join("remote.git").display());
    repo.place
        .run(repo.place.path(), "git", &["clone", "-q", "--depth=1", &url, "shallow"])
        .ok();
    let shallow = repo.place.path().join("shallow");
    repo.place.pack_in(&shallow, &["install"]).ok();
    common::write(&shallow.join("fine"), "x");
    repo.place.run(&shallow, "git", &["add", "."]).ok();
    repo.place.run(&shallow, "git", &["commit", "-q", "-m", "fine"]).ok();
    repo.place.run(&shallow, "git", &["push", "-q"]).ok();
    common::write(&shallow.join("a.vec"), "x");
    repo.place.run(&shallow, "git", &["add", "."]).ok();
    repo.place
        .run(&shallow, "git", &["commit", "-q", "--no-verify", "-m", "leak"])
        .ok();
    assert_blocked(&repo.place.run(&shallow, "git", &["push"]), "shallow", &["a.vec"]);
}

#[test]
fn a_sparse_index_hides_nothing() {
    let repo = Repo::set_up();
    for n in 0..4 {
        repo.write(&format!("d{n}/f"), "x");
    }
    repo.write("d1/a.vec", "x");
    repo.git(&["add", "-f", "."]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "leak"]).ok();
    repo.git(&["sparse-checkout", "set", "--sparse-index", "d0"]).ok();
    let listed = repo.git(&["ls-files", "--sparse"]).ok().out();
    assert!(listed.contains("d1/\n"), "the index is not sparse: {listed}");
    repo.write("d0/g", "x");
    repo.git(&["add", "."]).ok();
    assert_blocked(&repo.git(&["commit", "-m", "x"]), "sparse index", &["d1/a.vec"]);
}

/// The exceptions of a directory that a sparse index has collapsed are in the object database.
#[test]
fn exceptions_in_a_collapsed_directory_count() {
    let repo = Repo::set_up();
    repo.write("in/a.vec", "accepted");
    let blob = repo.git(&["hash-object", "in/a.vec"]).ok().out();
    let entry = format!("[[allow]]\nblob = \"{}\"\nreason = \"known\"\n", blob.trim());
    repo.write("lists/deep/known.toml", entry);
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(
        ".gitpack.toml",
        format!("allow_file = \"lists/deep/known.toml\"\n{config}"),
    );
    repo.write("in/f", "x");
    repo.git(&["add", ".gitpack.toml", "lists", "in/f"]).ok();
    repo.git(&["commit", "-q", "-m", "exceptions"]).ok();
    repo.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "in"])
        .ok();
    let listed = repo.git(&["ls-files", "--sparse"]).ok().out();
    assert!(listed.contains("lists/\n"), "the index is not sparse: {listed}");
    assert!(!repo.path("lists").exists());

    repo.git(&["add", "-f", "in/a.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "accepted"]).ok();
    repo.write("in/b.vec", "not accepted");
    repo.git(&["add", "-f", "in/b.vec"]).ok();
    assert_blocked(&repo.git(&["commit", "-m", "x"]), "sparse index", &["in/b.vec"]);
    // What reads the configuration from disk says which file is missing there.
    let value = repo.pack(&["scan", "--worktree", "--json"]).refused("E_BAD_CONFIG");
    assert!(value.to_string().contains("lists/deep/known.toml"), "{value}");

    // A file that is not in the tree of the directory is missing, whatever the disk has.
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(".gitpack.toml", config.replace("deep/known", "deep/other"));
    repo.git(&["reset", "-q"]).ok();
    repo.git(&["add", ".gitpack.toml"]).ok();
    let refused = repo.git(&["commit", "-m", "x"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("lists/deep/other.toml"), "{}", refused.stderr);
}

/// A printed command must do what it says for every name, pasted into a shell as it is.
#[test]
fn printed_commands_name_the_files_that_they_mean() {
    let repo = Repo::set_up();
    let names = [
        "at the end .vec",
        "cafe\u{301}.vec",
        "line\nbreak\n",
        "-x.vec",
        ":(top).vec",
        "it's *.vec",
        "it's x.vec",
    ];
    let at = |name: &str| format!("d/{name}");
    for name in names {
        repo.write(&at(name), name);
    }
    repo.write("d/line\nbreak\n", fs::read(repo.identity()).unwrap());
    repo.write("d/it's x.vec", "");
    fs::rename(repo.path("d/at the end .vec"), repo.path("d/at the end ")).unwrap();
    repo.write("d/at the end ", fs::read(repo.identity()).unwrap());
    repo.git(&["add", "-f", "d"]).ok();
    let blocked = repo.git(&["commit", "-m", "x"]);
    assert_eq!(blocked.code, 1);
    assert!(blocked.stderr.contains("  \"d/at the end \"   "), "{}", blocked.stderr);
    let command = blocked.stderr.lines().find_map(|line| {
        let (_, command) = line.split_once("leave out of the commit")?;
        Some(command.trim())
    });
    repo.place.run(&repo.root, "bash", &["-c", command.unwrap()]).ok();
    let left = repo.git(&["diff", "--cached", "--name-only"]).ok().out();
    assert_eq!(left, "", "{command:?}");
}

#[test]
fn the_hook_refuses_when_the_binary_is_gone_and_finds_it_with_a_bare_path() {
    let repo = Repo::set_up();
    let binary = repo.place.path().join("elsewhere/git-pack");
    fs::create_dir_all(binary.parent().unwrap()).unwrap();
    repo.place.copy_binary(&binary);
    repo.place.run(&repo.root, binary.to_str().unwrap(), &["install"]).ok();
    repo.write("a.vec", "x");
    repo.git(&["add", "."]).ok();
    let commit = |path: &str| {
        let output = repo
            .place
            .command("git", &repo.root)
            .env("PATH", path)
            .args(["commit", "-m", "x"])
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (passed, stderr) = commit("/usr/local/bin:/usr/bin:/bin");
    assert!(!passed && stderr.contains("a.vec"), "{stderr}");

    fs::remove_file(&binary).unwrap();
    repo.git(&["restore", "--staged", "a.vec"]).ok();
    repo.write("b", "x");
    repo.git(&["add", "b"]).ok();
    let (passed, stderr) = commit("/usr/local/bin:/usr/bin:/bin");
    assert!(
        !passed && stderr.contains("git-pack is missing") && stderr.contains("install"),
        "{stderr}"
    );
}

#[test]
fn install_is_idempotent_upgrades_and_keeps_its_hands_off_others() {
    let repo = Repo::empty();
    let before = common::snapshot(&repo.root);
    repo.pack(&["install"]).ok();
    let hook = repo.path(".git/hooks/pre-commit");
    assert_eq!(fs::metadata(&hook).unwrap().permissions().mode() & 0o111, 0o111);
    let installed = common::snapshot(&repo.root);
    repo.pack(&["install"]).ok();
    assert_eq!(common::snapshot(&repo.root), installed);

    fs::write(&hook, "#!/bin/sh\n# git-pack guard, shim 0\nexit 0\n").unwrap();
    repo.pack(&["install"]).ok();
    assert_eq!(common::snapshot(&repo.root), installed);
    repo.pack(&["uninstall"]).ok();
    assert_eq!(common::snapshot(&repo.root), before);

    // A foreign hook, a link to one, and a file that git ignores: uninstalling restores each as it was.
    repo.place.git_says("2.53.0");
    repo.write(".git/hooks/pre-push", "#!/bin/sh\nexit 0\n");
    repo.write("tools/check", "#!/bin/sh\nexit 0\n");
    for hook in [".git/hooks/pre-push", "tools/check"] {
        fs::set_permissions(repo.path(hook), fs::Permissions::from_mode(0o750)).unwrap();
    }
    symlink("../../tools/check", repo.path(".git/hooks/pre-commit")).unwrap();
    repo.write(".git/hooks/pre-merge-commit", "not executable");
    let foreign = common::snapshot(&repo.root);
    repo.pack(&["install"]).ok();
    let chained = common::snapshot(&repo.root);
    assert_ne!(chained, foreign);
    assert_eq!(fs::read(repo.path("tools/check")).unwrap(), b"#!/bin/sh\nexit 0\n");
    repo.pack(&["install"]).ok();
    assert_eq!(common::snapshot(&repo.root), chained);
    repo.pack(&["uninstall"]).ok();
    assert_eq!(common::snapshot(&repo.root), foreign);
}

#[test]
fn hooks_of_a_manager_are_its_own_unless_forced() {
    let repo = Repo::empty();
    repo.place.git_says("2.53.0");
    // A short form of the hook that pre-commit generates. A hook that does not call ours does not guard.
    let hook = "#!/usr/bin/env bash\n# File generated by pre-commit: https://pre-commit.com\n\
                [ -x /no/python ] && exec /no/python -mpre_commit \"$@\"\nexit 0\n";
    repo.write(".git/hooks/pre-commit", hook);
    fs::set_permissions(repo.path(".git/hooks/pre-commit"), fs::Permissions::from_mode(0o755)).unwrap();
    let foreign = common::snapshot(&repo.root);
    let value = repo.pack(&["install"]).refused("E_UNSUPPORTED");
    assert_eq!(value["refusal"]["detail"]["manager"], "pre-commit");
    repo.pack(&["init"]).refused("E_UNSUPPORTED");
    assert_eq!(common::snapshot(&repo.root), foreign);
    assert_eq!(
        fs::read_dir(repo.place.home()).unwrap().count(),
        0,
        "the refused init made an identity"
    );
    // Hooks with the lines that the refusal suggests are recognised.
    let lines: Vec<&str> = value["refusal"]["detail"]["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l.as_str().unwrap())
        .collect();
    repo.write(".pre-commit-config.yaml", format!("repos:\n{}\n", lines.join("\n")));
    repo.pack(&["install"]).ok();
    assert!(!repo.path(".git/hooks/pre-commit.chained").exists());
    fs::remove_file(repo.path(".pre-commit-config.yaml")).unwrap();
    repo.pack(&["install", "--force"]).ok();
    repo.write("a.vec", "x");
    repo.git(&["add", "a.vec"]).ok();
    assert_blocked(&repo.git(&["commit", "-m", "x"]), "chained", &["a.vec"]);
}

/// pre-commit and prek rename a hook that is there to `<hook>.legacy`, and run it.
#[test]
fn uninstall_finds_our_hook_where_a_manager_keeps_it() {
    let manager = "#!/bin/sh\n# File generated by pre-commit: https://pre-commit.com\nexit 0\n";
    let foreign = "#!/bin/sh\necho foreign\n";
    for (chained, stays, legacy) in [
        (None, None, None),
        (Some(manager), None, None),
        (
            Some("#!/bin/sh\n# File generated by pre-commit: old\n"),
            Some("old"),
            None,
        ),
        (Some(foreign), None, Some(foreign)),
    ] {
        let repo = Repo::set_up();
        let hook = repo.path(".git/hooks/pre-push");
        let [aside, kept] = ["chained", "legacy"].map(|suffix| hook.with_extension(suffix));
        fs::rename(&hook, &kept).unwrap();
        executable(&repo, ".git/hooks/pre-push", manager);
        if let Some(chained) = chained {
            executable(&repo, ".git/hooks/pre-push.chained", chained);
        }
        let done = repo.pack(&["uninstall"]).ok();
        assert!(done.out().contains("pre-push"), "{}", done.out());
        let read = |path: &std::path::Path| fs::read_to_string(path).ok();
        assert_eq!(read(&hook).as_deref(), Some(manager));
        assert_eq!(read(&kept).as_deref(), legacy, "{chained:?}");
        assert_eq!(read(&aside).is_some(), stays.is_some(), "{chained:?}");
        let again = repo.pack(&["uninstall"]).ok();
        assert!(again.out().contains("removed    nothing"), "{}", again.out());
        assert_eq!(read(&kept).as_deref(), legacy, "{chained:?}");
    }
    // A hook of others that a manager keeps is not ours.
    let repo = Repo::set_up();
    executable(&repo, ".git/hooks/pre-push.legacy", foreign);
    repo.pack(&["uninstall"]).ok();
    assert_eq!(
        fs::read_to_string(repo.path(".git/hooks/pre-push.legacy")).unwrap(),
        foreign
    );
}

#[test]
fn status_says_that_git_lfs_reads_the_refs_before_our_hook() {
    for (script, told) in [
        (
            "#!/bin/sh\ngit lfs pre-push \"$@\"\ngit pack hook pre-push \"$@\"\n",
            false,
        ),
        (
            "#!/bin/sh\ngit pack hook pre-push \"$@\" || exit 1\ngit lfs pre-push \"$@\"\n",
            true,
        ),
    ] {
        let repo = Repo::set_up();
        fs::remove_file(repo.path(".git/hooks/pre-push")).unwrap();
        executable(&repo, ".git/hooks/pre-push", script);
        let out = repo.pack(&["status"]).shown().out();
        assert!(out.contains("pre-push (called by another hook"), "{out}");
        assert_eq!(
            !out.contains("git lfs reads the list of pushed refs first"),
            told,
            "{out}"
        );
        // husky runs the script in the directory above its own.
        let repo = Repo::set_up();
        repo.git(&["config", "core.hooksPath", ".husky/_"]).ok();
        executable(
            &repo,
            ".husky/_/pre-push",
            "#!/usr/bin/env sh\n. \"$(dirname \"$0\")/h\"",
        );
        executable(&repo, ".husky/pre-push", script);
        let out = repo.pack(&["status"]).shown().out();
        assert!(out.contains("pre-push (called by another hook"), "{out}");
        assert_eq!(
            !out.contains("git lfs reads the list of pushed refs first"),
            told,
            "{out}"
        );
    }
}

#[test]
fn core_hooks_path_is_heeded() {
    let repo = Repo::empty();
    repo.git(&["config", "core.hooksPath", ".hooks"]).ok();
    let told = "commit the hooks, or other work trees";
    for args in [&["install", "-n"][..], &["install"]] {
        let said = repo.pack(args).ok().out();
        assert!(said.contains(told), "{said}");
    }
    let again = repo.pack(&["install"]).ok().out();
    assert!(!again.contains(told), "{again}");
    repo.git(&["config", "core.hooksPath", ".git/hooks"]).ok();
    let inside = repo.pack(&["install"]).ok().out();
    assert!(!inside.contains(told), "{inside}");
    repo.git(&["config", "core.hooksPath", ".hooks"]).ok();
    repo.pack(&["install"]).ok();
    assert!(repo.path(".hooks/pre-commit").exists());
    repo.write("a.vec", "x");
    repo.git(&["add", "a.vec"]).ok();
    assert_blocked(&repo.git(&["commit", "-m", "x"]), "core.hooksPath", &["a.vec"]);
}

#[test]
fn a_missing_object_blocks_the_push() {
    let repo = with_remote();
    repo.write("a/b", noise(1, 100));
    repo.commit("one");
    repo.write("c", "x");
    repo.commit("two");
    let tree = repo.rev("HEAD~1^{tree}");
    fs::remove_file(repo.path(&format!(".git/objects/{}/{}", &tree[..2], &tree[2..]))).unwrap();
    let stdin = format!(
        "refs/heads/main {} refs/heads/main {}\n",
        repo.rev("HEAD"),
        repo.rev("origin/main")
    );
    let mut command = repo.place.command(common::GIT_PACK, &repo.root);
    command
        .args(["hook", "pre-push", "origin", "x"])
        .stdin(std::process::Stdio::piped());
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("not in this clone"));
}

#[test]
fn nonsense_on_standard_input_blocks() {
    let repo = with_remote();
    let mut command = repo.place.command(common::GIT_PACK, &repo.root);
    command
        .args(["hook", "pre-push", "origin", "x"])
        .stdin(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"what is this\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

#[test]
fn a_new_branch_does_not_release_its_own_leak() {
    let repo = with_remote();
    repo.git(&["checkout", "-q", "-b", "b"]).ok();
    repo.write(
        ".gitpack.toml",
        "version = 1\n[[protect]]\nclass = \"v\"\npaths = [\"*.vec\"]\npolicy = \"allowed\"\n",
    );
    repo.write("a.vec", "x");
    repo.git(&["add", "-f", "."]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "released by itself"])
        .ok();
    assert_blocked(&repo.git(&["push", "origin", "b"]), "new branch", &["a.vec"]);
    assert_blocked(&repo.git(&["push", "origin", "b:main"]), "known branch", &["a.vec"]);
    // The rule is pushed first, visible to everybody; the file follows.
    repo.git(&["reset", "-q", "HEAD~1"]).ok();
    repo.git(&["add", ".gitpack.toml"]).ok();
    repo.git(&["commit", "-q", "-m", "rule"]).ok();
    repo.git(&["push", "-q", "origin", "b"]).ok();
    repo.git(&["add", "a.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "file"]).ok();
    repo.git(&["push", "-q", "origin", "b"]).ok();
}

#[test]
fn the_advice_works_where_the_user_is() {
    let repo = Repo::set_up();
    repo.write("sub/dir/x", "x");
    repo.write("embeddings/index.vec", "x");
    repo.git(&["add", "-f", "."]).ok();
    let here = repo.path("sub/dir");
    let done = repo.place.run(&here, "git", &["commit", "-m", "x"]);
    assert_blocked(&done, "commit", &["embeddings/index.vec"]);
    let advice = done.stderr.lines().find(|line| line.contains("restore")).unwrap();
    let command = &advice[advice.find("git ").unwrap()..];
    repo.place.run(&here, "sh", &["-c", command]).ok();
    repo.place.run(&here, "git", &["commit", "-q", "-m", "x"]).ok();
}

#[test]
fn a_hook_of_others_that_calls_ours_is_left_to_it() {
    let repo = Repo::empty();
    let hook = repo.path(".git/hooks/pre-commit");
    common::write(&hook, "#!/bin/sh\necho mine >&2\n");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let line = "git pack hook pre-commit \"$@\" || exit";
    fs::write(&hook, format!("#!/bin/sh\necho mine >&2\n{line}\n")).unwrap();
    repo.pack(&["install"]).ok();
    assert!(fs::read_to_string(&hook).unwrap().contains("echo mine"));
    assert!(!repo.path(".git/hooks/pre-commit.chained").exists());
    repo.write("a.vec", "x");
    repo.git(&["add", "."]).ok();
    assert_blocked(
        &repo.git(&["commit", "-m", "x"]),
        "called by another hook",
        &["mine", "a.vec"],
    );
}

#[test]
fn refs_without_a_commit_are_judged() {
    let repo = with_remote();
    repo.write("data.vec", "x");
    repo.git(&["add", "-f", "data.vec"]).ok();
    let blob = repo.rev(":data.vec");
    let tree = repo.git(&["write-tree"]).ok().out().trim().to_owned();
    for id in [&blob, &tree] {
        let done = repo.git(&["push", "origin", &format!("{id}:refs/tags/data")]);
        assert_blocked(&done, id, &["data.vec"]);
    }
    // Several at once, each by its own path.
    repo.write("other.vec", "y");
    repo.git(&["add", "-f", "other.vec"]).ok();
    let other = repo.rev(":other.vec");
    let done = repo.git(&[
        "push",
        "origin",
        &format!("{blob}:refs/tags/one"),
        &format!("{other}:refs/tags/two"),
    ]);
    assert_blocked(&done, "both", &["data.vec", "other.vec"]);
}

#[test]
fn a_remote_that_is_another_now_is_not_taken_for_the_old_one() {
    let repo = with_remote();
    leak_and_delete(&repo);
    repo.git(&["push", "-q", "--no-verify"]).ok();
    repo.place
        .run(repo.place.path(), "git", &["init", "-q", "--bare", "public.git"])
        .ok();
    repo.git(&["remote", "set-url", "origin", "../public.git"]).ok();
    assert_blocked(&repo.git(&["push", "origin", "main"]), "set-url", &["data/x.vec"]);
}

#[test]
fn hooks_that_git_would_not_run_are_not_installed() {
    let repo = Repo::empty();
    repo.git(&["config", "core.hooksPath", ""]).ok();
    repo.pack(&["install"]).refused("E_UNSUPPORTED");
    repo.git(&["config", "core.hooksPath", "/dev/null"]).ok();
    let before = common::snapshot(&repo.root);
    repo.pack(&["init"]).refused("E_IO");
    assert_eq!(common::snapshot(&repo.root), before);
    assert_eq!(fs::read_dir(repo.place.home()).unwrap().count(), 0);
}

#[test]
fn a_broken_configuration_can_be_mended() {
    let repo = with_remote();
    repo.write(".gitpack.toml", "version = 2\n");
    repo.git(&["add", "."]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "broken"]).ok();
    repo.git(&["push", "-q", "--no-verify"]).ok();
    repo.write(".gitpack.toml", "version = 1\n");
    repo.git(&["add", "."]).ok();
    repo.git(&["commit", "-q", "-m", "mended"]).ok();
    repo.git(&["push", "-q"]).ok();
    repo.git(&["rm", "-q", ".gitpack.toml"]).ok();
    repo.write(".gitpack.toml/file", "x");
    repo.git(&["add", "."]).ok();
    let done = repo.git(&["commit", "-m", "x"]);
    assert!(
        done.code != 0 && done.stderr.contains("found a directory"),
        "{}",
        done.stderr
    );
}

#[test]
fn advice_survives_names_that_are_patterns_or_flags() {
    let repo = Repo::set_up();
    for name in ["*.vec", ":x.vec", "-d.vec", "kept.txt"] {
        repo.write(name, name);
    }
    repo.git(&["add", "-f", "."]).ok();
    let done = repo.git(&["commit", "-m", "x"]);
    let advice = done.stderr.lines().find(|line| line.contains("restore")).unwrap();
    repo.place
        .run(&repo.root, "sh", &["-c", &advice[advice.find("git ").unwrap()..]])
        .ok();
    repo.git(&["commit", "-q", "-m", "x"]).ok();
    assert!(repo.git(&["ls-files"]).ok().out().contains("kept.txt"));
    let advice = done.stderr.lines().find(|line| line.contains("pack protect")).unwrap();
    repo.place
        .run(&repo.root, "sh", &["-c", &advice[advice.find("git ").unwrap()..]])
        .ok();
}

#[test]
fn what_a_merge_takes_over_from_the_remote_is_not_introduced_by_it() {
    let repo = with_remote();
    repo.git(&["checkout", "-q", "-b", "side"]).ok();
    repo.write("old.vec", "published long ago");
    repo.git(&["add", "-f", "old.vec"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "old"]).ok();
    repo.git(&["push", "-q", "--no-verify", "origin", "side"]).ok();
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.write("m", "x");
    repo.commit("main");
    repo.git(&["merge", "-q", "--no-ff", "--no-verify", "-m", "merge", "side"])
        .ok();
    repo.git(&["push", "-q", "origin", "main"]).ok();
}

#[test]
fn a_git_that_runs_configured_hooks_gets_ours_beside_those_of_others() {
    let repo = Repo::set_up();
    repo.pack(&["uninstall"]).ok();
    executable(&repo, ".git/hooks/pre-push", "#!/bin/sh\necho theirs >&2\n");
    let before = common::snapshot(&repo.path(".git"));
    repo.place.git_says("2.55.0");
    let done = repo.pack(&["install"]).ok();
    assert!(done.out().contains("configured pre-push"), "{}", done.out());
    assert!(done.out().contains("before 2.54"), "{}", done.out());
    let command = || repo.git(&["config", "hook.git-pack-pre-push.command"]).ok().out();
    let first = command();
    let installed = common::snapshot(&repo.path(".git"));
    repo.pack(&["install"]).ok();
    assert_eq!(common::snapshot(&repo.path(".git")), installed);

    // Runs the configured line as git does: with a shell, and the hook's arguments behind the line.
    let run = |path: &str| {
        let script = format!("{} \"$@\"", command().trim());
        let mut sh = repo.place.command("sh", &repo.root);
        sh.env("PATH", path).args(["-c", &script, "hook", "origin", "../x"]);
        let output = sh.output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let bare = "/usr/local/bin:/usr/bin:/bin";
    assert_eq!(run(bare), (Some(0), String::new()), "nothing is pushed");

    // A binary that moved is configured again, and a hook whose binary is gone refuses.
    let binary = repo.place.path().join("else where/git-pack");
    fs::create_dir_all(binary.parent().unwrap()).unwrap();
    repo.place.copy_binary(&binary);
    repo.place.run(&repo.root, binary.to_str().unwrap(), &["install"]).ok();
    assert_ne!(command(), first);
    assert_eq!(run(bare), (Some(0), String::new()));
    fs::remove_file(&binary).unwrap();
    let (code, stderr) = run(bare);
    assert!(code == Some(2) && stderr.contains("git-pack is missing"), "{stderr}");
    repo.pack(&["install"]).ok();
    assert_eq!(command(), first);

    // A disabled hook does not count as installed.
    repo.git(&["config", "hook.git-pack-pre-push.enabled", "false"]).ok();
    let status = repo.pack(&["status"]).shown().out();
    assert!(status.contains("pre-push: NOT GUARDED"), "{status}");
    repo.pack(&["install"]).ok();
    assert_eq!(common::snapshot(&repo.path(".git")), installed);

    // A chained hook is not configured as well. Uninstalling leaves nothing, with a git of either version.
    repo.pack(&["install", "--force"]).ok();
    assert!(repo.path(".git/hooks/pre-push.chained").exists());
    assert_eq!(repo.git(&["config", "--get-regexp", "^hook"]).code, 1);
    repo.pack(&["uninstall"]).ok();
    assert_eq!(common::snapshot(&repo.path(".git")), before);
    repo.pack(&["install"]).ok();
    repo.place.git_says("2.47.0");
    let status = repo.pack(&["status"]).shown().out();
    assert!(status.contains("pre-push: NOT GUARDED"), "{status}");
    repo.pack(&["uninstall"]).ok();
    assert_eq!(common::snapshot(&repo.path(".git")), before);
}

fn executable(repo: &Repo, path: &str, script: &str) {
    repo.write(path, script);
    fs::set_permissions(repo.path(path), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_hook_that_goes_by_its_name_keeps_it_when_it_is_chained() {
    let repo = with_remote();
    repo.pack(&["uninstall"]).ok();
    repo.place.git_says("2.53.0");
    // The layout of husky 9.
    repo.git(&["config", "core.hooksPath", ".husky/_"]).ok();
    repo.write(
        ".husky/_/h",
        "#!/usr/bin/env sh\nn=$(basename \"$0\")\ns=$(dirname \"$(dirname \"$0\")\")/$n\n[ ! -f \"$s\" ] && exit 0\nsh -e \"$s\" \"$@\"\n",
    );
    executable(
        &repo,
        ".husky/_/pre-push",
        "#!/usr/bin/env sh\n. \"$(dirname \"$0\")/h\"",
    );
    repo.write(".husky/pre-push", "echo \"theirs $*\" >&2\nsed 's/^/read: /' >&2\n");
    repo.pack(&["install"]).refused("E_UNSUPPORTED");
    let before = common::snapshot(&repo.path(".husky"));
    repo.pack(&["install", "--force"]).ok();
    repo.write("a.vec", "x");
    repo.git(&["add", "-f", "a.vec"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "leak"]).ok();
    let done = repo.git(&["push"]);
    let read = format!("read: refs/heads/main {}", repo.rev("HEAD"));
    assert_blocked(&done, "push", &["theirs origin ../remote.git", &read, "a.vec"]);
    repo.pack(&["uninstall"]).ok();
    assert_eq!(common::snapshot(&repo.path(".husky")), before);
}

#[test]
fn where_nobody_says_what_is_pushed_everything_that_may_be_is_judged() {
    let repo = with_remote();
    let push = |args: &[&str], env: &[(&str, &str)]| {
        let mut command = repo.place.command(common::GIT_PACK, &repo.root);
        let output = command
            .args(["hook"])
            .args(args)
            .envs(env.iter().copied())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (name, url) = (
        ("PRE_COMMIT_REMOTE_NAME", "origin"),
        ("PRE_COMMIT_REMOTE_URL", "../remote.git"),
    );
    let passes = (Some(0), String::new());
    assert_eq!(push(&["pre-push", "origin", "../remote.git"], &[]), passes);

    // A branch that leaks and is not checked out.
    repo.git(&["checkout", "-q", "-b", "side"]).ok();
    leak_and_delete(&repo);
    let leak = repo.rev("HEAD");
    repo.git(&["checkout", "-q", "main"]).ok();
    for (args, env) in [
        (&["pre-push", "origin", "../remote.git"][..], &[][..]),
        (&["pre-push"], &[name, url]),
    ] {
        let (code, stderr) = push(args, env);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(
            stderr.contains("data/x.vec") && stderr.contains("the hook was not told what is pushed"),
            "{stderr}"
        );
    }
    assert_eq!(push(&["--by-git", "pre-push", "origin", "../remote.git"], &[]), passes);

    // A commit that no ref holds is judged if a variable names it, and refused if it does not exist.
    repo.git(&["branch", "-q", "-D", "side"]).ok();
    assert_eq!(push(&["pre-push"], &[name, url]), passes);
    for variable in ["PRE_COMMIT_TO_REF", "PRE_COMMIT_LOCAL_BRANCH"] {
        let (code, stderr) = push(&["pre-push"], &[name, url, (variable, &leak)]);
        assert!(code == Some(1) && stderr.contains("data/x.vec"), "{stderr}");
    }
    let nowhere = "1".repeat(40);
    let (code, _) = push(&["pre-push"], &[name, url, ("PRE_COMMIT_TO_REF", &nowhere)]);
    assert_eq!(code, Some(2));

    // The same holds for a detached HEAD.
    repo.git(&["checkout", "-q", &leak]).ok();
    let (code, stderr) = push(&["pre-push"], &[name, url]);
    assert!(code == Some(1) && stderr.contains("data/x.vec"), "{stderr}");
}

#[test]
fn a_hook_sees_the_canary_among_what_is_staged() {
    let repo = Repo::set_up();
    repo.pack(&["uninstall"]).ok();
    let script = "#!/bin/sh\ngit ls-files --error-unmatch wanted >&2 || exit 1\n\
                  git diff --quiet || { echo unstaged changes >&2; exit 1; }\ngit pack hook pre-commit\n";
    executable(&repo, ".git/hooks/pre-commit", script);
    repo.write("wanted", "x");
    repo.git(&["add", "wanted"]).ok();
    let index = fs::read(repo.path(".git/index")).unwrap();
    let status = repo.pack(&["status", "--doctor"]).out();
    assert!(status.contains("pre-commit: firing"), "{status}");
    assert_eq!(fs::read(repo.path(".git/index")).unwrap(), index);
    assert!(!repo.path("_PACK_RUN").exists());
}

#[test]
fn a_range_below_the_history_of_a_shallow_clone_is_refused() {
    let repo = with_remote();
    repo.write("a", "x");
    repo.commit("base");
    let base = repo.rev("HEAD");
    leak_and_delete(&repo);
    repo.write("b", "x");
    repo.commit("clean");
    repo.git(&["push", "-q", "--no-verify"]).ok();
    let url = format!("file://{}", repo.place.path().join("remote.git").display());
    for depth in 1..=4 {
        let shallow = repo.place.path().join(format!("shallow-{depth}"));
        let depth_flag = format!("--depth={depth}");
        let clone = ["clone", "-q", &depth_flag, &url, shallow.to_str().unwrap()];
        repo.place.run(repo.place.path(), "git", &clone).ok();
        let range = format!("{base}..HEAD");
        let scan = |args: &[&str]| repo.place.pack_in(&shallow, &[&["scan", "--json"], args].concat());
        if depth == 4 {
            // History is cut off at the end of the range, not within it.
            assert_eq!(scan(&["--range", &range]).code, 1);
        } else {
            scan(&["--range", &range]).refused("E_BAD_REVISION");
            let fetch = ["fetch", "-q", "--depth=1", "origin", &base];
            repo.place.run(&shallow, "git", &fetch).ok();
            if depth == 3 {
                // The parent of the border commit is here by now, so the range is complete.
                assert_eq!(scan(&["--range", &range]).code, 1);
                continue;
            }
            let value = scan(&["--range", &range]).refused("E_MISSING_OBJECT");
            assert_eq!(value["refusal"]["next_command"], "git fetch --unshallow");
            // `--shallow` accepts the commits that are here: the leak is below them, or at the border.
            assert_eq!(scan(&["--range", &range, "--shallow"]).code, 0);
        }
        repo.place.run(&shallow, "git", &["fetch", "-q", "--unshallow"]).ok();
        assert_eq!(scan(&["--range", &range]).code, 1);
    }
}
