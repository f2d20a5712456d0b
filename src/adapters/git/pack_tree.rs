//! A tracked pack: read from the object database, as a commit has it.
use std::io::{self, Cursor, Read};

use crate::adapters::git::Repository;
use crate::adapters::git::blobs::{Contents, reading};
use crate::adapters::pack_dir::{FoundInPack, IsDeclared, LookIntoMember, TakeFound, invalid, read_from};
use crate::format::attachment::{Attached, Attachment, AttachmentName, BESIDE, MAX_ATTACHMENT};
use crate::format::digest::Digest;
use crate::format::manifest::{MAX_BYTES, ManifestDocument};
use crate::format::member_path::MANIFEST;
use crate::format::object_id::ObjectId;
use crate::format::pack_refs::PackRefs;
use crate::format::repo_state::{EntryKind, TreeEntry};
use crate::refusal::pack::PackFault;
use crate::refusal::{Refusal, Result};

/// The entries of a tree that may be the root of a pack.
pub struct PackTree<'a> {
    repo: &'a Repository,
    entries: Vec<TreeEntry>,
    place: AttachedAt<'a>,
}

/// Where files are attached to a pack in a tree.
enum AttachedAt<'a> {
    /// Nowhere.
    Nowhere,
    /// In a directory beside it: the top of the tree, and the path of the pack in it.
    Beside(ObjectId, Vec<u8>),
    /// At refs.
    Refs(&'a PackRefs),
}

impl<'a> PackTree<'a> {
    /// Lists the tree.
    pub fn of(repo: &'a Repository, tree: &ObjectId) -> Result<Self> {
        Ok(Self {
            repo,
            entries: repo.tree_entries(tree)?,
            place: AttachedAt::Nowhere,
        })
    }

    /// Also tells where the pack is, for what is attached to it.
    pub fn at(mut self, top: ObjectId, path: &[u8]) -> Self {
        self.place = match path.is_empty() {
            true => AttachedAt::Nowhere,
            false => AttachedAt::Beside(top, path.to_vec()),
        };
        self
    }

    /// Also tells which refs attach files to it: a ref leads to the pack itself.
    pub fn with_refs(mut self, refs: &'a PackRefs) -> Self {
        self.place = AttachedAt::Refs(refs);
        self
    }

    /// Returns what is attached to the pack with this id.
    pub fn attached(&self, pack_id: &Digest) -> Result<Attached> {
        match &self.place {
            AttachedAt::Nowhere => Ok(Attached::default()),
            AttachedAt::Beside(top, path) => self.attached_beside(pack_id, top, path),
            AttachedAt::Refs(refs) => match refs.attached_to(pack_id) {
                Some(there) => self.repo.attached_by_refs(pack_id, there),
                None => Ok(Attached::default()),
            },
        }
    }

    /// Returns what is attached to the pack in the directory beside it.
    fn attached_beside(&self, pack_id: &Digest, top: &ObjectId, path: &[u8]) -> Result<Attached> {
        let mut found = Attached::default();
        let beside = [path, BESIDE.as_bytes()].concat();
        let Some((_, directory)) = self.repo.directories_in_tree(top, [&beside[..]])?.into_iter().next() else {
            return Ok(found);
        };
        let mut files = Vec::new();
        for entry in self.repo.tree_entries(&directory)? {
            let name = String::from_utf8_lossy(entry.path.as_bytes()).into_owned();
            match (not_a_file(&entry), AttachmentName::parse(&name)) {
                (Some(_), _) => found.is_strange(name, "it is not a regular file"),
                (None, Some((id, parsed))) if id == *pack_id => files.push((parsed, name, entry.id)),
                (None, Some(_)) => found.is_strange(name, "its name is for another pack"),
                (None, None) => found.is_strange(name, "an attached file does not have such a name"),
            }
        }
        files.sort();
        for (parsed, name, id) in files {
            match found.has_room_for(self.repo.blob_size(&id)?) {
                true => found.take(Attachment {
                    bytes: self.repo.document(&id, &name, MAX_ATTACHMENT)?,
                    kind: parsed.kind,
                    name,
                }),
                false => found.is_strange(name, "it is more than may be attached to a pack"),
            }
        }
        Ok(found)
    }

    /// Reads and parses the manifest. The inner error says why the tree has no valid manifest.
    pub fn manifest(&self) -> Result<Result<ManifestDocument, PackFault>> {
        let mut entries = self.entries.iter();
        let Some(entry) = entries.find(|entry| entry.path.as_bytes() == MANIFEST.as_bytes()) else {
            return Ok(Err(PackFault::NoManifest));
        };
        if let Some(kind) = not_a_file(entry) {
            return Ok(Err(PackFault::ManifestNotRegular { kind }));
        }
        let found = self.repo.blob_size(&entry.id)?;
        if found > MAX_BYTES {
            let allowed = MAX_BYTES;
            return Ok(Err(PackFault::ManifestTooLong { allowed, found }));
        }
        let bytes = self.repo.document(&entry.id, MANIFEST, MAX_BYTES)?;
        Ok(ManifestDocument::parse(&bytes).map_err(invalid))
    }

    /// Reads everything but the manifest, as [`crate::adapters::pack_dir::observe`] does on disk.
    pub fn observe<E: Send>(
        &self,
        declared: IsDeclared<'_>,
        look: LookIntoMember<'_, E>,
        take: TakeFound<'_, E>,
    ) -> Result<()> {
        let mut found = Vec::with_capacity(self.entries.len());
        let mut members = Vec::new();
        for entry in &self.entries {
            let path = entry.path.as_bytes();
            match not_a_file(entry) {
                Some(kind) => found.push((path.to_vec(), FoundInPack::NotRegular(kind))),
                None if path == MANIFEST.as_bytes() => {}
                None if declared(path) => members.push(entry),
                None => found.push((path.to_vec(), FoundInPack::Undeclared)),
            }
        }
        let ids: Vec<ObjectId> = members.iter().map(|entry| entry.id).collect();
        let read = self.repo.with_blobs(&ids, |at, mut blob| {
            let name = std::str::from_utf8(members[at].path.as_bytes()).unwrap_or_default();
            let size = match &blob {
                Contents::Whole(bytes, _) => bytes.len() as u64,
                Contents::Stream(_, size) => *size,
            };
            read_from(&mut blob, name, size, look).map_err(|e| reading(&ids[at], &e))
        })?;
        for (entry, read) in members.iter().zip(read) {
            found.push((entry.path.as_bytes().to_vec(), FoundInPack::Read(read)));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found.into_iter().for_each(|(path, found)| take(&path, found));
        Ok(())
    }
}

impl PackTree<'_> {
    /// Returns a reader of `size` bytes of the blob at a path, from byte `at`.
    pub fn range(&self, path: &str, at: u64, size: u64) -> Result<Box<dyn Read + Send>> {
        let Some(id) = self.blob_at(path) else {
            return Err(Refusal::MissingObject {
                count: 1,
                example: path.to_owned(),
            });
        };
        let read = self.repo.with_blobs(&[id], |_, mut blob| {
            let mut read = || {
                io::copy(&mut (&mut blob).take(at), &mut io::sink())?;
                let mut bytes = Vec::new();
                (&mut blob).take(size).read_to_end(&mut bytes)?;
                io::copy(&mut blob, &mut io::sink())?;
                Ok(bytes)
            };
            read().map_err(|e| reading(&id, &e))
        })?;
        Ok(Box::new(Cursor::new(read.into_iter().next().unwrap_or_default())))
    }

    /// Returns the blob at a path.
    pub fn blob_at(&self, path: &str) -> Option<ObjectId> {
        let mut entries = self.entries.iter();
        entries
            .find(|entry| entry.path.as_bytes() == path.as_bytes())
            .map(|entry| entry.id)
    }
}

/// Returns what an entry is instead of a file. `None` if it is a file.
pub fn not_a_file(entry: &TreeEntry) -> Option<&'static str> {
    match entry.kind {
        EntryKind::Symlink => Some("a symbolic link"),
        EntryKind::Submodule => Some("a submodule"),
        EntryKind::Regular | EntryKind::Executable => None,
    }
}
