//! Entries that an earlier pack held in the clear are not judged again: the packs are the same, and no rule is missed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::common::{Done, GIT_PACK, Repo, noise, snapshot};

/// A repository with enough files to be remembered.
fn repo() -> Repo {
    let repo = Repo::set_up();
    for number in 0..90 {
        repo.write(&format!("d{}/f{number}.txt", number % 7), format!("{number}\n"));
    }
    repo.write("run.sh", "#!/bin/sh\n");
    commit(&repo);
    repo
}

/// Commits everything, also what the hooks would stop: a pack seals it.
fn commit(repo: &Repo) {
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "--allow-empty", "-m", "more"])
        .ok();
}

/// Seals the repository at `root` with the memory of the home `home`.
fn seal_at(repo: &Repo, root: &Path, home: &str, args: &[&str]) -> Done {
    let mut command = repo.place.command(GIT_PACK, root);
    command.env("XDG_STATE_HOME", repo.place.path().join(home));
    command.args([&["seal"], args].concat());
    Done::from(command.output().unwrap())
}

fn seal(repo: &Repo, args: &[&str]) -> Done {
    seal_at(repo, &repo.root, "state", args)
}

fn remembered(repo: &Repo) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(repo.path(".git/gitpack/seals/clear")) else {
        return Vec::new();
    };
    files.map(|file| file.unwrap().path()).collect()
}

/// Asserts that the pack of `HEAD` is the same with the memory and without one. A copy of the clone has the same ciphertexts, and its
/// memory is not authenticated by a new key.
#[track_caller]
fn same_as_without_memory(repo: &Repo, step: usize) {
    for parts in ["lite", "repo,lite"] {
        let place = |name: &str| repo.place.path().join(format!("{name}-{step}-{parts}"));
        let packed = |root: &Path, home: &str| {
            let output = place(&format!("pack-{home}"));
            seal_at(repo, root, home, &["--emit", parts, "-o", output.to_str().unwrap()]).ok();
            snapshot(&output)
        };
        let with = packed(&repo.root, "state");
        let copy = place("copy");
        let (from, to) = (repo.root.to_str().unwrap(), copy.to_str().unwrap());
        repo.place.run(repo.place.path(), "cp", &["-a", from, to]).ok();
        assert_eq!(
            with,
            packed(&copy, &format!("none-{step}-{parts}")),
            "step {step}, {parts}"
        );
    }
}

#[test]
fn packs_of_random_commits_are_the_same_with_the_memory_and_without() {
    let repo = repo();
    same_as_without_memory(&repo, 0);
    assert!(!remembered(&repo).is_empty());
    for (step, random) in noise(11, 24).chunks(3).enumerate() {
        for byte in random {
            let path = format!("d{}/f{}.txt", byte % 7, byte % 90);
            match byte >> 5 {
                0 => drop(fs::remove_file(repo.path(&path))),
                1 => drop(fs::rename(repo.path("run.sh"), repo.path(&path))),
                2 => {
                    drop(fs::remove_file(repo.path(&path)));
                    symlink("run.sh", repo.path(&path)).unwrap();
                }
                3 => repo.write(&format!("e/{byte}.vec"), "protected by its name\n"),
                4 => {
                    repo.write(&path, "executable\n");
                    fs::set_permissions(repo.path(&path), fs::Permissions::from_mode(0o755)).unwrap();
                }
                5 => repo.write(&format!("d{byte}/-"), "new"),
                _ => repo.write(&path, format!("changed by {byte} in {step}\n")),
            }
        }
        commit(&repo);
        same_as_without_memory(&repo, step + 1);
    }
}

#[test]
fn a_small_change_does_not_write_the_memory_again_and_a_damaged_one_is_not_believed() {
    let repo = repo();
    same_as_without_memory(&repo, 0);
    let files = remembered(&repo);
    let before: Vec<_> = files
        .iter()
        .map(|file| fs::metadata(file).unwrap().modified().unwrap())
        .collect();
    repo.write("d1/new.txt", "new");
    commit(&repo);
    seal(&repo, &["--emit", "lite"]).ok();
    let after: Vec<_> = files
        .iter()
        .map(|file| fs::metadata(file).unwrap().modified().unwrap())
        .collect();
    assert_eq!(before, after);
    for file in &files {
        let mut bytes = fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).unwrap();
    }
    same_as_without_memory(&repo, 1);
}

#[test]
fn what_is_remembered_under_other_rules_does_not_count() {
    let repo = repo();
    same_as_without_memory(&repo, 0);
    let sealed = |args: &[&str]| -> Vec<String> {
        let output = repo.place.path().join("sealed");
        drop(fs::remove_dir_all(&output));
        seal(
            &repo,
            &[&["--emit", "lite", "-o", output.to_str().unwrap()], args].concat(),
        )
        .ok();
        artifacts(&output)
    };
    assert_eq!(sealed(&[]), [""; 0]);
    let rules = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let own = "\n[[protect]]\nclass = \"own\"\npolicy = \"internal\"\npaths = [\"d3/f3.txt\"]\n";
    repo.write(".gitpack.toml", rules + own);
    commit(&repo);
    // The rule protects the file from the public only.
    assert_eq!(sealed(&["--mode", "internal"]), [""; 0]);
    assert_eq!(sealed(&[]), ["d3/f3.txt"]);
}

/// Returns the paths that a pack has sealed.
fn artifacts(pack: &Path) -> Vec<String> {
    let bytes = fs::read(pack.join("SEALED_ARTIFACTS.json")).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let artifacts = document["artifacts"].as_array().unwrap().iter();
    artifacts
        .map(|artifact| artifact["path"].as_str().unwrap().to_owned())
        .collect()
}
