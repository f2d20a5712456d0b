//! The verdict log: commits and blobs that were judged clean under one registry, in append-only chunks.
//!
//! A chunk consists of `GPV1`, the length of an id (one byte), three zero bytes, the number of commits and the number
//! of blobs (u32, little endian), the ids of both, and the message authentication code of everything before it.

use crate::format::id_set::IdSet;
use crate::format::mac::{LENGTH, MacKey};
use crate::format::object_id::ObjectId;

const MAGIC: &[u8; 4] = b"GPV1";
const HEADER: usize = 16;

/// The content of a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct VerdictLog {
    /// Commits of which all entries are clean.
    pub commits: IdSet,
    /// Blobs whose content gives no finding.
    pub blobs: IdSet,
}

impl VerdictLog {
    /// Parses a whole log. `None` if any part of it is damaged or was written under another key.
    pub fn parse(key: &MacKey, mut bytes: &[u8]) -> Option<Self> {
        let mut log = Self::default();
        while !bytes.is_empty() {
            let header = bytes.get(..HEADER)?;
            let width = usize::from(header[4]);
            if &header[..4] != MAGIC || header[5..8] != [0; 3] || (width != 20 && width != 32) {
                return None;
            }
            let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes")) as usize;
            let (commits, blobs) = (number(8), number(12));
            let end = HEADER + commits.checked_add(blobs)?.checked_mul(width)?;
            let content = bytes.get(..end)?;
            let code = bytes.get(end..end + LENGTH)?;
            if !key.proves(content, code) {
                return None;
            }
            let mut ids = content[HEADER..].chunks_exact(width).filter_map(ObjectId::from_bytes);
            log.commits.extend(ids.by_ref().take(commits));
            log.blobs.extend(ids);
            bytes = &bytes[end + LENGTH..];
        }
        Some(log)
    }

    /// Returns the chunk to append for these ids, which all have the same length.
    pub fn chunk(key: &MacKey, commits: &[ObjectId], blobs: &[ObjectId]) -> Vec<u8> {
        let width = commits.iter().chain(blobs).next().map_or(20, |id| id.as_bytes().len());
        let mut chunk = MAGIC.to_vec();
        chunk.extend([width as u8, 0, 0, 0]);
        chunk.extend((commits.len() as u32).to_le_bytes());
        chunk.extend((blobs.len() as u32).to_le_bytes());
        for id in commits.iter().chain(blobs) {
            chunk.extend_from_slice(id.as_bytes());
        }
        key.seal(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(bytes: impl IntoIterator<Item = u8>) -> Vec<ObjectId> {
        bytes
            .into_iter()
            .map(|b| ObjectId::from_bytes(&[b; 20]).unwrap())
            .collect()
    }

    #[test]
    fn chunks_add_up_and_damage_is_never_believed() {
        let key = MacKey::from_bytes([7; LENGTH]).derive("rules");
        let mut bytes = VerdictLog::chunk(&key, &ids([1, 2]), &ids([3]));
        bytes.extend(VerdictLog::chunk(&key, &[], &ids([4, 5])));
        let log = VerdictLog::parse(&key, &bytes).unwrap();
        assert_eq!(log.commits, ids([1, 2]).into_iter().collect());
        assert_eq!(log.blobs, ids([3, 4, 5]).into_iter().collect());
        assert_eq!(VerdictLog::parse(&key, &[]), Some(VerdictLog::default()));
        assert_eq!(
            VerdictLog::parse(&MacKey::from_bytes([7; LENGTH]).derive("other rules"), &bytes),
            None
        );
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert_eq!(VerdictLog::parse(&key, &flipped), None, "byte {at}");
        }
        for length in 1..bytes.len() {
            let whole = length == VerdictLog::chunk(&key, &ids([1, 2]), &ids([3])).len();
            assert_eq!(
                VerdictLog::parse(&key, &bytes[..length]).is_some(),
                whole,
                "{length} bytes"
            );
        }
    }
}
