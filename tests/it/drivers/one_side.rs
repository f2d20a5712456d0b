//! Without the drivers, git leaves our side of an unmerged twin on disk. A commit of it must be decided by a person.

use super::{
    blob, conflicted, git_keeps_nothing, opened, read, sealed, text, unmerged, with_identity, without_identity,
};
use crate::common::{Done, Repo};

/// A text whose ciphertext git takes for a binary file: it has a NUL.
fn long(changes: &[(usize, &str)]) -> String {
    text(changes) + &"x".repeat(4000) + "\n"
}

/// A clone without the drivers, in which both sides changed the twin.
fn apart(ours: &str, theirs: &str) -> Repo {
    let repo = Repo::set_up();
    repo.git(&["config", "gitpack.drivers", "false"]).ok();
    repo.pack(&["install"]).ok();
    sealed(&repo, &long(&[]));
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    sealed(&repo, theirs);
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.pack(&["reveal", "a.txt"]).ok();
    sealed(&repo, ours);
    repo
}

fn both() -> String {
    long(&[(1, "ours"), (8, "theirs")])
}

fn changed() -> Repo {
    apart(&long(&[(1, "ours")]), &long(&[(8, "theirs")]))
}

#[track_caller]
fn blocked(done: &Done, side: &str) {
    assert_eq!(done.code, 1, "{}{}", done.out(), done.stderr);
    for said in [
        "commit blocked, both sides of this merge changed 1 sealed file",
        &format!("a.txt.age   {side} side as it was"),
        "git checkout -m -- a.txt.age",
        "git pack reveal --merge a.txt",
    ] {
        assert!(done.stderr.contains(said), "{said}: {}", done.stderr);
    }
}

/// Loss: git leaves our side on disk, `git add -A` takes it for the result, and the merge has nothing of theirs.
#[test]
fn a_side_that_nobody_chose_is_not_committed() {
    for (way, side) in [
        (&["merge", "other"][..], "our"),
        (&["merge", "--squash", "other"], "our"),
        (&["cherry-pick", "other"], "our"),
    ] {
        let repo = changed();
        conflicted(&repo, &repo.git(way));
        repo.git(&["add", "-A"]).ok();
        assert_eq!(unmerged(&repo), "");
        let before = repo.rev("HEAD");
        blocked(&repo.git(&["commit", "--allow-empty", "-m", "x"]), side);
        assert_eq!(repo.rev("HEAD"), before);
        // What the message says works.
        repo.git(&["checkout", "-m", "--", "a.txt.age"]).ok();
        repo.pack(&["reveal", "--merge", "a.txt"]).ok();
        assert_eq!(read(&repo, "a.txt"), both(), "{way:?}");
        repo.pack(&["protect", "--resolved", "a.txt"]).ok();
        repo.git(&["commit", "-q", "-m", "merged"]).ok();
        assert_eq!(opened(&repo, "HEAD:a.txt.age"), both());
        // The index remembers the conflict, but nothing is merged any more.
        repo.write("other.txt", "x");
        repo.commit("another");
        git_keeps_nothing(&repo);
    }
    let repo = changed();
    conflicted(&repo, &repo.git(&["merge", "other"]));
    blocked(&repo.git(&["commit", "-a", "-m", "x"]), "our");
    repo.pack(&["reveal", "--merge"]).ok();
    assert_eq!(read(&repo, "a.txt"), both());
}

#[test]
fn a_side_is_committed_if_a_person_chose_it() {
    for (side, whose, revision) in [("--theirs", "their", "other"), ("--ours", "our", "main")] {
        let repo = changed();
        conflicted(&repo, &repo.git(&["merge", "other"]));
        let expected = blob(&repo, &format!("{revision}:a.txt.age"));
        // git itself does not tell git-pack who chose.
        repo.git(&["checkout", side, "--", "a.txt.age"]).ok();
        repo.git(&["add", "a.txt.age"]).ok();
        blocked(&repo.git(&["commit", "-m", "x"]), whose);
        repo.git(&["checkout", "-m", "--", "a.txt.age"]).ok();
        repo.pack(&["reveal", side, "a.txt"]).ok();
        repo.pack(&["protect", "--resolved", "a.txt"]).ok();
        repo.git(&["commit", "-q", "-m", "merged"]).ok();
        assert_eq!(blob(&repo, "HEAD:a.txt.age"), expected);
        // The same with git's own way to settle it.
        let repo = changed();
        conflicted(&repo, &repo.git(&["merge", "other"]));
        repo.pack(&["reveal", side, "a.txt"]).ok();
        repo.git(&["add", "a.txt.age"]).ok();
        repo.git(&["commit", "-q", "-m", "merged"]).ok();
    }
}

/// Loss: the note of an earlier choice counts for another conflict, or for the other side.
#[test]
fn a_choice_counts_for_its_side_alone() {
    let repo = changed();
    conflicted(&repo, &repo.git(&["merge", "other"]));
    repo.pack(&["reveal", "--theirs", "a.txt"]).ok();
    repo.git(&["checkout", "--ours", "--", "a.txt.age"]).ok();
    repo.git(&["add", "a.txt.age"]).ok();
    blocked(&repo.git(&["commit", "-m", "x"]), "our");
}

#[test]
fn a_side_that_lacks_nothing_is_committed() {
    let repo = apart(&long(&[(1, "same")]), &long(&[(1, "same")]));
    conflicted(&repo, &repo.git(&["merge", "other"]));
    repo.git(&["add", "-A"]).ok();
    // Only an identity tells.
    without_identity(&repo);
    blocked(&repo.git(&["commit", "-m", "x"]), "our");
    with_identity(&repo);
    repo.git(&["commit", "-q", "-m", "merged"]).ok();
}

#[test]
fn only_the_deciding_side_of_a_deletion_is_named() {
    let repo = Repo::set_up();
    sealed(&repo, &text(&[]));
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    repo.git(&["rm", "-q", "a.txt.age"]).ok();
    repo.git(&["commit", "-q", "-m", "deleted"]).ok();
    repo.git(&["checkout", "-q", "main"]).ok();
    sealed(&repo, &text(&[(8, "changed")]));
    conflicted(&repo, &repo.git(&["merge", "other"]));
    let check = repo.pack(&["protect", "--check"]).out();
    assert!(check.contains("unmerged, their side deleted it"), "{check}");
    assert!(
        check.contains("git pack reveal --ours a.txt, or git rm a.txt.age"),
        "{check}"
    );
    assert!(!check.contains("--merge"), "{check}");
    let refused = repo.pack(&["reveal", "--merge"]);
    let said = "git pack reveal --ours a.txt, then";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    refused.refused("E_IO");
    repo.pack(&["reveal", "--ours", "a.txt"]).ok();
    let done = repo.pack(&["protect", "--resolved", "a.txt"]).ok();
    assert!(
        done.stderr.contains("our side as it was; theirs deleted it"),
        "{}",
        done.stderr
    );
    repo.git(&["commit", "-q", "-m", "kept"]).ok();
}

#[test]
fn the_only_unmerged_twin_needs_no_name() {
    let repo = changed();
    let refused = repo.pack(&["reveal", "--merge"]).refused("E_USAGE").to_string();
    assert!(refused.contains("no sealed twin is unmerged"), "{refused}");
    conflicted(&repo, &repo.git(&["merge", "other"]));
    repo.pack(&["reveal", "--theirs"]).ok();
    assert_eq!(read(&repo, "a.txt"), long(&[(8, "theirs")]));
    repo.pack(&["reveal", "--merge"]).ok();
    assert_eq!(read(&repo, "a.txt"), both());
    repo.git(&["reset", "-q", "--hard"]).ok();
    for branch in ["other", "main"] {
        repo.git(&["checkout", "-q", branch]).ok();
        repo.write("b.txt", long(&[(3, branch)]));
        repo.pack(&["protect", "--force", "b.txt"]).ok();
        repo.git(&["commit", "-q", "-m", "second"]).ok();
    }
    repo.git(&["merge", "other"]);
    let refused = repo.pack(&["reveal", "--merge"]).refused("E_USAGE").to_string();
    assert!(
        refused.contains("several sealed twins are unmerged: a.txt, b.txt"),
        "{refused}"
    );
}
