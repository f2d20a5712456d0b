//! Damaged, missing and interrupted restores: they are refused or cleaned up, and never half done.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use super::{archived, assert_files, manifest_ref, nothing_at, scene, stored};
use crate::common;
use crate::common::packs::{assert_same, copy_tree, give_away, recompute, standing, unprivileged};
use crate::common::{GIT_PACK, Repo, noise};

/// Changes a read-only file.
fn damage(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

fn loose(repo: &Repo, of: &str) -> std::path::PathBuf {
    let id = repo.rev(of);
    repo.path(&format!(".git/objects/{}/{}", &id[..2], &id[2..]))
}

#[test]
fn a_changed_byte_is_refused_wherever_it_is() {
    let repo = Repo::set_up();
    repo.write("data", noise(7, 50_000));
    repo.write("s.vec", noise(8, 10_000));
    repo.commit_only("data");
    let (_, lite) = repo.seal(&["--emit", "lite", "--attach", "s.vec", "-o", "../lite"]);
    let by_ref = manifest_ref(&lite);
    let before = standing(repo.place.path());
    let restore = |from: &str, code: &str| {
        for mode in [&["-o", "../out"][..], &["--dry-run"]] {
            repo.pack(&[&["restore", from], mode].concat()).refused(code);
            nothing_at(&repo, "out");
        }
    };
    // Damage in the store: the manifest, and a ciphertext.
    let seal = super::document(&lite, "SEALED_ARTIFACTS.json")["artifacts"][0]["sealed_hash"].clone();
    for content in [by_ref.as_str(), seal.as_str().unwrap()] {
        let path = stored(&repo.root, content);
        let whole = fs::read(&path).unwrap();
        for at in [0, whole.len() / 2, whole.len() - 1] {
            damage(&path, |bytes| bytes[at] ^= 1);
            restore(&by_ref, "E_CORRUPT");
        }
        damage(&path, |bytes| bytes.truncate(bytes.len() - 1));
        restore(&by_ref, "E_CORRUPT");
        damage(&path, |bytes| bytes.extend([0, 0]));
        restore(&by_ref, "E_CORRUPT");
        fs::remove_file(&path).unwrap();
        restore(&by_ref, "E_MISSING_OBJECT");
        fs::write(&path, &whole).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    }
    // Damage in git, with a digest cache and without one.
    let path = loose(&repo, "HEAD:data");
    let whole = fs::read(&path).unwrap();
    for cached in [true, false] {
        if !cached {
            drop(fs::remove_file(repo.path(".git/gitpack/digests")));
            drop(fs::remove_file(repo.path(".git/gitpack/seals/digests")));
        }
        damage(&path, |bytes| {
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
        });
        restore(&by_ref, "E_CORRUPT");
        restore("../lite", "E_CORRUPT");
        fs::remove_file(&path).unwrap();
        restore(&by_ref, "E_MISSING_OBJECT");
        restore("../lite", "E_MISSING_OBJECT");
        fs::write(&path, &whole).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        repo.pack(&["restore", &by_ref, "--dry-run"]).ok();
        repo.pack(&["state"]).ok();
    }
    // Damage in the pack.
    repo.seal(&["--emit", "lite,repo", "--attach", "s.vec", "-o", "../whole"]);
    for member in [
        "repo/data",
        "sealed/s.vec.age",
        "LITE/PACK_MANIFEST.json",
        "meta/REPO_STATE.json",
        "manifest.json",
    ] {
        let copy = repo.place.path().join("copy");
        copy_tree(&repo.place.path().join("whole"), &copy);
        damage(&copy.join(member), |bytes| {
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
        });
        restore("../copy", "E_BAD_PACK");
        fs::remove_dir_all(copy).unwrap();
    }
    fs::remove_dir_all(repo.place.path().join("whole")).unwrap();
    let after = standing(repo.place.path());
    let of_tree = |all: &[(std::path::PathBuf, u32, Vec<u8>)]| -> Vec<_> {
        let own = |path: &Path| path.starts_with("repo/.git");
        all.iter().filter(|(path, ..)| !own(path)).cloned().collect()
    };
    assert_same(&of_tree(&before), &of_tree(&after), "damage");
}

#[test]
fn what_is_missing_is_counted_and_named() {
    let repo = Repo::set_up();
    for n in 0..5 {
        repo.write(&format!("d/{n}"), format!("number {n}"));
    }
    repo.write("s.vec", noise(8, 1000));
    repo.commit_only("d");
    let (_, lite) = repo.seal(&["--emit", "lite", "--attach", "s.vec", "-o", "../lite"]);
    let by_ref = manifest_ref(&lite);
    for n in 1..4 {
        fs::remove_file(loose(&repo, &format!("HEAD:d/{n}"))).unwrap();
    }
    let done = repo.pack(&["restore", &by_ref, "-o", "../out"]);
    assert!(
        done.stderr
            .contains("cannot find the contents of 3 entries, such as d/1, here"),
        "{}",
        done.stderr
    );
    let value = done.refused("E_MISSING_OBJECT");
    assert_eq!(value["refusal"]["detail"]["count"], 3);
    assert_eq!(value["refusal"]["next_command"], "git fetch --refetch --no-filter");
    // A clone that never sealed has no ciphertext. It says so when it gets only the manifest.
    let other = Repo::set_up();
    other.write("x", "x");
    other.write("s.vec", noise(8, 1000));
    other.commit_only("x");
    let (_, lite) = other.seal(&["--emit", "lite", "--attach", "s.vec", "-o", "../lite"]);
    other
        .place
        .run(other.place.path(), "git", &["clone", "-q", "repo", "clone"])
        .ok();
    let clone = other.place.path().join("clone");
    let bytes = fs::read(lite.join("LITE/PACK_MANIFEST.json")).unwrap();
    let by_ref = manifest_ref(&lite);
    common::write(&stored(&clone, &by_ref), bytes);
    let done = other.place.pack_in(&clone, &["restore", &by_ref, "-o", "../out"]);
    assert!(
        done.stderr.contains("cannot find the ciphertext of s.vec.age here"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("never in git"), "{}", done.stderr);
    let value = done.refused("E_MISSING_OBJECT");
    assert_eq!(value["refusal"]["detail"]["example"], "s.vec.age");
    nothing_at(&other, "out");
}

#[test]
fn a_full_disk_leaves_nothing_of_it() {
    let repo = scene();
    repo.write("big", noise(9, 900_000));
    repo.commit("big");
    let (_, whole) = repo.seal(&["--emit", "lite,repo", "-o", "../whole"]);
    let by_ref = manifest_ref(&whole);
    let before = standing(repo.place.path());
    for (from, blocks) in [
        ("../whole", 0),
        ("../whole", 500),
        (&by_ref, 1),
        (&by_ref, 500),
        (&by_ref, 1700),
    ] {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec git-pack restore {from} -o ../new/out");
        let value = repo.place.run(&repo.root, "sh", &["-c", &script]).refused("E_IO");
        let message = value["refusal"]["message"].as_str().unwrap();
        assert!(message.starts_with("writing "), "{message}");
        assert_same(&before, &standing(repo.place.path()), &script);
    }
    repo.pack(&["restore", "../whole", "-o", "../new/out"]).ok();
}

#[test]
fn where_nothing_may_be_written_it_is_refused() {
    let repo = scene();
    let (_, lite) = repo.seal(&["--emit", "lite", "-o", "../lite"]);
    let by_ref = manifest_ref(&lite);
    let closed = repo.place.path().join("closed");
    fs::create_dir(&closed).unwrap();
    give_away(&repo.place);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    // The first run makes the copy of the binary that it may need.
    unprivileged(&repo.place, &repo.root, &["restore", "../lite", "-o", "../first"]).ok();
    let before = standing(repo.place.path());
    for from in ["../lite", &by_ref] {
        for output in ["../closed/out", "../closed/new/out"] {
            let done = unprivileged(&repo.place, &repo.root, &["restore", from, "-o", output]);
            done.refused("E_IO");
            assert_same(&before, &standing(repo.place.path()), output);
        }
    }
    // An unreadable store or pack does not count as an empty one.
    let content = stored(&repo.root, &by_ref);
    fs::set_permissions(&content, fs::Permissions::from_mode(0o0)).unwrap();
    unprivileged(&repo.place, &repo.root, &["restore", &by_ref, "-o", "../out"]).refused("E_IO");
    fs::set_permissions(lite.join("meta/REPO_STATE.json"), fs::Permissions::from_mode(0o0)).unwrap();
    unprivileged(&repo.place, &repo.root, &["restore", "../lite", "-o", "../out"]).refused("E_BAD_PACK");
    nothing_at(&repo, "out");
    // A pack that holds everything needs neither the store nor git.
    fs::set_permissions(&content, fs::Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(lite.join("meta/REPO_STATE.json"), fs::Permissions::from_mode(0o644)).unwrap();
    unprivileged(&repo.place, &repo.root, &["seal", "-o", "../whole"]).ok();
    fs::set_permissions(repo.path(".git/gitpack/cas"), fs::Permissions::from_mode(0o0)).unwrap();
    unprivileged(&repo.place, &repo.root, &["restore", "../lite", "-o", "../out"]).refused("E_IO");
    unprivileged(&repo.place, &repo.root, &["restore", "../whole", "-o", "../out"]).ok();
}

#[test]
fn a_kill_at_any_moment_leaves_all_of_it_or_nothing() {
    let repo = scene();
    for n in 0..400 {
        repo.write(&format!("many/{}/{n}", n % 20), noise(n, 3000));
    }
    repo.commit_only("many");
    let expected = archived(&repo);
    let (_, lite) = repo.seal(&["--emit", "lite", "-o", "../lite"]);
    let by_ref = manifest_ref(&lite);
    let started = std::time::Instant::now();
    repo.pack(&["restore", &by_ref, "-o", "../out/timed"]).ok();
    let whole = started.elapsed();
    let kills = if std::env::var_os("GITPACK_SOAK").is_some() {
        300
    } else {
        30
    };
    for kill in 0..kills {
        let mut child = repo.place.command(GIT_PACK, &repo.root);
        child.args(["restore", &by_ref, "-o", "../out/files"]);
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole * kill / kills);
        drop(child.kill());
        child.wait().unwrap();
        let out = repo.place.path().join("out/files");
        if out.exists() {
            assert_files(&out, &expected, "killed");
            fs::remove_dir_all(&out).unwrap();
        }
    }
    repo.pack(&["restore", &by_ref, "-o", "../out/files"]).ok();
    let mut names: Vec<_> = fs::read_dir(repo.place.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["files", "timed"],
        "the next run did not clean up after the killed ones"
    );
}

#[test]
fn a_pack_of_another_tree_than_its_commit_has_is_refused() {
    let repo = scene();
    let (_, lite) = repo.seal(&["--emit", "lite", "-o", "../lite"]);
    let tree = repo.rev("HEAD^{tree}");
    let forged = repo.place.path().join("forged");
    copy_tree(&lite, &forged);
    for member in ["meta/PACK_INFO.json", "LITE/PACK_MANIFEST.json", "LITE/INDEX.md"] {
        let text = fs::read_to_string(forged.join(member)).unwrap();
        fs::write(forged.join(member), text.replace(&tree, &"2".repeat(40))).unwrap();
    }
    recompute(&forged);
    repo.pack(&["restore", "../forged", "-o", "../out"])
        .refused("E_BAD_PACK");
    nothing_at(&repo, "out");
}
