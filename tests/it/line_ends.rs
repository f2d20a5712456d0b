//! Twins and packs in repositories where git converts line ends: nothing of ours is converted, and what was converted
//! says so.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::common::{Repo, noise, snapshot};

/// Enough bytes that the ciphertext has carriage returns before newlines.
const LONG: usize = 1 << 20;

/// The attributes with which git converts ciphertext.
const CONVERTING: [&str; 4] = [
    "* text\n",
    "* text eol=crlf\n",
    "* text=auto eol=crlf\n*.age text\n",
    "# ends without a newline\r\n* text",
];

/// The line that keeps git from converting twins, and names the drivers for them.
const LINE: &str = "*.age -text diff=gitpack merge=gitpack";

fn attributes(repo: &Repo) -> String {
    fs::read_to_string(repo.path(".gitattributes")).unwrap()
}

fn staged(repo: &Repo, path: &str) -> Vec<u8> {
    repo.git(&["show", &format!(":{path}")]).ok().stdout
}

/// Sets up a repository whose `.gitattributes` has this text.
fn with_attributes(text: &str) -> Repo {
    let repo = Repo::set_up();
    repo.write(".gitattributes", text);
    repo.commit("attributes");
    repo
}

/// Commits a twin whose blob is whole, in a repository that converts it at every checkout and every `git add`.
fn twin_that_git_converts() -> Repo {
    let repo = Repo::set_up();
    repo.write("a.vec", noise(1, LONG));
    repo.pack(&["protect", "a.vec"]).ok();
    repo.write(".gitattributes", "* text eol=crlf\n");
    repo.git(&["add", ".gitattributes"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    repo
}

/// Clones the repository.
fn clone(repo: &Repo, options: &[&str]) -> PathBuf {
    let target = repo.place.path().join("clone");
    let arguments = [options, &["clone", "-q", "repo", "clone"]].concat();
    repo.place.run(repo.place.path(), "git", &arguments).ok();
    target
}

fn is_converted_on_disk(file: &Path) -> bool {
    fs::read(file).unwrap().starts_with(b"age-encryption.org/v1\r\n")
}

#[test]
fn a_twin_survives_whatever_the_attributes_say_of_text() {
    for text in CONVERTING {
        let repo = with_attributes(text);
        repo.write("a.vec", noise(1, LONG));
        repo.pack(&["protect", "a.vec"]).ok();
        assert_eq!(attributes(&repo).matches(LINE).count(), 1, "{text:?}");
        assert!(attributes(&repo).starts_with(text), "{text:?}");
        repo.git(&["commit", "-q", "-m", "sealed"]).ok();
        let sealed = fs::read(repo.path("a.vec.age")).unwrap();
        // git looks at the bytes again, and takes them as they are.
        repo.git(&["add", "--renormalize", "a.vec.age"]).ok();
        assert!(staged(&repo, "a.vec.age") == sealed, "{text:?}");
        assert_eq!(repo.git(&["status", "--porcelain"]).ok().out(), "", "{text:?}");
        repo.pack(&["protect", "--check"]).ok();
        let clone = clone(&repo, &["-c", "core.autocrlf=true"]);
        repo.place.pack_in(&clone, &["reveal"]).ok();
        assert!(fs::read(clone.join("a.vec")).unwrap() == noise(1, LONG), "{text:?}");
    }
}

#[test]
fn the_attribute_is_written_once_and_where_it_is_needed() {
    for (before, after) in [
        (None, format!("{LINE}\n")),
        (Some("*.png binary"), format!("*.png binary\n{LINE}\n")),
        (Some("*.png binary\r\n"), format!("*.png binary\r\n{LINE}\r\n")),
        // `binary` leaves out the drivers as well.
        (Some("*.age binary\n"), "*.age binary\n".into()),
        (Some("* -text\n"), format!("* -text\n{LINE}\n")),
        // The line of a version without drivers.
        (Some("*.age -text\n"), format!("{LINE}\n")),
        // A later line takes it back, so ours becomes the last.
        (Some("*.age -text\n* text\n"), format!("* text\n{LINE}\n")),
    ] {
        let repo = match before {
            Some(text) => with_attributes(text),
            None => Repo::set_up(),
        };
        for name in ["a.vec", "d/b.vec"] {
            repo.write(name, "secret");
            repo.pack(&["protect", name]).ok();
            assert_eq!(attributes(&repo), after, "{before:?}");
        }
        repo.pack(&["protect", "a.vec", "d/b.vec"]).ok();
        assert_eq!(attributes(&repo), after, "{before:?}");
        assert_eq!(staged(&repo, ".gitattributes"), after.as_bytes(), "{before:?}");
    }
}

#[test]
fn attributes_with_other_changes_are_written_but_not_staged() {
    let repo = with_attributes("*.png binary\n");
    repo.write(".gitattributes", "*.png binary\n*.jpg binary\n");
    repo.write("a.vec", "secret");
    let done = repo.pack(&["protect", "a.vec"]).ok();
    assert!(done.stderr.contains("git add .gitattributes"), "{}", done.stderr);
    assert_eq!(attributes(&repo), format!("*.png binary\n*.jpg binary\n{LINE}\n"));
    assert_eq!(staged(&repo, ".gitattributes"), b"*.png binary\n");
}

#[test]
fn attributes_behind_a_link_are_refused_and_a_refusal_takes_them_back() {
    let repo = Repo::set_up();
    repo.write("a.vec", "secret");
    let outside = repo.place.path().join("outside");
    fs::write(&outside, "kept\n").unwrap();
    symlink(&outside, repo.path(".gitattributes")).unwrap();
    let before = snapshot(&repo.root);
    repo.pack(&["protect", "a.vec"]).refused("E_IO");
    assert_eq!(snapshot(&repo.root), before);
    assert_eq!(fs::read(&outside).unwrap(), b"kept\n");
    fs::remove_file(repo.path(".gitattributes")).unwrap();
    repo.write(".git/index.lock", "");
    repo.pack(&["protect", "a.vec"]).refused("E_UNSUPPORTED");
    assert!(!repo.path(".gitattributes").exists() && !repo.path("a.vec.age").exists());
}

#[test]
fn attributes_that_still_change_a_twin_are_named() {
    for (place, text, named) in [
        ("d/.gitattributes", "* text\n", "text"),
        ("d/.gitattributes", "* filter=squeeze\n", "filter=squeeze"),
        ("d/.gitattributes", "* ident\n", "ident"),
        (
            "d/.gitattributes",
            "* working-tree-encoding=UTF-16\n",
            "working-tree-encoding=UTF-16",
        ),
        (".git/info/attributes", "*.age text\n", "text"),
    ] {
        let repo = Repo::set_up();
        repo.write(place, text);
        repo.write("d/a.vec", "secret");
        let done = repo.pack(&["protect", "d/a.vec"]).ok();
        let line = format!("git may change d/a.vec.age: it has the attribute {named}");
        assert!(done.stderr.contains(&line), "{text}{}", done.stderr);
        let check = repo.pack(&["protect", "--check"]);
        assert_eq!(check.code, 1, "{text}{}", check.out());
        assert!(check.out().contains(named), "{text}{}", check.out());
        assert_eq!(attributes(&repo), format!("{LINE}\n"));
    }
    let repo = Repo::set_up();
    repo.write("a.vec", "secret");
    let done = repo.pack(&["protect", "a.vec"]).ok();
    assert!(!done.stderr.contains("git may change"), "{}", done.stderr);
}

#[test]
fn the_check_judges_the_blob_that_git_would_commit() {
    let repo = twin_that_git_converts();
    // Everything agrees on disk. git stages a ciphertext that nobody can open.
    repo.git(&["add", "--renormalize", "a.vec.age"]).ok();
    assert!(staged(&repo, "a.vec.age") != fs::read(repo.path("a.vec.age")).unwrap());
    let done = repo.pack(&["protect", "--check"]);
    assert_eq!(done.code, 1, "{}", done.out());
    assert!(done.out().contains("line ends were converted"), "{}", done.out());
    assert!(done.out().contains("git pack protect a.vec"), "{}", done.out());
    let status = repo.pack(&["status"]).shown().out();
    assert!(status.contains("line ends were converted"), "{status}");
    // The guard stops the commit.
    let commit = repo.git(&["commit", "-q", "-m", "broken"]);
    assert_eq!(commit.code, 1, "{}", commit.stderr);
    assert!(
        commit.stderr.contains("its line ends were converted to LF"),
        "{}",
        commit.stderr
    );
    // What it says to do repairs it.
    repo.pack(&["protect", "a.vec"]).ok();
    repo.pack(&["protect", "--check"]).ok();
    assert!(staged(&repo, "a.vec.age") == fs::read(repo.path("a.vec.age")).unwrap());
    repo.git(&["commit", "-q", "-m", "mended"]).ok();
}

#[test]
fn a_twin_that_differs_from_its_staged_blob_is_not_up_to_date() {
    let repo = Repo::set_up();
    repo.write("a.vec", "one");
    repo.pack(&["protect", "a.vec"]).ok();
    let first = fs::read(repo.path("a.vec.age")).unwrap();
    repo.write("a.vec", "two");
    repo.pack(&["protect", "a.vec"]).ok();
    repo.pack(&["protect", "--check"]).ok();
    let second = fs::read(repo.path("a.vec.age")).unwrap();
    fs::write(repo.path("a.vec.age"), &first).unwrap();
    repo.git(&["add", "a.vec.age"]).ok();
    fs::write(repo.path("a.vec.age"), second).unwrap();
    let done = repo.pack(&["protect", "--check"]);
    assert_eq!(done.code, 1, "{}", done.out());
    assert!(done.out().contains("the staged twin differs"), "{}", done.out());
    repo.pack(&["protect", "a.vec"]).ok();
    repo.pack(&["protect", "--check"]).ok();
}

#[test]
fn a_converted_twin_says_so_in_a_clone() {
    let repo = twin_that_git_converts();
    let clone = clone(&repo, &[]);
    assert!(is_converted_on_disk(&clone.join("a.vec.age")));
    let says = "its line ends were converted to CRLF";
    let pack = |arguments: &[&str]| repo.place.pack_in(&clone, arguments);
    let done = pack(&["reveal"]);
    assert!(done.stderr.contains("*.age -text"), "{}", done.stderr);
    let refused = done.refused("E_CRYPTO");
    assert!(refused.to_string().contains(says), "{refused}");
    let own = repo.pack(&["recipients", "list"]).ok().out();
    let done = pack(&["rekey", "a.vec.age", "-o", "b.age", "-r", own.trim()]);
    assert!(done.stderr.contains("*.age -text"), "{}", done.stderr);
    let refused = done.refused("E_CRYPTO");
    assert!(refused.to_string().contains(says), "{refused}");
    let before = fs::read(clone.join("a.vec.age")).unwrap();
    for more in [&[][..], &["--reencrypt"]] {
        let replace = ["rekey", "a.vec.age", "-o", "a.vec.age", "--replace", "-r", own.trim()];
        let done = pack(&[&replace[..], more].concat());
        assert!(done.stderr.contains("*.age -text"), "{}", done.stderr);
        let refused = done.refused("E_CRYPTO");
        assert!(refused.to_string().contains(says), "{refused}");
        assert!(fs::read(clone.join("a.vec.age")).unwrap() == before);
    }
    let check = pack(&["protect", "--check"]);
    assert_eq!(check.code, 1, "{}", check.out());
    assert!(check.out().contains("line ends were converted"), "{}", check.out());
    assert!(pack(&["status"]).shown().out().contains("line ends were converted"));
    let scan = pack(&["scan", "--worktree"]);
    assert_eq!(scan.code, 1, "{}", scan.out());
    assert!(scan.out().contains(says), "{}", scan.out());
    // What the hint says to do mends it.
    fs::write(clone.join(".gitattributes"), "* text eol=crlf\n*.age -text\n").unwrap();
    fs::remove_file(clone.join("a.vec.age")).unwrap();
    repo.place.run(&clone, "git", &["checkout", "--", "a.vec.age"]).ok();
    pack(&["reveal"]).ok();
    pack(&["protect", "--check"]).ok();
}

#[test]
fn the_guard_says_that_line_ends_broke_a_seal() {
    // Of any size: a large blob is read as a stream.
    for size in [10, LONG, 6 << 20] {
        let repo = Repo::set_up();
        repo.write("a.vec", noise(1, size));
        repo.pack(&["protect", "a.vec"]).ok();
        let sealed = fs::read(repo.path("a.vec.age")).unwrap();
        let mut converted = Vec::new();
        for byte in sealed {
            if byte == b'\n' {
                converted.push(b'\r');
            }
            converted.push(byte);
        }
        fs::write(repo.path("a.vec.age"), converted).unwrap();
        repo.git(&["add", "a.vec.age"]).ok();
        let done = repo.pack(&["scan"]);
        assert_eq!(done.code, 1, "{}", done.out());
        assert!(
            done.out().contains("its line ends were converted to CRLF"),
            "{}",
            done.out()
        );
        let json = repo.pack(&["scan", "--json"]).out();
        assert!(json.contains("BROKEN_SEAL"), "{json}");
    }
}

#[test]
fn a_large_twin_without_its_carriage_returns_is_broken_wherever_it_is() {
    let repo = Repo::set_up();
    repo.write("a.vec", noise(2, 4 << 20));
    repo.pack(&["protect", "a.vec"]).ok();
    // git takes one carriage return of two before a newline, so that a pair is left.
    while !fs::read(repo.path("a.vec.age"))
        .unwrap()
        .windows(3)
        .any(|bytes| bytes == b"\r\r\n")
    {
        fs::remove_file(repo.path("a.vec.age")).unwrap();
        repo.pack(&["protect", "a.vec"]).ok();
    }
    repo.git(&["commit", "-q", "-m", "large"]).ok();
    repo.pack(&["scan", "--rev", "HEAD"]).ok();
    repo.write(".gitattributes", "* text\n");
    repo.git(&["add", "--renormalize", "a.vec.age"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "broken"]).ok();
    fs::remove_file(repo.path("a.vec.age")).unwrap();
    fs::remove_file(repo.path("a.vec")).unwrap();
    repo.git(&["checkout", "a.vec.age"]).ok();
    let done = repo.pack(&["reveal"]);
    assert!(done.stderr.contains("*.age -text"), "{}", done.stderr);
    let refused = done.refused("E_CRYPTO");
    assert!(
        refused.to_string().contains("its line ends were converted to LF"),
        "{refused}"
    );
    let own = repo.pack(&["recipients", "list"]).ok().out();
    for more in [&[][..], &["--reencrypt"]] {
        let replace = ["rekey", "a.vec.age", "-o", "a.vec.age", "--replace", "-r", own.trim()];
        let refused = repo.pack(&[&replace[..], more].concat()).refused("E_CRYPTO");
        assert!(
            refused.to_string().contains("its line ends were converted to LF"),
            "{refused}"
        );
    }
    let done = repo.pack(&["scan", "--rev", "HEAD"]);
    assert_eq!(done.code, 1, "{}", done.out());
    assert!(
        done.out().contains("its line ends were converted to LF"),
        "{}",
        done.out()
    );
}

#[test]
fn a_tracked_pack_says_that_its_line_ends_were_converted() {
    let repo = Repo::set_up();
    repo.write("report.txt", "one\ntwo\n");
    repo.pack(&["seal", "report.txt", "-o", "evidence/one"]).ok();
    repo.pack(&["seal", "--scope", "repo", "-o", "evidence/tree"]).ok();
    repo.commit("packs");
    let clone = clone(&repo, &["-c", "core.autocrlf=true"]);
    for pack in ["evidence/one", "evidence/tree"] {
        let done = repo.place.pack_in(&clone, &["verify", pack]);
        assert_eq!(done.code, 1, "{}", done.out());
        let says = "its line ends were converted to CRLF";
        assert!(done.out().contains(says), "{}", done.out());
        assert!(done.stderr.contains("-text"), "{}", done.stderr);
        let json = repo.place.pack_in(&clone, &["verify", "--json", pack]).out();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let invalid = value["invalid"].as_array().unwrap();
        let mismatches = invalid.iter().filter(|finding| finding["code"] == "HASH_MISMATCH");
        let details: Vec<&serde_json::Value> = mismatches.map(|finding| &finding["detail"]).collect();
        assert!(
            !details.is_empty() && details.iter().all(|detail| *detail == says),
            "{json}"
        );
    }
    // A member that was changed otherwise is not excused.
    let member = clone.join("evidence/one/report.txt");
    fs::write(&member, "one\r\ntwo!\r\n").unwrap();
    let json = repo.place.pack_in(&clone, &["verify", "--json", "evidence/one"]).out();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let invalid = value["invalid"].as_array().unwrap();
    let changed = invalid.iter().find(|finding| finding["path"] == "report.txt").unwrap();
    assert_eq!(changed.get("detail"), None, "{json}");
}

#[test]
fn a_manifest_with_converted_line_ends_says_so() {
    let repo = Repo::set_up();
    let (_, pack) = repo.seal(&[]);
    let manifest = pack.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace('\n', "\r\n")).unwrap();
    let done = repo.pack(&["verify", pack.to_str().unwrap()]);
    assert_eq!(done.code, 1, "{}", done.out());
    assert!(
        done.out().contains("its line ends were converted to CRLF"),
        "{}",
        done.out()
    );
}
