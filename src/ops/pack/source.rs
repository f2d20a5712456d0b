//! Where a pack is read from: a directory, a tree in a commit, or a holder that hands out its members.

use std::io::{self, Read};
use std::path::Path;

use crate::adapters::attached_dir;
use crate::adapters::files;
use crate::adapters::git::pack_tree::PackTree;
use crate::adapters::pack_dir::{self, IsDeclared, LookIntoMember, TakeFound, WrittenMembers};
use crate::adapters::published::{self, PublishedPack, TakeMember};
use crate::adapters::store::pack::{PackHolder, PackStore};
use crate::format::attachment::{Attached, AttachedCounts};
use crate::format::digest::Digest;
use crate::format::manifest::{DeclaredMembers, MAX_BYTES, ManifestDocument};
use crate::format::member_path::{MANIFEST, MemberPath};
use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::ops::contents::blob_of_file;
use crate::refusal::{Refusal, Result};

/// The location of a pack.
pub enum Source<'a> {
    /// A directory.
    Directory(&'a Path),
    /// A private directory to which this process wrote these members.
    Fetched(&'a Path, &'a WrittenMembers),
    /// A tree in a commit, and its name for messages.
    Tree(PackTree<'a>, String),
    /// An archive, or a pack at a place.
    Published(&'a dyn PublishedPack),
}

impl<'a> Source<'a> {
    /// Returns the directory of the pack, if it is in one.
    pub fn directory(&self) -> Option<&'a Path> {
        match self {
            Self::Directory(root) | Self::Fetched(root, _) => Some(root),
            Self::Tree(..) | Self::Published(_) => None,
        }
    }

    /// Returns the members as a content store. A tree in a commit has no such store.
    pub fn store(&self, members: DeclaredMembers) -> Option<PackStore<'a>> {
        match self {
            Self::Directory(root) | Self::Fetched(root, _) => Some(PackStore::of(PackHolder::Directory(root), members)),
            Self::Published(pack) => Some(PackStore::of(PackHolder::Published(*pack), members)),
            Self::Tree(..) => None,
        }
    }

    /// Reads and parses the manifest.
    pub fn manifest(&self) -> Result<ManifestDocument> {
        match self {
            Self::Directory(root) | Self::Fetched(root, _) => pack_dir::manifest(root),
            Self::Tree(tree, name) => tree.manifest()?.map_err(|fault| Refusal::BadPack {
                path: name.into(),
                fault,
            }),
            Self::Published(pack) => published::manifest(*pack),
        }
    }

    /// Reads everything but the manifest, and hashes what is declared. Passes what was found to `take`, in the order of the
    /// paths.
    pub fn observe<E: Send>(
        &self,
        declared: IsDeclared<'_>,
        look: LookIntoMember<'_, E>,
        take: TakeFound<'_, E>,
    ) -> Result<()> {
        match self {
            Self::Directory(root) => pack_dir::observe(root, declared, None, look, take),
            Self::Fetched(root, written) => pack_dir::observe(root, declared, Some(written), look, take),
            Self::Tree(tree, _) => tree.observe(declared, look, take),
            Self::Published(pack) => published::observe(*pack, declared, look, take),
        }
    }

    /// Passes the content of a member and its size in bytes to `take`, which need not read to the end.
    pub fn member(&self, path: &str, take: TakeMember<'_>) -> Result<()> {
        match self {
            Self::Directory(root) | Self::Fetched(root, _) => {
                let place = root.join(path);
                let opened = files::open_regular(&place)?;
                take(&mut &opened.file, opened.size).map_err(Refusal::io("reading", &place))
            }
            Self::Tree(tree, _) => {
                let mut whole = Vec::new();
                tree.range(path, 0, u64::MAX)?
                    .read_to_end(&mut whole)
                    .and_then(|size| take(&mut &whole[..], size as u64))
                    .map_err(Refusal::io("reading", path.as_ref()))
            }
            Self::Published(pack) => pack.member(path, take),
        }
    }

    /// Returns the bytes of the manifest.
    pub fn manifest_bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::Directory(root) | Self::Fetched(root, _) => files::read(&root.join(MANIFEST), MAX_BYTES),
            Self::Tree(tree, _) => {
                let mut bytes = Vec::new();
                let read = tree.range(MANIFEST, 0, MAX_BYTES)?.read_to_end(&mut bytes);
                read.map_err(Refusal::io("reading", MANIFEST.as_ref())).map(|_| bytes)
            }
            Self::Published(pack) => Ok(pack.manifest().to_vec()),
        }
    }

    /// Returns what is attached to the pack with this id.
    pub fn attached(&self, pack_id: &Digest) -> Result<Attached> {
        match self {
            Self::Directory(root) | Self::Fetched(root, _) => attached_dir::read(root, pack_id),
            Self::Tree(tree, _) => tree.attached(pack_id),
            Self::Published(pack) => pack.attached(),
        }
    }

    /// Counts what is attached to the pack with this id, as it is listed.
    pub fn attached_counts(&self, pack_id: &Digest) -> Result<AttachedCounts> {
        match self {
            Self::Directory(root) | Self::Fetched(root, _) => attached_dir::count(root, pack_id),
            Self::Tree(..) => self.attached(pack_id).map(|attached| attached.counts()),
            Self::Published(pack) => pack.attached_counts(),
        }
    }

    /// Returns a reader of a whole member.
    pub fn reader(&self, path: &str) -> Result<Box<dyn Read + Send>> {
        match self {
            Self::Directory(root) | Self::Fetched(root, _) => Ok(Box::new(files::open_regular(&root.join(path))?.file)),
            Self::Tree(tree, _) => tree.range(path, 0, u64::MAX),
            Self::Published(pack) => published::range(*pack, path, 0, u64::MAX),
        }
    }

    /// Returns a reader of `size` bytes of a member, from byte `at`.
    pub fn range(&self, path: &str, at: u64, size: u64) -> Result<Box<dyn Read + Send>> {
        match self {
            Self::Directory(root) | Self::Fetched(root, _) => files::open_range(&root.join(path), at, size),
            Self::Tree(tree, _) => tree.range(path, at, size),
            Self::Published(pack) => published::range(*pack, path, at, size),
        }
    }

    /// Returns the content of a member. `None` if it cannot be read, or has more than `max` bytes.
    pub fn read(&self, path: &str, max: u64) -> Option<Vec<u8>> {
        let mut bytes = None;
        let read = self.member(path, &mut |content, size| {
            if size <= max {
                let mut whole = Vec::new();
                content.take(max + 1).read_to_end(&mut whole)?;
                bytes = (whole.len() as u64 <= max).then_some(whole);
            }
            Ok(())
        });
        read.ok().and(bytes)
    }

    /// Returns the size of a member in bytes, without reading it. `None` if it is not a regular file, or not known.
    pub fn size(&self, path: &str) -> Option<u64> {
        match self {
            Self::Directory(root) | Self::Fetched(root, _) => {
                let path = MemberPath::parse(path).ok()?;
                files::regular_size(root, path.as_str())
            }
            Self::Tree(..) => None,
            Self::Published(pack) => pack.size(path),
        }
    }

    /// Returns the blob id of a member, with the same hash as `like`.
    pub fn blob_of(&self, path: &str, like: &ObjectId) -> Result<Option<ObjectId>> {
        match self {
            Self::Directory(root) | Self::Fetched(root, _) => blob_of_file(&root.join(path), like).map(Some),
            Self::Tree(tree, _) => Ok(tree.blob_at(path)),
            Self::Published(pack) => {
                let mut blob = None;
                pack.member(path, &mut |content, size| {
                    let mut hasher = ObjectHasher::new(like, "blob", size);
                    let mut buffer = vec![0; 64 << 10];
                    loop {
                        match content.read(&mut buffer) {
                            Ok(0) => break,
                            Ok(n) => hasher.update(&buffer[..n]),
                            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                            Err(e) => return Err(e),
                        }
                    }
                    blob = Some(hasher.finish());
                    Ok(())
                })?;
                Ok(blob)
            }
        }
    }
}
