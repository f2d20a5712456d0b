//! No side is lost, and no plaintext is left: after a kill in the middle, and with a plaintext that a merge made old.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{branches, conflicted, git_keeps_nothing, opened, read, sealed, text, unmerged};
use crate::common::{Done, GIT_PACK, Repo};

/// Returns `git merge other`, which stops where the driver lets git merge the texts: it writes the id of the driver to
/// `reached`, and waits.
fn merge_that_stops(repo: &Repo) -> Command {
    let programs = repo.place.path().join("exec");
    fs::create_dir_all(&programs).unwrap();
    let real = repo.place.run(&repo.root, "sh", &["-c", "command -v git"]).ok().out();
    let place = repo.place.path().display();
    let script = format!(
        "#!/bin/sh\nfor word; do [ \"$word\" = merge-file ] && {{ echo $PPID >{place}/new; mv {place}/new {place}/reached; \
         exec sleep 600; }}; done\nexec {} \"$@\"\n",
        real.trim()
    );
    // Another process writes the script, for the reason that `copy_binary` gives.
    let mut written = repo.place.command("sh", &programs);
    written.args(["-c", "printf %s \"$1\" >git && chmod +x git", "sh", &script]);
    assert!(written.status().unwrap().success());
    let mut merge = repo.place.command("git", &repo.root);
    // git looks here first, also for itself.
    merge.args(["merge", "other"]).env("GIT_EXEC_PATH", programs);
    merge.stdout(Stdio::piped()).stderr(Stdio::piped());
    merge
}

/// Waits for the driver that has opened all sides, and returns the id of its process.
fn reached(repo: &Repo) -> String {
    let file = repo.place.path().join("reached");
    let began = Instant::now();
    while !file.exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "the texts were not merged");
        std::thread::sleep(Duration::from_millis(10));
    }
    fs::read_to_string(&file).unwrap().trim().to_owned()
}

#[test]
fn a_driver_that_is_killed_leaves_a_conflict() {
    let repo = branches(&text(&[]), &text(&[(1, "ours")]), &text(&[(8, "theirs")]));
    let merge = merge_that_stops(&repo).spawn().unwrap();
    let driver = reached(&repo);
    // Both sides are open now.
    git_keeps_nothing_yet(&repo);
    repo.place.run(&repo.root, "pkill", &["-9", "-P", &driver]);
    repo.place.run(&repo.root, "sh", &["-c", &format!("kill -9 {driver}")]);
    let done = Done::from(merge.wait_with_output().unwrap());
    conflicted(&repo, &done);
    assert!(read(&repo, "a.txt.age").starts_with("This sealed file is not merged"));
    git_keeps_nothing(&repo);
    repo.pack(&["reveal", "--merge", "a.txt"]).ok();
    assert_eq!(read(&repo, "a.txt"), text(&[(1, "ours"), (8, "theirs")]));
}

#[test]
fn a_merge_that_is_killed_leaves_nothing() {
    let repo = branches(&text(&[]), &text(&[(1, "ours")]), &text(&[(8, "theirs")]));
    let (head, twin) = (repo.rev("HEAD"), fs::read(repo.path("a.txt.age")).unwrap());
    let mut merge = merge_that_stops(&repo).spawn().unwrap();
    let driver = reached(&repo);
    merge.kill().unwrap();
    merge.wait().unwrap();
    repo.place.run(&repo.root, "pkill", &["-9", "-P", &driver]);
    assert_eq!(repo.rev("HEAD"), head);
    assert_eq!(unmerged(&repo), "");
    assert!(fs::read(repo.path("a.txt.age")).unwrap() == twin);
    // git leaves its own files, which are ciphertext.
    git_keeps_nothing_yet(&repo);
    for entry in fs::read_dir(&repo.root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && !path.ends_with("a.txt") {
            assert!(!String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(super::SECRET));
        }
    }
}

/// Like [`git_keeps_nothing`], while git has files of its own in the work tree.
fn git_keeps_nothing_yet(repo: &Repo) {
    for (path, _, bytes) in crate::common::snapshot(&repo.path(".git")) {
        let found = memchr::memmem::find(&bytes, super::SECRET.as_bytes());
        assert!(found.is_none(), "plaintext in .git/{}", path.display());
    }
}

#[test]
fn a_plaintext_that_a_merge_made_old_is_never_sealed_over_the_result() {
    let repo = branches(&text(&[]), &text(&[(1, "ours")]), &text(&[(8, "theirs")]));
    // Nobody has sealed this change yet.
    repo.write("a.txt", text(&[(1, "ours"), (5, "not sealed")]));
    repo.git(&["merge", "-q", "-m", "merged", "other"]).ok();
    let merged = blob_of(&repo);
    for arguments in [
        &["protect", "a.txt"][..],
        &["reveal", "a.txt"],
        &["protect", "--resolved", "a.txt"],
    ] {
        repo.pack(arguments).refused("E_IO");
    }
    let check = repo.pack(&["protect", "--check"]);
    assert!(check.out().contains("contents differ"), "{}", check.out());
    assert_eq!(read(&repo, "a.txt"), text(&[(1, "ours"), (5, "not sealed")]));
    assert_eq!(blob_of(&repo), merged);
    // The same without the notes of this clone.
    fs::remove_dir_all(repo.path(".git/gitpack/twins")).unwrap();
    repo.pack(&["protect", "a.txt"]).refused("E_IO");
    assert_eq!(blob_of(&repo), merged);
}

#[test]
fn a_twin_that_a_pull_brings_is_not_sealed_over() {
    let repo = Repo::set_up();
    sealed(&repo, &text(&[]));
    repo.place
        .run(repo.place.path(), "git", &["clone", "-q", "repo", "clone"])
        .ok();
    let clone = repo.place.path().join("clone");
    repo.place.pack_in(&clone, &["reveal"]).ok();
    sealed(&repo, &text(&[(8, "pushed")]));
    fs::write(clone.join("a.txt"), text(&[(1, "not sealed")])).unwrap();
    repo.place.run(&clone, "git", &["pull", "-q", "--ff-only"]).ok();
    for arguments in [&["protect", "a.txt"][..], &["reveal", "a.txt"]] {
        repo.place.run(&clone, GIT_PACK, arguments).refused("E_IO");
    }
    assert_eq!(
        fs::read_to_string(clone.join("a.txt")).unwrap(),
        text(&[(1, "not sealed")])
    );
    assert_eq!(opened(&repo, "HEAD:a.txt.age"), text(&[(8, "pushed")]));
}

fn blob_of(repo: &Repo) -> String {
    super::blob(repo, ":a.txt.age")
}
