//! A clone that an attacker prepared and shared as an archive. Files below `.git/gitpack` in it are not the user's own.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common;
use crate::common::Repo;

/// A place below `.git/gitpack`, and a command that writes there.
const PLACES: &[(&str, &[&str])] = &[
    ("digests", &["state"]),
    ("seals/digests", &["state"]),
    ("seals/lock", &["seal"]),
    ("seals", &["seal"]),
    ("cas/lock", &["seal"]),
    ("cas", &["seal"]),
    ("runs", &["seal"]),
    ("runs/last", &["seal"]),
    ("verdicts", &["scan", "--all"]),
    ("twins", &["protect", "new.vec"]),
    ("GC_PINS.json", &["audit"]),
    ("", &["seal"]),
];

fn repo() -> Repo {
    let repo = Repo::set_up();
    repo.write("tracked", "content\n");
    repo.write("kept.vec", "to be sealed\n");
    repo.pack(&["protect", "kept.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "kept"]).ok();
    repo.write("new.vec", "to be sealed\n");
    fs::remove_dir_all(repo.path(".git/gitpack")).unwrap();
    repo
}

/// Gain: a planted link makes a command overwrite or empty a file of the victim.
#[test]
fn a_planted_link_is_never_written_through() {
    for (place, command) in PLACES {
        let repo = repo();
        let victim = repo.place.home().join("victim");
        fs::create_dir(&victim).unwrap();
        fs::write(victim.join("file"), "precious\n").unwrap();
        let path = repo.path(".git/gitpack").join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let is_directory = !place.contains("digests") && !place.contains("lock") && !place.contains('.');
        let target = match is_directory && *place != "runs/last" {
            true => victim.clone(),
            false => victim.join("file"),
        };
        symlink(&target, path.to_str().unwrap().trim_end_matches('/')).unwrap();
        let done = repo.pack(command);
        assert_eq!(done.code, 2, "{place}: {}{}", done.out(), done.stderr);
        assert!(done.stderr.contains("symbolic link"), "{place}: {}", done.stderr);
        assert_eq!(
            fs::read_to_string(victim.join("file")).unwrap(),
            "precious\n",
            "{place}"
        );
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 1, "{place}");
    }
}

/// Gain: a planted pipe makes the victim's commands and commit hooks hang forever.
#[test]
fn a_planted_pipe_is_not_waited_for() {
    for (place, command) in PLACES.iter().filter(|(place, _)| !place.is_empty()) {
        let repo = repo();
        let path = repo.path(".git/gitpack").join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        repo.place.run(&repo.root, "mkfifo", &[path.to_str().unwrap()]).ok();
        let mut child = repo.place.command(common::GIT_PACK, &repo.root);
        child.args(*command).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = child.spawn().unwrap();
        let started = Instant::now();
        let code = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status.code();
            }
            if started.elapsed() > Duration::from_secs(60) {
                child.kill().unwrap();
                panic!("{place}: {command:?} waits");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(code, Some(2), "{place}");
    }
}
