//! What git has of tracked twins: the blob that a commit would take, and the attributes by which git may change it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::adapters::cipher::Identities;
use crate::adapters::git::attributes::PathAttributes;
use crate::adapters::{cipher, files};
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::ops::contents::{blob_of_file, converted_to};
use crate::ops::guard::twins::{Observed, Pair, Place, is_twin};
use crate::refusal::Result;
use crate::refusal::keys::CipherFault;
use crate::rules::twins::{TwinFault, changing_attribute};

/// The tracked twins of a work tree, as git has them.
pub(super) struct TrackedTwins<'a> {
    place: &'a Place,
    blobs: BTreeMap<RepoPath, ObjectId>,
    attributes: BTreeMap<RepoPath, PathAttributes>,
}

impl<'a> TrackedTwins<'a> {
    pub(super) fn of(place: &'a Place, pairs: &[Pair]) -> Result<Self> {
        let sealed: Vec<RepoPath> = pairs.iter().map(|pair| pair.sealed.clone()).collect();
        let attributes = place.repo.twin_attributes(&sealed)?;
        let staged = place.repo.index()?.files_named(is_twin).into_iter();
        Ok(Self {
            place,
            blobs: staged.map(|entry| (entry.path, entry.id)).collect(),
            attributes: sealed.into_iter().zip(attributes).collect(),
        })
    }

    /// Returns what is wrong with the twin of a pair. `None` if git has it as it is on disk, or another one of the same
    /// plaintext, and leaves it so.
    pub(super) fn fault(&self, found: &Observed, identities: &Identities) -> Result<Option<TwinFault>> {
        let pair = &found.pair;
        // Sparse checkouts leave twins out, and a twin that was removed is no twin.
        if !files::exists(&pair.sealed_file) {
            return Ok(None);
        }
        if is_converted(&pair.sealed_file)? {
            return Ok(Some(TwinFault::ConvertedOnDisk));
        }
        if let Some(id) = self.blobs.get(&pair.sealed)
            && blob_of_file(&pair.sealed_file, id)? != *id
        {
            if converted_to(&self.place.repo, &pair.sealed_file, id)?.is_some() {
                return Ok(Some(TwinFault::ConvertedInIndex));
            }
            let is_same = found.plain_hash.is_some() && self.place.hash_of_blob(id, identities)? == found.plain_hash;
            if !is_same {
                return Ok(Some(TwinFault::StagedDiffers));
            }
        }
        let attributes = self.attributes.get(&pair.sealed);
        let changing = attributes.and_then(|attributes| changing_attribute(&attributes.0));
        Ok(changing.map(TwinFault::Attribute))
    }
}

/// Returns whether a file begins like an age file whose line ends were converted.
fn is_converted(path: &Path) -> Result<bool> {
    Ok(matches!(
        cipher::header(&files::open_regular(path)?.file),
        Err(CipherFault::LineEnds)
    ))
}
