//! Recognises private keys in binary: DER files, the bags of PKCS#12, and OpenPGP packets.

use super::sample::Sample;

/// What the object identifiers of PKCS#12 bags have in common, without their tag and length.
pub const BAG: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01";

const INTEGER: u8 = 2;
const OCTETS: u8 = 4;
const IDENTIFIER: u8 = 6;
const SEQUENCE: u8 = 0x30;
const FIRST: u8 = 0xa0;

/// Returns whether a bag of PKCS#12 with a private key surrounds the [`BAG`] at `at`. Bags of certificates have other
/// numbers.
///
/// Layout: the identifier `…1` (a key) or `…2` (an encrypted key), then `[0]` with PKCS#8. Java wraps secret keys in an
/// octet string within that.
pub fn bag_is_around(window: &[u8], at: usize) -> bool {
    let is_identifier = window[..at].ends_with(&[IDENTIFIER, BAG.len() as u8 + 1]);
    let Some([kind @ (1 | 2), rest @ ..]) = window.get(at + BAG.len()..) else {
        return false;
    };
    let value = inside(rest, FIRST).map(|value| inside(value, OCTETS).unwrap_or(value));
    let Some(key) = value.and_then(|value| inside(value, SEQUENCE)) else {
        return false;
    };
    let begins = match kind {
        1 => matches!(key, [INTEGER, 1, 0 | 1, SEQUENCE, ..]),
        _ => inside(key, SEQUENCE).is_some_and(|algorithm| algorithm.first() == Some(&IDENTIFIER)),
    };
    is_identifier && begins
}

/// Returns what follows the tag and the length of an element, whose length may also be left open.
fn inside(ber: &[u8], tag: u8) -> Option<&[u8]> {
    match ber {
        [first, length, rest @ ..] if *first == tag => match length {
            ..=0x80 => Some(rest),
            0x81..=0x84 => rest.get(usize::from(length - 0x80)..),
            _ => None,
        },
        _ => None,
    }
}

/// Returns whether this is a file with a private key in binary: DER of PKCS#1, PKCS#8 or SEC 1, or an OpenPGP key as
/// `gpg --export-secret-keys` writes it.
pub fn is_key_file(sample: &Sample) -> bool {
    der_key(sample) == Some(true) || is_openpgp_file(sample)
}

/// Checks a DER sequence that is the whole content.
fn der_key(sample: &Sample) -> Option<bool> {
    /// Fewest bytes of a number that is part of a key, and of an encrypted key.
    const LEAST: usize = 32;
    let (SEQUENCE, key, rest) = element(sample.head)? else {
        return Some(false);
    };
    if !rest.is_empty() || sample.size != sample.head.len() as u64 || sample.tail.is_none() {
        return Some(false);
    }
    let (tag, first, rest) = element(key)?;
    let (next, second, rest) = element(rest)?;
    Some(match (tag, next) {
        // The version, the algorithm and the key.
        (INTEGER, SEQUENCE) => {
            matches!(first, [0 | 1]) && second.first() == Some(&IDENTIFIER) && element(rest)?.0 == OCTETS
        }
        // The version and the numbers of an RSA or DSA key.
        (INTEGER, INTEGER) => {
            let (third, _, rest) = element(rest)?;
            matches!(first, [0 | 1]) && second.len() >= LEAST && third == INTEGER && element(rest)?.0 == INTEGER
        }
        // The version and the number of an EC key.
        (INTEGER, OCTETS) => {
            let follows = rest.is_empty() || matches!(element(rest)?.0, FIRST | 0xa1);
            first == [1] && (20..=72).contains(&second.len()) && follows
        }
        // The algorithm of PKCS#5 or PKCS#12 that the key is encrypted with, and the encrypted key.
        (SEQUENCE, OCTETS) => {
            let (tag, algorithm, _) = element(first)?;
            let encrypts = algorithm.starts_with(b"\x2a\x86\x48\x86\xf7\x0d\x01\x05")
                || algorithm.starts_with(b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01");
            tag == IDENTIFIER && encrypts && second.len() >= LEAST && rest.is_empty()
        }
        _ => false,
    })
}

/// Returns the tag and the content of a DER element that is there as a whole, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, length, rest @ ..] = der else { return None };
    let (length, rest) = match length {
        ..=0x7f => (usize::from(*length), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length - 0x80))?;
            let length = bytes.iter().fold(0, |length, b| length << 8 | usize::from(*b));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// An OpenPGP packet: its tag, its stated length, and what there is of it and behind it.
struct Packet<'a> {
    tag: u8,
    length: usize,
    rest: &'a [u8],
}

fn packet(bytes: &[u8]) -> Option<Packet<'_>> {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, b| number << 8 | usize::from(*b));
    let (first, rest) = bytes.split_first()?;
    let (tag, bytes, length) = match (first & 0xc0, rest) {
        (0x80, _) if first & 3 < 3 => {
            let bytes = 1 << (first & 3);
            (first >> 2 & 15, bytes, number(rest.get(..bytes)?))
        }
        (0xc0, [length @ ..=191, ..]) => (first & 63, 1, usize::from(*length)),
        (0xc0, [a @ 192..=223, b, ..]) => (first & 63, 2, (usize::from(*a) - 192) * 256 + usize::from(*b) + 192),
        (0xc0, [255, length @ ..]) => (first & 63, 5, number(length.get(..4)?)),
        _ => return None,
    };
    Some(Packet {
        tag,
        length,
        rest: &rest[bytes..],
    })
}

/// Returns whether these bytes begin with a secret key or subkey of OpenPGP, of which at least seven eighths are there.
pub fn is_openpgp(bytes: &[u8]) -> bool {
    secret_key(bytes).is_some_and(|key| key.rest.len() >= key.length - key.length / 8)
}

/// Returns the packet of a secret key or subkey with a known version and algorithm.
fn secret_key(bytes: &[u8]) -> Option<Packet<'_>> {
    const SECRET_KEY: u8 = 5;
    const SECRET_SUBKEY: u8 = 7;
    const LEAST: usize = 32;
    let key = packet(bytes)?;
    let algorithm = match key.rest {
        // Version 3 has two bytes more, for how long the key is valid.
        [3, _, _, _, _, _, _, algorithm, ..] => *algorithm,
        [4..=6, _, _, _, _, algorithm, ..] => *algorithm,
        _ => return None,
    };
    let known = matches!(algorithm, 1..=3 | 16..=19 | 22..=36);
    (matches!(key.tag, SECRET_KEY | SECRET_SUBKEY) && known && key.length >= LEAST).then_some(key)
}

/// Returns whether this is a secret key of OpenPGP with what belongs to it: a user, a signature or a subkey.
fn is_openpgp_file(sample: &Sample) -> bool {
    secret_key(sample.head).is_some_and(|key| {
        let follows = key.rest.get(key.length..).and_then(packet);
        follows.is_some_and(|next| matches!(next.tag, 2 | 7 | 13 | 14 | 17))
    })
}
