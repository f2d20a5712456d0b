//! Cuts a text that is larger than a budget of tokens: at line ends, and within a line only if that alone is too large.

use std::ops::Range;

use crate::format::tokens::count_text;

/// Size in bytes of the pieces in which a long line is counted. A line is cut between two of them.
const STEP: usize = 64;

/// Returns the byte ranges of the parts of a text. Each has at most `room` tokens, counted line by line. `None` if a
/// piece of a line has more.
pub fn cut(text: &str, room: u64) -> Option<Vec<Range<usize>>> {
    let mut parts = Vec::new();
    let (mut from, mut at, mut used) = (0, 0, 0);
    for line in text.split_inclusive('\n') {
        let tokens = count_text(line);
        if used + tokens <= room {
            used += tokens;
            at += line.len();
            continue;
        }
        if at > from {
            parts.push(from..at);
            (from, used) = (at, 0);
        }
        if tokens <= room {
            used = tokens;
            at += line.len();
            continue;
        }
        for piece in pieces(line) {
            let tokens = count_text(piece);
            if tokens > room {
                return None;
            }
            if used + tokens > room {
                parts.push(from..at);
                (from, used) = (at, 0);
            }
            used += tokens;
            at += piece.len();
        }
    }
    if at > from {
        parts.push(from..at);
    }
    Some(parts)
}

/// Splits a line into pieces of whole characters. A line end is never alone.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let most = STEP.min(rest.len());
        let mut end = (1..=most).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(most);
        if rest.len() - end <= 2 {
            end = rest.len();
        }
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_stay_whole_where_they_fit() {
        let text = "one two three\n".repeat(50);
        let parts = cut(&text, 20).unwrap();
        assert!(parts.len() > 5);
        for part in &parts {
            assert!(text[part.clone()].ends_with('\n') && count_text(&text[part.clone()]) <= 20);
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let line = "日本語のとても長い行 ".repeat(200);
        let text = format!("first\n{line}\nlast\n");
        let parts = cut(&text, 100).unwrap();
        let texts: Vec<&str> = parts.iter().map(|part| &text[part.clone()]).collect();
        assert_eq!(texts[0], "first\n");
        assert!(texts.last().unwrap().ends_with("\nlast\n"));
        assert_eq!(cut("日本語のとても長い行です、本当に", 2), None);
    }

    proptest! {
        #[test]
        fn every_byte_is_in_one_part(text in "([a-zé日 ]{0,90}|\n|\r\n|`{1,9}){0,30}", room in 66u64..300) {
            let parts = cut(&text, room).unwrap();
            let joined: String = parts.iter().map(|part| &text[part.clone()]).collect();
            prop_assert_eq!(&joined, &text);
            prop_assert!(parts.iter().all(|part| !part.is_empty()));
            let ends_a_line = |part: &Range<usize>| text[..part.end].ends_with('\n') || part.end == text.len();
            let longest = text.split_inclusive('\n').map(count_text).max().unwrap_or(0);
            prop_assert!(longest > room || parts.iter().all(ends_a_line));
        }
    }
}
