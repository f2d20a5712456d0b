//! The entries of a tree that were found fit to be in the clear, as a clone remembers them: the next commit changes only a few.
//!
//! Layout: 8 bytes magic. For each entry, sorted bytewise by path: its kind and the length of its id in 1 byte each, the length of
//! its path in 4 bytes, the size of its content in 8, the SHA-256 of its content, its id, its path. Then the authentication code of
//! everything before. Numbers are little endian.

use crate::format::digest::Digest;
use crate::format::mac::{LENGTH, MacKey};
use crate::format::object_id::ObjectId;
use crate::format::repo_state::EntryKind;

const MAGIC: &[u8; 8] = b"gpclear1";
/// Length of a record in bytes before its id.
const HEAD: usize = 46;
/// The kinds by their numbers.
const KINDS: [EntryKind; 4] = [
    EntryKind::Regular,
    EntryKind::Executable,
    EntryKind::Symlink,
    EntryKind::Submodule,
];

/// An entry in the clear, with digest and size of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClearEntry<'a> {
    /// Its path in the tree.
    pub path: &'a [u8],
    /// Its kind.
    pub kind: EntryKind,
    /// The blob, or a submodule's commit.
    pub id: ObjectId,
    /// SHA-256 of its content.
    pub hash: Digest,
    /// Size of its content in bytes.
    pub size: u64,
}

/// Remembered entries.
pub struct ClearEntries(Vec<u8>);

impl ClearEntries {
    /// Returns the bytes of a file with these entries, which are sorted bytewise by path. `None` if a path is too long.
    pub fn write<'a>(entries: impl Iterator<Item = ClearEntry<'a>>, key: &MacKey) -> Option<Vec<u8>> {
        let mut bytes = MAGIC.to_vec();
        for entry in entries {
            let kind = KINDS.iter().position(|kind| *kind == entry.kind)?;
            let id = entry.id.as_bytes();
            bytes.push(kind as u8);
            bytes.push(id.len() as u8);
            bytes.extend_from_slice(&u32::try_from(entry.path.len()).ok()?.to_le_bytes());
            bytes.extend_from_slice(&entry.size.to_le_bytes());
            bytes.extend_from_slice(entry.hash.as_bytes());
            bytes.extend_from_slice(id);
            bytes.extend_from_slice(entry.path);
        }
        let code = key.of(&key.fast().of(&bytes));
        bytes.extend_from_slice(&code);
        Some(bytes)
    }

    /// Reads a file. `None` unless it was written under `key`.
    pub fn parse(mut bytes: Vec<u8>, key: &MacKey) -> Option<Self> {
        let end = bytes.len().checked_sub(LENGTH)?;
        let (entries, code) = bytes.split_at(end);
        (entries.starts_with(MAGIC) && key.proves(&key.fast().of(entries), code)).then_some(())?;
        bytes.truncate(end);
        Some(Self(bytes))
    }

    fn iter(&self) -> Entries<'_> {
        Entries(self.0.get(MAGIC.len()..).unwrap_or_default())
    }

    /// Returns digest and size of each of some entries, which are sorted bytewise by path, as they were remembered. `None` for an
    /// entry that was not remembered with just this path, kind and id.
    pub fn look_up<'a>(
        &self,
        entries: impl Iterator<Item = (&'a [u8], EntryKind, ObjectId)>,
    ) -> impl Iterator<Item = Option<(Digest, u64)>> {
        let mut remembered = self.iter().peekable();
        entries.map(move |(path, kind, id)| {
            while remembered.next_if(|entry| entry.path < path).is_some() {}
            let entry = remembered.peek()?;
            let is_same = entry.path == path && entry.kind == kind && entry.id == id;
            is_same.then_some((entry.hash, entry.size))
        })
    }
}

struct Entries<'a>(&'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = ClearEntry<'a>;

    fn next(&mut self) -> Option<ClearEntry<'a>> {
        let (head, rest) = self.0.split_first_chunk::<HEAD>()?;
        let [kind, id_len, ..] = *head;
        let path_len = u32::from_le_bytes(head[2..6].try_into().ok()?);
        let (id, rest) = rest.split_at_checked(usize::from(id_len))?;
        let (path, rest) = rest.split_at_checked(usize::try_from(path_len).ok()?)?;
        self.0 = rest;
        Some(ClearEntry {
            path,
            kind: *KINDS.get(usize::from(kind))?,
            id: ObjectId::from_bytes(id)?,
            hash: Digest::from_bytes(head[14..].try_into().ok()?),
            size: u64::from_le_bytes(head[6..14].try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn key() -> MacKey {
        MacKey::from_bytes([1; LENGTH])
    }

    fn entry(path: &[u8], content: u8) -> ClearEntry<'_> {
        ClearEntry {
            path,
            kind: KINDS[usize::from(content) % 4],
            id: ObjectId::from_bytes(&[content; 32][..if content > 9 { 32 } else { 20 }]).unwrap(),
            hash: Digest::of(&[content]),
            size: 1 << (content % 40),
        }
    }

    fn written(files: &BTreeMap<Vec<u8>, u8>) -> Vec<u8> {
        let entries = files.iter().map(|(path, content)| entry(path, *content));
        ClearEntries::write(entries, &key()).unwrap()
    }

    fn files() -> impl Strategy<Value = BTreeMap<Vec<u8>, u8>> {
        let path = prop::collection::vec(prop::sample::select(b"ab/\n\xff".to_vec()), 0..4);
        prop::collection::btree_map(path, 0..20u8, 0..30)
    }

    proptest! {
        #[test]
        fn what_is_the_same_is_known_and_nothing_else(old in files(), new in files()) {
            let remembered = ClearEntries::parse(written(&old), &key()).unwrap();
            let wanted = new.iter().map(|(path, content)| entry(path, *content));
            let found: Vec<_> = remembered.look_up(wanted.clone().map(|e| (e.path, e.kind, e.id))).collect();
            let expected = wanted.map(|e| (old.get(e.path) == Some(&new[e.path])).then_some((e.hash, e.size)));
            prop_assert_eq!(found, expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn another_kind_or_blob_at_a_path_is_not_known() {
        let one = entry(b"a", 1);
        let bytes = ClearEntries::write(std::iter::once(one), &key()).unwrap();
        let remembered = ClearEntries::parse(bytes, &key()).unwrap();
        let knows = |path, kind, id| remembered.look_up([(path, kind, id)].into_iter()).flatten().count();
        assert_eq!(knows(one.path, one.kind, one.id), 1);
        assert_eq!(knows(b"b", one.kind, one.id), 0);
        assert_eq!(knows(one.path, EntryKind::Regular, one.id), 0);
        assert_eq!(knows(one.path, one.kind, entry(b"a", 2).id), 0);
    }

    #[test]
    fn only_what_was_written_under_the_key_is_read() {
        let bytes = written(&BTreeMap::from([(b"a".to_vec(), 1), (b"b".to_vec(), 2)]));
        assert!(ClearEntries::parse(bytes.clone(), &key()).is_some());
        assert!(ClearEntries::parse(bytes.clone(), &MacKey::from_bytes([2; LENGTH])).is_none());
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(ClearEntries::parse(other, &key()).is_none(), "{at}");
            assert!(ClearEntries::parse(bytes[..at].to_vec(), &key()).is_none(), "{at}");
        }
    }
}
