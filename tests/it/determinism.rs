//! The determinism contract, line by line: the inputs of the digest, the names of packs, the documents that are the
//! same everywhere, and the versions that reject a pack. One commit gives one pack id wherever it is sealed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common;
use crate::common::packs::{codes, copy_tree, document, give_away, recompute, unprivileged};
use crate::common::{GIT_PACK, Place, Repo, noise, reference, snapshot};
use gitpack::format::canonical_json::to_document;
use gitpack::format::digest::Digest;
use serde_json::{Value, json};

/// Every part of a tree pack.
const PARTS: &[&str] = &["full", "lite", "repo", "split"];

const CANON: &str = "LAW/CANON/VERSIONING.md";

const CONFIG: &str = "version = 1\n[pack]\ncanon_version_file = \"LAW/CANON/VERSIONING.md\"\n\
                      [scope.repo]\ntitle = \"A title\"\nprefix = \"FIX\"\nbuckets = [\"LAW\"]\nanchors = [\"README.md\"]\n\
                      [scope.src]\ninclude = [\"src/**\"]\n";

/// Makes a fixed commit with every kind of entry: name, address and date of its author never change.
fn fixture() -> Repo {
    let repo = Repo::empty();
    repo.write(".gitpack.toml", CONFIG);
    repo.write(
        ".gitattributes",
        "crlf.txt text eol=crlf\nkept.txt export-ignore\n*.rs ident\n",
    );
    repo.write(CANON, "---\ncanon_version: 2.7.1\n---\n");
    repo.write("README.md", "# Title\n\n```sh\nls\n```\n");
    repo.write("crlf.txt", "one\r\ntwo\r\n");
    repo.write("kept.txt", "left out of archives\n");
    repo.write("empty", "");
    repo.write("src/main.rs", "// $Id$\nfn main() {}\n");
    repo.write("src/ü \"q\"\n/日本", "odd\n");
    repo.write("a.b/c", "1\n");
    repo.write("a/c", "2\n");
    repo.write("a-b", "3\n");
    repo.write("noise.bin", noise(1, 3000));
    repo.write("run.sh", "#!/bin/sh\n");
    fs::set_permissions(repo.path("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../nowhere", repo.path("link")).unwrap();
    repo.git(&["add", "-A"]).ok();
    let module = format!("160000,{},module", "1".repeat(40));
    repo.git(&["update-index", "--add", "--cacheinfo", &module]).ok();
    repo.git(&["commit", "-q", "-m", "fixture"]).ok();
    repo
}

fn all_parts() -> String {
    PARTS.join(",")
}

fn state(repo: &Repo, args: &[&str]) -> String {
    repo.pack(&[&["state"], args].concat()).ok().out().trim().to_owned()
}

/// Maps member paths to bytes. Modes are left out, because they depend on the umask.
fn bytes(pack: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = snapshot(pack).into_iter();
    let files = files.filter(|(_, mode, _)| mode & 0o170000 == 0o100000);
    files.map(|(path, _, bytes)| (path, bytes)).collect()
}

/// Returns the paths whose bytes differ between two packs, or that only one has.
fn differing(one: &Path, other: &Path) -> Vec<String> {
    let (one, other) = (bytes(one), bytes(other));
    let paths: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let differing = paths.into_iter().filter(|path| one.get(*path) != other.get(*path));
    differing.map(|path| path.to_str().unwrap().to_owned()).collect()
}

/// Computes the digest from the lines that a pack's own document gives.
fn digest_of_state(pack: &Path) -> String {
    let state = document(pack, "meta/REPO_STATE.json");
    let mut lines = String::new();
    for file in state["files"].as_array().unwrap() {
        let text = |key: &str| file[key].as_str().unwrap();
        lines.push_str(&format!("{} {} {}\n", text("hash"), file["size"], text("path")));
    }
    Digest::of(lines.as_bytes()).to_string()
}

#[test]
fn the_primary_cache_key_is_the_manifest_digest_derived_from_repo_state() {
    let repo = fixture();
    let digest = state(&repo, &[]);
    assert_eq!(digest, reference::state(&repo.place, &repo.root, "HEAD"));
    for parts in ["repo", &all_parts()] {
        let (_, pack) = repo.seal(&["--emit", parts, "-o", &format!("../of-{parts}")]);
        assert_eq!(digest_of_state(&pack), digest, "{parts}");
        let report = repo.pack(&["verify", pack.to_str().unwrap(), "--json"]).ok().stdout;
        let report: Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["repo_state"]["digest"], digest, "{parts}");
    }
}

#[test]
fn only_file_content_hashes_sizes_and_paths_feed_the_digest() {
    let repo = fixture();
    let digest = state(&repo, &[]);
    let amended = |args: &[&str]| {
        repo.git(&[&["commit", "-q", "--amend", "--no-edit", "--allow-empty"], args].concat())
            .ok();
        state(&repo, &[])
    };
    // The digest ignores the message, the author, the parent, tags, the branch and the kind of an entry.
    assert_eq!(amended(&["-m", "another"]), digest);
    assert_eq!(amended(&["--author", "Somebody Else <else@example.org>"]), digest);
    repo.git(&["commit", "-q", "--allow-empty", "-m", "one more"]).ok();
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    repo.git(&["tag", "-a", "-m", "tag", "v1"]).ok();
    assert_eq!(state(&repo, &[]), digest);
    assert_eq!(state(&repo, &["v1"]), digest);
    repo.git(&["update-index", "--chmod=+x", "README.md"]).ok();
    assert_eq!(amended(&[]), digest);

    // The digest changes with a hash, a size and a path.
    let mut seen = vec![digest];
    for (path, content) in [("a/c", "9\n"), ("a/c", "9"), ("a/d", "9")] {
        fs::remove_dir_all(repo.path("a")).unwrap();
        repo.write(path, content);
        repo.git(&["add", "-A", "a"]).ok();
        let digest = amended(&[]);
        assert!(!seen.contains(&digest), "{path} {content:?}");
        seen.push(digest);
    }
}

#[test]
fn timestamps_are_ignored() {
    let repo = fixture();
    let digest = state(&repo, &[]);
    let (id, pack) = repo.seal(&["--emit", &all_parts()]);
    // Other dates of files: the same pack.
    repo.place
        .run(
            &repo.root,
            "find",
            &[".", "-name", "*.rs", "-exec", "touch", "-d", "1999-12-31", "{}", "+"],
        )
        .ok();
    repo.write("README.md", fs::read(repo.path("README.md")).unwrap());
    assert_eq!(repo.seal(&["--emit", &all_parts()]), (id, pack.clone()));
    // Other dates of the commit: the same state and the same directory.
    let mut commit = repo.place.command("git", &repo.root);
    commit
        .args(["commit", "-q", "--amend", "--no-edit", "--date", "1999-12-31T00:00:00Z"])
        .env("GIT_COMMITTER_DATE", "1999-12-31T00:00:00Z");
    assert!(commit.status().unwrap().success());
    assert_eq!(state(&repo, &[]), digest);
    fs::remove_dir_all(&pack).unwrap();
    assert_eq!(repo.seal(&["--emit", &all_parts()]).1, pack);
}

#[test]
fn the_digest_determines_the_default_pack_directory_name() {
    let repo = fixture();
    for scope in ["repo", "src"] {
        let digest = state(&repo, &["--scope", scope]);
        let stamp = &digest["sha256:".len()..][..12];
        let (_, pack) = repo.seal(&["--scope", scope]);
        let expected = format!("_PACK_RUN/llm-pack-{scope}-{stamp}");
        assert_eq!(pack, repo.path(&format!("{expected}/")), "{scope}");
        assert_eq!(document(&pack, "meta/PACK_INFO.json")["stamp"], stamp);
    }
}

#[test]
fn file_index_is_the_sorted_list_of_path_hash_and_size() {
    let repo = fixture();
    let (_, pack) = repo.seal(&["--emit", &all_parts()]);
    let mut members = bytes(&pack);
    members.remove(Path::new("manifest.json"));
    let index = members.remove(Path::new("meta/FILE_INDEX.json")).unwrap();
    let mut files: Vec<Value> = members
        .iter()
        .map(|(path, bytes)| json!({"path": path, "hash": Digest::of(bytes).hex(), "size": bytes.len()}))
        .collect();
    files.sort_by(|a, b| a["path"].as_str().cmp(&b["path"].as_str()));
    assert!(files.len() > 25, "{files:?}");
    assert_eq!(
        String::from_utf8(index).unwrap(),
        String::from_utf8(to_document(&json!({ "files": files }))).unwrap()
    );
}

/// Draws sorted paths as a tree, in another way than the packer: each line from its path alone.
fn drawn(paths: &[String]) -> String {
    let mut lines = vec!["./".to_owned()];
    let names = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    let mut all: Vec<Vec<String>> = paths.iter().map(|path| names(path)).collect();
    all.sort();
    let mut before: Vec<String> = Vec::new();
    for (at, path) in all.iter().enumerate() {
        let shared = path.iter().zip(&before).take_while(|(a, b)| a == b).count();
        for depth in shared..path.len() {
            let is_last = |depth: usize| {
                let later = all[at + 1..]
                    .iter()
                    .take_while(|other| other.len() > depth && other[..depth] == path[..depth]);
                later.into_iter().all(|other| other[depth] == path[depth])
            };
            let mut line = String::new();
            for above in 0..depth {
                line.push_str(if is_last(above) { "    " } else { "│   " });
            }
            line.push_str(if is_last(depth) { "└── " } else { "├── " });
            line.push_str(&gitpack::refusal::shown::shown(path[depth].as_bytes()));
            if depth + 1 < path.len() {
                line.push('/');
            }
            lines.push(line);
        }
        before.clone_from(path);
    }
    lines.join("\n") + "\n"
}

#[test]
fn file_tree_is_drawn_from_the_same_listing() {
    let repo = fixture();
    let (_, pack) = repo.seal(&["--emit", &all_parts()]);
    let index = document(&pack, "meta/FILE_INDEX.json");
    let listed: Vec<String> = index["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap().to_owned())
        .collect();
    let tree = fs::read_to_string(pack.join("meta/FILE_TREE.txt")).unwrap();
    assert_eq!(tree, drawn(&listed));
}

#[test]
fn repo_state_has_canon_version_grammar_version_and_sorted_files() {
    let repo = fixture();
    let (_, pack) = repo.seal(&[]);
    let mut files = Vec::new();
    let listing = repo.git(&["ls-tree", "-r", "-z", "HEAD"]).ok().stdout;
    for entry in listing.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let entry = std::str::from_utf8(entry).unwrap();
        let (meta, path) = entry.split_once('\t').unwrap();
        let [mode, kind, id] = meta.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{meta}");
        };
        let content = match kind {
            "blob" => repo.git(&["cat-file", "blob", id]).ok().stdout,
            _ => id.as_bytes().to_vec(),
        };
        let mut file = json!({"path": path, "hash": Digest::of(&content).hex(), "size": content.len()});
        if mode != "100644" {
            file["mode"] = mode.into();
        }
        files.push(file);
    }
    files.sort_by(|a, b| a["path"].as_str().cmp(&b["path"].as_str()));
    let expected = json!({"canon_version": "2.7.1", "grammar_version": "1.0", "scope": "repo", "files": files});
    let found = fs::read(pack.join("meta/REPO_STATE.json")).unwrap();
    assert_eq!(
        String::from_utf8(found).unwrap(),
        String::from_utf8(to_document(&expected)).unwrap()
    );
}

#[test]
fn pack_info_reports_scope_title_stamp_and_version() {
    let repo = fixture();
    let (_, pack) = repo.seal(&[]);
    let expected = json!({
        "scope": "repo",
        "title": "A title",
        "stamp": &state(&repo, &[])["sha256:".len()..][..12],
        "version": "pack.info.v0",
        "commit": repo.rev("HEAD"),
        "tree": repo.rev("HEAD^{tree}"),
        "mode": "public",
    });
    assert_eq!(
        fs::read(pack.join("meta/PACK_INFO.json")).unwrap(),
        to_document(&expected)
    );
}

#[test]
fn provenance_names_neither_a_host_nor_a_time() {
    let repo = fixture();
    let (_, pack) = repo.seal(&[]);
    let expected = json!({
        "generator": "git-pack",
        "generator_version": env!("CARGO_PKG_VERSION"),
        "version": "pack.provenance.v0",
    });
    assert_eq!(
        fs::read(pack.join("meta/PROVENANCE.json")).unwrap(),
        to_document(&expected)
    );
}

#[test]
fn canon_version_is_read_from_the_file_that_the_commit_names() {
    let repo = fixture();
    let canon = |repo: &Repo, rev: &str| -> Value {
        let report = repo.pack(&["state", "--json", rev]).ok().stdout;
        let report: Value = serde_json::from_slice(&report).unwrap();
        report["canon_version"].clone()
    };
    // The work tree has no effect.
    repo.write(CANON, "canon_version: 9.9.9\n");
    assert_eq!(canon(&repo, "HEAD"), "2.7.1");
    repo.commit("new canon");
    assert_eq!(
        (canon(&repo, "HEAD"), canon(&repo, "HEAD~1")),
        ("9.9.9".into(), "2.7.1".into())
    );
    // Another file of that kind has no effect either.
    repo.write("docs/OTHER.md", "canon_version: 1.1.1\n");
    repo.write(".gitpack.toml", CONFIG.replace(CANON, "docs/OTHER.md"));
    repo.commit("another file");
    assert_eq!(canon(&repo, "HEAD"), "1.1.1");
    // The file is read even if the scope does not cover it.
    let (_, pack) = repo.seal(&["--scope", "src"]);
    assert_eq!(document(&pack, "meta/REPO_STATE.json")["canon_version"], "1.1.1");
}

#[test]
fn canon_version_is_unknown_without_one() {
    let repo = Repo::empty();
    repo.write(CANON, "canon_version: 2.7.1\n");
    repo.commit("no configuration");
    let named = "version = 1\n[pack]\ncanon_version_file = \"LAW/CANON/VERSIONING.md\"\n";
    for (config, canon) in [
        ("version = 1\n", Some("canon_version: 2.7.1\n")),
        (named, Some("canon_version: two\n")),
        (named, None),
    ] {
        repo.write(".gitpack.toml", config);
        match canon {
            Some(text) => repo.write(CANON, text),
            None => fs::remove_file(repo.path(CANON)).unwrap(),
        }
        repo.commit("configuration");
    }
    for rev in ["HEAD", "HEAD~1", "HEAD~2", "HEAD~3"] {
        let (_, pack) = repo.seal(&["--rev", rev, "-o", &format!("../{rev}")]);
        assert_eq!(
            document(&pack, "meta/REPO_STATE.json")["canon_version"],
            "unknown",
            "{rev}"
        );
        repo.pack(&["verify", &format!("../{rev}"), "--rev", rev]).ok();
    }
}

#[test]
fn grammar_version_is_1_0() {
    let repo = fixture();
    let (_, pack) = repo.seal(&[]);
    assert_eq!(document(&pack, "meta/REPO_STATE.json")["grammar_version"], "1.0");
    let report: Value = serde_json::from_slice(&repo.pack(&["state", "--json"]).ok().stdout).unwrap();
    assert_eq!(report["grammar_version"], "1.0");
}

/// Asserts that a pack is INVALID for this version alone, and that both people and machines are told the remedy.
#[track_caller]
fn assert_rejected(repo: &Repo, args: &[&str], code: &str, versions: [&str; 2], remedy: &str) {
    let done = repo.pack(&[&["verify"], args].concat());
    assert_eq!(done.code, 1, "{}{}", done.out(), done.stderr);
    assert!(done.out().starts_with("pack verify: INVALID\n"), "{}", done.out());
    let [expected, actual] = versions;
    let line = format!("expected {expected}, found {actual}; ");
    let row = done.out().lines().find(|row| row.contains(code)).unwrap().to_owned();
    assert!(row.contains(&line) && row.contains(remedy), "{row}");
    let report: Value = serde_json::from_slice(&repo.pack(&[&["verify", "--json"], args].concat()).stdout).unwrap();
    assert_eq!(report["outcome"], "INVALID");
    let [found] = &report["invalid"].as_array().unwrap()[..] else {
        panic!("{report}");
    };
    assert_eq!(
        (&found["code"], &found["path"], &found["expected"], &found["actual"]),
        (
            &code.into(),
            &"meta/REPO_STATE.json".into(),
            &expected.into(),
            &actual.into()
        )
    );
    assert!(found["detail"].as_str().unwrap().contains(remedy), "{found}");
}

#[test]
fn a_pack_of_another_canon_version_is_rejected() {
    let repo = fixture();
    let (_, pack) = repo.seal(&["--scope", "src", "-o", "../pack"]);
    assert_eq!(codes(&pack), []);
    // The files of the scope are the same, but the rules that govern them changed.
    repo.write(CANON, "canon_version: 3.0.0\n");
    repo.commit("new canon");
    repo.pack(&["verify", "../pack", "--rev", "HEAD~1"]).ok();
    let args = ["../pack", "--rev", "HEAD"];
    assert_rejected(
        &repo,
        &args,
        "CANON_VERSION_MISMATCH",
        ["3.0.0", "2.7.1"],
        "seal it again",
    );
    let report: Value =
        serde_json::from_slice(&repo.pack(&["verify", "--json", "../pack", "--rev", "HEAD"]).stdout).unwrap();
    assert_eq!(report["repo_state"]["matches"], false);
}

#[test]
fn a_pack_of_another_grammar_version_is_rejected() {
    let repo = fixture();
    // Without LITE, which refers to the hash of the state.
    let (_, pack) = repo.seal(&["--emit", "repo,full", "-o", "../pack"]);
    let other = repo.place.path().join("other");
    copy_tree(&pack, &other);
    let mut state = document(&other, "meta/REPO_STATE.json");
    state["grammar_version"] = "1.1".into();
    fs::write(other.join("meta/REPO_STATE.json"), to_document(&state)).unwrap();
    recompute(&other);
    // The unknown version is rejected both with a commit and without one.
    for args in [&["../other"][..], &["../other", "--rev", "HEAD"]] {
        let remedy = "seal the commit again";
        assert_rejected(&repo, args, "GRAMMAR_VERSION_MISMATCH", ["1.0", "1.1"], remedy);
    }
    let restore = ["restore", "../other", "--from-full", "-o", "../out"];
    let refused = repo.pack(&restore).refused("E_BAD_PACK");
    assert!(refused.to_string().contains("GRAMMAR_VERSION_MISMATCH"), "{refused}");
}

#[test]
fn one_state_of_two_commits_varies_only_where_the_commit_is_named() {
    let repo = fixture();
    let (_, one) = repo.seal(&["--emit", &all_parts(), "-o", "../one"]);
    repo.git(&["commit", "-q", "--amend", "-m", "another message"]).ok();
    let (_, two) = repo.seal(&["--emit", &all_parts(), "-o", "../two"]);
    let varying = differing(&one, &two);
    let named = |path: &String| path.starts_with("FULL/") || path.starts_with("SPLIT/") || path.starts_with("LITE/");
    let documents: Vec<&str> = varying.iter().filter(|path| !named(path)).map(String::as_str).collect();
    // The file list and the manifest hold hashes of documents that name the commit.
    assert_eq!(
        documents,
        ["manifest.json", "meta/FILE_INDEX.json", "meta/PACK_INFO.json"]
    );
    for path in varying.iter().filter(|path| named(path)) {
        let [one, two] = [&one, &two].map(|pack| fs::read_to_string(pack.join(path)).unwrap());
        let unlike = one.lines().zip(two.lines()).filter(|(one, two)| one != two);
        // LITE also names the commit in its records, which appear as hashes.
        let names_it = |line: &str| match path.starts_with("LITE/") {
            true => line.starts_with("* commit: ") || line.contains("sha256:"),
            false => line.starts_with("- commit: "),
        };
        assert!(unlike.into_iter().all(|(line, _)| names_it(line)), "{path}");
    }
}

#[test]
fn a_note_and_a_time_vary_the_manifest_alone() {
    let repo = fixture();
    let parts = all_parts();
    let seal = |output: &str, args: &[&str], epoch: Option<&str>| {
        let mut command = repo.place.command(GIT_PACK, &repo.root);
        command.args(["seal", "--emit", &parts, "-o", output]).args(args);
        command.envs(epoch.map(|epoch| ("SOURCE_DATE_EPOCH", epoch)));
        assert!(command.output().unwrap().status.success());
        repo.root.join(output)
    };
    let plain = seal("../plain", &[], None);
    for (output, args, epoch) in [
        ("../note", &["--note", "a note"][..], None),
        ("../created", &["--created", "2001-01-01T00:00:00Z"], None),
        ("../epoch", &[], Some("1000000000")),
    ] {
        let other = seal(output, args, epoch);
        assert_eq!(differing(&plain, &other), ["manifest.json"], "{output}");
    }
}

/// One way to seal the commit of the fixture: where it runs, and how the command differs.
struct Way {
    name: &'static str,
    directory: PathBuf,
    script: &'static str,
    special: fn(&mut Command),
}

/// Returns every way in which a user may have that commit.
fn ways(repo: &Repo) -> Vec<Way> {
    let place = &repo.place;
    let url = format!("file://{}", repo.root.display());
    let clone = |name: &str, args: &[&str]| {
        let args = [&["clone", "-q"], args, &[&url, name]].concat();
        place.run(place.path(), "git", &args).ok();
        place.path().join(name)
    };
    let full = clone("full", &[]);
    let packed = clone("packed", &[]);
    place.run(&packed, "git", &["gc", "-q", "--aggressive"]).ok();
    repo.git(&["worktree", "add", "-q", "--detach", "../linked"]).ok();
    let dirty = clone("dirty", &[]);
    common::write(&dirty.join("README.md"), "changed\n");
    common::write(&dirty.join("untracked.txt"), "untracked\n");
    common::write(&dirty.join("staged.txt"), "staged\n");
    common::write(&dirty.join("src/main.rs"), "staged, too\n");
    common::write(&dirty.join(".gitattributes"), "* -text\n");
    fs::remove_file(dirty.join("run.sh")).unwrap();
    let other = "version = 1\n[pack]\nemit = [\"full\"]\n[scope.repo]\ntitle = \"Mine\"\nexclude = [\"src/\"]\n\
                 [[protect]]\nclass = \"all\"\npaths = [\"*.md\"]\n";
    common::write(&dirty.join(".gitpack.toml"), other);
    let staged = ["add", "staged.txt", "src/main.rs", ".gitattributes"];
    place.run(&dirty, "git", &staged).ok();

    const PLAIN: &str = "exec git-pack \"$@\"";
    let way = |name, directory: &Path, special| Way {
        name,
        directory: directory.to_owned(),
        script: PLAIN,
        special,
    };
    let umask = |script| Way {
        script,
        ..way(script, &full, |_| {})
    };
    vec![
        way("a full clone", &full, |_| {}),
        way("the same once more", &full, |_| {}),
        way("a subdirectory", &full.join("src"), |_| {}),
        way("a shallow clone", &clone("shallow", &["--depth=1"]), |_| {}),
        way("a bare clone", &clone("bare", &["--bare"]), |_| {}),
        way(
            "a checkout as on Windows",
            &clone("crlf", &["-c", "core.autocrlf=true", "-c", "core.symlinks=false"]),
            |_| {},
        ),
        way("a repacked clone", &packed, |_| {}),
        way("a linked worktree", &place.path().join("linked"), |_| {}),
        way(DIRTY, &dirty, |_| {}),
        way("another time zone, locale and host", &full, |command| {
            command.envs([
                ("TZ", "Pacific/Auckland"),
                ("LC_ALL", "tr_TR.UTF-8"),
                ("LANG", "tr_TR.UTF-8"),
                ("USER", "somebody"),
                ("HOSTNAME", "elsewhere"),
                ("COLUMNS", "20"),
            ]);
        }),
        way("the C locale, and no home", &full, |command| {
            command.env("LC_ALL", "C").env("TZ", "UTC").env_remove("HOME");
        }),
        umask("umask 077; exec git-pack \"$@\""),
        umask("umask 000; exec git-pack \"$@\""),
    ]
}

const DIRTY: &str = "a dirty work tree";

#[test]
fn one_commit_has_one_pack_id_wherever_and_however_it_is_sealed() {
    let repo = fixture();
    let ways = ways(&repo);
    for (at, parts) in ["repo", &all_parts()].into_iter().enumerate() {
        let (id, pack) = repo.seal(&["--emit", parts, "-o", &format!("../original{at}")]);
        for (number, way) in ways.iter().enumerate() {
            let name = way.name;
            let output = repo.place.path().join(format!("out{at}/{number}"));
            let mut command = repo.place.command("sh", &way.directory);
            command.args(["-c", way.script, "sh", "seal", "--emit", parts, "-o"]);
            (way.special)(command.arg(&output));
            let done = command.output().unwrap();
            let out = String::from_utf8_lossy(&done.stdout);
            let err = String::from_utf8_lossy(&done.stderr);
            assert!(out.starts_with(&format!("PACK_CREATED {id}\n")), "{name}: {out}{err}");
            assert_eq!(differing(&pack, &output), [""; 0], "{name}");
            let mentioned = err.contains("the one in the work tree differs");
            assert_eq!(mentioned, name == DIRTY, "{name}: {err}");
        }
    }
}

#[test]
fn another_user_has_the_same_pack_id() {
    let repo = fixture();
    let theirs = Place::new();
    let bundle = theirs.path().join("bundle");
    repo.git(&["bundle", "create", "-q", bundle.to_str().unwrap(), "HEAD", "main"])
        .ok();
    give_away(&theirs);
    if unprivileged(&theirs, theirs.path(), &["--version"]).code != 0 {
        // The other user cannot run anything here, so there is nothing to test.
        return;
    }
    let mut clone = theirs.command("git", theirs.path());
    if common::is_root() {
        use std::os::unix::process::CommandExt;
        clone.uid(65534).gid(65534);
    }
    assert!(
        clone
            .args(["clone", "-q", "bundle", "clone"])
            .output()
            .unwrap()
            .status
            .success()
    );
    for (at, parts) in ["repo", &all_parts()].into_iter().enumerate() {
        let (id, pack) = repo.seal(&["--emit", parts, "-o", &format!("../original{at}")]);
        let output = theirs.path().join(format!("clone{at}"));
        let seal = ["seal", "--emit", parts, "-o", output.to_str().unwrap()];
        let done = unprivileged(&theirs, &theirs.path().join("clone"), &seal).ok();
        assert!(done.out().starts_with(&format!("PACK_CREATED {id}\n")), "{parts}");
        assert_eq!(differing(&pack, &output), [""; 0], "{parts}");
        // In a repository of another user nothing is trusted, so sealing is refused.
        if common::is_root() {
            fs::set_permissions(repo.place.path(), fs::Permissions::from_mode(0o755)).unwrap();
            let refused = theirs.path().join("refused");
            let seal = ["seal", "--emit", parts, "-o", refused.to_str().unwrap()];
            unprivileged(&theirs, &repo.root, &seal).refused("E_UNSUPPORTED");
            assert!(!refused.exists());
        }
    }
}

/// These ids are promises: the same commit and release give them on every machine. A new release has new ids.
#[test]
fn golden_ids_of_the_fixture() {
    let repo = fixture();
    assert_eq!(
        (repo.rev("HEAD").as_str(), state(&repo, &[]).as_str()),
        (
            "e5a25cfb9e2b92349973a9e2558f886cb5dfc57e",
            "sha256:33f3fdb67e911523cd85518714f5055291d33d8604970ca9430282c5948fb2a9"
        ),
        "the fixture itself changed"
    );
    let golden = [
        (
            "repo",
            "sha256:4433afd3efccc4bb8d591a6d8e8b7f6860b5bb1deaa5725556c7548565aa65f1",
        ),
        (
            "full,repo,split",
            "sha256:7bcd553021b07bc7ebbab194e4b68f182bbff99ae3f2b592c94913362c1ed291",
        ),
    ];
    for (at, (parts, golden)) in golden.into_iter().enumerate() {
        let (id, pack) = repo.seal(&["--emit", parts, "-o", &format!("../{at}")]);
        assert_eq!(id, golden, "{parts}");
        assert_eq!(codes(&pack), []);
    }
}
