//! The lines of a commit's state as a clone remembers them: the next commit changes only a few.
//!
//! Layout: 8 bytes magic; 1 byte length of an object id; 7 bytes zero; the id of the tree; the lines, as the state digest
//! covers them; an authentication code of 32 bytes.

use std::cmp::Ordering;

use memchr::{memchr, memrchr};

use crate::format::digest::Digest;
use crate::format::mac::{LENGTH, MacKey};
use crate::format::object_id::ObjectId;
use crate::format::repo_state::StateEntry;

const MAGIC: &[u8; 8] = b"gpstate1";
const HEADER: usize = 16;
/// Length of a line before its size: 64 hexadecimal digits and a space.
const HASH: usize = 65;

/// The lines of a tree's state, sorted bytewise by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateLines {
    tree: ObjectId,
    lines: Vec<u8>,
}

/// A change of a line: the entry at a path, or `None` if there is nothing at the path any more.
pub type LineChange = (Vec<u8>, Option<StateEntry>);

impl StateLines {
    /// Returns the lines of entries, which are sorted bytewise by path. `None` if lines cannot be told apart because a path
    /// contains a newline.
    pub fn of(tree: ObjectId, entries: &[StateEntry]) -> Option<Self> {
        let mut lines = Vec::new();
        for entry in entries {
            is_one_line(entry).then(|| entry.push_line(&mut lines, b'\n'))?;
        }
        Some(Self { tree, lines })
    }

    /// Takes the bytes of a file. `None` unless they were written under `key`.
    pub fn parse(mut bytes: Vec<u8>, key: &MacKey) -> Option<Self> {
        let end = bytes.len().checked_sub(LENGTH)?;
        let (content, code) = bytes.split_at(end);
        // The codes are as long as a hash, so a comparison in constant time costs nothing.
        key.proves(&key.fast().of(content), code).then_some(())?;
        let id_len = usize::from(*content.get(8)?);
        (content[..8] == *MAGIC && content.get(9..HEADER)? == [0; 7]).then_some(())?;
        let tree = ObjectId::from_bytes(content.get(HEADER..HEADER + id_len)?)?;
        bytes.truncate(end);
        bytes.drain(..HEADER + id_len);
        Some(Self { tree, lines: bytes })
    }

    /// Returns the bytes of a file.
    pub fn to_bytes(&self, key: &MacKey) -> Vec<u8> {
        let id = self.tree.as_bytes();
        let mut bytes = Vec::with_capacity(HEADER + id.len() + self.lines.len() + LENGTH);
        bytes.extend_from_slice(MAGIC);
        bytes.push(id.len() as u8);
        bytes.extend_from_slice(&[0; 7]);
        bytes.extend_from_slice(id);
        bytes.extend_from_slice(&self.lines);
        let code = key.of(&key.fast().of(&bytes));
        bytes.extend_from_slice(&code);
        bytes
    }

    /// Returns the id of the tree.
    pub fn tree(&self) -> &ObjectId {
        &self.tree
    }

    /// Returns the manifest digest.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.lines)
    }

    /// Returns the lines of another tree, which differs from this one by these changes. `None` as for [`StateLines::of`].
    pub fn changed(&self, tree: ObjectId, mut changes: Vec<LineChange>) -> Option<Self> {
        // A path that has an entry sorts behind the same path without one, and wins.
        changes.sort_by(|(one, new), (other, newer)| one.cmp(other).then(new.is_some().cmp(&newer.is_some())));
        let mut lines = Vec::with_capacity(self.lines.len() + changes.len() * 128);
        let mut copied = 0;
        for (at, (path, entry)) in changes.iter().enumerate() {
            if changes.get(at + 1).is_some_and(|(next, _)| next == path) {
                continue;
            }
            let (start, end) = self.place(copied, path);
            lines.extend_from_slice(&self.lines[copied..start]);
            copied = end;
            if let Some(entry) = entry {
                is_one_line(entry).then(|| entry.push_line(&mut lines, b'\n'))?;
            }
        }
        lines.extend_from_slice(&self.lines[copied..]);
        Some(Self { tree, lines })
    }

    /// Returns where the line of a path begins and ends, at or behind the byte `from`. Both are the same if it has none.
    fn place(&self, from: usize, path: &[u8]) -> (usize, usize) {
        let (mut low, mut high) = (from, self.lines.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let start = memrchr(b'\n', &self.lines[low..middle]).map_or(low, |at| low + at + 1);
            let end = memchr(b'\n', &self.lines[middle..]).map_or(self.lines.len(), |at| middle + at + 1);
            match path_of(&self.lines[start..end]).cmp(path) {
                Ordering::Less => low = end,
                Ordering::Greater => high = start,
                Ordering::Equal => return (start, end),
            }
        }
        (low, low)
    }
}

/// Returns the path in a line.
fn path_of(line: &[u8]) -> &[u8] {
    let rest = line.get(HASH..).unwrap_or_default();
    let path = memchr(b' ', rest).map_or(&[][..], |at| &rest[at + 1..]);
    path.strip_suffix(b"\n").unwrap_or(path)
}

fn is_one_line(entry: &StateEntry) -> bool {
    memchr(b'\n', entry.entry.path.as_bytes()).is_none()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::format::repo_path::RepoPath;
    use crate::format::repo_state::{EntryKind, TreeEntry, manifest_digest};

    fn tree(seed: u8) -> ObjectId {
        ObjectId::from_bytes(&[seed; 20]).unwrap()
    }

    fn entry(path: &[u8], content: u8) -> StateEntry {
        StateEntry {
            entry: TreeEntry {
                path: RepoPath::new(path),
                kind: EntryKind::Regular,
                id: tree(content),
            },
            hash: Digest::of(&[content]),
            size: 1 << (content % 40),
        }
    }

    fn entries(files: &BTreeMap<Vec<u8>, u8>) -> Vec<StateEntry> {
        files.iter().map(|(path, content)| entry(path, *content)).collect()
    }

    fn files() -> impl Strategy<Value = BTreeMap<Vec<u8>, u8>> {
        let path = prop::collection::vec(prop::sample::select(b"ab/ .\xff".to_vec()), 1..6);
        prop::collection::btree_map(path, any::<u8>(), 0..30)
    }

    proptest! {
        #[test]
        fn changed_lines_are_those_of_the_other_tree(old in files(), new in files()) {
            let lines = StateLines::of(tree(1), &entries(&old)).unwrap();
            prop_assert_eq!(lines.digest(), manifest_digest(&entries(&old)));
            let gone = old.keys().filter(|path| !new.contains_key(*path));
            let gone = gone.map(|path| (path.clone(), None));
            let other = new.iter().filter(|(path, content)| old.get(*path) != Some(content));
            let other = other.map(|(path, content)| (path.clone(), Some(entry(path, *content))));
            let changed = lines.changed(tree(2), gone.chain(other).collect()).unwrap();
            prop_assert_eq!(&changed, &StateLines::of(tree(2), &entries(&new)).unwrap());
            prop_assert_eq!(changed.digest(), manifest_digest(&entries(&new)));
        }
    }

    #[test]
    fn only_what_was_written_under_the_key_is_read() {
        let key = MacKey::from_bytes([1; LENGTH]);
        let lines = StateLines::of(tree(1), &[entry(b"a", 1), entry(b"b c", 2)]).unwrap();
        let bytes = lines.to_bytes(&key);
        assert_eq!(StateLines::parse(bytes.clone(), &key), Some(lines));
        assert_eq!(StateLines::parse(bytes.clone(), &MacKey::from_bytes([2; LENGTH])), None);
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_eq!(StateLines::parse(other, &key), None, "{at}");
            assert_eq!(StateLines::parse(bytes[..at].to_vec(), &key), None, "{at}");
        }
    }

    #[test]
    fn a_path_of_two_lines_is_not_remembered() {
        assert_eq!(StateLines::of(tree(1), &[entry(b"a\nb", 1)]), None);
        let lines = StateLines::of(tree(1), &[entry(b"a", 1)]).unwrap();
        let change = (b"a\nb".to_vec(), Some(entry(b"a\nb", 1)));
        assert_eq!(lines.changed(tree(2), vec![change]), None);
        // A path that is there again is not gone.
        let twice = vec![(b"a".to_vec(), Some(entry(b"a", 2))), (b"a".to_vec(), None)];
        assert_eq!(
            lines.changed(tree(1), twice),
            StateLines::of(tree(1), &[entry(b"a", 2)])
        );
    }
}
