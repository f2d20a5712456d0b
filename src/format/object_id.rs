//! Git object ids, SHA-1 or SHA-256.

use std::cmp::Ordering;
use std::fmt;

use serde::{Serialize, Serializer};
use sha1::Digest as _;

use crate::format::digest::{Hasher, parse_hex, push_hex};

/// A git object id of 20 or 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectId {
    bytes: [u8; 32],
    len: u8,
}

impl Ord for ObjectId {
    /// Compares bytewise. Nearly all ids differ in their first bytes, which are compared as one number.
    fn cmp(&self, other: &Self) -> Ordering {
        let rest = || (self.bytes, self.len).cmp(&(other.bytes, other.len));
        self.lead().cmp(&other.lead()).then_with(rest)
    }
}

impl PartialOrd for ObjectId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl ObjectId {
    fn lead(&self) -> u64 {
        let [lead, ..] = self.bytes.as_chunks::<8>().0 else {
            return 0;
        };
        u64::from_be_bytes(*lead)
    }

    /// The all-zero id, which no object has.
    pub const NULL: Self = Self {
        bytes: [0; 32],
        len: 20,
    };

    /// Wraps 20 or 32 raw bytes. `None` for any other length.
    pub fn from_bytes(raw: &[u8]) -> Option<Self> {
        if raw.len() != 20 && raw.len() != 32 {
            return None;
        }
        let mut bytes = [0; 32];
        bytes[..raw.len()].copy_from_slice(raw);
        Some(Self {
            bytes,
            len: raw.len() as u8,
        })
    }

    /// Parses 40 or 64 lowercase hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        match text.len() {
            40 => Self::from_bytes(&parse_hex::<20>(text.as_bytes())?),
            _ => Self::from_bytes(&parse_hex::<32>(text.as_bytes())?),
        }
    }

    /// Returns the raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Returns the 40 or 64 lowercase hex digits.
    pub fn hex(&self) -> String {
        let mut hex = String::with_capacity(64);
        push_hex(&mut hex, self.as_bytes());
        hex
    }

    /// Returns the first seven hex digits, for display.
    pub fn short(&self) -> String {
        self.hex()[..7].to_owned()
    }
}

/// Hashes an object as git does: its type and size, a NUL byte, its content.
pub struct ObjectHasher(Inner);

enum Inner {
    Sha1(sha1::Sha1),
    Sha256(Hasher),
}

impl ObjectHasher {
    /// Starts an object of `kind` (`blob`, `tree`, `commit`) with `size` bytes, using the hash function of `like`.
    pub fn new(like: &ObjectId, kind: &str, size: u64) -> Self {
        let mut hasher = Self(match like.len {
            20 => Inner::Sha1(sha1::Sha1::new()),
            _ => Inner::Sha256(Hasher::default()),
        });
        hasher.update(format!("{kind} {size}\0").as_bytes());
        hasher
    }

    /// Adds the next bytes of the content.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Inner::Sha1(hasher) => hasher.update(bytes),
            Inner::Sha256(hasher) => hasher.update(bytes),
        }
    }

    /// Returns the id.
    pub fn finish(self) -> ObjectId {
        let id = match self.0 {
            Inner::Sha1(hasher) => ObjectId::from_bytes(&hasher.finalize()),
            Inner::Sha256(hasher) => ObjectId::from_bytes(hasher.finish().as_bytes()),
        };
        id.expect("both hashes have the length of an id")
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
