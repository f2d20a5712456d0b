//! The members of a pack on disk as a content store.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{Store, Take, checked};
use crate::adapters::files::open_regular;
use crate::format::digest::Digest;
use crate::format::manifest::ManifestDocument;
use crate::refusal::{Refusal, Result};

/// The members of a verified pack, by their hashes.
pub struct PackStore {
    root: PathBuf,
    members: HashMap<Digest, String>,
}

impl PackStore {
    /// Takes the members that a manifest declares.
    pub fn of(root: &Path, manifest: &ManifestDocument) -> Self {
        let members = manifest.members.iter();
        Self {
            root: root.to_owned(),
            members: members
                .filter_map(|member| Some((member.bytes_hash.digest()?, member.path.clone())))
                .collect(),
        }
    }

    /// Returns whether a member has that hash.
    pub fn has(&self, hash: &Digest) -> bool {
        self.members.contains_key(hash)
    }
}

impl Store for PackStore {
    fn name(&self) -> &'static str {
        "the pack"
    }

    fn contains(&self, hash: &Digest) -> Result<bool> {
        Ok(self.has(hash))
    }

    fn get(&self, hash: &Digest, take: Take<'_>) -> Result<bool> {
        let Some(path) = self.members.get(hash) else {
            return Ok(false);
        };
        match open_regular(&self.root.join(path)) {
            Ok(opened) => checked(self.name(), hash, &mut &opened.file, take).map(|()| true),
            // The file has vanished since the pack was verified.
            Err(Refusal::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(other) => Err(other),
        }
    }
}
