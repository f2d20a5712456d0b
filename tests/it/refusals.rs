//! Every refusal code, produced by its own cause, with a complete envelope and nothing left behind.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common;
use crate::common::{Done, Place, Repo, noise};
use gitpack::format::canonical_json::to_document;
use gitpack::format::digest::Digest;
use gitpack::format::receipt::Receipt;
use gitpack::refusal::code::Code;

type Case = (Code, fn() -> Done);

const CASES: [Case; 19] = [
    (Code::Empty, || {
        let place = Place::new();
        place.pack_in(place.path(), &["seal"])
    }),
    (Code::Io, || {
        let place = Place::new();
        place.pack_in(place.path(), &["seal", "absent"])
    }),
    (Code::Duplicate, || {
        let place = Place::new();
        common::write(&place.path().join("a/x"), "1");
        common::write(&place.path().join("b/x"), "2");
        place.pack_in(place.path(), &["seal", "a/x", "b/x"])
    }),
    (Code::BadPack, || {
        let place = Place::new();
        place.pack_in(place.path(), &["diff", "--json", "home", "home"])
    }),
    (Code::Usage, || {
        let place = Place::new();
        place.pack_in(place.path(), &["seal", "--created", "soon", "home"])
    }),
    (Code::NotARepository, || {
        let place = Place::new();
        place.pack_in(place.path(), &["init"])
    }),
    (Code::BadRevision, || Repo::empty().pack(&["seal", "--rev", "nope"])),
    (Code::BadConfig, || {
        let repo = Repo::empty();
        repo.write(".gitpack.toml", "version = 1\nseal = 7\n");
        repo.pack(&["init"])
    }),
    (Code::MissingObject, || {
        let repo = Repo::empty();
        repo.write("a", "x");
        repo.commit("one");
        let id = repo.rev("HEAD:a");
        fs::remove_file(repo.path(&format!(".git/objects/{}/{}", &id[..2], &id[2..]))).unwrap();
        repo.pack(&["seal"])
    }),
    (Code::NoRecipients, || {
        let repo = Repo::empty();
        repo.write("a.vec", "x");
        repo.commit("one");
        repo.pack(&["seal"])
    }),
    (Code::NoIdentity, || {
        let repo = Repo::empty();
        let identity = repo.identity();
        common::write(&identity, "AGE-SECRET-KEY-1");
        fs::set_permissions(&identity, fs::Permissions::from_mode(0o644)).unwrap();
        repo.pack(&["init"])
    }),
    (Code::Crypto, || {
        // A store whose receipt and ciphertext agree, but whose ciphertext is not an age file.
        let repo = Repo::set_up();
        repo.write("a.vec", "secret");
        repo.seal(&["--attach", "a.vec", "-o", "../one"]);
        let store = repo.path(".git/gitpack/seals");
        let files = common::snapshot(&store);
        let find = |end: &str| {
            files
                .iter()
                .find(|(path, ..)| path.extension().is_some_and(|e| e == end))
                .unwrap()
        };
        let mut receipt: Receipt = serde_json::from_slice(&find("json").2).unwrap();
        let fake = noise(1, 300);
        receipt.sealed_hash = Digest::of(&fake);
        receipt.sealed_bytes = 300;
        let name = find("json")
            .0
            .with_extension(format!("{}.age", &receipt.sealed_hash.hex()[..16]));
        fs::write(store.join(name), fake).unwrap();
        fs::write(store.join(&find("json").0), to_document(&receipt)).unwrap();
        repo.pack(&["seal", "--attach", "a.vec", "-o", "../two"])
    }),
    (Code::Signature, || {
        let place = Place::new();
        place.pack_in(place.path(), &["attest", "home", "--key", "absent"])
    }),
    (Code::PlaintextLeak, || {
        let repo = Repo::set_up();
        repo.write("a.vec", "secret");
        repo.write("copy.txt", "secret");
        repo.commit_only("copy.txt");
        repo.pack(&["seal", "--attach", "a.vec"])
    }),
    (Code::Limit, || {
        let repo = Repo::empty();
        repo.write(
            ".gitpack.toml",
            "version = 1\n[scope.repo]\nlimits = { max_entries = 1 }\n",
        );
        repo.write("a", "x");
        repo.commit("one");
        let done = repo.pack(&["seal"]);
        assert!(!repo.path("_PACK_RUN").exists());
        done
    }),
    (Code::Corrupt, || {
        let repo = Repo::empty();
        repo.write("a", noise(1, 1000));
        repo.commit("one");
        let id = repo.rev("HEAD:a");
        let path = repo.path(&format!(".git/objects/{}/{}", &id[..2], &id[2..]));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&path, "garbage").unwrap();
        repo.pack(&["seal"])
    }),
    (Code::Audit, || {
        let repo = Repo::set_up();
        repo.seal(&[]);
        fs::remove_dir_all(repo.path(".git/gitpack/cas")).unwrap();
        repo.pack(&["seal"])
    }),
    (Code::Transport, || {
        let place = Place::new();
        place.pack_in(place.path(), &["pull", "oci://127.0.0.1:1/x", "-o", "back"])
    }),
    (Code::Unsupported, || {
        let repo = Repo::empty();
        repo.write(".git/hooks/pre-push", "#!/bin/sh\ncall_lefthook run pre-push\n");
        repo.pack(&["install"])
    }),
];

#[test]
fn every_code_is_produced_with_a_whole_envelope() {
    let place = Place::new();
    let schema: serde_json::Value =
        serde_json::from_slice(&place.pack_in(place.path(), &["--schema"]).ok().stdout).unwrap();
    let schema = serde_json::json!({"$ref": "#/$defs/refusal", "$defs": schema["$defs"]});
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut seen = BTreeSet::new();
    for (code, produce) in CASES {
        let value = produce().refused(code.as_str());
        assert!(validator.is_valid(&value), "{value}");
        assert!(!value["refusal"]["message"].as_str().unwrap().is_empty());
        seen.insert(code.as_str());
    }
    assert_eq!(seen.len(), Code::ALL.len());
}

#[test]
fn a_manifest_of_300_megabytes_is_refused_without_being_read() {
    let place = Place::new();
    let path = place.path().join("pack/manifest.json");
    common::write(&path, "{");
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(300 << 20)
        .unwrap();
    // Too little memory to hold the manifest.
    let script = "ulimit -v 2000000; exec git-pack verify --json pack";
    let done = place.run(place.path(), "sh", &["-c", script]);
    assert_eq!(done.code, 2);
    assert!(
        done.out().contains("E_BAD_PACK") && done.out().contains("more than"),
        "{}",
        done.out()
    );
}
