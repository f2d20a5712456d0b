//! Small contents in memory as a content store.

use std::collections::HashMap;

use super::{Store, Take};
use crate::format::digest::Digest;
use crate::refusal::Result;

/// Contents by their hashes.
#[derive(Default)]
pub struct MemoryStore(HashMap<Digest, Vec<u8>>);

impl MemoryStore {
    /// Takes contents and hashes them.
    pub fn of(contents: impl Iterator<Item = Vec<u8>>) -> Self {
        Self(contents.map(|bytes| (Digest::of(&bytes), bytes)).collect())
    }
}

impl Store for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn contains(&self, hash: &Digest) -> Result<bool> {
        Ok(self.0.contains_key(hash))
    }

    fn get(&self, hash: &Digest, take: Take<'_>) -> Result<bool> {
        match self.0.get(hash) {
            Some(bytes) => take(&mut &bytes[..]).map(|()| true),
            None => Ok(false),
        }
    }
}
