//! Recognises files that stand for other content: Git LFS pointers, and files that claim to be age files.

use memchr::memmem;

use super::agents;
use crate::format::agent::HEADER;
use crate::format::digest::Digest;

/// Size in bytes that a pointer does not reach.
pub const POINTER_SIZE: usize = 1024;

/// Values of a pointer's version line. The last two are from before the first release of Git LFS.
const VERSIONS: [&str; 3] = [
    "https://git-lfs.github.com/spec/v1",
    "http://git-media.io/v/2",
    "https://hawser.github.com/spec/v1",
];

/// The target of a Git LFS pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// SHA-256 of the object.
    pub oid: Digest,
    /// Size of the object in bytes.
    pub size: u64,
}

/// Parses a Git LFS pointer by its specification v1. `None` if the bytes are not a pointer.
///
/// Accepts what Git LFS itself accepts: white space around the text, empty lines, lines that end in CRLF, and a plus
/// sign before the size.
pub fn lfs(bytes: &[u8]) -> Option<Pointer> {
    let may_be = bytes.len() < POINTER_SIZE && memmem::find(bytes, b"version ").is_some();
    may_be.then(|| parse(bytes)).flatten()
}

fn parse(bytes: &[u8]) -> Option<Pointer> {
    let text = std::str::from_utf8(bytes).ok()?;
    let lines = text.trim().lines().filter(|line| !line.is_empty());
    let mut pairs = lines.map(|line| line.split_once(' '));
    let (_, version) = pairs.next()??;
    let (mut oid, mut size, mut last) = (None, None, "");
    for pair in pairs {
        let (key, value) = pair?;
        if key <= last {
            return None;
        }
        last = key;
        match key {
            "oid" => oid = Some(value),
            "size" => size = Some(value),
            _ if key.starts_with("ext-") => {}
            _ => return None,
        }
    }
    let (oid, size) = (oid?.strip_prefix("sha256:")?, size?);
    let lowercase_hex = oid.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let size = size.strip_prefix('+').unwrap_or(size);
    let digits = size.bytes().all(|b| b.is_ascii_digit());
    (VERSIONS.contains(&version) && lowercase_hex && digits).then_some(())?;
    Some(Pointer {
        oid: Digest::parse_hex(oid)?,
        size: size.parse().ok()?,
    })
}

/// Returns whether bytes with this start claim to be an age file, also behind the header of a private file.
pub fn claims_age(head: &[u8]) -> bool {
    age_at(head).is_some()
}

/// Returns where the age file begins that bytes with this start claim to be. It may be armoured, but not behind the
/// header of a private file.
pub fn age_at(head: &[u8]) -> Option<usize> {
    if is_age(head) {
        return Some(0);
    }
    agents::sealed_part(head).map(|_| HEADER)
}

fn is_age(head: &[u8]) -> bool {
    head.starts_with(b"age-encryption.org/v1")
        || (head.first().is_some_and(|b| *b == b'-' || b.is_ascii_whitespace())
            && head
                .trim_ascii_start()
                .starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----"))
}
