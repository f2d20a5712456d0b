//! Files that are attached to a pack in an object store. Each is an object that is named by its content and written
//! only if it is not there, so that many may attach files at the same time.

use std::io::Read;

use super::Bucket;
use crate::adapters::files::Over;
use crate::format::attachment::{
    Attached, AttachedContent, AttachedCounts, Attachment, AttachmentKind, MAX_ATTACHMENT,
};
use crate::format::digest::Digest;
use crate::format::object_layout::{Key, attached_to};
use crate::refusal::{Refusal, Result};

/// Most names that are listed for one pack. There may be others than those of attached files.
const MAX_NAMES: usize = 1000;

/// Writes the files that are not there. Returns their number.
pub(super) fn send(bucket: &dyn Bucket, id: &Digest, files: &[Attachment]) -> Result<u64> {
    let mut sent = 0;
    for file in files {
        let key = Key::Attached(*id, AttachedContent::of(file));
        match bucket.size(&key)? {
            Some(size) if size == file.bytes.len() as u64 => {}
            // A client that follows the layout does not write such an object.
            Some(_) => sent += u64::from(bucket.put(&key, &file.bytes, Over::Anything)?),
            None => sent += u64::from(bucket.put(&key, &file.bytes, Over::Nothing)?),
        }
    }
    Ok(sent)
}

/// Reads the files that are attached to a pack.
pub(super) fn read(bucket: &dyn Bucket, id: &Digest) -> Result<Attached> {
    let mut found = Attached::default();
    for content in list(bucket, id, &mut found)? {
        let name = content.name();
        let Some((object, size)) = bucket.open(&Key::Attached(*id, content))? else {
            continue;
        };
        if size > MAX_ATTACHMENT {
            found.is_strange(name, "it is larger than an attached file may be");
            continue;
        }
        let mut bytes = Vec::new();
        let read = object.take(MAX_ATTACHMENT + 1).read_to_end(&mut bytes);
        read.map_err(Refusal::io("reading", name.as_ref()))?;
        found.receive(name, &content, bytes);
    }
    Ok(found)
}

/// Counts the files that are attached to a pack by their names.
pub(super) fn count(bucket: &dyn Bucket, id: &Digest) -> Result<AttachedCounts> {
    let listed = list(bucket, id, &mut Attached::default())?;
    let kinds: Vec<AttachmentKind> = listed.iter().map(|content| content.kind).collect();
    Ok(AttachedCounts::of(kinds.iter()))
}

fn list(bucket: &dyn Bucket, id: &Digest, found: &mut Attached) -> Result<Vec<AttachedContent>> {
    let (names, is_cut) = bucket.names(&attached_to(id), MAX_NAMES)?;
    let mut contents = Vec::new();
    for name in names {
        match AttachedContent::parse(&name) {
            Some(content) => contents.push(content),
            None => found.is_strange(name, "an attached file does not have such a name"),
        }
    }
    if is_cut {
        found.is_strange(attached_to(id), "it holds more files than are listed");
    }
    contents.sort_unstable();
    Ok(contents)
}
