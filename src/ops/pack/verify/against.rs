//! Compares a pack with a commit, in the scope and the mode of the pack.

use std::collections::BTreeSet;
use std::path::Path;

use crate::adapters::git::Repository;
use crate::format::object_id::ObjectId;
use crate::format::repo_state::StateFile;
use crate::ops::pack::verify::ends::same_but_for_ends;
use crate::ops::state::{StateRequest, state_in};
use crate::refusal::{Refusal, Result};
use crate::rules::pack;
use crate::rules::pack::commit::{Committed, Settings};
use crate::rules::pack::verdict::{PackState, Verdict};

/// Compares a pack with a commit and returns the id of the commit. `root` is the pack's directory, if it is in one.
pub(super) fn hold(
    repo: &Repository,
    rev: &str,
    root: Option<&Path>,
    held: &PackState,
    verdict: &mut Verdict,
) -> Result<ObjectId> {
    let request = StateRequest {
        rev: Some(rev.to_owned()),
        scope: Some(held.state.scope.clone()),
        mode: Some(held.mode),
        no_cache: false,
    };
    let state = state_in(repo, &request)?;
    let files = state.entries.iter().map(|entry| {
        StateFile::of(entry).map_err(|path| Refusal::UnsafePath {
            path: path.to_string(),
            reason: "it is not UTF-8".into(),
        })
    });
    let files: Vec<StateFile> = files.collect::<Result<_>>()?;
    let same_but_for_ends = match root {
        Some(root) => same_but_for_ends(repo, root, &held.changed(&files), &state.entries)?,
        None => BTreeSet::new(),
    };
    let committed = Committed {
        id: state.commit.id,
        tree: state.commit.tree,
        canon_version: &state.canon_version,
        files: &files,
        same_but_for_ends,
        sealed: &state.sealed,
        settings: Settings {
            title: &state.title,
            layout: &state.layout,
            globs: &state.globs,
        },
        registry: &state.registry,
    };
    pack::against(held, &committed, verdict);
    Ok(state.commit.id)
}
