//! Padded plaintexts: content, zeros, and the length of the content, so that a ciphertext reveals less about the size.
//!
//! The whole has a Padmé size (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with
//! PURBs", section 4): it is at most 12 % larger than the content and reveals O(log log n) bits of its size. The last
//! eight bytes are the length of the content, big endian. All bytes between the two are zero.

use std::io::{self, Read, Write};

const TRAILER: usize = 8;

/// Returns the size in bytes of the padded plaintext for `content` bytes.
pub fn padded_bytes(content: u64) -> u64 {
    padme(content.saturating_add(TRAILER as u64))
}

/// Returns whether some padded plaintext has this size.
pub fn is_padded(bytes: u64) -> bool {
    bytes >= TRAILER as u64 && padme(bytes) == bytes
}

/// Rounds up to the Padmé size: of the bits below the leading one, keeps as many as its exponent has bits, and clears
/// the rest.
fn padme(length: u64) -> u64 {
    if length < 2 {
        return length;
    }
    let exponent = length.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1_u64 << exponent.saturating_sub(kept)) - 1;
    length.saturating_add(mask) & !mask
}

/// A reader that pads the content of another reader.
pub struct Padded<R> {
    inner: R,
    content: u64,
    /// The zeros left, the trailer, and the position in the trailer. Set when the content has ended.
    rest: Option<(u64, [u8; TRAILER], usize)>,
}

impl<R: Read> Padded<R> {
    /// Wraps the reader of the content.
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            content: 0,
            rest: None,
        }
    }

    /// Returns the inner reader.
    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> Read for Padded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.rest.is_none() {
            let n = self.inner.read(buf)?;
            self.content += n as u64;
            if n > 0 {
                return Ok(n);
            }
            let zeros = padded_bytes(self.content) - self.content - TRAILER as u64;
            self.rest = Some((zeros, self.content.to_be_bytes(), 0));
        }
        let Some((zeros, trailer, at)) = &mut self.rest else {
            return Ok(0);
        };
        if *zeros > 0 {
            let n = buf.len().min(usize::try_from(*zeros).unwrap_or(usize::MAX));
            buf[..n].fill(0);
            *zeros -= n as u64;
            return Ok(n);
        }
        let n = buf.len().min(TRAILER - *at);
        buf[..n].copy_from_slice(&trailer[*at..*at + n]);
        *at += n;
        Ok(n)
    }
}

/// A writer that removes the padding and passes the content on, in one pass and constant memory.
pub struct Unpadding<W> {
    inner: W,
    /// Whether the plaintext is padded.
    on: bool,
    total: u64,
    written: u64,
    /// Number of zeros that may be content or padding, which the bytes after them decide.
    zeros: u64,
    /// The last bytes seen, which may be the trailer.
    tail: Vec<u8>,
}

impl<W: Write> Unpadding<W> {
    /// Wraps a writer. Unless the plaintext is `padded`, passes everything on unchanged.
    pub fn new(inner: W, padded: bool) -> Self {
        Self {
            inner,
            on: padded,
            total: 0,
            written: 0,
            zeros: 0,
            tail: Vec::new(),
        }
    }

    /// Writes the rest of the content. Returns the writer and the length of the content in bytes.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        if !self.on {
            return Ok((self.inner, self.total));
        }
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "its padding is invalid");
        let trailer: [u8; TRAILER] = self.tail.as_slice().try_into().map_err(|_| bad())?;
        let content = u64::from_be_bytes(trailer);
        let missing = content.checked_sub(self.written).ok_or_else(bad)?;
        if missing > self.zeros || padded_bytes(content) != self.total {
            return Err(bad());
        }
        self.flush_zeros(missing)?;
        Ok((self.inner, content))
    }

    fn flush_zeros(&mut self, mut count: u64) -> io::Result<()> {
        let zeros = [0; 4096];
        while count > 0 {
            let n = zeros.len().min(usize::try_from(count).unwrap_or(usize::MAX));
            self.inner.write_all(&zeros[..n])?;
            self.written += n as u64;
            count -= n as u64;
        }
        self.zeros = 0;
        Ok(())
    }

    /// Passes on bytes that can no longer belong to the trailer.
    fn settle(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        if end > 0 {
            let zeros = self.zeros;
            self.flush_zeros(zeros)?;
            self.inner.write_all(&bytes[..end])?;
            self.written += end as u64;
        }
        self.zeros += (bytes.len() - end) as u64;
        Ok(())
    }
}

impl<W: Write> Write for Unpadding<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.total += buf.len() as u64;
        if !self.on {
            self.inner.write_all(buf)?;
            return Ok(buf.len());
        }
        let settled = (self.tail.len() + buf.len()).saturating_sub(TRAILER);
        let old = settled.min(self.tail.len());
        let head: Vec<u8> = self.tail.drain(..old).collect();
        self.settle(&head)?;
        let new = settled - old;
        self.settle(&buf[..new])?;
        self.tail.extend_from_slice(&buf[new..]);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn padded(content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Padded::new(content).read_to_end(&mut out).unwrap();
        out
    }

    fn unpadded(bytes: &[u8], chunk: usize) -> io::Result<Vec<u8>> {
        let mut unpadding = Unpadding::new(Vec::new(), true);
        for part in bytes.chunks(chunk.max(1)) {
            unpadding.write_all(part)?;
        }
        let (out, length) = unpadding.finish()?;
        assert_eq!(out.len() as u64, length);
        Ok(out)
    }

    #[test]
    fn sizes_are_those_of_padme() {
        // By the paper's definition: L = 9 is 1001b. Its exponent 3 has two bits, so two bits are kept.
        for (length, expected) in [
            (1, 1),
            (2, 2),
            (8, 8),
            (9, 10),
            (15, 16),
            (1000, 1024),
            (65_537, 67_584),
        ] {
            assert_eq!(padme(length), expected, "{length}");
        }
        for content in (0..2_000_000).step_by(977) {
            let (least, most) = (content + 8, (content + 8) + (content + 8) / 8 + 1);
            assert!((least..=most).contains(&padded_bytes(content)), "{content}");
        }
        assert_eq!(padded_bytes(u64::MAX) >> 60, 0xf);
    }

    #[test]
    fn a_padding_that_says_something_else_is_refused() {
        let whole = padded(b"content");
        for at in 7..whole.len() {
            let mut other = whole.clone();
            other[at] ^= 1;
            assert!(unpadded(&other, 3).is_err(), "{at}");
        }
        assert!(unpadded(&whole[..whole.len() - 1], 3).is_err());
        assert!(unpadded(b"", 3).is_err());
        assert!(unpadded(b"1234567", 3).is_err());
    }

    proptest! {
        #[test]
        fn what_was_padded_comes_back(
            content in proptest::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..3000),
            zeros in 0_usize..300,
            chunk in 1_usize..700,
        ) {
            let mut content = content;
            content.extend(vec![0; zeros]);
            let whole = padded(&content);
            prop_assert_eq!(whole.len() as u64, padded_bytes(content.len() as u64));
            prop_assert_eq!(unpadded(&whole, chunk).unwrap(), content);
        }
    }
}
