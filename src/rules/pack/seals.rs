//! Checks without a key that a pack's seals are declared and unchanged.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::canonical_json::parse_strict_into;
use crate::format::digest::Digest;
use crate::format::member_path::MemberPath;
use crate::format::padding::is_padded;
use crate::format::protected::Policy;
use crate::format::sealed::{
    INDEX, MEMBER, Seal, SealHeader, SealedArtifact, SealedArtifacts, VERSION, chunk_bytes, is_grease, opaque_path,
    sealed_path,
};
use crate::format::tree_meta::{PACK_INFO, PROTECTED, PackInfo, REPO, REPO_STATE};
use crate::rules::pack::commit::SealedFile;
use crate::rules::pack::documents::{PackDocuments, RegistryDocument};
use crate::rules::pack::findings::{FindingKind, Findings};
use crate::rules::pack::members::Members;
use crate::rules::pack::observed::{Fact, Headers};
use crate::rules::pack::places::in_sealed;

/// Judges the seals of a pack. Returns the document that declares them, if it is readable.
pub(super) fn judge(
    members: &Members<'_>,
    headers: &Headers,
    documents: &PackDocuments,
    info: Option<&PackInfo>,
    findings: &mut Findings,
) -> Option<SealedArtifacts> {
    let document = documents.get(MEMBER).and_then(|bytes| parse(bytes, findings));
    if let Some(document) = &document {
        check_document(document, documents.registry.as_ref(), findings);
        check_mode(document, info, findings);
        check_declared(document, members, headers, findings);
    }
    check_presence(members, findings);
    let declared = declared(document.as_ref());
    for path in members.paths() {
        if in_sealed(path) && !declared.contains(path) {
            findings.add(path, FindingKind::SealUndeclared);
        }
    }
    document
}

/// Returns the paths of the declared seals.
pub(super) fn declared(document: Option<&SealedArtifacts>) -> BTreeSet<&str> {
    let seals = document.into_iter().flat_map(SealedArtifacts::seals);
    seals.map(|seal| seal.sealed_path.as_str()).collect()
}

/// Checks that a pack with a registry or a repository state declares its seals, and that one with a state has a
/// registry.
fn check_presence(members: &Members<'_>, findings: &mut Findings) {
    let bound = members.has(REPO_STATE);
    if (members.tree_pack || bound || members.has(PROTECTED)) && !members.has(MEMBER) {
        let what = format!("it is missing: a pack with {PROTECTED} or {REPO_STATE} must declare its seals");
        findings.violation(MEMBER, what);
    }
    if bound && !members.tree_pack && !members.has(PROTECTED) {
        let what = "it is missing: a pack that is bound to a commit must have the registry of that commit";
        findings.violation(PROTECTED, what);
    }
}

/// Checks each declared seal.
fn check_declared(document: &SealedArtifacts, members: &Members<'_>, headers: &Headers, findings: &mut Findings) {
    let mut declared = BTreeSet::new();
    let mut hashes: BTreeMap<Digest, &str> = BTreeMap::new();
    for seal in document.seals() {
        if let Some(other) = hashes.insert(seal.sealed_hash, &seal.sealed_path) {
            let what = format!("it has the same ciphertext as {other}");
            findings.add(&seal.sealed_path, FindingKind::SealTampered(what));
        }
        if !declared.insert(seal.sealed_path.as_str()) {
            findings.violation(MEMBER, format!("{} is declared twice", seal.sealed_path));
        }
        check_seal(seal, members, headers, findings);
    }
    for artifact in &document.artifacts {
        check_name(artifact, members, findings);
    }
}

fn parse(bytes: &[u8], findings: &mut Findings) -> Option<SealedArtifacts> {
    match parse_strict_into::<SealedArtifacts>(bytes) {
        Ok(document) if document.version == VERSION => {
            if document.to_bytes() != bytes {
                findings.violation(MEMBER, "not in canonical form");
            }
            Some(document)
        }
        Ok(document) => {
            findings.violation(
                MEMBER,
                format!("version: expected {VERSION}, found {:?}", document.version),
            );
            None
        }
        Err(why) => {
            findings.violation(MEMBER, why.to_string());
            None
        }
    }
}

/// Checks that both documents state the same mode.
fn check_mode(document: &SealedArtifacts, info: Option<&PackInfo>, findings: &mut Findings) {
    if info.is_some_and(|info| info.mode != document.mode) {
        findings.violation(PACK_INFO, format!("mode differs from {MEMBER}"));
    }
}

fn check_document(document: &SealedArtifacts, registry: Option<&RegistryDocument>, findings: &mut Findings) {
    if document.artifact_count != document.artifacts.len() as u64 {
        findings.violation(
            MEMBER,
            format!(
                "artifact_count is {}, but there are {} artifacts",
                document.artifact_count,
                document.artifacts.len()
            ),
        );
    }
    let computed = document.computed_digest().to_string();
    if document.sealed_digest != computed {
        findings.violation(
            MEMBER,
            format!("sealed_digest is {}, expected {computed}", document.sealed_digest),
        );
    }
    if !document
        .artifacts
        .is_sorted_by(|a, b| a.seal.sealed_path < b.seal.sealed_path)
    {
        findings.violation(MEMBER, "artifacts are not sorted by sealed_path, or one occurs twice");
    }
    let opaque = document.index.is_some();
    let named = |artifact: &SealedArtifact| (artifact.path.is_some(), artifact.rule.is_some());
    if document
        .artifacts
        .iter()
        .any(|artifact| named(artifact) != (!opaque, !opaque))
    {
        findings.violation(
            MEMBER,
            "artifacts must have path and rule, or neither of them if there is an index",
        );
    }
    if let Some(index) = &document.index
        && (index.sealed_path != INDEX || !index.padded)
    {
        findings.violation(MEMBER, format!("the index is not at {INDEX}, or is not padded"));
    }
    match registry {
        None => findings.violation(MEMBER, format!("{PROTECTED} is not in the pack")),
        Some(registry) if Digest::of(&registry.bytes) != document.registry_hash => {
            findings.violation(MEMBER, format!("registry_hash is not the hash of {PROTECTED}"));
        }
        Some(_) => {}
    }
}

/// Checks that a seal has the path of its artifact, and that the artifact is not in the clear beside it.
fn check_name(artifact: &SealedArtifact, members: &Members<'_>, findings: &mut Findings) {
    let path = artifact.seal.sealed_path.as_str();
    let Some(name) = &artifact.path else {
        if path != opaque_path(&artifact.seal.sealed_hash) {
            findings.violation(MEMBER, format!("{path} is not named after its ciphertext"));
        }
        return;
    };
    match MemberPath::parse(name) {
        Ok(plain) if sealed_path(&plain) == path => {}
        Ok(_) => findings.violation(MEMBER, format!("{path} is not the path for the seal of {name}")),
        Err(why) => findings.violation(MEMBER, format!("{name:?} is not a member path: {why}")),
    }
    let plain = [name.clone(), format!("{REPO}/{name}")];
    for plain in plain.iter().filter(|plain| members.has(plain)) {
        let what = format!("it is in plaintext beside its seal {path}");
        findings.add(plain.as_str(), FindingKind::PlaintextLeak(what));
    }
}

fn check_seal(seal: &Seal, members: &Members<'_>, headers: &Headers, findings: &mut Findings) {
    let path = seal.sealed_path.as_str();
    let (hash, size) = match members.facts.get(path.as_bytes()) {
        Some(Fact::Hashed { hash, size }) if members.has(path) => (hash, *size),
        // An unreadable seal is reported by the envelope, but it must not count as intact either.
        Some(_) if members.has(path) => {
            return findings.add(path, FindingKind::SealTampered("it could not be read".into()));
        }
        _ => {
            return findings.add(
                path,
                FindingKind::SealMissing("it is declared, but is not a member".into()),
            );
        }
    };
    let mut tampered = |what: String| findings.add(path, FindingKind::SealTampered(what));
    if *hash != seal.sealed_hash {
        tampered("its hash differs from the declared one".into());
    }
    if size != seal.sealed_bytes {
        tampered(format!("expected {} bytes, found {size}", seal.sealed_bytes));
    }
    match headers.get(path) {
        Some(Ok(header)) => check_header(seal, header, size, &mut tampered),
        Some(Err(why)) => tampered(why.clone()),
        // A seal outside of `sealed/` is reported elsewhere, and its header is not read.
        None if !in_sealed(path) => {}
        None => tampered("its header was not read".into()),
    }
}

fn check_header(seal: &Seal, header: &SealHeader, size: u64, tampered: &mut dyn FnMut(String)) {
    if header.stanzas != seal.stanzas {
        tampered(format!(
            "its stanzas are {:?}, but {:?} are declared",
            header.stanzas, seal.stanzas
        ));
    }
    if header.stanzas.iter().all(|stanza| is_grease(stanza)) {
        tampered("it is sealed to no recipient".into());
    }
    if header.nonce != seal.nonce {
        tampered("its payload nonce differs from the declared one".into());
    }
    if size.checked_sub(header.bytes) != Some(chunk_bytes(seal.plain_bytes)) {
        tampered(format!("its payload cannot hold {} bytes", seal.plain_bytes));
    }
    if seal.padded && !is_padded(seal.plain_bytes) {
        tampered(format!("a padded plaintext cannot have {} bytes", seal.plain_bytes));
    }
}

/// Compares the seals of a tree pack with the files that a pack of its commit and mode must seal.
pub(super) fn compare(document: &SealedArtifacts, files: &[SealedFile], findings: &mut Findings) {
    let mut missing = |what: String| findings.add(MEMBER, FindingKind::SealMissing(what));
    if document.index.is_none() {
        let declared: BTreeSet<&str> = document.artifacts.iter().filter_map(|a| a.path.as_deref()).collect();
        let paths = files.iter().map(|file| file.path.text());
        for path in paths.filter(|path| !declared.contains(&**path)) {
            missing(format!(
                "{path} is protected in the commit, but its seal is not declared"
            ));
        }
        return;
    }
    // The names are sealed, so only the number of seals of each class can be compared.
    let mut expected: BTreeMap<(&str, Policy), usize> = BTreeMap::new();
    for file in files {
        *expected.entry((&file.class, file.policy)).or_default() += 1;
    }
    for ((class, policy), count) in expected {
        let declared = document.artifacts.iter();
        let declared = declared
            .filter(|a| (a.class.as_str(), a.policy) == (class, policy))
            .count();
        if declared < count {
            missing(format!(
                "the commit has {count} protected files of class {class}, but the pack declares {declared} seals of it"
            ));
        }
    }
}
