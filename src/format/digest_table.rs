//! The file of the digest cache: sorted records of fixed width, object id → (SHA-256, size), followed by authentication
//! codes.
//!
//! Layout: 8 bytes magic; 1 byte length of an object id; 7 bytes zero; the number of records as u64 LE; the records
//! (object id, 32 bytes SHA-256, size as u64 LE) in ascending order of id; for every block of 256 records a code of 16
//! bytes; the code of the first 24 bytes. A look-up checks only the blocks whose records it returns.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::format::digest::Digest;
use crate::format::mac::{LENGTH, MacKey, SHORT};
use crate::format::object_id::ObjectId;

const MAGIC: &[u8; 8] = b"gpdigst2";
const HEADER: usize = 24;

/// Number of records in a block.
const BLOCK: usize = 256;

/// The code of the block was not checked yet.
const UNCHECKED: u8 = 0;
/// The block was written under the user's key.
const GENUINE: u8 = 1;
/// The block is damaged, or was written without the user's key.
const FORGED: u8 = 2;

/// A table of digests. It returns only records that were written under the user's key.
pub struct DigestTable {
    bytes: Vec<u8>,
    id_len: usize,
    count: usize,
    key: Option<MacKey>,
    checked: Vec<AtomicU8>,
}

impl DigestTable {
    /// Returns a table without records.
    pub fn empty() -> Self {
        Self {
            bytes: Vec::new(),
            id_len: 20,
            count: 0,
            key: None,
            checked: Vec::new(),
        }
    }

    /// Takes the bytes of a file. `None` unless its length is right and its header was written under `key`: a forged
    /// digest must never be accepted.
    pub fn parse(bytes: Vec<u8>, key: &MacKey) -> Option<Self> {
        if bytes.len() < HEADER + LENGTH || &bytes[..8] != MAGIC || bytes[9..16] != [0; 7] {
            return None;
        }
        let id_len = usize::from(bytes[8]);
        if id_len != 20 && id_len != 32 {
            return None;
        }
        let count = usize::try_from(u64::from_le_bytes(bytes[16..24].try_into().ok()?)).ok()?;
        let blocks = count.div_ceil(BLOCK);
        let records = count.checked_mul(id_len + 40)?;
        let length = records
            .checked_add(blocks.checked_mul(SHORT)?)?
            .checked_add(HEADER + LENGTH)?;
        if length != bytes.len() || !key.proves(&bytes[..HEADER], &bytes[length - LENGTH..]) {
            return None;
        }
        Some(Self {
            bytes,
            id_len,
            count,
            key: Some(key.clone()),
            checked: (0..blocks).map(|_| AtomicU8::new(UNCHECKED)).collect(),
        })
    }

    /// Returns the number of records.
    #[cfg(feature = "internals")]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns whether there are no records.
    #[cfg(feature = "internals")]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the digest and size recorded for `id`.
    pub fn get(&self, id: &ObjectId) -> Option<(Digest, u64)> {
        let key = id.as_bytes();
        if key.len() != self.id_len || self.count == 0 {
            return None;
        }
        // Interpolation search: ids are uniformly distributed, so their leading bits predict the position of a record.
        // If an attacker chose the ids, the prediction fails, and the search falls back to halving.
        let lead = lead(key);
        let (mut low, mut high) = (0, self.count);
        let (mut low_lead, mut high_lead) = (0, u64::MAX);
        for look in 0.. {
            if low >= high {
                break;
            }
            let within = match look {
                0..12 => {
                    let span = u128::from(high_lead - low_lead) + 1;
                    let before = u128::from(lead.clamp(low_lead, high_lead) - low_lead);
                    (before * (high - low) as u128 / span) as usize
                }
                _ => (high - low) / 2,
            };
            let at = low + within;
            let id = self.id(at);
            match self::lead(id).cmp(&lead).then_with(|| id.cmp(key)) {
                std::cmp::Ordering::Less => (low, low_lead) = (at + 1, self::lead(id)),
                std::cmp::Ordering::Greater => (high, high_lead) = (at, self::lead(id)),
                std::cmp::Ordering::Equal => return self.checked_value(at, key),
            }
        }
        None
    }

    /// Returns the result of [`DigestTable::get`] for each id, in one pass over the table. For many ids this is faster,
    /// because it reads memory in order.
    pub fn get_all<'a>(&self, ids: impl Iterator<Item = &'a ObjectId>) -> Vec<Option<(Digest, u64)>> {
        let ids: Vec<&ObjectId> = ids.collect();
        let mut found = vec![None; ids.len()];
        if ids.len() < self.count / 64 {
            for (found, id) in found.iter_mut().zip(&ids) {
                *found = self.get(id);
            }
            return found;
        }
        let mut order: Vec<(u64, usize)> = ids.iter().map(|id| lead(id.as_bytes())).zip(0..).collect();
        order.sort_unstable();
        let mut at = 0;
        for (wanted, index) in order {
            while at < self.count && lead(self.id(at)) < wanted {
                at += 1;
            }
            // Ids with the same lead are rare, so compare all of them.
            let same = (at..self.count).take_while(|at| lead(self.id(*at)) == wanted);
            let key = ids[index].as_bytes();
            let at = same.into_iter().find(|at| self.id(*at) == key);
            found[index] = at.and_then(|at| self.checked_value(at, key));
        }
        found
    }

    /// Returns every authentic record, in ascending order of id.
    pub fn records(&self) -> impl Iterator<Item = (ObjectId, Digest, u64)> {
        (0..self.count).filter(|at| self.is_genuine(*at)).map(|at| {
            let id = ObjectId::from_bytes(self.id(at)).expect("an id has 20 or 32 bytes");
            let (hash, size) = self.value(at);
            (id, hash, size)
        })
    }

    /// Returns the bytes of a table with the records of this table and `added`, authenticated by `key`. `added` may
    /// repeat known ids.
    pub fn with<'a>(&self, added: impl IntoIterator<Item = &'a (ObjectId, Digest, u64)>, key: &MacKey) -> Vec<u8> {
        let mut added: Vec<_> = added.into_iter().collect();
        added.sort_unstable_by_key(|record| record.0);
        added.dedup_by_key(|record| record.0);
        let id_len = added.first().map_or(self.id_len, |record| record.0.as_bytes().len());
        let kept = if id_len == self.id_len { self.count } else { 0 };
        let most = kept + added.len();
        let mut out = Vec::with_capacity(HEADER + most * (id_len + 40) + most.div_ceil(BLOCK) * SHORT + LENGTH);
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
                if self.is_genuine(at) {
                    let (hash, size) = self.value(at);
                    push(self.id(at), hash.as_bytes(), size);
                }
                at += 1;
            }
            if at < kept && self.id(at) == id.as_bytes() {
                at += 1;
            }
            push(id.as_bytes(), hash.as_bytes(), *size);
        }
        for at in (at..kept).filter(|at| self.is_genuine(*at)) {
            let (hash, size) = self.value(at);
            push(self.id(at), hash.as_bytes(), size);
        }
        let count = ((out.len() - HEADER) / (id_len + 40)) as u64;
        out[16..24].copy_from_slice(&count.to_le_bytes());
        let records = out[HEADER..].chunks(BLOCK * (id_len + 40));
        let codes: Vec<_> = (0..).zip(records).map(|(at, block)| key.of_block(at, block)).collect();
        out.extend(codes.as_flattened());
        let code = key.of(&out[..HEADER]);
        out.extend_from_slice(&code);
        out
    }

    /// Returns the value of the record at index `at`, if it is the record of `id` and its block is genuine.
    fn checked_value(&self, at: usize, id: &[u8]) -> Option<(Digest, u64)> {
        (self.id(at) == id && self.is_genuine(at)).then(|| self.value(at))
    }

    /// Returns whether the block of the record at index `at` was written under the key.
    fn is_genuine(&self, at: usize) -> bool {
        let block = at / BLOCK;
        match self.checked[block].load(Ordering::Relaxed) {
            UNCHECKED => {}
            known => return known == GENUINE,
        }
        let width = self.id_len + 40;
        let records = &self.bytes[HEADER..][..self.count * width];
        let records = records.chunks(BLOCK * width).nth(block).unwrap_or_default();
        let code = &self.bytes[HEADER + self.count * width + block * SHORT..][..SHORT];
        let genuine = self
            .key
            .as_ref()
            .is_some_and(|key| key.of_block(block as u64, records) == code);
        self.checked[block].store(if genuine { GENUINE } else { FORGED }, Ordering::Relaxed);
        genuine
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

/// Returns the leading eight bytes of an id as a number.
fn lead(id: &[u8]) -> u64 {
    u64::from_be_bytes(id[..8].try_into().expect("an id has 20 or 32 bytes"))
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

    fn key() -> MacKey {
        MacKey::from_bytes([7; LENGTH])
    }

    #[test]
    fn no_flipped_byte_and_no_cut_makes_a_wrong_digest() {
        let records: Vec<_> = (0..300).map(|seed| record(seed, 20)).collect();
        let bytes = DigestTable::empty().with(&records, &key());
        assert_eq!(
            DigestTable::parse(bytes.clone(), &key()).unwrap().records().count(),
            300
        );
        for at in (0..bytes.len()).step_by(7).chain(bytes.len() - 200..bytes.len()) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            let Some(table) = DigestTable::parse(flipped, &key()) else {
                continue;
            };
            assert!(table.records().count() < 300, "byte {at}");
            for (id, hash, size) in &records {
                assert!(table.get(id).is_none_or(|found| found == (*hash, *size)), "byte {at}");
            }
            let again = DigestTable::parse(table.with(&[], &key()), &key()).unwrap();
            assert_eq!(again.len(), table.records().count(), "byte {at}");
        }
        for length in (0..bytes.len()).step_by(11) {
            assert!(
                DigestTable::parse(bytes[..length].to_vec(), &key()).is_none(),
                "cut at {length}"
            );
        }
    }

    #[test]
    fn a_table_that_somebody_else_wrote_is_not_believed() {
        let other = MacKey::from_bytes([8; LENGTH]);
        let bytes = DigestTable::empty().with(&[record(1, 20)], &other);
        assert!(DigestTable::parse(bytes, &key()).is_none());
    }

    #[test]
    fn a_table_of_the_other_hash_is_not_mixed_in() {
        let table = DigestTable::parse(DigestTable::empty().with(&[record(1, 20)], &key()), &key()).unwrap();
        let table = DigestTable::parse(table.with(&[record(2, 32)], &key()), &key()).unwrap();
        assert_eq!(table.len(), 1);
        assert_eq!(table.get(&record(2, 32).0), Some((record(2, 32).1, 2)));
        assert_eq!(table.get(&record(1, 20).0), None);
    }

    #[test]
    fn ids_that_are_not_spread_evenly_are_found_too() {
        let id = |n: u16| {
            let mut bytes = [0; 20];
            bytes[18..].copy_from_slice(&n.to_be_bytes());
            ObjectId::from_bytes(&bytes).unwrap()
        };
        let records: Vec<_> = (0..5_000).map(|n| (id(2 * n), Digest::of(b""), u64::from(n))).collect();
        let table = DigestTable::parse(DigestTable::empty().with(&records, &key()), &key()).unwrap();
        for n in 0..5_000 {
            assert_eq!(table.get(&id(2 * n)).unwrap().1, u64::from(n));
            assert_eq!(table.get(&id(2 * n + 1)), None);
        }
        assert_eq!(table.get(&ObjectId::from_bytes(&[0xff; 20]).unwrap()), None);
        let ids: Vec<_> = (0..300).map(id).collect();
        assert_eq!(table.get_all(ids.iter()).iter().flatten().count(), 150);
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
            let table = DigestTable::parse(DigestTable::empty().with(&records(&first), &key()), &key()).unwrap();
            let table = DigestTable::parse(table.with(&records(&second), &key()), &key()).unwrap();
            for seed in 0..500 {
                let (id, hash, size) = record(seed, len);
                let expected = (first.contains(&seed) || second.contains(&seed)).then_some((hash, size));
                prop_assert_eq!(table.get(&id), expected);
            }
            let ids: Vec<_> = (0..500).rev().map(|seed| record(seed, len).0).collect();
            let one_by_one: Vec<_> = ids.iter().map(|id| table.get(id)).collect();
            prop_assert_eq!(table.get_all(ids.iter()), one_by_one);
        }
    }
}
