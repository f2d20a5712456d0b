//! Line ends, as git converts them between a repository and a work tree.

use crate::format::digest::{Digest, Hasher};

/// A kind of line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineEnds {
    /// A newline.
    Lf,
    /// A carriage return and a newline.
    Crlf,
}

impl LineEnds {
    /// Returns the other kind.
    pub fn other(self) -> Self {
        match self {
            Self::Lf => Self::Crlf,
            Self::Crlf => Self::Lf,
        }
    }

    /// Says that content has these line ends, and had others before.
    pub fn converted(self) -> &'static str {
        match self {
            Self::Lf => "its line ends were converted to LF",
            Self::Crlf => "its line ends were converted to CRLF",
        }
    }
}

/// Hashes content as it is with other line ends.
pub struct ConvertingHasher {
    to: LineEnds,
    hasher: Hasher,
    after_return: bool,
}

impl ConvertingHasher {
    /// Begins a content whose line ends all become `to`.
    pub fn to(to: LineEnds) -> Self {
        Self {
            to,
            hasher: Hasher::default(),
            after_return: false,
        }
    }

    /// Takes the next bytes of the content.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while let Some(at) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&bytes[..at], &bytes[at + 1..]);
            self.add(line);
            // Whether a carriage return precedes the newline, the hash gets the line end that is asked for.
            self.after_return = false;
            self.hasher.update(match self.to {
                LineEnds::Lf => b"\n",
                LineEnds::Crlf => b"\r\n",
            });
            bytes = rest;
        }
        self.add(bytes);
    }

    /// Returns the digest of the content with its other line ends.
    pub fn finish(mut self) -> Digest {
        if self.after_return {
            self.hasher.update(b"\r");
        }
        self.hasher.finish()
    }

    /// Adds bytes without a newline. Holds a carriage return at the end back.
    fn add(&mut self, bytes: &[u8]) {
        let Some((last, before)) = bytes.split_last() else {
            return;
        };
        if self.after_return {
            self.hasher.update(b"\r");
        }
        self.after_return = *last == b'\r';
        self.hasher.update(if self.after_return { before } else { bytes });
    }
}

/// Hashes content with each kind of line end, to tell whether other content differs from it in nothing else.
pub struct Conversions {
    lf: ConvertingHasher,
    crlf: ConvertingHasher,
}

impl Default for Conversions {
    fn default() -> Self {
        Self {
            lf: ConvertingHasher::to(LineEnds::Lf),
            crlf: ConvertingHasher::to(LineEnds::Crlf),
        }
    }
}

impl Conversions {
    /// Takes the next bytes of the content.
    pub fn update(&mut self, bytes: &[u8]) {
        self.lf.update(bytes);
        self.crlf.update(bytes);
    }

    /// Returns the line ends that the content gets where it becomes the content with the digest `other`.
    pub fn towards(self, other: &Digest) -> Option<LineEnds> {
        match other {
            other if self.lf.finish() == *other => Some(LineEnds::Lf),
            other if self.crlf.finish() == *other => Some(LineEnds::Crlf),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_is_converted_wherever_the_content_is_split() {
        let content = b"a\nb\r\n\r\r\n\n\rc\r";
        for (to, expected) in [
            (LineEnds::Lf, &b"a\nb\n\r\n\n\rc\r"[..]),
            (LineEnds::Crlf, b"a\r\nb\r\n\r\r\n\r\n\rc\r"),
        ] {
            for first in 0..=content.len() {
                for second in first..=content.len() {
                    let mut hasher = ConvertingHasher::to(to);
                    hasher.update(&content[..first]);
                    hasher.update(&content[first..second]);
                    hasher.update(&content[second..]);
                    assert_eq!(hasher.finish(), Digest::of(expected), "{to:?} {first} {second}");
                }
            }
        }
    }

    #[test]
    fn the_conversion_is_recognised() {
        let towards = |from: &[u8], other: &[u8]| {
            let mut conversions = Conversions::default();
            conversions.update(from);
            conversions.towards(&Digest::of(other))
        };
        assert_eq!(towards(b"a\r\nb\n", b"a\nb\n"), Some(LineEnds::Lf));
        assert_eq!(towards(b"a\r\nb\n", b"a\r\nb\r\n"), Some(LineEnds::Crlf));
        assert_eq!(towards(b"a\nb\n", b"a\r\nb\n"), None);
    }
}
