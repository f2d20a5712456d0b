//! Byte pair encoding with the ranks of a vocabulary: into how many tokens a word falls.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::LazyLock;

use rustc_hash::FxBuildHasher;

/// The tokens of `o200k_base` in the order of their ranks: their lengths, one byte each, then their bytes, in a frame of zstd.
static O200K_BASE: &[u8] = include_bytes!("o200k_base.zst");

/// Number of tokens of `o200k_base`, special ones aside.
const TOKENS: usize = 199_998;

/// Stands for the end of a list, and for a part that was joined to the one before.
const NONE: u32 = u32::MAX;

/// Ranks of tokens: the lower one is joined first.
pub struct Ranks(HashMap<&'static [u8], u32, FxBuildHasher>);

impl Ranks {
    /// Returns the ranks of `o200k_base`, which are unpacked when a word is counted for the first time.
    pub fn o200k_base() -> &'static Self {
        static RANKS: LazyLock<Ranks> = LazyLock::new(|| {
            let unpacked = zstd::decode_all(O200K_BASE).unwrap_or_else(|e| panic!("the table of tokens: {e}"));
            Ranks::read(Vec::leak(unpacked))
        });
        &RANKS
    }

    fn read(table: &'static [u8]) -> Self {
        let (lengths, mut bytes) = table.split_at(TOKENS);
        let mut ranks = HashMap::with_capacity_and_hasher(TOKENS, FxBuildHasher);
        for (rank, length) in (0..).zip(lengths) {
            let (token, rest) = bytes.split_at(usize::from(*length));
            ranks.insert(token, rank);
            bytes = rest;
        }
        Self(ranks)
    }

    fn of(&self, bytes: &[u8]) -> Option<u32> {
        self.0.get(bytes).copied()
    }
}

/// Counts the tokens of words, and keeps its memory from one word to the next.
#[derive(Default)]
pub struct PairEncoder {
    /// Where the part that begins at a byte ends, [`NONE`] for a byte inside a part.
    ends: Vec<u32>,
    /// Where the part before the one that begins at a byte begins.
    before: Vec<u32>,
    /// Neighbours that are a token together: its rank, where it begins and ends. The lowest rank comes first, then the first of
    /// the same.
    pairs: BinaryHeap<Reverse<(u32, u32, u32)>>,
}

impl PairEncoder {
    /// Returns into how many tokens a word of at most 4 GiB falls, in time `n log n` of its bytes.
    pub fn count(&mut self, ranks: &Ranks, word: &[u8]) -> u64 {
        if word.len() < 2 || ranks.of(word).is_some() {
            return word.len().min(1) as u64;
        }
        let length = u32::try_from(word.len()).unwrap_or_else(|_| panic!("a word of more than 4 GiB"));
        self.ends.clear();
        self.ends.extend(1..=length);
        self.before.clear();
        self.before.push(NONE);
        self.before.extend(0..length - 1);
        self.pairs.clear();
        for (start, pair) in (0..).zip(word.windows(2)) {
            if let Some(rank) = ranks.of(pair) {
                self.pairs.push(Reverse((rank, start, start + 2)));
            }
        }
        let mut parts = word.len() as u64;
        while let Some(Reverse((_, start, end))) = self.pairs.pop() {
            parts -= u64::from(self.join(ranks, word, start, end));
        }
        parts
    }

    /// Joins the part at `start` and the next one, if they still end at `end`, and notes what the new part makes with its
    /// neighbours.
    fn join(&mut self, ranks: &Ranks, word: &[u8], start: u32, end: u32) -> bool {
        let middle = self.ends[start as usize];
        if middle == NONE || middle >= end || self.ends[middle as usize] != end {
            return false;
        }
        self.ends[start as usize] = end;
        self.ends[middle as usize] = NONE;
        if let Some(next_end) = self.ends.get(end as usize).copied() {
            self.before[end as usize] = start;
            self.note(ranks, word, start, next_end);
        }
        let before = self.before[start as usize];
        if before != NONE {
            self.note(ranks, word, before, end);
        }
        true
    }

    fn note(&mut self, ranks: &Ranks, word: &[u8], start: u32, end: u32) {
        if let Some(rank) = ranks.of(&word[start as usize..end as usize]) {
            self.pairs.push(Reverse((rank, start, end)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_one_of_the_tokenizer_that_documents_name() {
        let theirs = &bpe_openai::o200k_base().bpe;
        assert_eq!(Ranks::o200k_base().0.len(), TOKENS);
        assert_eq!(theirs.num_tokens(), TOKENS);
        for (token, rank) in &Ranks::o200k_base().0 {
            assert_eq!(theirs.token_bytes(*rank), *token);
        }
    }

    #[test]
    fn each_token_is_one_token_and_most_of_them_can_be_joined_from_bytes() {
        let ranks = Ranks::o200k_base();
        let mut encoder = PairEncoder::default();
        assert_eq!(encoder.count(ranks, b""), 0);
        assert!(ranks.0.keys().all(|token| encoder.count(ranks, token) == 1));
        // The first pair of the lowest rank is joined first: "aaa" is "aa" and "a".
        assert_eq!(
            encoder.count(ranks, b" zzzqqqxxx"),
            bpe_openai::o200k_base().bpe.count(b" zzzqqqxxx") as u64
        );
    }
}
