//! `git pack reveal --ours` and `--theirs`: opens one side of an unmerged twin, as `git checkout` does with other files.

use std::io::{self, Seek};
use std::path::PathBuf;

use crate::adapters::cipher::{self, Identities};
use crate::adapters::files::{self, UnnamedFile, place_unnamed};
use crate::adapters::git::Exposure;
use crate::adapters::git::blobs::reading;
use crate::adapters::git::index::Sides;
use crate::format::digest::{Digest, Hashing};
use crate::format::object_id::ObjectId;
use crate::ops::guard::twins::reveal::PRIVATE;
use crate::ops::guard::twins::{Observed, Pair, PairReport, Place, merge};
use crate::ops::keys::identity;
use crate::ops::{Context, configuration};
use crate::refusal::twin::{MergeFault, TwinConflict};
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};
use crate::rules::twins::{MergeSide, Standing};

/// The files of which to open a side, and how.
#[derive(Clone, Debug)]
pub struct SideRequest {
    /// The files or their twins.
    pub files: Vec<PathBuf>,
    /// The side.
    pub side: MergeSide,
    /// Write over a plaintext that no side holds.
    pub force: bool,
    /// The identity files; if empty, those in force.
    pub identities: Vec<PathBuf>,
}

/// A side that was opened, into files that have no name yet.
struct OpenedSide {
    sealed: (UnnamedFile, Digest),
    plain: (UnnamedFile, Digest),
}

/// Opens a side of each unmerged twin: writes its ciphertext to the twin and its plaintext to the plaintext. The index keeps
/// both sides, so either can be opened again.
///
/// All of them are opened before the first one gets its place, so a failure leaves nothing.
pub fn reveal_side(ctx: &Context, request: &SideRequest) -> Result<Vec<PairReport>> {
    let place = Place::of(ctx, WorkTreeUse::Reveal)?;
    let identities = identity::load_if_any(ctx, &request.identities)?;
    let mut chosen = Vec::new();
    for file in &request.files {
        let pair = place.pair_of(ctx, file)?;
        let sides = place.unmerged.get(&pair.sealed).copied();
        let Some(sides) = sides else {
            return Err(merge(&pair, place.merge_fault(&pair).unwrap_or(MergeFault::NoSides)));
        };
        let of_side = match request.side {
            MergeSide::Ours => sides.ours,
            MergeSide::Theirs => sides.theirs,
        };
        let Some(blob) = of_side else {
            return Err(merge(&pair, MergeFault::Deleted));
        };
        pair.ensure_no_link(&place.root)?;
        let found = place.observe(pair, &identities)?;
        if !request.force && !place.is_kept(&found, &sides, &identities)? {
            return Err(Refusal::TwinDiffers {
                path: found.pair.plain_file.clone(),
                plain: found.pair.plain.as_bytes().to_vec(),
                conflict: TwinConflict::PlainDiffers,
            });
        }
        let opened = place.open_side(&found.pair, &blob, &identities)?;
        chosen.push((found, opened));
    }
    let mut observed = Vec::new();
    for (found, OpenedSide { sealed, plain }) in chosen {
        place_unnamed(sealed.0, &found.pair.sealed_file, 0o666)?;
        place_unnamed(plain.0, &found.pair.plain_file, PRIVATE)?;
        place.agree(&found.pair, Some(plain.1), Some(sealed.1))?;
        observed.push(found);
    }
    if let Ok(registry) = configuration::here(&place.repo).and_then(|loaded| loaded.registry()) {
        place.learn(&registry, &observed);
    }
    let reports = observed.into_iter().map(|found| PairReport {
        is_tracked: false,
        exposure: Exposure::default(),
        fault: None,
        path: found.pair.plain,
        standing: Standing::Unmerged,
    });
    Ok(reports.collect())
}

impl Place {
    /// Returns whether some twin holds the plaintext on disk, so that nothing is lost where it is written over: a side of the
    /// merge, or the twin with which this clone saw it agree.
    pub(super) fn is_kept(&self, found: &Observed, sides: &Sides, identities: &Identities) -> Result<bool> {
        let Some(plain) = found.plain_hash else {
            return Ok(true);
        };
        if self
            .notes
            .get(&found.pair.plain)
            .is_some_and(|note| note.plain_hash == plain)
        {
            return Ok(true);
        }
        for blob in [sides.base, sides.ours, sides.theirs].into_iter().flatten() {
            if self.hash_of_blob(&blob, identities)? == Some(plain) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Opens the twin in `blob`.
    fn open_side(&self, pair: &Pair, blob: &ObjectId, identities: &Identities) -> Result<OpenedSide> {
        let unnamed = files::unnamed_beside(&pair.sealed_file, 0o666)?;
        let sealed = self.repo.with_blobs(std::slice::from_ref(blob), |_, mut contents| {
            let mut hashing = Hashing::new(&unnamed);
            io::copy(&mut contents, &mut hashing).map_err(|e| reading(blob, &e))?;
            Ok(hashing.finish().1)
        })?;
        let mut copy = &unnamed;
        copy.rewind().map_err(Refusal::io("reading", &pair.sealed_file))?;
        let mut hashing = Hashing::new(files::unnamed_beside(&pair.plain_file, PRIVATE)?);
        cipher::decrypt(identities, copy, &mut hashing)
            .map_err(|why| identity::not_opened(why, &pair.sealed.to_string(), identities))?;
        let (file, hash, _) = hashing.finish();
        Ok(OpenedSide {
            sealed: (unnamed, sealed[0]),
            plain: (file, hash),
        })
    }
}
