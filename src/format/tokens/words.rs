//! Splits a text into the words that are encoded each on its own, as the vocabulary `o200k_base` defines them.

use std::sync::LazyLock;

use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};

/// Words, numbers, punctuation, ends of lines, and blanks at the end of the text.
const WORD: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"|\s*[\r\n]+",
    r"|\s+$",
);

/// Blanks before another one, which belongs to the next word. The definition says it by a look-ahead, `\s+(?!\S)`, which
/// needs an engine that goes back and may take time beyond all bounds.
const BLANKS: &str = r"\s+\s";

/// A single blank.
const BLANK: &str = r"\s";

/// Returns the words of a text, in time that grows with its length.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    static PATTERNS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new_many(&[WORD, BLANKS, BLANK]).unwrap_or_else(|e| panic!("the patterns of words: {e}"))
    });
    let mut rest = text;
    std::iter::from_fn(move || {
        let found = PATTERNS.find(Input::new(rest).anchored(Anchored::Yes))?;
        let mut end = found.end();
        if found.pattern().as_usize() == 1 {
            end -= rest[..end].chars().next_back().map_or(0, char::len_utf8);
        }
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_split_as_the_vocabulary_says() {
        for (text, expected) in [
            ("", &[][..]),
            ("it's 12345", &["it's", " ", "123", "45"]),
            ("  x", &[" ", " x"]),
            ("a \n\n  b ", &["a", " \n\n", " ", " b", " "]),
            ("f(x)//\n", &["f", "(x", ")//\n"]),
            ("HTMLPage", &["HTMLPage"]),
        ] {
            assert_eq!(words(text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn words_are_those_of_the_tokenizer_that_documents_name(text in "(?s)([a-zA-Z'é ]|[\\s/!1٣]|.){0,200}") {
            let theirs: Vec<_> = bpe_openai::o200k_base().split(&text).collect();
            prop_assert_eq!(words(&text).collect::<Vec<_>>(), theirs);
        }
    }
}
