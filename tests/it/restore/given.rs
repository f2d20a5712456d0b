//! `restore` of packs that are not directories: in archives, and at places.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::common::registry::FakeFabric;
use crate::common::server::Server;

/// Seals a pack of the scene with everything in it, and puts it into an archive and an object store. Returns both names.
fn shared(repo: &Repo, emit: &str) -> (String, String) {
    let (id, pack) = repo.seal(&["--emit", emit, "-o", "../pack"]);
    let place = repo.place.path();
    fs::create_dir(place.join("store")).unwrap();
    let url = format!("file://{}/store", place.canonicalize().unwrap().display());
    repo.pack(&["archive", pack.to_str().unwrap(), "-o", "../pack.tar.zst"])
        .ok();
    repo.pack(&["push", pack.to_str().unwrap(), &url]).ok();
    fs::remove_dir_all(&pack).unwrap();
    ("../pack.tar.zst".into(), format!("{url}#{id}"))
}

#[test]
fn archives_and_addresses_are_restored_like_directories() {
    let repo = scene();
    let expected = archived(&repo);
    let (archive, url) = shared(&repo, "repo,lite");
    // No repository is needed, because the pack has everything.
    let home = repo.place.path().join("home");
    let archive = repo.root.join(&archive).canonicalize().unwrap();
    for (name, output) in [(archive.to_str().unwrap(), "a"), (&url, "b")] {
        repo.place.pack_in(&home, &["restore", name, "--dry-run"]).ok();
        repo.place.pack_in(&home, &["restore", name, "-o", output]).ok();
        assert_files(&home.join(output), &expected, name);
    }
}

#[test]
fn texts_come_back_from_archives_and_addresses() {
    let repo = scene();
    repo.seal(&["--emit", "full,split", "-o", "../whole"]);
    for how in ["--from-full", "--from-split"] {
        repo.pack(&["restore", "../whole", how, "-o", &format!("../of{how}")])
            .ok();
    }
    fs::remove_dir_all(repo.place.path().join("whole")).unwrap();
    let (archive, url) = shared(&repo, "full,split");
    for how in ["--from-full", "--from-split"] {
        for (at, name) in [&archive, &url].into_iter().enumerate() {
            let output = format!("../out{at}{how}");
            repo.pack(&["restore", name, how, "-o", &output]).ok();
            let expected = files(&repo.root.join(format!("../of{how}")));
            assert!(!expected.is_empty());
            assert_files(&repo.root.join(&output), &expected, name);
        }
    }
}

#[test]
fn contents_that_a_pack_at_a_place_lacks_come_from_another_place() {
    let repo = scene();
    let expected = archived(&repo);
    let (archive, url) = shared(&repo, "repo");
    let (_, lite) = repo.seal(&["--emit", "lite", "-o", "../lite"]);
    let lite = lite.to_str().unwrap();
    repo.pack(&["archive", lite, "-o", "../lite.tar.zst"]).ok();
    let home = repo.place.path().join("home");
    let place = url.split('#').next().unwrap();
    let lite = ["restore", "../lite.tar.zst", "-o", "out"];
    let run = |args: &[&str]| repo.place.pack_in(&home, args);
    let refused = run(&lite).refused("E_MISSING_OBJECT");
    assert!(!home.join("out").exists(), "{refused}");
    run(&[&lite[..], &["--from", place]].concat()).ok();
    assert_files(&home.join("out"), &expected, &archive);
}

#[test]
fn a_pack_at_a_place_that_is_wrong_leaves_nothing_behind() {
    let repo = scene();
    let (archive, url) = shared(&repo, "repo,full,split");
    let place = repo.place.path().join("store/blobs");
    let largest = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path());
    let largest = largest.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    bytes[1000] ^= 1;
    fs::write(&largest, bytes).unwrap();
    let bytes = fs::read(repo.root.join(&archive)).unwrap();
    fs::write(repo.root.join(&archive), &bytes[..bytes.len() - 20]).unwrap();
    for name in [&archive, &url] {
        for how in [&[][..], &["--from-full"], &["--from-split"]] {
            let args = [&["restore", name, "-o", "../out"], how].concat();
            let refused = repo.pack(&args);
            assert_eq!(refused.code, 2, "{name} {how:?}: {}", refused.stderr);
            refused.refused("E_BAD_PACK");
            nothing_at(&repo, "out");
        }
    }
}

#[test]
fn a_place_that_gives_other_bytes_after_the_verification_is_refused() {
    let repo = scene();
    let (id, pack) = repo.seal(&["--emit", "repo", "-o", "../pack"]);
    let (fabric, asked_before) = (FakeFabric::default(), AtomicUsize::new(0));
    let server = Server::start(move |asked| {
        if asked.method == "GET" && asked_before.fetch_add(1, Ordering::Relaxed) > 1 {
            // The first one is of the push. `hello` of README.md.
            fabric.change(|text| text.replace("\"aGVsbG8K\"", "\"aGVsbG9K\""));
        }
        fabric.answer(asked)
    });
    repo.pack(&["push", pack.to_str().unwrap(), &server.url()]).ok();
    let url = format!("{}#{id}", server.url());
    let refused = repo.pack(&["restore", &url, "-o", "../out"]);
    assert!(refused.stderr.contains("does not match its hash"), "{}", refused.stderr);
    refused.refused("E_CORRUPT");
    nothing_at(&repo, "out");
    assert!(server.count("GET") > 1);
}
