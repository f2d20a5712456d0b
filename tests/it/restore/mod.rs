//! `restore` from hashes: all files of a commit come back from packs, the content store and git, or none does.

mod damage;
mod given;
mod hostile;
mod sealed;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::common;
use crate::common::packs::{assert_same, copy_tree, document, recompute};
use crate::common::{Done, Repo, noise, snapshot};
use gitpack::format::digest::Digest;
use serde_json::json;

/// Makes every kind of entry, and difficult names; nothing is sealed.
fn scene() -> Repo {
    let repo = Repo::empty();
    repo.write("README.md", "hello\n");
    repo.write("a/b/c/d/e/deep", "deep\n");
    repo.write("a/b/same", "hello\n");
    repo.write("empty", "");
    repo.write("a-b", "between a and a/\n");
    repo.write("bin/data", noise(1, 300_000));
    repo.write("bin/zeros", vec![0; 128 << 10]);
    for name in ["a b/ü `c`\nd", "-rf", "*", "~", "\"quoted\"", "back\\slash", "…", " "] {
        repo.write(name, format!("named {name}"));
    }
    for name in [&b"caf\xe9 100%"[..], b"d\xff/\xe9\xe9/x", b"%raw-x", b"a/%raw-caf%E9"] {
        repo.write_bytes(name, &[b"named ", name].concat());
    }
    repo.write("run.sh", "#!/bin/sh\n");
    repo.write("a/tool", "#!/bin/sh\n");
    for path in ["run.sh", "a/tool"] {
        fs::set_permissions(repo.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }
    symlink("README.md", repo.path("link")).unwrap();
    symlink("/absolute/and/nowhere", repo.path("a/link")).unwrap();
    repo.git(&["add", "-A"]).ok();
    let submodule = format!("160000,{},sub", "1".repeat(40));
    repo.git(&["update-index", "--add", "--cacheinfo", &submodule]).ok();
    repo.git(&["commit", "-q", "-m", "scene"]).ok();
    repo
}

/// Returns the files of a directory: bytes, and whether the file is executable. Directories are left out.
fn files(root: &Path) -> BTreeMap<PathBuf, (Vec<u8>, bool)> {
    let found = snapshot(root).into_iter();
    let found = found.filter(|(_, mode, _)| mode & 0o170000 != 0o040000);
    found
        .map(|(path, mode, bytes)| {
            let executable = mode & 0o170000 == 0o100000 && mode & 0o100 != 0;
            (path, (bytes, executable))
        })
        .collect()
}

/// Asserts that a directory holds exactly these files, and names each difference.
#[track_caller]
fn assert_files(root: &Path, expected: &BTreeMap<PathBuf, (Vec<u8>, bool)>, what: &str) {
    let found = files(root);
    let differs = |path: &&PathBuf| found.get(*path) != expected.get(*path);
    let differing: Vec<_> = found.keys().chain(expected.keys()).filter(differs).collect();
    assert!(differing.is_empty(), "{what}: {differing:?}");
}

/// Returns the files that `git archive` makes of a commit, with a link as a file that holds its target. Submodules are
/// empty.
fn archived(repo: &Repo) -> BTreeMap<PathBuf, (Vec<u8>, bool)> {
    let target = repo.place.path().join("archived");
    fs::create_dir(&target).unwrap();
    let script = format!("git archive HEAD | tar -x -C {}", target.display());
    repo.place.run(&repo.root, "sh", &["-c", &script]).ok();
    let mut files = files(&target);
    files.insert("sub".into(), ("1".repeat(40).into_bytes(), false));
    files
}

fn manifest_ref(pack: &Path) -> String {
    let refs = document(pack, "LITE/RUN_REFS.json");
    refs["manifest_ref"].as_str().unwrap().to_owned()
}

fn lines(done: &Done) -> (String, String) {
    let out = done.out();
    let (count, digest) = out.trim_end().split_once('\n').unwrap();
    (count.to_owned(), digest.to_owned())
}

/// Returns the path of a content in the store.
fn stored(root: &Path, content: &str) -> PathBuf {
    let hex = content.strip_prefix("sha256:").unwrap();
    root.join(".git/gitpack/cas").join(&hex[..2]).join(&hex[2..])
}

/// Asserts that nothing is left at a refused output.
#[track_caller]
fn nothing_at(repo: &Repo, output: &str) {
    let place = repo.place.path();
    assert!(!place.join(output).exists(), "{output} is there");
    let left: Vec<_> = snapshot(place)
        .into_iter()
        .map(|(path, ..)| path)
        .filter(|path| path.to_string_lossy().contains(".git-pack-staging-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_is_restored_is_what_git_archives() {
    let repo = scene();
    let expected = archived(&repo);
    let state = repo.pack(&["state", "--mode", "public"]).ok().out();
    for emit in ["repo,lite", "lite", "repo", "full"] {
        repo.seal(&["--emit", emit, "-o", &format!("../of-{}", emit.replace(',', "-"))]);
    }
    let by_ref = manifest_ref(&repo.place.path().join("of-lite"));
    for (at, from) in ["../of-repo-lite", "../of-lite", "../of-repo", "../of-full", &by_ref]
        .into_iter()
        .enumerate()
    {
        let output = format!("../out{at}");
        let checked = repo.pack(&["restore", from, "--dry-run"]).ok();
        let done = repo.pack(&["restore", from, "-o", &output]).ok();
        assert_files(&repo.root.join(&output), &expected, from);
        let (count, digest) = lines(&done);
        assert_eq!(
            (count, digest.as_str()),
            (format!("RESTORED {}", expected.len()), state.trim())
        );
        assert_eq!(checked.out(), done.out().replace("RESTORED", "RESTORABLE"));
        for said in [
            "no files are sealed",
            "2 links become files",
            "1 submodule becomes a file",
            state.trim(),
        ] {
            assert!(done.stderr.contains(said), "{said}: {}", done.stderr);
        }
    }
}

#[test]
fn a_fresh_clone_has_what_is_in_git_and_no_place_but_the_pack_has_what_is_not() {
    let repo = scene();
    let expected = archived(&repo);
    let (_, lite) = repo.seal(&["--emit", "lite", "-o", "../lite"]);
    let (_, whole) = repo.seal(&["--emit", "repo", "-o", "../whole"]);
    let place = &repo.place;
    let clone = place.path().join("clone");
    place.run(place.path(), "git", &["clone", "-q", "repo", "clone"]).ok();
    let run = |from: &str, output: &str| place.pack_in(&clone, &["restore", from, "-o", output]);
    run("../lite", "../one").ok();
    run("../lite", "../two").ok();
    for output in ["one", "two"] {
        assert_files(&place.path().join(output), &expected, output);
    }
    // The manifest is both in the store of the sealing clone and in the pack.
    let by_ref = manifest_ref(&lite);
    let refused = run(&by_ref, "../out").refused("E_MISSING_OBJECT");
    assert_eq!(refused["refusal"]["detail"]["example"], by_ref.as_str());
    // Outside of every repository only the pack remains.
    let nowhere = place.path().join("home");
    let outside = |from: &Path| place.pack_in(&nowhere, &["restore", from.to_str().unwrap(), "-o", "out"]);
    let refused = outside(&lite).refused("E_MISSING_OBJECT");
    let detail = &refused["refusal"]["detail"];
    // The pack holds no copies of files, and the empty file is missing like all others.
    assert_eq!(
        (&detail["count"], &detail["sealed"]),
        (&json!(expected.len()), &json!(0))
    );
    assert!(!nowhere.join("out").exists());
    outside(&whole).ok();
    assert_files(&nowhere.join("out"), &expected, "outside");
    place
        .pack_in(&nowhere, &["restore", &by_ref, "-o", "x"])
        .refused("E_NOT_A_REPOSITORY");
    // A clone without the commit says so.
    let other = Repo::empty();
    other.write("x", "x");
    other.commit("other");
    let refused = other.pack(&["restore", lite.to_str().unwrap(), "-o", "../out"]);
    assert!(refused.stderr.contains("has the commit"), "{}", refused.stderr);
    refused.refused("E_MISSING_OBJECT");
}

#[test]
fn another_blob_of_the_clone_is_not_given_out_for_its_hash() {
    let repo = scene();
    let (_, lite) = repo.seal(&["--emit", "lite", "-o", "../lite"]);
    // Another history with the same files, so that all digests are known.
    let other = Repo::empty();
    for (path, (bytes, _)) in archived(&repo) {
        other.write_bytes(path.as_os_str().as_bytes(), &bytes);
    }
    other.git(&["add", "-A", "-f"]).ok();
    other.git(&["commit", "-q", "--no-verify", "-m", "other"]).ok();
    other.pack(&["state"]).ok();
    other
        .pack(&["restore", lite.to_str().unwrap(), "-o", "../out"])
        .refused("E_MISSING_OBJECT");
    assert!(!other.place.path().join("out").exists());
}

#[test]
fn it_works_in_subdirectories_linked_worktrees_and_bare_repositories() {
    let repo = scene();
    let expected = archived(&repo);
    let (_, lite) = repo.seal(&["--emit", "lite", "-o", "../lite"]);
    let by_ref = manifest_ref(&lite);
    repo.git(&["worktree", "add", "-q", "--detach", "../linked"]).ok();
    let place = &repo.place;
    place
        .run(place.path(), "git", &["clone", "-q", "--bare", "repo", "bare"])
        .ok();
    for (at, directory) in ["repo/a/b", "linked", "linked/a", "bare"].into_iter().enumerate() {
        let directory = place.path().join(directory);
        let output = place.path().join(format!("out{at}"));
        for from in [lite.to_str().unwrap(), &by_ref] {
            if directory.ends_with("bare") && from == by_ref {
                continue;
            }
            place
                .pack_in(&directory, &["restore", from, "-o", output.to_str().unwrap()])
                .ok();
            assert_files(&output, &expected, from);
            fs::remove_dir_all(&output).unwrap();
        }
    }
    // A bare repository has its own store.
    let bare = place.path().join("bare");
    place
        .pack_in(&bare, &["seal", "--emit", "lite", "-o", "../of-bare"])
        .ok();
    place.pack_in(&bare, &["restore", &by_ref, "-o", "../out"]).ok();
    assert_files(&place.path().join("out"), &expected, "bare");
    // Inside a work tree, the output is relative to the current directory.
    repo.pack(&["restore", "../lite", "-o", "below/out"]).ok();
    assert_files(&repo.path("below/out"), &expected, "below");
}

#[test]
fn the_other_hash_of_git_is_as_good() {
    let repo = Repo::with_format("sha256");
    repo.write("a/x", "one\n");
    repo.write("y", noise(3, 70_000));
    repo.commit("one");
    let (_, lite) = repo.seal(&["--emit", "lite", "-o", "../lite"]);
    let state = repo.pack(&["state"]).ok().out();
    for from in ["../lite", &manifest_ref(&lite)] {
        let done = repo.pack(&["restore", from, "--dry-run"]).ok();
        assert_eq!(lines(&done).1, state.trim());
    }
}

#[test]
fn a_dry_run_checks_everything_and_writes_nothing() {
    let repo = scene();
    let (_, lite) = repo.seal(&["--emit", "lite", "-o", "../lite"]);
    let by_ref = manifest_ref(&lite);
    let place = &repo.place;
    place.run(place.path(), "git", &["clone", "-q", "repo", "clone"]).ok();
    let clone = place.path().join("clone");
    let before = snapshot(place.path());
    for (directory, from) in [
        (&repo.root, "../lite"),
        (&repo.root, by_ref.as_str()),
        (&clone, "../lite"),
    ] {
        for output in [&[][..], &["-o", "../out"], &["-o", "../new/out"]] {
            let args = [&["restore", from, "--dry-run"], output].concat();
            let done = place.pack_in(directory, &args).ok();
            assert!(done.out().starts_with("RESTORABLE "), "{}", done.out());
            assert!(done.stderr.contains("nothing was changed"), "{}", done.stderr);
        }
    }
    assert_same(&before, &snapshot(place.path()), "dry run");
    fs::create_dir_all(place.path().join("taken/x")).unwrap();
    repo.pack(&["restore", "../lite", "--dry-run", "-o", "../taken"])
        .refused("E_IO");
    repo.pack(&["restore", "../lite", "--dry-run", "-o", "../lite/x"])
        .refused("E_USAGE");
}

#[test]
fn an_output_that_is_in_the_way_is_refused_before_anything_is_read() {
    let repo = scene();
    let (_, lite) = repo.seal(&["--emit", "lite,repo", "-o", "../lite"]);
    let by_ref = manifest_ref(&lite);
    fs::create_dir_all(repo.place.path().join("taken/x")).unwrap();
    fs::write(repo.place.path().join("file"), "").unwrap();
    fs::create_dir(repo.place.path().join("empty")).unwrap();
    symlink("lite", repo.place.path().join("way-in")).unwrap();
    // Damages the pack, so that a command that reads it fails.
    fs::write(lite.join("repo/README.md"), "other").unwrap();
    let manifest = fs::read(stored(&repo.root, &by_ref)).unwrap();
    let damage = |bytes: &[u8]| {
        fs::remove_file(stored(&repo.root, &by_ref)).unwrap();
        fs::write(stored(&repo.root, &by_ref), bytes).unwrap();
    };
    damage(b"other");
    let before = snapshot(repo.place.path());
    for (output, code) in [
        ("../taken", "E_IO"),
        ("../file", "E_IO"),
        ("../file/x", "E_IO"),
        ("../lite", "E_IO"),
        ("../lite/out", "E_USAGE"),
        ("../lite/repo/new/out", "E_USAGE"),
        ("../way-in/out", "E_USAGE"),
        (".git/out", "E_USAGE"),
        (".git/hooks/new/out", "E_USAGE"),
        ("../repo/.git/out", "E_USAGE"),
    ] {
        repo.pack(&["restore", "../lite", "-o", output]).refused(code);
        if !output.contains("lite") && !output.contains("way-in") {
            repo.pack(&["restore", &by_ref, "-o", output]).refused(code);
        }
    }
    // The directory of git is refused as an output, even if the environment names another repository.
    let other = Repo::empty();
    let mut command = repo.place.command(common::GIT_PACK, &repo.root);
    command.env("GIT_DIR", other.path(".git"));
    let out = command.args(["restore", "../lite", "-o", ".git/out"]).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stdout).contains("E_USAGE"));
    assert_same(&before, &snapshot(repo.place.path()), "refused outputs");
    // An empty directory is accepted as an output.
    damage(&manifest);
    repo.pack(&["restore", &by_ref, "-o", "../empty"]).ok();
}

#[test]
fn what_makes_no_sense_is_said_to_make_none() {
    let repo = scene();
    let (_, lite) = repo.seal(&["--emit", "lite,full", "-o", "../lite"]);
    let by_ref = manifest_ref(&lite);
    let hex = by_ref.strip_prefix("sha256:").unwrap();
    let upper = by_ref.to_uppercase();
    repo.seal(&["README.md", "-o", "../evidence"]);
    let identity = repo.place.home().join("absent.txt");
    let identity = identity.to_str().unwrap();
    for args in [
        &["../lite"][..],
        &[&by_ref[..70], "-o", "../out"],
        &[hex, "-o", "../out"],
        &[&upper, "-o", "../out"],
        &[&format!("sha256:{}", hex.to_uppercase()), "-o", "../out"],
        &[&format!("{by_ref}0"), "-o", "../out"],
        &[&format!("sha512:{hex}"), "-o", "../out"],
        &["sha256:", "-o", "../out"],
        &[&by_ref, "--from-full", "-o", "../out"],
        &["../lite", "--from-full", "--identity", identity, "-o", "../out"],
        &["../evidence", "-o", "../out"],
    ] {
        repo.pack(&[&["restore"], args].concat()).refused("E_USAGE");
        nothing_at(&repo, "out");
    }
    repo.pack(&["restore", "../absent", "-o", "../out"]).refused("E_IO");
    repo.pack(&["restore", ".", "-o", "../out"]).refused("E_BAD_PACK");
    repo.pack(&["restore", "../lite", "-i", identity, "-o", "../out"])
        .refused("E_NO_IDENTITY");
    // `--dry-run` also checks what `--from-full` would write.
    let checked = repo.pack(&["restore", "../lite", "--from-full", "--dry-run"]).ok();
    assert!(checked.out().starts_with("RESTORABLE "));
    let done = repo.pack(&["restore", "../lite", "--from-full", "-o", "../out"]).ok();
    assert_eq!(checked.out(), done.out().replace("RESTORED", "RESTORABLE"));
}

#[test]
fn a_pack_that_says_two_things_is_refused() {
    let repo = scene();
    let (_, lite) = repo.seal(&["--emit", "lite,repo", "-o", "../lite"]);
    let text = fs::read_to_string(lite.join("LITE/PACK_MANIFEST.json")).unwrap();
    let content = |text: &str| Digest::of(text.as_bytes()).to_string();
    for (name, from, to) in [
        (
            "another path",
            "\"path\":\"README.md\"",
            "\"path\":\"README.mdx\"".to_owned(),
        ),
        ("another content", content("deep\n").as_str(), content("hello\n")),
        ("another scope", "\"scope\":\"repo\"", "\"scope\":\"other\"".to_owned()),
        ("another commit", "\"commit\":\"", "\"commit\":\"0".to_owned()),
        ("spaces", "\"scope\":", "\"scope\": ".to_owned()),
        ("another version", "P2.0", "P2.1".to_owned()),
    ] {
        let forged = repo.place.path().join("forged");
        copy_tree(&lite, &forged);
        assert!(text.contains(from));
        fs::write(forged.join("LITE/PACK_MANIFEST.json"), text.replacen(from, &to, 1)).unwrap();
        recompute(&forged);
        let refused = repo
            .pack(&["restore", "../forged", "-o", "../out"])
            .refused("E_BAD_PACK");
        nothing_at(&repo, "out");
        assert!(!refused["refusal"]["message"].as_str().unwrap().is_empty(), "{name}");
        fs::remove_dir_all(forged).unwrap();
    }
}

#[test]
fn the_ledger_knows_what_was_restored() {
    let repo = scene();
    let (id, lite) = repo.seal(&["--emit", "lite", "-o", "../lite"]);
    let by_ref = manifest_ref(&lite);
    let last = || -> serde_json::Value {
        serde_json::from_slice(&repo.pack(&["witness", "last", "--json"]).ok().stdout).unwrap()
    };
    repo.pack(&["restore", "../lite", "-o", "../out"]).ok();
    let record = last();
    assert_eq!(
        (&record["outcome"], &record["pack_id"]),
        (&json!("RESTORED"), &json!(id))
    );
    assert_eq!(record["params"]["output"], "../out");
    repo.pack(&["restore", &by_ref, "--dry-run"]).ok();
    assert_eq!(last(), record);
    repo.pack(&["restore", &by_ref, "-o", "../by-ref"]).ok();
    let record = last();
    assert_eq!(record["inputs"][0]["hash"], by_ref.as_str());
    assert!(record.get("pack_id").is_none_or(serde_json::Value::is_null));
    repo.pack(&["restore", "../absent", "-o", "../x"]).refused("E_IO");
    assert_eq!(last()["outcome"], "REFUSAL");
    // A name that is not UTF-8 names no content.
    let odd = OsStr::from_bytes(b"sha256:\xff");
    let mut command = repo.place.command(common::GIT_PACK, &repo.root);
    let out = command.arg("restore").arg(odd).args(["-o", "../x"]).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn files_that_the_commit_has_encrypted_are_told() {
    let repo = Repo::set_up();
    repo.write("one.vec", noise(3, 100));
    repo.pack(&["protect", "one.vec"]).ok();
    repo.commit("one");
    repo.seal(&["-o", "../one"]);
    let done = repo.pack(&["restore", "../one", "-o", "../out"]).ok();
    for said in [
        "the pack itself seals no files",
        "one.vec.age is encrypted, as the commit has it;",
    ] {
        assert!(done.stderr.contains(said), "{said}: {}", done.stderr);
    }
    let identity = repo.identity();
    let opening = ["restore", "../one", "-o", "../opened", "-i", identity.to_str().unwrap()];
    let done = repo.pack(&opening).ok();
    assert!(
        done.stderr
            .contains("as the commit has it: --identity opens only what the pack itself sealed;"),
        "{}",
        done.stderr
    );
    repo.write("two.vec", noise(4, 100));
    repo.pack(&["protect", "two.vec"]).ok();
    // A name alone does not make it an age file.
    repo.write("notes.age.txt", "age-encryption.org/v1");
    repo.commit("two");
    repo.seal(&["-o", "../two"]);
    let done = repo.pack(&["restore", "../two", "-n"]).ok();
    assert!(
        done.stderr
            .contains("2 files are encrypted, as the commit has them, such as one.vec.age;"),
        "{}",
        done.stderr
    );
}

#[test]
fn outside_of_a_clone_a_place_is_asked_for() {
    let repo = scene();
    repo.seal(&["--emit", "lite", "-o", "../lite"]);
    let outside = repo.place.home();
    let other = repo.place.path().join("other");
    fs::create_dir(&other).unwrap();
    repo.place.run(&other, "git", &["init", "-q"]).ok();
    for (directory, advice) in [(&outside, "in a clone of the repository"), (&other, "git fetch")] {
        let refused = repo.place.pack_in(directory, &["restore", "../lite", "-o", "out"]);
        assert!(
            refused.stderr.contains("--from PLACE") && refused.stderr.contains(advice),
            "{}",
            refused.stderr
        );
        assert!(refused.stderr.contains("contents of"), "{}", refused.stderr);
        let value = refused.refused("E_MISSING_OBJECT");
        assert_eq!(value["refusal"]["next_command"], serde_json::Value::Null);
    }
}
