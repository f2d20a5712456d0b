//! A file that only `git pack protect` protects, not a rule: its plaintext must not return to history.

use std::fs;

use crate::common::{Done, Repo, noise, snapshot};

/// Sets up a repository with a remote, in which `notes.txt` was protected and committed.
fn protected() -> Repo {
    let repo = with_remote();
    repo.write("notes.txt", "what nobody else may read\n");
    repo.pack(&["protect", "notes.txt"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed notes"]).ok();
    repo.git(&["push", "-q", "origin", "main"]).ok();
    repo
}

fn with_remote() -> Repo {
    let repo = Repo::set_up();
    repo.place
        .run(
            &repo.root,
            "git",
            &["init", "-q", "--bare", "-b", "main", "../remote.git"],
        )
        .ok();
    repo.git(&["remote", "add", "origin", "../remote.git"]).ok();
    repo.git(&["push", "-q", "-u", "origin", "main"]).ok();
    repo
}

#[track_caller]
fn blocked(done: &Done, code: i32) {
    assert_eq!(done.code, code, "{}{}", done.out(), done.stderr);
    let said = format!("{}{}", done.out(), done.stderr);
    assert!(
        said.contains("notes.txt") && said.contains("sealed twin notes.txt.age"),
        "{said}"
    );
}

/// Gain: the owner of a sealed file adds its plaintext again by accident, and the guard lets it pass.
#[test]
fn the_plaintext_cannot_be_added_again() {
    let repo = protected();
    repo.git(&["add", "-f", "notes.txt"]).ok();
    blocked(&repo.git(&["commit", "-q", "-m", "oops"]), 1);
    blocked(&repo.pack(&["scan"]), 1);
    let check = repo.pack(&["protect", "--check"]);
    assert_eq!(check.code, 1, "{}", check.out());
    assert!(check.out().contains("tracked in plaintext"), "{}", check.out());
    assert!(repo.pack(&["status"]).shown().out().contains("tracked in plaintext"));
    repo.git(&["commit", "-q", "--no-verify", "-m", "oops"]).ok();
    blocked(&repo.git(&["push", "-q", "origin", "main"]), 1);
    blocked(&repo.pack(&["scan", "--all"]), 1);
    blocked(&repo.pack(&["scan", "--rev", "HEAD"]), 1);
    blocked(&repo.pack(&["scan", "--range", "origin/main..HEAD"]), 1);
    blocked(&repo.pack(&["scan", "--worktree"]), 1);
    let refused = repo.pack(&["seal"]).refused("E_PLAINTEXT_LEAK");
    assert!(refused.to_string().contains("notes.txt.age"), "{refused}");
}

/// Gain: a commit from before the protection is pushed afterwards with the plaintext.
#[test]
fn history_from_before_the_protection_is_not_pushed() {
    let repo = with_remote();
    repo.write("notes.txt", "what nobody else may read\n");
    repo.commit("plain notes");
    let protect = repo.pack(&["protect", "notes.txt"]).ok();
    assert!(
        protect.stderr.contains("1 commit") && protect.stderr.contains("not pushed"),
        "{}",
        protect.stderr
    );
    repo.git(&["commit", "-q", "-m", "sealed notes"]).ok();
    blocked(&repo.git(&["push", "-q", "origin", "main"]), 1);
    blocked(&repo.pack(&["scan", "--all"]), 1);
}

/// Gain: the same with a long history, whose commits the clone remembered as clean before the protection.
#[test]
fn what_was_clean_before_the_protection_is_judged_again() {
    let repo = with_remote();
    for at in 0..80 {
        repo.write("notes.txt", format!("what nobody else may read {at}\n"));
        repo.commit("plain notes");
    }
    repo.pack(&["scan", "--all"]).ok();
    repo.git(&["push", "-q", "--dry-run", "origin", "main"]).ok();
    repo.pack(&["protect", "notes.txt"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed notes"]).ok();
    blocked(&repo.git(&["push", "-q", "origin", "main"]), 1);
    blocked(&repo.pack(&["scan", "--all"]), 1);
}

/// Gain: one commit replaces the twin with the plaintext, and so removes its own protection.
#[test]
fn taking_the_twin_away_releases_nothing_in_the_same_change() {
    let repo = protected();
    repo.git(&["rm", "-q", "--cached", "notes.txt.age"]).ok();
    repo.git(&["add", "-f", "notes.txt"]).ok();
    blocked(&repo.git(&["commit", "-q", "-m", "swap"]), 1);
    repo.git(&["commit", "-q", "--no-verify", "-m", "swap"]).ok();
    blocked(&repo.git(&["push", "-q", "origin", "main"]), 1);
}

/// Gain: the plaintext reaches a server on a branch that lacks the twin.
#[test]
fn a_server_knows_the_twin_of_its_default_branch() {
    let repo = protected();
    let bare = repo.place.path().join("remote.git");
    repo.place.pack_in(&bare, &["init", "--server"]).ok();
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    repo.git(&["rm", "-q", "--cached", "notes.txt.age"]).ok();
    repo.git(&["add", "-f", "notes.txt"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "swap"]).ok();
    let push = repo.git(&["push", "-q", "--no-verify", "origin", "other"]);
    assert_ne!(push.code, 0);
    assert!(push.stderr.contains("sealed twin notes.txt.age"), "{}", push.stderr);
}

/// Gain: the plaintext passes under a name that differs only in case, which many file systems treat as the same file.
#[test]
fn case_does_not_tell_a_plaintext_from_its_twin() {
    let repo = protected();
    repo.write("NOTES.txt", "what nobody else may read\n");
    repo.git(&["add", "-f", "NOTES.txt"]).ok();
    let done = repo.git(&["commit", "-q", "-m", "oops"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
}

/// No gain: a file whose name alone resembles a plaintext passes, and an exception releases the plaintext.
#[test]
fn what_is_no_plaintext_of_a_twin_passes() {
    let repo = protected();
    repo.write("other.txt", "public\n");
    repo.commit("other");
    // The twin was renamed, so its plaintext has the new name as well.
    repo.git(&["mv", "notes.txt.age", "moved.txt.age"]).ok();
    repo.git(&["commit", "-q", "-m", "moved"]).ok();
    repo.write(".gitignore", "_PACK_RUN/\n");
    repo.write("notes.txt", noise(3, 100));
    repo.commit("another file of that name");
    let blob = repo.git(&["hash-object", "moved.txt.age"]).ok().out();
    repo.write("moved.txt", "released\n");
    let plain = repo.git(&["hash-object", "moved.txt"]).ok().out();
    assert_ne!(blob, plain);
    let config = std::fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let allow = format!(
        "{config}\n[[allow]]\nblob = \"{}\"\nreason = \"public\"\n",
        plain.trim()
    );
    repo.write(".gitpack.toml", allow);
    repo.git(&["add", ".gitpack.toml"]).ok();
    repo.git(&["commit", "-q", "-m", "allow"]).ok();
    repo.git(&["add", "-f", "moved.txt"]).ok();
    repo.git(&["commit", "-q", "-m", "released"]).ok();
}

/// Gain: a commit holds a sealed file that only the victim can open. Revealed, it is a `.git` that makes git run a program of the
/// attacker's, or a configuration that nobody saw in the commit.
#[test]
fn a_twin_does_not_come_to_light_as_what_git_or_git_pack_reads() {
    let repo = protected();
    let identity = repo.place.home().join(".config/git-pack/identity.txt");
    let identity = identity.to_str().unwrap();
    repo.write(".gitpack.toml", {
        let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
        config.replacen("version = 1\n", "version = 1\nallow_file = \"released.toml\"\n", 1)
    });
    let hostile = [
        "sub/.git",
        "sub/.GIT",
        "sub/git~1",
        "sub/.g\u{200c}it",
        ".gitpack.toml",
        "sub/.gitpack.toml",
        ".gitignore",
        "sub/.GitAttributes",
        ".gitmodules",
        "released.toml",
    ];
    for plain in hostile {
        let twin = format!("{plain}.age");
        repo.write(&twin, fs::read(repo.path("notes.txt.age")).unwrap());
        repo.git(&["add", "-f", &twin]).ok();
        let before = snapshot(&repo.root);
        for args in [
            &["reveal"][..],
            &["reveal", "-n"],
            &["reveal", "--force", "-i", identity, plain],
            &["reveal", "--merge", plain],
            &["reveal", "--theirs", plain],
        ] {
            let done = repo.pack(args);
            assert_eq!(done.code, 2, "{plain} {args:?}: {}{}", done.out(), done.stderr);
            assert!(snapshot(&repo.root) == before, "{plain} {args:?}");
        }
        let told = repo.pack(&["reveal"]).stderr;
        assert!(
            told.contains("belongs to git itself") || told.contains("must stay in plaintext"),
            "{plain}: {told}"
        );
        repo.git(&["rm", "-q", "--cached", &twin]).ok();
        fs::remove_file(repo.path(&twin)).unwrap();
    }
    repo.pack(&["reveal"]).ok();
}
