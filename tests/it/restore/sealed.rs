//! Restored sealed entries: ciphertexts without a key; with a key plaintexts, readable by their owner only.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gitpack::format::canonical_json::to_document;
use gitpack::format::digest::Digest;
use gitpack::format::lite::PackManifest;

use super::{files, lines, manifest_ref, nothing_at, stored};
use crate::common;
use crate::common::packs::{assert_same, ciphertexts, copy_tree, recompute};
use crate::common::{Repo, age_keygen, noise, snapshot};

/// Makes protected files, tracked and attached, of sizes that padding changes.
fn scene() -> Repo {
    let repo = Repo::set_up();
    for (path, size) in [("s.vec", 1000), ("d/big.vec", 70_000), ("d/empty.vec", 0)] {
        repo.write(path, noise(size, size as usize));
    }
    repo.write("text", "text\n");
    repo.git(&["add", "-Af"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "all"]).ok();
    repo.write("attached.vec", noise(5, 500));
    repo
}

const ATTACHED: [&str; 2] = ["--attach", "attached.vec"];
const SEALED: [&str; 4] = ["attached.vec", "d/big.vec", "d/empty.vec", "s.vec"];

#[test]
fn without_a_key_ciphertexts_stand_beside_where_the_artifacts_were() {
    let repo = scene();
    for emit in ["repo", "lite"] {
        let output = format!("../of-{emit}");
        repo.seal(&[&["--emit", emit, "-o", &output], &ATTACHED[..]].concat());
    }
    let lite = repo.place.path().join("of-lite");
    let by_ref = manifest_ref(&lite);
    let sealed = ciphertexts(&lite);
    let mut digests = Vec::new();
    for (at, from) in ["../of-repo", "../of-lite", &by_ref].into_iter().enumerate() {
        let output = format!("../out{at}");
        let done = repo.pack(&["restore", from, "-o", &output]).ok();
        let found = files(&repo.root.join(&output));
        assert_eq!(found.len(), 8, "{:?}", found.keys());
        for path in SEALED {
            assert!(!found.contains_key(Path::new(path)));
            let name = format!("{path}.age");
            let (bytes, _) = &found[Path::new(&name)];
            assert_eq!(*bytes, fs::read(lite.join("sealed").join(&name)).unwrap());
            assert!(sealed.contains_key(Path::new(&name)));
        }
        assert!(
            done.stderr.contains("4 files are still sealed (.age)"),
            "{}",
            done.stderr
        );
        let state = repo.pack(&["state", "--mode", "public"]).ok().out();
        assert!(done.stderr.contains(state.trim()), "{}", done.stderr);
        digests.push(lines(&done).1);
        assert_ne!(digests[at], state.trim());
        assert_eq!(digests[at], digests[0]);
    }
}

#[test]
fn with_a_key_everything_is_what_it_was() {
    let repo = scene();
    let identity = repo.identity();
    let identity = identity.to_str().unwrap();
    // Without the attached file, the result is the whole state of the commit.
    let state = repo.pack(&["state"]).ok().out();
    for (name, flags) in [
        ("named", &[][..]),
        ("padded", &["--pad"]),
        ("opaque", &["--opaque-names"]),
        ("both", &["--opaque-names", "--pad"]),
    ] {
        for attached in [&[][..], &ATTACHED] {
            let pack = format!("../{name}{}", attached.len());
            let (_, path) = repo.seal(&[&["--emit", "lite", "-o", &pack], flags, attached].concat());
            let by_ref = manifest_ref(&path);
            for from in [&pack, &by_ref] {
                let checked = repo.pack(&["restore", from, "--dry-run", "-i", identity]).ok();
                let done = repo.pack(&["restore", from, "-o", "../out", "-i", identity]).ok();
                assert_eq!(checked.out(), done.out().replace("RESTORED", "RESTORABLE"));
                let out = repo.place.path().join("out");
                let found = files(&out);
                assert_eq!(found.len(), 7 + attached.len() / 2, "{name}: {:?}", found.keys());
                for (path, (bytes, _)) in &found {
                    assert_eq!(
                        *bytes,
                        fs::read(repo.root.join(path)).unwrap(),
                        "{name} {}",
                        path.display()
                    );
                }
                for (path, mode, _) in snapshot(&out) {
                    assert_eq!(mode & 0o077, 0, "{}", path.display());
                }
                assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o700);
                assert_eq!(lines(&done).1 == state.trim(), attached.is_empty());
                fs::remove_dir_all(&out).unwrap();
            }
        }
    }
}

#[test]
fn opaque_names_stay_as_they_are_for_whoever_has_no_key() {
    let repo = scene();
    let (_, pack) = repo.seal(&["--emit", "lite,repo", "--opaque-names", "-o", "../pack"]);
    for from in ["../pack", &manifest_ref(&pack)] {
        repo.pack(&["restore", from, "-o", "../out"]).ok();
        let out = repo.place.path().join("out");
        assert_eq!(ciphertexts(&out), ciphertexts(&pack));
        assert_eq!(ciphertexts(&out).len(), 4);
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn who_cannot_open_it_gets_nothing() {
    let repo = scene();
    let other = repo.place.path().join("other.txt");
    let other = other.to_str().unwrap();
    repo.place.run(&repo.root, &age_keygen(), &["-o", other]).ok();
    for (name, flags) in [("named", &[][..]), ("opaque", &["--opaque-names"])] {
        let output = format!("../{name}");
        let (_, pack) = repo.seal(&[&["--emit", "lite", "-o", &output], flags].concat());
        let by_ref = manifest_ref(&pack);
        let before = snapshot(repo.place.path());
        for from in [&output, &by_ref] {
            for mode in [&["-o", "../new/out"][..], &["--dry-run"]] {
                let args = [&["restore", from, "-i", other], mode].concat();
                repo.pack(&args).refused("E_NO_IDENTITY");
                assert_same(&before, &snapshot(repo.place.path()), name);
            }
        }
    }
}

#[test]
fn what_is_damaged_is_said_to_be_damaged_before_it_is_said_not_to_open() {
    let repo = scene();
    let identity = repo.identity();
    let identity = identity.to_str().unwrap();
    for (name, flags) in [("named", &[][..]), ("opaque", &["--opaque-names"])] {
        let output = format!("../{name}");
        let (_, pack) = repo.seal(&[&["--emit", "lite", "-o", &output], flags].concat());
        let by_ref = manifest_ref(&pack);
        for (_, content) in ciphertexts(&pack) {
            let path = stored(&repo.root, &content);
            let whole = fs::read(&path).unwrap();
            for at in [whole.len() - 1, 30] {
                let mut bytes = whole.clone();
                bytes[at] ^= 1;
                fs::remove_file(&path).unwrap();
                fs::write(&path, bytes).unwrap();
                let done = repo.pack(&["restore", &by_ref, "-o", "../out", "-i", identity]);
                done.refused("E_CORRUPT");
                nothing_at(&repo, "out");
            }
            fs::write(&path, &whole).unwrap();
        }
        repo.pack(&["restore", &by_ref, "--dry-run", "-i", identity]).ok();
    }
}

#[test]
fn what_is_opened_does_not_come_to_where_git_could_track_it() {
    let repo = scene();
    let identity = repo.identity();
    let identity = identity.to_str().unwrap();
    repo.seal(&["--emit", "lite", "-o", "../pack"]);
    for (output, fine) in [
        ("out", false),
        ("new/out", false),
        ("_PACK_RUN/out", true),
        ("../out", true),
    ] {
        let done = repo.pack(&["restore", "../pack", "-o", output, "-i", identity]);
        match fine {
            true => drop(done.ok()),
            false => drop(done.refused("E_USAGE")),
        }
        assert_eq!(repo.path(output).exists(), fine, "{output}");
        // Ciphertexts may go to a tracked path.
        repo.pack(&["restore", "../pack", "-o", &format!("{output}-sealed")])
            .ok();
    }
}

#[test]
fn the_ledger_has_no_hash_over_what_was_opened() {
    let repo = scene();
    let identity = repo.identity();
    let identity = identity.to_str().unwrap();
    repo.seal(&["--emit", "lite", "-o", "../pack"]);
    let last = || -> serde_json::Value {
        serde_json::from_slice(&repo.pack(&["witness", "last", "--json"]).ok().stdout).unwrap()
    };
    let recorded = |done: super::Done| -> bool {
        let printed = last()["output_hash"].clone();
        printed == format!("blake3:{}", blake3::hash(&done.stdout).to_hex())
    };
    assert!(recorded(repo.pack(&["restore", "../pack", "-o", "../one"]).ok()));
    assert!(!recorded(
        repo.pack(&["restore", "../pack", "-o", "../two", "-i", identity]).ok()
    ));
}

#[test]
fn a_ciphertext_that_would_take_the_place_of_its_twin_needs_a_key() {
    let repo = scene();
    // Tracks the twin, and seals the plaintext into the pack as well.
    repo.git(&["rm", "-q", "--cached", "s.vec"]).ok();
    repo.pack(&["protect", "s.vec"]).ok();
    repo.git(&["add", "s.vec.age"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "twin"]).ok();
    let (_, pack) = repo.seal(&["--emit", "lite,repo", "--attach", "s.vec", "-o", "../pack"]);
    let identity = repo.identity();
    for from in ["../pack", &manifest_ref(&pack)] {
        let done = repo.pack(&["restore", from, "-o", "../out"]);
        assert!(done.stderr.contains("--identity FILE"), "{}", done.stderr);
        let value = done.refused("E_DUPLICATE");
        assert_eq!(value["refusal"]["detail"]["path"], "s.vec.age");
        nothing_at(&repo, "out");
        repo.pack(&["restore", from, "-o", "../out", "-i", identity.to_str().unwrap()])
            .ok();
        let out = repo.place.path().join("out");
        assert_eq!(
            fs::read(out.join("s.vec")).unwrap(),
            fs::read(repo.path("s.vec")).unwrap()
        );
        assert_eq!(
            fs::read(out.join("s.vec.age")).unwrap(),
            fs::read(repo.path("s.vec.age")).unwrap()
        );
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn a_manifest_whose_run_is_not_here_is_not_opened() {
    let repo = scene();
    let identity = repo.identity();
    let identity = identity.to_str().unwrap();
    let (_, pack) = repo.seal(&["--emit", "lite", "-o", "../pack"]);
    let by_ref = manifest_ref(&pack);
    fs::remove_dir_all(repo.path(".git/gitpack/runs")).unwrap();
    let refused = repo
        .pack(&["restore", &by_ref, "-o", "../out", "-i", identity])
        .refused("E_USAGE");
    let message = refused["refusal"]["message"].as_str().unwrap();
    assert!(message.contains("restore from its pack instead"), "{message}");
    nothing_at(&repo, "out");
    repo.pack(&["restore", &by_ref, "-o", "../out"]).ok();
    repo.pack(&["restore", "../pack", "-o", "../opened", "-i", identity])
        .ok();
    // A run record that claims a manifest with other ciphertexts is not believed.
    repo.seal(&["--emit", "lite", "-o", "../recorded"]);
    let mut manifest: PackManifest = serde_json::from_slice(&fs::read(stored(&repo.root, &by_ref)).unwrap()).unwrap();
    let text = Digest::of(b"text\n");
    let entry = manifest.entries.iter_mut().find(|entry| entry.path == "s.vec").unwrap();
    (entry.content, entry.bytes) = (text, 5);
    let forged = to_document(&manifest);
    let forged_ref = Digest::of(&forged).to_string();
    common::write(&stored(&repo.root, &forged_ref), &forged);
    let runs = repo.path(".git/gitpack/runs");
    for (path, mode, bytes) in snapshot(&runs) {
        if mode & 0o170000 == 0o100000 {
            let refs = String::from_utf8(bytes).unwrap().replace(&by_ref, &forged_ref);
            fs::write(runs.join(path), refs).unwrap();
        }
    }
    repo.pack(&["restore", &forged_ref, "-o", "../forged", "-i", identity])
        .refused("E_USAGE");
    repo.pack(&["restore", &forged_ref, "-o", "../forged"]).ok();
    // Ciphertexts that only the pack holds are found there.
    fs::remove_dir_all(repo.path(".git/gitpack/cas")).unwrap();
    repo.pack(&["restore", "../pack", "-o", "../again", "-i", identity])
        .ok();
}

#[test]
fn seals_that_are_declared_otherwise_than_listed_are_refused() {
    let repo = scene();
    let (_, pack) = repo.seal(&["--emit", "lite", "-o", "../pack"]);
    let forged = repo.place.path().join("forged");
    copy_tree(&pack, &forged);
    // Lists a plain file as sealed, so that a key would open nothing there.
    let path = forged.join("LITE/PACK_MANIFEST.json");
    let text = fs::read_to_string(&path).unwrap();
    let from = "\"kind\":\"FILE\",\"path\":\"text\"";
    assert!(text.contains(from));
    fs::write(&path, text.replace(from, &from.replace("FILE", "SEALED"))).unwrap();
    recompute(&forged);
    for flags in [&[][..], &["-i", repo.identity().to_str().unwrap()]] {
        let args = [&["restore", "../forged", "-o", "../out"], flags].concat();
        repo.pack(&args).refused("E_BAD_PACK");
    }
}
