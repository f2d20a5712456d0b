//! The parts of a content by which a format is recognised: its start, its end and its size.

/// Number of bytes taken from the start.
pub const HEAD: usize = 64 * 1024;

/// Number of bytes taken from the end.
pub const TAIL: usize = 16;

/// The start, the end and the size of a content.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    /// The first [`HEAD`] bytes, or all if there are fewer.
    pub head: &'a [u8],
    /// The last [`TAIL`] bytes, or all if there are fewer. `None` if the end of the content was not read.
    pub tail: Option<&'a [u8]>,
    /// Size of the content in bytes. At least this, if the end was not read.
    pub size: u64,
}

impl<'a> Sample<'a> {
    /// Takes the sample of a whole content.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self {
            head: &bytes[..bytes.len().min(HEAD)],
            tail: Some(&bytes[bytes.len().saturating_sub(TAIL)..]),
            size: bytes.len() as u64,
        }
    }

    /// Returns whether the content may have at least `size` bytes.
    pub fn holds(&self, size: u64) -> bool {
        self.tail.is_none() || size <= self.size
    }

    /// Returns the `N` bytes at `at`.
    pub fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.head.get(at..)?.first_chunk().copied()
    }

    /// Returns the little-endian number at `at`.
    pub fn u16(&self, at: usize) -> Option<u16> {
        self.bytes(at).map(u16::from_le_bytes)
    }

    /// Returns the little-endian number at `at`.
    pub fn u32(&self, at: usize) -> Option<u32> {
        self.bytes(at).map(u32::from_le_bytes)
    }

    /// Returns the little-endian number at `at`.
    pub fn i32(&self, at: usize) -> Option<i32> {
        self.bytes(at).map(i32::from_le_bytes)
    }

    /// Returns the little-endian number at `at`.
    pub fn u64(&self, at: usize) -> Option<u64> {
        self.bytes(at).map(u64::from_le_bytes)
    }
}
