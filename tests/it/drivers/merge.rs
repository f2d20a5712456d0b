//! What the merge driver makes of both sides.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{
    SECRET, blob, branches, conflicted, git_keeps_nothing, locked, opened, read, sealed, text, unmerged, with_identity,
    without_identity,
};
use crate::common::{Done, Repo, noise};

fn clean() -> Repo {
    branches(&text(&[]), &text(&[(1, "ours")]), &text(&[(8, "theirs")]))
}

fn both() -> String {
    text(&[(1, "ours"), (8, "theirs")])
}

fn overlapping() -> Repo {
    branches(&text(&[]), &text(&[(4, "ours")]), &text(&[(4, "theirs")]))
}

#[test]
fn changes_of_different_lines_are_joined_and_sealed() {
    let repo = clean();
    let done = repo.git(&["merge", "-q", "-m", "merged", "other"]).ok();
    assert_eq!(unmerged(&repo), "", "{}", done.stderr);
    assert_eq!(opened(&repo, "HEAD:a.txt.age"), both());
    assert_eq!(repo.git(&["status", "--porcelain"]).ok().out(), "");
    git_keeps_nothing(&repo);
    // The plaintext on disk is from before the merge, and must not take their side away again.
    let check = repo.pack(&["protect", "--check"]);
    assert!(check.out().contains("twin is newer"), "{}", check.out());
    let refused = repo.pack(&["protect", "a.txt"]).refused("E_IO");
    assert_eq!(refused["refusal"]["next_command"], "git pack reveal a.txt");
    // A path is text, also that of a twin.
    let refused = repo.pack(&["reveal", "--merge", "a.txt"]).refused("E_IO");
    assert_eq!(refused["refusal"]["detail"]["path"], "a.txt.age");
    repo.pack(&["reveal", "a.txt"]).ok();
    assert_eq!(read(&repo, "a.txt"), both());
    repo.pack(&["protect", "--check"]).ok();
}

#[test]
fn changes_of_the_same_line_are_left_to_a_person() {
    let repo = overlapping();
    let ours = blob(&repo, "HEAD:a.txt.age");
    let done = repo.git(&["merge", "other"]);
    conflicted(&repo, &done);
    assert!(
        done.stderr.contains("both sides changed the same lines"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("git pack reveal --merge a.txt"), "{}", done.stderr);
    // A text lies where the twin was, and nothing has touched the plaintext.
    assert!(read(&repo, "a.txt.age").starts_with("This sealed file is not merged"));
    assert_eq!(read(&repo, "a.txt"), text(&[(4, "ours")]));
    assert_eq!(blob(&repo, ":2:a.txt.age"), ours);
    assert_eq!(blob(&repo, ":3:a.txt.age"), blob(&repo, "other:a.txt.age"));
    let merged = repo.pack(&["reveal", "--merge", "a.txt"]).ok();
    assert!(merged.stderr.contains("1 conflict"), "{}", merged.stderr);
    let marked = format!("<<<<<<< ours\n{SECRET} 4: ours\n=======\n{SECRET} 4: theirs\n>>>>>>> theirs\n");
    assert!(read(&repo, "a.txt").contains(&marked), "{}", read(&repo, "a.txt"));
    git_keeps_nothing(&repo);
    // A text with markers is not what a person decided.
    let refused = repo.pack(&["protect", "--resolved", "a.txt"]).refused("E_IO");
    assert!(refused.to_string().contains("conflict markers"), "{refused}");
    assert!(!unmerged(&repo).is_empty());
    // Nobody sealed what a person makes of it, so nothing writes over it.
    let decided = text(&[(4, "both")]);
    repo.write("a.txt", &decided);
    repo.pack(&["reveal", "--merge", "a.txt"]).refused("E_IO");
    assert_eq!(read(&repo, "a.txt"), decided);
    repo.pack(&["protect", "--resolved", "a.txt"]).ok();
    assert_eq!(unmerged(&repo), "");
    repo.git(&["commit", "-q", "-m", "decided"]).ok();
    assert_eq!(opened(&repo, "HEAD:a.txt.age"), decided);
    git_keeps_nothing(&repo);
}

#[test]
fn a_conflict_that_is_settled_with_one_side_says_so() {
    let repo = overlapping();
    repo.git(&["merge", "other"]);
    // The plaintext is still the one from before the merge.
    let done = repo.pack(&["protect", "--resolved", "a.txt"]).ok();
    let said = "a.txt.age is now our side as it was; changes of theirs alone are not in it";
    assert!(done.stderr.contains(said), "{}", done.stderr);
    repo.git(&["reset", "-q", "--hard"]).ok();
    repo.git(&["merge", "other"]);
    repo.pack(&["reveal", "--theirs", "a.txt"]).ok();
    let done = repo.pack(&["protect", "--resolved", "a.txt"]).ok();
    assert!(done.stderr.contains("a.txt.age is now their side"), "{}", done.stderr);
    repo.git(&["reset", "-q", "--hard"]).ok();
    repo.pack(&["reveal", "--force", "a.txt"]).ok();
    repo.git(&["merge", "other"]);
    repo.write("a.txt", text(&[(4, "both")]));
    let done = repo.pack(&["protect", "--resolved", "a.txt"]).ok();
    assert!(!done.stderr.contains("side as it was"), "{}", done.stderr);
}

#[test]
fn no_side_is_committed_or_sealed_without_a_decision() {
    for add in [&["commit", "-q", "-a", "-m", "x"][..], &["add", "-A"]] {
        let repo = overlapping();
        repo.git(&["merge", "other"]);
        let mut done = repo.git(add);
        if add[0] == "add" {
            done = repo.git(&["commit", "-q", "-m", "x"]);
        }
        assert!(done.code != 0 && done.stderr.contains("a.txt.age"), "{}", done.stderr);
        assert!(!repo.pack(&["protect", "--check"]).out().contains("up to date"));
        // What is staged is no decision either, and what git knows of the conflict brings it back.
        repo.git(&["add", "-A"]).ok();
        repo.pack(&["reveal", "a.txt"]).refused("E_CRYPTO");
        repo.pack(&["protect", "a.txt"]).refused("E_IO");
        repo.git(&["checkout", "-q", "-m", "--", "a.txt.age"]).ok();
        repo.pack(&["reveal", "--merge", "a.txt"]).ok();
        repo.git(&["add", "a.txt.age"]).ok();
        repo.pack(&["protect", "a.txt"]).refused("E_IO");
        git_keeps_nothing(&repo);
    }
    // Without hooks, a rebase keeps the commit, and the push is blocked.
    let repo = overlapping();
    repo.git(&["rebase", "other"]);
    repo.git(&["add", "-A"]).ok();
    let mut goes_on = repo.place.command("git", &repo.root);
    goes_on.env("GIT_EDITOR", "true").args(["rebase", "--continue"]);
    drop(goes_on.output().unwrap());
    let server = repo.place.path().join("server.git");
    repo.git(&["init", "-q", "--bare", server.to_str().unwrap()]).ok();
    let done = repo.git(&["push", server.to_str().unwrap(), "HEAD:refs/heads/main"]);
    assert!(done.code != 0, "{}", done.stderr);
}

#[test]
fn markers_that_belong_to_a_text_can_be_sealed() {
    let repo = overlapping();
    repo.git(&["merge", "other"]);
    repo.pack(&["reveal", "--merge", "a.txt"]).ok();
    repo.pack(&["protect", "--resolved", "--force", "a.txt"]).ok();
    assert!(opened(&repo, ":a.txt.age").contains("<<<<<<< ours"));
}

#[test]
fn a_side_that_has_the_result_keeps_its_ciphertext() {
    for (ours, theirs, kept) in [
        // Both have the same plaintext.
        (text(&[(1, "same")]), text(&[(1, "same")]), "HEAD:a.txt.age"),
        // One has all of the other one's changes, and more.
        (
            text(&[(1, "same"), (8, "more")]),
            text(&[(1, "same")]),
            "HEAD:a.txt.age",
        ),
        (
            text(&[(1, "same")]),
            text(&[(1, "same"), (8, "more")]),
            "other:a.txt.age",
        ),
    ] {
        let repo = branches(&text(&[]), &ours, &theirs);
        let expected = blob(&repo, kept);
        assert_ne!(blob(&repo, "HEAD:a.txt.age"), blob(&repo, "other:a.txt.age"));
        repo.git(&["merge", "-q", "-m", "merged", "other"]).ok();
        assert_eq!(blob(&repo, "HEAD:a.txt.age"), expected, "{kept}");
    }
}

#[test]
fn both_sides_may_add_the_twin() {
    for (ours, theirs, is_clean) in [("same\n", "same\n", true), ("ours\n", "theirs\n", false)] {
        let repo = Repo::set_up();
        repo.git(&["checkout", "-q", "-b", "other"]).ok();
        sealed(&repo, theirs);
        repo.git(&["checkout", "-q", "main"]).ok();
        sealed(&repo, ours);
        let done = repo.git(&["merge", "-q", "-m", "merged", "-X", "ours", "other"]);
        match is_clean {
            true => assert_eq!(unmerged(&repo), "", "{}", done.stderr),
            false => {
                conflicted(&repo, &done);
                repo.pack(&["reveal", "--merge", "a.txt"]).ok();
                assert!(
                    read(&repo, "a.txt").contains("ours\n=======\ntheirs\n"),
                    "{}",
                    read(&repo, "a.txt")
                );
            }
        }
    }
}

#[test]
fn without_an_identity_both_sides_stay() {
    let repo = clean();
    without_identity(&repo);
    let done = repo.git(&["merge", "other"]);
    conflicted(&repo, &done);
    assert!(done.stderr.contains("no identity here opens it"), "{}", done.stderr);
    assert!(read(&repo, "a.txt.age").starts_with("This sealed file is not merged"));
    repo.pack(&["reveal", "--merge", "a.txt"]).refused("E_NO_IDENTITY");
    with_identity(&repo);
    let merged = repo.pack(&["reveal", "--merge", "a.txt"]).ok();
    assert!(merged.stderr.contains("still unmerged"), "{}", merged.stderr);
    assert_eq!(read(&repo, "a.txt"), both());
    repo.pack(&["protect", "--resolved", "a.txt"]).ok();
    repo.git(&["commit", "-q", "-m", "merged"]).ok();
    assert_eq!(opened(&repo, "HEAD:a.txt.age"), both());
    git_keeps_nothing(&repo);
}

#[test]
fn a_locked_identity_is_asked_for_only_by_a_person() {
    let repo = clean();
    let locked = locked(&repo);
    let mut merge = repo.place.command("git", &repo.root);
    merge.args(["merge", "other"]).env("GIT_PACK_IDENTITY", &locked);
    let done = Done::from(merge.output().unwrap());
    conflicted(&repo, &done);
    let said = "the identity needs a passphrase or a plugin";
    assert!(done.stderr.contains(said), "{}", done.stderr);
    let words = repo.place.path().join("words");
    fs::write(&words, "words\n").unwrap();
    fs::set_permissions(&words, fs::Permissions::from_mode(0o600)).unwrap();
    let (locked, words) = (locked.to_str().unwrap(), words.to_str().unwrap());
    let arguments = ["reveal", "--merge", "a.txt", "-i", locked, "--passphrase-file", words];
    repo.pack(&arguments).ok();
    assert_eq!(read(&repo, "a.txt"), both());
}

#[test]
fn binary_plaintexts_are_left_with_a_choice_of_sides() {
    let binary = |seed| [&noise(seed, 500)[..], &[0]].concat();
    let repo = Repo::set_up();
    let seal = |seed| {
        repo.write("a.txt", binary(seed));
        repo.pack(&["protect", "a.txt"]).ok();
        repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    };
    seal(1);
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    seal(2);
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.pack(&["reveal", "a.txt"]).ok();
    seal(3);
    let done = repo.git(&["merge", "other"]);
    conflicted(&repo, &done);
    assert!(
        done.stderr.contains("git pack reveal --ours a.txt, or --theirs"),
        "{}",
        done.stderr
    );
    let refused = repo.pack(&["reveal", "--merge", "a.txt"]);
    assert!(
        refused.stderr.contains("--ours a.txt, or --theirs"),
        "{}",
        refused.stderr
    );
    refused.refused("E_IO");
    assert!(fs::read(repo.path("a.txt")).unwrap() == binary(3));
    repo.pack(&["reveal", "--theirs", "a.txt"]).ok();
    assert!(fs::read(repo.path("a.txt")).unwrap() == binary(2));
}

#[test]
fn a_damaged_side_is_left_and_named() {
    let repo = clean();
    let mut twin = fs::read(repo.path("a.txt.age")).unwrap();
    *twin.last_mut().unwrap() ^= 1;
    fs::write(repo.path("a.txt.age"), twin).unwrap();
    repo.git(&["commit", "-q", "--no-verify", "-a", "-m", "damaged"]).ok();
    let done = repo.git(&["merge", "other"]);
    conflicted(&repo, &done);
    assert!(done.stderr.contains("it is damaged"), "{}", done.stderr);
}

/// Gain: a commit names the driver for other files, and a merge loses lines of them.
#[test]
fn files_that_are_not_sealed_are_merged_as_git_does() {
    let repo = Repo::set_up();
    repo.write(".gitattributes", "* merge=gitpack\n");
    for name in ["clean", "overlap"] {
        repo.write(name, text(&[]));
    }
    repo.write("binary", noise(1, 3000));
    repo.commit("base");
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    repo.write("clean", text(&[(8, "theirs")]));
    repo.write("overlap", text(&[(4, "theirs")]));
    repo.write("binary", noise(2, 3000));
    repo.commit("theirs");
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.write("clean", text(&[(1, "ours")]));
    repo.write("overlap", text(&[(4, "ours")]));
    repo.write("binary", noise(3, 3000));
    repo.commit("ours");
    let done = repo.git(&["merge", "other"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert_eq!(read(&repo, "clean"), text(&[(1, "ours"), (8, "theirs")]));
    assert!(read(&repo, "overlap").contains("<<<<<<< "));
    assert!(fs::read(repo.path("binary")).unwrap() == noise(3, 3000));
    let paths = repo.git(&["diff", "--name-only", "--diff-filter=U"]).ok().out();
    assert_eq!(paths, "binary\noverlap\n");
}

/// A merge of two common ancestors that were themselves in conflict must not hide either side.
#[test]
fn a_criss_cross_loses_no_decision() {
    let repo = overlapping();
    // Both branches merge the other one, and decide the conflict differently.
    repo.git(&["branch", "ours-before"]).ok();
    for (branch, other, decided) in [("main", "other", "ours"), ("other", "ours-before", "theirs")] {
        repo.git(&["checkout", "-q", branch]).ok();
        repo.pack(&["reveal", "--force", "a.txt"]).ok();
        repo.git(&["merge", other]);
        repo.write("a.txt", text(&[(4, decided)]));
        repo.pack(&["protect", "--resolved", "a.txt"]).ok();
        repo.git(&["commit", "-q", "-m", "decided"]).ok();
    }
    repo.git(&["checkout", "-q", "main"]).ok();
    let done = repo.git(&["merge", "other"]);
    conflicted(&repo, &done);
    git_keeps_nothing(&repo);
}
