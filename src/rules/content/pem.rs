//! Recognises the body of a PEM private key, in files and quoted in source code.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::der;

/// The kind of body that a key's label announces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PemKind {
    /// The format of OpenSSH.
    OpenSsh,
    /// DER, unless a header says that it is encrypted.
    Plain,
    /// DER around encrypted data.
    Encrypted,
    /// The packets of OpenPGP.
    OpenPgp,
    /// Any of these but OpenPGP, or JSON around encrypted data, as Sigstore and cosign write it.
    Other,
}

/// A decoder for bodies without padding.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Returns whether `body`, the text between the markers, is the body of a key. `before` is the byte before the first
/// marker.
///
/// Ignores line ends and their escapes, quotes, commas, plus signs, comment signs and indentation. The rest must decode
/// to at least seven eighths of a key.
pub fn is_key(kind: PemKind, body: &[u8], before: Option<u8>) -> bool {
    // In a patch, each added line begins with a plus sign.
    let added = before == Some(b'+')
        && body
            .split(|&b| b == b'\n')
            .skip(1)
            .all(|l| l.is_empty() || l[0] == b'+');
    let text = unescape(body, added);
    let mut encrypted = false;
    let mut all = Vec::new();
    let mut longest = Vec::new();
    for line in text.split(|&b| b == b'\n') {
        if line.contains(&b':') {
            let upper = line.to_ascii_uppercase();
            encrypted |= contains(&upper, b"PROC-TYPE") && contains(&upper, b"ENCRYPTED");
            continue;
        }
        let runs = || line.split(|b| !in_base64(*b)).filter(|run| !is_sign(run));
        runs().for_each(|run| all.extend_from_slice(run));
        longest.extend_from_slice(runs().max_by_key(|run| run.len()).unwrap_or_default());
    }
    [all, longest].iter().any(|base64| {
        let decoded = decode(base64);
        match kind {
            PemKind::OpenSsh => is_openssh(&decoded),
            PemKind::OpenPgp => der::is_openpgp(&decoded),
            PemKind::Plain | PemKind::Other if encrypted => is_encrypted(base64, body),
            PemKind::Plain | PemKind::Encrypted => is_der(&decoded, kind),
            PemKind::Other => {
                is_openssh(&decoded)
                    || is_der(&decoded, PemKind::Plain)
                    || is_der(&decoded, PemKind::Encrypted)
                    || is_sealed_json(&decoded)
            }
        }
    })
}

/// Returns whether, after a line end or its escape, `text` has a line of at least `count` letters of base64.
pub fn opens_with_base64(text: &[u8], count: usize) -> bool {
    let text = unescape(&text[..text.len().min(16 + 2 * count)], false);
    let mut lines = text.split(|&b| b == b'\n');
    lines
        .next()
        .is_some_and(|rest| !rest.iter().any(u8::is_ascii_alphanumeric))
        && lines.any(|line| line.split(|b| !in_base64(*b)).any(|run| run.len() >= count))
}

/// Replaces escaped line ends and escaped letters by the characters they stand for. With `added`, removes the plus sign
/// from each line.
fn unescape(body: &[u8], added: bool) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len());
    let mut rest = body;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'\\' => {
                // Text that was quoted several times has several backslashes.
                while let [b'\\', tail @ ..] = rest {
                    rest = tail;
                }
                let hex = |digits: &[u8]| {
                    let digits = std::str::from_utf8(digits).ok()?;
                    u8::from_str_radix(digits, 16).ok()
                };
                let (plain, length) = match rest {
                    [b'u', b'0', b'0', a, b, ..] => (hex(&[*a, *b]), 5),
                    [b'x', a, b, ..] => (hex(&[*a, *b]), 3),
                    [b'n' | b'r', ..] => (Some(b'\n'), 1),
                    [b't', ..] => (Some(b' '), 1),
                    _ => (None, 0),
                };
                text.extend(plain);
                rest = &rest[length..];
            }
            b'\r' | b'\n' => {
                text.push(b'\n');
                if added {
                    rest = rest.strip_prefix(b"+").unwrap_or(rest);
                }
            }
            letter => text.push(*letter),
        }
    }
    text
}

fn in_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Returns whether a run belongs to source code around the key: concatenation, a comment or an assignment.
fn is_sign(run: &[u8]) -> bool {
    run.len() < 4 && run.iter().all(|b| matches!(b, b'+' | b'/' | b'='))
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(text, word).is_some()
}

fn decode(base64: &[u8]) -> Vec<u8> {
    let mut letters: Vec<u8> = base64.iter().copied().filter(|b| *b != b'=').collect();
    if letters.len() % 4 == 1 {
        letters.pop();
    }
    ENGINE.decode(letters).unwrap_or_default()
}

/// Returns whether `bytes` has at least seven eighths of `whole` bytes.
fn nearly(bytes: &[u8], whole: usize) -> bool {
    bytes.len() >= whole - whole / 8
}

/// Returns whether this is a JSON object with the parameters and the result of an encryption.
fn is_sealed_json(key: &[u8]) -> bool {
    key.starts_with(b"{")
        && [&b"\"kdf\""[..], b"\"ciphertext\""]
            .iter()
            .all(|member| contains(key, member))
}

/// Returns whether this is a key in the format of OpenSSH.
///
/// Layout: `"openssh-key-v1\0"`; the cipher, the key derivation and its options; the number of keys; a public and a
/// private part. All fields but the number are preceded by their lengths.
fn is_openssh(key: &[u8]) -> bool {
    fn field(bytes: &[u8]) -> Option<(usize, &[u8])> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        Some((u32::from_be_bytes(*length).try_into().ok()?, rest))
    }
    fn whole(key: &[u8]) -> Option<usize> {
        let mut rest = key.strip_prefix(b"openssh-key-v1\0")?;
        for part in 0..4 {
            let (length, after) = field(rest)?;
            rest = after.get(length..)?;
            if part == 2 {
                rest = rest.get(4..)?;
            }
        }
        let (length, after) = field(rest)?;
        let read = key.len() - after.len();
        (length >= 32).then(|| read.checked_add(length)).flatten()
    }
    whole(key).is_some_and(|whole| nearly(key, whole))
}

/// Returns whether this is a DER sequence that begins like a private key: with a version followed by a number (RSA,
/// DSA), an octet string (EC) or an algorithm (PKCS#8), or with the algorithm that it is encrypted with.
fn is_der(key: &[u8], kind: PemKind) -> bool {
    const LEAST: usize = 32;
    let Some((length, content)) = sequence(key) else {
        return false;
    };
    let begins = match (kind, content) {
        (PemKind::Encrypted, [0x30, ..]) => {
            sequence(content).is_some_and(|(_, algorithm)| algorithm.first() == Some(&6))
        }
        (PemKind::Encrypted, _) => false,
        (_, [2, 1, 0 | 1, 2 | 4 | 0x30, ..]) => true,
        _ => false,
    };
    begins && length >= LEAST && nearly(key, key.len() - content.len() + length)
}

/// Returns the stated length of a DER sequence and the part of its content that is present.
fn sequence(der: &[u8]) -> Option<(usize, &[u8])> {
    match der {
        [0x30, length @ ..=0x7f, rest @ ..] => Some((usize::from(*length), rest)),
        [0x30, 0x81, length, rest @ ..] => Some((usize::from(*length), rest)),
        [0x30, 0x82, a, b, rest @ ..] => Some((usize::from(u16::from_be_bytes([*a, *b])), rest)),
        _ => None,
    }
}

/// Returns whether `base64` may be a wholly encrypted key: its length is a multiple of the cipher's block, and its
/// letters vary like those of random bytes.
fn is_encrypted(base64: &[u8], body: &[u8]) -> bool {
    let letters = base64.iter().filter(|b| **b != b'=').count();
    let mut seen = [false; 256];
    base64.iter().for_each(|b| seen[usize::from(*b)] = true);
    let distinct = seen.iter().filter(|seen| **seen).count();
    letters >= 64 && (letters * 3 / 4).is_multiple_of(8) && distinct >= 24 && !contains(body, b"...")
}
