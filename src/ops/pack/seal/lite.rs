//! Writes `LITE/` and the records of the run: the names and hashes of a tree pack's content, and everything needed to
//! rebuild it.

use crate::adapters::staging::Staging;
use crate::format::digest::Digest;
use crate::format::lite::{
    INDEX, ListedContents, MANIFEST_VERSION, PACK_MANIFEST, PackManifest, REBUILT_FROM, RUN_REFS, Summary, index,
};
use crate::format::member_path::MemberPath;
use crate::format::repo_state::{EntryKind, GRAMMAR_VERSION, Mode, RepoState};
use crate::format::run_record::{CommitRef, ScopeSpec, TASK_SPEC_VERSION, TaskSpec};
use crate::format::sealed::SealedArtifacts;
use crate::format::tree_meta::Part;
use crate::ops::pack::documents::{DocumentWriter, TOOL_VERSION};
use crate::ops::pack::seal::plan::TreePlan;
use crate::ops::pack::seal::staged::StagedPack;
use crate::ops::store::run::{OutputSource, Records, RunOutput, RunOutputs};
use crate::refusal::{Refusal, Result};

/// The documents of a tree pack.
pub struct Described {
    /// The entries that the digest covers.
    pub state: RepoState,
    /// The state digest.
    pub digest: Digest,
    /// The declaration of the seals.
    pub sealed: SealedArtifacts,
}

/// Writes `LITE/` if the plan emits it; returns the records of the run.
pub fn lite(
    documents: &mut DocumentWriter<'_>,
    mode: Mode,
    tree: &TreePlan,
    described: Described,
    mut outputs: RunOutputs,
) -> Result<Records> {
    let staging = documents.staging();
    let repo_state = CommitRef {
        commit: tree.commit.id.hex(),
        tree: tree.commit.tree.hex(),
    };
    let Described { state, digest, sealed } = described;
    let contents = ListedContents::of(&state, Some(&sealed));
    ensure_distinct(&contents)?;
    let manifest = PackManifest::without_entries(repo_state.clone(), &tree.layout, &contents);
    let task = TaskSpec {
        canon_version: tree.canon_version.clone(),
        grammar_version: GRAMMAR_VERSION.into(),
        manifest_version: MANIFEST_VERSION.into(),
        max_tokens: tree.max_tokens(),
        mode,
        only: tree.only.clone(),
        packer_version: TOOL_VERSION.into(),
        parts: tree.emit.clone(),
        repo_state,
        scope: ScopeSpec::of(&tree.scope, &tree.title, &tree.layout, &tree.globs),
        sealed: Digest::of(&sealed.to_bytes()),
        version: TASK_SPEC_VERSION.into(),
    };
    let own = documents
        .written()
        .filter(|(member, _)| REBUILT_FROM.contains(&member.path.as_str()));
    outputs
        .own
        .extend(own.map(|(member, size)| file(staging, &member.path, member.bytes_hash, *size)));
    let emitted = tree.emit.contains(&Part::Lite);
    let written = match emitted {
        true => {
            let path = MemberPath::parse(PACK_MANIFEST).expect("the names of our documents are safe");
            let (hash, size) = documents.stream(PACK_MANIFEST, |out| manifest.write_with(out, contents.entries()))?;
            file(staging, &path, hash, size)
        }
        false => {
            let (place, hash, size) =
                staging.stream_aside("PACK_MANIFEST.json", |out| manifest.write_with(out, contents.entries()))?;
            let source = OutputSource::File(place);
            RunOutput { hash, size, source }
        }
    };
    let records = Records::new(&task, written, outputs);
    if emitted {
        let summary = Summary {
            title: &tree.title,
            mode,
            state: digest,
            refs: &records.refs,
        };
        documents.write(RUN_REFS, &records.refs)?;
        documents.add(INDEX, index(&manifest, contents.entries(), &summary).as_bytes())?;
    }
    Ok(records)
}

/// Refuses duplicate paths. If names are sealed, a file of the tree may have the name of a ciphertext.
fn ensure_distinct(contents: &ListedContents<'_>) -> Result<()> {
    match contents.duplicate() {
        None => Ok(()),
        Some(path) => Err(Refusal::Duplicate {
            path: path.to_owned(),
            sources: ["the commit, which tracks it".into(), "a ciphertext of that name".into()],
        }),
    }
}

/// Returns the contents of a tree's entries, and the ciphertexts, as outputs of the run.
pub fn outputs(staging: &Staging, tree: &TreePlan, staged: &StagedPack) -> RunOutputs {
    let mut outputs = RunOutputs {
        committed: Vec::with_capacity(tree.members.len()),
        own: Vec::new(),
    };
    for (member, copy) in tree.members.iter().zip(&staged.plain) {
        match member.kind {
            EntryKind::Submodule => outputs.own.push(RunOutput::of(member.id.hex().into_bytes())),
            EntryKind::Regular | EntryKind::Executable | EntryKind::Symlink => {
                outputs.committed.push((copy.hash, copy.size));
            }
        }
    }
    let sealed = staged.ciphertexts();
    outputs.own.extend(sealed.map(|sealed| {
        file(
            staging,
            &sealed.member.path,
            sealed.seal.sealed_hash,
            sealed.seal.sealed_bytes,
        )
    }));
    outputs
}

fn file(staging: &Staging, path: &MemberPath, hash: Digest, size: u64) -> RunOutput {
    RunOutput {
        hash,
        size,
        source: OutputSource::File(staging.member(path)),
    }
}
