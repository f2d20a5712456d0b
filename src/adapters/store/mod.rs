//! The content store: bytes by their SHA-256, wherever they lie.

pub mod disk;
#[cfg(test)]
pub mod faulty;
pub mod git;
pub mod memory;
pub mod pack;

use std::io::Read;

use crate::adapters::workers;
use crate::format::digest::{Digest, Hashing};
use crate::refusal::{Refusal, Result};

/// What content is given to.
pub type Take<'a> = &'a mut (dyn FnMut(&mut dyn Read) -> Result<()> + Send);

/// What many contents are given to, each with its place among those that were asked for.
pub type TakeEach<'a> = &'a (dyn Fn(usize, &mut dyn Read) -> Result<()> + Sync);

/// A place where content lies by its hash.
pub trait Store: Sync {
    /// Returns what it is called in messages.
    fn name(&self) -> &'static str;

    /// Returns whether there is something of that name, without reading it.
    fn contains(&self, hash: &Digest) -> Result<bool>;

    /// Gives the content of that name to `take`; false if there is none.
    ///
    /// Content that does not hash to its name is `E_CORRUPT`, which is known only after `take` had all of it.
    fn get(&self, hash: &Digest, take: Take<'_>) -> Result<bool>;

    /// Gives each content that is there to `take`, in the order and on the threads that suit the store; returns, in the order
    /// of `hashes`, what was there.
    ///
    /// As with [`Self::get`], content that is not what its name says is refused when `take` had it.
    fn get_each(&self, hashes: &[Digest], take: TakeEach<'_>) -> Result<Vec<bool>> {
        let places: Vec<usize> = (0..hashes.len()).collect();
        workers::map(
            &places,
            || Ok(()),
            |(), at| self.get(&hashes[*at], &mut |content| take(*at, content)),
        )
    }

    /// Keeps content under its name, durably and in one step; what is there already is held against its name instead.
    ///
    /// A store that only gives refuses what is not there already.
    fn put(&self, hash: &Digest, _: &mut dyn Read) -> Result<()> {
        match self.contains(hash)? {
            true => Ok(()),
            false => Err(Refusal::MissingObject {
                count: 1,
                example: hash.to_string(),
            }),
        }
    }

    /// Returns for each name whether there is something, without reading it.
    fn contains_all(&self, hashes: &[Digest]) -> Result<Vec<bool>> {
        workers::map(hashes, || Ok(()), |(), hash| self.contains(hash))
    }

    /// Reads each to its end and returns, in the same order, whether it is there, or why it is not what its name says.
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

/// Returns the bytes of that name, if there are any and at most `max` of them.
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

/// Gives `content` to `take`, reads what that left, and holds all of it against `hash`.
fn checked(store: &'static str, hash: &Digest, content: &mut dyn Read, take: Take<'_>) -> Result<()> {
    let mut hashing = Hashing::new(content);
    take(&mut hashing)?;
    drain(&mut hashing, hash)?;
    match hashing.finish().1 == *hash {
        true => Ok(()),
        false => Err(corrupt(hash, store, "its content does not hash to its name")),
    }
}

fn drain(mut content: impl Read, hash: &Digest) -> Result<()> {
    match std::io::copy(&mut content, &mut std::io::sink()) {
        Ok(_) => Ok(()),
        Err(e) => Err(unreadable(hash, &e)),
    }
}

/// Refuses for content that broke off while it was read.
pub fn unreadable(hash: &Digest, error: &std::io::Error) -> Refusal {
    corrupt(hash, "the store", &error.to_string())
}

fn corrupt(hash: &Digest, store: &str, why: &str) -> Refusal {
    Refusal::Corrupt {
        what: format!("{hash} in {store}: {why}"),
        remedy: "git pack audit    (lists everything that is missing or damaged)".into(),
    }
}
