//! Finds the commits that lead to a blob: those that have it, and all their descendants, even if they delete it.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::adapters::git::walk::Walk;
use crate::adapters::git::{Repository, from_gix, object_error, to_gix};
use crate::adapters::workers;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::refusal::Result;

impl Repository {
    /// Returns the commits of a walk from which one of `blobs` can be reached.
    pub fn leading_to(&self, walk: &Walk, blobs: &BTreeSet<ObjectId>) -> Result<HashSet<ObjectId>> {
        // `introduced` names only the first commit that added a blob, and another branch may have added it too. So
        // collect the paths and look into every commit.
        let mut places: BTreeSet<RepoPath> = BTreeSet::new();
        self.introduced(walk, |_| false, &mut |batch| {
            let introduced = batch.introduced.into_iter().map(|introduced| introduced.entry);
            let found = introduced.filter(|entry| blobs.contains(&entry.id));
            places.extend(found.map(|entry| entry.path));
            Ok(())
        })?;
        if places.is_empty() {
            return Ok(HashSet::new());
        }
        let commits: Vec<ObjectId> = walk.commits().collect();
        let holds = workers::map(
            &commits,
            || Ok(self.worker()),
            |repo, commit| -> Result<bool> {
                let id = super::history::tree_of(self, repo, to_gix(commit))?;
                let tree = repo.find_tree(id).map_err(|e| object_error(id, &e))?;
                for place in &places {
                    let segments = place.as_bytes().split(|byte| *byte == b'/');
                    let entry = tree.lookup_entry(segments).map_err(|e| object_error(id, &e))?;
                    if entry.is_some_and(|entry| blobs.contains(&from_gix(&entry.object_id()))) {
                        return Ok(true);
                    }
                }
                Ok(false)
            },
        )?;
        let holders = commits.into_iter().zip(holds).filter(|(_, holds)| *holds);
        Ok(above(walk, holders.map(|(commit, _)| commit)))
    }
}

/// Returns these commits, and those commits of a walk that lead to one of them.
pub fn above(walk: &Walk, commits: impl IntoIterator<Item = ObjectId>) -> HashSet<ObjectId> {
    let mut children: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
    for (commit, parent) in walk.edges() {
        children.entry(parent).or_default().push(commit);
    }
    let mut pending: Vec<ObjectId> = commits.into_iter().collect();
    let mut leading = HashSet::new();
    while let Some(commit) = pending.pop() {
        if leading.insert(commit) {
            pending.extend(children.get(&commit).into_iter().flatten());
        }
    }
    leading
}
