//! The diff and merge drivers of sealed twins: git compares and merges them by their plaintext, and never keeps it.

mod diff;
mod kept;
mod merge;
mod one_side;
mod plain_side;
mod recipients;
mod renamed;
mod setup;
mod ways;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use gitpack::adapters::cipher::lock_identity;

use crate::common::{Done, Repo, snapshot};

/// Words that stand in every plaintext here and nowhere else.
const SECRET: &str = "kept-from-everyone-else";

/// The line of `.gitattributes` that names the drivers.
const LINE: &str = "*.age -text diff=gitpack merge=gitpack";

/// Ten lines, of which those in `changes` have other words.
fn text(changes: &[(usize, &str)]) -> String {
    let line = |at: usize| {
        let changed = changes.iter().find(|(changed, _)| *changed == at);
        format!("{SECRET} {at}: {}\n", changed.map_or("base", |(_, words)| *words))
    };
    (0..10).map(line).collect()
}

/// Writes and seals `a.txt`, and commits its twin.
fn sealed(repo: &Repo, content: &str) {
    repo.write("a.txt", content);
    repo.pack(&["protect", "a.txt"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
}

/// A repository with `base` in `a.txt.age`, and one side on each of the branches `main`, which is checked out, and `other`.
fn branches(base: &str, ours: &str, theirs: &str) -> Repo {
    let repo = Repo::set_up();
    sealed(&repo, base);
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    sealed(&repo, theirs);
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.pack(&["reveal", "a.txt"]).ok();
    sealed(&repo, ours);
    repo
}

/// Takes the identity away. It comes back with [`with_identity`].
fn without_identity(repo: &Repo) {
    fs::rename(repo.identity(), repo.place.path().join("aside")).unwrap();
}

fn with_identity(repo: &Repo) {
    fs::rename(repo.place.path().join("aside"), repo.identity()).unwrap();
}

/// Returns the path of the identity, locked by a passphrase.
fn locked(repo: &Repo) -> PathBuf {
    let locked = repo.place.path().join("locked");
    let identity = fs::read_to_string(repo.identity()).unwrap();
    fs::write(&locked, lock_identity(&identity, "words").unwrap()).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o600)).unwrap();
    locked
}

fn read(repo: &Repo, path: &str) -> String {
    String::from_utf8(fs::read(repo.path(path)).unwrap()).unwrap()
}

fn blob(repo: &Repo, name: &str) -> String {
    repo.git(&["rev-parse", name]).ok().out().trim().to_owned()
}

fn unmerged(repo: &Repo) -> String {
    repo.git(&["ls-files", "-u"]).ok().out()
}

/// Returns what the twin in a revision or in the index holds, opened by the identity.
fn opened(repo: &Repo, name: &str) -> String {
    let twin = repo.place.path().join("twin");
    fs::write(&twin, repo.git(&["cat-file", "blob", name]).ok().stdout).unwrap();
    let (identity, twin) = (repo.identity(), twin.to_str().unwrap().to_owned());
    let arguments = ["-d", "-i", identity.to_str().unwrap(), &twin];
    repo.place.run(&repo.root, &crate::common::age(), &arguments).ok().out()
}

/// Asserts that no file and no object in `.git` has the secret words, and that no temporary file is left.
#[track_caller]
fn git_keeps_nothing(repo: &Repo) {
    let has_secret = |bytes: &[u8]| memchr::memmem::find(bytes, SECRET.as_bytes()).is_some();
    for (path, _, bytes) in snapshot(&repo.path(".git")) {
        assert!(!has_secret(&bytes), "plaintext in .git/{}", path.display());
    }
    let objects = repo
        .git(&["cat-file", "--batch-all-objects", "--batch", "--unordered"])
        .ok();
    assert!(objects.stdout.len() > 100);
    assert!(!has_secret(&objects.stdout), "plaintext in an object");
    let left = repo.git(&["status", "--porcelain", "--ignored"]).ok().out();
    for line in left.lines() {
        assert!(!line.contains(".merge_file") && !line.contains(".git-pack-"), "{left}");
    }
}

/// Asserts that git ended in a conflict.
#[track_caller]
fn conflicted(repo: &Repo, done: &Done) {
    assert_eq!(done.code, 1, "{}{}", done.out(), done.stderr);
    assert!(
        unmerged(repo).contains("\ta.txt.age\n"),
        "{}{}",
        done.out(),
        done.stderr
    );
}
