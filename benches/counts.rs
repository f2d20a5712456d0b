//! Runs hot functions on fixed inputs: `benches/counts` counts the instructions of each.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it stops at the first surprise, and talks to a script"
)]

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gitpack::adapters::cipher::{self, Recipients, Silence};
use gitpack::adapters::git::Repository;
use gitpack::format::canonical_json::to_document;
use gitpack::format::digest::Digest;
use gitpack::format::mac::MacKey;
use gitpack::format::manifest::{Manifest, ManifestDocument, Member, MemberType};
use gitpack::format::member_path::MemberPath;
use gitpack::format::object_id::ObjectId;
use gitpack::format::repo_path::RepoPath;
use gitpack::format::repo_state::{EntryKind, StateEntry, TreeEntry};
use gitpack::format::state_lines::{EntryLines, LinesFile};
use gitpack::format::timestamp::Timestamp;
use gitpack::ops::Context;
use gitpack::ops::pack::seal::{SealRequest, seal};
use gitpack::ops::pack::verify::verify_directory;
use gitpack::rules::content::{Look, recognise_slice};
use gitpack::rules::globs::{Case, Globs};
use serde_json::{Value, json};

fn main() {
    let random = random(1 << 20);
    let paths: Vec<String> = (0..10_000).map(|n| format!("d{:03}/f{n:05}.txt", n / 100)).collect();
    let scratch = tempfile::tempdir().unwrap();

    count("SHA-256 of 1 MiB", || Digest::of(&random));
    let key = MacKey::from_bytes([7; 32]);
    count("MAC of 1 MiB", || key.of(&random));

    let (repo, tree) = repository(&scratch.path().join("git"), &paths);
    count("list a tree of 10,000 files", || repo.tree_entries(&tree).unwrap());
    let entries: Vec<StateEntry> = paths.iter().map(|path| entry(path)).collect();
    count("lines of a state of 10,000 files", || {
        std::io::copy(
            &mut LinesFile::new(tree, EntryLines::of(&entries), &key),
            &mut std::io::sink(),
        )
        .unwrap()
    });

    let patterns: Vec<String> = (0..50).map(|n| format!("d{n:03}/**/*.{n}")).collect();
    let globs = Globs::new(patterns.iter().map(String::as_str), Case::Sensitive).unwrap();
    count("50 globs on 10,000 paths", || {
        paths.iter().filter(|path| globs.matches(path.as_bytes())).count()
    });

    let text = text(1 << 20);
    count("recognise a text of 1 MiB", || {
        recognise_slice(text.as_bytes(), Look::default())
    });
    count("recognise a binary of 1 MiB", || {
        recognise_slice(&random, Look::default())
    });
    let archive = archive(&random);
    count("recognise a .tar.gz of 100 files, 1 MB", || {
        recognise_slice(&archive, Look::default())
    });

    let values: Value = paths
        .iter()
        .map(|path| json!({ "path": path, "size": path.len() }))
        .collect();
    count("write 10,000 items of JSON", || to_document(&values));
    let manifest = manifest(&paths);
    count("parse a manifest of 10,000 members", || {
        ManifestDocument::parse(&manifest).unwrap()
    });

    let recipient = cipher::generate_identity("").recipient;
    let recipients = Recipients::parse([recipient.as_str()], &Silence::asker()).unwrap();
    count("encrypt 1 MiB", || {
        cipher::encrypt(&recipients, &mut random.as_slice(), std::io::sink()).is_ok()
    });
    let pack = pack(scratch.path(), &random);
    count("verify 100 members, 1 MB", || {
        verify_directory(&pack).unwrap().findings.is_empty()
    });
}

/// Runs one case between two marks that callgrind knows by name, and prints what the case is.
fn count<T>(name: &str, case: impl FnOnce() -> T) {
    begin_of_case();
    black_box(case());
    end_of_case();
    println!("{name}");
}

#[inline(never)]
fn begin_of_case() {
    black_box(1);
}

// Not the same code, so that the two stay two.
#[inline(never)]
fn end_of_case() {
    black_box(2);
}

/// Bytes of a xorshift generator.
fn random(length: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

fn text(length: usize) -> String {
    let mut text = String::with_capacity(length + 80);
    let mut line = 0;
    while text.len() < length {
        writeln!(
            text,
            "    let value_{line} = key.of(line, {line}); // \"the {line}th line\" of a text"
        )
        .unwrap();
        line += 1;
    }
    text
}

fn entry(path: &str) -> StateEntry {
    StateEntry {
        entry: TreeEntry {
            path: RepoPath::new(path.as_bytes()),
            kind: EntryKind::Regular,
            id: ObjectId::from_bytes(&[7; 20]).unwrap(),
        },
        hash: Digest::of(path.as_bytes()),
        size: path.len() as u64,
    }
}

/// Makes a repository of files with one content, and returns it with the id of its tree.
fn repository(directory: &Path, paths: &[String]) -> (Repository, ObjectId) {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(directory).args(arguments);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        git
    };
    fs::create_dir(directory).unwrap();
    assert!(git(&["init", "-q", "--bare"]).status().unwrap().success());
    let mut import = git(&["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut commands =
        String::from("blob\nmark :1\ndata 2\nx\n\ncommit refs/heads/main\ncommitter b <b@b> 0 +0000\ndata 0\n");
    for path in paths {
        writeln!(commands, "M 100644 :1 {path}").unwrap();
    }
    import.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
    let ctx = Context::new(directory, now());
    let repo = ctx.repository().unwrap();
    let tree = repo.commit("main").unwrap().tree;
    (repo, tree)
}

fn archive(bytes: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::default(),
    ));
    for (n, bytes) in bytes.chunks(10_000).take(100).enumerate() {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_path(format!("f{n}")).unwrap();
        header.set_cksum();
        tar.append(&header, bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn manifest(paths: &[String]) -> Vec<u8> {
    let members = paths.iter().map(|path| Member {
        path: MemberPath::parse(path).unwrap(),
        bytes_hash: Digest::of(path.as_bytes()),
        kind: MemberType::Other,
        artifact_version: None,
    });
    let manifest = Manifest {
        created: now(),
        note: None,
        tool_version: "0.1.0".into(),
        members: members.collect(),
    };
    let mut bytes = Vec::new();
    manifest.write(&mut bytes).unwrap();
    bytes
}

/// Seals a pack of 100 files.
fn pack(scratch: &Path, bytes: &[u8]) -> PathBuf {
    let files = scratch.join("files");
    fs::create_dir(&files).unwrap();
    for (n, bytes) in bytes.chunks(10_000).take(100).enumerate() {
        fs::write(files.join(n.to_string()), bytes).unwrap();
    }
    let request = SealRequest {
        artifacts: vec![files],
        output: Some(scratch.join("pack")),
        ..SealRequest::default()
    };
    seal(&Context::new(scratch, now()), &request).unwrap().output
}

fn now() -> Timestamp {
    Timestamp::from_seconds(1_768_473_000).unwrap()
}
