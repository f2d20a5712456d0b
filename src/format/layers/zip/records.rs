//! The records of a zip archive: local headers, entries of the central directory, and end records.

use super::super::Unread;

/// Signature of a local header.
pub const LOCAL_HEADER: &[u8; 4] = b"PK\x03\x04";

/// Signature of an entry of the central directory.
pub const ENTRY: &[u8; 4] = b"PK\x01\x02";

/// Signature of the record that ends the central directory.
pub const END: &[u8; 4] = b"PK\x05\x06";

/// Signature of the zip64 end record.
pub const END_64: &[u8; 4] = b"PK\x06\x06";
/// Signature of the locator of the zip64 end record.
pub const LOCATOR_64: &[u8; 4] = b"PK\x06\x07";

/// Signature of a data descriptor.
pub const DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";

/// Size in bytes of a local header without name and extra fields.
pub const LOCAL_LENGTH: usize = 30;

/// Size in bytes of an entry without name, extra fields and comment.
pub const ENTRY_LENGTH: usize = 46;

/// Size in bytes of the end record without its comment.
pub const END_LENGTH: usize = 22;

/// Most bytes between the start of the end record and the end of the file. Its comment has at most 65,535 bytes.
pub const END_REACH: usize = END_LENGTH + 65_535;

pub const STORED: u16 = 0;
pub const DEFLATED: u16 = 8;
pub const BZIP2: u16 = 12;
pub const ZSTANDARD: [u16; 2] = [93, 20];
pub const XZ: u16 = 95;
const ENCRYPTED: u16 = 99;

/// How a member is packed, as a local header or the central directory states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Number of the compression method.
    pub method: u16,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Packed size in bytes. `None` if it follows the data.
    pub size: Option<u64>,
}

impl Packing {
    fn of(flags: u16, method: u16, size: u64, is_local: bool) -> Self {
        let described = is_local && flags & 8 != 0 && size == 0;
        Self {
            method,
            encrypted: flags & 1 != 0 || method == ENCRYPTED,
            size: (!described).then_some(size),
        }
    }

    /// Returns why the member cannot be read. `None` if it can.
    pub fn unread(&self) -> Option<Unread> {
        let known = [STORED, DEFLATED, BZIP2, XZ].contains(&self.method) || ZSTANDARD.contains(&self.method);
        match (self.encrypted, known) {
            (true, _) => Some(Unread::Encrypted),
            (false, false) => Some(Unread::Unsupported),
            (false, true) => None,
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The fixed part of a local header.
pub struct Local {
    pub packing: Packing,
    is_wide: bool,
    pub name: usize,
    pub extra: usize,
}

impl Local {
    /// Parses a local header. `None` if the bytes only have its signature but cannot be one.
    pub fn parse(header: &[u8; LOCAL_LENGTH]) -> Option<Self> {
        let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let (version, flags, method) = (header[4], short(6), short(8));
        if !header.starts_with(LOCAL_HEADER) || version > 100 || method > ENCRYPTED {
            return None;
        }
        let size = u32_at(header, 18)?;
        Some(Self {
            packing: Packing::of(flags, method, size.into(), true),
            is_wide: size == u32::MAX,
            name: short(26).into(),
            extra: short(28).into(),
        })
    }

    /// Takes the size from the zip64 extra field, if the header refers to it.
    pub fn widen(&mut self, extra: &[u8]) {
        // The plain size comes before the packed size.
        if self.is_wide
            && let Some(size) = wide(extra).and_then(|field| u64_at(field, 8))
        {
            self.packing.size = Some(size);
        }
    }
}

/// Returns the zip64 field among extra fields.
fn wide(mut extra: &[u8]) -> Option<&[u8]> {
    while let Some((head, rest)) = extra.split_first_chunk::<4>() {
        let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
        if head[..2] == [1, 0] {
            return Some(&rest[..length.min(rest.len())]);
        }
        extra = rest.get(length..)?;
    }
    None
}

/// An entry of the central directory.
pub struct DirectoryEntry {
    pub packing: Packing,
    /// Offset of the local header from the start of the archive.
    pub offset: u64,
    /// Length of the entry in bytes with its comment, of which bytes may be missing.
    pub length: usize,
}

impl DirectoryEntry {
    /// Parses the entry at the start of `bytes`. `None` if there is none, or it is truncated.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(ENTRY) {
            return None;
        }
        let name = usize::from(u16_at(bytes, 28)?);
        let extra = usize::from(u16_at(bytes, 30)?);
        let comment = usize::from(u16_at(bytes, 32)?);
        let fields = bytes.get(ENTRY_LENGTH + name..)?.get(..extra)?;
        let (packed, plain, offset) = (u32_at(bytes, 20)?, u32_at(bytes, 24)?, u32_at(bytes, 42)?);
        // The zip64 field holds only the numbers that do not fit into 32 bits, in this order.
        let mut wide = wide(fields).unwrap_or_default().chunks_exact(8);
        let mut widened = |number: u32| match number {
            u32::MAX => wide.next().and_then(|field| u64_at(field, 0)).unwrap_or(number.into()),
            number => number.into(),
        };
        let (_, packed, offset) = (widened(plain), widened(packed), widened(offset));
        let length = ENTRY_LENGTH + name + extra + comment;
        Some(Self {
            packing: Packing::of(u16_at(bytes, 8)?, u16_at(bytes, 10)?, packed, false),
            offset,
            length,
        })
    }
}

/// What the end record of an archive states about its central directory.
#[derive(Clone, Copy)]
pub struct End {
    pub entries: u64,
    pub size: u64,
    pub offset: u64,
}

impl End {
    /// The value before anything was parsed.
    pub const NOTHING: Self = Self {
        entries: 0,
        size: 0,
        offset: 0,
    };

    /// Parses the end record of an archive. `None` if its numbers are impossible.
    pub fn parse(record: &[u8]) -> Option<Self> {
        let (disk, first, here, entries) = (
            u16_at(record, 4)?,
            u16_at(record, 6)?,
            u16_at(record, 8)?,
            u16_at(record, 10)?,
        );
        let (size, offset) = (u32_at(record, 12)?, u32_at(record, 16)?);
        u16_at(record, 20)?;
        let is_wide = |n: u16| n == u16::MAX;
        let one_disk = (disk == 0 || is_wide(disk)) && (first == 0 || is_wide(first)) && here == entries;
        (record.starts_with(END) && one_disk).then_some(Self {
            entries: entries.into(),
            size: size.into(),
            offset: offset.into(),
        })
    }

    /// Takes the numbers from the zip64 end record.
    pub fn widen(&mut self, record: &[u8]) -> Option<()> {
        record.starts_with(END_64).then_some(())?;
        *self = Self {
            entries: u64_at(record, 32)?,
            size: u64_at(record, 40)?,
            offset: u64_at(record, 48)?,
        };
        Some(())
    }
}
