//! Pairs whose twin is unmerged, to be opened over a plaintext that is not lost by that.

use std::path::PathBuf;

use crate::adapters::cipher::Identities;
use crate::adapters::git::index::Sides;
use crate::ops::Context;
use crate::ops::guard::twins::{Observed, Pair, Place, is_twin, merge};
use crate::refusal::twin::{MergeFault, TwinConflict};
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};

/// The files or their twins, and how to open them.
pub(super) struct WithSides<'a> {
    /// The files or their twins; if empty, the only unmerged twin.
    pub(super) files: &'a [PathBuf],
    /// Write over a plaintext that no side holds.
    pub(super) force: bool,
    /// The identities.
    pub(super) identities: &'a Identities,
}

/// Returns the refusal to write over a plaintext that nothing else holds.
pub(super) fn plain_differs(found: &Observed) -> Refusal {
    Refusal::TwinDiffers {
        path: found.pair.plain_file.clone(),
        plain: found.pair.plain.as_bytes().to_vec(),
        conflict: TwinConflict::PlainDiffers,
    }
}

impl Place {
    /// Returns the unmerged pairs that a request names, with their sides. `unfit` tells why sides cannot be used.
    ///
    /// Refuses a plaintext on disk that no twin holds.
    pub(super) fn unmerged_pairs(
        &self,
        ctx: &Context,
        wanted: &WithSides<'_>,
        unfit: impl Fn(&Sides) -> Option<MergeFault>,
    ) -> Result<Vec<(Observed, Sides)>> {
        let named = wanted.files.iter().map(|file| self.pair_of(ctx, file));
        let mut pairs = named.collect::<Result<Vec<Pair>>>()?;
        if pairs.is_empty() {
            pairs.push(self.only_unmerged()?);
        }
        let mut found = Vec::new();
        for pair in pairs {
            let Some(sides) = self.unmerged.get(&pair.sealed).copied() else {
                return Err(merge(&pair, self.merge_fault(&pair).unwrap_or(MergeFault::NoSides)));
            };
            if let Some(fault) = unfit(&sides) {
                return Err(merge(&pair, fault));
            }
            self.ensure_may_have_a_twin(&pair)?;
            let observed = self.observe(pair, wanted.identities)?;
            if !wanted.force && !self.is_kept(&observed, &sides, wanted.identities)? {
                return Err(plain_differs(&observed));
            }
            found.push((observed, sides));
        }
        Ok(found)
    }

    /// Returns the pair of the only unmerged twin. Refuses to choose among several.
    fn only_unmerged(&self) -> Result<Pair> {
        let twins = self.unmerged.keys().filter(|path| is_twin(path.as_bytes()));
        let mut pairs: Vec<Pair> = twins.map(|path| self.pair(path)).collect();
        match pairs.len() {
            1 => Ok(pairs.remove(0)),
            _ => Err(Refusal::Usage(Misuse::UnmergedTwins {
                plain: pairs.iter().map(|pair| pair.plain.to_string()).collect(),
            })),
        }
    }

    /// Returns whether some twin holds the plaintext on disk, so that nothing is lost where it is written over: a side of the
    /// merge, or the twin with which this clone saw it agree.
    fn is_kept(&self, found: &Observed, sides: &Sides, identities: &Identities) -> Result<bool> {
        let Some(plain) = found.plain_hash else {
            return Ok(true);
        };
        let note = self.notes.get(&found.pair.plain);
        if note.is_some_and(|note| note.plain_hash == plain) {
            return Ok(true);
        }
        for blob in [sides.base, sides.ours, sides.theirs].into_iter().flatten() {
            if self.hash_of_blob(&blob, identities)? == Some(plain) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
