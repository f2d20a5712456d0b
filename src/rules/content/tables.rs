//! Recognises tables and arrays: Parquet, Arrow, Lance and NumPy.

use super::flatbuffer::Flatbuffer;
use super::sample::Sample;

/// Returns whether this is a Parquet file: it has the magic at both ends, and a footer of the stated length fits
/// between them. If the end was not read, a page header must follow the first magic.
pub fn is_parquet(sample: &Sample) -> bool {
    let Some(magic @ (b"PAR1" | b"PARE")) = sample.head.first_chunk() else {
        return false;
    };
    match sample.tail {
        Some(_) => footer(sample, magic).is_some_and(|footer| footer > 0 && footer + 12 <= sample.size),
        None => magic == b"PARE" || matches!(sample.bytes(4), Some([0x15, 0 | 2 | 4 | 6, 0x15])),
    }
}

/// Returns the footer length that precedes the `magic` at the end.
fn footer(sample: &Sample, magic: &[u8]) -> Option<u64> {
    let rest = sample.tail?.strip_suffix(magic)?;
    Some(u32::from_le_bytes(*rest.last_chunk()?).into())
}

/// Returns whether this is an Arrow IPC file or stream, or a Feather file of version 1. Feather version 2 is an Arrow
/// file.
pub fn is_arrow(sample: &Sample) -> bool {
    let framed = |magic: &[u8], start: u64| match sample.tail {
        Some(_) => footer(sample, magic).is_some_and(|footer| footer > 0 && start + footer + 4 <= sample.size),
        None => sample.head.starts_with(b"ARROW1\0\0\xff\xff\xff\xff"),
    };
    match sample.head {
        [b'A', b'R', b'R', b'O', b'W', b'1', 0, 0, ..] => framed(b"ARROW1", 8 + 6),
        [b'F', b'E', b'A', b'1', ..] => framed(b"FEA1", 4 + 4),
        [0xff, 0xff, 0xff, 0xff, ..] => schema(sample) == Some(true),
        _ => false,
    }
}

/// Returns whether a message with a schema follows the continuation marker, as at the start of a stream.
///
/// Layout: `length: i32`, then a flatbuffer with the table `version: i16, header_type: u8, header: offset, bodyLength:
/// i64`.
fn schema(sample: &Sample) -> Option<bool> {
    const SCHEMA: u8 = 1;
    let length = usize::try_from(sample.i32(4)?).ok()?;
    if length < 16 || !length.is_multiple_of(8) || !sample.holds(8 + length as u64) {
        return Some(false);
    }
    let buffer = Flatbuffer {
        sample,
        start: 8,
        end: 8 + length,
    };
    let message = buffer.table(8)?;
    let [kind] = sample.bytes(buffer.field(message, 1)?)?;
    let header = buffer.table(buffer.field(message, 2)?)?;
    let version = buffer.field(message, 0).map_or(Some(0), |at| sample.u16(at))?;
    // The second field of a schema holds its fields.
    Some(kind == SCHEMA && version <= 8 && buffer.table(buffer.field(header, 1)?).is_some())
}

/// Returns whether this is a file of a Lance dataset, which ends with places in the file, a version and a magic: a data
/// file, a manifest or an index.
pub fn is_lance(sample: &Sample) -> bool {
    sample.tail.and_then(|tail| lance(tail, sample.size)) == Some(true)
}

fn lance(tail: &[u8], size: u64) -> Option<bool> {
    let rest = tail.strip_suffix(b"LANC")?;
    let number = |back: usize| -> Option<u64> {
        let at = rest.len().checked_sub(back)?;
        Some(u64::from_le_bytes(*rest.get(at..)?.first_chunk()?))
    };
    let version = number(8)? >> 32;
    let (major, minor) = (version & 0xffff, version >> 16);
    // The first two versions end with the place of the description, the later ones with those of three tables.
    let position = number(12)?;
    let places = || -> Option<bool> {
        let (columns, column_table, buffer_table) = (number(36)?, number(28)?, number(20)?);
        Some(columns <= column_table && column_table <= buffer_table && buffer_table < size)
    };
    match (major, minor) {
        (0, 1 | 2) => Some(position < size),
        (0, 3) | (2..=4, 0..=9) => places(),
        _ => Some(false),
    }
}

/// Returns whether this is a NumPy array: it begins with the magic, a version, and the dictionary that describes the
/// array.
pub fn is_numpy(sample: &Sample) -> bool {
    numpy(sample) == Some(true)
}

fn numpy(sample: &Sample) -> Option<bool> {
    let rest = sample.head.strip_prefix(b"\x93NUMPY")?;
    let (length, start) = match rest.first()? {
        1 => (u32::from(sample.u16(8)?), 10),
        2 | 3 => (sample.u32(8)?, 12),
        _ => return Some(false),
    };
    if !sample.holds(start as u64 + u64::from(length)) {
        return Some(false);
    }
    let header = sample.head.get(start..)?;
    let header = &header[..header.len().min(length.try_into().ok()?)];
    let first = header.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start();
    let described = ["descr", "fortran_order", "shape"].iter().any(|key| {
        let quoted = first.strip_prefix(b"'").or_else(|| first.strip_prefix(b"\""));
        quoted.is_some_and(|text| text.starts_with(key.as_bytes()))
    });
    Some(described)
}
