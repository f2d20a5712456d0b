//! Reads an archive from its first byte to its last. Accepts only what [`super::ArchiveWriter`] writes.

use std::io::Read;

use super::frames::{ArchiveFrames, UnreadArchive};
use super::header::{MAX_PAX, Stated, differing_field, headers, is_pax, special};
use super::{BLOCK, directory_of, padding, time_of};
use crate::format::attachment::{Attached, Attachment, AttachmentName, BESIDE};
use crate::format::digest::Digest;
use crate::format::manifest::{MAX_BYTES, ManifestDocument};
use crate::format::member_path::{MANIFEST, MemberPath};
use crate::format::timestamp::Timestamp;
use crate::refusal::archive::ArchiveFault;
use crate::refusal::pack::PackFault;

/// Number of bytes that are skipped at a time.
const SCRATCH: usize = 64 << 10;

/// A member in an archive: where its content is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedMember {
    /// Its path in the pack.
    pub path: MemberPath,
    /// Size in bytes.
    pub size: u64,
    /// Where its frame begins in the file.
    pub frame_at: u64,
    /// Where its content begins in the content of the frame.
    pub offset: u64,
}

/// Reads the entries of an archive one by one, and skips their content.
pub struct ArchiveReader<R> {
    frames: ArchiveFrames<R>,
    scratch: Vec<u8>,
    /// The directory of the pack.
    directory: String,
    mtime: u64,
    /// Bytes of content that may still follow.
    allowed: u64,
    max_content: u64,
    /// The entry before, if it is not the manifest.
    before: Option<MemberPath>,
    manifest: Vec<u8>,
    /// The id that the manifest states.
    pack_id: Option<Digest>,
    attached: Attached,
    /// The attached file before.
    attached_before: Option<(AttachmentName, Digest)>,
}

/// The headers of an entry.
struct Head {
    bytes: Vec<u8>,
    path: String,
    size: u64,
}

impl<R: Read> ArchiveReader<R> {
    /// Reads the manifest of an archive whose content may have `max_content` bytes.
    pub fn open(source: R, max_content: u64) -> Result<Self, UnreadArchive> {
        let mut frames = ArchiveFrames::new(source, 0)?;
        if !frames.begin()? {
            return Err(ArchiveFault::NotAnArchive.into());
        }
        let mut reader = Self {
            frames,
            scratch: vec![0; SCRATCH],
            directory: String::new(),
            mtime: 0,
            allowed: max_content,
            max_content,
            before: None,
            manifest: Vec::new(),
            pack_id: None,
            attached: Attached::default(),
            attached_before: None,
        };
        let head = reader.head()?.ok_or(ArchiveFault::NoManifest {
            found: "the end of the archive".into(),
        })?;
        let no_manifest = || ArchiveFault::NoManifest {
            found: head.path.clone(),
        };
        let (directory, name) = head.path.split_once('/').ok_or_else(no_manifest)?;
        if name != MANIFEST {
            return Err(no_manifest().into());
        }
        if head.size > MAX_BYTES {
            return Err(UnreadArchive::Bad(PackFault::ManifestTooLong {
                allowed: MAX_BYTES,
                found: head.size,
            }));
        }
        reader.manifest = reader.content(head.size)?;
        reader.pad(&head.path, head.size)?;
        let document = ManifestDocument::parse(&reader.manifest).map_err(|why| PackFault::Invalid {
            document: MANIFEST,
            said: why.to_string(),
        })?;
        let created = Timestamp::parse_utc(&document.created).ok_or_else(|| PackFault::BadTime {
            found: document.created.clone(),
        })?;
        reader.mtime = time_of(created);
        if directory_of(&document.pack_id).as_deref() != Some(directory) {
            return Err(no_manifest().into());
        }
        reader.directory = directory.to_owned();
        reader.pack_id = Digest::parse_ref(&document.pack_id);
        reader.ensure_ours(&head)?;
        Ok(reader)
    }

    /// Returns the bytes of the manifest.
    pub fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// Returns the bytes of the manifest, and the attached files that were read.
    pub fn into_parts(self) -> (Vec<u8>, Attached) {
        (self.manifest, self.attached)
    }

    /// Reads to the next member, and skips its content. Returns `None` at the end, if nothing follows it. Reads the
    /// attached files on the way there.
    pub fn next_member(&mut self) -> Result<Option<ArchivedMember>, UnreadArchive> {
        let head = loop {
            self.frames.between_entries()?;
            let Some(head) = self.head()? else {
                return self.end().map(|()| None);
            };
            match self.attached_name(&head.path)? {
                Some(name) => self.read_attached(&head, name)?,
                None => break head,
            }
        };
        if self.attached_before.is_some() {
            return Err(ArchiveFault::Order { path: head.path }.into());
        }
        let path = self.member_path(&head.path)?;
        let in_order = self.before.as_ref().is_none_or(|before| *before < path);
        if path.is_reserved() || !in_order {
            return Err(ArchiveFault::Order { path: head.path }.into());
        }
        self.ensure_ours(&head)?;
        let member = ArchivedMember {
            path: path.clone(),
            size: head.size,
            frame_at: self.frames.frame_at(),
            offset: self.frames.decoded(),
        };
        self.frames.skip(head.size, &mut self.scratch)?;
        self.pad(&head.path, head.size)?;
        self.before = Some(path);
        Ok(Some(member))
    }

    /// Returns the name of an entry that is an attached file. `None` if it is not in their directory.
    fn attached_name(&self, path: &str) -> Result<Option<AttachmentName>, ArchiveFault> {
        let rest = path.strip_prefix(&self.directory);
        let below = rest.and_then(|rest| rest.strip_prefix(BESIDE)?.strip_prefix('/'));
        let Some(below) = below else { return Ok(None) };
        match AttachmentName::parse(below) {
            Some((id, name)) if Some(id) == self.pack_id => Ok(Some(name)),
            _ => Err(attached(
                path,
                "does not have the name of a file that is attached to this pack",
            )),
        }
    }

    /// Reads an attached file. Their names and contents are in order, so that the same files make the same bytes.
    fn read_attached(&mut self, head: &Head, name: AttachmentName) -> Result<(), UnreadArchive> {
        self.ensure_ours(head)?;
        if !self.attached.has_room_for(head.size) {
            return Err(attached(&head.path, "is more than may be attached to a pack").into());
        }
        let bytes = self.content(head.size)?;
        self.pad(&head.path, head.size)?;
        let hash = Digest::of(&bytes);
        let is_next = match self.attached_before {
            Some((before, hash_before)) if before.kind == name.kind => {
                name.number == before.number + 1 && hash_before < hash
            }
            Some((before, _)) => before.kind < name.kind && name.number == 1,
            None => name.number == 1,
        };
        if !is_next {
            let path = head.path.clone();
            return Err(ArchiveFault::Order { path }.into());
        }
        self.attached_before = Some((name, hash));
        self.attached.take(Attachment {
            name: head.path.clone(),
            kind: name.kind,
            bytes,
        });
        Ok(())
    }

    /// Reads the headers of an entry. Returns `None` at the end of the archive.
    fn head(&mut self) -> Result<Option<Head>, UnreadArchive> {
        let mut block = self.block()?;
        if block == [0; BLOCK] {
            return Ok(None);
        }
        let mut bytes = block.to_vec();
        let mut stated = Stated::default();
        if is_pax(&block) {
            let (_, size) = Stated::default().with_header(&block)?;
            if size > MAX_PAX {
                return Err(ArchiveFault::Pax.into());
            }
            let at = bytes.len();
            bytes.resize(at + size as usize + padding(size), 0);
            self.take((bytes.len() - at) as u64)?;
            self.frames.decode_exact(&mut bytes[at..])?;
            stated = Stated::of_pax(&bytes[at..at + size as usize])?;
            block = self.block()?;
            bytes.extend_from_slice(&block);
        }
        let (path, size) = stated.with_header(&block)?;
        if let Some(kind) = special(&block) {
            let path = String::from_utf8_lossy(&path).into_owned();
            return Err(ArchiveFault::Kind { path, kind }.into());
        }
        let path = String::from_utf8(path).map_err(|e| ArchiveFault::Header {
            path: String::from_utf8_lossy(e.as_bytes()).into_owned(),
            field: "name",
        })?;
        self.take(size)?;
        Ok(Some(Head { bytes, path, size }))
    }

    /// Refuses headers that are not exactly those of an archive.
    fn ensure_ours(&self, head: &Head) -> Result<(), UnreadArchive> {
        let expected = headers(&head.path, head.size, self.mtime);
        if head.bytes == expected {
            return Ok(());
        }
        if head.bytes.len() != expected.len() {
            return Err(ArchiveFault::Pax.into());
        }
        let mut pairs = head.bytes.chunks(BLOCK).zip(expected.chunks(BLOCK));
        let field = pairs
            .find(|(found, expected)| found != expected)
            .map_or("field", |(found, expected)| differing_field(found, expected));
        Err(ArchiveFault::Header {
            path: head.path.clone(),
            field,
        }
        .into())
    }

    fn member_path(&self, path: &str) -> Result<MemberPath, UnreadArchive> {
        let unsafe_path = |fault| ArchiveFault::Path {
            path: path.to_owned(),
            fault,
        };
        MemberPath::parse(path).map_err(unsafe_path)?;
        let below = path
            .strip_prefix(&self.directory)
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or_else(|| ArchiveFault::Outside {
                path: path.to_owned(),
                directory: self.directory.clone(),
            })?;
        MemberPath::parse(below).map_err(|fault| unsafe_path(fault).into())
    }

    /// Reads the second block of the end, and makes sure that nothing follows.
    fn end(&mut self) -> Result<(), UnreadArchive> {
        if self.block()? != [0; BLOCK] {
            return Err(ArchiveFault::Trailing.into());
        }
        match self.frames.decode(&mut [0])? {
            0 if !self.frames.has_more()? => Ok(()),
            _ => Err(ArchiveFault::Trailing.into()),
        }
    }

    /// Reads a content into memory, which is taken as the bytes come, since the stated size may be a lie.
    fn content(&mut self, size: u64) -> Result<Vec<u8>, UnreadArchive> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < size {
            let most = (size - bytes.len() as u64).min(SCRATCH as u64) as usize;
            self.frames.decode_exact(&mut self.scratch[..most])?;
            bytes.extend_from_slice(&self.scratch[..most]);
        }
        Ok(bytes)
    }

    fn block(&mut self) -> Result<[u8; BLOCK], UnreadArchive> {
        self.take(BLOCK as u64)?;
        let mut block = [0; BLOCK];
        self.frames.decode_exact(&mut block)?;
        Ok(block)
    }

    /// Reads the rest of the last block of an entry.
    fn pad(&mut self, path: &str, size: u64) -> Result<(), UnreadArchive> {
        let mut rest = [0; BLOCK];
        let rest = &mut rest[..padding(size)];
        self.take(rest.len() as u64)?;
        self.frames.decode_exact(rest)?;
        match rest.iter().all(|byte| *byte == 0) {
            true => Ok(()),
            false => Err(ArchiveFault::Padding { path: path.to_owned() }.into()),
        }
    }

    /// Counts content that is about to be decoded.
    fn take(&mut self, bytes: u64) -> Result<(), UnreadArchive> {
        let allowed = self.max_content;
        self.allowed = self
            .allowed
            .checked_sub(bytes)
            .ok_or(ArchiveFault::TooMuch { allowed })?;
        Ok(())
    }
}

fn attached(path: &str, why: &'static str) -> ArchiveFault {
    ArchiveFault::Attached {
        path: path.to_owned(),
        why,
    }
}
