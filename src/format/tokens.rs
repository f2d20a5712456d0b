//! How many tokens a text has for a language model.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::LazyLock;

use regex_automata::{Anchored, Input, meta::Regex};

/// The vocabulary that is counted with.
pub const VOCABULARY: &str = "o200k_base";

/// The tokenizer.
pub const TOKENIZER: &str = "git-pack";

/// A longer text is counted in pieces of so many bytes.
const PIECE: usize = if cfg!(test) { 256 << 10 } else { 16 << 20 };

/// A longer word is counted in pieces of so many bytes. Tests, which are not optimised, make do with less of both.
const WORD: usize = if cfg!(test) { 16 << 10 } else { 1 << 20 };

/// Counts the tokens of a text as it comes.
#[derive(Default)]
pub struct TokenCounter {
    pending: Vec<u8>,
    tokens: u64,
    merger: Merger,
}

impl TokenCounter {
    /// Sees the next bytes.
    pub fn see(&mut self, mut bytes: &[u8]) {
        while self.pending.len() + bytes.len() > PIECE {
            let (now, later) = bytes.split_at(PIECE - self.pending.len());
            self.pending.extend_from_slice(now);
            bytes = later;
            let whole = match std::str::from_utf8(&self.pending) {
                Ok(text) => text.len(),
                Err(e) => e.valid_up_to(),
            };
            // What is not text is nobody's to count; it must only not be held without end.
            let whole = if whole == 0 { self.pending.len() } else { whole };
            let rest = self.pending.split_off(whole);
            self.tokens += self.merger.count(&self.pending);
            self.pending = rest;
        }
        self.pending.extend_from_slice(bytes);
    }

    /// Returns their number.
    pub fn finish(mut self) -> u64 {
        self.tokens + self.merger.count(&self.pending)
    }
}

/// The tokens of the vocabulary, each with its rank: of two that could be made, the one of the lower rank is.
static RANKS: LazyLock<HashMap<&[u8], u32>> = LazyLock::new(|| {
    let mut rest: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/o200k_base.tokens"));
    let mut tokens = Vec::with_capacity(200_000);
    while let Some((length, behind)) = rest.split_first() {
        let (token, behind) = behind.split_at(usize::from(*length));
        tokens.push(token);
        rest = behind;
    }
    tokens.into_iter().zip(0..).collect()
});

/// What the vocabulary takes for a word. Its own pattern has `\s+(?!\S)` for the last two, of which the first takes one
/// character too many here, and gives it back.
static WORDS: LazyLock<Regex> = LazyLock::new(|| {
    const UPPER: &str = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    const LOWER: &str = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    const ENDING: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
    let words = [
        format!(r"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{ENDING}"),
        format!(r"[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{ENDING}"),
        r"\p{N}{1,3}".into(),
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*".into(),
        r"\s*[\r\n]+".into(),
        r"\s+$".into(),
    ];
    Regex::new_many(&[words.join("|").as_str(), r"\s+\s", r"\s+"]).expect("these are patterns")
});

/// The pattern that takes one character too many.
const SPACES_BEFORE_MORE: usize = 1;

/// Merges the bytes of words into tokens.
#[derive(Default)]
struct Merger {
    /// Where the part that begins at a byte ends; 0 where none begins.
    ends: Vec<u32>,
    /// Where the part before the one that begins at a byte begins.
    before: Vec<u32>,
    /// Parts that would make a token with the one behind them: its rank, where it would begin, and where it would end.
    pairs: BinaryHeap<Reverse<(u32, u32, u32)>>,
}

impl Merger {
    fn count(&mut self, bytes: &[u8]) -> u64 {
        let text = String::from_utf8_lossy(bytes);
        let mut rest = text.as_ref();
        let mut tokens = 0;
        while !rest.is_empty() {
            let found = WORDS.find(Input::new(rest).anchored(Anchored::Yes));
            let found = found.expect("every character is in one of the patterns");
            let mut word = &rest[..found.end()];
            if found.pattern().as_usize() == SPACES_BEFORE_MORE {
                let last = word.chars().next_back().map_or(0, char::len_utf8);
                word = &word[..word.len() - last];
            }
            rest = &rest[word.len()..];
            let pieces = word.as_bytes().chunks(WORD);
            tokens += pieces.map(|piece| self.count_word(piece)).sum::<u64>();
        }
        tokens
    }

    /// Merges two neighbours at a time, those of the lowest rank and of these the first, until no two are a token.
    fn count_word(&mut self, word: &[u8]) -> u64 {
        if RANKS.contains_key(word) {
            return 1;
        }
        let length = u32::try_from(word.len()).expect("a word is cut before it is that long");
        self.ends.clear();
        self.ends.extend(1..=length);
        self.before.clear();
        self.before.extend((0..length).map(|at| at.saturating_sub(1)));
        self.pairs.clear();
        (0..length).for_each(|at| self.offer(word, at));
        let mut parts = u64::from(length);
        while let Some(Reverse((_, at, end))) = self.pairs.pop() {
            let middle = self.ends[at as usize];
            // One of the two may have become part of another token since.
            if middle == 0 || middle == length || self.ends[middle as usize] != end {
                continue;
            }
            self.ends[at as usize] = end;
            self.ends[middle as usize] = 0;
            if end < length {
                self.before[end as usize] = at;
            }
            parts -= 1;
            if at > 0 {
                self.offer(word, self.before[at as usize]);
            }
            self.offer(word, at);
        }
        parts
    }

    fn offer(&mut self, word: &[u8], at: u32) {
        let middle = self.ends[at as usize] as usize;
        let Some(end) = self.ends.get(middle).copied() else {
            return;
        };
        if let Some(rank) = RANKS.get(&word[at as usize..end as usize]) {
            self.pairs.push(Reverse((*rank, at, end)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(bytes: &[u8]) -> u64 {
        let mut counter = TokenCounter::default();
        counter.see(bytes);
        counter.finish()
    }

    fn expected(text: &str) -> u64 {
        bpe_openai::o200k_base().count(text) as u64
    }

    #[test]
    fn texts_have_the_tokens_that_the_vocabulary_gives_them() {
        // As tiktoken counts them.
        for (text, tokens) in [
            ("", 0),
            ("hello world", 2),
            ("hello world\n", 3),
            ("    fn main() {}\n", 5),
        ] {
            let mut counter = TokenCounter::default();
            counter.see(text.as_bytes());
            assert_eq!(counter.finish(), tokens, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_is_counted_in_pieces_cut_between_characters() {
        let text = "é".repeat(PIECE / 2 + 10);
        let text = format!("x{text}");
        let cut = PIECE - 1;
        let mut counter = TokenCounter::default();
        text.as_bytes().chunks(70_001).for_each(|chunk| counter.see(chunk));
        assert_eq!(
            counter.finish(),
            count(&text.as_bytes()[..cut]) + count(&text.as_bytes()[cut..])
        );
    }

    #[test]
    fn a_long_word_is_counted_in_pieces() {
        for character in ["a", " ", "\n", "漢"] {
            let whole = character.repeat(WORD / character.len());
            assert_eq!(count(whole.as_bytes()), expected(&whole), "{character:?}");
            let longer = whole + &character.repeat(10);
            let pieces = longer.as_bytes().chunks(WORD);
            let tokens: u64 = pieces.map(|piece| Merger::default().count_word(piece)).sum();
            assert_eq!(count(longer.as_bytes()), tokens, "{character:?}");
        }
    }

    #[test]
    fn the_texts_of_this_repository_have_as_many_tokens_as_another_counts() {
        for text in [
            include_str!("tokens.rs"),
            include_str!("../../docs/format.md"),
            include_str!("../../README.md"),
            include_str!("../../Cargo.lock"),
        ] {
            assert_eq!(count(text.as_bytes()), expected(text));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_text_has_as_many_tokens_as_another_counts(
            text in prop_oneof![
                "\\PC{0,40}",
                "[a-zA-Z0-9'’ \t\r\n/.,;(){}_-]{0,200}",
                "([A-Z]?[a-z]{1,12}|'(s|RE|ll|Ve)|[ \t\u{a0}\u{3000}\r\n]{1,4}|[0-9]{1,5}|[!-/]{1,4}){0,40}",
                "[\u{0}-\u{250}]{0,100}",
                "[漢字かなカナ한글، \u{301}\u{200d}😀é]{0,100}",
                prop::collection::vec(any::<char>(), 0..60).prop_map(String::from_iter),
            ],
        ) {
            prop_assert_eq!(count(text.as_bytes()), expected(&text), "{:?}", text);
        }
    }
}
