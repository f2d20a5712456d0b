//! Finalizing: the last checks, the documents of the pack, and the manifest.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::adapters::staging::Staging;
use crate::format::agent::genome::VERSION;
use crate::format::clear_entries::ClearEntry;
use crate::format::digest::Digest;
use crate::format::manifest::{Member, MemberType};
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::receipt::Receipt;
use crate::format::repo_state::{EntryKind, GRAMMAR_VERSION, Mode, RepoState, StateFile};
use crate::format::sealed::{MEMBER as SEALED_ARTIFACTS, SealedArtifacts};
use crate::format::timestamp::Timestamp;
use crate::format::tree_meta::{
    PACK_INFO, PACK_INFO_VERSION, PROTECTED, PROVENANCE, PROVENANCE_VERSION, PackInfo, Part, Provenance, REPO_STATE,
};
use crate::format::witness::Input;
use crate::ops::Context;
use crate::ops::pack::documents::{DocumentWriter, TOOL_VERSION};
use crate::ops::pack::seal::emit::emit;
use crate::ops::pack::seal::leaks::ensure_no_leak;
use crate::ops::pack::seal::lite::{self, Described, lite};
use crate::ops::pack::seal::plan::{ArtifactSource, EvidencePlan, Material, SealPlan, TreePlan};
use crate::ops::pack::seal::staged::{KeptFrom, StagedMember, StagedPack};
use crate::ops::pack::seal::{SealNotice, SealReport, SealRequest};
use crate::ops::store::run::Records;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::agent::genome::{SeenPack, faults_of_members};
use crate::rules::member_type::registry_files;
use crate::rules::protect::Registry;

/// A complete pack that is not at its output yet.
pub struct Finished {
    /// The report, except for the output.
    pub report: SealReport,
    /// The name of its directory below the default output.
    pub directory_name: String,
    /// The run of a tree pack.
    pub run: Option<FinishedRun>,
    /// The receipts of new ciphertexts, and the staged paths of these.
    pub receipts: Vec<(Receipt, PathBuf)>,
}

/// The run of a tree pack.
pub struct FinishedRun {
    /// Its records.
    pub records: Records,
    /// The digests of copied blobs. They are kept so that no audit reads these blobs again. None of the blobs is
    /// protected, under any name.
    pub hashed: Vec<(ObjectId, Digest, u64)>,
}

/// Checks for leaks, then writes the documents and the manifest.
///
/// Drops each large list as soon as it is written, because a tree may have very many entries.
pub fn finalize(
    ctx: &Context,
    request: &SealRequest,
    staging: &Staging,
    plan: &mut SealPlan,
    mut staged: StagedPack,
) -> Result<Finished> {
    ensure_no_leak(plan, &staged)?;
    if let Material::Tree(tree) = &mut plan.material {
        remember(tree, &staged);
    }
    let mut report = reported(plan, &staged);
    let mut documents = DocumentWriter::of(staging);
    let tree = match &mut plan.material {
        Material::Tree(tree) => {
            let (finished, notices) = tree_members(&mut documents, plan.mode, tree, &mut staged)?;
            report.notices.extend(notices);
            Some(finished)
        }
        Material::Evidence(evidence) => {
            let notices = evidence_members(&mut documents, plan.mode, evidence, &mut staged)?;
            report.notices.extend(notices);
            None
        }
    };
    for sealed in staged.ciphertexts() {
        documents.count(sealed.member.clone(), sealed.seal.sealed_bytes);
    }
    if tree.is_some() {
        documents.listing()?;
    }
    let created = created(ctx, request, &plan.material)?;
    let (pack_id, members) = documents.finish(created, request.note.clone())?;
    report.pack_id = pack_id;
    report.members = members;
    let receipts = staged.ciphertexts().filter_map(|sealed| sealed.receipt.clone());
    let receipts = receipts.collect();
    let (directory_name, run) = match tree {
        Some(tree) => (tree.directory_name, Some(tree.run)),
        None => (pack_id.to_string(), None),
    };
    Ok(Finished {
        report,
        directory_name,
        run,
        receipts,
    })
}

/// Remembers the entries in the clear without findings, so that the next tree is judged faster.
fn remember(tree: &mut TreePlan, staged: &StagedPack) {
    let TreePlan {
        remembered, members, ..
    } = tree;
    let Some(remembered) = remembered else { return };
    let new = members.iter().filter(|member| !member.was_judged).count();
    let plain = members.iter().zip(&staged.plain);
    let plain = plain.filter(|(member, _)| member.seen.is_none());
    let paths: Vec<_> = plain.clone().map(|(member, _)| member.original()).collect();
    let entries = plain.zip(&paths).map(|((member, copy), path)| ClearEntry {
        path,
        kind: member.kind,
        id: member.id,
        hash: copy.hash,
        size: copy.size,
    });
    remembered.keep((new, members.len()), entries);
}

/// Returns the facts that are known before a pack's documents are written.
fn reported(plan: &SealPlan, staged: &StagedPack) -> SealReport {
    let kept =
        |what: &dyn Fn(KeptFrom) -> bool| staged.sealed.iter().filter(|seal| what(seal.sealed.kept)).count() as u64;
    SealReport {
        pack_id: Digest::of(b""),
        output: PathBuf::new(),
        existed: false,
        commit: match &plan.material {
            Material::Tree(tree) => Some((tree.commit, tree.branch.clone())),
            Material::Evidence(_) => None,
        },
        plain_files: staged.plain.len() as u64,
        plain_bytes: staged.plain.iter().map(|member| member.size).sum(),
        sealed: staged.sealed.len() as u64,
        reused: kept(&|kept| kept != KeptFrom::No),
        taken_over: kept(&|kept| kept == KeptFrom::InPack),
        recipients: plan
            .sealing()
            .map_or(0, |(_, sealing)| sealing.recipients.names().len()),
        members: 0,
        inputs: inputs(plan, staged),
        notices: plan.notices.clone(),
    }
}

/// A tree pack with its documents written.
struct FinishedTree {
    directory_name: String,
    run: FinishedRun,
}

/// Writes and counts the members in the clear of a tree pack. Returns notices about them.
fn tree_members(
    documents: &mut DocumentWriter<'_>,
    mode: Mode,
    tree: &mut TreePlan,
    staged: &mut StagedPack,
) -> Result<(FinishedTree, Vec<SealNotice>)> {
    let hashed = hashed(tree, staged);
    let state = repo_state(tree, staged);
    let digest = state.digest();
    let missed = emit(documents, mode, tree, staged, digest)?;
    let outputs = lite::outputs(documents.staging(), tree, staged);
    let (members, copies) = (std::mem::take(&mut tree.members), std::mem::take(&mut staged.plain));
    let mut notices: Vec<SealNotice> = missed.into_iter().map(|path| SealNotice::NoAnchor { path }).collect();
    match tree.emit.contains(&Part::Repo) {
        true => notices.extend(count_copies(
            documents,
            members.into_iter().map(|member| member.copy),
            copies,
        )),
        // The pack does not emit copies. They were staged only to be read again.
        false => drop((members, copies)),
    }
    tree_documents(documents, mode, tree, (&state, &digest))?;
    let sealed = sealed_documents(documents, mode, &tree.ruled.registry, staged)?;
    let described = Described { state, digest, sealed };
    let records = lite(documents, mode, tree, described, outputs)?;
    let finished = FinishedTree {
        directory_name: format!("llm-pack-{}-{}", tree.scope, &digest.hex()[..12]),
        run: FinishedRun { records, hashed },
    };
    Ok((finished, notices))
}

/// Writes and counts the members in the clear of an evidence pack. Returns notices about them.
fn evidence_members(
    documents: &mut DocumentWriter<'_>,
    mode: Mode,
    evidence: &mut EvidencePlan,
    staged: &mut StagedPack,
) -> Result<Vec<SealNotice>> {
    let (members, copies) = (std::mem::take(&mut evidence.members), std::mem::take(&mut staged.plain));
    let notice = count_copies(documents, members.into_iter().map(|member| member.path), copies);
    let notices = notice.into_iter().collect();
    let Some(rules) = &evidence.rules else {
        return Ok(notices);
    };
    if let Some(binding) = &rules.binding {
        documents.write(REPO_STATE, binding)?;
    }
    // An internal pack must declare its mode, and a pack that is bound to a commit is judged by its rules. So both get
    // these documents even if nothing is sealed.
    if rules.binding.is_some() || !staged.sealed.is_empty() || mode == Mode::Internal {
        sealed_documents(documents, mode, &rules.ruled.registry, staged)?;
    }
    Ok(notices)
}

/// Writes the registry, and the declaration of the seals.
fn sealed_documents(
    documents: &mut DocumentWriter<'_>,
    mode: Mode,
    registry: &Registry,
    staged: &StagedPack,
) -> Result<SealedArtifacts> {
    let registry = registry.to_document();
    documents.add(PROTECTED, &registry)?;
    let artifacts = staged.sealed.iter().map(|seal| seal.artifact.clone()).collect();
    let index = staged.index.as_ref().map(|index| index.seal.clone());
    let document = SealedArtifacts::new(mode, Digest::of(&registry), artifacts, index);
    documents.add(SEALED_ARTIFACTS, &document.to_bytes())?;
    Ok(document)
}

/// Returns the digests of copied blobs that the clone does not know yet. Without copies, hashing kept them already.
fn hashed(tree: &TreePlan, staged: &StagedPack) -> Vec<(ObjectId, Digest, u64)> {
    if !tree.needs_copies() {
        return Vec::new();
    }
    let cache = tree.ruled.repo.private().digests();
    let copied = tree.members.iter().zip(&staged.plain);
    let blobs = copied.filter(|(member, _)| member.kind != EntryKind::Submodule);
    let known = cache.get_all(blobs.clone().map(|(member, _)| &member.id));
    let unknown = blobs.zip(known).filter(|(_, known)| known.is_none());
    unknown
        .map(|((member, copy), _)| (member.id, copy.hash, copy.size))
        .collect()
}

/// Lists the files that were sealed as evidence, with the hashes of those in the clear.
fn inputs(plan: &SealPlan, staged: &StagedPack) -> Vec<Input> {
    let name = |source: &ArtifactSource| match source {
        ArtifactSource::File(path, _) => Some(path.display().to_string()),
        ArtifactSource::Blob(_) | ArtifactSource::Bytes(_) => None,
    };
    let plain = match &plan.material {
        // The plain members of a tree pack come from git.
        Material::Tree(_) => &[][..],
        Material::Evidence(evidence) => &evidence.members,
    };
    let plain = plain.iter().zip(&staged.plain).filter_map(|(member, copy)| {
        Some(Input {
            path: name(&member.source)?,
            hash: Some(copy.hash.to_string()),
            bytes: Some(copy.size),
        })
    });
    let sealed = plan.sealing().map_or(&[][..], |(_, sealing)| &sealing.artifacts);
    let sealed = sealed.iter().filter_map(|artifact| {
        Some(Input {
            path: name(&artifact.source)?,
            hash: None,
            bytes: None,
        })
    });
    plain.chain(sealed).collect()
}

fn created(ctx: &Context, request: &SealRequest, material: &Material) -> Result<Timestamp> {
    if let Some(created) = request.created.or(ctx.source_date_epoch) {
        return Ok(created);
    }
    match material {
        Material::Evidence(_) => Ok(ctx.now),
        Material::Tree(tree) => {
            let seconds = tree.commit.committed;
            Timestamp::from_seconds(seconds).ok_or(Refusal::Usage(Misuse::DateOutOfRange { seconds }))
        }
    }
}

/// Counts the plain copies as members. Returns a notice about packs of cycles that are not valid.
fn count_copies(
    documents: &mut DocumentWriter<'_>,
    paths: impl ExactSizeIterator<Item = MemberPath>,
    copies: Vec<StagedMember>,
) -> Option<SealNotice> {
    let paths: Vec<MemberPath> = paths.collect();
    let genomes = genomes(&paths, &copies);
    let registry = registry_files(paths.iter().map(MemberPath::as_str));
    let registry: BTreeSet<String> = registry.into_iter().map(str::to_owned).collect();
    documents.reserve(paths.len());
    for (path, copy) in paths.into_iter().zip(copies) {
        let mut member = Member {
            path,
            bytes_hash: copy.hash,
            kind: copy.kind,
            artifact_version: copy.artifact_version.map(String::from),
        };
        if member.kind == MemberType::Other && registry.contains(member.path.as_str()) {
            member.kind = MemberType::Registry;
        }
        if genomes.valid.contains(member.path.as_str()) {
            member.kind = MemberType::Genome;
            member.artifact_version = Some(VERSION.to_string());
        }
        documents.count(member, copy.size);
    }
    genomes.notice
}

/// The packs of cycles among the members.
struct Genomes {
    /// The paths of those that are valid, also beside the others in their directories.
    valid: BTreeSet<String>,
    /// What is wrong with the others. They are sealed like any other file, since they may be evidence of just that.
    notice: Option<SealNotice>,
}

fn genomes(paths: &[MemberPath], copies: &[StagedMember]) -> Genomes {
    let members = paths.iter().zip(copies);
    let packs: Vec<SeenPack> = members
        .filter_map(|(path, copy)| {
            Some(SeenPack {
                path: path.as_str().to_owned(),
                size: copy.size,
                start_of_file: copy.genome.as_deref()?.to_vec(),
            })
        })
        .collect();
    let faults = faults_of_members(&packs);
    let damaged: BTreeSet<&str> = faults.iter().map(|(path, _)| directory(path)).collect();
    let valid = packs.iter().map(|pack| pack.path.as_str());
    let valid = valid.filter(|path| !damaged.contains(directory(path)));
    Genomes {
        valid: valid.map(str::to_owned).collect(),
        notice: faults.first().map(|(path, fault)| SealNotice::NotGenomes {
            path: path.clone(),
            fault: fault.clone(),
            more: faults.len() - 1,
        }),
    }
}

fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// Returns the state that the digest covers: the entries in the clear.
pub(super) fn repo_state(tree: &TreePlan, staged: &StagedPack) -> RepoState {
    let copied = tree.members.iter().zip(&staged.plain);
    let files = copied.map(|(member, copy)| StateFile::new(member.path_in_tree(), member.kind, copy.hash, copy.size));
    let mut files: Vec<StateFile> = files.collect();
    files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    RepoState {
        canon_version: tree.canon_version.clone(),
        grammar_version: GRAMMAR_VERSION.into(),
        scope: tree.scope.clone(),
        files,
    }
}

/// Writes the documents that describe the commit.
fn tree_documents(
    documents: &mut DocumentWriter<'_>,
    mode: Mode,
    tree: &TreePlan,
    (state, digest): (&RepoState, &Digest),
) -> Result<()> {
    documents.write(REPO_STATE, state)?;
    documents.write(
        PACK_INFO,
        &PackInfo {
            scope: tree.scope.clone(),
            title: tree.title.clone(),
            stamp: digest.hex()[..12].to_owned(),
            version: PACK_INFO_VERSION.into(),
            commit: tree.commit.id.hex(),
            tree: tree.commit.tree.hex(),
            mode,
            emit: Some(tree.emit.clone()).filter(|emit| *emit != Part::DEFAULT),
            max_tokens: tree.max_tokens(),
            only: tree.only.clone(),
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
