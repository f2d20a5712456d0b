//! Finds the sealed twins of which a merge is about to lose a side that nobody decided against.

use std::collections::BTreeMap;

use crate::adapters::git::Repository;
use crate::adapters::git::index::Sides;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::TreeEntry;
use crate::ops::Context;
use crate::ops::guard::scan::twins::collect;
use crate::ops::guard::twins::{Place, is_twin};
use crate::ops::keys::identity;
use crate::refusal::Result;
use crate::refusal::work_tree::WorkTreeUse;
use crate::rules::twins::{MergeSide, SealedTwins, ThreeWay, three_way};

/// A twin that was unmerged, and of which the index has one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneSided {
    /// The path of the twin.
    pub sealed: RepoPath,
    /// The side.
    pub side: MergeSide,
}

/// Returns the twins of which the next commit would hold one side of a conflict as it was, unless a person chose that side
/// or it is known to have all changes. Asks for no passphrase.
///
/// git leaves our side of a binary file on disk, and `git add` takes it for the result.
pub fn one_sided(ctx: &Context, repo: &Repository) -> Result<Vec<OneSided>> {
    if repo.work_tree().is_none() || !repo.is_merging() {
        return Ok(Vec::new());
    }
    let mut settled = repo.settled_conflicts()?;
    settled.retain(|path, _| is_twin(path.as_bytes()));
    if settled.is_empty() {
        return Ok(Vec::new());
    }
    let staged: Vec<TreeEntry> = repo.index()?.files_named(is_twin);
    let mut sealed = SealedTwins::default();
    collect(repo, staged.iter().cloned(), &mut sealed)?;
    let staged: BTreeMap<RepoPath, ObjectId> = staged.into_iter().map(|entry| (entry.path, entry.id)).collect();
    let place = Place::of(ctx, WorkTreeUse::Merge)?;
    let mut found = Vec::new();
    for path in sealed.iter() {
        if let (Some(sides), Some(blob)) = (settled.get(path), staged.get(path))
            && let Some(side) = place.lone_side(ctx, sides, blob)?
        {
            let sealed = path.clone();
            found.push(OneSided { sealed, side });
        }
    }
    Ok(found)
}

impl Place {
    /// Returns the side of a settled conflict that `blob` is, if it may lack what the other side changed.
    fn lone_side(&self, ctx: &Context, sides: &Sides, blob: &ObjectId) -> Result<Option<MergeSide>> {
        let (Some(ours), Some(theirs)) = (&sides.ours, &sides.theirs) else {
            return Ok(None);
        };
        let side = match (ours == blob, theirs == blob) {
            (true, false) => MergeSide::Ours,
            (false, true) => MergeSide::Theirs,
            _ => return Ok(None),
        };
        if self.notes.is_chosen([ours, theirs], blob) {
            return Ok(None);
        }
        // An identity that cannot be used opens nothing, and the commit is not about it.
        let Ok(identities) = identity::load_if_any(ctx, &[]) else {
            return Ok(Some(side));
        };
        let identities = identities.unattended();
        let open = |blob: &ObjectId| self.hash_of_blob(blob, &identities);
        let (Some(our_text), Some(their_text)) = (open(ours)?, open(theirs)?) else {
            return Ok(Some(side));
        };
        let base = sides.base.as_ref().map(open).transpose()?.flatten();
        let result = three_way(base.as_ref(), &our_text, &their_text);
        let is_whole = our_text == their_text
            || match side {
                MergeSide::Ours => result == ThreeWay::Ours,
                MergeSide::Theirs => result == ThreeWay::Theirs,
            };
        Ok((!is_whole).then_some(side))
    }
}
