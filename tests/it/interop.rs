//! Packs by other implementations of `pack.v0`, and the reports on them. The packs are in `fixtures/vectors`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::packs::copy_tree;
use crate::common::{Place, Repo, write};
use serde_json::{Value, json};

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/vectors")
        .join(name)
        .join("pack")
}

fn verified(place: &Place, pack: &Path) -> (i32, Value) {
    let done = place.pack_in(place.path(), &["verify", "--json", pack.to_str().unwrap()]);
    (done.code, serde_json::from_slice(&done.stdout).unwrap())
}

#[test]
fn a_pack_of_another_maker_is_ok_and_what_is_unusual_is_told() {
    let place = Place::new();
    let pack = vector("other_maker_compact");
    let (code, report) = verified(&place, &pack);
    assert_eq!(
        (code, &report["outcome"], &report["invalid"]),
        (0, &"OK".into(), &json!([]))
    );
    assert_eq!(report["checks"]["schema_validation"], "pass");
    let told: Vec<_> = report["notices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|notice| (&notice["code"], &notice["path"]))
        .collect();
    let (canonical, version) = (json!("NOT_CANONICAL"), json!("ARTIFACT_VERSION_MISSING"));
    assert_eq!(
        told,
        [
            (&canonical, &json!("manifest.json")),
            (&version, &json!("profile.yaml"))
        ]
    );
    let human = place.pack_in(place.path(), &["verify", pack.to_str().unwrap()]);
    assert!(
        human.out().starts_with("pack verify: OK\n") && !human.out().contains("NOT_CANONICAL"),
        "{}",
        human.out()
    );
    assert!(
        human.stderr.contains("NOT_CANONICAL") && human.stderr.contains("profile.yaml"),
        "{}",
        human.stderr
    );
    // The other commands read the pack, too.
    for args in [["inspect", "--json"], ["diff", "--json"]] {
        let path = pack.to_str().unwrap();
        let paths: &[&str] = if args[0] == "diff" { &[path, path] } else { &[path] };
        place
            .pack_in(place.path(), &[&args[..1], paths, &args[1..]].concat())
            .ok();
    }
    let copy = place.path().join("copy");
    copy_tree(&pack, &copy);
    place.pack_in(place.path(), &["seal", "copy", "-o", "outer"]).ok();
    assert_eq!(verified(&place, &place.path().join("outer")).0, 0);
    // Without a finding or notice, the report has exactly the fields of the contract.
    let (_, report) = verified(&place, &place.path().join("outer"));
    let keys: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["checks", "invalid", "outcome", "pack_id", "refusal", "version"]);
}

#[test]
fn what_no_schema_was_held_against_is_skipped() {
    let place = Place::new();
    write(&place.path().join("a.txt"), "a");
    write(&place.path().join("lock.json"), "{\"version\":\"lock.v0\"}");
    write(&place.path().join("reg/registry.json"), "{}");
    for (artifacts, expected) in [
        (&["a.txt"][..], "skipped"),
        (&["reg", "a.txt"], "skipped"),
        (&["a.txt", "lock.json"], "pass"),
        (&["reg", "lock.json"], "pass"),
    ] {
        drop(fs::remove_dir_all(place.path().join("pack")));
        place
            .pack_in(place.path(), &[&["seal"], artifacts, &["-o", "pack"]].concat())
            .ok();
        let (code, report) = verified(&place, &place.path().join("pack"));
        assert_eq!(
            (code, &report["checks"]["schema_validation"]),
            (0, &expected.into()),
            "{artifacts:?}"
        );
    }
    // The documents of a tree pack are checked against their schemas, whatever the tree contains.
    let repo = Repo::set_up();
    let (_, pack) = repo.seal(&[]);
    assert_eq!(verified(&repo.place, &pack).1["checks"]["schema_validation"], "pass");
}

/// White space between the tokens of a manifest has no meaning; the id covers everything else.
#[test]
fn a_flipped_byte_of_a_foreign_manifest_is_caught_or_says_the_same() {
    let place = Place::new();
    let pack = place.path().join("pack");
    copy_tree(&vector("other_maker_pretty"), &pack);
    let file = pack.join("manifest.json");
    let bytes = fs::read(&file).unwrap();
    let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    let mut same = 0;
    for at in 0..bytes.len() {
        for mask in [0x01, 0x04, 0x20, 0x2a] {
            let mut flipped = bytes.clone();
            flipped[at] ^= mask;
            fs::write(&file, &flipped).unwrap();
            let says_the_same = parsed(&flipped) == parsed(&bytes);
            let is_sound =
                gitpack::ops::pack::verify::verify_directory(&pack).is_ok_and(|report| report.findings.is_empty());
            assert_eq!(is_sound, says_the_same, "byte {at} mask {mask:#x}");
            same += usize::from(is_sound);
        }
    }
    assert!(same > 100, "{same}");
}

#[test]
fn a_ledger_without_records_is_no_fault() {
    let place = Place::new();
    let ledger = place.home().join(".epistemic/witness.jsonl");
    for content in [
        None,
        Some(""),
        Some("{\"tool\":\"rvl\",\"ts\":\"2026-01-15T10:30:00Z\"}\n"),
    ] {
        if let Some(content) = content {
            write(&ledger, content);
        }
        let query = |args: &[&str]| place.pack_in(place.path(), &[&["witness"], args].concat()).ok().out();
        assert_eq!(query(&["query"]), "no witness records\n");
        assert_eq!(query(&["query", "--json"]), "[]\n");
        assert_eq!(query(&["count"]), "0 witness record(s)\n");
        assert_eq!(query(&["count", "--json"]), "{\"count\":0}\n");
    }
}
