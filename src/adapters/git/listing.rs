//! Reads a directory by what distinguishes it from one that is known, such as an earlier version.

use crate::adapters::git::raw_tree::{RawEntries, RawEntry};

/// Where the entries of a tree end, in its bytes.
pub(super) type EntryEnds = Vec<u32>;

/// The entries of a tree that a known one does not have.
///
/// What both begin with is skipped unread. The known tree says where its entries end, and thereby where those end that equal
/// them. Both trees may be in any order; then more entries come than need to.
pub(super) struct Unlike<'a> {
    bytes: &'a [u8],
    at: usize,
    known: &'a [u8],
    known_at: usize,
    /// Where the entries of the known tree end that were not passed yet.
    known_ends: &'a [u32],
    /// Where the entries end that were read or skipped.
    ends: EntryEnds,
    width: usize,
}

/// The bytes are not a list of entries.
#[derive(Debug, PartialEq)]
pub(super) struct NotEntries;

impl<'a> Unlike<'a> {
    /// Compares the tree `bytes`, whose ids have `width` bytes, with a known tree and where its entries end.
    pub(super) fn of(bytes: &'a [u8], (known, known_ends): (&'a [u8], &'a [u32]), width: usize) -> Self {
        Self {
            bytes,
            at: 0,
            known,
            known_at: 0,
            known_ends,
            ends: EntryEnds::with_capacity(known_ends.len() + 1),
            width,
        }
    }

    /// Returns the next entry that the known tree does not have in its place.
    pub(super) fn next(&mut self) -> Result<Option<RawEntry<'a>>, NotEntries> {
        loop {
            self.skip_equal();
            if self.at == self.bytes.len() {
                return Ok(None);
            }
            let entry = RawEntries::of(&self.bytes[self.at..], self.width)
                .next()
                .ok_or(NotEntries)?;
            self.at += entry.raw.len();
            self.ends.push(self.at as u32);
            if !self.is_known(&entry) {
                return Ok(Some(entry));
            }
        }
    }

    /// Returns where the entries end, after the last one.
    pub(super) fn ends(self) -> EntryEnds {
        self.ends
    }

    fn skip_equal(&mut self) {
        let equal = self.known_at + common_prefix(&self.bytes[self.at..], &self.known[self.known_at..]);
        let count = self.known_ends.partition_point(|end| *end as usize <= equal);
        let (passed, rest) = self.known_ends.split_at(count);
        let Some(last) = passed.last() else { return };
        let (at, known_at) = (self.at as u32, self.known_at as u32);
        self.ends.extend(passed.iter().map(|end| end - known_at + at));
        self.at += *last as usize - self.known_at;
        self.known_at = *last as usize;
        self.known_ends = rest;
    }

    /// Returns whether the known tree has an entry, as far as the order of names shows it. Passes the entries before it.
    fn is_known(&mut self, entry: &RawEntry<'_>) -> bool {
        while let Some((end, rest)) = self.known_ends.split_first() {
            let raw = &self.known[self.known_at..*end as usize];
            let Some(known) = RawEntries::of(raw, self.width)
                .next()
                .filter(|known| known.name <= entry.name)
            else {
                return false;
            };
            (self.known_at, self.known_ends) = (*end as usize, rest);
            if known.name == entry.name {
                return known.raw == entry.raw;
            }
        }
        false
    }
}

/// Returns the length of the common prefix in bytes.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let mut start = 0;
    for block in [4096, 256, 32] {
        let blocks = a[start..].chunks_exact(block).zip(b[start..].chunks_exact(block));
        start += blocks.take_while(|(a, b)| a == b).count() * block;
    }
    let rest = a[start..].iter().zip(&b[start..]);
    start + rest.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree(entries: &[(String, u8)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, id) in entries {
            bytes.extend_from_slice(format!("100644 {name}\0").as_bytes());
            bytes.extend_from_slice(&[*id; 20]);
        }
        bytes
    }

    fn unlike(bytes: &[u8], known: (&[u8], &[u32])) -> Result<(Vec<Vec<u8>>, EntryEnds), NotEntries> {
        let mut unlike = Unlike::of(bytes, known, 20);
        let mut entries = Vec::new();
        while let Some(entry) = unlike.next()? {
            entries.push(entry.raw.to_vec());
        }
        Ok((entries, unlike.ends()))
    }

    #[test]
    fn only_what_is_new_comes() {
        let of = |entries: &[(&str, u8)]| {
            let owned: Vec<_> = entries.iter().map(|(name, id)| ((*name).to_owned(), *id)).collect();
            tree(&owned)
        };
        let old = of(&[("a", 1), ("b", 1), ("d", 1)]);
        let (all, ends) = unlike(&old, (&[], &[])).unwrap();
        assert_eq!((all.len(), ends.last()), (3, Some(&(old.len() as u32))));
        let new = of(&[("a", 1), ("b", 2), ("c", 1), ("d", 1)]);
        let (entries, new_ends) = unlike(&new, (&old, &ends)).unwrap();
        assert_eq!(entries, [of(&[("b", 2)]), of(&[("c", 1)])]);
        assert_eq!(new_ends, unlike(&new, (&[], &[])).unwrap().1);
        assert_eq!(unlike(&old, (&old, &ends)).unwrap(), (vec![], ends.clone()));
        assert_eq!(
            unlike(&[&old[..], b"100644 x"].concat(), (&old, &ends)),
            Err(NotEntries)
        );
    }

    proptest! {
        #[test]
        fn no_new_entry_is_skipped(
            old in prop::collection::vec(("[a-c]{1,2}", 0_u8..2), 0..30),
            new in prop::collection::vec(("[a-c]{1,2}", 0_u8..2), 0..30),
            at in any::<prop::sample::Index>(),
        ) {
            // Some have a long part in common.
            let mut mixed = old.clone();
            let at = at.index(old.len() + 1);
            mixed.splice(at..at, new.iter().take(2).cloned());
            for new in [new, mixed] {
                let (old, new) = (tree(&old), tree(&new));
                let (known, ends) = unlike(&old, (&[], &[])).unwrap();
                let (entries, new_ends) = unlike(&new, (&old, &ends)).unwrap();
                let (all, all_ends) = unlike(&new, (&[], &[])).unwrap();
                prop_assert_eq!(new_ends, all_ends);
                prop_assert!(all.iter().all(|entry| known.contains(entry) || entries.contains(entry)));
                prop_assert!(entries.iter().all(|entry| all.contains(entry)));
            }
        }
    }
}
