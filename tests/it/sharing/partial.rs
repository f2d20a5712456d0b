//! Packs that lack members: what is there can be verified, and is never called OK.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{files, sealed};
use crate::common::{Place, snapshot, write};

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

#[test]
fn a_pull_goes_on_where_one_of_other_members_was_killed() {
    let place = Place::new();
    let (id, pack) = sealed(&place, "pack", &files());
    place
        .pack_in(place.path(), &["archive", "pack", "-o", "p.tar.zst"])
        .ok();
    for (only, arrived) in [(&["--only", "a.*"][..], 1), (&[], 3)] {
        // A killed pull leaves whole members, and directories whose first member was about to come.
        let staging = place.path().join(".git-pack-staging-dead");
        fs::create_dir_all(staging.join("pack/d ü")).unwrap();
        fs::create_dir_all(staging.join("pack/e/f")).unwrap();
        fs::set_permissions(&staging, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(staging.join("purpose"), &id).unwrap();
        fs::copy(pack.join("big.bin"), staging.join("pack/big.bin")).unwrap();
        fs::copy(pack.join("manifest.json"), staging.join("pack/manifest.json")).unwrap();
        let output = format!("back-{arrived}");
        let pull = [&["pull", "p.tar.zst", "-o", &output], only].concat();
        let done = place.pack_in(place.path(), &pull).ok();
        assert_eq!(
            done.stderr.contains("1 member left from an interrupted call"),
            arrived == 3,
            "{}",
            done.stderr
        );
        let files = snapshot(&place.path().join(&output)).into_iter();
        assert_eq!(
            files.filter(|(_, mode, _)| mode & 0o170_000 == 0o100_000).count(),
            arrived + 1
        );
        assert!(!staging.exists());
    }
    assert_eq!(snapshot(&place.path().join("back-3")), snapshot(&pack));
}
