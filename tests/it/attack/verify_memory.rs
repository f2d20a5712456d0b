//! Packs that try to exhaust a verifier's memory.

use std::fmt::Write as _;
use std::fs;

use crate::common::packs::recompute;
use crate::common::{Done, Place, write};

const MIB: usize = 1 << 20;

/// Verifies with at most `mib` MiB of data memory.
fn verify_within(place: &Place, mib: usize, pack: &str) -> Done {
    let script = format!("ulimit -d {}; exec git-pack verify --json {pack}", mib << 10);
    place.run(place.path(), "sh", &["-c", &script])
}

fn manifest(members: &str, count: usize, more: &str) -> String {
    format!(
        r#"{{"created":"2026-01-15T10:30:00Z","member_count":{count},"members":[{members}],"pack_id":"","tool_version":"1","version":"pack.v0"{more}}}"#
    )
}

/// Gain: a manifest of a few MB, which compresses to a few KB, takes a hundred times its size and kills the verifier.
#[test]
fn values_in_a_manifest_do_not_grow() {
    let values = |bytes: usize| r#"{"a":0},"#.repeat(bytes / 8) + "0";
    for (name, text) in [
        ("field", manifest("", 0, &format!(r#","x":[{}]"#, values(16 * MIB)))),
        ("member", manifest(&format!(r#"{{"x":[{}]}}"#, values(16 * MIB)), 1, "")),
        (
            "fields",
            manifest(
                "",
                0,
                &(0..MIB).fold(String::new(), |mut all, n| {
                    write!(all, r#","{n}":0"#).unwrap();
                    all
                }),
            ),
        ),
    ] {
        let place = Place::new();
        write(&place.path().join("pack/manifest.json"), text);
        let done = verify_within(&place, 300, "pack");
        assert_eq!(done.code, 2, "{name}: {} {}", done.out(), done.stderr);
        assert!(done.out().contains("E_BAD_PACK"), "{name}: {}", done.out());
    }
}

/// Gain: as many large documents as the verifier has cores are parsed at once, and each grows many times.
#[test]
fn typed_members_are_parsed_within_bounds() {
    let place = Place::new();
    let large = 8 * MIB;
    let fill = |unit: &str| unit.repeat(large / unit.len());
    let empty = r#"{"path":"","bytes_hash":"","type":""},"#;
    let documents = [
        (
            "values.json",
            "pack",
            "pack.v0",
            manifest("", 0, &format!(r#","x":[{}0]"#, fill("[],"))),
        ),
        (
            "members.json",
            "pack",
            "pack.v0",
            manifest(&(fill(empty) + r#"{"path":"a","bytes_hash":"","type":""}"#), 0, ""),
        ),
        (
            "rules.json",
            "rules",
            "verify.rules.v0",
            format!(r#"{{"version":"verify.rules.v0","rules":[{}0]}}"#, fill(r#"{"a":0},"#)),
        ),
        (
            "lock.json",
            "lockfile",
            "lock.v0",
            format!(r#"{{"version":"lock.v0","x":[{}0]}}"#, fill("[],")),
        ),
        ("keys.yaml", "profile", "1", {
            let keys = (0..large / 12).fold(String::new(), |mut all, n| {
                writeln!(all, "k{n}: 0").unwrap();
                all
            });
            format!("schema_version: 1\nprofile_id: p\n{keys}")
        }),
        (
            "deep.yaml",
            "profile",
            "1",
            format!("schema_version: 1\nprofile_id: p\nx: {}", fill("[")),
        ),
    ];
    let mut members = Vec::new();
    for copy in 0..2 {
        for (name, kind, version, content) in &documents {
            let path = format!("{copy}-{name}");
            write(&place.path().join("pack").join(&path), content);
            members.push(format!(
                r#"{{"artifact_version":"{version}","bytes_hash":"","path":"{path}","type":"{kind}"}}"#
            ));
        }
    }
    members.sort();
    let text = manifest(&members.join(","), members.len(), "");
    fs::write(place.path().join("pack/manifest.json"), text).unwrap();
    recompute(&place.path().join("pack"));
    let done = verify_within(&place, 350, "pack");
    assert_eq!(done.code, 1, "{} {}", done.out(), done.stderr);
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let found = report["invalid"].as_array().unwrap();
    assert!(
        found.iter().all(|finding| finding["code"] == "SCHEMA_VIOLATION"),
        "{report}"
    );
}
