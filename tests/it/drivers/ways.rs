//! All that merges besides `git merge`: rebase, cherry-pick, revert, stash, merge-tree; in linked worktrees, with renames and
//! deletions.

use std::fs;

use super::{blob, branches, conflicted, git_keeps_nothing, opened, read, sealed, text, unmerged};
use crate::common::Repo;

/// How git goes on after a conflict.
const WITHOUT_EDITOR: [&str; 2] = ["-c", "core.editor=true"];

fn both() -> String {
    text(&[(1, "ours"), (8, "theirs")])
}

fn clean() -> Repo {
    branches(&text(&[]), &text(&[(1, "ours")]), &text(&[(8, "theirs")]))
}

fn overlapping() -> Repo {
    branches(&text(&[]), &text(&[(4, "ours")]), &text(&[(4, "theirs")]))
}

#[test]
fn every_way_joins_changes_of_different_lines() {
    for way in [
        &["cherry-pick", "other"][..],
        &["rebase", "-q", "other"],
        &["rebase", "-q", "main", "other"],
        &["rebase", "-q", "--apply", "other"],
        &["merge", "-q", "--squash", "other"],
    ] {
        let repo = clean();
        let done = repo.git(way);
        assert_eq!(done.code, 0, "{way:?}: {}{}", done.out(), done.stderr);
        assert_eq!(opened(&repo, ":a.txt.age"), both(), "{way:?}");
        git_keeps_nothing(&repo);
    }
}

#[test]
fn a_revert_takes_one_change_back() {
    let repo = Repo::set_up();
    sealed(&repo, &text(&[]));
    sealed(&repo, &text(&[(1, "first")]));
    sealed(&repo, &text(&[(1, "first"), (8, "second")]));
    repo.git(&[&WITHOUT_EDITOR[..], &["revert", "HEAD^"]].concat()).ok();
    assert_eq!(opened(&repo, "HEAD:a.txt.age"), text(&[(8, "second")]));
    git_keeps_nothing(&repo);
}

#[test]
fn a_stash_comes_back_over_another_change() {
    for (ours, is_clean) in [((1, "ours"), true), ((8, "ours"), false)] {
        let repo = Repo::set_up();
        sealed(&repo, &text(&[]));
        repo.write("a.txt", text(&[(8, "theirs")]));
        repo.pack(&["protect", "a.txt"]).ok();
        repo.git(&["stash", "-q"]).ok();
        let shown = repo.git(&["stash", "show", "-p", "--textconv"]).ok().out();
        assert!(shown.contains(" 8: theirs\n"), "{shown}");
        repo.pack(&["reveal", "a.txt"]).ok();
        sealed(&repo, &text(&[ours]));
        let done = repo.git(&["stash", "pop"]);
        match is_clean {
            true => {
                assert_eq!(done.code, 0, "{}{}", done.out(), done.stderr);
                repo.git(&["add", "a.txt.age"]).ok();
                assert_eq!(opened(&repo, ":a.txt.age"), both());
                // What lies there in plaintext is older, and is not sealed over it.
                repo.pack(&["protect", "a.txt"]).refused("E_IO");
            }
            false => {
                conflicted(&repo, &done);
                assert!(repo.git(&["stash", "list"]).ok().out().contains("stash@{0}"));
            }
        }
        git_keeps_nothing(&repo);
    }
}

#[test]
fn conflicts_of_every_way_are_decided_the_same() {
    for (way, conclude) in [
        (&["cherry-pick", "other"][..], &["cherry-pick", "--continue"][..]),
        (&["rebase", "main", "other"], &["rebase", "--continue"]),
        (&["rebase", "--apply", "main", "other"], &["rebase", "--continue"]),
    ] {
        let repo = overlapping();
        let done = repo.git(way);
        conflicted(&repo, &done);
        git_keeps_nothing(&repo);
        repo.pack(&["reveal", "--merge", "a.txt"]).ok();
        assert!(read(&repo, "a.txt").contains("ours\n=======\n"), "{way:?}");
        git_keeps_nothing(&repo);
        repo.write("a.txt", text(&[(4, "decided")]));
        repo.pack(&["protect", "--resolved", "a.txt"]).ok();
        repo.git(&[&WITHOUT_EDITOR[..], conclude].concat()).ok();
        assert_eq!(opened(&repo, "HEAD:a.txt.age"), text(&[(4, "decided")]), "{way:?}");
        git_keeps_nothing(&repo);
    }
}

/// git records how a conflict was decided, in `rr-cache`, and decides the next one in the same way.
#[test]
fn rerere_keeps_no_plaintext() {
    let repo = overlapping();
    repo.git(&["config", "rerere.enabled", "true"]).ok();
    for _ in 0..2 {
        conflicted(&repo, &repo.git(&["merge", "other"]));
        repo.pack(&["reveal", "--merge", "a.txt"]).ok();
        repo.write("a.txt", text(&[(4, "decided")]));
        repo.pack(&["protect", "--resolved", "a.txt"]).ok();
        repo.git(&["commit", "-q", "-m", "decided"]).ok();
        git_keeps_nothing(&repo);
        repo.git(&["reset", "-q", "--hard", "HEAD^"]).ok();
        repo.pack(&["reveal", "--force", "a.txt"]).ok();
    }
}

#[test]
fn a_merge_without_a_work_tree_joins_them_too() {
    let repo = clean();
    let before = read(&repo, "a.txt");
    let tree = repo.git(&["merge-tree", "--write-tree", "main", "other"]).ok().out();
    assert_eq!(opened(&repo, &format!("{}:a.txt.age", tree.trim())), both());
    assert_eq!(read(&repo, "a.txt"), before);
    assert_eq!(repo.git(&["status", "--porcelain"]).ok().out(), "");
    git_keeps_nothing(&repo);
    let repo = overlapping();
    let before = read(&repo, "a.txt");
    let done = repo.git(&["merge-tree", "--write-tree", "main", "other"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    let tree = done.out().lines().next().unwrap().to_owned();
    let left = repo.git(&["cat-file", "blob", &format!("{tree}:a.txt.age")]).ok().out();
    assert!(left.starts_with("This sealed file is not merged"), "{left}");
    assert_eq!(read(&repo, "a.txt"), before);
    git_keeps_nothing(&repo);
}

#[test]
fn a_linked_worktree_has_the_drivers() {
    let repo = clean();
    repo.git(&["worktree", "add", "-q", "../linked", "other"]).ok();
    let linked = repo.place.path().join("linked");
    let git = |words: &[&str]| repo.place.run(&linked, "git", words);
    git(&["merge", "-q", "-m", "merged", "main"]).ok();
    assert_eq!(opened(&repo, "other:a.txt.age"), both());
    repo.place.pack_in(&linked, &["reveal"]).ok();
    assert_eq!(fs::read_to_string(linked.join("a.txt")).unwrap(), both());
    assert_eq!(read(&repo, "a.txt"), text(&[(1, "ours")]));
    git_keeps_nothing(&repo);
    // The same in a directory below, and with a conflict.
    let repo = overlapping();
    repo.git(&["worktree", "add", "-q", "../linked", "other"]).ok();
    let linked = repo.place.path().join("linked");
    fs::create_dir(linked.join("below")).unwrap();
    let done = repo.place.run(&linked.join("below"), "git", &["merge", "main"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    repo.place.pack_in(&linked, &["reveal", "--merge", "a.txt"]).ok();
    assert!(
        fs::read_to_string(linked.join("a.txt"))
            .unwrap()
            .contains("theirs\n=======\n")
    );
    git_keeps_nothing(&repo);
}

#[test]
fn a_renamed_twin_takes_the_other_sides_change() {
    let repo = Repo::set_up();
    sealed(&repo, &text(&[]));
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    repo.git(&["mv", "a.txt.age", "b.txt.age"]).ok();
    repo.git(&["commit", "-q", "-m", "renamed"]).ok();
    repo.git(&["checkout", "-q", "main"]).ok();
    sealed(&repo, &text(&[(1, "ours")]));
    let ours = blob(&repo, "HEAD:a.txt.age");
    repo.git(&["merge", "-q", "-m", "merged", "other"]).ok();
    assert_eq!(blob(&repo, "HEAD:b.txt.age"), ours);
    assert!(!repo.path("a.txt.age").exists());
    git_keeps_nothing(&repo);
}

#[test]
fn a_twin_that_was_renamed_and_changed_is_not_lost() {
    let repo = Repo::set_up();
    sealed(&repo, &text(&[]));
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    repo.git(&["rm", "-q", "a.txt.age"]).ok();
    repo.write("b.txt", text(&[(8, "theirs")]));
    repo.pack(&["protect", "b.txt"]).ok();
    repo.git(&["commit", "-q", "-m", "renamed"]).ok();
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.pack(&["reveal", "a.txt"]).ok();
    sealed(&repo, &text(&[(1, "ours")]));
    let done = repo.git(&["merge", "other"]);
    // git does not see the rename in ciphertext: one side deleted what the other one changed.
    conflicted(&repo, &done);
    assert_eq!(opened(&repo, ":2:a.txt.age"), text(&[(1, "ours")]));
    assert_eq!(opened(&repo, ":b.txt.age"), text(&[(8, "theirs")]));
    repo.pack(&["reveal", "--merge", "a.txt"]).refused("E_IO");
    git_keeps_nothing(&repo);
}

#[test]
fn a_deletion_against_a_change_is_a_conflict() {
    for deleted_here in [true, false] {
        let repo = Repo::set_up();
        sealed(&repo, &text(&[]));
        let delete = |repo: &Repo| {
            repo.git(&["rm", "-q", "a.txt.age"]).ok();
            repo.git(&["commit", "-q", "-m", "deleted"]).ok();
        };
        repo.git(&["checkout", "-q", "-b", "other"]).ok();
        match deleted_here {
            true => sealed(&repo, &text(&[(8, "changed")])),
            false => delete(&repo),
        }
        repo.git(&["checkout", "-q", "main"]).ok();
        match deleted_here {
            true => delete(&repo),
            false => sealed(&repo, &text(&[(8, "changed")])),
        }
        conflicted(&repo, &repo.git(&["merge", "other"]));
        let stage = if deleted_here { ":3:a.txt.age" } else { ":2:a.txt.age" };
        assert_eq!(opened(&repo, stage), text(&[(8, "changed")]));
        let refused = repo.pack(&["reveal", "--merge", "a.txt"]).refused("E_IO");
        assert!(refused.to_string().contains("deleted"), "{refused}");
        assert!(!unmerged(&repo).is_empty());
        git_keeps_nothing(&repo);
    }
}
