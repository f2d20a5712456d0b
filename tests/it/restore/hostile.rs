//! Hostile manifests, placed in the store by hand under their true hash.

use std::fs;
use std::io::{BufWriter, Write};

use gitpack::format::canonical_json::to_document;
use gitpack::format::digest::{Digest, Hasher};
use gitpack::format::lite::{Kind, ManifestEntry, PackManifest};
use gitpack::format::run_record::CommitRef;
use serde_json::Value;

use super::{files, nothing_at, stored};
use crate::common;
use crate::common::packs::assert_same;
use crate::common::{Repo, snapshot};

/// Makes a repository with two files, and returns the manifest of its pack.
fn small() -> (Repo, PackManifest) {
    let repo = Repo::empty();
    repo.write("a", "content of a\n");
    repo.write("d/b", "content of b\n");
    repo.commit("one");
    let (_, lite) = repo.seal(&["--emit", "lite", "-o", "../lite"]);
    // Manifests below give this content to paths that the commit does not have.
    put(&repo, b"content of a\n");
    let manifest = fs::read(lite.join("LITE/PACK_MANIFEST.json")).unwrap();
    (repo, serde_json::from_slice(&manifest).unwrap())
}

/// Puts bytes into the store of a repository, and returns their content ref.
fn put(repo: &Repo, bytes: &[u8]) -> String {
    let content = Digest::of(bytes).to_string();
    common::write(&stored(&repo.root, &content), bytes);
    content
}

fn of_a(path: &str) -> ManifestEntry {
    ManifestEntry::new(path, Digest::of(b"content of a\n"), 13, Kind::File)
}

/// Makes a manifest of files with the content of `a`, in the order given.
fn listing(whole: &PackManifest, paths: &[&str]) -> PackManifest {
    let mut buckets: Vec<String> = paths
        .iter()
        .filter_map(|path| Some(path.split_once('/')?.0.to_owned()))
        .collect();
    buckets.sort();
    buckets.dedup();
    PackManifest {
        buckets,
        entries: paths.iter().map(|path| of_a(path)).collect(),
        ..whole.clone()
    }
}

#[test]
fn paths_that_lead_elsewhere_are_refused_and_lead_nowhere() {
    let (repo, whole) = small();
    let good = put(&repo, &to_document(&listing(&whole, &["x", "y/z"])));
    repo.pack(&["restore", &good, "-o", "../deep/good"]).ok();
    assert_eq!(files(&repo.place.path().join("deep/good")).len(), 2);
    let absolute = repo.place.path().join("absolute");
    for path in [
        "../x",
        "../../x",
        "../../../../../../../../tmp/x",
        "a/../../x",
        absolute.to_str().unwrap(),
        "/etc/x",
        ".git/config",
        "y/.git/hooks/pre-commit",
        ".GIT/config",
        "git~1/config",
        ".git\u{200c}/config",
        "a//b",
        "./a",
        "a/.",
        "",
        "a/",
        "C:\\x",
        "nul\0byte",
        // Escapes of what is not safe, or not to be escaped.
        "%raw-%2E%2E/x",
        "%raw-%2Fetc%FF",
        "%raw-a%2Fb%FF",
        "%raw-.git",
        "%raw-%00%FF",
        "%raw-caf%e9",
    ] {
        let content = put(&repo, &to_document(&listing(&whole, &[path])));
        let before = snapshot(repo.place.path());
        for mode in [&["-o", "../deep/er/out"][..], &["--dry-run"]] {
            let refused = repo
                .pack(&[&["restore", &content], mode].concat())
                .refused("E_BAD_PACK");
            assert_eq!(refused["refusal"]["detail"]["path"], content.as_str(), "{path:?}");
        }
        assert_same(&before, &snapshot(repo.place.path()), path);
    }
}

#[test]
fn lists_that_cannot_be_are_refused() {
    let (repo, whole) = small();
    let changed = |change: &dyn Fn(&mut PackManifest)| {
        let mut manifest = whole.clone();
        change(&mut manifest);
        to_document(&manifest)
    };
    let text = String::from_utf8(to_document(&whole)).unwrap();
    let said = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1).into_bytes()
    };
    let commit = whole.repo_state.commit.as_str();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("there twice", to_document(&listing(&whole, &["x", "x"]))),
        ("unsorted", to_document(&listing(&whole, &["y", "x"]))),
        ("a file and a directory", to_document(&listing(&whole, &["x", "x/y"]))),
        (
            "and with others between",
            to_document(&listing(&whole, &["x", "x-", "x.", "x/y"])),
        ),
        ("further down", to_document(&listing(&whole, &["d/x", "d/x/y/z"]))),
        ("other buckets", changed(&|manifest| manifest.buckets.clear())),
        ("another version", changed(&|manifest| manifest.version = "P3.0".into())),
        (
            "no commit",
            changed(&|manifest| manifest.repo_state.commit = "HEAD".into()),
        ),
        (
            "an option",
            changed(&|manifest| manifest.repo_state.commit = "--help".into()),
        ),
        ("no tree", changed(&|manifest| manifest.repo_state.tree = String::new())),
        (
            "another tree",
            changed(&|manifest| manifest.repo_state.tree = "0".repeat(40)),
        ),
        ("more bytes", changed(&|manifest| manifest.entries[0].bytes += 1)),
        ("fewer bytes", changed(&|manifest| manifest.entries[0].bytes -= 1)),
        ("no bytes", changed(&|manifest| manifest.entries[0].bytes = 0)),
        ("huge bytes", changed(&|manifest| manifest.entries[1].bytes = 1 << 53)),
        (
            "another ext",
            changed(&|manifest| manifest.entries[0].ext = Some("x".into())),
        ),
        ("spaces", said(":", ": ")),
        ("a space before", [b" ", text.as_bytes()].concat()),
        ("no newline", text.trim_end().into()),
        ("two newlines", [text.as_bytes(), b"\n"].concat()),
        ("two documents", text.repeat(2).into()),
        (
            "keys in another order",
            said(
                "\"scope\":\"repo\",\"version\":\"P2.0\"",
                "\"version\":\"P2.0\",\"scope\":\"repo\"",
            ),
        ),
        ("a key twice", said("\"scope\":", "\"scope\":\"repo\",\"scope\":")),
        ("one key more", said("\"scope\":", "\"more\":1,\"scope\":")),
        ("one key less", said("\"scope\":\"repo\",", "")),
        ("an escape", said("\"path\":\"a\"", "\"path\":\"\\u0061\"")),
        ("a kind of its own", said("FILE", "LINK")),
        ("a ref of another shape", said("sha256:", "sha1:")),
        ("a ref in upper case", said("sha256:", "SHA256:")),
        ("beyond 2^53", said("\"bytes\":13", "\"bytes\":9007199254740994")),
        ("beyond 64 bits", said("\"bytes\":13", "\"bytes\":99999999999999999999")),
        ("negative", said("\"bytes\":13", "\"bytes\":-13")),
        ("a fraction", said("\"bytes\":13", "\"bytes\":13.5")),
        ("as a float", said("\"bytes\":13", "\"bytes\":13.0")),
        ("nothing", Vec::new()),
        ("no JSON", b"manifest".to_vec()),
        ("a list", b"[]\n".to_vec()),
        ("deep", "[".repeat(100_000).into()),
        (
            "another record",
            fs::read(repo.path(&format!(".git/objects/{}/{}", &commit[..2], &commit[2..]))).unwrap(),
        ),
    ];
    let before = snapshot(repo.place.path());
    for (name, bytes) in cases {
        let content = put(&repo, &bytes);
        for mode in [&["-o", "../out"][..], &["--dry-run"]] {
            let done = repo.pack(&[&["restore", &content], mode].concat());
            assert!(done.stderr.len() < 1000, "{name}: {}", done.stderr);
            assert_eq!(done.code, 2, "{name}: {}", done.out());
            done.refused("E_BAD_PACK");
        }
        nothing_at(&repo, "out");
        fs::remove_file(stored(&repo.root, &content)).unwrap();
    }
    let path = |(path, _, _): &(std::path::PathBuf, u32, Vec<u8>)| path.clone();
    let files = |all: &[(std::path::PathBuf, u32, Vec<u8>)]| -> Vec<_> {
        all.iter()
            .filter(|entry| entry.1 & 0o170000 == 0o100000)
            .map(path)
            .collect()
    };
    assert_eq!(files(&before), files(&snapshot(repo.place.path())));
    let mut empty = whole.clone();
    (empty.entries, empty.buckets) = (Vec::new(), Vec::new());
    let content = put(&repo, &to_document(&empty));
    let done = repo.pack(&["restore", &content, "-o", "../out"]).ok();
    assert_eq!(done.out(), format!("RESTORED 0\n{}\n", Digest::of(b"")));
}

#[test]
fn a_content_that_nobody_has_is_missing_and_no_other_is_taken() {
    let (repo, whole) = small();
    let mut manifest = whole.clone();
    manifest.entries[0].content = Digest::of(b"something else");
    let content = put(&repo, &to_document(&manifest));
    repo.pack(&["restore", &content, "-o", "../out"])
        .refused("E_MISSING_OBJECT");
    // With all contents here but not the commit, restore succeeds and says that it could not compare the state.
    put(&repo, b"content of b\n");
    let mut manifest = whole;
    manifest.repo_state = CommitRef {
        commit: "3".repeat(40),
        tree: "4".repeat(40),
    };
    let content = put(&repo, &to_document(&manifest));
    let done = repo.pack(&["restore", &content, "-o", "../out"]).ok();
    assert!(
        done.stderr
            .contains("links or submodules: the commit is not in this clone"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_list_of_200_megabytes_is_answered_in_bounded_memory() {
    let (repo, whole) = small();
    let path = repo.place.path().join("large");
    let mut file = BufWriter::new(fs::File::create(&path).unwrap());
    let mut hasher = Hasher::default();
    let mut write = |bytes: &[u8]| {
        hasher.update(bytes);
        file.write_all(bytes).unwrap();
    };
    write(b"{\"buckets\":[\"d\"],\"entries\":[");
    let absent = Digest::of(b"absent");
    let mut entries = 0;
    for n in 0..1_300_000 {
        let comma = if n == 0 { "" } else { "," };
        let entry = format!(
            "{comma}{{\"bytes\":13,\"kind\":\"FILE\",\"path\":\"d/{n:08}{:>32}\",\"ref\":\"{absent}\"}}",
            ""
        );
        write(entry.as_bytes());
        entries += 1;
    }
    let CommitRef { commit, tree } = &whole.repo_state;
    let end = format!(
        "],\"repo_state\":{{\"commit\":\"{commit}\",\"tree\":\"{tree}\"}},\"scope\":\"repo\",\"version\":\"P2.0\"}}\n"
    );
    write(end.as_bytes());
    file.flush().unwrap();
    assert!(fs::metadata(&path).unwrap().len() > 200_000_000);
    let content = hasher.finish().to_string();
    fs::create_dir_all(stored(&repo.root, &content).parent().unwrap()).unwrap();
    fs::rename(&path, stored(&repo.root, &content)).unwrap();
    let started = std::time::Instant::now();
    let script = format!("ulimit -v 2000000; exec git-pack restore {content} -o ../out");
    let done = repo.place.run(&repo.root, "sh", &["-c", &script]);
    let value: Value = done.refused("E_MISSING_OBJECT");
    assert_eq!(value["refusal"]["detail"]["count"], entries);
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
    nothing_at(&repo, "out");
}
