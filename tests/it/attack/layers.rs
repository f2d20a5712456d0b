//! Protected content inside archives and compressed files, and such files that cannot be read.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::Repo;

/// Returns the sample files below `fixtures/content/<below>`.
pub fn samples(below: &str) -> Vec<PathBuf> {
    fn files(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files(&path, found),
                false => found.push(path),
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/content");
    let mut found = Vec::new();
    files(&root.join(below), &mut found);
    found.sort();
    assert!(!found.is_empty(), "{below}");
    found
}

/// Stages each sample under an innocent name, and returns the names.
fn stage(repo: &Repo, below: &str) -> Vec<String> {
    let samples = samples(below).into_iter().enumerate();
    let names: Vec<String> = samples
        .map(|(at, path)| {
            let name = format!("assets/{at}.bin");
            repo.write(&name, fs::read(&path).unwrap());
            name
        })
        .collect();
    repo.git(&["add", "-f", "assets"]).ok();
    names
}

const DATASET: &str = "[[protect]]\nclass = \"dataset\"\nformats = [\"parquet\", \"arrow\", \"numpy\"]\n";
const BLOCK: &str = "[guard]\nin_part = \"block\"\n";

/// Sets up a guarded repository whose configuration also has these lines.
fn with_rules(rules: &str) -> Repo {
    let repo = Repo::set_up();
    repo.write(".gitpack.toml", format!("version = 1\n{rules}"));
    repo.commit("rules");
    repo
}

fn findings(repo: &Repo, args: &[&str]) -> (i32, serde_json::Value) {
    let done = repo.pack(&[&["scan", "--json"], args].concat());
    (done.code, serde_json::from_slice(&done.stdout).unwrap())
}

fn paths_of(report: &serde_json::Value) -> Vec<String> {
    let found = report["findings"].as_array().unwrap().iter();
    let mut paths: Vec<String> = found.map(|found| found["path"].as_str().unwrap().to_owned()).collect();
    paths.sort();
    paths
}

/// Gain: an index goes public in a tar, in xz or bzip2, two layers deep, behind a script, or in a zip member that only
/// the headers or only the directory shows.
#[test]
fn an_index_in_any_layer_is_stopped() {
    let repo = with_rules(DATASET);
    let mut names = stage(&repo, "layers");
    let (code, report) = findings(&repo, &[]);
    names.sort();
    assert_eq!((code, paths_of(&report)), (1, names));
    let commit = repo.git(&["commit", "-q", "-m", "x"]);
    assert_eq!(commit.code, 1, "{}", commit.stderr);
}

/// Gain: an encrypted file, one that only a lenient reader can unpack, or one nested a layer too deep goes public
/// without a notice.
#[test]
fn what_cannot_be_read_is_told() {
    let repo = with_rules("");
    let names = stage(&repo, "in-part");
    let commit = repo.git(&["commit", "-q", "-m", "x"]).ok();
    for name in &names {
        assert!(
            commit.stderr.contains(&format!("EXAMINED_IN_PART   {name}: ")),
            "{name}\n{}",
            commit.stderr
        );
    }
    let (code, report) = findings(&repo, &["--rev", "HEAD"]);
    assert_eq!((code, report["outcome"].as_str()), (0, Some("CLEAN")));
    assert_eq!(report["notices"].as_array().unwrap().len(), names.len(), "{report}");
    for why in [
        "it is encrypted (in a zip",
        "it is damaged or cut short (in a xz)",
        "packed in an unsupported way",
        "too many layers",
    ] {
        assert!(commit.stderr.contains(why), "{why}\n{}", commit.stderr);
    }
}

/// Gain: a team configured that unreadable files are stopped, and they are published anyway.
#[test]
fn what_cannot_be_read_is_stopped_where_that_is_asked_for() {
    let repo = with_rules(BLOCK);
    let mut names = stage(&repo, "in-part");
    names.sort();
    let (code, report) = findings(&repo, &[]);
    assert_eq!((code, paths_of(&report)), (1, names.clone()));
    for found in report["findings"].as_array().unwrap() {
        assert_eq!(
            (found["code"].as_str(), found["origin"].as_str()),
            (Some("EXAMINED_IN_PART"), Some("config"))
        );
        assert!(found["detail"].as_str().unwrap().starts_with("it is "), "{found}");
    }
    assert_eq!(report["notices"].as_array().unwrap().len(), 0);
    let sarif = repo.pack(&["scan", "--format", "sarif"]);
    assert_eq!(
        (
            sarif.code,
            sarif.out().matches("\"ruleId\":\"EXAMINED_IN_PART\"").count()
        ),
        (1, names.len())
    );
    let commit = repo.git(&["commit", "-q", "-m", "x"]);
    assert!(
        commit.code == 1 && commit.stderr.contains("could not be examined completely"),
        "{}",
        commit.stderr
    );

    // An exception lets one blob pass, from the next change on.
    let blob = repo.git(&["rev-parse", &format!(":{}", names[0])]).ok().out();
    let allow = format!(
        "[[allow]]\nblob = \"{}\"\nreason = \"looked at by hand\"\n",
        blob.trim()
    );
    repo.git(&["reset", "-q"]).ok();
    repo.write(".gitpack.toml", format!("version = 1\n{BLOCK}{allow}"));
    repo.commit_only(".gitpack.toml");
    repo.git(&["add", "-f", &names[0]]).ok();
    repo.git(&["commit", "-q", "-m", "allowed"]).ok();
    repo.git(&["add", "-f", &names[1]]).ok();
    assert_eq!(repo.git(&["commit", "-q", "-m", "not allowed"]).code, 1);
}

/// Gain: the commit that publishes the file also switches the check off.
#[test]
fn a_change_cannot_let_its_own_file_be_unread() {
    let repo = with_rules(BLOCK);
    repo.write(".gitpack.toml", "version = 1\n");
    repo.git(&["add", ".gitpack.toml"]).ok();
    stage(&repo, "in-part/encrypted");
    let commit = repo.git(&["commit", "-q", "-m", "x"]);
    assert_eq!(commit.code, 1, "{}", commit.stderr);
    assert!(commit.stderr.contains("POLICY_WEAKENED"), "{}", commit.stderr);
    assert!(
        commit
            .stderr
            .contains("this commit also changes .gitpack.toml to release them"),
        "{}",
        commit.stderr
    );
}

/// Gain: a client without hooks pushes an unreadable file to a server that is configured to stop it.
#[test]
fn a_server_stops_what_cannot_be_read() {
    let repo = with_rules(BLOCK);
    let script = "git init -q --bare -b main ../remote.git && git push -q ../remote.git main \
                  && cd ../remote.git && git pack init --server";
    repo.place.run(&repo.root, "sh", &["-c", script]).ok();
    stage(&repo, "in-part");
    repo.git(&["commit", "-q", "--no-verify", "-m", "x"]).ok();
    let push = repo.git(&["push", "--no-verify", "../remote.git", "main"]);
    assert!(
        push.code == 1 && push.stderr.contains("could not be examined completely"),
        "{}",
        push.stderr
    );
    assert!(push.stderr.contains("pre-receive hook declined"), "{}", push.stderr);
}

/// Gain: the guard gives one notice about an unreadable file, then remembers it as clean.
#[test]
fn what_was_told_is_told_again() {
    let repo = with_rules("");
    stage(&repo, "in-part/encrypted");
    repo.git(&["commit", "-q", "-m", "x"]).ok();
    for at in 0..70 {
        repo.write("a", at.to_string());
        repo.git(&["commit", "-q", "--no-verify", "-a", "--allow-empty", "-m", "more"])
            .ok();
    }
    let told = || findings(&repo, &["--all"]).1["notices"].as_array().unwrap().len();
    assert_eq!((told(), told()), (2, 2));
}

/// Gain: an index goes public in a second stream, compressed in another way than the first.
#[test]
fn an_index_behind_another_compressed_stream_is_stopped() {
    let repo = Repo::set_up();
    let index = fs::read(&samples("safetensors")[0]).unwrap();
    let place = repo.place.path();
    fs::write(place.join("index"), index).unwrap();
    fs::write(place.join("words"), "nothing to hide\n").unwrap();
    let packed = |with: &str, name: &str| repo.place.run(place, with, &["-c", name]).ok().stdout;
    for (first, second) in [("gzip", "xz"), ("xz", "bzip2"), ("bzip2", "gzip")] {
        for between in [&b""[..], &[0; 700]] {
            let bytes = [&packed(first, "words")[..], between, &packed(second, "index")].concat();
            repo.write("words.bin", bytes);
            repo.git(&["add", "-f", "words.bin"]).ok();
            let (code, report) = findings(&repo, &[]);
            assert_eq!(code, 1, "{second} behind {first}: {report}");
        }
    }
}
