//! The documents that every pack has: the lists of its members, and the manifest.

use std::io::{self, Write};

use crate::adapters::pack_dir::MAX_DOCUMENT;
use crate::adapters::staging::Staging;
use crate::format::canonical_json::{Document, MAX_HULL, to_canonical};
use crate::format::digest::Digest;
use crate::format::lite::PACK_MANIFEST;
use crate::format::manifest::{MAX_HELD, Manifest, Member, MemberType};
use crate::format::member_path::{MANIFEST, MemberPath};
use crate::format::timestamp::Timestamp;
use crate::format::tree_meta::{FILE_INDEX, FILE_TREE, FileIndex, IndexedFile, REPO_STATE, write_file_tree};
use crate::refusal::{Refusal, Result};

/// The release that manifests state.
pub const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Most bytes of a note in the manifest, which is held whole but for its members. The rest of it is short.
const MAX_NOTE: u64 = (MAX_HULL - 4096) as u64;

/// An upper bound for the number of a pack's own documents.
const OWN: usize = 16;

/// Writes a pack's own documents, and counts all members.
pub struct DocumentWriter<'a> {
    staging: &'a Staging,
    members: Vec<(Member, u64)>,
}

impl<'a> DocumentWriter<'a> {
    /// Begins without members.
    pub fn of(staging: &'a Staging) -> Self {
        Self {
            staging,
            members: Vec::new(),
        }
    }

    /// Returns where the pack is staged.
    pub fn staging(&self) -> &'a Staging {
        self.staging
    }

    /// Counts a member of `size` bytes that was already written.
    pub fn count(&mut self, member: Member, size: u64) {
        self.members.push((member, size));
    }

    /// Reserves room for this many further members.
    pub fn reserve(&mut self, members: usize) {
        self.members.reserve(members + OWN);
    }

    /// Returns the members counted so far, with their sizes in bytes.
    pub fn written(&self) -> impl Iterator<Item = &(Member, u64)> {
        self.members.iter()
    }

    /// Writes a document and counts it.
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        self.stream(path, |out| out.write_all(bytes)).map(drop)
    }

    /// Writes a document piece by piece and counts it; returns its digest and its size in bytes.
    pub fn write(&mut self, path: &str, document: &impl Document) -> Result<(Digest, u64)> {
        self.stream(path, |out| document.write(out))
    }

    /// Writes a document with `write` and counts it; returns its digest and its size in bytes.
    pub fn stream(
        &mut self,
        path: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(Digest, u64)> {
        let (member, size) = self.written_by(path, write)?;
        let hash = member.bytes_hash;
        self.count(member, size);
        Ok((hash, size))
    }

    fn written_by(&self, path: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(Member, u64)> {
        let ((), bytes_hash, size) = self.staging.stream(path, write)?;
        ensure_readable(path, size)?;
        let member = Member {
            path: MemberPath::parse(path).expect("the names of our documents are safe"),
            bytes_hash,
            kind: MemberType::Other,
            artifact_version: None,
        };
        Ok((member, size))
    }

    /// Writes the list of members, and the same list drawn as a tree. The list names every member except itself.
    pub fn listing(&mut self) -> Result<()> {
        let drawn = MemberPath::parse(FILE_TREE).expect("the names of our documents are safe");
        let paths = self.members.iter().map(|(member, _)| member.path.as_str());
        let written = self.written_by(FILE_TREE, |out| write_file_tree(out, paths.chain([drawn.as_str()])))?;
        self.members.push(written);
        self.members.sort_by(|a, b| a.0.path.cmp(&b.0.path));
        let files = self.members.iter().map(|(member, size)| IndexedFile {
            path: member.path.to_string(),
            hash: member.bytes_hash,
            size: *size,
        });
        let index = self.written_by(FILE_INDEX, |out| FileIndex::write_of(out, files))?;
        self.members.push(index);
        Ok(())
    }

    /// Writes the manifest; returns the pack's id and the number of members.
    pub fn finish(self, created: Timestamp, note: Option<String>) -> Result<(Digest, u64)> {
        let found = note.as_ref().map_or(0, |note| to_canonical(note).len() as u64);
        if found > MAX_NOTE {
            return Err(Refusal::TooLong {
                what: "the note".into(),
                allowed: MAX_NOTE,
                found,
            });
        }
        let manifest = Manifest {
            created,
            note,
            tool_version: TOOL_VERSION.into(),
            members: self.members.into_iter().map(|(member, _)| member).collect(),
        };
        let members = manifest.members.len() as u64;
        let (pack_id, _, bytes) = self.staging.stream(MANIFEST, |out| manifest.write(out))?;
        ensure_readable(MANIFEST, bytes)?;
        Ok((pack_id, members))
    }
}

/// The documents that a verifier reads item by item. The others are held whole.
const LISTS: [&str; 5] = [MANIFEST, REPO_STATE, FILE_INDEX, FILE_TREE, PACK_MANIFEST];

/// Refuses a document that would be too long to be read again, because a sealed pack must verify.
pub fn ensure_readable(path: &str, bytes: u64) -> Result<()> {
    let allowed = match LISTS.contains(&path) {
        true => MAX_HELD,
        false => MAX_DOCUMENT,
    };
    match bytes > allowed {
        true => Err(Refusal::TooLong {
            what: match path {
                MANIFEST => "the manifest".to_owned(),
                other => other.to_owned(),
            },
            allowed,
            found: bytes,
        }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::pack_dir;
    use crate::adapters::staging::{Access, Publish};

    #[test]
    fn what_could_not_be_verified_is_not_sealed() {
        let temp = tempfile::tempdir().unwrap();
        let now = Timestamp::from_seconds(0).unwrap();
        // The size of a manifest with an empty note.
        for (more, fits) in [(0, true), (1, false)] {
            let output = temp.path().join(format!("pack-{more}"));
            let staging = Staging::beside(&output, Access::Shared).unwrap();
            let note = "n".repeat(MAX_NOTE as usize - 2 + more);
            let finished = DocumentWriter::of(&staging).finish(now, Some(note));
            staging.publish(&output, Publish::New).unwrap();
            assert_eq!(pack_dir::manifest(&output).is_ok(), fits);
            match finished {
                Ok(_) => assert!(fits),
                Err(Refusal::TooLong { found, .. }) => assert_eq!((fits, found), (false, MAX_NOTE + 1)),
                Err(other) => panic!("{other:?}"),
            }
        }
        let staging = Staging::beside(&temp.path().join("y"), Access::Shared).unwrap();
        let long = vec![b'x'; MAX_DOCUMENT as usize + 1];
        let added = DocumentWriter::of(&staging).add("meta/PROTECTED.json", &long);
        assert!(matches!(added, Err(Refusal::TooLong { .. })));
        assert!(ensure_readable(REPO_STATE, MAX_HELD).is_ok() && ensure_readable(REPO_STATE, MAX_HELD + 1).is_err());
    }
}
