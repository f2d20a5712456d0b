//! `LITE/` and the records of the run: what a tree pack holds by name and hash, and everything that it takes to rebuild it.

use crate::adapters::staging::Staging;
use crate::format::canonical_json::to_document;
use crate::format::digest::Digest;
use crate::format::lite::{
    INDEX, MANIFEST_VERSION, PACK_MANIFEST, PackManifest, REBUILT_FROM, RUN_REFS, Summary, index,
};
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_state::{EntryKind, GRAMMAR_VERSION, RepoState};
use crate::format::run_record::{CommitRef, ScopeSpec, TASK_SPEC_VERSION, TaskSpec};
use crate::format::sealed::SealedArtifacts;
use crate::format::tree_meta::Part;
use crate::ops::documents::{Documents, TOOL_VERSION};
use crate::ops::run::{Held, Output, Records};
use crate::ops::seal::collect::{Plan, TreePlan};
use crate::ops::seal::stage::Staged;
use crate::rules::lite::entries;

/// What the documents of a tree pack say.
pub struct Described {
    /// What its digest covers.
    pub state: RepoState,
    /// What is sealed in it.
    pub sealed: SealedArtifacts,
}

/// Writes `LITE/` where the plan emits it; returns the records of the run.
pub fn lite(
    documents: &mut Documents<'_>,
    staging: &Staging,
    plan: &Plan,
    tree: &TreePlan,
    staged: &Staged,
    described: &Described,
) -> Result<Records> {
    let repo_state = CommitRef {
        commit: tree.commit.id.hex(),
        tree: tree.commit.tree.hex(),
    };
    let entries = entries(&described.state, Some(&described.sealed));
    let manifest = PackManifest::new(&tree.scope, repo_state.clone(), &tree.layout, entries);
    ensure_distinct(&manifest)?;
    let [include, exclude] = tree.globs.clone();
    let task = TaskSpec {
        canon_version: tree.canon_version.clone(),
        grammar_version: GRAMMAR_VERSION.into(),
        manifest_version: MANIFEST_VERSION.into(),
        mode: plan.mode,
        packer_version: TOOL_VERSION.into(),
        parts: tree.emit.clone(),
        repo_state,
        scope: ScopeSpec {
            anchors: tree.layout.anchors.clone(),
            buckets: tree.layout.buckets.clone(),
            exclude,
            include,
            key: tree.scope.clone(),
            prefix: tree.layout.prefix.clone(),
            title: tree.title.clone(),
        },
        sealed: Digest::of(&described.sealed.to_bytes()),
        version: TASK_SPEC_VERSION.into(),
    };
    let records = Records::new(&task, &manifest, outputs(documents, staging, plan, staged));
    if tree.emit.contains(&Part::Lite) {
        let summary = Summary {
            title: &tree.title,
            mode: plan.mode,
            state: described.state.digest(),
            refs: &records.refs,
        };
        documents.add(PACK_MANIFEST, records.manifest())?;
        documents.add(RUN_REFS, &to_document(&records.refs))?;
        documents.add(INDEX, index(&manifest, &summary).as_bytes())?;
    }
    Ok(records)
}

/// With names that are sealed too, a file of the tree may have the name of a ciphertext.
fn ensure_distinct(manifest: &PackManifest) -> Result<()> {
    match manifest.entries.windows(2).find(|pair| pair[0].path == pair[1].path) {
        None => Ok(()),
        Some(pair) => Err(Refusal::Duplicate {
            path: pair[0].path.clone(),
            sources: ["the commit, which tracks it".into(), "a ciphertext of that name".into()],
        }),
    }
}

/// Everything but what is made of it: texts, lists of members, and the manifests.
fn outputs(documents: &Documents<'_>, staging: &Staging, plan: &Plan, staged: &Staged) -> Vec<Output> {
    let plain = plan.plain.iter().zip(&staged.plain).filter_map(|(item, copy)| {
        let entry = item.entry.as_ref()?;
        Some(Output {
            hash: copy.member.bytes_hash,
            size: copy.size,
            held: match entry.kind {
                EntryKind::Submodule => Held::Bytes(entry.id.hex().into_bytes()),
                _ => Held::Git,
            },
        })
    });
    let file = |path, hash, size| Output {
        hash,
        size,
        held: Held::File(staging.member(path)),
    };
    let sealed = staged.ciphertexts();
    let sealed = sealed.map(|sealed| file(&sealed.member.path, sealed.seal.sealed_hash, sealed.seal.sealed_bytes));
    let own = documents
        .written()
        .filter(|(member, _)| REBUILT_FROM.contains(&member.path.as_str()));
    let own = own.map(|(member, size)| file(&member.path, member.bytes_hash, *size));
    plain.chain(sealed).chain(own).collect()
}
