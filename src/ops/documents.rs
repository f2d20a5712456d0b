//! The documents that every pack has of its own: the lists of its members, and the manifest.

use crate::adapters::staging::Staging;
use crate::format::canonical_json::to_document;
use crate::format::digest::Digest;
use crate::format::manifest::{MAX_BYTES, Manifest, Member, MemberType};
use crate::format::member_path::{MANIFEST, MemberPath};
use crate::format::refusal::{Refusal, Result};
use crate::format::timestamp::Timestamp;
use crate::format::tree_meta::{FILE_INDEX, FILE_TREE, FileIndex, IndexedFile, file_tree};

/// The release that stands in manifests.
pub const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Writes documents of the pack's own and keeps count of all members.
pub struct Documents<'a> {
    staging: &'a Staging,
    members: Vec<(Member, u64)>,
}

impl<'a> Documents<'a> {
    /// Begins with no member.
    pub fn of(staging: &'a Staging) -> Self {
        Self {
            staging,
            members: Vec::new(),
        }
    }

    /// Counts a member of `size` bytes that was written already.
    pub fn count(&mut self, member: Member, size: u64) {
        self.members.push((member, size));
    }

    /// Returns the members that were counted so far, with their bytes.
    pub fn written(&self) -> impl Iterator<Item = &(Member, u64)> {
        self.members.iter()
    }

    /// Writes a document and counts it.
    ///
    /// One that would be too long to be read again is refused.
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(too_long(path, bytes));
        }
        let path = MemberPath::parse(path).expect("the names of our documents are safe");
        self.staging.write(&path, bytes)?;
        let member = Member {
            path,
            bytes_hash: Digest::of(bytes),
            kind: MemberType::Other,
            artifact_version: None,
        };
        self.count(member, bytes.len() as u64);
        Ok(())
    }

    /// Writes the list of members and the same list drawn as a tree; the list holds everything but itself.
    pub fn listing(&mut self) -> Result<()> {
        let drawn = MemberPath::parse(FILE_TREE).expect("the names of our documents are safe");
        let mut paths: Vec<&MemberPath> = self.members.iter().map(|(member, _)| &member.path).collect();
        paths.push(&drawn);
        let text = file_tree(paths.into_iter());
        self.add(FILE_TREE, text.as_bytes())?;
        let mut files: Vec<IndexedFile> = self
            .members
            .iter()
            .map(|(member, size)| IndexedFile {
                path: member.path.to_string(),
                hash: member.bytes_hash,
                size: *size,
            })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        self.add(FILE_INDEX, &to_document(&FileIndex { files }))
    }

    /// Writes the manifest; returns the pack's id and the number of members.
    pub fn finish(self, created: Timestamp, note: Option<String>) -> Result<(Digest, u64)> {
        let manifest = Manifest {
            created,
            note,
            tool_version: TOOL_VERSION.into(),
            members: self.members.into_iter().map(|(member, _)| member).collect(),
        };
        let members = manifest.members.len() as u64;
        let (pack_id, bytes) = manifest.into_document();
        if bytes.len() as u64 > MAX_BYTES {
            return Err(too_long("the manifest", &bytes));
        }
        self.staging.write_root(MANIFEST, &bytes)?;
        Ok((pack_id, members))
    }
}

fn too_long(what: &str, bytes: &[u8]) -> Refusal {
    Refusal::Unsupported {
        what: format!("{what} would have {} bytes, more than {MAX_BYTES}", bytes.len()),
        remedy: "seal a smaller scope".into(),
    }
}
