//! The parts of a content by which a format is recognised: its start, its end and its size.

/// Number of bytes taken from the start.
pub const HEAD: usize = 64 * 1024;

/// Number of bytes taken from the end.
pub const TAIL: usize = 40;

/// Number of bytes taken from the place to which the start points.
pub const FAR: usize = 64;

/// The start, the end and the size of a content.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    /// The first [`HEAD`] bytes, or all if there are fewer.
    pub head: &'a [u8],
    /// The last [`TAIL`] bytes, or all if there are fewer. `None` if the end of the content was not read.
    pub tail: Option<&'a [u8]>,
    /// The [`FAR`] bytes at [`far`] of the start, or those of them that are there.
    pub far: &'a [u8],
    /// Size of the content in bytes. At least this, if the end was not read.
    pub size: u64,
}

/// Returns the place of the header in an index of usearch with this start, in which a matrix precedes it: its rows and
/// columns in bytes as two numbers of 32 bits, or of 64.
pub fn far(head: &[u8]) -> u64 {
    let numbers = head
        .first_chunk::<16>()
        .map(|start| u128::from_le_bytes(*start))
        .unwrap_or_default();
    let number = |at: u32| (numbers >> (32 * at)) as u32;
    let matrix = |rows: u32, columns: u32| u64::from(rows) * u64::from(columns);
    match (number(1), number(3)) {
        (0, 0) if number(0) > 0 => matrix(number(0), number(2)).saturating_add(16),
        (columns, _) => matrix(number(0), columns).saturating_add(8),
    }
}

impl<'a> Sample<'a> {
    /// Takes the sample of a whole content.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self {
            head: &bytes[..bytes.len().min(HEAD)],
            tail: Some(&bytes[bytes.len().saturating_sub(TAIL)..]),
            far: usize::try_from(far(bytes))
                .ok()
                .and_then(|at| bytes.get(at..))
                .map_or(&[], |rest| &rest[..rest.len().min(FAR)]),
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

    /// Returns the little-endian number at `at`.
    pub fn f32(&self, at: usize) -> Option<f32> {
        self.bytes(at).map(f32::from_le_bytes)
    }

    /// Returns the sample of what follows the first `length` bytes.
    pub fn after(&self, length: usize) -> Self {
        Self {
            head: self.head.get(length..).unwrap_or_default(),
            size: self.size.saturating_sub(length as u64),
            ..*self
        }
    }
}
