//! A merge in which one side tracks the plaintext, and the other one its twin: as where a branch from before a file was sealed is
//! merged. git sees two files, and a plaintext that one side changed and the other one deleted.

use std::io;

use crate::adapters::cipher::Identities;
use crate::adapters::files;
use crate::adapters::git::blobs::reading;
use crate::adapters::git::index::Sides;
use crate::adapters::git::merge_text::MergedText;
use crate::format::object_id::ObjectId;
use crate::ops::guard::twins::driver_merge::merged_text;
use crate::ops::guard::twins::opened::{OpenedTwin, open_twin, read_plain};
use crate::ops::guard::twins::{Observed, Pair, Place, merge};
use crate::ops::keys::identity;
use crate::refusal::Result;
use crate::refusal::twin::MergeFault;

/// What the sides have.
struct PlainSides {
    /// What both come from.
    base: Option<OpenedTwin>,
    /// The plaintext that one side tracks.
    plain: OpenedTwin,
    /// Whether that is our side.
    is_ours: bool,
    /// The twin that the other side tracks.
    twin: OpenedTwin,
}

impl Place {
    /// Returns the blobs of a plaintext that one side tracks and the other one does not, in whose place it has a twin.
    fn plain_side(&self, pair: &Pair) -> Option<&Sides> {
        let sides = self.unmerged.get(&pair.plain)?;
        let one = sides.ours.is_some() != sides.theirs.is_some();
        (one && !self.unmerged.contains_key(&pair.sealed) && files::exists(&pair.sealed_file)).then_some(sides)
    }

    /// Merges a plaintext that one side tracks with the twin of the other side. `None` if the sides are others.
    pub(super) fn merged_with_twin(&self, found: &Observed, identities: &Identities) -> Result<Option<MergedText>> {
        let Some(sides) = self.plain_sides(&found.pair, identities)? else {
            return Ok(None);
        };
        let (ours, theirs) = match sides.is_ours {
            true => (&sides.plain, &sides.twin),
            false => (&sides.twin, &sides.plain),
        };
        let merged = merged_text(&self.repo, sides.base.as_ref(), ours, theirs)?;
        merged.map(Some).map_err(|_| merge(&found.pair, MergeFault::NotText))
    }

    /// Returns whether the plaintext on disk is the one of a side, and the twin of the other side has changes that it lacks.
    pub(super) fn lacks_the_twin(&self, found: &Observed, identities: &Identities) -> Result<bool> {
        // Without an identity it is not known, and a person must not be left without a way.
        if identities.is_empty() {
            return Ok(false);
        }
        let Some(sides) = self.plain_sides(&found.pair, identities)? else {
            return Ok(false);
        };
        let is_as_it_was = found.plain_hash == Some(sides.plain.hash);
        let is_changed = sides.base.is_none_or(|base| base.hash != sides.twin.hash);
        Ok(is_as_it_was && is_changed && sides.twin.hash != sides.plain.hash)
    }

    /// Returns whether the plaintext on disk is the one that a side tracks, so that git keeps it.
    pub(super) fn is_plain_of_a_side(&self, found: &Observed) -> Result<bool> {
        let sides = self.plain_side(&found.pair);
        let blob = sides.and_then(|sides| sides.ours.or(sides.theirs));
        let Some(blob) = blob else { return Ok(false) };
        Ok(found.plain_hash.is_none() || found.plain_hash == Some(self.plain_blob(&blob)?.hash))
    }

    fn plain_sides(&self, pair: &Pair, identities: &Identities) -> Result<Option<PlainSides>> {
        let Some(sides) = self.plain_side(pair) else {
            return Ok(None);
        };
        let Some(plain) = sides.ours.or(sides.theirs) else {
            return Ok(None);
        };
        let opened = files::open_regular(&pair.sealed_file)?;
        let twin = open_twin(identities, &opened.file)
            .map_err(|why| identity::not_opened(why, &pair.sealed.to_string(), identities))?;
        opened.ensure_unchanged()?;
        Ok(Some(PlainSides {
            base: sides.base.as_ref().map(|base| self.plain_blob(base)).transpose()?,
            plain: self.plain_blob(&plain)?,
            is_ours: sides.ours.is_some(),
            twin,
        }))
    }

    fn plain_blob(&self, blob: &ObjectId) -> Result<OpenedTwin> {
        let mut read = self.repo.with_blobs(std::slice::from_ref(blob), |_, mut contents| {
            let read: io::Result<OpenedTwin> = read_plain(&mut contents);
            read.map_err(|e| reading(blob, &e))
        })?;
        Ok(read.pop().expect("one id gives one content or a refusal"))
    }
}
