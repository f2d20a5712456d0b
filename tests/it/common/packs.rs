//! Packs for tests: opened with the `age` command, copied, and forged so that their documents agree again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gitpack::format::canonical_json::to_document;
use gitpack::format::digest::Digest;
use gitpack::format::member_path::MemberPath;
use gitpack::format::sealed::{Seal, SealedArtifacts, chunk_bytes};
use gitpack::format::tree_meta::{FILE_INDEX, FILE_TREE, write_file_tree};
use gitpack::ops::pack::verify::verify_directory;
use serde_json::{Value, json};

use super::{Done, GIT_PACK, Place, Repo, age, is_root, snapshot};

/// Decrypts a sealed file with the `age` command and the owner's key.
#[track_caller]
pub fn opened(repo: &Repo, sealed: &Path) -> Vec<u8> {
    let identity = repo.identity();
    let args = ["-d", "-i", identity.to_str().unwrap(), sealed.to_str().unwrap()];
    repo.place.run(&repo.root, &age(), &args).ok().stdout
}

/// Returns a content sample by its path below `fixtures/content`.
pub fn sample(path: &str) -> Vec<u8> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/content");
    fs::read(Path::new(root).join(path)).unwrap()
}

/// Returns path and code of every finding on a pack.
pub fn codes(root: &Path) -> Vec<(String, &'static str)> {
    let report = verify_directory(root).unwrap();
    let findings = report.findings.iter();
    findings
        .map(|finding| (finding.path.clone(), finding.kind.code()))
        .collect()
}

/// Reads a JSON document of a pack.
pub fn document(pack: &Path, member: &str) -> Value {
    serde_json::from_slice(&fs::read(pack.join(member)).unwrap()).unwrap()
}

/// Returns path, class, policy and rule of each artifact that a pack declares.
pub fn declared(pack: &Path) -> Vec<[String; 4]> {
    let document = document(pack, "SEALED_ARTIFACTS.json");
    let artifacts = document["artifacts"].as_array().unwrap();
    let text = |artifact: &Value, key: &str| artifact[key].as_str().unwrap_or_default().to_owned();
    let each = artifacts.iter();
    each.map(|artifact| ["path", "class", "policy", "rule"].map(|key| text(artifact, key)))
        .collect()
}

/// Returns the paths of the artifacts that a pack declares.
pub fn declared_paths(pack: &Path) -> Vec<String> {
    declared(pack).into_iter().map(|[path, ..]| path).collect()
}

/// Maps every ciphertext of a pack to its hash.
pub fn ciphertexts(pack: &Path) -> BTreeMap<PathBuf, String> {
    let files = snapshot(&pack.join("sealed"));
    let files = files.into_iter().filter(|(_, mode, _)| mode & 0o170000 == 0o100000);
    files
        .map(|(path, _, bytes)| (path, Digest::of(&bytes).to_string()))
        .collect()
}

/// Copies files and directories.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for (path, mode, bytes) in snapshot(from) {
        let target = to.join(path);
        if mode & 0o170000 == 0o040000 {
            fs::create_dir_all(target).unwrap();
        } else {
            super::write(&target, bytes);
        }
    }
}

/// Recomputes the file list, the tree and the manifest of a pack from the files on disk, as a clever forger would.
pub fn recompute(pack: &Path) {
    let mut manifest = document(pack, "manifest.json");
    let known: BTreeMap<String, Value> = manifest["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| (member["path"].as_str().unwrap().to_owned(), member.clone()))
        .collect();
    let files = || -> Vec<(String, Vec<u8>)> {
        let files = snapshot(pack).into_iter();
        let files = files.filter(|(_, mode, _)| mode & 0o170000 == 0o100000);
        files
            .map(|(path, _, bytes)| (path.to_str().unwrap().to_owned(), bytes))
            .filter(|(path, _)| path != "manifest.json")
            .collect()
    };
    if pack.join(FILE_INDEX).exists() {
        let paths = files()
            .into_iter()
            .filter(|(path, _)| path != FILE_INDEX)
            .map(|(path, _)| path);
        let paths: Vec<MemberPath> = paths.filter_map(|path| MemberPath::parse(&path).ok()).collect();
        let mut drawing = Vec::new();
        write_file_tree(&mut drawing, paths.iter().map(MemberPath::as_str)).unwrap();
        fs::write(pack.join(FILE_TREE), drawing).unwrap();
        let mut index: Vec<Value> = files()
            .iter()
            .filter(|(path, _)| path != FILE_INDEX)
            .map(|(path, bytes)| json!({"path": path, "hash": Digest::of(bytes).hex(), "size": bytes.len()}))
            .collect();
        index.sort_by(|a, b| a["path"].as_str().cmp(&b["path"].as_str()));
        fs::write(pack.join(FILE_INDEX), to_document(&json!({ "files": index }))).unwrap();
    }
    let mut members: Vec<Value> = files()
        .iter()
        .map(|(path, bytes)| {
            let mut member = known
                .get(path)
                .cloned()
                .unwrap_or_else(|| json!({"path": path, "type": "other"}));
            member["bytes_hash"] = Digest::of(bytes).to_string().into();
            member
        })
        .collect();
    members.sort_by(|a, b| a["path"].as_str().cmp(&b["path"].as_str()));
    manifest["member_count"] = members.len().into();
    manifest["members"] = members.into();
    manifest["pack_id"] = "".into();
    let mut canonical = to_document(&manifest);
    canonical.pop();
    manifest["pack_id"] = Digest::of(&canonical).to_string().into();
    fs::write(pack.join("manifest.json"), to_document(&manifest)).unwrap();
}

/// Changes what a pack declares about its seals, and recomputes every document that depends on it.
pub fn redeclare(pack: &Path, change: impl FnOnce(&mut SealedArtifacts)) {
    let path = pack.join("SEALED_ARTIFACTS.json");
    let mut document: SealedArtifacts = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut document);
    document
        .artifacts
        .sort_by(|a, b| a.seal.sealed_path.cmp(&b.seal.sealed_path));
    document.artifact_count = document.artifacts.len() as u64;
    document.sealed_digest = document.computed_digest().to_string();
    fs::write(&path, document.to_bytes()).unwrap();
    recompute(pack);
}

/// Makes the declarations fit the sealed files that are on disk now, as far as their headers allow. Drops the
/// declaration of a seal that is gone.
pub fn redeclare_as_found(pack: &Path) {
    redeclare(pack, |document| {
        document
            .artifacts
            .retain(|artifact| pack.join(&artifact.seal.sealed_path).exists());
        for artifact in &mut document.artifacts {
            as_found(pack, &mut artifact.seal);
        }
        if let Some(index) = &mut document.index {
            as_found(pack, index);
        }
    });
}

fn as_found(pack: &Path, seal: &mut Seal) {
    let Ok(bytes) = fs::read(pack.join(&seal.sealed_path)) else {
        return;
    };
    seal.sealed_hash = Digest::of(&bytes);
    seal.sealed_bytes = bytes.len() as u64;
    if let Ok(header) = gitpack::adapters::cipher::header(&bytes[..]) {
        let payload = bytes.len() as u64 - header.bytes;
        let chunks = payload.div_ceil((64 << 10) + 16).max(1);
        seal.plain_bytes = payload.saturating_sub(16 * chunks);
        // Every payload of this length belongs to some plaintext.
        debug_assert!(chunk_bytes(seal.plain_bytes) >= 16);
        seal.stanzas = header.stanzas;
        seal.nonce = header.nonce;
    }
}

/// Runs the binary without the right to read everything: as the current user, or as user 65534 if that is root.
pub fn unprivileged(place: &Place, directory: &Path, args: &[&str]) -> Done {
    use std::os::unix::process::CommandExt;
    let mut command = place.command(GIT_PACK, directory);
    if is_root() {
        let copy = place.path().join("git-pack");
        if !copy.exists() {
            place.copy_binary(&copy);
        }
        command = place.command(&copy, directory);
        command.uid(65534).gid(65534);
    }
    Done::from(command.args(args).output().unwrap())
}

/// Gives every file here to the user that [`unprivileged`] runs as.
pub fn give_away(place: &Place) {
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
    if is_root() {
        place.run(place.path(), "chown", &["-R", "65534:65534", "."]).ok();
    }
}

/// Takes a [`snapshot`], but leaves out a ciphertext store that holds only its lock.
pub fn standing(root: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut found = snapshot(root);
    let store = [".git/gitpack", ".git/gitpack/seals", ".git/gitpack/seals/lock"];
    found.retain(|(path, ..)| !store.iter().any(|part| path.ends_with(part)));
    found
}

/// Asserts that no file was added, removed or changed; the message names each one that was.
#[track_caller]
pub fn assert_same(before: &[(PathBuf, u32, Vec<u8>)], after: &[(PathBuf, u32, Vec<u8>)], when: &str) {
    let differing = |one: &[(PathBuf, u32, Vec<u8>)], other: &[(PathBuf, u32, Vec<u8>)]| -> Vec<PathBuf> {
        let other: std::collections::HashSet<_> = other.iter().collect();
        let differing = one.iter().filter(|entry| !other.contains(entry));
        differing.map(|(path, ..)| path.clone()).collect()
    };
    let (gone, come) = (differing(before, after), differing(after, before));
    assert!(gone.is_empty() && come.is_empty(), "{when}: {gone:?} became {come:?}");
}
