//! Texts for paths of a tree, whose bytes need not be UTF-8, and the way back.
//!
//! A segment that is not UTF-8 is written as [`MARK`] and its bytes: what is UTF-8 stands as it is, a `%` becomes `%25`,
//! every other byte `%` and two capital hex digits. So that there is a way back, a segment that begins with the mark is
//! written so, too. All other segments are their own text.

use std::borrow::Cow;

/// The beginning of a segment that stands for bytes.
pub const MARK: &str = "%raw-";

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Returns the text of a path. Different paths have different texts.
pub fn text_of(path: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(path) {
        Ok(text) if !may_have_mark(text) => Cow::Borrowed(text),
        _ => {
            let segments: Vec<Cow<'_, str>> = path.split(|byte| *byte == b'/').map(segment).collect();
            Cow::Owned(segments.join("/"))
        }
    }
}

/// Returns whether a segment may begin with the mark. Nearly no path has its first character, which is found much faster.
fn may_have_mark(text: &str) -> bool {
    text.as_bytes().contains(&b'%') && text.contains(MARK)
}

fn segment(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.starts_with(MARK)
    {
        return Cow::Borrowed(text);
    }
    let mut text = MARK.to_owned();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        for byte in chunk.invalid() {
            text.push('%');
            text.extend([byte >> 4, byte & 15].map(|digit| char::from(HEX[usize::from(digit)])));
        }
    }
    Cow::Owned(text)
}

/// Returns the path that a text stands for. A text that [`text_of`] does not return stands for its own bytes.
pub fn path_of(text: &str) -> Cow<'_, [u8]> {
    match may_have_mark(text) {
        true => unescaped(text).map_or(Cow::Borrowed(text.as_bytes()), Cow::Owned),
        false => Cow::Borrowed(text.as_bytes()),
    }
}

/// Returns whether a text is one that [`text_of`] returns.
pub fn is_text(text: &str) -> bool {
    !may_have_mark(text) || unescaped(text).is_some()
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut path = Vec::with_capacity(text.len());
    for segment in text.split_inclusive('/') {
        let Some(mut rest) = segment.strip_prefix(MARK) else {
            path.extend_from_slice(segment.as_bytes());
            continue;
        };
        while let Some((before, after)) = rest.split_once('%') {
            path.extend_from_slice(before.as_bytes());
            path.push(u8::from_str_radix(after.get(..2)?, 16).ok()?);
            rest = &after[2..];
        }
        path.extend_from_slice(rest.as_bytes());
    }
    // Every other spelling would be a second text of the same path.
    (text_of(&path) == text).then_some(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_are_not_utf8_are_marked_and_escaped() {
        for (path, text) in [
            (&b"src/main.rs"[..], "src/main.rs"),
            (b"caf\xe9.txt", "%raw-caf%E9.txt"),
            (b"100% caf\xe9", "%raw-100%25 caf%E9"),
            ("日本\u{e9}".as_bytes(), "日本é"),
            (b"d\xff/a/\xe9\xe9", "%raw-d%FF/a/%raw-%E9%E9"),
            (b"%raw-x/100%", "%raw-%25raw-x/100%"),
            (b"a%raw-x", "a%raw-x"),
            (b"100%E9", "100%E9"),
        ] {
            assert_eq!(text_of(path), text);
            assert_eq!(path_of(text), path, "{text}");
            assert!(is_text(text));
        }
    }

    #[test]
    fn other_spellings_of_an_escape_are_no_texts() {
        for text in [
            "%raw-x",
            "%raw-%2E%2E",
            "%raw-%2Fetc%FF",
            "%raw-caf%e9",
            "%raw-%63af%E9",
            "%raw-%E",
            "%raw-%+9%FF",
            "%raw-%é%FF",
            "%raw-%C3%A9",
            "%raw-",
            "a/%raw-b/%raw-%FF",
        ] {
            assert!(!is_text(text), "{text}");
            assert_eq!(path_of(text), text.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn every_path_comes_back(path in proptest::collection::vec(prop_oneof![
            any::<u8>(), Just(b'%'), Just(b'/'), prop::sample::select(&b"raw-E9"[..])], 0..24), mark in any::<bool>()) {
            let path = [if mark { MARK.as_bytes() } else { b"" }, &path].concat();
            let text = text_of(&path);
            prop_assert!(is_text(&text));
            prop_assert_eq!(path_of(&text), &path[..]);
            prop_assert_eq!(text.split('/').count(), path.split(|byte| *byte == b'/').count());
        }

        #[test]
        fn every_text_is_that_of_its_path_or_its_own(text in "(%raw-)?[a%/E9f-]{0,12}(%raw-)?[%A-F0-9/.]{0,9}") {
            let path = path_of(&text);
            prop_assert_eq!(is_text(&text), text_of(&path) == text);
        }
    }
}
