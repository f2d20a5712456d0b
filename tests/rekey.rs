//! `git pack rekey`, end to end: with the real git, and with the `age` command to open what was rekeyed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{Done, Repo, noise, snapshot};
use serde_json::Value;

/// The `age` command: `GITPACK_AGE`, else `age`.
fn age() -> String {
    std::env::var("GITPACK_AGE").unwrap_or_else(|_| "age".into())
}

/// A repository with an untracked vector, and a key of somebody else's.
struct Bench {
    repo: Repo,
    secret: Vec<u8>,
    other: Key,
}

/// An identity file made by `age-keygen`, and its recipient.
struct Key {
    file: PathBuf,
    recipient: String,
}

impl Key {
    fn new(repo: &Repo, name: &str) -> Self {
        let file = repo.place.path().join(name);
        let text = file.to_str().unwrap();
        repo.place.run(&repo.root, "age-keygen", &["-o", text]).ok();
        let recipient = repo.place.run(&repo.root, "age-keygen", &["-y", text]).ok().out();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        Self {
            recipient: recipient.trim().to_owned(),
            file,
        }
    }

    fn text(&self) -> &str {
        self.file.to_str().unwrap()
    }
}

impl Bench {
    fn new() -> Self {
        let repo = Repo::set_up();
        let secret = noise(7, 200_000);
        repo.write("embeddings/index.vec", &secret);
        repo.write("notes.vec", "short");
        let other = Key::new(&repo, "other.txt");
        Self { repo, secret, other }
    }

    fn seal(&self, args: &[&str]) -> PathBuf {
        let attach = ["--attach", "embeddings/index.vec", "--attach", "notes.vec"];
        self.repo.seal(&[&attach[..], args].concat()).1
    }

    fn rekey(&self, what: &Path, output: &str, args: &[&str]) -> Done {
        let base = [
            "rekey",
            what.to_str().unwrap(),
            "-o",
            output,
            "-r",
            &self.other.recipient,
        ];
        self.repo.pack(&[&base[..], args].concat())
    }

    fn out(&self, name: &str) -> PathBuf {
        self.repo.place.path().join(name)
    }

    fn age(&self, identity: &Path, sealed: &Path) -> Done {
        let args = ["-d", "-i", identity.to_str().unwrap(), sealed.to_str().unwrap()];
        self.repo.place.run(&self.repo.root, &age(), &args)
    }

    /// Everything in and beside the repository but git's own files and the ledger.
    fn surroundings(&self) -> Vec<(PathBuf, u32, Vec<u8>)> {
        let mut all = snapshot(self.repo.place.path());
        all.retain(|(path, _, _)| !path.starts_with("repo/.git"));
        all
    }
}

fn document(pack: &Path) -> Value {
    serde_json::from_slice(&fs::read(pack.join("SEALED_ARTIFACTS.json")).unwrap()).unwrap()
}

fn manifest(pack: &Path) -> Value {
    serde_json::from_slice(&fs::read(pack.join("manifest.json")).unwrap()).unwrap()
}

/// The header of an age file, without the nonce, and what comes after it.
fn parts(file: &Path) -> (String, Vec<u8>) {
    let bytes = fs::read(file).unwrap();
    let mac = bytes.windows(5).position(|at| at == b"\n--- ").unwrap() + 1;
    let end = mac + bytes[mac..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    (String::from_utf8(bytes[..end].to_vec()).unwrap(), bytes[end..].to_vec())
}

#[test]
fn a_tree_pack_is_for_the_new_recipient_alone_and_keeps_its_payloads() {
    let bench = Bench::new();
    bench.repo.write("lock.json", "{\"version\":\"lock.v0\"}");
    bench.repo.commit_only("lock.json");
    let old = bench.seal(&["--note", "a note"]);
    let before = snapshot(&old);
    let done = bench.rekey(&old, "../new", &[]).ok();
    assert_eq!(done.out(), "REKEYED 2\n../new/\n");
    assert_eq!(snapshot(&old), before);
    let new = bench.out("new");
    let text = new.to_str().unwrap();
    bench.repo.pack(&["verify", text, "--rev", "HEAD"]).ok();
    let verified = bench.repo.pack(&["verify", text, "-i", bench.other.text()]).ok().out();
    assert!(verified.contains("2 sealed, all of them open"), "{verified}");

    let (was, is) = (document(&old), document(&new));
    for (was, is) in was["artifacts"]
        .as_array()
        .unwrap()
        .iter()
        .zip(is["artifacts"].as_array().unwrap())
    {
        for same in ["path", "class", "policy", "rule", "plain_bytes", "sealed_path", "nonce"] {
            assert_eq!(was[same], is[same], "{same}");
        }
        assert_ne!(was["sealed_hash"], is["sealed_hash"]);
        let member = is["sealed_path"].as_str().unwrap();
        let ((old_header, old_payload), (header, payload)) = (parts(&old.join(member)), parts(&new.join(member)));
        assert!(old_payload == payload, "{member}");
        // No stanza of the old header is in the new one.
        for line in old_header.lines().filter(|line| line.starts_with("-> ")) {
            assert!(!header.contains(line), "{line}");
        }
        assert_ne!(bench.age(&bench.repo.identity(), &new.join(member)).code, 0, "{member}");
    }
    assert_eq!(was["registry_hash"], is["registry_hash"]);
    let opened = bench
        .age(&bench.other.file, &new.join("sealed/embeddings/index.vec.age"))
        .ok();
    assert!(opened.stdout == bench.secret);
    bench
        .repo
        .pack(&["open", text, "-o", "../mine"])
        .refused("E_NO_IDENTITY");
    bench
        .repo
        .pack(&["open", text, "-i", bench.other.text(), "-o", "../theirs"])
        .ok();
    assert!(fs::read(bench.out("theirs/embeddings/index.vec")).unwrap() == bench.secret);

    let (was, is) = (manifest(&old), manifest(&new));
    for same in ["created", "note", "member_count"] {
        assert_eq!(was[same], is[same], "{same}");
    }
    assert_ne!(was["pack_id"], is["pack_id"]);
    let changed: Vec<&str> = is["members"]
        .as_array()
        .unwrap()
        .iter()
        .zip(was["members"].as_array().unwrap())
        .filter(|(is, was)| is != was)
        .map(|(is, _)| is["path"].as_str().unwrap())
        .collect();
    let expected = [
        "SEALED_ARTIFACTS.json",
        "meta/FILE_INDEX.json",
        "sealed/embeddings/index.vec.age",
        "sealed/notes.vec.age",
    ];
    assert_eq!(changed, expected);
    let kinds: Vec<&Value> = is["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| &member["type"])
        .collect();
    assert!(kinds.contains(&&Value::from("lockfile")), "{kinds:?}");
}

#[test]
fn what_cannot_be_rekeyed_is_refused_and_leaves_nothing() {
    let bench = Bench::new();
    let pack = bench.seal(&[]);
    let before = bench.surroundings();
    let refused = |args: &[&str], code: &str| {
        let done = bench.repo.pack(&[&["rekey"], args].concat()).refused(code);
        assert_eq!(bench.surroundings(), before, "{args:?}");
        done
    };
    let pack = pack.to_str().unwrap();
    let to_other = ["-r", bench.other.recipient.as_str()];
    let wrong_key = ["-i", bench.other.text(), "-o", "../new"];
    refused(&[&[pack][..], &to_other, &wrong_key].concat(), "E_NO_IDENTITY");
    refused(
        &[&[pack, "--reencrypt"][..], &to_other, &wrong_key].concat(),
        "E_NO_IDENTITY",
    );
    refused(&[pack, "-r", "age1x", "-o", "../new"], "E_USAGE");
    refused(&[&[pack, "-o", "."][..], &to_other].concat(), "E_IO");
    refused(&[&[pack, "-o", ".", "--replace"][..], &to_other].concat(), "E_IO");
    let value = refused(&[&[pack, "-o", pack][..], &to_other].concat(), "E_IO");
    let next = value["refusal"]["next_command"].as_str().unwrap();
    assert!(next.ends_with("--replace"), "{next}");
    let inside = format!("{pack}/inside");
    let value = refused(&[&[pack, "-o", &inside][..], &to_other].concat(), "E_USAGE");
    assert!(
        value["refusal"]["message"]
            .as_str()
            .unwrap()
            .contains("in the pack itself"),
        "{value}"
    );
    refused(&[&["absent", "-o", "../new"][..], &to_other].concat(), "E_IO");
    // Without a place to put it nothing is done, and the message names the flag.
    let done = bench.repo.pack(&[&["rekey", pack][..], &to_other].concat());
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("--output"), "{}", done.stderr);
    assert_eq!(bench.surroundings(), before);
}
