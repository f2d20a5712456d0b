//! What git has of tracked twins: the blob that a commit would take, and the attributes by which git may change it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::adapters::cipher::{Identities, Recipients};
use crate::adapters::git::attributes::PathAttributes;
use crate::adapters::{cipher, files};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::ops::contents::{blob_of_file, converted_to};
use crate::ops::guard::twins::opened::head_of;
use crate::ops::guard::twins::{Observed, Pair, Place, is_twin};
use crate::ops::keys::recipients;
use crate::ops::{Context, configuration};
use crate::refusal::keys::CipherFault;
use crate::refusal::{Refusal, Result};
use crate::rules::twins::{TwinFault, changing_attribute};

/// The tracked twins of a work tree, as git has them.
pub(super) struct TrackedTwins<'a> {
    place: &'a Place,
    blobs: BTreeMap<RepoPath, ObjectId>,
    attributes: BTreeMap<RepoPath, PathAttributes>,
    /// The recipients of the configuration, if it names any that can be read.
    recipients: Option<Recipients>,
}

impl<'a> TrackedTwins<'a> {
    pub(super) fn of(ctx: &Context, place: &'a Place, pairs: &[Pair]) -> Result<Self> {
        let sealed: Vec<RepoPath> = pairs.iter().map(|pair| pair.sealed.clone()).collect();
        let attributes = place.repo.twin_attributes(&sealed)?;
        let staged = place.repo.index()?.files_named(is_twin).into_iter();
        let recipients = configuration::on_disk(&place.root).and_then(|loaded| recipients::of_config(ctx, &loaded));
        Ok(Self {
            recipients: recipients.ok().filter(|recipients| !recipients.names().is_empty()),
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
        if let Some(attribute) = attributes.and_then(|attributes| changing_attribute(&attributes.0)) {
            return Ok(Some(TwinFault::Attribute(attribute)));
        }
        Ok(self.is_for_others(found)?.then_some(TwinFault::OtherRecipients))
    }

    /// Returns whether a twin is known to be sealed for others than the configured recipients: by the note of this clone, if
    /// this clone sealed it, and by the number and kinds of those in its header. Nothing else tells without their identities.
    fn is_for_others(&self, found: &Observed) -> Result<bool> {
        let Some(recipients) = &self.recipients else {
            return Ok(false);
        };
        let note = self.place.notes.get(&found.pair.plain);
        let note = note.filter(|note| Some(note.sealed_hash) == found.sealed_hash);
        if let Some(noted) = note.and_then(|note| note.recipients) {
            return Ok(noted != sealed_for(recipients));
        }
        let path = &found.pair.sealed_file;
        let head = head_of(&files::open_regular(path)?.file).map_err(Refusal::io("reading", path))?;
        Ok(match (cipher::kinds(&head), recipients.stanza_kinds()) {
            (Ok(found), Some(expected)) => found != expected,
            // A damaged twin is reported elsewhere, and plugins choose what they write.
            _ => false,
        })
    }
}

/// Returns the mark of recipients in notes.
pub(super) fn sealed_for(recipients: &Recipients) -> Digest {
    Digest::of(recipients.names().join("\n").as_bytes())
}

/// Returns whether a file begins like an age file whose line ends were converted.
fn is_converted(path: &Path) -> Result<bool> {
    Ok(matches!(
        cipher::header(&files::open_regular(path)?.file),
        Err(CipherFault::LineEnds)
    ))
}
