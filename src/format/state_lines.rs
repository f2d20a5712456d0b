//! The lines of a commit's state as a clone remembers them: the next commit changes only a few.
//!
//! Layout: the lines, as the state digest covers them, in pieces of whole lines. For each piece: its length in 8 bytes, the
//! state of SHA-256 before it, its authentication code. Then the id of the tree, its length in 1 byte, the number of pieces in
//! 8 bytes, 8 bytes magic, and the authentication code of everything behind the lines. Numbers are little endian.
//!
//! A piece is held to its code when it is read. Nothing before the first change is read, because the state of SHA-256 is known
//! there.

use std::cmp::Ordering;
use std::io::{self, Read, Seek, SeekFrom};

use memchr::{memchr, memrchr};

use crate::format::digest::{Digest, Hasher};
use crate::format::mac::{FastMacKey, LENGTH, MacKey};
use crate::format::object_id::ObjectId;
use crate::format::repo_state::StateEntry;

const MAGIC: &[u8; 8] = b"gpstate2";
/// Length of what stands behind the id of the tree, without the code.
const END: usize = 17;
/// Length of what is noted of a piece.
const NOTE: usize = 8 + Hasher::STATE + LENGTH;
/// A piece ends with the first line that makes it as long as this.
const PIECE: usize = 64 << 10;
/// The most pieces: those of some hundred million files.
const MAX_PIECES: u64 = 1 << 18;
/// Length of a line before its size: 64 hexadecimal digits and a space.
const HASH: usize = 65;

/// Lines in their order, some at a time.
pub trait LineSource {
    /// Appends some more whole lines. Returns whether there may be more of them, and `None` if lines cannot be told apart because
    /// a path contains a newline, or if lines cannot be read.
    fn fill(&mut self, out: &mut Vec<u8>) -> Option<bool>;
}

/// The lines of entries, which are sorted bytewise by path.
pub struct EntryLines<'a>(std::slice::Iter<'a, StateEntry>);

impl<'a> EntryLines<'a> {
    /// Takes all entries of a state.
    pub fn of(entries: &'a [StateEntry]) -> Self {
        Self(entries.iter())
    }
}

impl LineSource for EntryLines<'_> {
    fn fill(&mut self, out: &mut Vec<u8>) -> Option<bool> {
        while out.len() < PIECE {
            let Some(entry) = self.0.next() else {
                return Some(false);
            };
            push(entry, out)?;
        }
        Some(true)
    }
}

/// What is noted of a piece.
struct Piece {
    start: u64,
    length: usize,
    before: [u8; Hasher::STATE],
    code: [u8; LENGTH],
}

/// The remembered lines of a tree's state, sorted bytewise by path.
pub struct StateLines<S> {
    source: S,
    key: FastMacKey,
    tree: ObjectId,
    pieces: Vec<Piece>,
}

/// A change of a line: the entry at a path, or `None` if there is nothing at the path any more.
pub type LineChange = (Vec<u8>, Option<StateEntry>);

impl<S: Read + Seek> StateLines<S> {
    /// Opens a file of lines. `None` unless it was written under `key`.
    pub fn open(mut source: S, key: &MacKey) -> Option<Self> {
        let whole = source.seek(SeekFrom::End(0)).ok()?;
        let end: [u8; END + LENGTH] = read_at(&mut source, whole.checked_sub((END + LENGTH) as u64)?)?;
        let count = u64::from_le_bytes(end[1..9].try_into().ok()?);
        (end[9..END] == *MAGIC && count <= MAX_PIECES).then_some(())?;
        let (count, id_len) = (count as usize, usize::from(end[0]));
        let mut notes = vec![0; count * NOTE + id_len + END];
        let lines_end = whole.checked_sub((notes.len() + LENGTH) as u64)?;
        source.seek(SeekFrom::Start(lines_end)).ok()?;
        source.read_exact(&mut notes).ok()?;
        let fast = key.fast();
        // The codes are as long as a hash, so a comparison in constant time costs nothing.
        key.proves(&fast.of(&notes), &end[END..]).then_some(())?;
        let mut pieces = Vec::with_capacity(count);
        let mut start = 0;
        for note in notes[..count * NOTE].chunks_exact(NOTE) {
            let length = u64::from_le_bytes(note[..8].try_into().ok()?);
            pieces.push(Piece {
                start,
                length: usize::try_from(length).ok()?,
                before: note[8..8 + Hasher::STATE].try_into().ok()?,
                code: note[8 + Hasher::STATE..].try_into().ok()?,
            });
            start += length;
        }
        (start == lines_end).then_some(())?;
        Some(Self {
            source,
            key: fast,
            tree: ObjectId::from_bytes(&notes[count * NOTE..count * NOTE + id_len])?,
            pieces,
        })
    }

    /// Returns the id of the tree.
    pub fn tree(&self) -> &ObjectId {
        &self.tree
    }

    /// Returns the lines of another tree, which differs from this one by these changes.
    pub fn changed(self, mut changes: Vec<LineChange>) -> ChangedLines<S> {
        // A path that has an entry sorts before the same path without one, and wins.
        changes.sort_by(|(one, new), (other, newer)| one.cmp(other).then(newer.is_some().cmp(&new.is_some())));
        changes.dedup_by(|(next, _), (path, _)| next == path);
        ChangedLines {
            lines: self,
            changes: changes.into_iter().peekable(),
            next: 0,
            piece: Vec::new(),
        }
    }

    /// Reads a piece.
    fn read(&mut self, number: usize, bytes: &mut Vec<u8>) -> Option<()> {
        let piece = &self.pieces[number];
        bytes.resize(piece.length, 0);
        self.source.seek(SeekFrom::Start(piece.start)).ok()?;
        self.source.read_exact(bytes).ok()?;
        (self.key.of(bytes) == piece.code).then_some(())
    }
}

/// The lines of a tree that differs from a remembered one.
pub struct ChangedLines<S> {
    lines: StateLines<S>,
    changes: std::iter::Peekable<std::vec::IntoIter<LineChange>>,
    /// The piece to read next.
    next: usize,
    piece: Vec<u8>,
}

impl<S: Read + Seek> ChangedLines<S> {
    /// Returns the manifest digest. `None` as for [`LineSource::fill`].
    pub fn digest(mut self) -> Option<Digest> {
        self.next = self.first_touched()?;
        let mut hasher = match self.lines.pieces.get(self.next) {
            Some(piece) => Hasher::resume(&piece.before)?,
            None => Hasher::default(),
        };
        let mut lines = Vec::new();
        loop {
            let more = self.fill(&mut lines)?;
            hasher.update(&lines);
            lines.clear();
            if !more {
                return Some(hasher.finish());
            }
        }
    }

    /// Returns the number of the first piece that a change may touch: the first one whose last path is not before it.
    fn first_touched(&mut self) -> Option<usize> {
        let last = self.lines.pieces.len().saturating_sub(1);
        let Some((path, _)) = self.changes.peek() else {
            return Some(last);
        };
        let (mut low, mut high) = (0, last);
        while low < high {
            let middle = low + (high - low) / 2;
            self.lines.read(middle, &mut self.piece)?;
            match last_path(&self.piece) < &path[..] {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        Some(low)
    }
}

impl<S: Read + Seek> LineSource for ChangedLines<S> {
    fn fill(&mut self, out: &mut Vec<u8>) -> Option<bool> {
        if self.next == self.lines.pieces.len() {
            for (_, entry) in self.changes.by_ref() {
                entry.map_or(Some(()), |entry| push(&entry, out))?;
            }
            return Some(false);
        }
        self.lines.read(self.next, &mut self.piece)?;
        self.next += 1;
        let last = last_path(&self.piece);
        let mut copied = 0;
        while let Some((path, entry)) = self.changes.next_if(|(path, _)| path[..] <= *last) {
            let (start, end) = place(&self.piece, copied, &path);
            out.extend_from_slice(&self.piece[copied..start]);
            copied = end;
            entry.map_or(Some(()), |entry| push(&entry, out))?;
        }
        out.extend_from_slice(&self.piece[copied..]);
        Some(true)
    }
}

/// The bytes of a file of lines, to be read once from its beginning to its end.
pub struct LinesFile<L> {
    lines: L,
    tree: ObjectId,
    key: MacKey,
    fast: FastMacKey,
    hasher: Hasher,
    notes: Vec<u8>,
    pending: Vec<u8>,
    /// How much of what is pending was given out.
    given: usize,
    is_done: bool,
}

impl<L: LineSource> LinesFile<L> {
    /// Begins a file of the lines of a tree.
    pub fn new(tree: ObjectId, lines: L, key: &MacKey) -> Self {
        Self {
            lines,
            tree,
            fast: key.fast(),
            key: key.clone(),
            hasher: Hasher::default(),
            notes: Vec::new(),
            pending: Vec::new(),
            given: 0,
            is_done: false,
        }
    }

    /// Makes the next piece, and behind the last one what is noted of all. `None` as for [`LineSource::fill`].
    fn make(&mut self) -> Option<()> {
        self.pending.clear();
        self.given = 0;
        let mut more = true;
        while more && self.pending.len() < PIECE {
            more = self.lines.fill(&mut self.pending)?;
        }
        if !self.pending.is_empty() {
            self.notes.extend_from_slice(&(self.pending.len() as u64).to_le_bytes());
            self.notes.extend_from_slice(&self.hasher.state());
            self.notes.extend_from_slice(&self.fast.of(&self.pending));
            self.hasher.update(&self.pending);
        }
        if !more {
            self.is_done = true;
            let count = (self.notes.len() / NOTE) as u64;
            let id = self.tree.as_bytes();
            self.notes.extend_from_slice(id);
            self.notes.push(id.len() as u8);
            self.notes.extend_from_slice(&count.to_le_bytes());
            self.notes.extend_from_slice(MAGIC);
            self.pending.extend_from_slice(&self.notes);
            let code = self.key.of(&self.fast.of(&self.notes));
            self.pending.extend_from_slice(&code);
        }
        Some(())
    }
}

impl<L: LineSource> Read for LinesFile<L> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.pending.len() && !self.is_done {
            self.make()
                .ok_or_else(|| io::Error::other("lines that cannot be remembered"))?;
        }
        let rest = &self.pending[self.given..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

/// Returns where in `lines`, at or behind the byte `from`, the line of a path begins and ends. Both are the same if it has none.
fn place(lines: &[u8], from: usize, path: &[u8]) -> (usize, usize) {
    let (mut low, mut high) = (from, lines.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = memrchr(b'\n', &lines[low..middle]).map_or(low, |at| low + at + 1);
        let end = memchr(b'\n', &lines[middle..]).map_or(lines.len(), |at| middle + at + 1);
        match path_of(&lines[start..end]).cmp(path) {
            Ordering::Less => low = end,
            Ordering::Greater => high = start,
            Ordering::Equal => return (start, end),
        }
    }
    (low, low)
}

/// Returns the path in a line.
fn path_of(line: &[u8]) -> &[u8] {
    let rest = line.get(HASH..).unwrap_or_default();
    let path = memchr(b' ', rest).map_or(&[][..], |at| &rest[at + 1..]);
    path.strip_suffix(b"\n").unwrap_or(path)
}

/// Returns the path in the last of some lines.
fn last_path(lines: &[u8]) -> &[u8] {
    let whole = lines.strip_suffix(b"\n").unwrap_or(lines);
    path_of(&lines[memrchr(b'\n', whole).map_or(0, |at| at + 1)..])
}

/// Appends the line of an entry. `None` if its path contains a newline.
fn push(entry: &StateEntry, lines: &mut Vec<u8>) -> Option<()> {
    memchr(b'\n', entry.entry.path.as_bytes())
        .is_none()
        .then(|| entry.push_line(lines, b'\n'))
}

fn read_at<const N: usize>(source: &mut (impl Read + Seek), at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    source.seek(SeekFrom::Start(at)).ok()?;
    source.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::format::repo_path::RepoPath;
    use crate::format::repo_state::{EntryKind, TreeEntry, manifest_digest};

    fn tree(seed: u8) -> ObjectId {
        ObjectId::from_bytes(&[seed; 20]).unwrap()
    }

    fn key() -> MacKey {
        MacKey::from_bytes([1; LENGTH])
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

    fn file(lines: impl LineSource) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        LinesFile::new(tree(1), lines, &key()).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn open(bytes: Vec<u8>) -> StateLines<Cursor<Vec<u8>>> {
        StateLines::open(Cursor::new(bytes), &key()).unwrap()
    }

    fn files(most: usize) -> impl Strategy<Value = BTreeMap<Vec<u8>, u8>> {
        let path = prop::collection::vec(prop::sample::select(b"ab/ .\xff".to_vec()), 1..6);
        prop::collection::btree_map(path, any::<u8>(), 0..most)
    }

    /// Holds the lines of the change from one state to another to those of a first reading.
    fn check(old: &BTreeMap<Vec<u8>, u8>, new: &BTreeMap<Vec<u8>, u8>) {
        let remembered = file(EntryLines::of(&entries(old))).unwrap();
        let gone = old.keys().filter(|path| !new.contains_key(*path));
        let gone = gone.map(|path| (path.clone(), None));
        let other = new.iter().filter(|(path, content)| old.get(*path) != Some(content));
        let other = other.map(|(path, content)| (path.clone(), Some(entry(path, *content))));
        let changes: Vec<LineChange> = gone.chain(other).collect();
        let changed = || open(remembered.clone()).changed(changes.clone());
        assert_eq!(changed().digest(), Some(manifest_digest(&entries(new))));
        // What is written of them is as good as what is written of a first reading.
        let again = open(file(changed()).unwrap());
        assert_eq!(again.changed(Vec::new()).digest(), Some(manifest_digest(&entries(new))));
    }

    proptest! {
        #[test]
        fn changed_lines_are_those_of_the_other_tree(old in files(30), new in files(30)) {
            check(&old, &new);
        }
    }

    #[test]
    fn lines_of_many_pieces_are_changed_wherever_the_change_is() {
        let old: BTreeMap<Vec<u8>, u8> = (0..4000u32)
            .map(|number| (format!("d{:02}/f{number:04}", number % 40).into_bytes(), number as u8))
            .collect();
        assert!(open(file(EntryLines::of(&entries(&old))).unwrap()).pieces.len() > 4);
        for path in ["a", "d00/f0000", "d20/f2020", "d20/new", "d39/f3999", "z"] {
            let mut new = old.clone();
            if new.remove(path.as_bytes()).is_none() {
                new.insert(path.as_bytes().to_vec(), 7);
            }
            check(&old, &new);
            new.insert(b"d11/another".to_vec(), 8);
            check(&old, &new);
        }
        check(&old, &BTreeMap::new());
        check(&BTreeMap::new(), &old);
    }

    #[test]
    fn only_what_was_written_under_the_key_is_read() {
        let entries = [entry(b"a", 1), entry(b"b c", 2)];
        let bytes = file(EntryLines::of(&entries)).unwrap();
        let digest = |bytes: Vec<u8>, key: &MacKey| {
            let lines = StateLines::open(Cursor::new(bytes), key)?;
            assert_eq!(*lines.tree(), tree(1));
            lines.changed(vec![(b"a".to_vec(), None)]).digest()
        };
        assert_eq!(digest(bytes.clone(), &key()), Some(manifest_digest(&entries[1..])));
        assert_eq!(digest(bytes.clone(), &MacKey::from_bytes([2; LENGTH])), None);
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_eq!(digest(other, &key()), None, "{at}");
            assert_eq!(digest(bytes[..at].to_vec(), &key()), None, "{at}");
        }
    }

    #[test]
    fn a_path_of_two_lines_is_not_remembered() {
        assert!(file(EntryLines::of(&[entry(b"a\nb", 1)])).is_err());
        let remembered = file(EntryLines::of(&[entry(b"a", 1)])).unwrap();
        let change = (b"a\nb".to_vec(), Some(entry(b"a\nb", 1)));
        assert_eq!(open(remembered.clone()).changed(vec![change]).digest(), None);
        // A path that is there again is not gone.
        let twice = vec![(b"a".to_vec(), Some(entry(b"a", 2))), (b"a".to_vec(), None)];
        let twice = open(remembered).changed(twice).digest();
        assert_eq!(twice, Some(manifest_digest(&[entry(b"a", 2)])));
    }
}
