//! Attached files in object stores and data fabrics.

use std::fs;

use super::{Signed, names};
use crate::common::packs::copy_tree;
use crate::common::registry::FakeFabric;
use crate::common::server::Server;

fn store(signed: &Signed) -> String {
    fs::create_dir(signed.path("store")).unwrap();
    format!("file://{}", signed.path("store").display())
}

#[test]
fn an_object_store_names_attached_files_by_their_content() {
    let signed = Signed::with_three();
    let url = store(&signed);
    let done = signed.run(&["push", "pack", &url]).ok();
    assert!(done.stderr.contains("3 files attached, 3 sent"), "{}", done.stderr);
    let directory = signed.path("store/packs").join(signed.hex()).join("attestations");
    let stored = names(&directory);
    assert_eq!(stored.len(), 3);
    for name in &stored {
        let hash = gitpack::format::digest::Digest::of(&fs::read(directory.join(name)).unwrap());
        let rest = name.strip_prefix(&hash.hex()).unwrap();
        assert!([".sig", ".intoto.jsonl"].contains(&rest), "{name}");
    }
    signed.three_come_from(&url, "back");
    assert_eq!(signed.listed(&url), (2.into(), 1.into()));
    signed.attach("pack", ".3.sig", "three");
    let done = signed.run(&["push", "pack", &url]).ok();
    assert!(done.stderr.contains("4 files attached, 1 sent"), "{}", done.stderr);
    assert_eq!(names(&directory).len(), 4);
}

/// Whoever may write to the place writes what they like there.
#[test]
fn an_object_store_that_lies_is_not_believed() {
    let signed = Signed::with_three();
    let url = store(&signed);
    signed.run(&["push", "pack", &url]).ok();
    let directory = signed.path("store/packs").join(signed.hex()).join("attestations");
    let first = directory.join(&names(&directory)[0]);
    fs::write(&first, "changed").unwrap();
    fs::write(directory.join("README"), "x").unwrap();
    fs::write(directory.join(format!("{}.sig", "ab".repeat(32))), vec![0; 2 << 20]).unwrap();
    fs::write(signed.path("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(
        signed.path("secret"),
        directory.join(format!("{}.sig", "cd".repeat(32))),
    )
    .unwrap();
    let done = signed.run(&["pull", &signed.id, "--from", &url, "-o", "back"]).ok();
    assert_eq!(done.stderr.matches("not fetched: ").count(), 3, "{}", done.stderr);
    assert_eq!(signed.beside("back").len(), 2);
    // A push puts the content right again.
    signed.run(&["push", "pack", &url]).ok();
    assert_eq!(signed.pulled(&url, "again").len(), 3);
    fs::remove_dir_all(&directory).unwrap();
    fs::create_dir(signed.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(signed.path("elsewhere"), &directory).unwrap();
    assert_eq!(signed.run(&["push", "pack", &url]).code, 2);
    assert_eq!(signed.run(&["pull", &signed.id, "--from", &url, "-o", "third"]).code, 2);
    assert!(names(&signed.path("elsewhere")).is_empty());
    assert!(!signed.path("third").exists() && !signed.path("third.attestations").exists());
}

#[test]
fn a_directory_with_very_many_names_is_read_within_a_bound() {
    let signed = Signed::with_three();
    let url = store(&signed);
    signed.run(&["push", "pack", &url]).ok();
    let directory = signed.path("store/packs").join(signed.hex()).join("attestations");
    for n in 0..1100 {
        fs::write(directory.join(format!("{n}")), "").unwrap();
    }
    let done = signed.run(&["pull", &signed.id, "--from", &url, "-o", "back"]).ok();
    assert!(done.stderr.contains("more files than are listed"), "{}", done.stderr);
}

#[test]
fn many_signers_at_once_all_arrive() {
    let signed = Signed::new();
    let url = store(&signed);
    signed.run(&["push", "pack", &url]).ok();
    for n in 0..16 {
        let pack = format!("pack-{n}");
        copy_tree(&signed.path("pack"), &signed.path(&pack));
        // Two of them sign alike.
        signed.attach(&pack, ".sig", &format!("signer {}", n.max(1)));
    }
    std::thread::scope(|scope| {
        for n in 0..16 {
            let (signed, url) = (&signed, &url);
            scope.spawn(move || {
                signed.run(&["push", &format!("pack-{n}"), url]).ok();
            });
        }
    });
    assert_eq!(signed.pulled(&url, "back").len(), 15);
}

#[test]
fn a_data_fabric_gets_the_pack_and_a_notice_says_what_was_not_sent() {
    let signed = Signed::with_three();
    let held = FakeFabric::default();
    let server = Server::start(move |asked| held.answer(asked));
    let done = signed.run(&["push", "pack", &server.url()]).ok();
    assert_eq!(done.out(), format!("PUBLISHED {}\n", signed.id));
    assert!(done.stderr.contains("3 attached files not sent"), "{}", done.stderr);
    assert!(signed.pulled(&server.url(), "back").is_empty());
}
