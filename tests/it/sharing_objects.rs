//! Packs in object stores: in a directory, in an S3 server, which is moto of PyPI, in azurite of npm, and in a server that
//! speaks as Google's does. Others may have prepared them.

mod azure;
mod directory;
mod google;
mod roles;
mod s3;

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Done, GIT_PACK, Place, Repo, noise, write};

/// Seals a pack of these files, each with its content, and returns its id and its directory.
#[track_caller]
fn sealed(repo: &Repo, name: &str, files: &[(&str, Vec<u8>)]) -> (String, PathBuf) {
    for (path, content) in files {
        repo.write(path, content);
    }
    let output = format!("../packs/{name}");
    let paths = files.iter().map(|(path, _)| *path);
    let mut args = vec!["seal"];
    args.extend(paths);
    args.extend(["--created", "2026-01-15T10:30:00Z", "-o", &output]);
    let (id, _) = repo.seal(&args[1..]);
    (id, repo.place.path().join("packs").join(name))
}

/// Texts of different sizes, one of them empty.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("notes.txt", b"notes\n".to_vec()),
        ("empty.txt", Vec::new()),
        ("report.md", text(7, 300_000)),
    ]
}

/// Returns a text that looks random.
fn text(seed: u64, len: usize) -> Vec<u8> {
    noise(seed, len).into_iter().map(|byte| b'a' + byte % 26).collect()
}

/// Returns the files of a pack with their bytes.
fn bytes(pack: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let all = crate::common::snapshot(pack).into_iter();
    all.map(|(path, _, bytes)| (path, bytes)).collect()
}

/// Returns the hex digits of an id.
fn hex(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap()
}
