//! Repositories that keep their refs in a reftable: the same answers as from refs in files, through the real git.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::common::{Done, GIT_PACK, Place, Repo, noise};

/// Sets a repository up whose refs are kept in this format, and commits, with identical bytes each time.
fn set_up(format: &str) -> Repo {
    set_up_with(format, "sha1")
}

fn set_up_with(format: &str, objects: &str) -> Repo {
    let place = Place::new();
    let root = place.path().join("repo");
    fs::create_dir(&root).unwrap();
    let (format, objects) = (format!("--ref-format={format}"), format!("--object-format={objects}"));
    place
        .run(&root, "git", &["init", "-q", "-b", "main", &format, &objects])
        .ok();
    let repo = Repo { place, root };
    repo.write(".gitpack.toml", "version = 1\n");
    repo.write("src/a", "a\n");
    repo.commit("one");
    repo.git(&["tag", "-a", "-m", "tag", "v1"]).ok();
    repo.write("src/b", "b\n");
    repo.commit("two");
    repo.pack(&["init"]).ok();
    repo
}

/// Returns exit status, stdout, and stderr without times.
fn answer(repo: &Repo, args: &[&str]) -> (i32, String, String) {
    let done = repo.pack(args);
    let place = repo.place.path().to_str().unwrap();
    let steady = |text: &str| {
        let lines = text.replace(place, "PLACE");
        let lines = lines.lines().filter(|line| !line.trim_start().starts_with("examined"));
        lines
            .map(|line| line.split(" · ").take(2).collect::<Vec<_>>().join(" · ") + "\n")
            .collect::<String>()
    };
    (done.code, steady(&done.out()), steady(&done.stderr))
}

#[test]
fn every_question_has_the_answer_that_it_has_with_refs_in_files() {
    let (files, table) = (set_up("files"), set_up("reftable"));
    assert!(table.path(".git/reftable").exists() && !files.path(".git/reftable").exists());
    for repo in [&files, &table] {
        repo.git(&["branch", "other", "HEAD~1"]).ok();
        repo.git(&["symbolic-ref", "refs/heads/alias", "refs/heads/other"]).ok();
        repo.git(&["switch", "-q", "other"]).ok();
        repo.git(&["switch", "-q", "main"]).ok();
    }
    let all: [&[&str]; 11] = [
        &["scan", "--all"],
        &["scan", "--range", "other..main"],
        &["status"],
        &["seal", "--emit", "repo,lite", "-o", "../pack"],
        &["verify", "../pack", "--rev", "HEAD"],
        &["audit"],
        &["gc", "--dry-run"],
        &["restore", "../pack", "--dry-run"],
        &["diff", "../pack", "../pack"],
        &["seal", "--rev", "v1", "-o", "../tagged"],
        &["inspect", "../tagged"],
    ];
    for args in all {
        assert_eq!(answer(&files, args), answer(&table, args), "{args:?}");
    }
    // The refs of runs are made, listed and removed by git.
    let runs = |repo: &Repo| repo.git(&["for-each-ref", "refs/gitpack/"]).ok().out();
    assert_eq!(runs(&files), runs(&table));
    assert!(!runs(&table).is_empty());
    for place in ["detached", "unborn", "broken"] {
        for repo in [&files, &table] {
            match place {
                "detached" => repo.git(&["switch", "-q", "--detach", "main"]).ok(),
                "unborn" => repo.git(&["symbolic-ref", "HEAD", "refs/heads/none"]).ok(),
                _ => repo.git(&["symbolic-ref", "HEAD", "refs/heads/main"]).ok(),
            };
        }
        for args in [
            &["state"][..],
            &["scan"],
            &["scan", "--all"],
            &["status"],
            &["seal", "-o", "../again"],
        ] {
            assert_eq!(answer(&files, args), answer(&table, args), "{place}: {args:?}");
        }
        for repo in [&files, &table] {
            drop(fs::remove_dir_all(repo.path("../again")));
        }
    }
}

#[test]
fn a_revision_has_the_answer_that_it_has_with_refs_in_files() {
    let names = [
        "HEAD",
        "main",
        "@",
        "@~1",
        "v1",
        "v1^{commit}",
        "HEAD^{tree}",
        "other",
        "alias",
        "heads/other",
        "refs/tags/v1",
        "@{-1}",
        "@{-9}",
        "main@{1}",
        "main@{0}",
        "main@{9}",
        "@@{0}",
        "@{u}",
        ":/one",
        ":/nope",
        "HEAD:src",
        "HEAD:nope",
        ":nope",
        "nope",
        "HEAD~9",
        "HEAD^2",
        "v1^{tag}",
        "HEAD^{blob}",
        "-x",
        "--all",
        "",
        "1111111111111111111111111111111111111111",
        "v1-0-g1111111",
        "v1 ",
        "*",
        "ma*",
        "refs/heads",
        "main^{commit",
        "a\nb",
    ];
    let several = [
        "HEAD^!",
        "^HEAD",
        "HEAD..main",
        "HEAD..",
        "other...main",
        "HEAD^@",
        "HEAD^-",
        "other^!",
    ];
    for objects in ["sha1", "sha256"] {
        let (files, table) = (set_up_with("files", objects), set_up_with("reftable", objects));
        for repo in [&files, &table] {
            repo.git(&["branch", "other", "HEAD~1"]).ok();
            repo.git(&["symbolic-ref", "refs/heads/alias", "refs/heads/other"]).ok();
            repo.git(&["switch", "-q", "other"]).ok();
            repo.git(&["switch", "-q", "main"]).ok();
        }
        let same = |rev: &str| {
            let (of_files, of_table) = (
                answer(&files, &["state", "--", rev]),
                answer(&table, &["state", "--", rev]),
            );
            assert_eq!(of_files, of_table, "{objects}: {rev:?}");
            of_files
        };
        for rev in names {
            same(rev);
        }
        for rev in several {
            let (code, _, said) = same(rev);
            assert_eq!(code, 2, "{rev}: {said}");
            assert!(said.contains("names a range or a list of commits"), "{rev}: {said}");
        }
        let head = same("HEAD");
        let id = files.rev("HEAD");
        for rev in [
            &id[..7],
            &id.to_uppercase()[..9],
            &format!("v1-1-g{}", &id[..8]),
            &format!("any-5-g{id}"),
        ] {
            assert_eq!(same(rev), head, "{objects}: {rev:?}");
        }
    }
}

#[test]
fn commits_and_pushes_are_guarded() {
    for format in ["files", "reftable"] {
        let repo = set_up(format);
        repo.git(&["add", "-A"]).ok();
        repo.git(&["commit", "-q", "-m", "set up"]).ok();
        let server = repo.place.path().join("server.git");
        let args = [
            "init",
            "-q",
            "--bare",
            "-b",
            "main",
            &format!("--ref-format={format}"),
            "server.git",
        ];
        repo.place.run(repo.place.path(), "git", &args).ok();
        repo.place.pack_in(&server, &["init", "--server"]).ok();
        repo.git(&["remote", "add", "origin", server.to_str().unwrap()]).ok();
        repo.git(&["push", "-q", "-u", "origin", "main", "--tags"]).ok();
        let trusted = repo.pack(&["status"]).shown().out();
        assert!(trusted.contains("1 tracking ref trusted"), "{format}: {trusted}");
        // A plain clone reads what it has from its own reflogs.
        let clone = repo.place.path().join("clone");
        let args = ["clone", "-q", "--ref-format", format, server.to_str().unwrap(), "clone"];
        repo.place.run(repo.place.path(), "git", &args).ok();
        repo.place.pack_in(&clone, &["install"]).ok();
        let status = repo.place.pack_in(&clone, &["status"]).shown().out();
        assert!(status.contains("1 tracking ref trusted"), "{format}: {status}");

        repo.write("index.vec", noise(3, 2000));
        repo.git(&["add", "-f", "index.vec"]).ok();
        let done = repo.git(&["commit", "-q", "-m", "leak"]);
        assert!(
            done.code == 1 && done.stderr.contains("index.vec"),
            "{format}: {}",
            done.stderr
        );
        repo.git(&["commit", "-q", "--no-verify", "-m", "leak"]).ok();
        for refspec in ["main", "main:refs/heads/new", "HEAD:refs/tags/t"] {
            let done = repo.git(&["push", "-q", "origin", refspec]);
            assert!(
                done.stderr.contains("push to origin blocked"),
                "{format} {refspec}: {}",
                done.stderr
            );
            let done = repo.git(&["push", "-q", "--no-verify", "origin", refspec]);
            assert!(
                done.code != 0 && done.stderr.contains("index.vec"),
                "{format} {refspec}: {}",
                done.stderr
            );
        }
        // With --strict, no ref moves to it either.
        repo.git(&["reset", "-q", "--hard", "HEAD~1"]).ok();
        repo.pack(&["install", "--strict"]).ok();
        let done = repo.git(&["update-ref", "refs/heads/main", "main@{1}"]);
        assert!(done.code != 0, "{format}: {}", done.stderr);
        let firing = repo.pack(&["status", "--doctor"]).out();
        assert!(
            firing.contains("pre-push: firing") && firing.contains("pre-commit: firing"),
            "{format}: {firing}"
        );
    }
}

#[test]
fn packs_twins_and_worktrees_work() {
    let repo = set_up("reftable");
    // `init` then names a recipient.
    fs::remove_file(repo.path(".gitpack.toml")).unwrap();
    repo.pack(&["init"]).ok();
    repo.commit("recipients");
    repo.write("notes.txt", "secret notes\n");
    repo.pack(&["protect", "notes.txt"]).ok();
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "-m", "twin"]).ok();
    repo.git(&["worktree", "add", "-q", "../linked", "HEAD~1"]).ok();
    let linked = repo.place.path().join("linked");
    // A worktree has a HEAD of its own.
    let here = repo.pack(&["state"]).ok().out();
    let there = repo.place.pack_in(&linked, &["state"]).ok().out();
    assert_ne!(here, there);
    assert_eq!(there, repo.pack(&["state", "HEAD~1"]).ok().out());
    repo.place
        .run(&linked, "git", &["checkout", "-q", "--detach", "main"])
        .ok();
    repo.place.pack_in(&linked, &["reveal"]).ok();
    assert_eq!(fs::read(linked.join("notes.txt")).unwrap(), b"secret notes\n");
    repo.seal(&["--emit", "lite", "-o", "../lite"]);
    repo.pack(&["restore", "../lite", "-o", "../restored"]).ok();
    repo.pack(&["audit"]).ok();
    fs::remove_dir_all(repo.path("../lite")).unwrap();
    repo.pack(&["gc"]).ok();
    repo.pack(&["audit"]).ok();
}

#[test]
fn a_message_of_a_reflog_may_have_any_bytes_and_any_encoding() {
    for format in ["files", "reftable"] {
        let repo = set_up(format);
        repo.git(&["config", "i18n.logOutputEncoding", "UTF-16"]).ok();
        let server = repo.place.path().join("server.git");
        repo.git(&["init", "-q", "--bare", server.to_str().unwrap()]).ok();
        repo.git(&["remote", "add", "origin", server.to_str().unwrap()]).ok();
        repo.git(&["push", "-q", "origin", "main"]).ok();
        let mut moved = repo.place.command("git", &repo.root);
        let message = OsStr::from_bytes(b"fetch caf\xe9: x");
        moved
            .args(["update-ref", "-m"])
            .arg(message)
            .args(["refs/remotes/origin/other", "HEAD"]);
        assert!(moved.status().unwrap().success());
        let status = repo.pack(&["status"]).shown().out();
        assert!(status.contains("1 of 2 tracking refs trusted"), "{format}: {status}");
        repo.git(&["commit", "-q", "--allow-empty", "-m", "more"]).ok();
        repo.git(&["push", "-q", "origin", "main"]).ok();
    }
}

#[test]
fn a_git_that_cannot_answer_is_a_refusal() {
    let repo = set_up("reftable");
    let mut without = repo.place.command(GIT_PACK, &repo.root);
    let done = Done::from(
        without
            .env("PATH", "/nowhere")
            .args(["state", "--json"])
            .output()
            .unwrap(),
    );
    assert!(done.stderr.contains("git for-each-ref"), "{}", done.stderr);
    let value = done.refused("E_UNSUPPORTED");
    let message = value["refusal"]["message"].as_str().unwrap();
    assert!(
        message.contains("stores its refs as reftable") && message.contains("git could not be run"),
        "{message}"
    );
    // A table that is damaged.
    let table = fs::read_dir(repo.path(".git/reftable"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    for file in table.filter(|path| path.extension().is_some()) {
        fs::write(file, "damaged").unwrap();
    }
    repo.pack(&["state", "--json"]).refused("E_UNSUPPORTED");
}

#[test]
fn a_format_that_git_does_not_know_is_refused_in_every_kind_of_repository() {
    let repo = set_up("reftable");
    let place = repo.place.path().to_owned();
    repo.git(&["worktree", "add", "-q", "../linked", "HEAD~1"]).ok();
    let sub = place.join("bare.git");
    repo.git(&[
        "clone",
        "-q",
        "--bare",
        "--ref-format=reftable",
        ".",
        sub.to_str().unwrap(),
    ])
    .ok();
    let add = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        "../bare.git",
        "sub",
    ];
    let mut added = repo.place.command("git", &repo.root);
    assert!(
        added
            .env("GIT_DEFAULT_REF_FORMAT", "reftable")
            .args(add)
            .status()
            .unwrap()
            .success()
    );
    assert!(repo.path(".git/modules/sub/reftable").exists());
    let state = |at: &Path, rev: &str| repo.place.pack_in(at, &["state", rev]);
    let (main, before) = (
        repo.pack(&["state"]).ok().out(),
        repo.pack(&["state", "HEAD~1"]).ok().out(),
    );
    let kinds = [
        (repo.root.clone(), repo.path(".git/config"), &main),
        (place.join("linked"), repo.path(".git/config"), &before),
        (sub.clone(), sub.join("config"), &main),
        (repo.path("sub"), repo.path(".git/modules/sub/config"), &main),
    ];
    for (at, config, expected) in &kinds {
        assert_eq!(state(at, "HEAD").ok().out(), **expected, "{at:?}");
        let text = fs::read_to_string(config).unwrap();
        for value in ["tomorrow", "Files", "", "\"x\u{1b}[2Jy\"", "\"files\\nx\"", "a/../b"] {
            fs::write(config, text.replace("reftable", value)).unwrap();
            for args in [
                &["state"][..],
                &["scan", "--all"],
                &["scan"],
                &["status"],
                &["seal", "-o", "../p"],
                &["gc"],
                &["init"],
            ] {
                let done = repo.place.pack_in(at, args);
                assert_eq!(done.code, 2, "{at:?} {value:?} {args:?}: {}", done.stderr);
                assert!(!done.stderr.contains('\u{1b}'), "{value:?} {args:?}: {:?}", done.stderr);
                assert!(!place.join("p").exists(), "{args:?}");
            }
        }
        fs::write(config, text).unwrap();
    }
}

#[test]
fn a_prepared_repository_runs_nothing_when_its_refs_are_read() {
    let repo = set_up("reftable");
    let trap = repo.place.path().join("trap");
    let run = format!("touch {}", trap.display());
    for (key, value) in [
        ("core.fsmonitor", run.as_str()),
        ("core.alternateRefsCommand", &run),
        ("core.pager", &run),
        ("pager.log", &run),
        ("pager.for-each-ref", &run),
        ("log.showSignature", "true"),
        ("gpg.program", &run),
        ("diff.external", &run),
        ("alias.for-each-ref", &format!("!{run}")),
        ("core.sshCommand", &run),
        ("core.editor", &run),
    ] {
        repo.git(&["config", key, value]).ok();
    }
    repo.git(&["remote", "add", "origin", "ssh://example.invalid/x"]).ok();
    for args in [
        &["state"][..],
        &["status"],
        &["scan", "--all"],
        &["seal", "--emit", "lite", "-o", "../p"],
        &["audit"],
        &["gc"],
    ] {
        repo.pack(args);
        assert!(!trap.exists(), "{args:?}");
    }
}

#[test]
fn seals_at_the_same_time_all_stand() {
    let repo = set_up("reftable");
    let seal = |n: usize| {
        let mut command = repo.place.command(GIT_PACK, &repo.root);
        command.args(["seal", "--emit", "lite", "-o", &format!("../pack-{n}")]);
        command.spawn().unwrap()
    };
    let children: Vec<_> = (0..8).map(seal).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    repo.pack(&["audit"]).ok();
}

/// Puts a `git` first that also runs the hooks of the configuration, as git does from version 2.54 on.
fn git_with_configured_hooks(place: &Place) {
    let real = place.run(place.path(), "sh", &["-c", "command -v git"]).ok().out();
    let script = format!(
        "#!/bin/sh\nreal={}\nn=0\nfor word; do case $word in update-ref|update-index|log) break ;; esac; n=$((n + 1)); done\n\
         if [ $n -lt $# ]; then\n\
         i=0; options=; for word; do [ $i -lt $n ] || break; options=\"$options $word\"; i=$((i + 1)); done\n\
         $real $options config --name-only --get-regexp '^hook[.].*[.]command$' | while read -r key; do\n\
         name=${{key%.command}}\n\
         [ \"$($real $options config --type=bool \"$name.enabled\")\" = false ] || sh -c \"$($real config \"$key\")\"\n\
         done\nfi\nexec $real \"$@\"\n",
        real.trim()
    );
    let mut written = place.command("sh", place.path());
    let write = "mkdir -p bin && printf %s \"$1\" >bin/git && chmod +x bin/git";
    assert!(written.args(["-c", write, "sh", &script]).status().unwrap().success());
}

#[test]
fn a_prepared_repository_runs_no_hook_when_refs_or_the_index_change() {
    for format in ["files", "reftable"] {
        let repo = set_up(format);
        fs::remove_file(repo.path(".gitpack.toml")).unwrap();
        repo.pack(&["init"]).ok();
        repo.commit("recipients");
        git_with_configured_hooks(&repo.place);
        let trap = repo.place.path().join("trap");
        for hook in ["reference-transaction", "post-index-change", "pre-commit"] {
            let path = repo.path(&format!(".git/hooks/{hook}"));
            let text = format!("#!/bin/sh\necho {hook} >>'{}'\n", trap.display());
            let write = "printf %s \"$1\" >\"$0\" && chmod +x \"$0\"";
            repo.place
                .run(&repo.root, "sh", &["-c", write, path.to_str().unwrap(), &text])
                .ok();
        }
        for name in ["x", "y=z.enabled", "two.Parts"] {
            let run = format!("echo configured >>'{}'", trap.display());
            repo.git(&["config", &format!("hook.{name}.command"), &run]).ok();
            repo.git(&["config", &format!("hook.{name}.event"), "reference-transaction"])
                .ok();
        }
        // git itself runs them.
        repo.git(&["update-ref", "refs/heads/new", "HEAD"]).ok();
        let ran = fs::read_to_string(&trap).unwrap();
        assert!(
            ran.contains("reference-transaction") && ran.matches("configured").count() == 3,
            "{ran}"
        );
        fs::remove_file(&trap).unwrap();
        repo.write("notes.txt", "secret notes\n");
        for args in [
            &["protect", "notes.txt"][..],
            &["seal", "--emit", "lite", "-o", "../p"],
            &["audit"],
            &["status"],
            &["scan", "--all"],
        ] {
            let done = repo.pack(args);
            // status tells that the trap stands in the place of our hook.
            assert_eq!(done.code, i32::from(args == ["status"]), "{args:?}: {}", done.stderr);
            assert!(
                !trap.exists(),
                "{format} {args:?}: {}",
                fs::read_to_string(&trap).unwrap()
            );
        }
        assert!(!repo.git(&["for-each-ref", "refs/gitpack/"]).out().is_empty());
        fs::remove_dir_all(repo.path("../p")).unwrap();
        repo.pack(&["gc"]).ok();
        assert!(!trap.exists(), "{format}: gc");
    }
}
