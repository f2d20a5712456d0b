//! The headers of an entry: a ustar header, and a pax header before it if the path or the size does not fit.

use ::tar::{EntryType, Header};

use super::BLOCK;
use crate::refusal::archive::ArchiveFault;

/// The name of each pax header. A program that does not know pax writes a file of this name.
const PAX_NAME: &str = "PaxHeaders/member";

/// Longest content of a pax header in bytes.
pub(super) const MAX_PAX: u64 = 64 << 10;

/// Largest size that a ustar header holds.
const MAX_SIZE: u64 = 0o77_777_777_777;

/// Longest path of a member in bytes. With the directory and the rest of the records, it fits into `MAX_PAX`.
pub const MAX_PATH: usize = MAX_PAX as usize - 128;

/// Returns the headers of an entry, as they stand in an archive.
pub(super) fn headers(path: &str, size: u64, mtime: u64) -> Vec<u8> {
    let mut header = Header::new_ustar();
    let mut records = Vec::new();
    if header.set_path(path).is_err() {
        // An error may leave a part of the path behind.
        header = Header::new_ustar();
        let mut cut = path.len().min(100);
        while !path.is_char_boundary(cut) {
            cut -= 1;
        }
        header.as_mut_bytes()[..cut].copy_from_slice(&path.as_bytes()[..cut]);
        push_record(&mut records, "path", path);
    }
    let held = match size > MAX_SIZE {
        true => {
            push_record(&mut records, "size", &size.to_string());
            0
        }
        false => size,
    };
    let mut bytes = Vec::with_capacity(BLOCK);
    if !records.is_empty() {
        let mut pax = Header::new_ustar();
        pax.set_path(PAX_NAME).expect("the name is short and relative");
        complete(&mut pax, EntryType::XHeader, records.len() as u64, mtime);
        bytes.extend_from_slice(pax.as_bytes());
        bytes.extend_from_slice(&records);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
    complete(&mut header, EntryType::Regular, held, mtime);
    bytes.extend_from_slice(header.as_bytes());
    bytes
}

fn complete(header: &mut Header, kind: EntryType, size: u64, mtime: u64) {
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header.set_mtime(mtime);
    header.set_cksum();
}

/// Appends a record of a pax header: its length in bytes, the key and the value. The length counts its own digits.
fn push_record(records: &mut Vec<u8>, key: &str, value: &str) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
}

/// What headers state, before they are held against those of an archive.
#[derive(Default)]
pub(super) struct Stated {
    pub(super) path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
}

impl Stated {
    /// Reads the records of a pax header. Keys that an archive does not use are refused.
    pub(super) fn of_pax(mut records: &[u8]) -> Result<Self, ArchiveFault> {
        let mut stated = Self::default();
        while !records.is_empty() {
            let (length, record) = next_record(records).ok_or(ArchiveFault::Pax)?;
            match record {
                (b"path", value) if stated.path.is_none() => stated.path = Some(value.to_vec()),
                (b"size", value) if stated.size.is_none() => {
                    let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    stated.size = Some(size.ok_or(ArchiveFault::Pax)?);
                }
                _ => return Err(ArchiveFault::Pax),
            }
            records = &records[length..];
        }
        Ok(stated)
    }

    /// Adds what the header of the entry itself states.
    pub(super) fn with_header(self, block: &[u8; BLOCK]) -> Result<(Vec<u8>, u64), ArchiveFault> {
        let header = Header::from_byte_slice(block);
        let path = self.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let size = match self.size {
            Some(size) => size,
            None => header.entry_size().map_err(|_| ArchiveFault::Size {
                path: String::from_utf8_lossy(&path).into_owned(),
            })?,
        };
        Ok((path, size))
    }
}

/// A key and a value of a pax header.
type Record<'a> = (&'a [u8], &'a [u8]);

/// Returns the first record, and its length.
fn next_record(records: &[u8]) -> Option<(usize, Record<'_>)> {
    let space = records.iter().take(6).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
    let record = records.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((length, (&record[..equals], &record[equals + 1..])))
}

/// Returns the kind of an entry that is not a regular file.
pub(super) fn special(block: &[u8; BLOCK]) -> Option<&'static str> {
    match block[156] {
        b'0' => None,
        b'1' => Some("a hard link"),
        b'2' => Some("a symbolic link"),
        b'3' | b'4' => Some("a device"),
        b'5' => Some("a directory"),
        b'6' => Some("a FIFO"),
        b'S' => Some("a sparse file"),
        b'L' | b'K' => Some("a long name of GNU tar"),
        b'x' | b'g' => Some("a pax header in the wrong place"),
        _ => Some("of a kind that archives of packs do not have"),
    }
}

/// Returns whether a header announces records for the next one.
pub(super) fn is_pax(block: &[u8; BLOCK]) -> bool {
    block[156] == b'x'
}

/// Returns the first field in which a header differs from the expected one.
pub(super) fn differing_field(found: &[u8], expected: &[u8]) -> &'static str {
    const FIELDS: [(&str, std::ops::Range<usize>); 13] = [
        ("name", 0..100),
        ("mode", 100..108),
        ("owner", 108..116),
        ("group", 116..124),
        ("size", 124..136),
        ("time", 136..148),
        ("kind", 156..157),
        ("link target", 157..257),
        ("format", 257..265),
        ("owner name", 265..297),
        ("group name", 297..329),
        ("device", 329..345),
        ("path prefix", 345..500),
    ];
    let differs = |range: &std::ops::Range<usize>| found.get(range.clone()) != expected.get(range.clone());
    let field = FIELDS.into_iter().find(|(_, range)| differs(range));
    field.map_or("checksum or padding", |(name, _)| name)
}
