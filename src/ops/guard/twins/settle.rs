//! What `git pack protect --resolved` makes of an unmerged twin: one side as it was, or a plaintext that is sealed anew.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use crate::adapters::cipher::Recipients;
use crate::adapters::files;
use crate::adapters::git::blobs::reading;
use crate::format::digest::{Digest, Hashing};
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::ops::Context;
use crate::ops::contents::blob_of_file;
use crate::ops::guard::twins::agreed::{Agreed, SideAt, agreed};
use crate::ops::guard::twins::tracked::sealed_for;
use crate::ops::guard::twins::{Observed, Pair, Place};
use crate::refusal::Result;
use crate::rules::twins::{MergeSide, Standing, standing};

/// What git calls the commit that it merges, while a person settles conflicts.
const MERGED_REFS: [&str; 4] = ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD"];

impl Place {
    /// Returns the standing of a pair whose plaintext a person has settled on: the twin on disk is right if this clone has seen
    /// both agree, and is sealed anew otherwise.
    pub(super) fn settled(&self, found: &Observed) -> Result<Standing> {
        let note = self.notes.get(&found.pair.plain);
        Ok(
            match standing(found.plain_hash.as_ref(), found.sealed_hash.as_ref(), note.as_ref()) {
                Standing::UpToDate => Standing::UpToDate,
                _ if self.noted_side(found)?.is_some() => Standing::UpToDate,
                _ => Standing::PlainNewer,
            },
        )
    }

    /// Has those plaintexts sealed anew that are settled with one side, if that twin may be sealed for others than
    /// `recipients`: for somebody who has left, or not for somebody who has come.
    pub(super) fn reseal_for(&self, ctx: &Context, observed: &mut [Observed], recipients: &Recipients) -> Result<()> {
        for found in observed {
            if found.standing == Standing::UpToDate && self.is_side_for_others(ctx, found, recipients)? {
                found.standing = Standing::PlainNewer;
            }
        }
        Ok(())
    }

    /// Returns whether a pair is unmerged and its sides are not known to be sealed for `recipients`: by the note of this clone,
    /// if it sealed the twin, and else by what both sides name.
    fn is_side_for_others(&self, ctx: &Context, found: &Observed, recipients: &Recipients) -> Result<bool> {
        let Some(sides) = self.unmerged.get(&found.pair.sealed) else {
            return Ok(false);
        };
        let note = self.notes.get(&found.pair.plain);
        if let Some(noted) = note.and_then(|note| note.recipients) {
            return Ok(noted != sealed_for(recipients));
        }
        let label = MERGED_REFS.into_iter().find(|name| self.repo.commit(name).is_ok());
        let at = |side, label, blob: Option<ObjectId>| blob.map(|blob| SideAt { side, label, blob });
        let ours = at(MergeSide::Ours, None, sides.ours);
        let sides: Vec<SideAt<'_>> = ours
            .into_iter()
            .chain(at(MergeSide::Theirs, label, sides.theirs))
            .collect();
        let agreed = agreed(ctx, &self.repo, &found.pair.sealed.to_string(), &sides)?;
        Ok(matches!(agreed, Agreed::Differ(_)))
    }

    /// Returns the side of an unmerged pair whose twin this clone saw agree with the plaintext.
    fn noted_side(&self, found: &Observed) -> Result<Option<(MergeSide, ObjectId)>> {
        let note = self.notes.get(&found.pair.plain);
        let note = note.filter(|note| Some(note.plain_hash) == found.plain_hash);
        let (Some(note), Some(sides)) = (note, self.unmerged.get(&found.pair.sealed)) else {
            return Ok(None);
        };
        for (blob, side) in [(sides.ours, MergeSide::Ours), (sides.theirs, MergeSide::Theirs)] {
            if let Some(blob) = blob
                && self.copy_of(&blob, &mut io::sink())? == note.sealed_hash
            {
                return Ok(Some((side, blob)));
            }
        }
        Ok(None)
    }

    /// Copies a blob, and returns the hash of its content.
    fn copy_of(&self, blob: &ObjectId, to: &mut (dyn Write + Send)) -> Result<Digest> {
        let to = Mutex::new(to);
        let mut hashes = self.repo.with_blobs(std::slice::from_ref(blob), |_, mut contents| {
            let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
            let mut hashing = Hashing::new(&mut **to);
            io::copy(&mut contents, &mut hashing).map_err(|e| reading(blob, &e))?;
            Ok(hashing.finish().1)
        })?;
        Ok(hashes.pop().expect("one id gives one content or a refusal"))
    }

    /// Puts the twin of a side where a merge left something else, and notes that it was chosen.
    pub(super) fn put_side_back(&self, found: &Observed) -> Result<()> {
        let Some((_, blob)) = self.noted_side(found)? else {
            return Ok(());
        };
        self.note_choice(&found.pair, &blob)?;
        if blob_of_file(&found.pair.sealed_file, &blob)? != blob {
            let mut file = files::unnamed_beside(&found.pair.sealed_file, 0o666)?;
            self.copy_of(&blob, &mut file)?;
            files::place_unnamed(file, &found.pair.sealed_file, 0o666)?;
        }
        Ok(())
    }

    /// Notes that a person settled on the side of an unmerged pair that has the blob, so that a commit of it passes.
    pub(super) fn note_choice(&self, pair: &Pair, blob: &ObjectId) -> Result<()> {
        let sides = self.unmerged.get(&pair.sealed);
        match sides.map(|sides| (sides.ours, sides.theirs)) {
            Some((Some(ours), Some(theirs))) => self.notes.put_choice([&ours, &theirs], blob),
            _ => Ok(()),
        }
    }

    /// Returns the side of an unmerged pair whose twin is about to be staged as it is.
    pub(super) fn side_taken(&self, found: &Observed) -> Result<Option<SideTaken>> {
        let side = match found.standing {
            Standing::UpToDate => self.noted_side(found)?,
            _ => None,
        };
        let sides = self.unmerged.get(&found.pair.sealed);
        let other = |side| {
            sides.and_then(|sides| {
                if side == MergeSide::Ours {
                    sides.theirs
                } else {
                    sides.ours
                }
            })
        };
        Ok(side.map(|(side, _)| SideTaken {
            path: found.pair.plain.clone(),
            side,
            other_deleted: other(side).is_none(),
        }))
    }
}

/// A plaintext whose conflict is settled with one side as it was.
#[derive(Debug)]
pub struct SideTaken {
    /// The plaintext's path in the repository.
    pub path: RepoPath,
    /// The side.
    pub side: MergeSide,
    /// Whether the other side deleted the twin.
    pub other_deleted: bool,
}
