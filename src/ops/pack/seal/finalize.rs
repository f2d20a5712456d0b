//! Finalizing: the last checks, the documents of the pack, the manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::adapters::staging::Staging;
use crate::format::digest::Digest;
use crate::format::manifest::{Member, MemberType};
use crate::format::object_id::ObjectId;
use crate::format::receipt::Receipt;
use crate::format::repo_state::{GRAMMAR_VERSION, Mode, RepoState, StateFile};
use crate::format::sealed::{MEMBER as SEALED_ARTIFACTS, SealedArtifacts};
use crate::format::timestamp::Timestamp;
use crate::format::tree_meta::{
    PACK_INFO, PACK_INFO_VERSION, PROTECTED, PROVENANCE, PROVENANCE_VERSION, PackInfo, Part, Provenance, REPO_STATE,
};
use crate::format::witness::Input;
use crate::ops::Context;
use crate::ops::pack::documents::{Documents, TOOL_VERSION};
use crate::ops::pack::seal::collect::{Plan, Source, TreePlan};
use crate::ops::pack::seal::emit::emit;
use crate::ops::pack::seal::lite::{self, Described, lite};
use crate::ops::pack::seal::stage::{Kept, Staged, StagedMember};
use crate::ops::pack::seal::{Notice, SealReport, SealRequest};
use crate::ops::store::run::{Outputs, Records};
use crate::refusal::{Refusal, Result};
use crate::rules::member_type::registry_files;
use crate::rules::pack::plain::judge_member;

/// A pack that is whole but for its place.
pub struct Finished {
    /// What there is to say about it; the output is still to be filled in.
    pub report: SealReport,
    /// The name of its directory at the default output.
    pub directory_name: String,
    /// The records of the run of a tree pack.
    pub records: Option<Records>,
    /// The digests of blobs that were copied, to be kept so that no audit need read them again. Nothing of that is
    /// protected, also not under another name.
    pub hashed: Vec<(ObjectId, Digest, u64)>,
    /// Receipts of new ciphertexts, and where these are staged.
    pub receipts: Vec<(Receipt, PathBuf)>,
}

/// Checks for leaks, then writes the documents and the manifest.
///
/// What is large is let go of as soon as it was written down: a tree may have very many entries.
pub fn finalize(
    ctx: &Context,
    request: &SealRequest,
    staging: &Staging,
    plan: &mut Plan,
    mut staged: Staged,
) -> Result<Finished> {
    ensure_no_leak(plan, &staged)?;
    let hashed = hashed(plan, &staged);
    let mut report = SealReport {
        pack_id: Digest::of(b""),
        output: PathBuf::new(),
        existed: false,
        commit: plan.tree.as_ref().map(|tree| (tree.commit, tree.branch.clone())),
        plain_files: staged.plain.len() as u64,
        plain_bytes: staged.plain.iter().map(|member| member.size).sum(),
        sealed: staged.sealed.len() as u64,
        reused: staged.sealed.iter().filter(|seal| seal.sealed.kept != Kept::No).count() as u64,
        taken_over: staged
            .sealed
            .iter()
            .filter(|seal| seal.sealed.kept == Kept::InPack)
            .count() as u64,
        recipients: plan
            .recipients
            .as_ref()
            .map_or(0, |recipients| recipients.names().len()),
        members: 0,
        inputs: inputs(plan, &staged),
        notices: plan.notices.clone(),
    };
    let mut documents = Documents::of(staging);
    let (mut state, mut outputs) = (None, Outputs::default());
    if let Some(tree) = &plan.tree {
        let covered = repo_state(plan, tree, &staged);
        let missed = emit(&mut documents, staging, plan, tree, &staged, covered.digest())?;
        report
            .notices
            .extend(missed.into_iter().map(|path| Notice::NoAnchor { path }));
        outputs = lite::outputs(staging, plan, &staged);
        state = Some(covered);
    }
    count_copies(&mut documents, plan, std::mem::take(&mut staged.plain));
    if let (Some(tree), Some(state)) = (&plan.tree, &state) {
        tree_documents(&mut documents, plan.mode, tree, state)?;
    }
    if let Some(binding) = &plan.binding {
        documents.write(REPO_STATE, binding)?;
    }
    let mut sealed = None;
    if let Some(registry) = plan
        .registry
        .as_ref()
        // What is not for everybody says so, and what is bound to a commit is judged by its rules, also if nothing in it had
        // to be sealed.
        .filter(|_| {
            let bound = plan.tree.is_some() || plan.binding.is_some();
            bound || !staged.sealed.is_empty() || plan.mode == Mode::Internal
        })
    {
        let registry = registry.to_document();
        documents.add(PROTECTED, &registry)?;
        let artifacts = staged.sealed.iter().map(|seal| seal.artifact.clone()).collect();
        let index = staged.index.as_ref().map(|index| index.seal.clone());
        let document = SealedArtifacts::new(plan.mode, Digest::of(&registry), artifacts, index);
        documents.add(SEALED_ARTIFACTS, &document.to_bytes())?;
        sealed = Some(document);
    }
    let digest = state.as_ref().map(RepoState::digest);
    let records = match (&plan.tree, state, sealed) {
        (Some(tree), Some(state), Some(sealed)) => {
            let described = Described { state, sealed };
            Some(lite(&mut documents, staging, plan.mode, tree, described, outputs)?)
        }
        _ => None,
    };
    for sealed in staged.ciphertexts() {
        documents.count(sealed.member.clone(), sealed.seal.sealed_bytes);
    }
    if plan.tree.is_some() {
        documents.listing()?;
    }
    let created = created(ctx, request, plan.tree.as_ref())?;
    let (pack_id, members) = documents.finish(created, request.note.clone())?;
    report.pack_id = pack_id;
    report.members = members;
    Ok(Finished {
        directory_name: match (&plan.tree, digest) {
            (Some(tree), Some(digest)) => {
                format!("llm-pack-{}-{}", tree.scope, &digest.hex()[..12])
            }
            _ => pack_id.to_string(),
        },
        records,
        hashed,
        receipts: staged
            .ciphertexts()
            .filter_map(|sealed| sealed.receipt.clone())
            .collect(),
        report,
    })
}

/// Returns the digests of what was copied out of git that the clone does not know yet.
fn hashed(plan: &Plan, staged: &Staged) -> Vec<(ObjectId, Digest, u64)> {
    let Some(repo) = plan.repo.as_ref().filter(|_| plan.tree.is_some()) else {
        return Vec::new();
    };
    let cache = repo.private().digests();
    let blobs = plan
        .plain
        .iter()
        .zip(&staged.plain)
        .filter_map(|(item, copy)| match item.source {
            Source::Blob(id) if cache.get(&id).is_none() => Some((id, copy.hash, copy.size)),
            _ => None,
        });
    blobs.collect()
}

/// Names the files that were sealed as evidence, with the hashes of those that stand in the clear.
fn inputs(plan: &Plan, staged: &Staged) -> Vec<Input> {
    let name = |source: &Source| match source {
        Source::File(path, _) => Some(path.display().to_string()),
        Source::Blob(_) | Source::Bytes(_) => None,
    };
    let plain = plan.plain.iter().zip(&staged.plain).filter_map(|(item, copy)| {
        Some(Input {
            path: name(&item.source)?,
            hash: Some(copy.hash.to_string()),
            bytes: Some(copy.size),
        })
    });
    let sealed = plan.protected.iter().filter_map(|item| {
        Some(Input {
            path: name(&item.source)?,
            hash: None,
            bytes: None,
        })
    });
    plain.chain(sealed).collect()
}

/// Nothing in the clear may have the content of a protected artifact, or a name that the registry protects.
fn ensure_no_leak(plan: &Plan, staged: &Staged) -> Result<()> {
    let secrets: BTreeMap<Digest, &str> = staged
        .sealed
        .iter()
        // Every empty file has the same content; it gives nothing away.
        .filter(|seal| seal.sealed.plain_bytes > 0)
        .map(|seal| (seal.sealed.plain_hash, seal.path.as_str()))
        .collect();
    for (item, copy) in plan.plain.iter().zip(&staged.plain) {
        let plain = item.path.as_str();
        if let Some(protected) = secrets.get(&copy.hash) {
            return Err(Refusal::PlaintextLeak {
                plain: plain.into(),
                protected: format!("it has the content of {protected}"),
                may_be_named: false,
            });
        }
        let leak = plan
            .registry
            .as_ref()
            .and_then(|r| judge_member(r, plain, Some(&item.seen()), plan.tree.is_some(), plan.mode));
        if let Some(leak) = leak {
            return Err(Refusal::PlaintextLeak {
                plain: plain.into(),
                protected: format!("rule {} of class {} protects it", leak.cause, leak.class),
                may_be_named: false,
            });
        }
    }
    Ok(())
}

fn created(ctx: &Context, request: &SealRequest, tree: Option<&TreePlan>) -> Result<Timestamp> {
    if let Some(created) = request.created.or(ctx.source_date_epoch) {
        return Ok(created);
    }
    match tree {
        None => Ok(ctx.now),
        Some(tree) => Timestamp::from_seconds(tree.commit.committed).ok_or_else(|| Refusal::Usage {
            problem: format!(
                "the commit's date ({} s) cannot be written as RFC 3339",
                tree.commit.committed
            ),
            next: None,
        }),
    }
}

/// Counts the plain copies as members, unless they are there only to be read again; takes them out of the plan.
fn count_copies(documents: &mut Documents<'_>, plan: &mut Plan, copies: Vec<StagedMember>) {
    let plain = std::mem::take(&mut plan.plain);
    if plan.tree.as_ref().is_some_and(|tree| !tree.emit.contains(&Part::Repo)) {
        return;
    }
    let registry = registry_files(plain.iter().map(|item| item.path.as_str()));
    let registry: BTreeSet<String> = registry.into_iter().map(str::to_owned).collect();
    documents.reserve(plain.len());
    for (item, copy) in plain.into_iter().zip(copies) {
        let mut member = Member {
            path: item.path,
            bytes_hash: copy.hash,
            kind: copy.kind,
            artifact_version: copy.artifact_version.map(String::from),
        };
        if member.kind == MemberType::Other && registry.contains(member.path.as_str()) {
            member.kind = MemberType::Registry;
        }
        documents.count(member, copy.size);
    }
}

/// Returns what the digest covers: the entries that stand in the clear.
fn repo_state(plan: &Plan, tree: &TreePlan, staged: &Staged) -> RepoState {
    let mut files = Vec::with_capacity(plan.plain.len());
    for (item, copy) in plan.plain.iter().zip(&staged.plain) {
        let Some((path, entry)) = item.tracked() else { continue };
        files.push(StateFile::new(path, entry.kind, copy.hash, copy.size));
    }
    files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    RepoState {
        canon_version: tree.canon_version.clone(),
        grammar_version: GRAMMAR_VERSION.into(),
        scope: tree.scope.clone(),
        files,
    }
}

/// Writes what tells of the commit.
fn tree_documents(documents: &mut Documents<'_>, mode: Mode, tree: &TreePlan, state: &RepoState) -> Result<()> {
    documents.write(REPO_STATE, state)?;
    documents.write(
        PACK_INFO,
        &PackInfo {
            scope: tree.scope.clone(),
            title: tree.title.clone(),
            stamp: state.digest().hex()[..12].to_owned(),
            version: PACK_INFO_VERSION.into(),
            commit: tree.commit.id.hex(),
            tree: tree.commit.tree.hex(),
            mode,
            emit: Some(tree.emit.clone()).filter(|emit| *emit != Part::DEFAULT),
        },
    )?;
    documents.write(
        PROVENANCE,
        &Provenance {
            generator: "git-pack".into(),
            generator_version: TOOL_VERSION.into(),
            version: PROVENANCE_VERSION.into(),
        },
    )?;
    Ok(())
}
