//! The object database of the repository as a content store: committed bytes are kept there already.

use std::collections::HashMap;

use super::{Store, Take, TakeEach, checked, drain};
use crate::adapters::git::Repository;
use crate::adapters::git::digest_cache::DigestCache;
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_state::{EntryKind, TreeEntry};

/// Some blobs of a repository, by the SHA-256 of what they hold.
pub struct GitStore<'a> {
    repo: &'a Repository,
    blobs: HashMap<Digest, ObjectId>,
}

impl<'a> GitStore<'a> {
    /// Takes the blobs of a tree; those that the digest cache does not know are read.
    pub fn of_tree(repo: &'a Repository, cache: &DigestCache, tree: &ObjectId) -> Result<Self> {
        Self::of_entries(repo, cache, &repo.tree_entries(tree)?)
    }

    /// Takes the blobs of these entries.
    pub fn of_entries(repo: &'a Repository, cache: &DigestCache, entries: &[TreeEntry]) -> Result<Self> {
        let files = entries.iter().filter(|entry| entry.kind != EntryKind::Submodule);
        let mut ids: Vec<ObjectId> = files.map(|entry| entry.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let known = cache.get_all(ids.iter());
        let (mut blobs, mut unknown) = (HashMap::with_capacity(ids.len()), Vec::new());
        for (id, known) in ids.into_iter().zip(known) {
            match known {
                Some((hash, _)) => drop(blobs.insert(hash, id)),
                None => unknown.push(id),
            }
        }
        let mut added = Vec::new();
        // One that cannot be read is not there for whoever asks for it; the others are.
        let hashed: Vec<Option<(Digest, u64)>> = match repo.hash_blobs(&unknown) {
            Ok(hashed) => hashed.into_iter().map(Some).collect(),
            Err(_) => unknown.iter().map(|id| repo.hash_blobs(&[*id]).ok()?.pop()).collect(),
        };
        for (id, hashed) in unknown.iter().zip(hashed) {
            if let Some((hash, size)) = hashed {
                blobs.insert(hash, *id);
                added.push((*id, hash, size));
            }
        }
        // Which of them are protected is not known here, so all are kept as if they were.
        cache.keep(&added, |_| true);
        Ok(Self { repo, blobs })
    }

    /// Takes whichever of `wanted` the digest cache has a blob for.
    pub fn of_cache(repo: &'a Repository, cache: &DigestCache, wanted: &[Digest]) -> Self {
        Self {
            repo,
            blobs: cache.blobs_of(wanted),
        }
    }

    /// Adds the blobs of another.
    pub fn with(mut self, other: GitStore<'a>) -> Self {
        self.blobs.extend(other.blobs);
        self
    }

    /// Returns the blob of that content.
    pub fn blob(&self, hash: &Digest) -> Option<ObjectId> {
        self.blobs.get(hash).copied()
    }
}

impl Store for GitStore<'_> {
    fn name(&self) -> &'static str {
        "git's object database"
    }

    fn contains(&self, hash: &Digest) -> Result<bool> {
        Ok(self.contains_all(std::slice::from_ref(hash))?[0])
    }

    fn contains_all(&self, hashes: &[Digest]) -> Result<Vec<bool>> {
        let ids: Vec<ObjectId> = hashes.iter().filter_map(|hash| self.blob(hash)).collect();
        let absent = self.repo.absent(&ids)?;
        let is_there = |id: ObjectId| absent.binary_search(&id).is_err();
        Ok(hashes
            .iter()
            .map(|hash| self.blob(hash).is_some_and(is_there))
            .collect())
    }

    fn get(&self, hash: &Digest, take: Take<'_>) -> Result<bool> {
        let Some(id) = self.blob(hash) else { return Ok(false) };
        let take = std::sync::Mutex::new(take);
        let got = self.repo.with_blobs(&[id], |_, mut blob| {
            let mut take = take.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            checked("git's object database", hash, &mut blob, &mut **take)
        });
        match got {
            Ok(_) => Ok(true),
            Err(Refusal::MissingObject { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    fn get_each(&self, hashes: &[Digest], take: TakeEach<'_>) -> Result<Vec<bool>> {
        let held: Vec<(usize, ObjectId)> = hashes
            .iter()
            .map(|hash| self.blob(hash))
            .zip(0..)
            .filter_map(|(id, at)| Some((at, id?)))
            .collect();
        let ids: Vec<ObjectId> = held.iter().map(|(_, id)| *id).collect();
        self.repo.with_blobs(&ids, |index, mut blob| {
            let at = held[index].0;
            checked(self.name(), &hashes[at], &mut blob, &mut |content| take(at, content))
        })?;
        Ok(hashes.iter().map(|hash| self.blob(hash).is_some()).collect())
    }

    fn check(&self, hashes: &[Digest]) -> Vec<Result<bool>> {
        match self.get_each(hashes, &|at, content| drain(content, &hashes[at])) {
            Ok(found) => found.into_iter().map(Ok).collect(),
            // Which of them it is, is found out one by one.
            Err(_) => hashes
                .iter()
                .map(|hash| self.get(hash, &mut |content| drain(content, hash)))
                .collect(),
        }
    }
}
