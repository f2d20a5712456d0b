//! Finds private keys in every writing: plain, in base64 (as in a Kubernetes Secret), and in two-byte characters
//! (UTF-16).
//!
//! One search finds the signs of all of them.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use memchr::memmem;

use super::jwk;
use super::keys::{self, REACH, has_plain_key};
use crate::format::derived::SignSearch;

/// A sign that a key may be nearby.
#[derive(Clone, Copy)]
enum Sign {
    /// Part of the marker of a PEM key.
    Pem,
    /// Part of the prefix of an age identity.
    Age,
    /// Part of the first line of a PuTTY key.
    Putty,
    /// Part of the identifier of a PKCS#12 bag.
    Bag,
    /// The name of the member that a JSON Web Key has.
    Jwk,
}

impl Sign {
    /// Most letters of base64 between the start of a key and the sign.
    fn letters_before(self) -> usize {
        match self {
            Self::Pem | Self::Age | Self::Putty | Self::Bag => 48,
            Self::Jwk => 4096,
        }
    }
}

/// Parts of markers to find in base64. Each kind of text has two parts that do not overlap, so that a line end inside
/// one leaves the other intact. Keystores and JSON Web Keys, which are short or on one line, have one.
const PARTS: [(&[u8], Sign); 10] = [
    (b"-----BEGIN", Sign::Pem),
    (b"PRIVATE KEY", Sign::Pem),
    (b"AGE-SEC", Sign::Age),
    (b"RET-KEY-1", Sign::Age),
    (b"age-sec", Sign::Age),
    (b"ret-key-1", Sign::Age),
    (b"PuTTY-User", Sign::Putty),
    (b"Key-File-", Sign::Putty),
    (b"\x0d\x01\x0c\x0a\x01", Sign::Bag),
    (b"\"kty\"", Sign::Jwk),
];

/// Markers to find in two-byte characters whose second byte is zero.
const WIDE: [(&[u8], Sign); 5] = [
    (b"PRIVATE KEY-", Sign::Pem),
    (b"PRIVATE KEY B", Sign::Pem),
    (b"AGE-SECRET-", Sign::Age),
    (b"age-secret-", Sign::Age),
    (b"PuTTY-User-", Sign::Putty),
];

/// The writing of a sign.
#[derive(Clone, Copy)]
enum Writing {
    /// In base64. The first letter of the sign is at this position in its group of four.
    Base64(usize),
    /// In two-byte characters.
    Wide,
}

/// What a match of the search means.
#[derive(Clone, Copy)]
enum Meaning {
    /// The plain marker with this number.
    Marker(usize),
    /// A sign in another writing.
    Written(Sign, Writing),
}

struct Signs {
    search: AhoCorasick,
    meanings: Vec<Meaning>,
}

static SIGNS: LazyLock<Signs> = LazyLock::new(|| {
    let mut needles: Vec<Vec<u8>> = keys::markers().map(<[u8]>::to_vec).collect();
    let mut meanings: Vec<Meaning> = (0..needles.len()).map(Meaning::Marker).collect();
    for (part, sign) in PARTS {
        for before in 0..3 {
            let (needle, place) = in_base64(part, before);
            needles.push(needle);
            meanings.push(Meaning::Written(sign, Writing::Base64(place)));
        }
    }
    for (marker, sign) in WIDE {
        let mut needle: Vec<u8> = marker.iter().flat_map(|&letter| [letter, 0]).collect();
        needle.pop();
        needles.push(needle);
        meanings.push(Meaning::Written(sign, Writing::Wide));
    }
    let search = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        // Candidates are found without it, and a larger one takes as long to build as a hook has for many files.
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(needles);
    Signs {
        search: search.expect("a few short needles make a small automaton"),
        meanings,
    }
});

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Returns the base64 letters of `part` that do not depend on the bytes around it, if `before` bytes precede it in its
/// group of three. Also returns the position of the first letter in its group of four.
fn in_base64(part: &[u8], before: usize) -> (Vec<u8>, usize) {
    let bytes = [&[0; 2][..before], part].concat();
    let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    let letters = (first..end).map(|letter| {
        let value = (0..6).fold(0, |value, at| value << 1 | bit(letter * 6 + at));
        ALPHABET[usize::from(value)]
    });
    (letters.collect(), first % 4)
}

/// Most bytes of a sign.
const SIGN: usize = 32;

/// Returns whether `bytes` contain a private key. `search` says where to look for signs of one, and takes note if there is none.
pub fn has_key_of(bytes: &[u8], search: &SignSearch<'_>) -> bool {
    let signs = &SIGNS.search;
    let has_none = match search.parts(bytes.len(), SIGN) {
        Some(parts) => parts.into_iter().all(|part| !signs.is_match(&bytes[part])),
        None => !signs.is_match(bytes),
    };
    search.has_none.set(has_none);
    !has_none && has_key(bytes, 0..bytes.len())
}

/// Returns whether `window` contains a private key with a sign that begins within `judged`.
pub fn has_key(window: &[u8], judged: Range<usize>) -> bool {
    let signs = &*SIGNS;
    let searched = &window[judged.start..window.len().min(judged.end + SIGN)];
    signs.search.find_iter(searched).any(|found| {
        let at = judged.start + found.start();
        at < judged.end
            && match signs.meanings[found.pattern().as_usize()] {
                Meaning::Marker(number) => keys::is_around(window, at, number),
                Meaning::Written(sign, Writing::Base64(place)) => {
                    Base64::around(window, at, place, sign.letters_before()).is_some_and(|text| is_key(sign, text))
                }
                Meaning::Written(sign, Writing::Wide) => is_key(sign, Wide::around(window, at)),
            }
    })
}

/// Returns whether the text is a key, or begins with one.
///
/// Reads no more than a key may have and stops at the next marker, so that a file full of markers costs no more than
/// any other.
fn is_key(sign: Sign, mut text: impl Iterator<Item = u8>) -> bool {
    const HEAD: usize = 192;
    let mut read: Vec<u8> = text.by_ref().take(HEAD).collect();
    match sign {
        Sign::Age | Sign::Bag => {}
        Sign::Putty => read.extend(text.take(4096)),
        Sign::Jwk => read.extend(text.take(jwk::AFTER)),
        Sign::Pem => {
            let Some(begins) = memmem::find(&read, b"-----BEGIN ") else {
                return false;
            };
            let ends: [&[u8]; 2] = [b"PRIVATE KEY-----", b"PRIVATE KEY BLOCK-----"];
            let end = |end: &&[u8]| memmem::find(&read[begins..], end).map(|at| begins + at + end.len());
            let Some(body) = ends.iter().find_map(end) else {
                return false;
            };
            if memmem::find(&read[body..], b"-----").is_none() {
                let mut dashes = 0;
                for letter in text {
                    read.push(letter);
                    dashes = if letter == b'-' { dashes + 1 } else { 0 };
                    if dashes == 5 {
                        break;
                    }
                }
            }
        }
    }
    has_plain_key(&read)
}

/// Decodes base64 in lines, and skips white space and escapes before and between them.
struct Base64<'w> {
    rest: &'w [u8],
    bits: u32,
    count: u32,
}

impl<'w> Base64<'w> {
    /// Decodes the text around the sign at `at`, whose first letter is at position `place` in its group of four.
    ///
    /// `before` is how many letters there may be between the start of a key and the sign.
    fn around(window: &'w [u8], at: usize, place: usize, before: usize) -> Option<Self> {
        /// Most bytes between two letters.
        const BETWEEN: usize = 128;
        let mut start = (place == 0).then_some(at);
        let (mut letters, mut between) = (0, 0);
        for (index, byte) in window[..at].iter().enumerate().rev() {
            match value(*byte) {
                Some(_) if escapes(window, index) => between += 1,
                Some(_) => {
                    (letters, between) = (letters + 1, 0);
                    if letters % 4 == place {
                        start = Some(index);
                    }
                }
                None if is_between(*byte) => between += 1,
                None => break,
            }
            if letters == before || between > BETWEEN {
                break;
            }
        }
        Some(Self {
            rest: &window[start?..window.len().min(at + REACH)],
            bits: 0,
            count: 0,
        })
    }
}

/// Returns whether the letter at `at` belongs to an escaped line end or tab.
fn escapes(window: &[u8], at: usize) -> bool {
    matches!(window[at], b'n' | b'r' | b't') && at > 0 && window[at - 1] == b'\\'
}

fn is_between(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'\\')
}

fn value(letter: u8) -> Option<u8> {
    Some(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

impl Iterator for Base64<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        while self.count < 8 {
            let (letter, rest) = self.rest.split_first()?;
            self.rest = rest;
            match value(*letter) {
                Some(value) => {
                    self.bits = self.bits << 6 | u32::from(value);
                    self.count += 6;
                }
                None if *letter == b'\\' => {
                    if let [b'n' | b'r' | b't', rest @ ..] = self.rest {
                        self.rest = rest;
                    }
                }
                None if is_between(*letter) => {}
                None => return None,
            }
        }
        self.count -= 8;
        Some((self.bits >> self.count) as u8)
    }
}

/// Iterates over every other byte, as long as the bytes between them are zero.
struct Wide<'w> {
    window: &'w [u8],
    at: usize,
    end: usize,
}

impl<'w> Wide<'w> {
    /// Reads the text around the sign at `at`. Works in both byte orders, since zeros lie between the letters in
    /// either.
    fn around(window: &'w [u8], at: usize) -> Self {
        /// Most letters between the start of a marker and a sign in it.
        const BEFORE: usize = 32;
        let is_wide = |at: &usize| window[*at + 1] == 0;
        let before = (1..=BEFORE).map_while(|back| at.checked_sub(2 * back));
        Self {
            window,
            at: before.take_while(is_wide).last().unwrap_or(at),
            end: window.len().min(at + REACH),
        }
    }
}

impl Iterator for Wide<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let letter = *self.window[..self.end].get(self.at)?;
        // The last letter may have no byte after it.
        let is_wide = self.window.get(self.at + 1).is_none_or(|zero| *zero == 0);
        self.at += 2;
        is_wide.then_some(letter)
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of one range are meant")]
mod tests {
    use super::super::tests::samples;
    use super::*;

    #[test]
    fn a_key_is_found_that_is_put_together_of_pieces_without_a_sign() {
        let search = |bytes: &[u8], fresh: Option<&[Range<usize>]>| {
            let search = SignSearch {
                fresh,
                ..SignSearch::default()
            };
            let found = has_key_of(bytes, &search);
            assert!(!(found && search.has_none.get()));
            (found, search.has_none.into_inner())
        };
        let mut found = 0;
        for (name, key) in samples("private-key") {
            for cut in 1..key.len().min(2000) {
                let (first, second) = key.split_at(cut);
                let base = [first, b"\n~~~~\n", second].concat();
                if search(&base, None) != (false, true) {
                    continue;
                }
                assert!(has_key(&key, 0..key.len()) || name.contains("whole_"), "{name}");
                let seam = [cut..cut];
                assert_eq!(search(&key, Some(&seam)).0, has_key(&key, 0..key.len()), "{name} {cut}");
                found += 1;
                // Without the seam, it would be one piece of the base.
                assert_eq!(search(&base, Some(&[])), (false, true), "{name} {cut}");
            }
        }
        assert!(found > 10, "{found}");
    }

    #[test]
    fn no_sign_is_longer_than_is_searched_for() {
        assert!(SIGNS.meanings.len() > 40 && SIGNS.search.max_pattern_len() <= SIGN);
    }
}
