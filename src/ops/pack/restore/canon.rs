//! Compares the canon version of a pack with that of its commit.

use std::path::Path;

use crate::ops::{Context, configuration, state};
use crate::refusal::pack::PackFault;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::verdict::StateSummary;

/// Refuses a pack whose canon version differs from that of its commit, if this repository has the commit.
pub(super) fn ensure_same(ctx: &Context, pack: &Path, stated: Option<&StateSummary>) -> Result<()> {
    let Some((stated, commit)) = stated.and_then(|stated| Some((stated, stated.commit.as_deref()?))) else {
        return Ok(());
    };
    // A pack can be restored anywhere. Without its commit there is nothing to compare with.
    let Ok(repo) = ctx.repository() else { return Ok(()) };
    let Ok(commit) = repo.commit(commit) else { return Ok(()) };
    let loaded = configuration::in_commit_or_none(&repo, &commit)?;
    let canon = state::canon(&repo, &commit, &loaded)?;
    match canon == stated.canon_version {
        true => Ok(()),
        false => Err(Refusal::BadPack {
            path: pack.to_owned(),
            fault: PackFault::OtherCanon {
                stated: stated.canon_version.clone(),
                committed: canon,
            },
        }),
    }
}
