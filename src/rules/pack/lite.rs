//! Checks that the members under `LITE/` follow from the pack's state and seals.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::format::canonical_json::to_document;
use crate::format::digest::Digest;
use crate::format::dump::layout::Layout;
use crate::format::lite::{
    INDEX, ListedContents, MANIFEST_VERSION, MEMBERS, ManifestEntry, PACK_MANIFEST, PackManifest, REBUILT_FROM,
    RUN_REFS, Summary, entries, in_order, index, sealed_entries,
};
use crate::format::repo_state::RepoState;
use crate::format::run_record::{
    AuditVerdict, CommitRef, OutputHashes, RUN_REFS_VERSION, RunRefs, RunState, STATUS_VERSION, ScopeSpec, Status,
    TASK_SPEC_VERSION, TaskSpec, parse_record, snapshot_hash,
};
use crate::format::sealed::MEMBER as SEALED;
use crate::format::tree_meta::{PackInfo, Part};
use crate::refusal::manifest::ManifestFault;
use crate::rules::pack::commit::Settings;
use crate::rules::pack::documents::PackDocuments;
use crate::rules::pack::findings::Findings;
use crate::rules::pack::lists::is_written;
use crate::rules::pack::members::Members;
use crate::rules::pack::observed::{Facts, hashed};
use crate::rules::pack::tree::TreePack;

/// The parts of `LITE/` that depend on the commit's configuration.
pub struct Carried {
    /// The buckets, in order.
    buckets: Vec<String>,
    /// The content ref of the task.
    task_spec_ref: Digest,
    /// The release of the tool that made the pack.
    packer_version: String,
    /// SHA-256 of the document that declares the seals.
    sealed: Digest,
}

/// Compares these parts with the ones that the scope's settings in a commit give.
pub(super) fn compare(
    carried: &Carried,
    info: &PackInfo,
    state: &RepoState,
    settings: &Settings<'_>,
    findings: &mut Findings,
) {
    let layout = settings.layout;
    if carried.buckets != in_order(carried.buckets.iter().map(String::as_str), layout) {
        let what = "its buckets are not in the order of the commit's configuration";
        findings.differs(PACK_MANIFEST, what);
    }
    let task = TaskSpec {
        canon_version: state.canon_version.clone(),
        grammar_version: state.grammar_version.clone(),
        manifest_version: MANIFEST_VERSION.into(),
        max_tokens: info.max_tokens,
        mode: info.mode,
        only: info.only.clone(),
        packer_version: carried.packer_version.clone(),
        parts: info.parts().to_vec(),
        repo_state: CommitRef {
            commit: info.commit.clone(),
            tree: info.tree.clone(),
        },
        scope: ScopeSpec::of(&info.scope, settings.title, layout, settings.globs),
        sealed: carried.sealed,
        version: TASK_SPEC_VERSION.into(),
    };
    if carried.task_spec_ref != Digest::of(&to_document(&task)) {
        let what = "task_spec_ref does not match this pack and the commit's configuration";
        findings.differs(RUN_REFS, what);
    }
}

/// Judges the members under `LITE/` of a tree pack. Returns the parts that only a comparison with the commit can check.
pub(super) fn judge(
    pack: &TreePack<'_>,
    members: &Members<'_>,
    documents: &mut PackDocuments,
    findings: &mut Findings,
) -> Option<Carried> {
    let emitted = pack.info.parts().contains(&Part::Lite);
    for path in MEMBERS {
        match (emitted, members.has(path)) {
            (true, false) => findings.violation(path, "the pack emits it, but it is not a member"),
            (false, true) => findings.violation(path, "the pack does not emit it"),
            _ => {}
        }
    }
    let (hull, bytes) = documents.take_contents().filter(|_| emitted)?;
    let (manifest_ref, _) = hashed(members.facts, PACK_MANIFEST)?;
    let hull = match hull {
        Ok(hull) => hull,
        Err(why) => {
            findings.violation(PACK_MANIFEST, why);
            return None;
        }
    };
    let expected = ListedContents::of(pack.state, pack.sealed);
    let is_expected = is_written(PACK_MANIFEST, members.facts, |out| {
        hull.write_with(out, expected.entries())
    });
    let contents = match (is_expected, bytes) {
        (true, _) => {
            check_order(&hull, &expected, findings);
            hull
        }
        (false, Some(bytes)) => match parse_record::<PackManifest>(&bytes) {
            Ok(contents) => {
                check_entries(pack, &contents, findings);
                Box::new(contents)
            }
            Err(why) => {
                findings.violation(PACK_MANIFEST, why);
                return None;
            }
        },
        (false, None) => {
            let what = "it does not list exactly what is in the pack, in canonical form";
            findings.violation(PACK_MANIFEST, what);
            hull
        }
    };
    check_contents(pack, &contents, findings);
    let refs = match parse_record::<RunRefs>(documents.get(RUN_REFS)?) {
        Ok(refs) => refs,
        Err(why) => {
            findings.violation(RUN_REFS, why);
            return None;
        }
    };
    check_refs(pack, &refs, manifest_ref, members.facts, findings);
    let summary = Summary {
        title: &pack.info.title,
        mode: pack.info.mode,
        state: pack.digest,
        refs: &refs,
    };
    if let Some(text) = documents.get(INDEX) {
        let written = match contents.entries.is_empty() {
            true => index(&contents, expected.entries(), &summary),
            false => index(&contents, contents.entries.iter(), &summary),
        };
        if text != written.as_bytes() {
            findings.violation(INDEX, "it does not match the manifest beside it");
        }
    }
    Some(Carried {
        buckets: contents.buckets,
        task_spec_ref: refs.task_spec_ref,
        packer_version: members.manifest.tool_version.clone(),
        sealed: Digest::of(documents.get(SEALED)?),
    })
}

/// Checks the list of buckets of a manifest with the expected entries, and the order of these.
fn check_order(hull: &PackManifest, expected: &ListedContents<'_>, findings: &mut Findings) {
    let mut buckets: Vec<&str> = hull.buckets.iter().map(String::as_str).collect();
    buckets.sort_unstable();
    if buckets != expected.directories() {
        findings.violation(PACK_MANIFEST, ManifestFault::Buckets.to_string());
    }
    let mut last: Option<String> = None;
    let mut is_ordered = expected.entries().map(|entry| {
        let ordered = last.as_ref().is_none_or(|last| last.as_bytes() < entry.path.as_bytes());
        last = Some(entry.path);
        ordered
    });
    if !is_ordered.all(|ordered| ordered) {
        findings.violation(PACK_MANIFEST, ManifestFault::Unsorted.to_string());
    }
}

/// Checks the statements of a manifest about the pack, without its entries.
fn check_contents(pack: &TreePack<'_>, contents: &PackManifest, findings: &mut Findings) {
    if contents.version != MANIFEST_VERSION {
        let what = format!("version: expected {MANIFEST_VERSION}, found {:?}", contents.version);
        findings.violation(PACK_MANIFEST, what);
    }
    if contents.scope != pack.info.scope {
        findings.violation(
            PACK_MANIFEST,
            format!("scope is {:?}, which is not the scope of the pack", contents.scope),
        );
    }
    if contents.repo_state != commit_of(pack) {
        findings.violation(
            PACK_MANIFEST,
            "repo_state does not name the commit and the tree of the pack",
        );
    }
}

fn commit_of(pack: &TreePack<'_>) -> CommitRef {
    CommitRef {
        commit: pack.info.commit.clone(),
        tree: pack.info.tree.clone(),
    }
}

/// Checks the entries of a manifest, and names those that differ.
fn check_entries(pack: &TreePack<'_>, contents: &PackManifest, findings: &mut Findings) {
    if let Some(disorder) = contents.disorder() {
        findings.violation(PACK_MANIFEST, disorder.to_string());
    }
    let no_order = Layout::of_scope(&contents.scope);
    let expected = entries(pack.state.files.iter().cloned(), pack.sealed).collect();
    let expected = PackManifest::new(&contents.scope, commit_of(pack), &no_order, expected);
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
    let mut differs = |path: &str, what: &str| findings.differs(path, format!("{what} {PACK_MANIFEST}"));
    for (path, entry) in &expected {
        match found.get(path) {
            Some(found) if found == entry => {}
            Some(_) => differs(path, "it differs in"),
            None => differs(path, "it is missing from"),
        }
    }
    for path in found.keys().filter(|path| !expected.contains_key(*path)) {
        differs(path, "it is not in the pack, but in");
    }
}

/// Checks the refs of the run's records. The records are not in the pack, but most of their content follows from it.
fn check_refs(pack: &TreePack<'_>, refs: &RunRefs, manifest_ref: Digest, facts: &Facts, findings: &mut Findings) {
    if refs.version != RUN_REFS_VERSION {
        let what = format!("version: expected {RUN_REFS_VERSION}, found {:?}", refs.version);
        return findings.violation(RUN_REFS, what);
    }
    if refs.manifest_ref != manifest_ref {
        findings.violation(RUN_REFS, format!("manifest_ref is not the hash of {PACK_MANIFEST}"));
    }
    let files = &pack.state.files;
    let sealed = pack.sealed.into_iter().flat_map(sealed_entries);
    let mut others: Vec<(Digest, u64)> = sealed.map(|entry| (entry.content, entry.bytes)).collect();
    for path in REBUILT_FROM.into_iter().chain([PACK_MANIFEST]) {
        match hashed(facts, path) {
            Some(output) => others.push(output),
            // Missing and unreadable members are reported elsewhere.
            None => return,
        }
    }
    let output = |place: usize| match files.get(place) {
        Some(file) => (&file.hash, file.size),
        None => (&others[place - files.len()].0, others[place - files.len()].1),
    };
    // Places take less memory than copies. If a content has two stated sizes, the last one counts.
    let mut places: Vec<usize> = (0..files.len() + others.len()).collect();
    places.sort_unstable_by_key(|place| (output(*place).0, Reverse(*place)));
    places.dedup_by_key(|place| output(*place).0);
    let outputs = || places.iter().map(|place| output(*place));
    if refs.output_hashes_ref != OutputHashes::hash_of(outputs().map(|(hash, _)| hash)) {
        findings.violation(RUN_REFS, "output_hashes_ref does not match the content of the pack");
    }
    let status = Status {
        cas_snapshot_hash: snapshot_hash(outputs()),
        manifest_ref,
        output_hashes_ref: refs.output_hashes_ref,
        state: RunState::Completed,
        task_spec_ref: refs.task_spec_ref,
        verdict: AuditVerdict::Pass,
        version: STATUS_VERSION.into(),
    };
    if refs.status_ref != Digest::of(&to_document(&status)) {
        findings.violation(
            RUN_REFS,
            "status_ref does not match a run of this pack with a passed audit",
        );
    }
}
