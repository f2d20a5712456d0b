//! Content-defined chunks (FastCDC, 2020): where a chunk ends depends on what is in it, so that the same bytes give the same
//! chunks wherever they stand.

use fastcdc::v2020::{FastCDC, Normalization};

/// The least bytes of a chunk, but for the last one.
pub const MIN: usize = 2 << 10;
/// The bytes that a chunk has on average.
pub const AVERAGE: usize = 4 << 10;
/// The most bytes of a chunk.
pub const MAX: usize = 16 << 10;

/// So many bytes are cut at a time.
const BUFFER: usize = 256 << 10;

/// Cuts bytes that come in pieces of any size.
#[derive(Default)]
pub struct Chunks {
    buffer: Vec<u8>,
}

impl Chunks {
    /// Takes the next bytes, and gives each chunk that they complete to `each`.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            let room = BUFFER - self.buffer.len();
            let (taken, rest) = bytes.split_at(room.min(bytes.len()));
            bytes = rest;
            self.buffer.extend_from_slice(taken);
            if self.buffer.len() == BUFFER {
                let cut = cut(&self.buffer, &mut each, false);
                self.buffer.drain(..cut);
            }
        }
    }

    /// Gives what is left to `each`: there are no more bytes.
    pub fn finish(self, mut each: impl FnMut(&[u8])) {
        cut(&self.buffer, &mut each, true);
    }
}

/// Cuts chunks from the start of `bytes`, and returns how many bytes they have. Where more bytes may come, the place of a cut
/// is certain only while there is room for the largest chunk.
fn cut(bytes: &[u8], each: &mut impl FnMut(&[u8]), is_all: bool) -> usize {
    let cutter = FastCDC::with_level(bytes, MIN, AVERAGE, MAX, Normalization::Level1);
    let mut start = 0;
    while start < bytes.len() && (is_all || bytes.len() - start >= MAX) {
        let (_, end) = cutter.cut(start, bytes.len() - start);
        each(&bytes[start..end]);
        start = end;
    }
    start
}

/// Returns whether a chunk says nothing of where it is from: it has few different bytes, such as runs of zeros have, or
/// repeats something short.
pub fn is_trivial(chunk: &[u8]) -> bool {
    let repeats = |period: usize| chunk.len() > 2 * period && chunk[period..] == chunk[..chunk.len() - period];
    let has_few = |bytes: &[u8]| {
        let mut seen = [false; 256];
        bytes.iter().for_each(|byte| seen[usize::from(*byte)] = true);
        seen.iter().filter(|seen| **seen).count() <= 8
    };
    // The start of most chunks says enough, so that not all of each has to be gone through.
    let start = &chunk[..chunk.len().min(64)];
    (has_few(start) && has_few(chunk)) || [8, 12, 16, 24, 32, 48, 64, 128, 256].into_iter().any(repeats)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 24) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    fn chunks(bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut chunks = Chunks::default();
        for piece in bytes.chunks(piece) {
            chunks.feed(piece, |chunk| found.push(chunk.to_vec()));
        }
        chunks.finish(|chunk| found.push(chunk.to_vec()));
        found
    }

    #[test]
    fn bytes_have_the_same_chunks_wherever_they_stand() {
        let middle = noise(1, 300_000);
        let own = chunks(&middle, 1 << 20);
        let around = [noise(2, 77_777), middle, noise(3, 5_000)].concat();
        let among: std::collections::HashSet<Vec<u8>> = chunks(&around, 1 << 20).into_iter().collect();
        let found = own.iter().filter(|chunk| among.contains(*chunk)).count();
        assert!(found + 5 >= own.len(), "{found} of {}", own.len());
    }

    #[test]
    fn what_is_everywhere_is_trivial() {
        assert!(
            is_trivial(&[0; 4096]) && is_trivial(&b"0, ".repeat(1000)) && is_trivial(&b"0123456789abcdef".repeat(99))
        );
        assert!(!is_trivial(&noise(1, 4096)));
        assert!(!is_trivial(include_bytes!("chunks.rs")));
    }

    proptest! {
        #[test]
        fn the_size_of_the_pieces_makes_no_difference(seed in any::<u64>(), length in 0usize..600_000, piece in 1usize..300_000) {
            let bytes = noise(seed, length);
            let whole = chunks(&bytes, usize::MAX);
            prop_assert_eq!(&chunks(&bytes, piece), &whole);
            prop_assert_eq!(whole.concat(), bytes);
        }
    }
}
