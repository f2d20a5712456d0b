//! The table of known plaintext: keyed hashes of the chunks of files that this clone protected, each with its original.
//!
//! Layout: a head of 64 bytes (magic, the binary logarithm of the number of buckets, whether there are fine chunks, the
//! number of entries, the size of the document about the originals, a salt); for each bucket the end of its entries and
//! a code of 16 bytes; the code of everything before; the document about the originals, as canonical JSON, and its
//! code; the entries, sorted. A look-up reads one bucket.

use serde::{Deserialize, Serialize};

use crate::format::canonical_json::{parse_strict_into, to_document};
use crate::format::mac::{LENGTH, MacKey, SHORT};
use crate::format::protected::Format;

/// Version of the document about the originals.
pub const VERSION: &str = "pack.known.v0";

/// Size of the head in bytes.
pub const HEAD: usize = 64;
/// Size of a salt in bytes.
pub const SALT: usize = 16;
/// Size in bytes of the index's record of a bucket.
const BUCKET: usize = 4 + SHORT;
/// Size of an entry in bytes.
pub const ENTRY: usize = 16;
/// A bucket has at most about this many entries. Fewer would make the index longer, which is read whole; more would
/// make a look-up longer.
const FILL: usize = 1024;

/// Size in bytes up to which a file is cut into fine chunks. It has too few coarse chunks to recognise a part of it.
pub const SMALL: u64 = 256 << 10;

const MAGIC: &[u8; 8] = b"gpknown2";

/// The number of no original: the chunk is common, so finding it proves nothing.
pub const COMMON: u32 = u32::MAX;

/// A known chunk. A length of zero means a whole original.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnownChunk {
    /// The first eight bytes of the chunk's keyed hash.
    pub tag: u64,
    /// Index of the original, or [`COMMON`].
    pub original: u32,
    /// Length of the chunk in bytes.
    pub length: u32,
}

/// A file that this clone protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Original {
    /// Repository path, in hexadecimal, because it may be any bytes.
    pub path: String,
    /// Size in bytes when the file was last learned.
    pub size: u64,
    /// Size in bytes of its chunks that count as evidence, in the version that has the fewest.
    pub evidence: u64,
    /// The formats recognised in its content.
    pub formats: Vec<Format>,
    /// Whether it is protected because a user attached it to a pack, whatever the rules say.
    pub attached: bool,
    /// Keyed hashes of the git blobs that had its content, in hexadecimal.
    pub blobs: Vec<String>,
    /// Keyed hash of its file's metadata when the file was last learned, in hexadecimal.
    pub seen: Option<String>,
}

/// The document about the originals.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Originals {
    version: String,
    originals: Vec<Original>,
}

/// The head and the index of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableIndex {
    /// The salt from which the keys of this table are derived.
    pub salt: [u8; SALT],
    /// Size in bytes of the document about the originals.
    pub about: usize,
    /// Whether some original is small enough to be cut into fine chunks.
    pub has_fine_chunks: bool,
    bits: u8,
    ends: Vec<u32>,
    codes: Vec<[u8; SHORT]>,
}

impl TableIndex {
    /// Returns the size in bytes of the index with this head. `None` if it is not a valid head.
    pub fn length(head: &[u8; HEAD]) -> Option<usize> {
        let bits = head[8];
        (&head[..8] == MAGIC && bits <= 24).then(|| HEAD + (BUCKET << bits) + LENGTH)
    }

    /// Parses a head and its index. `None` unless they were written under `key`.
    pub fn parse(bytes: &[u8], key: &MacKey) -> Option<Self> {
        let head: &[u8; HEAD] = bytes.first_chunk()?;
        if bytes.len() != Self::length(head)? {
            return None;
        }
        let content = key.open(bytes)?;
        let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
        let buckets = content[HEAD..].chunks_exact(BUCKET);
        let ends: Vec<u32> = buckets
            .clone()
            .map(|bucket| u32::from_le_bytes(bucket[..4].try_into().expect("four bytes")))
            .collect();
        let codes = buckets.map(|bucket| bucket[4..].try_into().expect("a bucket has a fixed length"));
        let is_sound = ends.is_sorted() && ends.last().map(|end| u64::from(*end)) == Some(number(16));
        is_sound.then(|| Self {
            salt: head[32..32 + SALT].try_into().expect("the salt"),
            about: usize::try_from(number(24)).unwrap_or(usize::MAX),
            bits: head[8],
            has_fine_chunks: head[9] == 1,
            codes: codes.collect(),
            ends,
        })
    }

    /// Returns the number of entries.
    pub fn entries(&self) -> usize {
        self.ends.last().map_or(0, |end| *end as usize)
    }

    /// Returns the number of buckets.
    pub fn buckets(&self) -> usize {
        self.ends.len()
    }

    /// Returns the number of the bucket for entries with this tag.
    pub fn bucket_of(&self, tag: u64) -> usize {
        bucket_of(tag, self.bits)
    }

    /// Returns the offset and the size in bytes of the entries of a bucket.
    pub fn place_of(&self, bucket: usize) -> (u64, usize) {
        let start = bucket.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let before = HEAD + BUCKET * self.ends.len() + LENGTH + self.about + LENGTH + start * ENTRY;
        (before as u64, (self.ends[bucket] as usize - start) * ENTRY)
    }

    /// Parses the entries of a bucket. `None` unless they were written under `key`.
    pub fn entries_of(&self, bucket: usize, bytes: &[u8], key: &MacKey) -> Option<Vec<KnownChunk>> {
        let genuine = key.of_block(bucket as u64, bytes) == self.codes[bucket];
        genuine.then(|| bytes.chunks_exact(ENTRY).map(parse_entry).collect())
    }

    /// Returns the offset and the size in bytes of the document about the originals, with its code.
    pub fn place_of_originals(&self) -> (u64, usize) {
        ((HEAD + BUCKET * self.ends.len() + LENGTH) as u64, self.about + LENGTH)
    }
}

/// Parses the document about the originals with its code. `None` unless it was written under `key`.
pub fn parse_originals(bytes: &[u8], key: &MacKey) -> Option<Vec<Original>> {
    let parsed: Originals = parse_strict_into(key.open(bytes)?).ok()?;
    (parsed.version == VERSION).then_some(parsed.originals)
}

/// Returns the bytes of a table with these originals and entries.
pub fn encode(originals: Vec<Original>, mut entries: Vec<KnownChunk>, salt: &[u8; SALT], key: &MacKey) -> Vec<u8> {
    entries.sort_unstable();
    entries.dedup();
    let bits = (entries.len() / FILL).checked_ilog2().map_or(0, |bits| bits + 1) as u8;
    let mut coded: Vec<u8> = Vec::with_capacity(entries.len() * ENTRY);
    for entry in &entries {
        coded.extend(entry.tag.to_le_bytes());
        coded.extend(entry.original.to_le_bytes());
        coded.extend(entry.length.to_le_bytes());
    }
    let has_fine_chunks = originals.iter().any(|original| original.size <= SMALL);
    let about = to_document(&Originals {
        version: VERSION.into(),
        originals,
    });
    let mut out = MAGIC.to_vec();
    out.extend([bits, u8::from(has_fine_chunks)]);
    out.resize(16, 0);
    out.extend((entries.len() as u64).to_le_bytes());
    out.extend((about.len() as u64).to_le_bytes());
    out.extend_from_slice(salt);
    out.resize(HEAD, 0);
    let mut start = 0;
    for bucket in 0..1usize << bits {
        let count = entries[start..].partition_point(|entry| bucket_of(entry.tag, bits) == bucket);
        let end = start + count;
        out.extend((end as u32).to_le_bytes());
        out.extend(key.of_block(bucket as u64, &coded[start * ENTRY..end * ENTRY]));
        start = end;
    }
    let mut out = key.seal(out);
    out.extend(key.seal(about));
    out.extend(coded);
    out
}

fn bucket_of(tag: u64, bits: u8) -> usize {
    // With zero bits, the shift is by all 64 bits, which `checked_shr` refuses. There is only bucket 0 then.
    tag.checked_shr(64 - u32::from(bits)).unwrap_or(0) as usize
}

fn parse_entry(bytes: &[u8]) -> KnownChunk {
    let four = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("an entry has 16 bytes"));
    KnownChunk {
        tag: u64::from(four(0)) | u64::from(four(4)) << 32,
        original: four(8),
        length: four(12),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(count: u64) -> (Vec<KnownChunk>, Vec<u8>, MacKey) {
        let key = MacKey::from_bytes([7; LENGTH]);
        let entries: Vec<KnownChunk> = (0..count)
            .map(|at| KnownChunk {
                tag: at.wrapping_mul(0x9E37_79B9_7F4A_7C15),
                original: (at % 3) as u32,
                length: 4096,
            })
            .collect();
        let original = Original {
            path: "61".into(),
            size: 1,
            evidence: 1,
            formats: vec![Format::Faiss],
            attached: true,
            blobs: Vec::new(),
            seen: None,
        };
        let bytes = encode(vec![original], entries.clone(), &[5; SALT], &key);
        (entries, bytes, key)
    }

    fn read(bytes: &[u8], key: &MacKey) -> Option<(TableIndex, Vec<KnownChunk>, Vec<Original>)> {
        let length = TableIndex::length(bytes.first_chunk()?)?;
        let index = TableIndex::parse(bytes.get(..length)?, key)?;
        let part = |(at, length): (u64, usize)| bytes.get(at as usize..at as usize + length);
        let mut entries = Vec::new();
        for bucket in 0..index.buckets() {
            entries.extend(index.entries_of(bucket, part(index.place_of(bucket))?, key)?);
        }
        let originals = parse_originals(part(index.place_of_originals())?, key)?;
        Some((index, entries, originals))
    }

    #[test]
    fn every_entry_is_found_in_its_bucket() {
        for count in [0, 1, 1023, 1024, 4000, 20_000] {
            let (mut entries, bytes, key) = table(count);
            let (index, found, originals) = read(&bytes, &key).unwrap();
            assert_eq!((index.salt, index.entries()), ([5; SALT], count as usize));
            assert_eq!(originals[0].path, "61");
            for entry in &entries {
                let (at, length) = index.place_of(index.bucket_of(entry.tag));
                let bucket = index
                    .entries_of(
                        index.bucket_of(entry.tag),
                        &bytes[at as usize..at as usize + length],
                        &key,
                    )
                    .unwrap();
                assert!(bucket.contains(entry));
            }
            entries.sort_unstable();
            assert_eq!(found, entries);
        }
    }

    #[test]
    fn no_byte_can_be_changed_and_none_left_out() {
        let (_, bytes, key) = table(600);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 4;
            assert!(read(&flipped, &key).is_none(), "byte {at}");
        }
        for length in (0..bytes.len()).step_by(13) {
            assert!(read(&bytes[..length], &key).is_none(), "cut at {length}");
        }
        assert!(read(&bytes, &MacKey::from_bytes([8; LENGTH])).is_none());
    }
}
