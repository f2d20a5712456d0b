//! Refuses members in the clear that would give something away: those with the content of a protected artifact, and
//! those with a name that the rules protect.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::ops::contents::blob_of_file;
use crate::ops::pack::seal::plan::{ArtifactSource, CopiedMember, Material, SealPlan};
use crate::ops::pack::seal::staged::StagedPack;
use crate::refusal::leak::Giveaway;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::plain::judge_member;

/// Refuses a member in the clear with the content of a protected artifact, or with a name that the registry protects.
pub(super) fn ensure_no_leak(plan: &SealPlan, staged: &StagedPack) -> Result<()> {
    let secrets = staged.secrets();
    let contents = staged.plain.iter().map(|copy| copy.hash);
    match &plan.material {
        Material::Tree(tree) => ensure_none_leaks(plan, &tree.members, contents, &secrets),
        Material::Evidence(evidence) => ensure_none_leaks(plan, &evidence.members, contents, &secrets),
    }
}

/// Refuses the same before anything is staged. The ids of blobs tell which contents are the same.
pub(super) fn ensure_none_would_leak(plan: &SealPlan) -> Result<()> {
    match &plan.material {
        Material::Tree(tree) => ensure_none_would(plan, &tree.members),
        Material::Evidence(evidence) => ensure_none_would(plan, &evidence.members),
    }
}

fn ensure_none_would(plan: &SealPlan, members: &[impl CopiedMember]) -> Result<()> {
    let Some(ruled) = plan.ruled() else { return Ok(()) };
    let like = ruled.repo.zero_id();
    let artifacts = ruled.sealing.iter().flat_map(|sealing| &sealing.artifacts);
    let (mut secrets, mut sizes) = (BTreeMap::new(), BTreeSet::new());
    for artifact in artifacts {
        if let ArtifactSource::File(_, stamp) = &artifact.source {
            sizes.insert(stamp.size());
        }
        let id = content_id(&artifact.source, &like)?;
        // Every empty file has the same content, which reveals nothing.
        if !is_empty(&id) {
            secrets.insert(id, artifact.path.as_str());
        }
    }
    let mut contents = Vec::with_capacity(members.len());
    for member in members {
        let source = member.source();
        contents.push(match &*source {
            // A file of another size has other content, and artifacts of a commit come with members of that commit.
            ArtifactSource::File(_, stamp) if !sizes.contains(&stamp.size()) => like,
            source => content_id(source, &like)?,
        });
    }
    ensure_none_leaks(plan, members, contents.into_iter(), &secrets)
}

/// Returns the id of the blob that the content would be.
fn content_id(source: &ArtifactSource, like: &ObjectId) -> Result<ObjectId> {
    match source {
        ArtifactSource::Blob(id) => Ok(*id),
        ArtifactSource::File(path, _) => blob_of_file(path, like),
        ArtifactSource::Bytes(bytes) => {
            let mut hasher = ObjectHasher::new(like, "blob", bytes.len() as u64);
            hasher.update(bytes);
            Ok(hasher.finish())
        }
    }
}

/// Returns whether this is the blob without content, which every empty file has.
pub(super) fn is_empty(id: &ObjectId) -> bool {
    ObjectHasher::new(id, "blob", 0).finish() == *id
}

/// Judges members whose `contents` are told apart in the same way as `secrets`.
fn ensure_none_leaks<K: Ord>(
    plan: &SealPlan,
    members: &[impl CopiedMember],
    contents: impl Iterator<Item = K>,
    secrets: &BTreeMap<K, &str>,
) -> Result<()> {
    let is_tree = matches!(plan.material, Material::Tree(_));
    for (member, content) in members.iter().zip(contents) {
        let plain = member.path().as_str();
        let refused = |giveaway| Refusal::PlaintextLeak {
            plain: plain.into(),
            giveaway,
            may_be_named: false,
            entry: member.entry(),
        };
        if let Some(artifact) = secrets.get(&content) {
            return Err(refused(Giveaway::SameContent {
                artifact: (*artifact).to_owned(),
            }));
        }
        let ruled = plan.ruled().filter(|_| !member.was_judged());
        let leak =
            ruled.and_then(|ruled| judge_member(&ruled.registry, plain, Some(&member.seen()), is_tree, plan.mode));
        if let Some(leak) = leak {
            return Err(refused(Giveaway::Rule {
                cause: leak.cause.to_string(),
                class: leak.class,
            }));
        }
    }
    Ok(())
}
