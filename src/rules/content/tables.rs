//! Recognises tables and arrays: Parquet, Arrow and NumPy.

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
    let end = 8 + length;
    let table_at = |at: usize| -> Option<usize> {
        let table = at.checked_add(usize::try_from(sample.u32(at)?).ok()?)?;
        (table < end).then_some(table)
    };
    let field = |table: usize, index: usize| -> Option<usize> {
        let virtual_table = i64::try_from(table).ok()? - i64::from(sample.i32(table)?);
        let virtual_table = usize::try_from(virtual_table)
            .ok()
            .filter(|&at| (8..end).contains(&at))?;
        let fields = usize::from(sample.u16(virtual_table)?);
        let slot = 4 + 2 * index;
        if fields < slot + 2 {
            return None;
        }
        let offset = usize::from(sample.u16(virtual_table + slot)?);
        (offset != 0).then_some(table + offset)
    };
    let message = table_at(8)?;
    let [kind] = sample.bytes(field(message, 1)?)?;
    let header = table_at(field(message, 2)?)?;
    let version = field(message, 0).map_or(Some(0), |at| sample.u16(at))?;
    // The second field of a schema holds its fields.
    Some(kind == SCHEMA && version <= 8 && table_at(field(header, 1)?).is_some())
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
