//! SHA-256 digests and content refs (`sha256:` and 64 lowercase hex digits).

use std::cmp::Ordering;
use std::fmt;
use std::io::{self, BufWriter, Read, Write};

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;
use sha2::digest::common::hazmat::SerializableState as _;

/// A SHA-256 digest; displays and serialises as a content ref.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Ord for Digest {
    /// Compares bytewise. Nearly all digests differ in their first bytes, which are compared as one number.
    fn cmp(&self, other: &Self) -> Ordering {
        self.lead().cmp(&other.lead()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Digest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Digest {
    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Wraps 32 raw bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn lead(&self) -> u64 {
        let [lead, ..] = self.0.as_chunks::<8>().0 else {
            return 0;
        };
        u64::from_be_bytes(*lead)
    }

    /// Returns 64 lowercase hex digits.
    pub fn hex(&self) -> String {
        hex_text(&self.hex_bytes()).to_owned()
    }

    /// Returns 64 lowercase hex digits as ASCII bytes.
    pub fn hex_bytes(&self) -> [u8; 64] {
        // Without a table, the compiler makes vector code of this.
        let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
        let mut hex = [0; 64];
        for (pair, byte) in hex.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        hex
    }

    /// Returns the content ref as ASCII bytes.
    pub fn ref_bytes(&self) -> [u8; PREFIX.len() + 64] {
        let mut text = [0; PREFIX.len() + 64];
        text[..PREFIX.len()].copy_from_slice(PREFIX.as_bytes());
        text[PREFIX.len()..].copy_from_slice(&self.hex_bytes());
        text
    }

    /// Parses 64 lowercase hex digits.
    pub fn parse_hex(text: &str) -> Option<Self> {
        parse_hex::<32>(text.as_bytes()).map(Self)
    }

    /// Parses a content ref: exactly `sha256:` and 64 lowercase hex digits.
    pub fn parse_ref(text: &str) -> Option<Self> {
        Self::parse_hex(text.strip_prefix(PREFIX)?)
    }
}

/// Prefix of a content ref.
const PREFIX: &str = "sha256:";

/// Returns hex digits as text.
fn hex_text(digits: &[u8]) -> &str {
    std::str::from_utf8(digits).expect("hex digits are ASCII")
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends two lowercase hex digits for each byte.
pub fn push_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        out.push(char::from(HEX[usize::from(byte >> 4)]));
        out.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

/// Appends a number in decimal digits.
pub fn push_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Parses exactly `2 * N` lowercase hex digits.
pub fn parse_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    fn digit(byte: u8) -> Option<u8> {
        match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        }
    }
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        f.write_str(hex_text(&self.hex_bytes()))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(hex_text(&self.ref_bytes()))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ref;
        impl Visitor<'_> for Ref {
            type Value = Digest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("sha256: and 64 lowercase hex digits")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Digest, E> {
                Digest::parse_ref(text)
                    .ok_or_else(|| E::custom(format!("expected sha256: and 64 lowercase hex digits, found {text:?}")))
            }
        }
        deserializer.deserialize_str(Ref)
    }
}

/// Serialises a digest as 64 bare hex digits, the form of the state lines.
pub mod bare {
    use super::Digest;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the 64 hex digits.
    pub fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(super::hex_text(&digest.hex_bytes()))
    }

    /// Reads the 64 hex digits.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::parse_hex(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("expected 64 lowercase hex digits, found {text:?}")))
    }
}

/// A running SHA-256.
#[derive(Clone, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of everything added.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }

    /// Returns the state after everything added: eight words of 4 bytes and the number of whole blocks in 8, all little endian,
    /// the number of bytes in the block that is not whole yet, and these bytes, filled up with zeros.
    pub fn state(&self) -> [u8; Self::STATE] {
        self.0.serialize().into()
    }

    /// Goes on from a state. `None` if no hasher has such a state.
    pub fn resume(state: &[u8; Self::STATE]) -> Option<Self> {
        sha2::Sha256::deserialize(&(*state).into()).ok().map(Self)
    }

    /// Length of a state in bytes.
    pub const STATE: usize = 104;
}

/// Returns the HMAC-SHA256 of `bytes`.
pub fn hmac_sha256(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    use hmac::{KeyInit as _, Mac as _};
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

/// Returns the digest of what `write` writes, if that is exactly `size` bytes. Stops `write` at more.
pub fn digest_of_written(size: u64, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Option<Digest> {
    let mut out = BufWriter::new(Bounded {
        hasher: Hasher::default(),
        left: size,
    });
    write(&mut out).and_then(|()| out.flush()).ok()?;
    let bounded = out.into_inner().ok()?;
    (bounded.left == 0).then(|| bounded.hasher.finish())
}

/// Hashes at most so many bytes.
struct Bounded {
    hasher: Hasher,
    left: u64,
}

impl Write for Bounded {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self.left.checked_sub(buf.len() as u64) {
            Some(left) => self.left = left,
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        self.hasher.update(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A wrapper that hashes and counts the bytes read from or written to `inner`.
pub struct Hashing<T> {
    inner: T,
    hasher: Hasher,
    count: u64,
}

impl<T> Hashing<T> {
    /// Wraps `inner`. Nothing is hashed yet.
    pub fn new(inner: T) -> Self {
        Self {
            inner,
            hasher: Hasher::default(),
            count: 0,
        }
    }

    /// Returns the digest of everything hashed so far followed by `more`.
    pub fn digest_with(&self, more: &[u8]) -> Digest {
        let mut hasher = self.hasher.clone();
        hasher.update(more);
        hasher.finish()
    }

    /// Returns the inner value, the digest, and the number of bytes hashed.
    pub fn finish(self) -> (T, Digest, u64) {
        (self.inner, self.hasher.finish(), self.count)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hasher.update(&buf[..n]);
        self.count += n as u64;
        Ok(n)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(buf)?;
        self.hasher.update(&buf[..n]);
        self.count += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_is_that_of_rfc_4231() {
        let mac = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(Digest::from_bytes(mac).hex(), expected);
    }

    #[test]
    fn content_refs_have_one_spelling() {
        let digest = Digest::of(b"");
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.to_string(), text);
        assert_eq!(Digest::parse_ref(text), Some(digest));
        for wrong in [
            text.to_uppercase(),
            text.replace("sha256:", ""),
            format!("{text}0"),
            text.replace("sha256:", "sha512:"),
        ] {
            assert_eq!(Digest::parse_ref(&wrong), None, "{wrong}");
        }
    }
}
