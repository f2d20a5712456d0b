//! The advice about files in commits that are not pushed yet, followed to the letter: the push passes afterwards, and the file
//! on disk is as it was.

use std::fs;

use crate::common::{Done, Repo, noise};

/// The line before the commands.
const BEFORE: &str = "take the files out of them:\n";

/// Makes a repository with the guard. With `pushed`, its bare remote has the first commit.
fn world(pushed: bool) -> Repo {
    let repo = Repo::set_up();
    let remote = ["init", "-q", "--bare", "-b", "main", "remote.git"];
    repo.place.run(repo.place.path(), "git", &remote).ok();
    repo.git(&["remote", "add", "origin", "../remote.git"]).ok();
    if pushed {
        repo.git(&["push", "-q", "-u", "origin", "main"]).ok();
    }
    repo
}

fn leak(repo: &Repo, content: &str) {
    repo.write("data/x.vec", content);
    repo.git(&["add", "-f", "data/x.vec"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "leak"]).ok();
}

fn more(repo: &Repo, name: &str) {
    repo.write(name, name);
    repo.git(&["add", name]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", name]).ok();
}

/// Returns the commands of an advice.
#[track_caller]
fn commands(said: &str) -> Vec<String> {
    let (_, after) = said
        .split_once(BEFORE)
        .unwrap_or_else(|| panic!("no advice in:\n{said}"));
    let lines = after.lines().map_while(|line| line.strip_prefix("    "));
    lines.map(str::to_owned).collect()
}

/// Runs the commands of an advice.
#[track_caller]
fn follow(repo: &Repo, done: &Done) -> Vec<String> {
    let commands = commands(&done.stderr);
    for command in &commands {
        let mut shell = repo.place.command("sh", &repo.root);
        shell.args(["-c", command]).env("GIT_EDITOR", "echo again >");
        let done = Done::from(shell.env("FILTER_BRANCH_SQUELCH_WARNING", "1").output().unwrap());
        assert_eq!(done.code, 0, "{command}\n{}\n{}", done.out(), done.stderr);
    }
    commands
}

#[track_caller]
fn blocked(repo: &Repo) -> Done {
    let done = repo.git(&["push", "origin", "main"]);
    assert_ne!(done.code, 0, "the push passed");
    done
}

/// Asserts that the push passes, that the file is as it was, and that git did not touch it.
#[track_caller]
fn is_out(repo: &Repo, content: &str) {
    repo.git(&["push", "origin", "main"]).ok();
    assert_eq!(fs::read_to_string(repo.path("data/x.vec")).unwrap(), content);
    let all = repo.git(&["log", "--format=", "--name-only", "main"]).ok().out();
    assert!(all.lines().all(|path| path != "data/x.vec"), "{all}");
}

#[test]
fn the_last_commits_are_made_again() {
    let repo = world(true);
    leak(&repo, "secret");
    let tip = follow(&repo, &blocked(&repo));
    let base = repo.rev("HEAD~1");
    assert_eq!(
        tip,
        [
            format!("git reset --soft {}", &base[..7]),
            "git pack protect data/x.vec".into(),
            "git commit".into()
        ]
    );
    is_out(&repo, "secret");
    // With newer commits above it, of which one changes the file.
    let repo = world(true);
    more(&repo, "clean");
    leak(&repo, "old");
    more(&repo, "other");
    leak(&repo, "newer");
    let done = blocked(&repo);
    assert!(done.stderr.contains("the last 3 commits become one"), "{}", done.stderr);
    follow(&repo, &done);
    is_out(&repo, "newer");
    // The clean commit below stays a commit of its own.
    assert_eq!(repo.git(&["log", "--format=%s", "-2"]).ok().out(), "again\nclean\n");
}

#[test]
fn the_first_commit_of_all_is_made_again() {
    let repo = world(false);
    repo.write("data/x.vec", "secret");
    repo.git(&["add", "-f", "."]).ok();
    repo.git(&["commit", "-q", "--no-verify", "--amend", "-m", "first"])
        .ok();
    more(&repo, "other");
    let commands = follow(&repo, &blocked(&repo));
    assert_eq!(commands[0], "git update-ref -d HEAD");
    is_out(&repo, "secret");
}

/// A rebase wrote an older version over a newer one that git ignored by then.
#[test]
fn a_newer_file_that_git_ignores_stays() {
    for is_committed in [false, true] {
        let repo = world(true);
        leak(&repo, "old");
        repo.write("data/x.vec", "newer");
        let protected = repo.pack(&["protect", "data/x.vec"]).ok();
        if is_committed {
            repo.git(&["commit", "-q", "-m", "sealed"]).ok();
        }
        let done = match is_committed {
            true => blocked(&repo),
            false => protected,
        };
        let commands = follow(&repo, &done);
        assert!(
            !commands.iter().any(|command| command.contains("pack protect")),
            "{commands:?}"
        );
        is_out(&repo, "newer");
        repo.pack(&["protect", "--check"]).ok();
    }
}

#[test]
fn merges_and_many_commits_are_rewritten_one_by_one() {
    let repo = world(true);
    repo.git(&["checkout", "-q", "-b", "side"]).ok();
    more(&repo, "side-file");
    repo.git(&["checkout", "-q", "main"]).ok();
    leak(&repo, "old");
    more(&repo, "other");
    repo.git(&["merge", "-q", "--no-verify", "-m", "merged", "side"]).ok();
    repo.write("data/x.vec", "newer");
    let commands = follow(&repo, &blocked(&repo));
    assert_eq!(
        commands,
        [
            "git pack protect data/x.vec",
            "git commit",
            "git filter-branch --index-filter 'git rm -q --cached --ignore-unmatch -- data/x.vec' -- HEAD --not --remotes"
        ]
    );
    is_out(&repo, "newer");
    let subjects = repo.git(&["log", "--format=%s", "--topo-order"]).ok().out();
    assert!(
        subjects.contains("merged\n") && subjects.contains("side-file\n"),
        "{subjects}"
    );
    // Many commits on one line, and a name that a shell would take apart.
    let repo = world(false);
    let name = "it's [a].vec";
    repo.write(name, "secret");
    repo.git(&["add", "-f", "."]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "leak"]).ok();
    for n in 0..12 {
        more(&repo, &format!("n{n}"));
    }
    follow(&repo, &blocked(&repo));
    repo.git(&["push", "origin", "main"]).ok();
    assert_eq!(fs::read_to_string(repo.path(name)).unwrap(), "secret");
    assert_eq!(repo.git(&["rev-list", "--count", "main"]).ok().out(), "15\n");
}

#[test]
fn a_file_that_is_deleted_again_leaves_nothing_to_commit() {
    let repo = world(true);
    leak(&repo, "secret");
    repo.git(&["rm", "-q", "--cached", "data/x.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "deleted"]).ok();
    let base = repo.rev("origin/main");
    let commands = follow(&repo, &blocked(&repo));
    assert_eq!(commands, [format!("git reset --soft {}", &base[..7])]);
    is_out(&repo, "secret");
}

#[test]
fn a_scan_gives_the_same_advice_where_it_reaches_the_commits() {
    let repo = world(true);
    leak(&repo, "secret");
    for args in [&["scan", "--all"][..], &["scan", "--range", "origin/main.."]] {
        let done = repo.pack(args);
        assert_eq!(done.code, 1);
        assert_eq!(commands(&done.stderr).len(), 3, "{}", done.stderr);
        assert!(!done.stderr.contains("what is already pushed"), "{}", done.stderr);
    }
    follow(&repo, &repo.pack(&["scan", "--all"]));
    is_out(&repo, "secret");
    // HEAD does not lead to what another branch and a tag have.
    repo.git(&["checkout", "-q", "-b", "side"]).ok();
    leak(&repo, "again");
    repo.git(&["tag", "t"]).ok();
    repo.git(&["update-ref", "refs/other/x", "HEAD"]).ok();
    repo.git(&["checkout", "-q", "main"]).ok();
    let done = repo.pack(&["scan", "--all"]);
    for told in [
        "HEAD does not lead to these commits",
        "git switch --no-overwrite-ignore side",
        "git tag -d t",
        "git update-ref -d refs/other/x",
    ] {
        assert!(done.stderr.contains(told), "{told}: {}", done.stderr);
    }
    assert!(!done.stderr.contains(BEFORE), "{}", done.stderr);
}

/// The advice named commits that only refs of git-pack itself kept, and no command reached them.
#[test]
fn a_ref_of_a_run_is_named_with_what_removes_it() {
    let repo = world(true);
    repo.write("plain.bin", noise(1, 100));
    repo.commit("plain");
    repo.pack(&["seal"]).ok();
    // The commit of the run goes, and by a newer rule it leaks.
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]).ok();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(
        ".gitpack.toml",
        format!("{config}\n[[protect]]\nclass = \"plain\"\npaths = [\"plain.bin\"]\n"),
    );
    repo.commit("rules");
    let held = repo
        .git(&["for-each-ref", "--format=%(refname)", "refs/gitpack/runs"])
        .ok()
        .out();
    repo.write("plain.bin", noise(1, 100));
    let protected = repo.pack(&["protect", "plain.bin"]).ok();
    assert!(
        protected.stderr.contains("no branch or tag leads there"),
        "{}",
        protected.stderr
    );
    assert!(!protected.stderr.contains("not pushed"), "{}", protected.stderr);
    let done = repo.pack(&["scan", "--all"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    for said in [&protected.stderr, &done.stderr] {
        let line = said
            .lines()
            .find(|line| line.contains(held.trim()))
            .unwrap_or_else(|| panic!("{said}"));
        let command = &line[line.find("rm -r ").unwrap()..];
        assert!(
            command.ends_with(&format!(" && git update-ref -d {}", held.trim())),
            "{command}"
        );
    }
    let line = done.stderr.lines().find(|line| line.contains(held.trim())).unwrap();
    let command = &line[line.find("rm -r ").unwrap()..];
    repo.place.run(&repo.root, "sh", &["-c", command]).ok();
    repo.pack(&["scan", "--all"]).ok();
}

#[test]
fn a_release_in_the_same_push_names_the_commit_to_push_first() {
    let repo = world(true);
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(
        ".gitpack.toml",
        format!("{config}\n[[protect]]\nclass = \"v\"\npaths = [\"data/**\"]\npolicy = \"allowed\"\n"),
    );
    repo.commit("release");
    let release = repo.rev("HEAD");
    leak(&repo, "public by now");
    let done = blocked(&repo);
    let command = format!("git push origin {}:main", &release[..7]);
    assert!(done.stderr.contains(&format!("    {command}\n")), "{}", done.stderr);
    assert!(!done.stderr.contains(BEFORE), "{}", done.stderr);
    repo.place.run(&repo.root, "sh", &["-c", &command]).ok();
    repo.git(&["push", "origin", "main"]).ok();
}
