//! `git pack scan` for machines: documents, formats, and which remembered verdicts are believed.

use std::fs;

use crate::common;
use crate::common::{Repo, noise};
use serde_json::Value;

fn json(repo: &Repo, args: &[&str]) -> (i32, Value) {
    let done = repo.pack(&[&["scan", "--json"], args].concat());
    let value = serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {}\n{}", done.out(), done.stderr));
    (done.code, value)
}

/// A repository with 100 commits, one of which leaks a vector that a later one deletes.
fn with_history() -> Repo {
    let repo = Repo::set_up();
    for n in 0..100_u64 {
        repo.write(&format!("d{}/f{n}", n % 7), noise(n, 200));
        if n == 40 {
            repo.write("d1/x.vec", "secret");
        }
        if n == 60 {
            fs::remove_file(repo.path("d1/x.vec")).unwrap();
        }
        repo.git(&["add", "-A"]).ok();
        repo.git(&["commit", "-q", "--no-verify", "-m", &format!("c{n}")]).ok();
    }
    repo
}

#[test]
fn documents_follow_their_schemas() {
    let repo = Repo::set_up();
    repo.write("a b.vec", "secret");
    repo.write("key", fs::read(repo.identity()).unwrap());
    repo.write("fake.age", "no seal");
    repo.git(&["add", "-f", "."]).ok();
    let schema: Value = serde_json::from_slice(&repo.pack(&["--schema"]).stdout).unwrap();
    let mut ours = schema["$defs"]["pack.scan.v0"].clone();
    ours["$defs"] = schema["$defs"].clone();
    let ours = jsonschema::validator_for(&ours).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sarif/sarif-schema-2.1.0.json");
    let mut sarif: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    // The schema's pattern for a language has a stray bracket, which not every regular expression engine accepts.
    for of in ["run", "toolComponent"] {
        let language = sarif
            .pointer_mut(&format!("/definitions/{of}/properties/language"))
            .unwrap();
        language.as_object_mut().unwrap().remove("pattern").unwrap();
    }
    let sarif = jsonschema::validator_for(&sarif).unwrap();
    assert!(!sarif.is_valid(&serde_json::json!({ "version": "2.1.0", "runs": [{}] })));
    let check = |args: &[&str], code: i32| {
        let (found, value) = json(&repo, args);
        assert_eq!(found, code, "{value}");
        let errors: Vec<String> = ours.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{value}");
        let done = repo.pack(&[&["scan", "--format", "sarif"], args].concat());
        assert_eq!(done.code, code);
        let document: Value = serde_json::from_slice(&done.stdout).unwrap();
        let errors: Vec<String> = sarif.iter_errors(&document).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{document}");
        (value, document)
    };
    let (value, document) = check(&[], 1);
    let codes: Vec<&str> = value["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["PLAINTEXT_PROTECTED", "FAKE_SEAL", "PRIVATE_KEY"]);
    let results = document["runs"][0]["results"].as_array().unwrap();
    let uris: Vec<&Value> = results
        .iter()
        .map(|result| &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
        .collect();
    assert_eq!(uris, ["a%20b.vec", "fake.age", "key"]);
    repo.git(&["commit", "-q", "--no-verify", "-m", "leak"]).ok();
    check(&["--all"], 1);
    check(&["--rev", "HEAD~1"], 0);
    check(&["--range", "HEAD~1..HEAD"], 1);
    check(&["--worktree"], 1);
    let done = repo.pack(&["scan", "--rev", "HEAD", "-z"]);
    assert_eq!((done.code, done.out().as_str()), (1, "a b.vec\0fake.age\0key\0"));
}

#[test]
fn what_was_clean_is_remembered_and_a_changed_rule_forgets() {
    let repo = with_history();
    let (code, first) = json(&repo, &["--range", "HEAD~39..HEAD"]);
    assert_eq!((code, &first["examined"]["remembered_commits"]), (0, &0.into()));
    let allowed = "[[allow]]\nblob = \"536aca34dbae6b2b8af26bebdcba83543c9546f0\"\nreason = \"a test\"\n";
    let (code, _) = json(&repo, &["--all"]);
    assert_eq!(code, 1);
    // No commit of a history with a leak is remembered as clean.
    let (code, again) = json(&repo, &["--all"]);
    assert_eq!((code, &again["examined"]["remembered_commits"]), (1, &0.into()));
    assert!(again["examined"]["remembered_blobs"].as_u64().unwrap() > 90, "{again}");

    let blob = repo.rev("HEAD~50:d1/x.vec");
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(
        ".gitpack.toml",
        format!(
            "{config}\n{}",
            allowed.replace("536aca34dbae6b2b8af26bebdcba83543c9546f0", &blob)
        ),
    );
    let (code, first) = json(&repo, &["--all"]);
    assert_eq!((code, &first["examined"]["commits"]), (0, &101.into()), "{first}");
    let (code, second) = json(&repo, &["--all"]);
    assert_eq!(code, 0);
    assert_eq!(
        (
            &second["examined"]["commits"],
            &second["examined"]["remembered_commits"]
        ),
        (&0.into(), &101.into())
    );
    repo.write(
        ".gitpack.toml",
        format!("{config}\n[[protect]]\nclass = \"n\"\npaths = [\"f7\"]\n"),
    );
    let (code, other) = json(&repo, &["--all"]);
    assert_eq!((code, &other["examined"]["commits"]), (1, &101.into()), "{other}");
}

#[test]
fn a_damaged_memory_is_dropped_and_never_believed() {
    let repo = Repo::set_up();
    repo.git(&["checkout", "-q", "--orphan", "long"]).ok();
    repo.git(&["branch", "-q", "-D", "main"]).ok();
    for n in 0..70 {
        repo.git(&["commit", "-q", "--no-verify", "--allow-empty", "-m", &n.to_string()])
            .ok();
    }
    json(&repo, &["--all"]);
    let (_, second) = json(&repo, &["--all"]);
    assert_eq!(second["examined"]["remembered_commits"], 70, "{second}");
    let directory = repo.path(".git/gitpack/verdicts");
    let logs = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    let log = logs.into_iter().find(|path| path.extension().is_none()).unwrap();
    let whole = fs::read(&log).unwrap();
    for at in [0, 20, whole.len() / 2, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x40;
        fs::write(&log, flipped).unwrap();
        let (code, again) = json(&repo, &["--all"]);
        assert_eq!(
            (code, &again["examined"]["remembered_commits"]),
            (0, &0.into()),
            "byte {at}"
        );
    }
    // A log under the name of other rules has no effect.
    fs::write(directory.join("0".repeat(64)), &whole).unwrap();
    repo.write(
        ".gitpack.toml",
        "version = 1\n[[protect]]\nclass = \"n\"\npaths = [\"nothing\"]\n",
    );
    let (_, other) = json(&repo, &["--all"]);
    assert_eq!(other["examined"]["remembered_commits"], 0);
}

#[test]
fn long_histories_name_the_commit_that_brought_the_leak() {
    let repo = Repo::set_up();
    let mut input = Vec::new();
    for n in 1..=900 {
        let message = format!("c{n}");
        input.extend(
            format!(
                "commit refs/heads/long\nmark :{n}\ncommitter C <c@example.org> {n} +0000\ndata {}\n{message}\n",
                message.len()
            )
            .into_bytes(),
        );
        if n > 1 {
            input.extend(format!("from :{}\n", n - 1).into_bytes());
        }
        input.extend(format!("M 644 inline d/s{}/f\ndata 5\n{n:05}\n", n % 10).into_bytes());
        if n == 333 {
            input.extend(b"M 644 inline d/deep/er/x.vec\ndata 6\nsecret\n");
        }
        if n == 500 {
            input.extend(b"D d/deep\n");
        }
    }
    let stream = repo.place.path().join("stream");
    fs::write(&stream, input).unwrap();
    let script = format!("git fast-import --quiet < '{}'", stream.display());
    repo.place.run(&repo.root, "sh", &["-c", &script]).ok();
    let leak = repo.rev("long~567");
    let (code, value) = json(&repo, &["--all"]);
    assert_eq!(code, 1);
    let findings = value["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{value}");
    assert_eq!(
        (&findings[0]["path"], findings[0]["commit"].as_str().unwrap()),
        (&"d/deep/er/x.vec".into(), leak.as_str())
    );
    assert_eq!(value["examined"]["commits"], 901);
    let (code, value) = json(&repo, &["--range", "long~880..long"]);
    assert_eq!(
        (code, value["findings"][0]["commit"].as_str().unwrap()),
        (1, leak.as_str())
    );
    // Content that exists below the range is not introduced by it, whichever way the range is read.
    for range in ["long~560..long", "long~500..long", "long~200..long"] {
        assert_eq!(json(&repo, &["--range", range]).0, 0, "{range}");
    }
}

#[test]
fn a_late_adopter_decides_blob_by_blob() {
    let repo = Repo::set_up();
    repo.write("old.vec", "published long ago");
    repo.write("copy.vec", "published long ago");
    repo.write("t/key", fs::read(repo.identity()).unwrap());
    repo.git(&["add", "-f", "."]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "before the guard"])
        .ok();
    let done = repo.pack(&["scan", "--all", "--write-allow"]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("1 [[allow]] entry"), "{}", done.stderr);
    // A person decides about a key.
    assert!(done.stderr.contains("no entry for 1 private key"), "{}", done.stderr);
    assert_eq!(repo.pack(&["scan", "--all"]).code, 1);
    let key = repo.git(&["rev-parse", "HEAD:t/key"]).ok().out();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let entry = format!("[[allow]]\nblob = \"{}\"\nreason = \"a key for tests\"\n", key.trim());
    repo.write(".gitpack.toml", config + &entry);
    repo.pack(&["scan", "--all"]).ok();
    repo.git(&["commit", "-qam", "decided"]).ok();
    repo.pack(&["scan", "--rev", "HEAD"]).ok();
    // One byte more makes another blob.
    repo.write("old.vec", "published long ago!");
    repo.git(&["add", "-f", "old.vec"]).ok();
    assert_ne!(repo.git(&["commit", "-qm", "changed"]).code, 0);
}

#[test]
fn nothing_examined_is_said() {
    let repo = Repo::set_up();
    let done = repo.pack(&["scan"]).ok();
    assert!(done.stderr.contains("found nothing to examine"), "{}", done.stderr);
    let done = repo.pack(&["scan", "--rev", "HEAD"]).ok();
    assert!(done.stderr.contains("examined 3 blobs"), "{}", done.stderr);
    repo.pack(&["scan", "--range", "HEAD"]).refused_on_stderr("two dots");
    repo.pack(&["scan", "--rev", "nowhere"]).refused_on_stderr("nowhere");
    repo.pack(&["scan", "--all", "--rev", "HEAD"])
        .refused_on_stderr("cannot be used with");
}

trait RefusedOnStderr {
    fn refused_on_stderr(self, words: &str);
}

impl RefusedOnStderr for common::Done {
    #[track_caller]
    fn refused_on_stderr(self, words: &str) {
        assert_eq!(self.code, 2, "{}", self.stderr);
        assert!(self.stderr.contains(words), "{}", self.stderr);
    }
}

/// Returns a repository whose branch `long` has 600 versions of a file, each a little different. The version before `at` has
/// the first half of a key, that one has it whole, and later ones have neither.
fn with_versions(key: &str, at: usize) -> Repo {
    let repo = Repo::set_up();
    let (first, second) = key.split_at(13);
    let lines: Vec<String> = (0..200).map(|n| format!("{n} {:x?}\n", noise(n, 12))).collect();
    let mut input = Vec::new();
    for n in 1..=600 {
        let mut lines = lines.clone();
        lines[n % 200] = format!("version {n}\n");
        if n == at - 1 {
            lines[100] = format!("{first}\n---\n{second}\n");
        } else if n == at {
            lines[100] = format!("{key}\n");
        }
        let text = lines.concat();
        let head = "commit refs/heads/long\ncommitter C <c@example.org>";
        input.extend(
            format!(
                "{head} {n} +0000\ndata 0\nM 644 inline d/e/f\ndata {}\n{text}\n",
                text.len()
            )
            .into_bytes(),
        );
    }
    let stream = repo.place.path().join("stream");
    fs::write(&stream, input).unwrap();
    let script = format!("git fast-import --quiet < '{}'", stream.display());
    repo.place.run(&repo.root, "sh", &["-c", &script]).ok();
    repo.git(&["repack", "-a", "-d", "-f", "-q", "--depth=50", "--window=20"])
        .ok();
    repo
}

#[test]
fn a_key_in_one_of_many_versions_is_found_however_they_are_packed() {
    let identity = fs::read_to_string(Repo::set_up().identity()).unwrap();
    let key = identity
        .lines()
        .find(|line| line.starts_with("AGE-SECRET-KEY-1"))
        .unwrap();
    let repo = with_versions(key, 301);
    let leak = repo.rev("long~299");
    let packed = json(&repo, &["--all"]);
    let findings = packed.1["findings"].as_array().unwrap();
    assert_eq!((packed.0, findings.len()), (1, 1), "{}", packed.1);
    assert_eq!(findings[0]["commit"].as_str().unwrap(), leak);
    let script =
        "mv .git/objects/pack/*.pack ../all.pack && rm -f .git/objects/pack/* && git unpack-objects -q <../all.pack";
    repo.place.run(&repo.root, "sh", &["-c", script]).ok();
    fs::remove_dir_all(repo.path(".git/gitpack/verdicts")).unwrap();
    let loose = json(&repo, &["--all"]);
    assert_eq!(loose.1["findings"], packed.1["findings"]);
    assert_eq!(loose.1["examined"]["bytes"], packed.1["examined"]["bytes"]);
}

#[test]
fn a_damaged_version_among_many_is_refused() {
    let repo = with_versions("no key at all, only text", 301);
    assert_eq!(json(&repo, &["--all"]).0, 0);
    fs::remove_dir_all(repo.path(".git/gitpack/verdicts")).unwrap();
    let packs = repo.path(".git/objects/pack");
    let pack = fs::read_dir(&packs).unwrap().map(|entry| entry.unwrap().path());
    let pack = pack
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "pack"))
        .unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 8] {
        *byte ^= 0x55;
    }
    fs::remove_file(&pack).unwrap();
    fs::write(&pack, bytes).unwrap();
    let done = repo.pack(&["scan", "--all"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
}
