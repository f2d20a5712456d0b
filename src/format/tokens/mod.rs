//! Counts the tokens that a text has for a language model.

#[cfg(feature = "tokens")]
mod ranks;
#[cfg(feature = "tokens")]
mod words;

/// Name of the vocabulary.
pub const VOCABULARY: &str = "o200k_base";

/// Whether this build can count. Without it, nothing that has tokens is written or judged.
pub const IS_HERE: bool = cfg!(feature = "tokens");

/// Name of the tokenizer whose numbers these are. The tests compare with it. The program carries the vocabulary alone, and
/// not that tokenizer's tables, which take 33 MB.
pub const TOKENIZER: &str = "bpe-openai";

/// Size in bytes of the pieces in which a longer text is counted.
const PIECE: usize = if cfg!(test) { 1 << 18 } else { 16 << 20 };

/// Counts the tokens of a stream of text.
#[derive(Default)]
pub struct TokenCounter {
    pending: Vec<u8>,
    tokens: u64,
}

impl TokenCounter {
    /// Counts the next bytes.
    pub fn see(&mut self, mut bytes: &[u8]) {
        while self.pending.len() + bytes.len() > PIECE {
            let (now, later) = bytes.split_at(PIECE - self.pending.len());
            self.pending.extend_from_slice(now);
            bytes = later;
            let whole = match std::str::from_utf8(&self.pending) {
                Ok(text) => text.len(),
                Err(e) => e.valid_up_to(),
            };
            // Non-text input has no valid prefix to count. Count it as it is, so that it is not buffered without limit.
            let whole = if whole == 0 { self.pending.len() } else { whole };
            let rest = self.pending.split_off(whole);
            self.tokens += count(&self.pending);
            self.pending = rest;
        }
        self.pending.extend_from_slice(bytes);
    }

    /// Returns the number of tokens.
    pub fn finish(self) -> u64 {
        self.tokens + count(&self.pending)
    }
}

/// Returns the number of tokens of a text.
pub fn count_text(text: &str) -> u64 {
    let mut counter = TokenCounter::default();
    counter.see(text.as_bytes());
    counter.finish()
}

#[cfg(not(feature = "tokens"))]
fn count(bytes: &[u8]) -> u64 {
    assert!(bytes.is_empty(), "this build cannot count tokens");
    0
}

#[cfg(feature = "tokens")]
fn count(bytes: &[u8]) -> u64 {
    let mut encoder = ranks::PairEncoder::default();
    let text = String::from_utf8_lossy(bytes);
    words::words(&text)
        .map(|word| encoder.count(ranks::Ranks::o200k_base(), word.as_bytes()))
        .sum()
}

#[cfg(all(test, feature = "tokens"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_have_the_tokens_that_the_vocabulary_gives_them() {
        // Expected values from tiktoken.
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

    proptest! {
        #[test]
        fn texts_have_as_many_tokens_as_the_tokenizer_says(
            text in "(?s)([a-zA-Z'é ]|[\\s/!1٣]|.|ing|the |tion){0,200}|[a-f]{0,2000}| {0,500}\n{0,30}x",
        ) {
            prop_assert_eq!(count_text(&text), bpe_openai::o200k_base().count(text.as_str()) as u64);
        }
    }

    #[test]
    fn texts_without_words_are_counted_too() {
        for text in [
            " ".repeat(100_000),
            "\n ".repeat(50_000),
            "ab".repeat(50_000),
            "\u{200d}\u{1f3fd}".repeat(10_000),
        ] {
            assert_eq!(count_text(&text), bpe_openai::o200k_base().count(text.as_str()) as u64);
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
}
