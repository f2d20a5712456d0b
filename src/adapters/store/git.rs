//! The repository's object database as a content store: committed bytes are in it already.

use super::{Store, Take, TakeEach, checked, drain};
use crate::adapters::clone::digests::DigestCache;
use crate::adapters::git::Repository;
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::refusal::{Refusal, Result};

/// Some blobs of a repository, by the SHA-256 of their content.
pub struct GitStore<'a> {
    repo: &'a Repository,
    /// Sorted by digest.
    blobs: Vec<(Digest, ObjectId)>,
}

impl<'a> GitStore<'a> {
    /// Takes these blobs. Reads and hashes those that the digest cache does not know.
    pub fn of_blobs(repo: &'a Repository, cache: &DigestCache, ids: &[ObjectId]) -> Self {
        let known = cache.get_all(ids.iter());
        let (mut blobs, mut unknown) = (Vec::with_capacity(ids.len()), Vec::new());
        for (id, known) in ids.iter().zip(known) {
            match known {
                Some((hash, _)) => blobs.push((hash, *id)),
                None => unknown.push(*id),
            }
        }
        let mut added = Vec::new();
        // A blob that cannot be read counts as missing; the others stay available.
        let hashed: Vec<Option<(Digest, u64)>> = match repo.hash_blobs(&unknown) {
            Ok(hashed) => hashed.into_iter().map(Some).collect(),
            Err(_) => unknown.iter().map(|id| repo.hash_blobs(&[*id]).ok()?.pop()).collect(),
        };
        for (id, hashed) in unknown.iter().zip(hashed) {
            if let Some((hash, size)) = hashed {
                blobs.push((hash, *id));
                added.push((*id, hash, size));
            }
        }
        // Any of them may be protected, which is not known here, so all digests go into the table for protected blobs.
        cache.keep(&added, |_| true);
        Self::sorted(repo, blobs)
    }

    /// Returns a store without blobs.
    pub fn of_nothing(repo: &'a Repository) -> Self {
        Self::sorted(repo, Vec::new())
    }

    fn sorted(repo: &'a Repository, mut blobs: Vec<(Digest, ObjectId)>) -> Self {
        blobs.sort_unstable();
        blobs.dedup_by_key(|blob| blob.0);
        Self { repo, blobs }
    }

    /// Returns the blob whose content has this hash.
    pub fn blob(&self, hash: &Digest) -> Option<ObjectId> {
        let at = self.blobs.binary_search_by_key(hash, |blob| blob.0).ok()?;
        Some(self.blobs[at].1)
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
            // The error does not tell which content failed, so check them one by one.
            Err(_) => hashes
                .iter()
                .map(|hash| self.get(hash, &mut |content| drain(content, hash)))
                .collect(),
        }
    }
}
