//! The records of a zip archive: local headers, the central directory, and what ends it.

use super::super::Unread;

/// What a local header begins with.
pub const LOCAL_HEADER: &[u8; 4] = b"PK\x03\x04";

/// What an entry of the central directory begins with.
pub const ENTRY: &[u8; 4] = b"PK\x01\x02";

/// What the record that ends the central directory begins with.
pub const END: &[u8; 4] = b"PK\x05\x06";

/// The same of zip64, and what says where that is.
pub const END_64: &[u8; 4] = b"PK\x06\x06";
pub const LOCATOR_64: &[u8; 4] = b"PK\x06\x07";

/// What a data descriptor begins with.
pub const DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";

/// The length of a local header without name and extra fields.
pub const LOCAL_LENGTH: usize = 30;

/// The length of an entry without name, extra fields and comment.
pub const ENTRY_LENGTH: usize = 46;

/// The length of the record at the end, without its comment.
pub const END_LENGTH: usize = 22;

/// How far from the end of the file the record at the end can begin.
pub const END_REACH: usize = END_LENGTH + 65_535;

pub const STORED: u16 = 0;
pub const DEFLATED: u16 = 8;
pub const BZIP2: u16 = 12;
pub const ZSTANDARD: [u16; 2] = [93, 20];
pub const XZ: u16 = 95;
const ENCRYPTED: u16 = 99;

/// How the bytes of a member are packed, by a local header or by the central directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    /// How it is compressed.
    pub method: u16,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The packed size; none if it stands behind the bytes.
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

    /// Returns why it cannot be read, if it is so.
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

/// A local header, without what follows it.
pub struct Local {
    pub packing: Packing,
    is_wide: bool,
    pub name: usize,
    pub extra: usize,
}

impl Local {
    /// Parses a local header. None if it cannot be one: the bytes only look like its start.
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

    /// Takes the size from the extra fields, where the header says that it is there.
    pub fn widen(&mut self, extra: &[u8]) {
        // The plain size stands before the packed one.
        if self.is_wide
            && let Some(size) = wide(extra).and_then(|field| u64_at(field, 8))
        {
            self.packing.size = Some(size);
        }
    }
}

/// Returns the field of zip64 among extra fields.
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
pub struct Entry {
    pub packing: Packing,
    /// Where the local header is, from the start of the archive.
    pub offset: u64,
    /// How long the entry is, with its comment, which need not be there.
    pub length: usize,
}

impl Entry {
    /// Parses the entry that `bytes` begin with; none if there is none, or it is cut short.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(ENTRY) {
            return None;
        }
        let name = usize::from(u16_at(bytes, 28)?);
        let extra = usize::from(u16_at(bytes, 30)?);
        let comment = usize::from(u16_at(bytes, 32)?);
        let fields = bytes.get(ENTRY_LENGTH + name..)?.get(..extra)?;
        let (packed, plain, offset) = (u32_at(bytes, 20)?, u32_at(bytes, 24)?, u32_at(bytes, 42)?);
        // Of the wide numbers only those are there that do not fit, in this order.
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

/// What the end of an archive says of its central directory.
#[derive(Clone, Copy)]
pub struct End {
    pub entries: u64,
    pub size: u64,
    pub offset: u64,
}

impl End {
    /// Before anything was parsed.
    pub const NOTHING: Self = Self {
        entries: 0,
        size: 0,
        offset: 0,
    };

    /// Parses the record that ends an archive; none if the numbers in it cannot be.
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

    /// Takes the numbers of the record of zip64.
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
