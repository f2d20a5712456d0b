//! The content store: what a tree pack stores, that everything is rooted, and that every fault is reported.
//!
//! The tests named `p2_8_…` are those that the contract of the content-addressed packer asks for, in its order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::common;
use crate::common::packs::{codes, copy_tree, document, recompute};
use crate::common::{Repo, noise, snapshot};
use gitpack::format::canonical_json::to_document;
use gitpack::format::digest::Digest;
use gitpack::format::digest_table::DigestTable;
use gitpack::format::mac::MacKey;
use gitpack::rules::audit::FindingCode;
use serde_json::{Value, json};

const CONFIG: &str = "version = 1\n[pack]\nemit = [\"lite\", \"repo\"]\n[scope.repo]\ntitle = \"A title\"\n\
                      buckets = [\"LAW\", \"CAPABILITY\"]\n";

/// Returns lines that occur nowhere else.
fn lines(seed: u64) -> String {
    (0..20)
        .map(|n| format!("line {n} of {seed}: only here {}\n", seed * 1000 + n))
        .collect()
}

/// Makes every kind of entry with recognisable content; with `sealed`, also one tracked and one attached artifact.
fn library(sealed: bool) -> Repo {
    let repo = Repo::set_up();
    let init = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let init = init.replace("version = 1\n", CONFIG);
    repo.write(".gitpack.toml", init);
    for (n, path) in [
        "LAW/a.md",
        "CAPABILITY/b/c.rs",
        "MEMORY/d",
        "top.txt",
        "a-b/x",
        "a/y",
        "a.b/z",
    ]
    .iter()
    .enumerate()
    {
        repo.write(path, lines(n as u64));
    }
    repo.write("a/same", lines(1));
    repo.write("empty", "");
    repo.write("run.sh", "#!/bin/sh\necho recognisable by this\n");
    fs::set_permissions(repo.path("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("LAW/a.md", repo.path("link")).unwrap();
    if sealed {
        repo.write("vectors/tracked.vec", noise(1, 5000));
    }
    repo.git(&["add", "-A"]).ok();
    let submodule = format!("160000,{},sub", "1".repeat(40));
    repo.git(&["update-index", "--add", "--cacheinfo", &submodule]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "library"]).ok();
    if sealed {
        repo.write("vectors/attached.vec", noise(2, 7000));
    }
    repo
}

const ATTACH: [&str; 2] = ["--attach", "vectors/attached.vec"];

fn store(repo: &Repo) -> PathBuf {
    repo.path(".git/gitpack/cas")
}

/// Maps the files of the store by their hash.
fn stored(repo: &Repo) -> BTreeMap<String, PathBuf> {
    let files = snapshot(&store(repo))
        .into_iter()
        .filter(|(_, mode, _)| mode & 0o170000 == 0o100000);
    let named = files.filter_map(|(path, ..)| {
        let hash = path.to_str().unwrap().replace('/', "");
        Some((Digest::parse_hex(&hash)?.hex(), store(repo).join(path)))
    });
    named.collect()
}

fn put(repo: &Repo, bytes: &[u8]) -> Digest {
    let hash = Digest::of(bytes);
    common::write(&store(repo).join(&hash.hex()[..2]).join(&hash.hex()[2..]), bytes);
    hash
}

/// Overwrites a read-only file of the store.
fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

fn run_directory(repo: &Repo) -> PathBuf {
    let last = fs::read_to_string(repo.path(".git/gitpack/runs/last")).unwrap();
    repo.path(".git/gitpack/runs").join(last.trim())
}

fn run_id(repo: &Repo) -> String {
    run_directory(repo).file_name().unwrap().to_str().unwrap().to_owned()
}

fn roots(repo: &Repo) -> Vec<String> {
    serde_json::from_slice(&fs::read(run_directory(repo).join("RUN_ROOTS.json")).unwrap()).unwrap()
}

fn write_roots(repo: &Repo, roots: &[String]) {
    fs::write(run_directory(repo).join("RUN_ROOTS.json"), to_document(&roots)).unwrap();
}

/// Runs an audit; returns the exit status, and code and subject of each finding.
fn audit(repo: &Repo, args: &[&str]) -> (i32, Vec<(String, String)>) {
    let done = repo.pack(&[&["audit", "--json"], args].concat());
    let report: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {}", done.stderr));
    assert_eq!(report["version"], "pack.audit.v0");
    assert_eq!(
        report["verdict"],
        if done.code == 0 { "PASS" } else { "FAIL" },
        "{report}"
    );
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    (
        done.code,
        findings.map(|f| (text(f, "code"), text(f, "subject"))).collect(),
    )
}

#[track_caller]
fn passes(repo: &Repo) {
    assert_eq!(audit(repo, &[]), (0, Vec::new()));
    assert_eq!(audit(repo, &["--run", "last"]), (0, Vec::new()));
    assert_eq!(audit(repo, &["--deep"]), (0, Vec::new()));
}

#[track_caller]
fn fails(repo: &Repo, code: &str, subject: &str) {
    for args in [&[][..], &["--run", "last"]] {
        let (status, findings) = audit(repo, args);
        assert_eq!(status, 1);
        assert!(
            findings.contains(&(code.to_owned(), subject.to_owned())),
            "{code} {subject} is not among {findings:?}"
        );
    }
}

/// Asserts that sealing is refused with this code and leaves no pack.
#[track_caller]
fn seal_refused(repo: &Repo, code: &str) -> Value {
    let before = snapshot(&repo.path("_PACK_RUN"));
    let refused = repo
        .pack(&["seal", "--attach", "vectors/attached.vec", "-o", "../refused"])
        .refused(code);
    assert!(!repo.place.path().join("refused").exists());
    assert_eq!(snapshot(&repo.path("_PACK_RUN")), before);
    refused
}

#[test]
fn p2_8_1_determinism_two_builds_give_one_manifest_and_one_set_of_refs() {
    let repo = library(false);
    let clone = repo.place.path().join("clone");
    repo.place
        .run(
            repo.place.path(),
            "git",
            &["clone", "-q", repo.root.to_str().unwrap(), "clone"],
        )
        .ok();
    let (id, pack) = repo.seal(&["-o", "../first"]);
    repo.place.pack_in(&clone, &["seal", "-o", "../second"]).ok();
    let other = repo.place.path().join("second");
    assert_eq!(document(&other, "manifest.json")["pack_id"], id);
    for member in ["LITE/PACK_MANIFEST.json", "LITE/RUN_REFS.json", "LITE/INDEX.md"] {
        assert_eq!(
            fs::read(pack.join(member)).unwrap(),
            fs::read(other.join(member)).unwrap(),
            "{member}"
        );
    }
    let receipts = |place: &Path| {
        repo.place
            .pack_in(place, &["audit", "--run", "last", "--json"])
            .ok()
            .out()
    };
    assert_eq!(receipts(&repo.root), receipts(&clone));
    let runs = |place: &Path| snapshot(&place.join(".git/gitpack/runs"));
    assert_eq!(runs(&repo.root), runs(&clone));
    // Sealing again in the same place changes nothing.
    let before = (stored(&repo), runs(&repo.root));
    let (again, _) = repo.seal(&["-o", "../third"]);
    assert_eq!((again, stored(&repo), runs(&repo.root)), (id, before.0, before.1));
    passes(&repo);
}

#[test]
fn p2_8_2_lite_is_manifest_only() {
    let repo = library(true);
    let (_, pack) = repo.seal(&["-o", "../pack", "--emit", "lite", ATTACH[0], ATTACH[1]]);
    repo.pack(&["verify", "../pack", "--rev", "HEAD"]).ok();
    assert!(!pack.join("repo").exists());
    let mut files = 0;
    let lite: Vec<Vec<u8>> = snapshot(&pack.join("LITE"))
        .into_iter()
        .map(|(.., bytes)| bytes)
        .collect();
    assert_eq!(lite.len(), 3);
    let contains = |needle: &[u8]| {
        lite.iter()
            .any(|file| file.windows(needle.len()).any(|part| part == needle))
    };
    for path in repo.git(&["ls-files", "-z"]).ok().out().split_terminator('\0') {
        let Ok(content) = fs::read(repo.path(path)) else {
            continue;
        };
        files += 1;
        for line in content.split(|byte| *byte == b'\n').filter(|line| line.len() > 8) {
            assert!(
                !contains(line),
                "a line of {path} is in LITE: {}",
                String::from_utf8_lossy(line)
            );
        }
    }
    assert!(files > 10);
    for secret in [noise(1, 5000), noise(2, 7000)] {
        assert!(secret.windows(32).step_by(32).all(|part| !contains(part)));
        // Not even the hash of a protected artifact is stored.
        assert!(!contains(Digest::of(&secret).hex().as_bytes()));
    }
    // The search itself works.
    assert!(contains(b"PACK_MANIFEST"));
}

#[test]
fn p2_8_3_manifest_entries_are_sorted_and_no_path_is_there_twice() {
    let repo = library(true);
    let (_, pack) = repo.seal(&["-o", "../pack", ATTACH[0], ATTACH[1]]);
    let manifest = document(&pack, "LITE/PACK_MANIFEST.json");
    assert_eq!(
        (&manifest["version"], &manifest["scope"]),
        (&json!("P2.0"), &json!("repo"))
    );
    assert_eq!(
        manifest["repo_state"],
        json!({ "commit": repo.rev("HEAD"), "tree": repo.rev("HEAD^{tree}") })
    );
    assert_eq!(
        manifest["buckets"],
        json!(["LAW", "CAPABILITY", "MEMORY", "a", "a-b", "a.b", "vectors"])
    );
    let entries = manifest["entries"].as_array().unwrap();
    let paths: Vec<&str> = entries.iter().map(|entry| entry["path"].as_str().unwrap()).collect();
    assert!(paths.is_sorted_by(|a, b| a.as_bytes() < b.as_bytes()));
    let mut expected: BTreeSet<String> = repo
        .git(&["ls-files", "-z"])
        .ok()
        .out()
        .split_terminator('\0')
        .map(str::to_owned)
        .collect();
    expected.insert("vectors/attached.vec".into());
    assert_eq!(
        paths.iter().map(|path| (*path).to_owned()).collect::<BTreeSet<_>>(),
        expected
    );
    for entry in entries {
        let path = entry["path"].as_str().unwrap();
        let content = match entry["kind"].as_str().unwrap() {
            "SEALED" => fs::read(pack.join(format!("sealed/{path}.age"))).unwrap(),
            kind => {
                assert_eq!(kind, "FILE");
                fs::read(pack.join("repo").join(path)).unwrap()
            }
        };
        assert_eq!(entry["ref"], Digest::of(&content).to_string(), "{path}");
        assert_eq!(entry["bytes"], content.len(), "{path}");
    }
}

#[test]
fn p2_8_4_a_ref_of_any_other_shape_fails_closed() {
    let repo = library(false);
    let (_, pack) = repo.seal(&["-o", "../pack"]);
    let hex = Digest::of(b"x").hex();
    let bad = [
        hex.clone(),
        format!("sha256:{}", hex.to_uppercase()),
        format!("sha256:{}", &hex[1..]),
        format!("sha256:{hex}0"),
        format!("SHA256:{hex}"),
        format!("blake3:{hex}"),
        format!("sha256:{}", "g".repeat(64)),
        format!("sha256:../{}", &hex[3..]),
        String::new(),
    ];
    for bad in &bad {
        pin_refused(&repo, bad, "expected sha256: and 64 lowercase hex digits");
        let forged = repo.place.path().join("forged");
        copy_tree(&pack, &forged);
        let mut manifest = document(&forged, "LITE/PACK_MANIFEST.json");
        manifest["entries"][0]["ref"] = json!(bad);
        fs::write(forged.join("LITE/PACK_MANIFEST.json"), to_document(&manifest)).unwrap();
        recompute(&forged);
        assert!(
            codes(&forged).contains(&("LITE/PACK_MANIFEST.json".into(), "SCHEMA_VIOLATION")),
            "{bad}"
        );
        fs::remove_dir_all(forged).unwrap();
        let whole = roots(&repo);
        let mut roots = whole.clone();
        roots.insert(
            0,
            bad.strip_prefix("sha256:")
                .filter(|rest| rest.len() != 64)
                .unwrap_or(bad)
                .to_owned(),
        );
        write_roots(&repo, &roots);
        fails(&repo, "ROOTS_INVALID", "RUN_ROOTS.json");
        write_roots(&repo, &whole);
    }
    passes(&repo);
}

#[test]
fn p2_8_5_without_any_one_of_its_roots_the_audit_fails_and_so_does_the_seal() {
    let repo = library(true);
    repo.seal(&ATTACH);
    passes(&repo);
    let whole = roots(&repo);
    assert!(whole.len() > 15);
    let refs = fs::read(run_directory(&repo).join("RUN_REFS.json")).unwrap();
    let hashes: Value = serde_json::from_slice(&refs).unwrap();
    let outputs_ref = hashes["output_hashes_ref"]
        .as_str()
        .unwrap()
        .strip_prefix("sha256:")
        .unwrap();
    let outputs: Value = serde_json::from_slice(&fs::read(&stored(&repo)[outputs_ref]).unwrap()).unwrap();
    let outputs: BTreeSet<&str> = outputs["hashes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| &o.as_str().unwrap()[7..])
        .collect();
    let records = hashes
        .as_object()
        .unwrap()
        .values()
        .filter_map(|v| v.as_str().unwrap().strip_prefix("sha256:"));
    let needed: BTreeSet<&str> = outputs.iter().copied().chain(records).collect();
    assert_eq!(
        needed,
        whole.iter().map(String::as_str).collect(),
        "a root is not an output or a record"
    );
    for gone in &whole {
        let rest: Vec<String> = whole.iter().filter(|root| *root != gone).cloned().collect();
        write_roots(&repo, &rest);
        fails(&repo, "NOT_ROOTED", &format!("sha256:{gone}"));
    }
    // Leaves out a root other than the STATUS. A run that failed for its STATUS alone would get a new STATUS, and pass.
    let passed = hashes["status_ref"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let gone = whole.iter().find(|root| *root != passed).unwrap().clone();
    let rest: Vec<String> = whole.iter().filter(|root| **root != gone).cloned().collect();
    write_roots(&repo, &rest);
    let refused = seal_refused(&repo, "E_AUDIT");
    assert!(
        refused["refusal"]["message"].as_str().unwrap().contains(&gone),
        "{refused}"
    );
    // The run records its own failure, and keeps it until the user acts.
    let refs = document(&run_directory(&repo), "RUN_REFS.json");
    let status = refs["status_ref"]
        .as_str()
        .unwrap()
        .strip_prefix("sha256:")
        .unwrap()
        .to_owned();
    let status: Value = serde_json::from_slice(&fs::read(&stored(&repo)[&status]).unwrap()).unwrap();
    assert_eq!(
        (&status["state"], &status["verdict"]),
        (&json!("FAILED"), &json!("FAIL"))
    );
    fails(&repo, "RUN_FAILED", refs["status_ref"].as_str().unwrap());
    seal_refused(&repo, "E_AUDIT");
    // The refusal names this remedy.
    fs::remove_dir_all(run_directory(&repo)).unwrap();
    repo.seal(&["-o", "../pack", ATTACH[0], ATTACH[1]]);
    assert_eq!(roots(&repo), whole);
    passes(&repo);
}

#[test]
fn p2_8_6_full_and_split_are_what_they_are_without_lite() {
    let repo = library(false);
    let (_, with) = repo.seal(&["-o", "../with", "--emit", "full,split,lite,repo"]);
    let (_, without) = repo.seal(&["-o", "../without", "--emit", "full,split,repo"]);
    for part in ["FULL", "SPLIT", "repo"] {
        assert_eq!(snapshot(&with.join(part)), snapshot(&without.join(part)), "{part}");
    }
    assert!(with.join("LITE").exists() && !without.join("LITE").exists());
    for pack in ["../with", "../without"] {
        repo.pack(&["verify", pack, "--rev", "HEAD"]).ok();
    }
    passes(&repo);
}

#[test]
fn p2_8_7_no_record_names_a_place_a_person_or_a_time() {
    let repo = library(true);
    repo.seal(&ATTACH);
    let place = repo.place.path().to_str().unwrap().to_owned();
    let year = "2026-";
    for (hash, path) in stored(&repo) {
        let bytes = fs::read(path).unwrap();
        assert_eq!(Digest::of(&bytes).hex(), hash);
        let text = String::from_utf8_lossy(&bytes);
        for needle in [place.as_str(), "example.org", "/home", "/tmp", year] {
            assert!(!text.contains(needle), "{needle} in {text}");
        }
        // Each object is canonical JSON, a ciphertext, or the content of a submodule entry.
        let is_age = text.starts_with("age-encryption.org/v1");
        let is_json = serde_json::from_slice::<Value>(&bytes).is_ok_and(|value| to_document(&value) == bytes);
        assert!(is_age || is_json || text == "1".repeat(40), "{text}");
    }
}

#[test]
fn any_flipped_byte_and_any_missing_object_is_named_and_stops_the_seal() {
    let repo = library(true);
    repo.seal(&ATTACH);
    for (hash, path) in stored(&repo) {
        let whole = fs::read(&path).unwrap();
        let subject = format!("sha256:{hash}");
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 0x20;
        overwrite(&path, &flipped);
        fails(&repo, "OBJECT_CORRUPT", &subject);
        let refused = repo.pack(&["seal", ATTACH[0], ATTACH[1], "-o", "../refused"]);
        assert_eq!(refused.code, 2, "{}", refused.out());
        assert!(!repo.place.path().join("refused").exists());
        overwrite(&path, &whole[..whole.len() - 1]);
        assert!(
            audit(&repo, &[])
                .1
                .contains(&("OBJECT_CORRUPT".into(), subject.clone()))
        );
        fs::remove_file(&path).unwrap();
        fails(&repo, "OBJECT_MISSING", &subject);
        // Each refused seal records the run as failed, so the run is removed and sealed again below.
        let refused = repo.pack(&["seal", ATTACH[0], ATTACH[1], "-o", "../refused"]);
        assert_eq!(refused.code, 2, "{}", refused.out());
        fs::write(&path, &whole).unwrap();
        fs::remove_dir_all(run_directory(&repo)).unwrap();
        let (_, pack) = repo.seal(&["-o", "../pack", ATTACH[0], ATTACH[1]]);
        passes(&repo);
        fs::remove_dir_all(pack).unwrap();
    }
}

#[test]
fn what_git_holds_is_audited_too() {
    let repo = library(false);
    repo.seal(&["-o", "../lite", "--emit", "lite"]);
    repo.seal(&[]);
    let blob = repo.rev("HEAD:LAW/a.md");
    let path = repo.path(&format!(".git/objects/{}/{}", &blob[..2], &blob[2..]));
    let subject = Digest::of(lines(0).as_bytes()).to_string();
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    overwrite(&path, &flipped);
    fails(&repo, "OBJECT_CORRUPT", &subject);
    seal_refused_plain(&repo);
    // The same where nothing is copied and every digest is known.
    let refused = repo.pack(&["seal", "--emit", "lite", "-o", "../refused"]);
    assert_eq!(refused.code, 2, "{}", refused.out());
    fs::remove_file(&path).unwrap();
    fails(&repo, "OBJECT_MISSING", &subject);
    seal_refused_plain(&repo);
    let lite = repo.pack(&["seal", "--emit", "lite", "-o", "../refused"]);
    assert_eq!(
        lite.code,
        2,
        "a pack without copies also needs its contents: {}",
        lite.out()
    );
    fs::write(&path, &whole).unwrap();
    repo.seal(&["-o", "../lite-again", "--emit", "lite"]);
    passes_after_a_failure(&repo);
}

fn seal_refused_plain(repo: &Repo) {
    let refused = repo.pack(&["seal", "-o", "../refused"]);
    assert_eq!(refused.code, 2, "{}", refused.out());
    assert!(!repo.place.path().join("refused").exists());
}

/// Asserts that a run that failed for a missing object passes after the object is back and the run is sealed again.
fn passes_after_a_failure(repo: &Repo) {
    repo.seal(&["-o", "../again"]);
    passes(repo);
}

#[test]
fn without_the_ref_of_the_run_the_commit_is_not_kept() {
    let repo = library(false);
    repo.git(&["checkout", "-q", "-b", "side"]).ok();
    repo.write("only-here.txt", "only in this commit\n");
    repo.commit("side");
    let commit = repo.rev("HEAD");
    repo.seal(&["-o", "../side"]);
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.git(&["branch", "-q", "-D", "side"]).ok();
    let expire = ["reflog", "expire", "--expire=now", "--all"];
    let prune = ["gc", "-q", "--prune=now"];
    repo.git(&expire).ok();
    repo.git(&prune).ok();
    // Only the run refers to that commit now.
    passes(&repo);
    let name = format!("refs/gitpack/runs/{}", run_id(&repo));
    assert_eq!(repo.rev(&name), commit);
    repo.git(&["update-ref", &name, "HEAD"]).ok();
    fails(&repo, "REF_MISSING", &name);
    repo.git(&["update-ref", "-d", &name]).ok();
    fails(&repo, "REF_MISSING", &name);
    repo.git(&prune).ok();
    fails(&repo, "OBJECT_MISSING", &commit);
    fails(
        &repo,
        "OBJECT_MISSING",
        &Digest::of(b"only in this commit\n").to_string(),
    );
    repo.pack(&["seal", "--rev", &commit, "-o", "../refused"])
        .refused("E_BAD_REVISION");
    assert!(!repo.place.path().join("refused").exists());
}

#[test]
fn a_dropped_ref_stops_the_seal_even_while_a_branch_has_the_commit() {
    let repo = library(true);
    repo.seal(&ATTACH);
    let name = format!("refs/gitpack/runs/{}", run_id(&repo));
    repo.git(&["update-ref", "-d", &name]).ok();
    seal_refused(&repo, "E_AUDIT");
    fs::remove_dir_all(run_directory(&repo)).unwrap();
    repo.seal(&["-o", "../pack", ATTACH[0], ATTACH[1]]);
    passes(&repo);
}

#[test]
fn a_pack_that_stands_is_no_reason_not_to_record_and_audit_its_run() {
    let repo = library(true);
    let sealed = repo.seal(&ATTACH);
    let directory = run_directory(&repo);
    let whole = snapshot(&directory);
    fs::remove_dir_all(&directory).unwrap();
    fs::remove_dir_all(store(&repo)).unwrap();
    assert_eq!(repo.seal(&ATTACH), sealed);
    assert_eq!(snapshot(&directory), whole);
    passes(&repo);
    let name = format!("refs/gitpack/runs/{}", run_id(&repo));
    repo.git(&["update-ref", "-d", &name]).ok();
    repo.pack(&["seal", ATTACH[0], ATTACH[1]]).refused("E_AUDIT");
    repo.pack(&["verify", sealed.1.to_str().unwrap()]).ok();
    // The refusal names this remedy.
    fs::remove_dir_all(&directory).unwrap();
    assert_eq!(repo.seal(&ATTACH), sealed);
    passes(&repo);
}

#[test]
fn what_has_the_name_of_a_run_is_audited_as_one() {
    let repo = library(false);
    repo.seal(&[]);
    let away = repo.place.path().join("away");
    let runs = repo.path(".git/gitpack/runs");
    let directory = run_directory(&repo);
    for path in [&directory, &runs] {
        fs::rename(path, &away).unwrap();
        fs::write(path, "").unwrap();
        repo.pack(&["audit", "--json"]).refused("E_IO");
        fs::remove_file(path).unwrap();
        // An attacker may have planted a link, whatever it points to.
        for target in [&repo.place.path().join("nowhere"), &away] {
            symlink(target, path).unwrap();
            repo.pack(&["audit", "--json"]).refused("E_IO");
            fs::remove_file(path).unwrap();
        }
        fs::rename(&away, path).unwrap();
    }
    passes(&repo);
}

#[test]
fn records_that_do_not_belong_together_are_found() {
    let repo = library(false);
    repo.seal(&[]);
    let directory = run_directory(&repo);
    let refs = document(&directory, "RUN_REFS.json");
    let whole = roots(&repo);
    let record = |name: &str| -> Value {
        let hash = refs[name].as_str().unwrap().strip_prefix("sha256:").unwrap();
        serde_json::from_slice(&fs::read(&stored(&repo)[hash]).unwrap()).unwrap()
    };
    let changes: [(&str, &str, Value); 4] = [
        (
            "task_spec_ref",
            "repo_state",
            json!({"commit": "1".repeat(40), "tree": "2".repeat(40)}),
        ),
        ("task_spec_ref", "version", json!("pack.task_spec.v9")),
        ("output_hashes_ref", "hashes", json!([])),
        ("status_ref", "manifest_ref", json!(Digest::of(b"x").to_string())),
    ];
    for (name, key, value) in changes {
        let mut forged = record(name);
        forged[key] = value;
        let hash = put(&repo, &to_document(&forged));
        let mut refs = refs.clone();
        refs[name] = json!(hash.to_string());
        let mut roots = whole.clone();
        roots.push(hash.hex());
        roots.sort();
        roots.dedup();
        fs::write(directory.join("RUN_REFS.json"), to_document(&refs)).unwrap();
        write_roots(&repo, &roots);
        let (status, findings) = audit(&repo, &[]);
        assert_eq!(status, 1, "{name} {key}");
        assert!(!findings.is_empty());
        seal_refused_plain(&repo);
        fs::remove_dir_all(&directory).unwrap();
        repo.seal(&["-o", "../again", "--replace"]);
    }
    for bad in [&b""[..], b"{}\n", b"[]\n", b"not JSON"] {
        let whole = fs::read(directory.join("RUN_REFS.json")).unwrap();
        fs::write(directory.join("RUN_REFS.json"), bad).unwrap();
        fails(&repo, "RECORD_INVALID", "RUN_REFS.json");
        seal_refused_plain(&repo);
        fs::remove_dir_all(&directory).unwrap();
        repo.seal(&["-o", "../again", "--replace"]);
        assert_eq!(fs::read(directory.join("RUN_REFS.json")).unwrap(), whole);
    }
    fs::remove_file(directory.join("RUN_REFS.json")).unwrap();
    fails(&repo, "RECORD_INVALID", "RUN_REFS.json");
    fs::remove_file(directory.join("RUN_ROOTS.json")).unwrap();
    fails(&repo, "ROOTS_INVALID", "RUN_ROOTS.json");
}

#[test]
fn pins_keep_content_and_are_audited() {
    let repo = library(false);
    // The store is empty, and an audit does not create one.
    passes_empty(&repo);
    repo.seal(&[]);
    // Content that only git has is not copied into the store, because it may be protected.
    let committed = Digest::of(lines(0).as_bytes()).to_string();
    pin_refused(&repo, &committed, "is not in the content store");
    assert!(!stored(&repo).contains_key(&committed[7..]));
    let content = put(&repo, b"kept").to_string();
    let before = snapshot(&repo.path(".git"));
    let would = repo.pack(&["audit", "-n", "--pin", &content]).ok();
    assert!(would.out().starts_with("would pin "), "{}", would.out());
    assert_eq!(snapshot(&repo.path(".git")), before);
    let pinned = repo.pack(&["audit", "--pin", &content]).ok();
    assert!(pinned.out().contains(&content), "{}", pinned.out());
    let pins: Vec<String> = serde_json::from_slice(&fs::read(repo.path(".git/gitpack/GC_PINS.json")).unwrap()).unwrap();
    assert_eq!(pins, [&content[7..]]);
    repo.pack(&["audit", "--pin", &content]).ok();
    assert_eq!(audit(&repo, &[]), (0, Vec::new()));
    pin_refused(
        &repo,
        &Digest::of(b"nowhere").to_string(),
        "is not in the content store",
    );
    let path = stored(&repo)[&content[7..]].clone();
    overwrite(&path, b"other");
    assert_eq!(audit(&repo, &[]), (1, vec![("OBJECT_CORRUPT".into(), content.clone())]));
    fs::remove_file(&path).unwrap();
    assert_eq!(audit(&repo, &[]), (1, vec![("OBJECT_MISSING".into(), content.clone())]));
    fs::write(repo.path(".git/gitpack/GC_PINS.json"), "[\"x\"]\n").unwrap();
    assert_eq!(
        audit(&repo, &[]),
        (1, vec![("PINS_INVALID".into(), "GC_PINS.json".into())])
    );
    let refused = repo.pack(&["audit", "--unpin", &content]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("GC_PINS.json"), "{}", refused.stderr);
    fs::write(repo.path(".git/gitpack/GC_PINS.json"), to_document(&pins)).unwrap();
    let would = repo.pack(&["audit", "--unpin", &content, "--dry-run"]).ok();
    assert!(would.out().starts_with("would unpin "), "{}", would.out());
    assert_eq!(audit(&repo, &[]).0, 1);
    repo.pack(&["audit", "--unpin", &content]).ok();
    assert_eq!(repo.pack(&["audit", "-n"]).code, 2);
    passes(&repo);
}

#[track_caller]
fn pin_refused(repo: &Repo, content: &str, why: &str) {
    let refused = repo.pack(&["audit", &format!("--pin={content}")]);
    assert_eq!((refused.code, refused.out()), (2, String::new()));
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
}

fn passes_empty(repo: &Repo) {
    let before = snapshot(&repo.path(".git"));
    assert_eq!(audit(repo, &[]), (0, Vec::new()));
    assert_eq!(snapshot(&repo.path(".git")), before);
    for name in ["last", "../../x", "0123456789ab"] {
        let refused = repo.pack(&["audit", "--run", name]);
        assert_eq!((refused.code, refused.out()), (2, String::new()));
        assert!(
            refused.stderr.contains(&format!("there is no run {name} here")),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn a_digest_cache_that_lies_is_found_by_a_deep_audit() {
    let repo = library(false);
    repo.seal(&[]);
    let path = repo.path(".git/gitpack/digests");
    // A table under another key would not be believed.
    let key = fs::read(repo.place.home().join(".local/state/git-pack/memory.key")).unwrap();
    let key = MacKey::from_bytes(key.try_into().unwrap()).derive("digests");
    let table = DigestTable::parse(fs::read(&path).unwrap(), &key).unwrap();
    let (id, _, size) = table.records().next().unwrap();
    fs::write(&path, table.with(&[(id, Digest::of(b"a lie"), size)], &key)).unwrap();
    let (status, findings) = audit(&repo, &["--deep"]);
    assert_eq!(status, 1);
    assert!(findings.iter().any(|(code, _)| code == "CACHE_WRONG"), "{findings:?}");
    fs::remove_file(&path).unwrap();
    // Without a cache every digest is computed again.
    passes(&repo);
}

#[test]
fn runs_of_several_commits_stand_beside_each_other() {
    let repo = library(true);
    let mut ids = BTreeSet::new();
    for round in 0..3 {
        repo.write("round", format!("{round}"));
        repo.git(&["add", "round"]).ok();
        repo.git(&["commit", "-q", "--no-verify", "-m", "round"]).ok();
        repo.seal(&ATTACH);
        ids.insert(run_id(&repo));
        passes(&repo);
    }
    // Other parts, new seals and another mode make other runs; another note does not.
    for args in [&["--emit", "repo"][..], &["--fresh"], &["--mode", "internal"]] {
        repo.seal(&[&["-o", "../pack", "--replace", ATTACH[0], ATTACH[1]], args].concat());
        assert!(ids.insert(run_id(&repo)), "{args:?}");
    }
    let before = run_id(&repo);
    repo.seal(&[
        "-o",
        "../pack",
        "--replace",
        ATTACH[0],
        ATTACH[1],
        "--mode",
        "internal",
        "--note",
        "x",
    ]);
    assert_eq!(run_id(&repo), before);
    let listed = fs::read_dir(repo.path(".git/gitpack/runs")).unwrap().count();
    assert_eq!(
        listed,
        ids.len() + 1,
        "expected the runs and the file that names the last one"
    );
    let refs = repo
        .git(&["for-each-ref", "--format=%(refname:lstrip=3)", "refs/gitpack/runs"])
        .ok()
        .out();
    assert_eq!(refs.lines().map(str::to_owned).collect::<BTreeSet<_>>(), ids);
    passes(&repo);
}

#[test]
fn a_forged_lite_is_found_in_the_pack() {
    let repo = library(true);
    let (_, pack) = repo.seal(&["-o", "../pack", ATTACH[0], ATTACH[1]]);
    let forged = repo.place.path().join("forged");
    let with = |change: &dyn Fn(&Path)| {
        drop(fs::remove_dir_all(&forged));
        copy_tree(&pack, &forged);
        change(&forged);
        recompute(&forged);
        codes(&forged)
    };
    assert_eq!(
        with(&|_| ()),
        [],
        "the pack was not sound after its documents were recomputed"
    );
    let edit = |member: &'static str, change: fn(&mut Value)| {
        with(&|forged| {
            let mut value = document(forged, member);
            change(&mut value);
            fs::write(forged.join(member), to_document(&value)).unwrap();
        })
    };
    let manifest = "LITE/PACK_MANIFEST.json";
    let changes: [fn(&mut Value); 9] = [
        |m| m["version"] = json!("P3.0"),
        |m| m["scope"] = json!("other"),
        |m| m["buckets"] = json!([]),
        |m| m["repo_state"]["commit"] = json!("1".repeat(40)),
        |m| drop(m["entries"].as_array_mut().unwrap().pop()),
        |m| m["entries"][1]["bytes"] = json!(1),
        |m| m["entries"][1]["ref"] = json!(Digest::of(b"x").to_string()),
        |m| m["entries"][1]["kind"] = json!("SEALED"),
        |m| m["entries"].as_array_mut().unwrap().swap(0, 1),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let found = edit(manifest, change);
        assert!(found.len() > 1, "change {at} of the manifest: {found:?}");
    }
    for key in [
        "manifest_ref",
        "output_hashes_ref",
        "status_ref",
        "task_spec_ref",
        "version",
    ] {
        let found = with(&|forged| {
            let mut refs = document(forged, "LITE/RUN_REFS.json");
            refs[key] = json!(Digest::of(b"x").to_string());
            fs::write(forged.join("LITE/RUN_REFS.json"), to_document(&refs)).unwrap();
        });
        assert!(
            found.contains(&("LITE/RUN_REFS.json".into(), "SCHEMA_VIOLATION")),
            "{key}: {found:?}"
        );
    }
    let index = with(&|forged| {
        let path = forged.join("LITE/INDEX.md");
        let text = fs::read_to_string(&path).unwrap() + "and some content\n";
        fs::write(path, text).unwrap();
    });
    assert_eq!(index, [("LITE/INDEX.md".into(), "SCHEMA_VIOLATION")]);
    let extra = with(&|forged| fs::write(forged.join("LITE/more.txt"), "x").unwrap());
    assert_eq!(extra, [("LITE/more.txt".into(), "SCHEMA_VIOLATION")]);
    for member in ["LITE/INDEX.md", manifest, "LITE/RUN_REFS.json"] {
        let found = with(&|forged| fs::remove_file(forged.join(member)).unwrap());
        assert!(
            found.contains(&(member.into(), "SCHEMA_VIOLATION")),
            "{member}: {found:?}"
        );
    }
    let (_, other) = repo.seal(&["-o", "../other", "--emit", "repo"]);
    let unasked = with(&|forged| {
        fs::remove_dir_all(forged).unwrap();
        copy_tree(&other, forged);
        copy_tree(&pack.join("LITE"), &forged.join("LITE"));
    });
    assert!(
        unasked.contains(&("LITE/INDEX.md".into(), "SCHEMA_VIOLATION")),
        "{unasked:?}"
    );
}

#[test]
fn an_opaque_pack_tells_no_name_in_lite_either() {
    let repo = library(true);
    let (_, pack) = repo.seal(&["-o", "../pack", "--opaque-names", "--pad", ATTACH[0], ATTACH[1]]);
    repo.pack(&["verify", "../pack", "--rev", "HEAD"]).ok();
    let entries = document(&pack, "LITE/PACK_MANIFEST.json")["entries"].clone();
    let sealed: Vec<&str> = entries
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["kind"] == "SEALED")
        .map(|entry| entry["path"].as_str().unwrap())
        .collect();
    assert_eq!(sealed.len(), 3, "expected two artifacts and the sealed names");
    for (path, _, bytes) in snapshot(&pack.join("LITE")) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(
            !text.contains("tracked.vec") && !text.contains("attached.vec"),
            "{path:?}"
        );
    }
    passes(&repo);
}

#[test]
fn every_finding_of_an_audit_is_documented_and_nothing_else() {
    let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let schema: Value = serde_json::from_str(&read("schema.json")).unwrap();
    let schema = &schema["$defs"]["pack.audit.v0"]["properties"]["findings"]["items"]["properties"]["code"]["enum"];
    let codes: Vec<&str> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(*schema, json!(codes));
    let format = read("docs/format.md");
    let section = format.split("## pack.audit.v0").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let documented: Vec<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(documented, codes);
}

#[test]
fn lite_is_held_against_the_configuration_of_the_commit() {
    let repo = library(false);
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let config = config.replacen("\nbuckets = ", "\nexclude = [\".gitpack.toml\"]\nbuckets = ", 1);
    repo.write(".gitpack.toml", &config);
    repo.commit("without the configuration itself");
    repo.seal(&["-o", "../pack"]);
    repo.pack(&["verify", "../pack", "--rev", "HEAD"]).ok();
    let found = |changed: String| -> Vec<(String, String)> {
        assert_ne!(changed, config);
        repo.write(".gitpack.toml", changed);
        repo.commit("other settings");
        let done = repo.pack(&["verify", "../pack", "--rev", "HEAD", "--json"]);
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        let findings = report["invalid"].as_array().unwrap().iter();
        findings.map(|f| (text(f, "code"), text(f, "path"))).collect()
    };
    let mismatch = |path: &str| ("REPO_STATE_MISMATCH".to_owned(), path.to_owned());
    let (manifest, refs) = (mismatch("LITE/PACK_MANIFEST.json"), mismatch("LITE/RUN_REFS.json"));
    let swapped = config.replace("[\"LAW\", \"CAPABILITY\"]", "[\"CAPABILITY\", \"LAW\"]");
    assert_eq!(found(swapped), [manifest, refs.clone()]);
    // Other globs that select the same files are another task.
    let spelled = config.replace("exclude = [", "exclude = [\"nothing.here\", ");
    assert_eq!(found(spelled), [refs]);
}

#[test]
fn outputs_that_lack_what_the_manifest_names_are_found() {
    let repo = library(true);
    repo.seal(&ATTACH);
    let directory = run_directory(&repo);
    let refs = document(&directory, "RUN_REFS.json");
    let (whole, files) = (roots(&repo), stored(&repo));
    let name = |key: &str| refs[key].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    let record = |key: &str| -> Value { serde_json::from_slice(&fs::read(&files[&name(key)]).unwrap()).unwrap() };
    let manifest = record("manifest_ref");
    let entries = manifest["entries"].as_array().unwrap();
    let gone = entries.iter().find(|entry| entry["kind"] == "SEALED").unwrap()["ref"]
        .as_str()
        .unwrap();
    // The attacker wants the object collected, so outputs, status, refs and roots are rewritten without it.
    let mut outputs = record("output_hashes_ref");
    outputs["hashes"].as_array_mut().unwrap().retain(|hash| hash != gone);
    let outputs_ref = put(&repo, &to_document(&outputs));
    let mut status = record("status_ref");
    status["output_hashes_ref"] = json!(outputs_ref.to_string());
    let status_ref = put(&repo, &to_document(&status));
    let mut forged = refs.clone();
    forged["output_hashes_ref"] = json!(outputs_ref.to_string());
    forged["status_ref"] = json!(status_ref.to_string());
    let old = [name("output_hashes_ref"), name("status_ref"), gone[7..].to_owned()];
    let mut roots: Vec<String> = whole.iter().filter(|root| !old.contains(root)).cloned().collect();
    roots.extend([outputs_ref.hex(), status_ref.hex()]);
    roots.sort();
    fs::write(directory.join("RUN_REFS.json"), to_document(&forged)).unwrap();
    write_roots(&repo, &roots);
    fails(&repo, "NOT_ROOTED", gone);
    // A record of an unknown version does not count as a record.
    let mut other = refs.clone();
    other["version"] = json!("pack.run_refs.v9");
    fs::write(directory.join("RUN_REFS.json"), to_document(&other)).unwrap();
    write_roots(&repo, &whole);
    assert!(audit(&repo, &[]).1.iter().any(|(code, _)| code == "RECORD_INVALID"));
}

#[test]
fn a_lock_that_is_a_pipe_is_not_waited_for() {
    let repo = library(false);
    repo.seal(&[]);
    let lock = store(&repo).join("lock");
    fs::remove_file(&lock).unwrap();
    repo.place.run(&repo.root, "mkfifo", &[lock.to_str().unwrap()]).ok();
    assert_eq!(repo.pack(&["audit"]).code, 2);
    repo.pack(&["seal", "-o", "../refused"]).refused("E_IO");
    assert!(!repo.place.path().join("refused").exists());
}

/// Makes a pack whose lists of members and contents have more than a megabyte each.
fn many_files() -> (Repo, PathBuf) {
    let repo = Repo::set_up();
    let deep = ["long"; 40].join("-");
    for n in 0..2500 {
        repo.write(&format!("{deep}/{deep}/{n}"), n.to_string());
    }
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "-m", "many"]).ok();
    let (_, pack) = repo.seal(&["--emit", "repo,lite", "-o", "../pack"]);
    (repo, pack)
}

#[test]
fn a_long_list_is_judged_by_what_it_must_be() {
    let (_repo, pack) = many_files();
    assert_eq!(codes(&pack), []);
    let whole = fs::read(pack.join("manifest.json")).unwrap();
    for (path, is_long) in [
        ("meta/FILE_INDEX.json", true),
        ("LITE/PACK_MANIFEST.json", true),
        ("meta/FILE_TREE.txt", false),
    ] {
        let document = fs::read(pack.join(path)).unwrap();
        assert_eq!(document.len() > 1 << 20, is_long, "{path}");
        let mut other = document.clone();
        let at = other.len() / 2;
        let at = at + other[at..].iter().position(u8::is_ascii_digit).unwrap();
        other[at] = b'0' + (other[at] - b'0' + 1) % 10;
        for other in [other, [&document[..], b"\n"].concat()] {
            fs::write(pack.join(path), other).unwrap();
            let mut manifest = document_of(&whole);
            let members = manifest["members"].as_array_mut().unwrap();
            let member = members.iter_mut().find(|member| member["path"] == path).unwrap();
            member["bytes_hash"] = Digest::of(&fs::read(pack.join(path)).unwrap()).to_string().into();
            fs::write(pack.join("manifest.json"), to_document(&manifest)).unwrap();
            assert!(codes(&pack).contains(&(path.into(), "SCHEMA_VIOLATION")), "{path}");
        }
        fs::write(pack.join(path), document).unwrap();
        fs::write(pack.join("manifest.json"), &whole).unwrap();
    }
    assert_eq!(codes(&pack), []);
}

fn document_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}
