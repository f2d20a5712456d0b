//! Twins that a merge leaves unmerged: they are named everywhere, no side is lost in silence, and a person chooses.

use std::fs;
use std::path::Path;

use crate::common::{Done, Repo};

/// Seals `content` as `a.vec.age` and commits the twin.
fn sealed(repo: &Repo, content: &str) {
    repo.write("a.vec", content);
    repo.pack(&["protect", "a.vec"]).ok();
    repo.git(&["commit", "-q", "-m", content]).ok();
}

/// Ways to a conflict between the twin of "ours" and the twin of "theirs", in git's words for both.
const WAYS: [&str; 4] = ["merge", "cherry-pick", "rebase", "stash"];

/// Returns a repository in which `way` has left `a.vec.age` unmerged.
fn conflict(way: &str) -> Repo {
    let repo = Repo::set_up();
    sealed(&repo, "base");
    if way == "stash" {
        repo.write("a.vec", "theirs");
        repo.pack(&["protect", "a.vec"]).ok();
        repo.git(&["stash", "-q"]).ok();
        repo.pack(&["reveal", "a.vec"]).ok();
        sealed(&repo, "ours");
        ends_in_conflict(&repo, &["stash", "pop"]);
        return repo;
    }
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    sealed(&repo, "theirs");
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.pack(&["reveal", "a.vec"]).ok();
    sealed(&repo, "ours");
    match way {
        // A rebase puts the commits of the branch, theirs, on top of the upstream, ours.
        "rebase" => ends_in_conflict(&repo, &["rebase", "main", "other"]),
        way => ends_in_conflict(&repo, &[way, "other"]),
    }
    repo
}

#[track_caller]
fn ends_in_conflict(repo: &Repo, arguments: &[&str]) {
    let done = repo.git(arguments);
    assert_eq!(done.code, 1, "{}{}", done.out(), done.stderr);
    assert!(!unmerged(repo).is_empty(), "{}{}", done.out(), done.stderr);
}

fn unmerged(repo: &Repo) -> String {
    repo.git(&["ls-files", "-u"]).ok().out()
}

/// Every entry of the index, with its blob and stage.
fn index(repo: &Repo) -> String {
    repo.git(&["ls-files", "-s"]).ok().out()
}

fn blob(repo: &Repo, name: &str) -> String {
    repo.git(&["rev-parse", name]).ok().out().trim().to_owned()
}

fn read(path: &Path) -> String {
    String::from_utf8(fs::read(path).unwrap()).unwrap()
}

/// Asserts a refusal that names the twin and both ways on.
#[track_caller]
fn names_both_sides(done: Done) {
    for word in ["--ours", "--theirs", "--resolved"] {
        assert!(done.stderr.contains(word), "{}", done.stderr);
    }
    let refused = done.refused("E_IO");
    assert!(refused.to_string().contains("a.vec.age is unmerged"), "{refused}");
}

#[test]
fn an_unmerged_twin_is_named_everywhere_and_nothing_touches_it() {
    for way in WAYS {
        let repo = conflict(way);
        let (before, plain) = (index(&repo), read(&repo.path("a.vec")));
        let twin = fs::read(repo.path("a.vec.age")).unwrap();
        let check = repo.pack(&["protect", "--check"]);
        assert_eq!(check.code, 1, "{way}: {}", check.out());
        assert!(check.out().contains("unmerged"), "{way}: {}", check.out());
        assert!(!check.out().contains("up to date"), "{way}: {}", check.out());
        let status = repo.pack(&["status"]).shown().out();
        assert!(status.contains("unmerged"), "{way}: {status}");
        for arguments in [
            &["reveal"][..],
            &["reveal", "a.vec"],
            &["reveal", "--force", "a.vec"],
            &["protect", "a.vec"],
            &["protect", "--force", "a.vec"],
        ] {
            names_both_sides(repo.pack(arguments));
            assert_eq!(index(&repo), before, "{way} {arguments:?}");
            assert_eq!(read(&repo.path("a.vec")), plain, "{way} {arguments:?}");
            assert!(fs::read(repo.path("a.vec.age")).unwrap() == twin, "{way} {arguments:?}");
        }
    }
}

#[test]
fn either_side_is_opened_and_the_chosen_one_is_staged_as_it_is() {
    for way in WAYS {
        for chosen in ["ours", "theirs"] {
            let repo = conflict(way);
            let before = index(&repo);
            let stage = if chosen == "ours" {
                ":2:a.vec.age"
            } else {
                ":3:a.vec.age"
            };
            let expected = blob(&repo, stage);
            // Looking at both sides chooses none.
            for side in ["ours", "theirs", "ours", chosen] {
                let flag = format!("--{side}");
                let done = repo.pack(&["reveal", &flag, "a.vec"]).ok();
                assert!(
                    done.stderr.contains("git pack protect --resolved a.vec"),
                    "{}",
                    done.stderr
                );
                assert_eq!(read(&repo.path("a.vec")), side, "{way}");
                assert_eq!(index(&repo), before, "{way} {side}");
            }
            names_both_sides(repo.pack(&["protect", "a.vec"]));
            repo.pack(&["protect", "--resolved", "a.vec"]).ok();
            assert_eq!(unmerged(&repo), "", "{way}");
            assert_eq!(blob(&repo, ":a.vec.age"), expected, "{way} {chosen}");
            assert!(!index(&repo).contains("\ta.vec\n"), "{}", index(&repo));
            repo.pack(&["protect", "--check"]).ok();
            let conclude: &[&str] = match way {
                "rebase" => &["-c", "core.editor=true", "rebase", "--continue"],
                "cherry-pick" => &["-c", "core.editor=true", "cherry-pick", "--continue"],
                _ => &["commit", "-q", "--allow-empty", "-m", "settled"],
            };
            let done = repo.git(conclude);
            // A side that is already there leaves nothing to pick, which git says itself.
            assert!(
                done.code == 0 || chosen == "ours",
                "{way}: {}{}",
                done.out(),
                done.stderr
            );
            assert_eq!(read(&repo.path("a.vec")), chosen);
        }
    }
}

#[test]
fn a_person_may_join_both_sides() {
    let repo = conflict("merge");
    let sides = [blob(&repo, ":2:a.vec.age"), blob(&repo, ":3:a.vec.age")];
    repo.pack(&["reveal", "--theirs", "a.vec.age"]).ok();
    repo.write("a.vec", "both");
    repo.pack(&["protect", "--resolved", "a.vec"]).ok();
    assert_eq!(unmerged(&repo), "");
    assert!(!sides.contains(&blob(&repo, ":a.vec.age")));
    repo.git(&["commit", "-q", "-m", "merged"]).ok();
    fs::remove_file(repo.path("a.vec")).unwrap();
    repo.pack(&["reveal"]).ok();
    assert_eq!(read(&repo.path("a.vec")), "both");
    // Both sides stay in history.
    for (parent, side) in ["HEAD^1", "HEAD^2"].iter().zip(sides) {
        assert_eq!(blob(&repo, &format!("{parent}:a.vec.age")), side);
    }
}

#[test]
fn plaintext_that_no_twin_holds_is_not_written_over() {
    let repo = conflict("merge");
    repo.write("a.vec", "nobody sealed this");
    let twin = fs::read(repo.path("a.vec.age")).unwrap();
    let refused = repo.pack(&["reveal", "--theirs", "a.vec"]).refused("E_IO");
    assert!(refused.to_string().contains("would be overwritten"), "{refused}");
    assert_eq!(read(&repo.path("a.vec")), "nobody sealed this");
    assert!(fs::read(repo.path("a.vec.age")).unwrap() == twin);
    repo.pack(&["reveal", "--theirs", "--force", "a.vec"]).ok();
    assert_eq!(read(&repo.path("a.vec")), "theirs");
    // What a side holds may be written over, even where the clone has no note of it.
    repo.write("a.vec", "base");
    repo.pack(&["reveal", "--ours", "a.vec"]).ok();
    assert_eq!(read(&repo.path("a.vec")), "ours");
}

#[test]
fn a_side_without_the_twin_cannot_be_opened() {
    let repo = Repo::set_up();
    sealed(&repo, "base");
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    repo.git(&["rm", "-q", "a.vec.age"]).ok();
    repo.git(&["commit", "-q", "-m", "deleted"]).ok();
    repo.git(&["checkout", "-q", "main"]).ok();
    sealed(&repo, "ours");
    ends_in_conflict(&repo, &["merge", "other"]);
    let before = index(&repo);
    // Only what works is offered.
    let done = repo.pack(&["protect", "a.vec"]);
    assert!(done.stderr.contains("git pack reveal --ours a.vec"), "{}", done.stderr);
    assert!(!done.stderr.contains("--theirs"), "{}", done.stderr);
    done.refused("E_IO");
    let done = repo.pack(&["reveal", "--theirs", "a.vec"]);
    assert!(done.stderr.contains("git rm"), "{}", done.stderr);
    let refused = done.refused("E_IO");
    assert!(refused.to_string().contains("deleted"), "{refused}");
    assert_eq!(index(&repo), before);
    repo.pack(&["reveal", "--ours", "a.vec"]).ok();
    repo.pack(&["protect", "--resolved", "a.vec"]).ok();
    assert_eq!(unmerged(&repo), "");
    repo.git(&["commit", "-q", "-m", "kept"]).ok();
}

#[test]
fn a_twin_without_a_conflict_has_no_sides() {
    let repo = Repo::set_up();
    sealed(&repo, "one");
    let refused = repo.pack(&["reveal", "--ours", "a.vec"]).refused("E_IO");
    assert!(refused.to_string().contains("a.vec.age is not unmerged"), "{refused}");
    repo.pack(&["reveal", "--ours"]).refused("E_USAGE");
    repo.pack(&["reveal", "--ours", "--theirs", "a.vec"]).refused("E_USAGE");
    // As with git add, nothing is wrong with it where there is no conflict.
    repo.pack(&["protect", "--resolved", "a.vec"]).ok();
    repo.write("a.vec", "two");
    fs::write(repo.path("a.vec.age"), "damaged").unwrap();
    repo.pack(&["protect", "--resolved", "a.vec"]).refused("E_IO");
}

#[test]
fn an_unmerged_plaintext_never_gets_into_the_index() {
    let repo = Repo::set_up();
    repo.write("notes.txt", "base\n");
    repo.commit("plain");
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    repo.write("notes.txt", "theirs\n");
    repo.commit("changed in plaintext");
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.pack(&["protect", "notes.txt"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    ends_in_conflict(&repo, &["merge", "other"]);
    assert!(unmerged(&repo).contains("\tnotes.txt\n"), "{}", unmerged(&repo));
    let before = index(&repo);
    let check = repo.pack(&["protect", "--check"]);
    assert_eq!(check.code, 1, "{}", check.out());
    assert!(check.out().contains("unmerged"), "{}", check.out());
    assert!(repo.pack(&["status"]).shown().out().contains("unmerged"));
    for arguments in [&["protect", "notes.txt"][..], &["reveal"]] {
        let refused = repo.pack(arguments).refused("E_IO");
        assert!(refused.to_string().contains("notes.txt is unmerged"), "{refused}");
        assert_eq!(index(&repo), before);
    }
    repo.pack(&["protect", "--resolved", "notes.txt"]).ok();
    assert_eq!(unmerged(&repo), "");
    assert!(!index(&repo).contains("\tnotes.txt\n"), "{}", index(&repo));
    repo.pack(&["protect", "--check"]).ok();
    fs::remove_file(repo.path("notes.txt")).unwrap();
    repo.pack(&["reveal"]).ok();
    assert_eq!(read(&repo.path("notes.txt")), "theirs\n");
}
