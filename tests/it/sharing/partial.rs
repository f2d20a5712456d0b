//! Packs that lack members: what is there can be verified, and is never called OK.

use std::fs;

use super::{files, sealed};
use crate::common::{Place, write};

#[test]
fn members_that_are_there_are_judged_and_the_others_counted() {
    let place = Place::new();
    let (_, pack) = sealed(&place, "pack", &files());
    let verify = |flags: &[&str]| place.pack_in(place.path(), &[&["verify", "pack"], flags].concat());
    assert!(verify(&["--partial"]).ok().out().starts_with("pack verify: OK\n"));
    fs::remove_file(pack.join("big.bin")).unwrap();
    assert_eq!(verify(&[]).code, 1);
    assert!(verify(&["--partial"]).ok().out().contains("2 of 3 members seen"));
    let document: serde_json::Value = serde_json::from_slice(&verify(&["--partial", "--json"]).ok().stdout).unwrap();
    assert_eq!(document["outcome"], "PARTIAL");
    assert_eq!(document["seen"], serde_json::json!({"members": 2, "of": 3}));
    write(&pack.join("more"), "x");
    let done = verify(&["--partial"]);
    assert_eq!(done.code, 1);
    assert!(done.out().contains("EXTRA_MEMBER"), "{}", done.out());
    fs::remove_file(pack.join("more")).unwrap();
    fs::write(pack.join("a.txt"), "b\n").unwrap();
    let done = verify(&["--partial"]);
    assert_eq!(done.code, 1);
    assert!(done.out().contains("HASH_MISMATCH"), "{}", done.out());
    fs::remove_file(pack.join("a.txt")).unwrap();
    fs::write(
        pack.join("manifest.json"),
        fs::read_to_string(pack.join("manifest.json"))
            .unwrap()
            .replace("big", "bog"),
    )
    .unwrap();
    let done = verify(&["--partial"]);
    assert_eq!(done.code, 1);
    assert!(done.out().contains("PACK_ID_MISMATCH"), "{}", done.out());
}
