//! Is what a pack has under `LITE/` made of its state and its seals, and of nothing else?

use std::collections::BTreeMap;

use crate::format::canonical_json::to_document;
use crate::format::digest::Digest;
use crate::format::dump::layout::Layout;
use crate::format::lite::{
    INDEX, Kind, MANIFEST_VERSION, MEMBERS, ManifestEntry, PACK_MANIFEST, PackManifest, REBUILT_FROM, RUN_REFS,
    Summary, index,
};
use crate::format::manifest::ManifestDocument;
use crate::format::repo_state::RepoState;
use crate::format::run_record::{
    CommitRef, OutputHashes, RUN_REFS_VERSION, RunRefs, RunState, STATUS_VERSION, Status, Verdict, parse_record,
    snapshot_hash,
};
use crate::format::sealed::SealedArtifacts;
use crate::format::tree_meta::{PackInfo, Part};
use crate::rules::verify::{Fact, Facts, FindingKind, Findings};

/// What a pack says of itself elsewhere.
pub struct Pack<'a> {
    /// What it was packed from.
    pub info: &'a PackInfo,
    /// What its digest covers.
    pub state: &'a RepoState,
    /// Its seals.
    pub sealed: Option<&'a SealedArtifacts>,
}

/// Returns the entries that a pack's manifest of contents has, in no order.
pub fn entries(state: &RepoState, sealed: Option<&SealedArtifacts>) -> Vec<ManifestEntry> {
    let plain = state.files.iter();
    let plain = plain.map(|file| ManifestEntry::new(&file.path, file.hash, file.size, Kind::File));
    let artifacts = sealed.iter().flat_map(|sealed| &sealed.artifacts);
    let artifacts = artifacts.map(|artifact| (artifact.path.as_deref(), &artifact.seal));
    let index = sealed.iter().filter_map(|sealed| Some((None, sealed.index.as_ref()?)));
    let sealed = artifacts.chain(index).map(|(path, seal)| {
        let path = path.unwrap_or(&seal.sealed_path);
        ManifestEntry::new(path, seal.sealed_hash, seal.sealed_bytes, Kind::Sealed)
    });
    plain.chain(sealed).collect()
}

/// Judges the members under `LITE/` of a tree pack.
pub fn judge(
    pack: &Pack<'_>,
    manifest: &ManifestDocument,
    facts: &Facts,
    documents: &BTreeMap<String, Vec<u8>>,
    findings: &mut Findings,
) {
    let emitted = pack.info.parts().contains(&Part::Lite);
    let is_member = |path: &str| manifest.members.iter().any(|member| member.path == path);
    for path in MEMBERS {
        match (emitted, is_member(path)) {
            (true, false) => findings.violation(path, "the pack emits it, and it is not a member"),
            (false, true) => findings.violation(path, "the pack does not emit it"),
            _ => {}
        }
    }
    if !emitted {
        return;
    }
    let Some(contents) = documents
        .get(PACK_MANIFEST)
        .map(|bytes| parse_record::<PackManifest>(bytes))
    else {
        return;
    };
    let contents = match contents {
        Ok(contents) => contents,
        Err(why) => return findings.violation(PACK_MANIFEST, why),
    };
    check_contents(pack, &contents, findings);
    match documents.get(RUN_REFS).map(|bytes| parse_record::<RunRefs>(bytes)) {
        Some(Ok(refs)) => {
            let manifest_ref = Digest::of(&documents[PACK_MANIFEST]);
            check_refs(pack, &refs, manifest_ref, facts, findings);
            let summary = Summary {
                title: &pack.info.title,
                mode: pack.info.mode,
                state: pack.state.digest(),
                refs: &refs,
            };
            let text = documents.get(INDEX);
            if text.is_some_and(|text| text != index(&contents, &summary).as_bytes()) {
                findings.violation(INDEX, "it is not the summary of the manifest beside it");
            }
        }
        Some(Err(why)) => findings.violation(RUN_REFS, why),
        None => {}
    }
}

fn check_contents(pack: &Pack<'_>, contents: &PackManifest, findings: &mut Findings) {
    if contents.version != MANIFEST_VERSION {
        let what = format!("version: expected {MANIFEST_VERSION}, found {:?}", contents.version);
        findings.violation(PACK_MANIFEST, what);
    }
    if let Some(disorder) = contents.disorder() {
        findings.violation(PACK_MANIFEST, disorder);
    }
    if contents.scope != pack.info.scope {
        findings.violation(
            PACK_MANIFEST,
            format!("scope is {:?}, that of the pack is another", contents.scope),
        );
    }
    let commit = CommitRef {
        commit: pack.info.commit.clone(),
        tree: pack.info.tree.clone(),
    };
    if contents.repo_state != commit {
        findings.violation(PACK_MANIFEST, "repo_state is not the commit of the pack and its tree");
    }
    let no_order = Layout::of_scope(&contents.scope);
    let expected = PackManifest::new(&contents.scope, commit, &no_order, entries(pack.state, pack.sealed));
    if expected.entries == contents.entries {
        return;
    }
    let by_path = |entries: &'_ [ManifestEntry]| -> BTreeMap<String, ManifestEntry> {
        entries
            .iter()
            .map(|entry| (entry.path.clone(), entry.clone()))
            .collect()
    };
    let (expected, found) = (by_path(&expected.entries), by_path(&contents.entries));
    let mut differs = |path: &str, what: &str| {
        findings.add(path, FindingKind::RepoStateMismatch(format!("{what} {PACK_MANIFEST}")));
    };
    for (path, entry) in &expected {
        match found.get(path) {
            Some(found) if found == entry => {}
            Some(_) => differs(path, "it is another in"),
            None => differs(path, "it is not in"),
        }
    }
    for path in found.keys().filter(|path| !expected.contains_key(*path)) {
        differs(path, "it is not in the pack, and in");
    }
}

/// The records lie in the store of whoever sealed; what must stand in most of them follows from the pack.
fn check_refs(pack: &Pack<'_>, refs: &RunRefs, manifest_ref: Digest, facts: &Facts, findings: &mut Findings) {
    if refs.version != RUN_REFS_VERSION {
        let what = format!("version: expected {RUN_REFS_VERSION}, found {:?}", refs.version);
        return findings.violation(RUN_REFS, what);
    }
    if refs.manifest_ref != manifest_ref {
        findings.violation(RUN_REFS, format!("manifest_ref is not the hash of {PACK_MANIFEST}"));
    }
    let mut outputs: BTreeMap<Digest, u64> = entries(pack.state, pack.sealed)
        .into_iter()
        .map(|entry| (entry.content, entry.bytes))
        .collect();
    for path in REBUILT_FROM.into_iter().chain([PACK_MANIFEST]) {
        match facts.get(path.as_bytes()) {
            Some(Fact::Hashed { hash, size }) => drop(outputs.insert(*hash, *size)),
            // What is missing or cannot be read was found for that.
            _ => return,
        }
    }
    let hashes = OutputHashes::new(outputs.keys().copied().collect());
    if refs.output_hashes_ref != Digest::of(&to_document(&hashes)) {
        findings.violation(RUN_REFS, "output_hashes_ref is not that of what the pack is made of");
    }
    let status = Status {
        cas_snapshot_hash: snapshot_hash(outputs.iter().map(|(hash, size)| (hash, *size))),
        manifest_ref,
        output_hashes_ref: refs.output_hashes_ref,
        state: RunState::Completed,
        task_spec_ref: refs.task_spec_ref,
        verdict: Verdict::Pass,
        version: STATUS_VERSION.into(),
    };
    if refs.status_ref != Digest::of(&to_document(&status)) {
        findings.violation(
            RUN_REFS,
            "status_ref is not that of a run of this pack whose audit passed",
        );
    }
}
