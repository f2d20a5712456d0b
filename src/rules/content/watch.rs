//! Recognises the formats of a stream of bytes that comes in pieces of any size.

use std::collections::BTreeSet;

use super::formats::formats_of;
use super::marks::{self, Marks};
use super::pointer::Pointer;
use super::sample::{FAR, HEAD, Sample, TAIL, far};
use super::{encoded, keys, pointer};
use crate::format::derived::SignSearch;
use crate::format::protected::Format;

/// Number of bytes searched at once.
const WINDOW: usize = 512 * 1024;

/// Number of bytes of a window that precede its judged part.
const BEFORE: usize = keys::BEFORE;

/// Number of bytes left to the next window: nothing that is searched for is longer, so none is cut.
const REACH: usize = keys::REACH;

const _: () = assert!(marks::REACH <= REACH && BEFORE + REACH < WINDOW / 2);

/// Returns the formats of `bytes`. `complete` tells whether they are all bytes of the content, not only those that
/// could be read.
///
/// `search` tells where signs of keys may be.
pub fn all_of(bytes: &[u8], complete: bool, search: &SignSearch<'_>) -> BTreeSet<Format> {
    if wide(bytes).is_some() {
        let mut watch = Watch::default();
        bytes.chunks(WINDOW / 2).for_each(|chunk| watch.feed(chunk));
        return watch.finish(complete);
    }
    let mut sample = Sample::of(bytes);
    if !complete {
        sample.tail = None;
    }
    let mut formats = formats_of(&sample);
    if encoded::has_key_of(bytes, search) {
        formats.insert(Format::PrivateKey);
    }
    formats.extend(marks::all_of(bytes));
    formats
}

/// Collects what is needed to recognise a stream: its sample, and the results of searching it.
#[derive(Default)]
pub struct Watch {
    head: Vec<u8>,
    tail: Vec<u8>,
    /// Bytes at the place to which the start points.
    far: Vec<u8>,
    size: u64,
    search: Search,
}

impl Watch {
    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        let last = &bytes[bytes.len().saturating_sub(TAIL)..];
        let surplus = (self.tail.len() + last.len()).saturating_sub(TAIL);
        self.tail.drain(..surplus);
        self.tail.extend_from_slice(last);
        let (first, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        if !first.is_empty() {
            self.head.extend_from_slice(first);
            if self.head.len() < HEAD {
                return;
            }
            self.far.extend_from_slice(Sample::of(&self.head).far);
            self.search.begin(&self.head);
        }
        self.keep_far(rest);
        self.search.feed(rest);
    }

    /// Keeps those of the last bytes that lie at the place to which the start points.
    fn keep_far(&mut self, bytes: &[u8]) {
        let wanted = far(&self.head).saturating_add(self.far.len() as u64);
        let skipped = wanted.checked_sub(self.size - bytes.len() as u64);
        if let Some(skipped) = skipped.and_then(|skipped| usize::try_from(skipped).ok()) {
            let there = bytes.get(skipped..).unwrap_or_default();
            let room = FAR - self.far.len();
            self.far.extend_from_slice(&there[..there.len().min(room)]);
        }
    }

    /// Returns the Git LFS pointer that the bytes so far are, if any.
    pub fn pointer(&self) -> Option<Pointer> {
        (self.size == self.head.len() as u64)
            .then(|| pointer::lfs(&self.head))
            .flatten()
    }

    /// Returns the formats. `complete` tells whether all bytes of the content came, not only those that could be read.
    pub fn finish(mut self, complete: bool) -> BTreeSet<Format> {
        if self.head.len() < HEAD {
            self.far.extend_from_slice(Sample::of(&self.head).far);
            self.search.begin(&self.head);
        }
        let sample = Sample {
            head: &self.head,
            tail: complete.then_some(&self.tail[..]),
            far: &self.far,
            size: self.size,
        };
        let mut formats = formats_of(&sample);
        formats.extend(self.search.finish());
        formats
    }
}

/// The byte order of UTF-16.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// Returns the byte order if these bytes begin with the byte order mark of UTF-16.
fn wide(head: &[u8]) -> Option<Order> {
    match head {
        [0xff, 0xfe, ..] => Some(Order::Little),
        [0xfe, 0xff, ..] => Some(Order::Big),
        _ => None,
    }
}

/// A search through all bytes, in a moving window.
#[derive(Default)]
struct Search {
    window: Vec<u8>,
    /// Offset in the window of the first byte not judged yet.
    judged: usize,
    wide: Option<Order>,
    /// The first byte of a two-byte character whose second byte is still to come.
    half: Option<u8>,
    key: bool,
    marks: Marks,
}

impl Search {
    /// Takes the first bytes, which decide what to search for.
    fn begin(&mut self, head: &[u8]) {
        self.wide = wide(head);
        self.marks = Marks::of(head);
        self.feed(head);
    }

    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_over() {
            let room = WINDOW - self.window.len();
            let (taken, rest) = bytes.split_at(room.min(bytes.len()));
            bytes = rest;
            match self.wide {
                None => self.window.extend_from_slice(taken),
                Some(order) => {
                    for &byte in taken {
                        match self.half.take() {
                            None => self.half = Some(byte),
                            Some(first) => self.window.push(narrow(order, first, byte)),
                        }
                    }
                }
            }
            if self.window.len() == WINDOW {
                // A key that begins near the end of the window may be cut, so leave it to the next window.
                self.judge(WINDOW - REACH);
                let kept = WINDOW - REACH - BEFORE;
                self.window.drain(..kept);
                self.judged = BEFORE;
            }
        }
    }

    fn judge(&mut self, end: usize) {
        self.key = self.key || encoded::has_key(&self.window, self.judged..end);
        self.marks.judge(&self.window, self.judged..end);
    }

    fn is_over(&self) -> bool {
        self.key && self.marks.are_over()
    }

    fn finish(mut self) -> impl Iterator<Item = Format> {
        let end = self.window.len();
        if self.judged < end {
            self.judge(end);
        }
        self.key
            .then_some(Format::PrivateKey)
            .into_iter()
            .chain(self.marks.formats())
    }
}

/// Returns the byte of an ASCII character. For any other character, returns a byte that no marker contains.
fn narrow(order: Order, first: u8, second: u8) -> u8 {
    let (low, high) = match order {
        Order::Little => (first, second),
        Order::Big => (second, first),
    };
    if high == 0 && low.is_ascii() { low } else { 0x1a }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use proptest::prelude::*;

    use super::super::tests::{formats, sample, samples, whole};
    use super::super::{Look, Recognised, recognise, recognise_stream};
    use super::*;

    /// A reader that returns at most the given number of bytes at a time, in turns, and is interrupted now and then.
    struct Pieces<'a> {
        rest: &'a [u8],
        sizes: Vec<usize>,
        turn: usize,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.turn += 1;
            if self.turn.is_multiple_of(7) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let size = self.sizes[self.turn % self.sizes.len()]
                .min(self.rest.len())
                .min(buffer.len());
            let (piece, rest) = self.rest.split_at(size);
            buffer[..size].copy_from_slice(piece);
            self.rest = rest;
            Ok(size)
        }
    }

    fn in_pieces(bytes: &[u8], start: usize, sizes: Vec<usize>) -> Recognised {
        let (start, rest) = bytes.split_at(start.min(bytes.len()));
        let mut rest = Pieces { rest, sizes, turn: 0 };
        recognise_stream(start, &mut rest, Look::default()).unwrap()
    }

    /// Enough bytes to identify the layer. A real stream has more in memory by then.
    const START: usize = 512;

    /// Returns whether a stream gives the same result as its bytes in memory.
    ///
    /// Members of a zip archive without a local header can be read only in memory. In a stream, they are reported as
    /// unread. Behind other bytes, a stream also reports a damaged member of an archive without an end record. In
    /// memory, the missing record shows first that there is no archive.
    fn agrees(stream: &Recognised, whole: &Recognised) -> bool {
        let is_in_part = !stream.in_part.is_empty();
        let has_all = whole
            .formats
            .iter()
            .all(|(format, place)| stream.formats.get(format) == Some(place));
        stream == whole
            || (is_in_part && stream.formats.keys().all(|format| whole.formats.contains_key(format)))
            || (has_all && (whole.in_part.is_empty() || is_in_part))
    }

    #[test]
    fn every_sample_is_the_same_in_pieces() {
        for (name, bytes) in samples("") {
            let whole = whole(&bytes);
            for sizes in [vec![1], vec![3, 1, 500], vec![1 << 20]] {
                let pieces = in_pieces(&bytes, START, sizes);
                let by_directory_only = ["swallowed", "lies", "unknown", "encrypted"]
                    .iter()
                    .any(|word| name.contains(word));
                assert!(agrees(&pieces, &whole), "{name}: {pieces:?} {whole:?}");
                assert!(pieces == whole || by_directory_only, "{name}: {pieces:?} {whole:?}");
            }
            assert_eq!(
                recognise(&mut &bytes[..], bytes.len() as u64, Look::default()).unwrap(),
                whole,
                "{name}"
            );
        }
    }

    #[test]
    fn every_changed_byte_of_an_archive_is_the_same_in_pieces() {
        for (name, bytes) in samples("layers/zip").into_iter().chain(samples("layers/tar")) {
            let bytes = &bytes[..bytes.len().min(700)];
            for at in 0..bytes.len() {
                for change in [6, 0x80] {
                    let mut bytes = bytes.to_vec();
                    bytes[at] ^= change;
                    let (pieces, whole) = (in_pieces(&bytes, START, vec![100, 7]), whole(&bytes));
                    assert!(agrees(&pieces, &whole), "{name} {at} {change}: {pieces:?} {whole:?}");
                }
            }
        }
    }

    /// Returns `length` bytes of text that is not part of any key.
    fn filler(length: usize) -> Vec<u8> {
        b"some text, KEY- and other things; "
            .iter()
            .copied()
            .cycle()
            .take(length)
            .collect()
    }

    #[test]
    fn a_key_is_found_wherever_it_lies_in_a_stream() {
        let rsa = sample("private-key/pem_rsa");
        for key in samples("private-key")
            .into_iter()
            .filter(|(name, _)| !name.contains("utf16") && !name.contains("whole_"))
        {
            let (name, key) = key;
            let around = [0, 64 * 1024, 64 * 1024 + 64];
            for before in around
                .into_iter()
                .flat_map(|back| [40, 15, 0].map(|more| WINDOW - back - more))
            {
                let mut blob = filler(before);
                blob.push(b'\n');
                blob.extend_from_slice(&key);
                blob.extend(filler(WINDOW));
                let found = in_pieces(&blob, 100, vec![60_000]);
                assert_eq!(formats(&found), [Format::PrivateKey], "{name} after {before}");
            }
        }
        let mut blob = filler(5 << 20);
        assert_eq!(
            recognise(&mut &blob[..], 0, Look::default()).unwrap(),
            Recognised::default()
        );
        blob.extend_from_slice(&rsa);
        assert_eq!(
            formats(&recognise(&mut &blob[..], 0, Look::default()).unwrap()),
            [Format::PrivateKey]
        );
    }

    #[test]
    fn a_key_in_wide_letters_is_found_wherever_it_lies_in_a_stream() {
        let key = sample("private-key/pem_rsa");
        let text = [filler(600_000), key, filler(600_000)].concat();
        let mut blob = vec![0xfe, 0xff];
        blob.extend(text.iter().flat_map(|&letter| [0, letter]));
        assert_eq!(formats(&whole(&blob)), [Format::PrivateKey]);
        assert_eq!(formats(&in_pieces(&blob, 100, vec![60_001])), [Format::PrivateKey]);
    }

    #[test]
    fn a_tensor_is_found_wherever_it_lies_in_a_pickle() {
        let reference = b"ctorch._utils\n_rebuild_tensor_v2\n";
        for before in (512 * 1024 - 64 * 1024 - 40)..(512 * 1024 - 64 * 1024 + 4) {
            let mut blob = vec![0x80, 2];
            blob.resize(before, b'N');
            blob.extend_from_slice(reference);
            blob.resize(1 << 20, b'N');
            assert_eq!(
                formats(&in_pieces(&blob, 100, vec![60_000])),
                [Format::Pickle],
                "{before}"
            );
            blob[1] = 9;
            assert_eq!(formats(&whole(&blob)), [], "{before}");
        }
    }

    #[test]
    fn a_mark_is_found_wherever_it_lies_in_a_stream() {
        let table = b"tableembeddings_queueembeddings_queue\x01CREATE TABLE embeddings_queue(vector BLOB)".to_vec();
        let numbers = format!("\"embedding\": [{}0.5]", "-0.25, ".repeat(63)).into_bytes();
        let heap = b"HEAP\0\0\0\0\0\0vars\0layers\0".to_vec();
        for (start, mark, format) in [
            (&b"SQLite format 3\0"[..], table, Format::VectorDatabase),
            (b"[", numbers, Format::Embeddings),
            (b"\x89HDF\r\n\x1a\n", heap, Format::Keras),
        ] {
            for before in (WINDOW - REACH - mark.len() - 3)..(WINDOW - REACH + 3) {
                let mut blob = start.to_vec();
                blob.resize(before, b' ');
                blob.extend_from_slice(&mark);
                blob.resize(1 << 20, b' ');
                assert_eq!(formats(&in_pieces(&blob, 100, vec![60_000])), [format], "{before}");
                assert_eq!(formats(&whole(&blob)), [format], "{before}");
                blob[0] = b'x';
                assert_eq!(formats(&whole(&blob)), [], "{before}");
            }
        }
    }

    #[test]
    fn a_header_of_usearch_is_found_behind_a_matrix_of_any_size() {
        let header = sample("usearch/empty").split_off(8);
        for (rows, columns) in [(1, 40), (4096, 15), (4096, 16), (65_500, 1), (300, 4096)] {
            let narrow = [u32::to_le_bytes(rows), u32::to_le_bytes(columns)].concat();
            let wide = [u64::to_le_bytes(rows.into()), u64::to_le_bytes(columns.into())].concat();
            for mut blob in [narrow, wide] {
                blob.resize(blob.len() + (rows * columns) as usize, 7);
                blob.extend_from_slice(&header);
                for sizes in [vec![60_000], vec![1, 7], vec![1 << 21]] {
                    assert_eq!(
                        formats(&in_pieces(&blob, 100, sizes)),
                        [Format::Usearch],
                        "{rows} {columns}"
                    );
                }
                assert_eq!(formats(&whole(&blob)), [Format::Usearch], "{rows} {columns}");
                blob[0] ^= 1;
                assert_eq!(formats(&whole(&blob)), [], "{rows} {columns}");
            }
        }
    }

    #[test]
    fn the_end_of_a_stream_counts() {
        let table = sample("parquet/plain");
        let mut blob = table[..4].to_vec();
        blob.resize(5 << 20, 0);
        assert_eq!(formats(&recognise(&mut &blob[..], 0, Look::default()).unwrap()), []);
        blob.extend_from_slice(&table[4..]);
        assert_eq!(
            formats(&recognise(&mut &blob[..], 0, Look::default()).unwrap()),
            [Format::Parquet]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_stream_is_what_its_bytes_are(
            index in any::<prop::sample::Index>(),
            before in 0usize..100_000,
            start in START..2000,
            sizes in prop::collection::vec(1usize..70_000, 1..9),
        ) {
            let samples = samples("");
            let (name, bytes) = index.get(&samples);
            prop_assert!(agrees(&in_pieces(bytes, start, sizes.clone()), &whole(bytes)), "{}", name);
            let moved = [filler(before), bytes.clone(), filler(before / 2)].concat();
            prop_assert!(agrees(&in_pieces(&moved, start, sizes), &whole(&moved)), "{}", name);
        }

        #[test]
        fn damaged_samples_never_panic_and_are_the_same_in_pieces(
            index in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            end in any::<prop::sample::Index>(),
        ) {
            let samples = samples("");
            let (name, bytes) = index.get(&samples);
            let mut bytes = bytes.clone();
            if bytes.len() > START {
                for (at, byte) in changes {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
                bytes.truncate(START.max(end.index(2 * bytes.len())));
            }
            prop_assert!(agrees(&in_pieces(&bytes, START, vec![100, 7]), &whole(&bytes)), "{}", name);
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..5000), magic in 0usize..8) {
            let magics: [&[u8]; 8] =
                [b"", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"\xff\xff\xff\xff", b"IxF2", b"GGUF", b"\x80\x04"];
            whole(&[magics[magic], &bytes].concat());
        }
    }
}
