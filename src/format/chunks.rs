//! Content-defined chunks (FastCDC, 2020): the end of a chunk depends on its content, so equal bytes give equal chunks
//! at any offset.

use std::io::{self, Read};

use fastcdc::v2020::{FastCDC, Normalization};

/// The size of chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Grain {
    /// For contents of any size.
    #[default]
    Coarse,
    /// For small contents, which would have too few coarse chunks to recognise a part of them.
    Fine,
}

impl Grain {
    /// Returns the minimum size of a chunk in bytes, except for the last one.
    pub const fn least(self) -> usize {
        match self {
            // Skipping this many bytes of each chunk saves time.
            Self::Coarse => 3 << 10,
            Self::Fine => 64,
        }
    }

    /// Returns the average distance in bytes between places where a chunk may end.
    ///
    /// Places within the minimum size are skipped, so an average chunk is larger than this by about the minimum size.
    pub const fn average(self) -> usize {
        match self {
            Self::Coarse => 4 << 10,
            Self::Fine => 512,
        }
    }

    /// Returns the maximum size of a chunk in bytes.
    pub const fn most(self) -> usize {
        8 * self.average()
    }
}

/// Number of bytes read at a time.
const BUFFER: usize = 1 << 20;

/// Cuts a stream, fed in pieces of any size, into chunks.
#[derive(Default)]
pub struct Chunks {
    grain: Grain,
    /// Bytes not cut yet, because more bytes may belong to their chunk.
    rest: Vec<u8>,
}

impl Chunks {
    /// Returns a cutter for a new content.
    pub fn new(grain: Grain) -> Self {
        Self {
            grain,
            rest: Vec::new(),
        }
    }

    /// Takes the next bytes and passes each chunk that they complete to `each`.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
        while !self.rest.is_empty() && !bytes.is_empty() {
            let before = self.rest.len();
            let taken = bytes.len().min(2 * self.grain.most() - before);
            self.rest.extend_from_slice(&bytes[..taken]);
            let end = cut(self.grain, &self.rest, &mut each, Until::Behind(before));
            match end.checked_sub(before) {
                // The next chunk begins in the new bytes, so cut it there without copying.
                Some(used) => {
                    self.rest.clear();
                    bytes = &bytes[used..];
                }
                None => {
                    self.rest.drain(..end);
                    bytes = &bytes[taken..];
                }
            }
        }
        if self.rest.is_empty() {
            let end = cut(self.grain, bytes, &mut each, Until::MoreMayCome);
            self.rest.extend_from_slice(&bytes[end..]);
        }
    }

    /// Ends the content and passes the remaining chunks to `each`.
    pub fn finish(self, mut each: impl FnMut(&[u8])) {
        cut(self.grain, &self.rest, &mut each, Until::End);
    }
}

/// Reads `content` to its end and passes each coarse chunk to `each`. Returns the size of the content in bytes.
pub fn cut_all(content: &mut dyn Read, mut each: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut buffer = vec![0; BUFFER];
    let (mut held, mut size) = (0, 0);
    loop {
        match content.read(&mut buffer[held..]) {
            Ok(0) => break,
            Ok(read) => {
                held += read;
                size += read as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        if held == buffer.len() {
            let end = cut(Grain::Coarse, &buffer, &mut each, Until::MoreMayCome);
            buffer.copy_within(end.., 0);
            held -= end;
        }
    }
    cut(Grain::Coarse, &buffer[..held], &mut each, Until::End);
    Ok(size)
}

/// How far to cut.
#[derive(Clone, Copy)]
enum Until {
    /// As far as the cuts do not depend on bytes still to come.
    MoreMayCome,
    /// Like `MoreMayCome`, but only up to the first chunk that ends at or after this offset.
    Behind(usize),
    /// To the end of the bytes, which is the end of the content.
    End,
}

/// Cuts chunks from the start of `bytes`. Returns the number of bytes cut.
///
/// The end of a chunk should depend on the bytes before it, and as little as possible on the start of the chunk.
/// Otherwise, a part of a content is cut like the whole only after many chunks. So sizes are not normalized. The fewer
/// bytes are skipped, the sooner the cuts agree.
///
/// If more bytes may come, a cut is certain only if at least as many bytes are left as the largest chunk may have.
fn cut(grain: Grain, bytes: &[u8], each: &mut impl FnMut(&[u8]), until: Until) -> usize {
    let cutter = FastCDC::with_level(
        bytes,
        grain.least(),
        grain.average(),
        grain.most(),
        Normalization::Level0,
    );
    let mut start = 0;
    while start < bytes.len() {
        let goes_on = match until {
            Until::MoreMayCome => bytes.len() - start >= grain.most(),
            Until::Behind(place) => start < place && bytes.len() - start >= grain.most(),
            Until::End => true,
        };
        if !goes_on {
            break;
        }
        let (_, end) = cutter.cut(start, bytes.len() - start);
        each(&bytes[start..end]);
        start = end;
    }
    start
}

/// Returns whether a chunk is no evidence of its origin: it has few distinct byte values, such as a run of zeros, or
/// repeats a short pattern.
pub fn is_trivial(chunk: &[u8]) -> bool {
    let repeats = |period: usize| chunk.len() > 2 * period && chunk[period..] == chunk[..chunk.len() - period];
    let has_few = |bytes: &[u8]| {
        let mut seen = [false; 256];
        bytes.iter().for_each(|byte| seen[usize::from(*byte)] = true);
        seen.iter().filter(|seen| **seen).count() <= 8
    };
    // The start of most chunks already has many byte values, so the whole chunk is rarely read.
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
        cut_by(Grain::Coarse, bytes, piece)
    }

    fn cut_by(grain: Grain, bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut chunks = Chunks::new(grain);
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
    fn a_part_is_soon_cut_like_the_whole() {
        for (grain, length, ends) in [(Grain::Coarse, 400_000, 40_000), (Grain::Fine, 40_000, 5_000)] {
            let content = noise(5, length);
            let own: std::collections::HashSet<Vec<u8>> = cut_by(grain, &content, usize::MAX).into_iter().collect();
            let mut most = 0;
            for at in 0..50 {
                let from = at * length / 100;
                let part = &content[from..from + length / 2];
                let cut = cut_by(grain, part, usize::MAX);
                let found: usize = cut.iter().filter(|chunk| own.contains(*chunk)).map(Vec::len).sum();
                most = most.max(part.len() - found);
            }
            assert!(
                most <= ends,
                "{grain:?}: {most} bytes of a part were cut in another way"
            );
        }
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
        fn the_size_of_the_pieces_makes_no_difference(seed in any::<u64>(), length in 0usize..1_500_000, piece in 1usize..300_000) {
            let bytes = noise(seed, length);
            let whole = chunks(&bytes, usize::MAX);
            prop_assert_eq!(&chunks(&bytes, piece), &whole);
            let mut read = Vec::new();
            prop_assert_eq!(cut_all(&mut &bytes[..], |chunk| read.push(chunk.to_vec())).unwrap(), length as u64);
            prop_assert_eq!(&read, &whole);
            prop_assert_eq!(whole.concat(), &bytes[..]);
            let fine = cut_by(Grain::Fine, &bytes, usize::MAX);
            prop_assert_eq!(&cut_by(Grain::Fine, &bytes, piece), &fine);
            prop_assert_eq!(fine.concat(), bytes);
        }
    }
}
