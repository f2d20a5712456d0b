//! Are a pack's seals whole, declared and undisturbed, and is nothing protected in the clear? Judged without a key.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::canonical_json::parse_strict_into;
use crate::format::digest::Digest;
use crate::format::manifest::ManifestDocument;
use crate::format::member_path::MemberPath;
use crate::format::protected::Policy;
use crate::format::sealed::{
    DIRECTORY, MEMBER, SealHeader, SealedArtifact, SealedArtifacts, VERSION, chunk_bytes, sealed_path,
};
use crate::format::tree_meta::{self, PROTECTED, REPO};
use crate::rules::protect::{Registry, Verdict};
use crate::rules::verify::{Fact, Facts, FindingKind, Findings};

/// What was read of a pack's seals.
pub struct Seals<'a> {
    /// The bytes of `SEALED_ARTIFACTS.json`, if it is a member that could be read.
    pub document: Option<&'a [u8]>,
    /// The bytes of `meta/PACK_INFO.json`, likewise.
    pub info: Option<&'a [u8]>,
    /// The bytes of `meta/PROTECTED.json`, likewise.
    pub registry: Option<&'a [u8]>,
    /// For each member under `sealed/`: its header, or why it has none.
    pub headers: &'a BTreeMap<String, Result<SealHeader, String>>,
}

/// Judges the seals of a pack; returns the number of artifacts that its document declares, if it has one.
pub fn judge(manifest: &ManifestDocument, facts: &Facts, seals: &Seals<'_>, findings: &mut Findings) -> Option<u64> {
    let members: BTreeSet<&str> = manifest.members.iter().map(|m| m.path.as_str()).collect();
    let document = seals.document.and_then(|bytes| parse(bytes, findings));
    let mut declared = BTreeSet::new();
    if let Some(document) = &document {
        check_document(document, seals.registry, findings);
        check_mode(document, seals.info, findings);
        for artifact in &document.artifacts {
            if !declared.insert(artifact.sealed_path.as_str()) {
                findings.violation(MEMBER, format!("{} is declared twice", artifact.sealed_path));
            }
            check_artifact(artifact, &members, facts, seals, findings);
        }
    }
    for path in &members {
        if in_sealed(path) && !declared.contains(path) {
            findings.add(*path, FindingKind::SealUndeclared);
        }
    }
    if let Some(bytes) = seals.registry {
        match parse_strict_into(bytes)
            .map_err(|e| e.to_string())
            .and_then(Registry::of_document)
        {
            Ok(registry) => {
                if registry.to_document() != bytes {
                    findings.violation(PROTECTED, "not in canonical form");
                }
                if !registry.has_built_in_rules() {
                    findings.violation(PROTECTED, "a rule set does not begin with the built-in rules");
                }
                if let Some(document) = &document {
                    check_verdicts(document, &registry, findings);
                }
                let tree = is_tree_pack(members.iter().copied());
                for path in members.iter().filter(|path| !declared.contains(*path)) {
                    if let Some(verdict) = judge_member(&registry, path, tree) {
                        let what = format!("class {}, rule {}", verdict.class, verdict.cause);
                        findings.add(*path, FindingKind::PlaintextLeak(what));
                    }
                }
            }
            Err(why) => findings.violation(PROTECTED, why),
        }
    }
    document.map(|document| document.artifacts.len() as u64)
}

/// Returns whether a member path lies under `sealed/`.
pub fn in_sealed(path: &str) -> bool {
    in_directory(path, DIRECTORY)
}

/// Returns whether a member path lies under a directory at the top of the pack.
pub fn in_directory(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
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

/// Both documents that name the mode name the same.
fn check_mode(document: &SealedArtifacts, info: Option<&[u8]>, findings: &mut Findings) {
    let info = info.and_then(|bytes| parse_strict_into::<tree_meta::PackInfo>(bytes).ok());
    if info.is_some_and(|info| info.mode != document.mode) {
        findings.violation(tree_meta::PACK_INFO, format!("mode is not the one of {MEMBER}"));
    }
}

fn check_document(document: &SealedArtifacts, registry: Option<&[u8]>, findings: &mut Findings) {
    if document.artifact_count != document.artifacts.len() as u64 {
        findings.violation(
            MEMBER,
            format!(
                "artifact_count is {}, of {} artifacts",
                document.artifact_count,
                document.artifacts.len()
            ),
        );
    }
    let computed = document.computed_digest().to_string();
    if document.sealed_digest != computed {
        findings.violation(
            MEMBER,
            format!("sealed_digest is {}, should be {computed}", document.sealed_digest),
        );
    }
    if !document.artifacts.is_sorted_by(|a, b| a.path < b.path) {
        findings.violation(MEMBER, "artifacts are not sorted by path, or one is there twice");
    }
    match registry {
        None => findings.violation(MEMBER, format!("{PROTECTED} is not in the pack")),
        Some(bytes) if Digest::of(bytes) != document.registry_hash => {
            findings.violation(MEMBER, format!("registry_hash is not the hash of {PROTECTED}"));
        }
        Some(_) => {}
    }
}

fn check_artifact(
    artifact: &SealedArtifact,
    members: &BTreeSet<&str>,
    facts: &Facts,
    seals: &Seals<'_>,
    findings: &mut Findings,
) {
    let path = artifact.sealed_path.as_str();
    match MemberPath::parse(&artifact.path) {
        Ok(plain) if sealed_path(&plain) == path => {}
        Ok(_) => findings.violation(MEMBER, format!("{path} is not where {} is sealed", artifact.path)),
        Err(why) => findings.violation(MEMBER, format!("{:?} is not a member path: {why}", artifact.path)),
    }
    let (hash, size) = match facts.get(path.as_bytes()) {
        Some(Fact::Hashed { hash, size }) if members.contains(path) => (hash, *size),
        // Present but unread: the envelope has said so, and it cannot count as intact here either.
        Some(_) if members.contains(path) => {
            return findings.add(path, FindingKind::SealTampered("it could not be read".into()));
        }
        _ => {
            return findings.add(
                path,
                FindingKind::SealMissing(format!("{} is declared as sealed", artifact.path)),
            );
        }
    };
    let plain = [artifact.path.clone(), format!("{REPO}/{}", artifact.path)];
    for path in plain.iter().filter(|path| members.contains(path.as_str())) {
        let what = format!("it stands in the clear beside its seal {}", artifact.sealed_path);
        findings.add(path.as_str(), FindingKind::PlaintextLeak(what));
    }
    let mut tampered = |what: String| findings.add(path, FindingKind::SealTampered(what));
    if *hash != artifact.sealed_hash {
        tampered("its bytes are not those declared".into());
    }
    if size != artifact.sealed_bytes {
        tampered(format!("expected {} bytes, found {size}", artifact.sealed_bytes));
    }
    match seals.headers.get(path) {
        Some(Ok(header)) => {
            if header.stanzas != artifact.stanzas {
                tampered(format!(
                    "its stanzas are {:?}, declared are {:?}",
                    header.stanzas, artifact.stanzas
                ));
            }
            if header.stanzas.iter().all(|stanza| stanza.ends_with("-grease")) {
                tampered("it is sealed for nobody".into());
            }
            if header.nonce != artifact.nonce {
                tampered("its payload nonce is not the one declared".into());
            }
            if size.checked_sub(header.bytes) != Some(chunk_bytes(artifact.plain_bytes)) {
                tampered(format!("its payload cannot hold {} bytes", artifact.plain_bytes));
            }
        }
        Some(Err(why)) => tampered(why.clone()),
        // One that lies elsewhere was reported for that, and was not looked into.
        None if !in_sealed(path) => {}
        None => tampered("its header was not read".into()),
    }
}

/// Every artifact is sealed for the reason that the registry gives, or because somebody attached it.
fn check_verdicts(document: &SealedArtifacts, registry: &Registry, findings: &mut Findings) {
    for artifact in &document.artifacts {
        let agrees = match registry.judge(artifact.path.as_bytes()) {
            Some(verdict) => {
                (verdict.policy, verdict.class.as_str(), verdict.cause.to_string())
                    == (artifact.policy, artifact.class.as_str(), artifact.rule.clone())
            }
            // Evidence is judged by its place in the repository too, which the pack does not name.
            None => artifact.policy != Policy::Allowed && !artifact.class.is_empty(),
        };
        if !agrees {
            let what = format!(
                "class, policy or rule of {} are not those of the registry",
                artifact.path
            );
            findings.violation(MEMBER, what);
        }
    }
}

/// Returns whether a pack with these members is one of a commit's tree: it has copies of entries, or a document that only
/// such packs have.
pub fn is_tree_pack<'a>(mut members: impl Iterator<Item = &'a str>) -> bool {
    members.any(|path| in_directory(path, REPO) || tree_meta::OF_TREE_PACKS.contains(&path))
}

/// Returns what the registry says of a member in the clear.
///
/// In a tree pack, what lies under `repo/` is judged by the path of the entry that it copies. The documents of the pack
/// itself hold no artifact.
pub fn judge_member(registry: &Registry, path: &str, tree_pack: bool) -> Option<Verdict> {
    if tree_meta::DOCUMENTS.contains(&path) || path == MEMBER {
        return None;
    }
    let copied = path.strip_prefix(REPO).and_then(|rest| rest.strip_prefix('/'));
    let judged = copied.filter(|_| tree_pack).unwrap_or(path);
    registry.judge(judged.as_bytes())
}
