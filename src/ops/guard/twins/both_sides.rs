//! `git pack reveal --merge`: merges the sides of an unmerged twin into the plaintext, as `git checkout --merge` does with
//! other files.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::adapters::cipher::{DecryptError, Identities};
use crate::adapters::files::{self, UnnamedFile, place_unnamed};
use crate::adapters::git::blobs::reading;
use crate::adapters::git::index::Sides;
use crate::adapters::git::merge_text::MergedText;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::ops::guard::twins::driver_merge::merged_text;
use crate::ops::guard::twins::ignoring::Ignoring;
use crate::ops::guard::twins::opened::{OpenedTwin, open_twin};
use crate::ops::guard::twins::reveal::PRIVATE;
use crate::ops::guard::twins::unmerged::{WithSides, plain_differs};
use crate::ops::guard::twins::{Observed, Pair, Place, merge};
use crate::ops::keys::identity;
use crate::ops::{Context, configuration};
use crate::refusal::twin::MergeFault;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};

/// The files to merge, and how.
#[derive(Clone, Debug)]
pub struct BothSidesRequest {
    /// The files or their twins; if empty, the only unmerged twin.
    pub files: Vec<PathBuf>,
    /// Write over a plaintext that no side holds.
    pub force: bool,
    /// The identity files; if empty, those in force.
    pub identities: Vec<PathBuf>,
}

/// A plaintext that has both sides.
#[derive(Debug)]
pub struct BothSides {
    /// The plaintext's path in the repository.
    pub path: RepoPath,
    /// The number of places where both sides changed the same lines.
    pub conflicts: u32,
}

/// Merges the sides of each unmerged twin into its plaintext. The index and the twin on disk stay as they are.
///
/// All of them are merged before the first one gets its place, so a failure leaves nothing.
pub fn reveal_both(ctx: &Context, request: &BothSidesRequest) -> Result<(Vec<BothSides>, Ignoring)> {
    let place = Place::of(ctx, WorkTreeUse::Reveal)?;
    let identities = identity::load_if_any(ctx, &request.identities)?;
    let wanted = WithSides {
        files: &request.files,
        force: request.force,
        identities: &identities,
    };
    let deleted = |sides: &Sides| match (sides.ours, sides.theirs) {
        (None, _) => Some(MergeFault::DeletedByUs),
        (_, None) => Some(MergeFault::DeletedByThem),
        _ => None,
    };
    let mut merged = Vec::new();
    let mut files = Vec::new();
    for file in &request.files {
        let pair = place.pair_of(ctx, file)?;
        place.ensure_may_have_a_twin(&pair)?;
        let found = place.observe(pair, &identities)?;
        let Some(merging) = place.merged_with_twin(&found, &identities)? else {
            files.push(file.clone());
            continue;
        };
        if !request.force && !place.is_plain_of_a_side(&found)? {
            return Err(plain_differs(&found));
        }
        merged.push((write(&found, &merging)?, found, merging.conflicts));
    }
    let wanted = WithSides {
        files: &files,
        ..wanted
    };
    let others = match files.is_empty() && !request.files.is_empty() {
        true => Vec::new(),
        false => place.unmerged_pairs(ctx, &wanted, deleted)?,
    };
    for (found, sides) in others {
        let (Some(ours), Some(theirs)) = (sides.ours, sides.theirs) else {
            continue;
        };
        let open = |blob| place.open_blob(&found.pair, blob, &identities);
        let base = sides.base.as_ref().map(open).transpose()?;
        let merging = merged_text(&place.repo, base.as_ref(), &open(&ours)?, &open(&theirs)?)?
            .map_err(|_| merge(&found.pair, MergeFault::NotText))?;
        merged.push((write(&found, &merging)?, found, merging.conflicts));
    }
    let all: Vec<&Pair> = merged.iter().map(|(_, found, _)| &found.pair).collect();
    let _held = place.repo.private().lock_edits(false)?;
    let ignoring = Ignoring::apply(&place, &all)?;
    let mut observed: Vec<Observed> = Vec::new();
    let mut reports = Vec::new();
    for (file, found, conflicts) in merged {
        place_unnamed(file, &found.pair.plain_file, PRIVATE)?;
        reports.push(BothSides {
            path: found.pair.plain.clone(),
            conflicts,
        });
        observed.push(found);
    }
    if let Ok(registry) = configuration::here(&place.repo).and_then(|loaded| loaded.registry()) {
        place.learn(&registry, &observed);
    }
    Ok((reports, ignoring))
}

/// Writes a merged text to a file that gets its place later.
fn write(found: &Observed, merging: &MergedText) -> Result<UnnamedFile> {
    let mut file = files::unnamed_beside(&found.pair.plain_file, PRIVATE)?;
    let written = file.write_all(&merging.text);
    written.map_err(Refusal::io("writing", &found.pair.plain_file))?;
    Ok(file)
}

impl Place {
    /// Opens the twin in `blob` in memory.
    fn open_blob(&self, pair: &Pair, blob: &ObjectId, identities: &Identities) -> Result<OpenedTwin> {
        let mut opened = self.repo.with_blobs(std::slice::from_ref(blob), |_, mut contents| {
            let opened = open_twin(identities, &mut contents);
            // A stream must be read to its end, also if it does not open.
            io::copy(&mut contents, &mut io::sink()).map_err(|e| reading(blob, &e))?;
            Ok(opened)
        })?;
        let opened: Result<OpenedTwin, DecryptError> = opened.pop().expect("one id gives one content or a refusal");
        opened.map_err(|why| identity::not_opened(why, &pair.sealed.to_string(), identities))
    }
}
