//! The directory beside a pack: what pull writes into it, and what push takes from it.

use std::fs;
use std::os::unix::fs::symlink;

use super::{Signed, names};

/// A directory as an object store that holds the pack with three attached files.
fn stored() -> (Signed, String) {
    let signed = Signed::with_three();
    fs::create_dir(signed.path("store")).unwrap();
    let url = format!("file://{}", signed.path("store").display());
    signed.run(&["push", "pack", &url]).ok();
    (signed, url)
}

#[test]
fn what_is_there_already_stays_and_the_rest_is_added() {
    let (signed, url) = stored();
    signed.attach("back", ".sig", "an own one");
    signed.attach("back", ".2.sig", "one");
    let files = signed.pulled(&url, "back");
    assert_eq!(files.len(), 4, "{files:?}");
    assert!(files.contains(&(".sig".to_owned(), signed.made(".sig", "an own one"))));
}

/// Gain: a pull writes files where a link leads that somebody prepared.
#[test]
fn nothing_is_written_through_a_link() {
    let (signed, url) = stored();
    fs::create_dir(signed.path("elsewhere")).unwrap();
    symlink(signed.path("elsewhere"), signed.path("back.attestations")).unwrap();
    let done = signed.run(&["pull", &signed.id, "--from", &url, "-o", "back"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(names(&signed.path("elsewhere")).is_empty());
    assert!(!signed.path("back").exists());
}

#[test]
fn a_pull_that_fails_leaves_no_attached_file() {
    let (signed, url) = stored();
    // Full: no more may be attached, so the pull cannot end.
    let full = 254;
    for n in 1..=full {
        signed.attach("back", &format!(".{n}.intoto.jsonl"), &format!("{n}"));
    }
    let before = names(&signed.path("back.attestations"));
    let done = signed.run(&["pull", &signed.id, "--from", &url, "-o", "back"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert_eq!(names(&signed.path("back.attestations")), before);
    assert!(!signed.path("back").exists());
}

#[test]
fn a_pull_that_was_killed_before_the_pack_was_there_ends_with_the_next() {
    let (signed, url) = stored();
    signed.attach("back", ".sig", "two");
    signed.three_come_from(&url, "back");
    // With a part of the members, too.
    let only = ["pull", &signed.id, "--from", &url, "--only", "*.txt", "-o", "some"];
    let done = signed.run(&only).ok();
    assert!(done.stderr.contains("3 files attached"), "{}", done.stderr);
    assert_eq!(signed.beside("some").len(), 3);
}

#[test]
fn what_does_not_belong_there_is_not_sent() {
    let signed = Signed::with_three();
    fs::create_dir(signed.path("store")).unwrap();
    let url = format!("file://{}", signed.path("store").display());
    let directory = signed.path("pack.attestations");
    fs::write(directory.join("allowed_signers"), "* ssh-ed25519 x").unwrap();
    fs::write(directory.join(format!("{}.sig", "ab".repeat(32))), "of another pack").unwrap();
    fs::write(
        directory.join(format!("{}.9.sig", signed.hex())),
        vec![0; (1 << 20) + 1],
    )
    .unwrap();
    fs::write(signed.path("secret"), "secret").unwrap();
    symlink(signed.path("secret"), directory.join(format!("{}.8.sig", signed.hex()))).unwrap();
    let done = signed.run(&["push", "pack", &url]).ok();
    assert_eq!(done.stderr.matches("not sent: ").count(), 4, "{}", done.stderr);
    assert_eq!(signed.pulled(&url, "back").len(), 3);
    assert_eq!(signed.listed("pack"), (4.into(), 1.into()));
}
