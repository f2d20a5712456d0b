//! Finds private keys anywhere in some bytes: age identities, PEM, OpenPGP and PuTTY files, JSON Web Keys and the bags
//! of PKCS#12, plain or encoded.

use std::sync::LazyLock;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use memchr::memmem::{self, Finder};

use super::{der, jwk, pem};

/// Most bytes between a key's marker and its end.
pub const REACH: usize = 64 * 1024;

/// Most bytes between a key's start and the sign that is searched for, with line ends and indentation between them: of
/// all keys, JSON Web Keys have most before it.
pub const BEFORE: usize = jwk::BEFORE;

/// Most bytes of the label of a PEM key.
const LABEL: usize = 64;

/// A marker, and the check for a key around it.
type Marker = (Finder<'static>, fn(&[u8], usize) -> bool);

static MARKERS: LazyLock<[Marker; 9]> = LazyLock::new(|| {
    [
        (Finder::new(KEY), |window, at| {
            identity(window, at) || pem_key(window, at)
        }),
        (Finder::new(LOWERCASE_KEY), identity),
        (Finder::new(PUTTY), putty_key),
        (Finder::new(PGP), pgp_key),
        (Finder::new(der::BAG), der::bag_is_around),
        (Finder::new(b"kty\""), jwk::is_around),
        (Finder::new(b"kty'"), jwk::is_around),
        (Finder::new(b"kty\\"), jwk::is_around),
        (Finder::new(b"kty:"), jwk::is_around),
    ]
});

/// Part of `AGE-SECRET-KEY-` and of `PRIVATE KEY-----`.
const KEY: &[u8] = b"KEY-";
const LOWERCASE_KEY: &[u8] = b"secret-key-";
const PUTTY: &[u8] = b"PuTTY-User-Key-File-";
const PGP: &[u8] = b"PRIVATE KEY BLOCK-";

/// Returns whether a short text contains a plain private key. Longer texts are searched for all writings of a key at once.
pub fn has_plain_key(text: &[u8]) -> bool {
    MARKERS
        .iter()
        .any(|(finder, is_key)| finder.find_iter(text).any(|at| is_key(text, at)))
}

/// Returns the markers of plain keys.
pub fn markers() -> impl Iterator<Item = &'static [u8]> {
    MARKERS.iter().map(|(finder, _)| finder.needle())
}

/// Returns whether a key surrounds the marker at `at`. `marker` is its index in [`markers`].
pub fn is_around(window: &[u8], at: usize, marker: usize) -> bool {
    MARKERS[marker].1(window, at)
}

/// Returns whether an age identity with a valid checksum surrounds the marker at `at`.
fn identity(window: &[u8], at: usize) -> bool {
    const DATA: usize = "1".len() + 52 + 6;
    ["AGE-SECRET-KEY-", "AGE-SECRET-KEY-PQ-"].into_iter().any(|prefix| {
        // Both kinds hold 32 bytes. The marker is the "KEY-" or the "SECRET-KEY-" in the prefix.
        let marker = if window[at] == b'K' {
            "AGE-SECRET-".len()
        } else {
            "AGE-".len()
        };
        let Some(start) = at.checked_sub(marker) else {
            return false;
        };
        let Some(text) = window.get(start..start + prefix.len() + DATA) else {
            return false;
        };
        text[..prefix.len()].eq_ignore_ascii_case(prefix.as_bytes())
            && std::str::from_utf8(text).is_ok_and(|text| {
                CheckedHrpstring::new::<Bech32>(text).is_ok_and(|parsed| parsed.hrp() == Hrp::parse_unchecked(prefix))
            })
    })
}

/// Returns whether a PEM private key surrounds the `KEY-` at `at`.
fn pem_key(window: &[u8], at: usize) -> bool {
    armored(window, at, b"KEY-----", |label| match label {
        b"OPENSSH PRIVATE " => Some(pem::PemKind::OpenSsh),
        b"RSA PRIVATE " | b"DSA PRIVATE " | b"EC PRIVATE " | b"PRIVATE " => Some(pem::PemKind::Plain),
        b"ENCRYPTED PRIVATE " => Some(pem::PemKind::Encrypted),
        // Whatever else a program calls its keys, the body decides.
        _ => (label.ends_with(b" PRIVATE ") && label.iter().all(is_in_label)).then_some(pem::PemKind::Other),
    })
}

fn is_in_label(byte: &u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'_' | b'.')
}

/// Returns whether an armored private key of OpenPGP surrounds the `PRIVATE KEY BLOCK-` at `at`.
fn pgp_key(window: &[u8], at: usize) -> bool {
    armored(window, at, b"PRIVATE KEY BLOCK-----", |label| {
        (label == b"PGP ").then_some(pem::PemKind::OpenPgp)
    })
}

/// Returns whether a key in armor surrounds the end of its first line at `at`. `kind` tells from the start of its label
/// what its body is.
fn armored(window: &[u8], at: usize, end: &[u8], kind: fn(&[u8]) -> Option<pem::PemKind>) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let before = &window[at.saturating_sub(LABEL)..at];
    let Some(label) = memmem::rfind(before, BEGIN) else {
        return false;
    };
    let Some(rest) = window[at..].strip_prefix(end) else {
        return false;
    };
    let Some(kind) = kind(&before[label + BEGIN.len()..]) else {
        return false;
    };
    let start = at - before.len() + label;
    let rest = &rest[..rest.len().min(REACH)];
    let body = &rest[..memmem::find(rest, b"-----").unwrap_or(rest.len())];
    pem::is_key(kind, body, start.checked_sub(1).map(|before| window[before]))
}

/// Returns whether a PuTTY private key of version 2 or 3, including its private lines, begins at `at`.
fn putty_key(window: &[u8], at: usize) -> bool {
    const PRIVATE: &[u8] = b"Private-Lines: ";
    let rest = &window[at + PUTTY.len()..window.len().min(at + REACH)];
    let rest = &rest[..memmem::find(rest, PUTTY).unwrap_or(rest.len())];
    if !matches!(rest, [b'2' | b'3', b':', ..]) {
        return false;
    }
    let Some(lines) = memmem::find(rest, PRIVATE) else {
        return false;
    };
    let lines = &rest[lines + PRIVATE.len()..];
    let digits = lines.iter().take_while(|b| b.is_ascii_digit()).count();
    digits > 0 && pem::opens_with_base64(&lines[digits..], 40)
}
