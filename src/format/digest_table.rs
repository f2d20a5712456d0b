//! The digest cache's file: object id → (SHA-256, size), sorted, of fixed width, with a checksum at the end.
//!
//! Layout: 8 bytes magic, 1 byte length of an object id, 7 bytes zero, the number of records as u64 LE, the records
//! (object id, 32 bytes SHA-256, size as u64 LE) in ascending order of id, the SHA-256 of everything before it.

use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;

const MAGIC: &[u8; 8] = b"gpdigst1";
const HEADER: usize = 24;
const CHECKSUM: usize = 32;

/// A table that was read and found undamaged, or an empty one.
pub struct DigestTable {
    bytes: Vec<u8>,
    id_len: usize,
    count: usize,
}

impl DigestTable {
    /// Returns a table without records.
    pub fn empty() -> Self {
        Self {
            bytes: Vec::new(),
            id_len: 20,
            count: 0,
        }
    }

    /// Takes the bytes of a file; none unless length, order and checksum are right, for a wrong digest must never be
    /// believed.
    pub fn parse(bytes: Vec<u8>) -> Option<Self> {
        if bytes.len() < HEADER + CHECKSUM || &bytes[..8] != MAGIC || bytes[9..16] != [0; 7] {
            return None;
        }
        let id_len = usize::from(bytes[8]);
        if id_len != 20 && id_len != 32 {
            return None;
        }
        let count = usize::try_from(u64::from_le_bytes(bytes[16..24].try_into().ok()?)).ok()?;
        let length = count.checked_mul(id_len + 40)?.checked_add(HEADER + CHECKSUM)?;
        if length != bytes.len() {
            return None;
        }
        let (content, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
        if Digest::of(content).as_bytes() != checksum {
            return None;
        }
        Some(Self { bytes, id_len, count })
    }

    /// Returns the number of records.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the digest and size recorded for `id`.
    pub fn get(&self, id: &ObjectId) -> Option<(Digest, u64)> {
        let key = id.as_bytes();
        if key.len() != self.id_len || self.count == 0 {
            return None;
        }
        // Ids are uniformly distributed: their leading bits say where a record should be, to within a few.
        let lead = u64::from_be_bytes(key[..8].try_into().expect("an id has 20 or 32 bytes"));
        let mut at = ((u128::from(lead) * self.count as u128) >> 64) as usize;
        let mut step = 1;
        let (mut low, mut high) = if self.id(at) <= key {
            while at < self.count && self.id(at) <= key {
                at += step;
                step *= 2;
            }
            (at.saturating_sub(step / 2), at.min(self.count))
        } else {
            while at > 0 && self.id(at) > key {
                at = at.saturating_sub(step);
                step *= 2;
            }
            (at, (at + step).min(self.count))
        };
        while low < high {
            let middle = low + (high - low) / 2;
            match self.id(middle).cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(self.value(middle)),
            }
        }
        None
    }

    /// Returns the bytes of a table with the records of this one and `added`, which may repeat known ids.
    pub fn with(&self, added: &[(ObjectId, Digest, u64)]) -> Vec<u8> {
        let mut added: Vec<_> = added.iter().collect();
        added.sort_unstable_by_key(|record| record.0);
        added.dedup_by_key(|record| record.0);
        let id_len = added.first().map_or(self.id_len, |record| record.0.as_bytes().len());
        let kept = if id_len == self.id_len { self.count } else { 0 };
        let mut out = Vec::with_capacity(HEADER + CHECKSUM + (kept + added.len()) * (id_len + 40));
        out.extend_from_slice(MAGIC);
        out.push(id_len as u8);
        out.extend_from_slice(&[0; 15]);
        let mut push = |id: &[u8], hash: &[u8; 32], size: u64| {
            out.extend_from_slice(id);
            out.extend_from_slice(hash);
            out.extend_from_slice(&size.to_le_bytes());
        };
        let mut at = 0;
        for (id, hash, size) in added {
            while at < kept && self.id(at) < id.as_bytes() {
                let (hash, size) = self.value(at);
                push(self.id(at), hash.as_bytes(), size);
                at += 1;
            }
            if at < kept && self.id(at) == id.as_bytes() {
                at += 1;
            }
            push(id.as_bytes(), hash.as_bytes(), *size);
        }
        for at in at..kept {
            let (hash, size) = self.value(at);
            push(self.id(at), hash.as_bytes(), size);
        }
        let count = ((out.len() - HEADER) / (id_len + 40)) as u64;
        out[16..24].copy_from_slice(&count.to_le_bytes());
        let checksum = Digest::of(&out);
        out.extend_from_slice(checksum.as_bytes());
        out
    }

    fn record(&self, at: usize) -> &[u8] {
        let width = self.id_len + 40;
        &self.bytes[HEADER + at * width..][..width]
    }

    fn id(&self, at: usize) -> &[u8] {
        &self.record(at)[..self.id_len]
    }

    fn value(&self, at: usize) -> (Digest, u64) {
        let record = &self.record(at)[self.id_len..];
        let hash: [u8; 32] = record[..32].try_into().expect("a record has 40 bytes behind its id");
        let size: [u8; 8] = record[32..].try_into().expect("a record has 40 bytes behind its id");
        (Digest::from_bytes(hash), u64::from_le_bytes(size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(seed: u64, len: usize) -> (ObjectId, Digest, u64) {
        let id = Digest::of(&seed.to_le_bytes());
        let id = ObjectId::from_bytes(&id.as_bytes()[..len]).unwrap();
        (id, Digest::of(id.as_bytes()), seed)
    }

    #[test]
    fn every_flipped_byte_and_every_cut_drops_the_table() {
        let bytes = DigestTable::empty().with(&[record(1, 20), record(2, 20)]);
        assert_eq!(DigestTable::parse(bytes.clone()).unwrap().len(), 2);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert!(DigestTable::parse(flipped).is_none(), "byte {at}");
            assert!(DigestTable::parse(bytes[..at].to_vec()).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn a_table_of_the_other_hash_is_not_mixed_in() {
        let table = DigestTable::parse(DigestTable::empty().with(&[record(1, 20)])).unwrap();
        let table = DigestTable::parse(table.with(&[record(2, 32)])).unwrap();
        assert_eq!(table.len(), 1);
        assert_eq!(table.get(&record(2, 32).0), Some((record(2, 32).1, 2)));
        assert_eq!(table.get(&record(1, 20).0), None);
    }

    proptest! {
        #[test]
        fn what_was_added_is_found_and_nothing_else(
            first in prop::collection::vec(0u64..500, 0..200),
            second in prop::collection::vec(0u64..500, 0..200),
            wide in any::<bool>(),
        ) {
            let len = if wide { 32 } else { 20 };
            let records = |seeds: &[u64]| seeds.iter().map(|s| record(*s, len)).collect::<Vec<_>>();
            let table = DigestTable::parse(DigestTable::empty().with(&records(&first))).unwrap();
            let table = DigestTable::parse(table.with(&records(&second))).unwrap();
            for seed in 0..500 {
                let (id, hash, size) = record(seed, len);
                let expected = (first.contains(&seed) || second.contains(&seed)).then_some((hash, size));
                prop_assert_eq!(table.get(&id), expected);
            }
        }
    }
}
