//! Compares a pack with a commit, in the scope and the mode of the pack.

use std::collections::BTreeSet;
use std::path::Path;

use crate::adapters::git::Repository;
use crate::format::object_id::ObjectId;
use crate::format::repo_state::StateFile;
use crate::ops::pack::verify::ends::same_but_for_ends;
use crate::ops::state::{StateRequest, state_in};
use crate::refusal::Result;
use crate::rules::pack::against;
use crate::rules::pack::commit::{Committed, Settings};
use crate::rules::pack::verdict::{PackState, Verdict};

/// Compares a pack with a commit and returns the id of the commit. `root` is the pack's directory, if it is in one.
pub(super) fn compare(
    repo: &Repository,
    rev: &str,
    root: Option<&Path>,
    pack: &PackState,
    verdict: &mut Verdict,
) -> Result<ObjectId> {
    let request = StateRequest {
        rev: Some(rev.to_owned()),
        scope: Some(pack.state.scope.clone()),
        only: pack.info.as_ref().and_then(|info| info.only.clone()),
        mode: Some(pack.mode),
        no_cache: false,
    };
    let commit = state_in(repo, &request)?;
    let files: Vec<StateFile> = commit.entries.iter().map(StateFile::of).collect();
    let same_but_for_ends = match root {
        Some(root) => same_but_for_ends(repo, root, &pack.changed(&files), &commit.entries)?,
        None => BTreeSet::new(),
    };
    let committed = Committed {
        id: commit.commit.id,
        tree: commit.commit.tree,
        canon_version: &commit.canon_version,
        files: &files,
        same_but_for_ends,
        sealed: &commit.sealed,
        settings: Settings {
            title: &commit.title,
            layout: &commit.layout,
            globs: &commit.globs,
        },
        registry: &commit.registry,
    };
    against(pack, &committed, verdict);
    Ok(commit.commit.id)
}
