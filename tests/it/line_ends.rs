//! Twins and packs in repositories where git converts line ends: nothing of ours is converted, and what was converted
//! says so.

use std::fs;
use std::path::PathBuf;

use crate::common::{Repo, noise};

/// Enough bytes that the ciphertext has carriage returns before newlines.
const LONG: usize = 1 << 20;

/// Clones the repository.
fn clone(repo: &Repo, options: &[&str]) -> PathBuf {
    let target = repo.place.path().join("clone");
    let arguments = [options, &["clone", "-q", "repo", "clone"]].concat();
    repo.place.run(repo.place.path(), "git", &arguments).ok();
    target
}

#[test]
fn the_guard_says_that_line_ends_broke_a_seal() {
    // Of any size: a large blob is read as a stream.
    for size in [10, LONG, 6 << 20] {
        let repo = Repo::set_up();
        repo.write("a.vec", noise(1, size));
        repo.pack(&["protect", "a.vec"]).ok();
        let sealed = fs::read(repo.path("a.vec.age")).unwrap();
        let mut converted = Vec::new();
        for byte in sealed {
            if byte == b'\n' {
                converted.push(b'\r');
            }
            converted.push(byte);
        }
        fs::write(repo.path("a.vec.age"), converted).unwrap();
        repo.git(&["add", "a.vec.age"]).ok();
        let done = repo.pack(&["scan"]);
        assert_eq!(done.code, 1, "{}", done.out());
        assert!(
            done.out().contains("its line ends were converted to CRLF"),
            "{}",
            done.out()
        );
        let json = repo.pack(&["scan", "--json"]).out();
        assert!(json.contains("BROKEN_SEAL"), "{json}");
    }
}

#[test]
fn a_tracked_pack_says_that_its_line_ends_were_converted() {
    let repo = Repo::set_up();
    repo.write("report.txt", "one\ntwo\n");
    repo.pack(&["seal", "report.txt", "-o", "evidence/one"]).ok();
    repo.pack(&["seal", "--scope", "repo", "-o", "evidence/tree"]).ok();
    repo.commit("packs");
    let clone = clone(&repo, &["-c", "core.autocrlf=true"]);
    for pack in ["evidence/one", "evidence/tree"] {
        let done = repo.place.pack_in(&clone, &["verify", pack]);
        assert_eq!(done.code, 1, "{}", done.out());
        let says = "its line ends were converted to CRLF";
        assert!(done.out().contains(says), "{}", done.out());
        assert!(done.stderr.contains("-text"), "{}", done.stderr);
        let json = repo.place.pack_in(&clone, &["verify", "--json", pack]).out();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let invalid = value["invalid"].as_array().unwrap();
        let mismatches = invalid.iter().filter(|finding| finding["code"] == "HASH_MISMATCH");
        let details: Vec<&serde_json::Value> = mismatches.map(|finding| &finding["detail"]).collect();
        assert!(
            !details.is_empty() && details.iter().all(|detail| *detail == says),
            "{json}"
        );
    }
    // A member that was changed otherwise is not excused.
    let member = clone.join("evidence/one/report.txt");
    fs::write(&member, "one\r\ntwo!\r\n").unwrap();
    let json = repo.place.pack_in(&clone, &["verify", "--json", "evidence/one"]).out();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let invalid = value["invalid"].as_array().unwrap();
    let changed = invalid.iter().find(|finding| finding["path"] == "report.txt").unwrap();
    assert_eq!(changed.get("detail"), None, "{json}");
}

#[test]
fn a_manifest_with_converted_line_ends_says_so() {
    let repo = Repo::set_up();
    let (_, pack) = repo.seal(&[]);
    let manifest = pack.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace('\n', "\r\n")).unwrap();
    let done = repo.pack(&["verify", pack.to_str().unwrap()]);
    assert_eq!(done.code, 1, "{}", done.out());
    assert!(
        done.out().contains("its line ends were converted to CRLF"),
        "{}",
        done.out()
    );
}
