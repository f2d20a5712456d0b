//! `[pack] require_published`: a branch is pushed only after a pack of its tip was published.

use std::fs;

use crate::common::{Done, Repo};
use crate::sharing_git::world;

/// A repository that demands publication at its remote, and has pushed its first commits without that demand.
fn demanding() -> Repo {
    let repo = world("sha1");
    repo.git(&["push", "-q", "origin", "main"]).ok();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(".gitpack.toml", format!("{config}\n[pack]\nrequire_published = true\n"));
    repo.commit("demand");
    repo
}

#[track_caller]
fn blocked(done: &Done, words: &[&str]) {
    assert_eq!(done.code, 1, "{}", done.stderr);
    for word in ["push to origin blocked"].iter().chain(words) {
        assert!(done.stderr.contains(word), "{word}: {}", done.stderr);
    }
}

#[test]
fn a_tip_is_pushed_only_after_its_pack() {
    let repo = demanding();
    let push = || repo.git(&["push", "-q", "origin", "main"]);
    blocked(
        &push(),
        &["1 branch has no published pack", "main", "git config gitpack.remote"],
    );
    repo.git(&["config", "gitpack.remote", "git:origin"]).ok();
    blocked(
        &push(),
        &["git:origin has no pack of it", "git pack seal", "git pack push"],
    );
    let (_, pack) = repo.seal(&[]);
    blocked(&push(), &["git:origin has no pack of it"]);
    // A pack at another place is not enough.
    repo.place
        .run(repo.place.path(), "git", &["init", "-q", "--bare", "second.git"])
        .ok();
    repo.pack(&["push", pack.to_str().unwrap(), "git:../second.git"]).ok();
    blocked(&push(), &["git:origin has no pack of it"]);
    repo.pack(&["push", pack.to_str().unwrap()]).ok();
    push().ok();
    // The next commit needs its own pack, also on a new branch. Tags and deletions need none.
    repo.write("README.md", "next\n");
    repo.commit("next");
    blocked(&push(), &["main"]);
    blocked(&repo.git(&["push", "-q", "origin", "HEAD:refs/heads/new"]), &["new"]);
    repo.git(&["push", "-q", "origin", "HEAD:refs/tags/t"]).ok();
    let (_, next) = repo.seal(&[]);
    repo.pack(&["push", next.to_str().unwrap()]).ok();
    repo.git(&["push", "-q", "origin", "main", "HEAD:refs/heads/new"]).ok();
    repo.git(&["push", "-q", "origin", ":refs/heads/new"]).ok();
}

#[test]
fn a_pack_that_does_not_hold_the_commit_does_not_count() {
    let repo = demanding();
    repo.git(&["config", "gitpack.remote", "git:origin"]).ok();
    // A part of the commit.
    let (_, narrow) = repo.seal(&["--include", "a/**", "-o", "../narrow"]);
    repo.pack(&["push", narrow.to_str().unwrap()]).ok();
    blocked(&repo.git(&["push", "-q", "origin", "main"]), &["main"]);
    // An evidence pack names no commit.
    let (_, evidence) = repo.seal(&["README.md", "-o", "../evidence"]);
    repo.pack(&["push", evidence.to_str().unwrap()]).ok();
    blocked(&repo.git(&["push", "-q", "origin", "main"]), &["main"]);
    // The pack of the commit before.
    let (_, old) = repo.seal(&["--rev", "HEAD~1", "-o", "../old"]);
    repo.pack(&["push", old.to_str().unwrap()]).ok();
    blocked(&repo.git(&["push", "-q", "origin", "main"]), &["main"]);
    // A forged note.
    let notes = repo.path(".git/gitpack/published");
    assert_eq!(fs::read_dir(&notes).unwrap().count(), 1);
    let note = fs::read_dir(&notes).unwrap().next().unwrap().unwrap().path();
    fs::write(notes.join("0".repeat(64)), fs::read(note).unwrap()).unwrap();
    blocked(&repo.git(&["push", "-q", "origin", "main"]), &["main"]);
}

#[test]
fn a_change_does_not_release_itself_from_the_demand() {
    let repo = demanding();
    repo.git(&["config", "gitpack.remote", "git:origin"]).ok();
    let (_, pack) = repo.seal(&[]);
    repo.pack(&["push", pack.to_str().unwrap()]).ok();
    repo.git(&["push", "-q", "origin", "main"]).ok();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(".gitpack.toml", config.replace("require_published = true", ""));
    repo.commit("no demand");
    let push = || repo.git(&["push", "origin", "main"]);
    blocked(&push(), &["main", "[pack] require_published is no longer true"]);
    let (_, pack) = repo.seal(&[]);
    repo.pack(&["push", pack.to_str().unwrap()]).ok();
    push().ok();
    // From now on, nothing is demanded.
    repo.write("README.md", "free\n");
    repo.commit("free");
    push().ok();
}
