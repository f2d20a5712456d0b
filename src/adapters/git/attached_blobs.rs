//! Files that refs attach to a pack: each is a blob, and its name says what is in it.

use crate::adapters::git::Repository;
use crate::format::attachment::{Attached, AttachedContent, MAX_ATTACHMENT, MAX_ATTACHMENTS};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::pack_refs::{ATTACHED, AttachedObjects};
use crate::refusal::Result;

impl Repository {
    /// Reads the files that refs attach to a pack, from the objects that are here. What is wrong or too much counts as
    /// strange.
    pub fn attached_by_refs(&self, pack_id: &Digest, there: &AttachedObjects) -> Result<Attached> {
        let mut found = Attached::default();
        if there.len() > MAX_ATTACHMENTS {
            found.is_strange(
                format!("{ATTACHED}{}", pack_id.hex()),
                "it holds more files than are read",
            );
        }
        for (content, id) in wanted(there) {
            let name = content.name();
            match self.kind_of(id) {
                Some("a blob") => {}
                Some(_) => {
                    found.is_strange(name, "its ref does not lead to a file");
                    continue;
                }
                None => {
                    found.is_strange(name, "its ref leads to an object that is not there");
                    continue;
                }
            }
            match self.blob_size(id)? {
                size if size > MAX_ATTACHMENT => found.is_strange(name, "it is larger than an attached file may be"),
                _ => found.receive(name.clone(), content, self.document(id, &name, MAX_ATTACHMENT)?),
            }
        }
        Ok(found)
    }
}

/// Returns the files that are read: no more than may be attached to a pack.
pub fn wanted(there: &AttachedObjects) -> impl Iterator<Item = (&AttachedContent, &ObjectId)> {
    there.iter().take(MAX_ATTACHMENTS)
}
