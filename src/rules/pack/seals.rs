//! Are a pack's seals whole, declared and undisturbed, and is nothing protected in the clear? Judged without a key.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::canonical_json::parse_strict_into;
use crate::format::digest::Digest;
use crate::format::manifest::ManifestDocument;
use crate::format::member_path::MemberPath;
use crate::format::padding::is_padded;
use crate::format::protected::{Format, Policy};
use crate::format::repo_state::Mode;
use crate::format::sealed::{
    ATTACHED, INDEX, MEMBER, Seal, SealHeader, SealedArtifact, SealedArtifacts, VERSION, chunk_bytes, opaque_path,
    sealed_path,
};
use crate::format::tree_meta::{self, PROTECTED, REPO};
use crate::rules::pack::commit::SealedFile;
use crate::rules::pack::findings::{FindingKind, Findings};
use crate::rules::pack::observed::{Fact, Facts, Members, SeenTexts};
use crate::rules::pack::places::{in_sealed, is_tree_pack};
use crate::rules::pack::plain::{PlainMembers, judge_member};
use crate::rules::protect::Registry;
use crate::rules::scan::Leak;

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
    /// What was seen in the members in the clear.
    pub plain: &'a PlainMembers,
    /// What was seen in the members that hold texts.
    pub texts: &'a Members,
}

/// Judges the seals of a pack; returns its document, if it has one that can be read.
pub fn judge(
    manifest: &ManifestDocument,
    facts: &Facts,
    seals: &Seals<'_>,
    findings: &mut Findings,
) -> Option<SealedArtifacts> {
    let members: BTreeSet<&str> = manifest.members.iter().map(|m| m.path.as_str()).collect();
    let document = seals.document.and_then(|bytes| parse(bytes, findings));
    let mut declared = BTreeSet::new();
    if let Some(document) = &document {
        check_document(document, seals.registry, findings);
        check_mode(document, seals.info, findings);
        let mut hashes: BTreeMap<Digest, &str> = BTreeMap::new();
        for seal in document.seals() {
            if let Some(other) = hashes.insert(seal.sealed_hash, &seal.sealed_path) {
                let what = format!("it is the ciphertext of {other}, and no two artifacts have the same");
                findings.add(&seal.sealed_path, FindingKind::SealTampered(what));
            }
            if !declared.insert(seal.sealed_path.as_str()) {
                findings.violation(MEMBER, format!("{} is declared twice", seal.sealed_path));
            }
            check_seal(seal, &members, facts, seals, findings);
        }
        for artifact in &document.artifacts {
            check_name(artifact, &members, findings);
        }
    }
    let tree = is_tree_pack(members.iter().copied());
    let bound = members.contains(tree_meta::REPO_STATE);
    if (tree || bound || members.contains(PROTECTED)) && !members.contains(MEMBER) {
        let what = format!(
            "a pack with {PROTECTED} or {} declares its seals, and this is not a member",
            tree_meta::REPO_STATE
        );
        findings.violation(MEMBER, what);
    }
    if bound && !tree && !members.contains(PROTECTED) {
        let what = "what is bound to a commit has the registry of that commit, and this is not a member";
        findings.violation(PROTECTED, what);
    }
    for path in &members {
        if in_sealed(path) && !declared.contains(path) {
            findings.add(*path, FindingKind::SealUndeclared);
        }
    }
    if let Some(bytes) = seals.registry {
        match parse_registry(bytes) {
            Ok(registry) => {
                if registry.to_document() != bytes {
                    findings.violation(PROTECTED, "not in canonical form");
                }
                if !registry.has_built_in_rules() {
                    findings.violation(PROTECTED, "a rule set does not begin with the built-in rules");
                }
                if let Some(document) = &document {
                    check_verdicts(document, &registry, tree, findings);
                }
                let mode = document.as_ref().map_or(Mode::Public, |document| document.mode);
                for path in members.iter().filter(|path| !declared.contains(*path)) {
                    if let Some(texts @ (SeenTexts::Texts(Ok(_)) | SeenTexts::List(_))) = seals.texts.get(*path) {
                        for (text, leak) in texts.leaks(&registry, mode) {
                            let what = format!("{text} in it: {}", why(&leak));
                            findings.add(*path, FindingKind::PlaintextLeak(what));
                        }
                        continue;
                    }
                    if let Some(leak) = judge_member(&registry, path, seals.plain.get(path).as_ref(), tree, mode) {
                        findings.add(*path, FindingKind::PlaintextLeak(why(&leak)));
                    }
                }
            }
            Err(why) => findings.violation(PROTECTED, why),
        }
    }
    document
}

/// Parses `meta/PROTECTED.json`.
pub fn parse_registry(bytes: &[u8]) -> Result<Registry, String> {
    parse_strict_into(bytes)
        .map_err(|e| e.to_string())
        .and_then(Registry::of_document)
}

fn why(leak: &Leak) -> String {
    match &leak.detail {
        Some(detail) => format!("class {}, rule {}: {detail}", leak.class, leak.cause),
        None => format!("class {}, rule {}", leak.class, leak.cause),
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
    if !document
        .artifacts
        .is_sorted_by(|a, b| a.seal.sealed_path < b.seal.sealed_path)
    {
        findings.violation(MEMBER, "artifacts are not sorted by sealed_path, or one is there twice");
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
            "every artifact has path and rule, or none has and there is an index",
        );
    }
    if let Some(index) = &document.index
        && (index.sealed_path != INDEX || !index.padded)
    {
        findings.violation(MEMBER, format!("the index is not {INDEX}, padded"));
    }
    match registry {
        None => findings.violation(MEMBER, format!("{PROTECTED} is not in the pack")),
        Some(bytes) if Digest::of(bytes) != document.registry_hash => {
            findings.violation(MEMBER, format!("registry_hash is not the hash of {PROTECTED}"));
        }
        Some(_) => {}
    }
}

/// The seal lies where its artifact says, and the artifact does not lie beside it.
fn check_name(artifact: &SealedArtifact, members: &BTreeSet<&str>, findings: &mut Findings) {
    let path = artifact.seal.sealed_path.as_str();
    let Some(name) = &artifact.path else {
        if path != opaque_path(&artifact.seal.sealed_hash) {
            findings.violation(MEMBER, format!("{path} is not named after its ciphertext"));
        }
        return;
    };
    match MemberPath::parse(name) {
        Ok(plain) if sealed_path(&plain) == path => {}
        Ok(_) => findings.violation(MEMBER, format!("{path} is not where {name} is sealed")),
        Err(why) => findings.violation(MEMBER, format!("{name:?} is not a member path: {why}")),
    }
    let plain = [name.clone(), format!("{REPO}/{name}")];
    for plain in plain.iter().filter(|plain| members.contains(plain.as_str())) {
        let what = format!("it stands in the clear beside its seal {path}");
        findings.add(plain.as_str(), FindingKind::PlaintextLeak(what));
    }
}

fn check_seal(seal: &Seal, members: &BTreeSet<&str>, facts: &Facts, seals: &Seals<'_>, findings: &mut Findings) {
    let path = seal.sealed_path.as_str();
    let (hash, size) = match facts.get(path.as_bytes()) {
        Some(Fact::Hashed { hash, size }) if members.contains(path) => (hash, *size),
        // Present but unread: the envelope has said so, and it cannot count as intact here either.
        Some(_) if members.contains(path) => {
            return findings.add(path, FindingKind::SealTampered("it could not be read".into()));
        }
        _ => {
            return findings.add(
                path,
                FindingKind::SealMissing("it is declared, and not a member".into()),
            );
        }
    };
    let mut tampered = |what: String| findings.add(path, FindingKind::SealTampered(what));
    if *hash != seal.sealed_hash {
        tampered("its bytes are not those declared".into());
    }
    if size != seal.sealed_bytes {
        tampered(format!("expected {} bytes, found {size}", seal.sealed_bytes));
    }
    match seals.headers.get(path) {
        Some(Ok(header)) => {
            if header.stanzas != seal.stanzas {
                tampered(format!(
                    "its stanzas are {:?}, declared are {:?}",
                    header.stanzas, seal.stanzas
                ));
            }
            if header.stanzas.iter().all(|stanza| stanza.ends_with("-grease")) {
                tampered("it is sealed for nobody".into());
            }
            if header.nonce != seal.nonce {
                tampered("its payload nonce is not the one declared".into());
            }
            if size.checked_sub(header.bytes) != Some(chunk_bytes(seal.plain_bytes)) {
                tampered(format!("its payload cannot hold {} bytes", seal.plain_bytes));
            }
            if seal.padded && !is_padded(seal.plain_bytes) {
                tampered(format!("no padded plaintext has {} bytes", seal.plain_bytes));
            }
        }
        Some(Err(why)) => tampered(why.clone()),
        // One that lies elsewhere was reported for that, and was not looked into.
        None if !in_sealed(path) => {}
        None => tampered("its header was not read".into()),
    }
}

/// Every artifact is sealed for the reason that the registry gives, or because somebody attached it.
fn check_verdicts(document: &SealedArtifacts, registry: &Registry, tree_pack: bool, findings: &mut Findings) {
    for artifact in &document.artifacts {
        let agrees = match (&artifact.path, &artifact.rule) {
            (Some(path), Some(rule)) => agrees(registry, artifact, path, rule, tree_pack),
            _ => artifact.policy != Policy::Allowed && !artifact.class.is_empty(),
        };
        if !agrees {
            let what = format!(
                "class, policy or rule of {} are not those of the registry",
                artifact.path.as_deref().unwrap_or(&artifact.seal.sealed_path)
            );
            findings.violation(MEMBER, what);
        }
    }
}

fn agrees(registry: &Registry, artifact: &SealedArtifact, path: &str, rule: &str, tree_pack: bool) -> bool {
    if let Some(format) = rule.strip_prefix("content: ").and_then(Format::parse) {
        // What the content is cannot be seen, but there must be a rule for it.
        return registry.has_rule_for(format, &artifact.class, artifact.policy);
    }
    match registry.judge(path.as_bytes()) {
        Some(verdict) => {
            let said = (verdict.policy, verdict.class.as_str(), verdict.cause.to_string());
            said == (artifact.policy, artifact.class.as_str(), rule.to_owned())
                // Evidence is judged by its place in the repository too, which the pack does not name.
                || (!tree_pack && artifact.policy > verdict.policy)
        }
        // What no rule protects was attached, to a tree pack.
        None if tree_pack => (artifact.policy, artifact.class.as_str()) == (Policy::Never, ATTACHED),
        None => artifact.policy != Policy::Allowed && !artifact.class.is_empty(),
    }
}

/// Holds the seals of a tree pack against the files that a pack of its commit and mode seals.
pub fn compare(document: &SealedArtifacts, files: &[SealedFile], findings: &mut Findings) {
    let mut missing = |what: String| findings.add(MEMBER, FindingKind::SealMissing(what));
    if document.index.is_none() {
        let declared: BTreeSet<&str> = document.artifacts.iter().filter_map(|a| a.path.as_deref()).collect();
        let paths = files.iter().filter_map(|file| file.path.as_str());
        for path in paths.filter(|path| !declared.contains(path)) {
            missing(format!(
                "{path} is in the commit and protected, and its seal is not declared"
            ));
        }
        return;
    }
    // Which seal is of which file cannot be seen, but how many there must be of each class can.
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
                "the commit has {count} protected files of class {class}, and {declared} seals of that class are declared"
            ));
        }
    }
}
