//! A content store that fails, truncates, flips bits and forgets on purpose, to test that its users notice.

use std::io::Read;

use super::{Store, Take, checked};
use crate::format::digest::Digest;
use crate::refusal::{Refusal, Result};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Reading and writing fail.
    Err,
    /// The last byte is missing.
    Short,
    /// The first byte has a flipped bit.
    Flip,
    /// Stored content is missing.
    Forget,
}

/// A store that fails for one hash.
pub struct Faulty<S> {
    /// The store behind it.
    pub inner: S,
    /// What goes wrong.
    pub fault: Fault,
    /// The hash for which it goes wrong.
    pub hash: Digest,
}

impl<S: Store> Store for Faulty<S> {
    fn name(&self) -> &'static str {
        "a faulty store"
    }

    fn contains(&self, hash: &Digest) -> Result<bool> {
        match (self.fault, *hash == self.hash) {
            (Fault::Forget, true) => Ok(false),
            (Fault::Err, true) => Err(failing()),
            _ => self.inner.contains(hash),
        }
    }

    fn get(&self, hash: &Digest, take: Take<'_>) -> Result<bool> {
        if *hash != self.hash {
            return self.inner.get(hash, take);
        }
        let mut bytes = Vec::new();
        let found = self.inner.get(hash, &mut |content| {
            content.read_to_end(&mut bytes).map(drop).map_err(|_| failing())
        })?;
        if !found {
            return Ok(false);
        }
        match self.fault {
            Fault::Forget => return Ok(false),
            Fault::Err => return Err(failing()),
            Fault::Short => drop(bytes.pop()),
            Fault::Flip => bytes[0] ^= 1,
        }
        checked(self.name(), hash, &mut &bytes[..], take).map(|()| true)
    }

    fn put(&self, hash: &Digest, content: &mut dyn Read) -> Result<()> {
        match (self.fault, *hash == self.hash) {
            (Fault::Err, true) => Err(failing()),
            (Fault::Forget, true) => Ok(()),
            _ => self.inner.put(hash, content),
        }
    }
}

fn failing() -> Refusal {
    Refusal::io("reading", std::path::Path::new("faulty"))(std::io::ErrorKind::TimedOut.into())
}
