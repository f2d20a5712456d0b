//! Content stores: bytes addressed by their SHA-256, in several kinds of places.

pub mod disk;
#[cfg(test)]
pub mod faulty;
pub mod git;
pub mod memory;
pub mod pack;

use std::io::Read;

use crate::adapters::workers;
use crate::format::digest::{Digest, Hashing};
use crate::refusal::corrupt::Corrupt;
use crate::refusal::{Refusal, Result};

/// Receives a content.
pub type Take<'a> = &'a mut (dyn FnMut(&mut dyn Read) -> Result<()> + Send);

/// Receives each of many contents, with its index in the request.
pub type TakeEach<'a> = &'a (dyn Fn(usize, &mut dyn Read) -> Result<()> + Sync);

/// A place that holds content by its hash.
pub trait Store: Sync {
    /// Returns the name of the store for messages.
    fn name(&self) -> &'static str;

    /// Returns whether the store has content with this hash, without reading it.
    fn contains(&self, hash: &Digest) -> Result<bool>;

    /// Passes the content with this hash to `take`. Returns false if there is none.
    ///
    /// Content that does not match its hash is `E_CORRUPT`. This is known only after `take` has read all of it.
    fn get(&self, hash: &Digest, take: Take<'_>) -> Result<bool>;

    /// Passes each content that exists to `take`, in the order and on the threads that suit the store. Returns, in the
    /// order of `hashes`, which of them existed.
    ///
    /// As with [`Self::get`], content that does not match its hash is refused after `take` has read it.
    fn get_each(&self, hashes: &[Digest], take: TakeEach<'_>) -> Result<Vec<bool>> {
        let places: Vec<usize> = (0..hashes.len()).collect();
        workers::map(
            &places,
            || Ok(()),
            |(), at| self.get(&hashes[*at], &mut |content| take(*at, content)),
        )
    }

    /// Stores content under its hash, durably and in one step. If the store has it already, checks the stored content
    /// against the hash instead.
    ///
    /// A read-only store refuses content that it does not have.
    fn put(&self, hash: &Digest, _: &mut dyn Read) -> Result<()> {
        match self.contains(hash)? {
            true => Ok(()),
            false => Err(Refusal::MissingObject {
                count: 1,
                example: hash.to_string(),
            }),
        }
    }

    /// Returns, for each hash, whether the store has its content, without reading it.
    fn contains_all(&self, hashes: &[Digest]) -> Result<Vec<bool>> {
        workers::map(hashes, || Ok(()), |(), hash| self.contains(hash))
    }

    /// Reads each content to its end. Returns, in the order of `hashes`, whether it exists, or why it does not match
    /// its hash.
    fn check(&self, hashes: &[Digest]) -> Vec<Result<bool>> {
        let checked = workers::map(
            hashes,
            || Ok::<_, std::convert::Infallible>(()),
            |(), hash| Ok(self.get(hash, &mut |content| drain(content, hash))),
        );
        let Ok(checked) = checked;
        checked
    }
}

impl<S: Store + ?Sized> Store for &S {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn contains(&self, hash: &Digest) -> Result<bool> {
        (**self).contains(hash)
    }

    fn get(&self, hash: &Digest, take: Take<'_>) -> Result<bool> {
        (**self).get(hash, take)
    }

    fn get_each(&self, hashes: &[Digest], take: TakeEach<'_>) -> Result<Vec<bool>> {
        (**self).get_each(hashes, take)
    }

    fn put(&self, hash: &Digest, content: &mut dyn Read) -> Result<()> {
        (**self).put(hash, content)
    }

    fn contains_all(&self, hashes: &[Digest]) -> Result<Vec<bool>> {
        (**self).contains_all(hashes)
    }

    fn check(&self, hashes: &[Digest]) -> Vec<Result<bool>> {
        (**self).check(hashes)
    }
}

/// Returns the content with this hash, of at most `max` bytes. `None` if the store does not have it.
pub fn bytes(store: &dyn Store, hash: &Digest, max: u64) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let found = store.get(hash, &mut |content| {
        bytes.clear();
        let read = content.take(max + 1).read_to_end(&mut bytes);
        read.map_err(|e| corrupt(hash, store.name(), &e.to_string()))?;
        match bytes.len() as u64 > max {
            true => Err(corrupt(hash, store.name(), &format!("it has more than {max} bytes"))),
            false => Ok(()),
        }
    })?;
    Ok(found.then_some(bytes))
}

/// Passes `content` to `take`, reads the rest, and checks all of it against `hash`.
pub(super) fn checked(store: &'static str, hash: &Digest, content: &mut dyn Read, take: Take<'_>) -> Result<()> {
    let mut hashing = Hashing::new(content);
    take(&mut hashing)?;
    drain(&mut hashing, hash)?;
    match hashing.finish().1 == *hash {
        true => Ok(()),
        false => Err(corrupt(hash, store, "its content does not match its hash")),
    }
}

fn drain(mut content: impl Read, hash: &Digest) -> Result<()> {
    match std::io::copy(&mut content, &mut std::io::sink()) {
        Ok(_) => Ok(()),
        Err(e) => Err(unreadable(hash, &e)),
    }
}

/// Returns the refusal for content that could not be read to its end.
pub fn unreadable(hash: &Digest, error: &std::io::Error) -> Refusal {
    corrupt(hash, "the store", &error.to_string())
}

fn corrupt(hash: &Digest, store: &'static str, why: &str) -> Refusal {
    Refusal::Corrupt(Corrupt::Stored {
        content: hash.to_string(),
        store,
        fault: why.to_owned(),
        in_the_way: None,
    })
}
