//! `git pack attest`, and what `verify` and `inspect` say of attestations.

mod forged;
mod keys;
mod secrets;
mod tools;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::common::{Done, GIT_PACK, Place, Repo, snapshot, write};

const SUMMARY: &str = "https://slsa.dev/verification_summary/v1";

/// A place with the evidence pack `pack`.
struct Bench {
    place: Place,
    id: String,
}

impl Bench {
    fn new() -> Self {
        let place = Place::new();
        write(&place.path().join("files/a.txt"), "a\n");
        write(&place.path().join("files/b.txt"), "b\n");
        let args = ["seal", "files", "-o", "pack", "--created", "2026-01-15T10:30:00Z"];
        let out = place.pack_in(place.path(), &args).ok().out();
        let id = out.lines().next().unwrap().strip_prefix("PACK_CREATED ").unwrap();
        Self {
            id: id.to_owned(),
            place,
        }
    }

    fn pack(&self, args: &[&str]) -> Done {
        self.place.pack_in(self.place.path(), args)
    }

    fn run(&self, program: &str, args: &[&str]) -> Done {
        self.place.run(self.place.path(), program, args)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Writes a file that only its owner can read.
    fn private(&self, name: &str, content: impl AsRef<[u8]>) {
        write(&self.path(name), content);
        self.close(name);
    }

    fn close(&self, name: &str) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Makes a key with openssl: `<name>.pem`, and `<name>.pub.pem`.
    fn openssl(&self, name: &str, options: &[&str]) -> String {
        let (key, public) = (format!("{name}.pem"), format!("{name}.pub.pem"));
        self.run("openssl", &[&["genpkey", "-out", &key], options].concat())
            .ok();
        self.close(&key);
        self.run("openssl", &["pkey", "-in", &key, "-pubout", "-out", &public])
            .ok();
        key
    }

    fn ed25519(&self, name: &str) -> String {
        self.openssl(name, &["-algorithm", "ed25519"])
    }

    fn p256(&self, name: &str) -> String {
        self.openssl(name, &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
    }

    /// Attests the pack, and returns the attestation.
    #[track_caller]
    fn attest(&self, key: &str, more: &[&str]) -> PathBuf {
        let done = self.pack(&[&["attest", "pack", "--key", key], more].concat()).ok();
        let out = done.out();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!((lines.len(), lines[0]), (2, &*format!("ATTESTED {}", self.id)), "{out}");
        self.path(lines[1])
    }

    /// Verifies the pack with these keys. Returns the exit status, and the codes of findings and notices.
    fn verified(&self, keys: &[&str]) -> (i32, Vec<String>, Value) {
        let keys = keys.iter().flat_map(|key| ["--attestation-key", key]);
        let done = self.pack(&["verify", "pack", "--json"].into_iter().chain(keys).collect::<Vec<_>>());
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        let each = |list: &str| report[list].as_array().cloned().unwrap_or_default();
        let codes = each("invalid").into_iter().chain(each("notices"));
        let codes = codes.map(|each| each["code"].as_str().unwrap().to_owned()).collect();
        (done.code, codes, report)
    }

    /// Writes a file beside the pack, under a name that it could have.
    fn beside(&self, number: u32, content: impl AsRef<[u8]>) {
        let hex = self.id.strip_prefix("sha256:").unwrap();
        write(
            &self.path(&format!("pack.attestations/{hex}.{number}.intoto.jsonl")),
            content,
        );
    }
}

fn statement(attestation: &Path) -> Value {
    let envelope: Value = serde_json::from_slice(&fs::read(attestation).unwrap()).unwrap();
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

#[test]
fn a_pack_is_attested_and_each_key_finds_its_attestation() {
    let bench = Bench::new();
    let before = snapshot(&bench.path("pack"));
    let (one, two) = (bench.ed25519("one"), bench.p256("two"));
    let files = [bench.attest(&one, &[]), bench.attest(&two, &[])];
    for (file, number) in files.iter().zip([1, 2]) {
        let hex = bench.id.strip_prefix("sha256:").unwrap();
        let expected = format!("pack.attestations/{hex}.{number}.intoto.jsonl");
        assert_eq!(*file, bench.path(&expected));
        let text = fs::read_to_string(file).unwrap();
        assert!(text.ends_with("}\n") && text.lines().count() == 1);
        let statement = statement(file);
        assert_eq!(statement["predicateType"], SUMMARY);
        assert_eq!(statement["subject"].as_array().unwrap().len(), 1);
        assert_eq!(statement["subject"][0]["digest"]["sha256"], hex);
        assert_eq!(statement["predicate"]["timeVerified"], Value::Null);
    }
    assert!(snapshot(&bench.path("pack")) == before, "the pack is closed");
    for keys in [
        &["one.pub.pem"][..],
        &["two.pub.pem"],
        &["one.pub.pem", "two.pub.pem", "one.pub.pem"],
    ] {
        let (code, codes, report) = bench.verified(keys);
        let others = 2 - keys.len().min(2);
        assert_eq!((code, codes), (0, vec!["ATTESTATION_NOT_CHECKED".to_owned(); others]));
        let valid = report["attestations"].as_array().unwrap().iter();
        assert_eq!(valid.filter(|each| each["signature"] == "valid").count(), 2 - others);
    }
    // Nothing is demanded: what is there is told, and that nothing was checked.
    let (code, codes, _) = bench.verified(&[]);
    assert_eq!((code, codes.len()), (0, 2));
    let done = bench.pack(&["verify", "pack"]).ok();
    assert!(done.stderr.contains("no key was given"), "{}", done.stderr);
    let done = bench.pack(&["verify", "pack", "--attestation-key", "two.pub.pem"]).ok();
    assert!(
        done.out().contains("attested") && done.out().contains(".2.intoto.jsonl"),
        "{}",
        done.out()
    );
    // A key that attested nothing.
    bench.ed25519("three");
    let (code, codes, _) = bench.verified(&["one.pub.pem", "three.pub.pem"]);
    assert_eq!((code, &*codes[0]), (1, "ATTESTATION_MISSING"), "{codes:?}");
}

#[test]
fn the_same_pack_key_and_flags_make_the_same_bytes() {
    let bench = Bench::new();
    for key in [bench.ed25519("one"), bench.p256("two")] {
        for more in [&[][..], &["--members"], &["--created", "2026-01-15T10:30:00Z"]] {
            let file = bench.attest(&key, more);
            let bytes = fs::read(&file).unwrap();
            let done = bench.pack(&[&["attest", "pack", "--key", &key], more].concat()).ok();
            assert!(done.stderr.contains("was there already"), "{}", done.stderr);
            fs::remove_dir_all(bench.path("pack.attestations")).unwrap();
            let again = bench.attest(&key, more);
            assert_eq!(fs::read(again).unwrap(), bytes, "{key} {more:?}");
            fs::remove_dir_all(bench.path("pack.attestations")).unwrap();
        }
    }
}

#[test]
fn only_a_flag_and_the_environment_give_a_time() {
    let bench = Bench::new();
    let key = bench.ed25519("one");
    let at = |file: PathBuf| statement(&file)["predicate"]["timeVerified"].clone();
    let time = "2026-01-15T10:30:00Z";
    assert_eq!(at(bench.attest(&key, &[])), Value::Null);
    assert_eq!(at(bench.attest(&key, &["--created", time])), time);
    let run = |more: &[&str]| {
        let mut command = bench.place.command(GIT_PACK, bench.place.path());
        command.args(["attest", "pack", "--key", &key]).args(more);
        let done = Done::from(command.env("SOURCE_DATE_EPOCH", "60").output().unwrap()).ok();
        bench.path(done.out().lines().nth(1).unwrap())
    };
    assert_eq!(at(run(&[])), "1970-01-01T00:01:00Z");
    assert_eq!(at(run(&["--created", time])), time);
    bench
        .pack(&["attest", "pack", "--key", &key, "--created", "soon"])
        .refused("E_USAGE");
}

#[test]
fn members_are_subjects_if_that_is_wanted() {
    let bench = Bench::new();
    let file = bench.attest(&bench.ed25519("one"), &["--members"]);
    let statement = statement(&file);
    let names: Vec<&str> = statement["subject"]
        .as_array()
        .unwrap()
        .iter()
        .map(|subject| subject["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, [&bench.id, "files/a.txt", "files/b.txt"]);
    assert_eq!(bench.verified(&["one.pub.pem"]).0, 0);
    let out = bench.pack(&["inspect", "pack"]).ok().out();
    assert!(out.contains("3 subjects") && out.contains("not checked"), "{out}");
}

#[test]
fn the_summary_names_the_registry_of_a_tree_pack() {
    let repo = Repo::set_up();
    let (_, pack) = repo.seal(&["-o", "../pack"]);
    let key = ["genpkey", "-algorithm", "ed25519", "-out", "../key.pem"];
    repo.place.run(&repo.root, "openssl", &key).ok();
    let key = repo.place.path().join("key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let done = repo.pack(&["attest", "../pack", "--key", "../key.pem"]).ok();
    let file = PathBuf::from(done.out().lines().nth(1).unwrap());
    let registry = fs::read(pack.join("meta/PROTECTED.json")).unwrap();
    let expected = gitpack::format::digest::Digest::of(&registry).hex();
    let statement = statement(&repo.root.join(file));
    assert_eq!(statement["predicate"]["policy"]["digest"]["sha256"], expected);
    assert_eq!(statement["predicate"]["verificationResult"], "PASSED");
}

#[test]
fn a_file_gives_another_predicate() {
    let bench = Bench::new();
    let key = bench.ed25519("one");
    let provenance = r#" {"runDetails": {"builder": {"id": "https://ci.example/1"}},
        "buildDefinition": {"buildType": "https://ci.example/t", "externalParameters": {"b": 1.0, "a": []}}}"#;
    write(&bench.path("provenance.json"), provenance);
    let given = bench.attest(&key, &["--predicate", "provenance.json"]);
    let named = bench.attest(
        &key,
        &[
            "--type",
            "https://slsa.dev/provenance/v1",
            "--predicate",
            "provenance.json",
        ],
    );
    assert_eq!(given, named);
    assert_eq!(statement(&given)["predicateType"], "https://slsa.dev/provenance/v1");
    write(&bench.path("review.json"), r#"{"by":"a"}"#);
    let review = bench.attest(
        &key,
        &["--type", "https://example.org/review/v1", "--predicate", "review.json"],
    );
    assert_eq!(statement(&review)["predicate"]["by"], "a");
    assert_eq!(bench.verified(&["one.pub.pem"]).0, 0);
    let before = snapshot(&bench.path("pack.attestations"));
    for (name, content) in [
        ("twice.json", r#"{"a":1,"a":2}"#),
        ("long.json", r#"{"a":9007199254740993}"#),
        ("list.json", "[]"),
        ("text.json", "builder"),
    ] {
        write(&bench.path(name), content);
        let args = ["attest", "pack", "--key", &key, "--type", "urn:x", "--predicate", name];
        bench.pack(&args).refused("E_USAGE");
    }
    for more in [
        &["--predicate", "review.json"][..],
        &["--type", "slsa-provenance"],
        &["--type", "urn:x"],
        &["--type", "vsa", "--predicate", "review.json"],
        &["--type", "review", "--predicate", "review.json"],
        &["--predicate", "provenance.json", "--created", "2026-01-15T10:30:00Z"],
    ] {
        bench
            .pack(&[&["attest", "pack", "--key", &key], more].concat())
            .refused("E_USAGE");
    }
    bench
        .pack(&["attest", "pack", "--key", &key, "--predicate", "absent"])
        .refused("E_IO");
    assert!(snapshot(&bench.path("pack.attestations")) == before);
}

#[test]
fn a_pack_that_does_not_verify_is_never_attested() {
    let bench = Bench::new();
    let key = bench.ed25519("one");
    let attest = || bench.pack(&["attest", "pack", "--key", &key]);
    write(&bench.path("pack/extra"), "x");
    attest().refused("E_BAD_PACK");
    fs::remove_file(bench.path("pack/extra")).unwrap();
    write(&bench.path("pack/files/a.txt"), "x\n");
    attest().refused("E_BAD_PACK");
    bench.pack(&["attest", "absent", "--key", &key]).refused("E_BAD_PACK");
    let found = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vectors")).unwrap();
    let leaking = found
        .map(|entry| entry.unwrap().path())
        .find(|vector| fs::read_to_string(vector.join("expect")).is_ok_and(|text| text.contains("\nPLAINTEXT_LEAK ")));
    let leaking = leaking.unwrap().join("pack");
    crate::common::packs::copy_tree(&leaking, &bench.path("leak"));
    let value = bench
        .pack(&["attest", "leak", "--key", &key])
        .refused("E_PLAINTEXT_LEAK");
    assert!(value.to_string().contains("PLAINTEXT_LEAK"), "{value}");
    for beside in ["pack.attestations", "leak.attestations", "absent.attestations"] {
        assert!(!bench.path(beside).exists(), "{beside}");
    }
}

#[test]
fn a_pack_that_changes_meanwhile_is_never_attested() {
    let bench = Bench::new();
    let key = bench.ed25519("one");
    // So large that verifying takes a while.
    write(&bench.path("more/small"), "x");
    write(&bench.path("more/large"), vec![b'\n'; 64 << 20]);
    bench.pack(&["seal", "more", "-o", "large"]).ok();
    let mut command = bench.place.command(GIT_PACK, bench.place.path());
    command.args(["attest", "large", "--key", &key]);
    let mut attesting = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The content stays the same, and each time is another one.
    let small = bench.path("large/more/small");
    let member = fs::File::options().append(true).open(&small).unwrap();
    let mut time = SystemTime::UNIX_EPOCH;
    while attesting.try_wait().unwrap().is_none() {
        time += Duration::from_secs(1);
        member.set_modified(time).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    let done = Done::from(attesting.wait_with_output().unwrap());
    assert!(fs::metadata(&small).unwrap().mtime() > 1);
    assert_eq!(done.code, 2, "{}{}", done.out(), done.stderr);
    assert!(!bench.path("large.attestations").exists());
    let args = ["attest", "large", "--key", &key];
    bench.pack(&args).ok();
}

#[test]
fn an_attestation_stands_beside_a_directory_however_it_is_named() {
    let bench = Bench::new();
    let key = bench.ed25519("one");
    std::os::unix::fs::symlink("pack", bench.path("latest")).unwrap();
    let inside = bench.path("pack/files");
    for (directory, name) in [
        (bench.place.path(), "latest"),
        (bench.place.path(), "pack/"),
        (&*inside, ".."),
    ] {
        let key = bench.path(&key);
        let args = ["attest", name, "--key", key.to_str().unwrap()];
        bench.place.pack_in(directory, &args).ok();
        let found = fs::read_dir(bench.path("pack.attestations")).unwrap().count();
        assert_eq!(found, 1, "{name}");
        fs::remove_dir_all(bench.path("pack.attestations")).unwrap();
    }
    bench.pack(&["verify", "pack"]).ok();
}

#[test]
fn an_archive_or_an_address_has_nothing_beside_it() {
    let bench = Bench::new();
    let key = bench.ed25519("one");
    bench.pack(&["archive", "pack", "-o", "pack.tar.zst"]).ok();
    let address = format!("oci://127.0.0.1:1/x@{}", bench.id);
    for pack in ["pack.tar.zst", &address] {
        let value = bench.pack(&["attest", pack, "--key", &key]).refused("E_USAGE");
        assert!(value.to_string().contains("not a directory"), "{value}");
    }
    // What is demanded and is not there is a finding, wherever the pack is.
    let args = ["verify", "pack.tar.zst", "--attestation-key", "one.pub.pem"];
    let done = bench.pack(&args);
    assert_eq!(done.code, 1);
    assert!(done.out().contains("ATTESTATION_MISSING"), "{}", done.out());
}

#[test]
fn a_part_of_a_pack_is_attested_as_the_whole() {
    let bench = Bench::new();
    bench.attest(&bench.ed25519("one"), &[]);
    bench.ed25519("two");
    fs::remove_file(bench.path("pack/files/a.txt")).unwrap();
    let verify = |key: &str| bench.pack(&["verify", "pack", "--partial", "--attestation-key", key]);
    let done = verify("one.pub.pem").ok();
    assert!(
        done.out().contains("PARTIAL") && done.out().contains("attested"),
        "{}",
        done.out()
    );
    assert_eq!(verify("two.pub.pem").code, 1);
}
