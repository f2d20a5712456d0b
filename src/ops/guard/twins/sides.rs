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
use crate::ops::guard::twins::ignoring::Ignoring;
use crate::ops::guard::twins::reveal::{PRIVATE, RevealReport};
use crate::ops::guard::twins::unmerged::WithSides;
use crate::ops::guard::twins::{Pair, PairReport, Place, merge};
use crate::ops::keys::identity;
use crate::ops::{Context, configuration};
use crate::refusal::twin::MergeFault;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};
use crate::rules::twins::{MergeSide, Standing};

/// The files of which to open a side, and how.
#[derive(Clone, Debug)]
pub struct SideRequest {
    /// The files or their twins; if empty, the only unmerged twin.
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
pub fn reveal_side(ctx: &Context, request: &SideRequest) -> Result<RevealReport> {
    let place = Place::of(ctx, WorkTreeUse::Reveal)?;
    let identities = identity::load_if_any(ctx, &request.identities)?;
    let wanted = WithSides {
        files: &request.files,
        force: request.force,
        identities: &identities,
    };
    let of_side = |sides: &Sides| match request.side {
        MergeSide::Ours => sides.ours.ok_or(MergeFault::DeletedByUs),
        MergeSide::Theirs => sides.theirs.ok_or(MergeFault::DeletedByThem),
    };
    let mut chosen = Vec::new();
    for (found, sides) in place.unmerged_pairs(ctx, &wanted, |sides| of_side(sides).err())? {
        let blob = of_side(&sides).map_err(|fault| merge(&found.pair, fault))?;
        let opened = place.open_side(&found.pair, &blob, &identities)?;
        chosen.push((found, blob, opened));
    }
    let all: Vec<&Pair> = chosen.iter().map(|(found, ..)| &found.pair).collect();
    let _held = place.repo.private().lock_edits(false)?;
    let ignoring = Ignoring::apply(&place, &all)?;
    let mut observed = Vec::new();
    for (found, blob, OpenedSide { sealed, plain }) in chosen {
        place_unnamed(sealed.0, &found.pair.sealed_file, 0o666)?;
        place_unnamed(plain.0, &found.pair.plain_file, PRIVATE)?;
        place.agree(&found.pair, Some(plain.1), Some(sealed.1))?;
        place.note_choice(&found.pair, &blob)?;
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
        unmerged: Some(MergeFault::Twin),
    });
    Ok(RevealReport {
        files: reports.collect(),
        ignoring,
        left: Vec::new(),
    })
}

impl Place {
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
