//! Reads tar archives: ustar, pax, GNU, and the old form without a magic.

use std::io::{self, BufRead, Read};

use super::limits::LayerLimits;
use super::source::Stored;
use super::{Content, LayerSource, Unread, Visit};

/// Size in bytes of the blocks of which an archive consists.
const BLOCK: usize = 512;

/// The longest name record or set of pax records to read, in bytes. Longer ones are skipped.
const MAX_RECORDS: u64 = 1 << 20;

/// Returns whether a member begins with these bytes: the checksum of the header is right, whatever else is in it.
pub fn is_header(head: &[u8]) -> bool {
    head.first_chunk::<BLOCK>().is_some_and(|block| {
        // The checksum is also right for a block of spaces and zeros, so require a name or a magic.
        let has_name = block[0] != 0 && block[0] != b' ' || block[257..].starts_with(b"ustar");
        has_name && sum_is_right(block)
    })
}

/// Returns whether the checksum of a header is right. It is computed with spaces in its own place; some writers sum
/// signed bytes.
fn sum_is_right(block: &[u8; BLOCK]) -> bool {
    const SUM: std::ops::Range<usize> = 148..156;
    let Some(stated) = octal(&block[SUM]) else {
        return false;
    };
    let summed = || block.iter().enumerate().filter(|(at, _)| !SUM.contains(at));
    let unsigned: u64 = summed().map(|(_, byte)| u64::from(*byte)).sum();
    let signed: i64 = summed().map(|(_, byte)| i64::from(byte.cast_signed())).sum();
    let spaces = u64::from(b' ') * SUM.len() as u64;
    stated == unsigned + spaces || i64::try_from(stated).is_ok_and(|stated| stated == signed + spaces as i64)
}

/// Parses octal digits with spaces before them and a space or NUL after them. `None` if there is no digit.
fn octal(field: &[u8]) -> Option<u64> {
    let text = field.trim_ascii_start();
    let digits = text.iter().take_while(|b| matches!(b, b'0'..=b'7')).count();
    let (digits, rest) = text.split_at(digits);
    if digits.is_empty() || !matches!(rest, [] | [0 | b' ', ..]) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// Parses a size, which is octal, or binary if its first bit is set.
fn size(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, zeros @ .., _, _, _, _, _, _, _, _] if zeros.iter().all(|b| *b == 0) => {
            Some(u64::from_be_bytes(*field.last_chunk()?))
        }
        [first, ..] if *first >= 0x80 => None,
        _ if field.iter().all(|b| matches!(b, 0 | b' ')) => Some(0),
        _ => octal(field),
    }
}

/// What the records before a header state about the member that follows.
#[derive(Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    is_sparse: bool,
}

/// Opens the members that begin at the current position. Returns why something other than their contents was not read.
///
/// Where a header should be and is not, it continues at the next header, as GNU tar does. Another archive may follow
/// the zeros that end one. Anything else after them is not part of the archive.
pub fn open(source: &mut LayerSource, limits: &LayerLimits, visit: Visit<'_>) -> Option<Unread> {
    let mut archive = Archive {
        limits,
        visit,
        ahead: Ahead::default(),
        unread: None,
    };
    // Only the reader below can fail, and it reports that itself.
    archive.members(source).ok();
    archive.unread
}

struct Archive<'v, 'l> {
    limits: &'l LayerLimits<'l>,
    visit: Visit<'v>,
    ahead: Ahead,
    unread: Option<Unread>,
}

impl Archive<'_, '_> {
    fn members(&mut self, source: &mut LayerSource) -> io::Result<()> {
        let mut has_ended = false;
        loop {
            let Some(block) = source.peek(BLOCK)?.first_chunk::<BLOCK>() else {
                if !source.fill_buf()?.is_empty() && !has_ended {
                    self.unread = self.unread.or(Some(Unread::Damaged));
                }
                return Ok(());
            };
            let block = *block;
            if block.iter().all(|b| *b == 0) {
                has_ended = true;
            } else if sum_is_right(&block) {
                has_ended = false;
                source.consume(BLOCK);
                if !self.member(&block, source)? {
                    self.unread = Some(Unread::Bound);
                    return Ok(());
                }
                continue;
            } else if has_ended {
                return Ok(());
            } else {
                self.unread = self.unread.or(Some(Unread::Damaged));
            }
            source.consume(BLOCK);
        }
    }

    /// Reads what follows a header. Returns false if the limits do not allow it.
    fn member(&mut self, header: &[u8; BLOCK], source: &mut LayerSource) -> io::Result<bool> {
        let kind = header[156];
        let Some(mut length) = size(&header[124..136]) else {
            self.unread = self.unread.or(Some(Unread::Damaged));
            return Ok(true);
        };
        if !self.limits.begin_member() {
            return Ok(false);
        }
        if matches!(kind, b'x' | b'X' | b'g' | b'L' | b'K') {
            self.records(kind, length, source)?;
            return Ok(true);
        }
        let ahead = std::mem::take(&mut self.ahead);
        length = ahead.size.unwrap_or(length);
        if kind == b'1' {
            // The size of a hard link is that of its target, whose bytes do not follow.
            length = 0;
        }
        let mut is_sparse = ahead.is_sparse;
        if kind == b'S' {
            is_sparse = true;
            let mut goes_on = header[482] != 0;
            while goes_on {
                let map: [u8; BLOCK] = source.take_array()?;
                goes_on = map[504] != 0;
            }
        }
        let name = ahead.name.unwrap_or_else(|| name(header));
        self.content(&name, length, is_sparse, source)?;
        Ok(true)
    }

    /// Reads the content of a member.
    ///
    /// Of a sparse file, reads only the stored parts and marks it as not fully read: the positions of the parts decide
    /// how the file begins.
    fn content(&mut self, name: &[u8], length: u64, is_sparse: bool, source: &mut LayerSource) -> io::Result<()> {
        let mut stored = Stored::of(source, length);
        let name = super::shown(name);
        let mut content =
            Content::of_member(&mut stored, self.limits, None).but(is_sparse.then_some(Unread::Unsupported));
        (self.visit)(Some(&name), &mut content);
        let left = stored.left();
        source.skip(left)?;
        source.skip(padding(length))?;
        Ok(())
    }

    /// Reads a record about the member that follows.
    fn records(&mut self, kind: u8, length: u64, source: &mut LayerSource) -> io::Result<()> {
        let mut text = Vec::new();
        if length <= MAX_RECORDS {
            source.take(length).read_to_end(&mut text)?;
        } else {
            source.skip(length)?;
            self.unread = self.unread.or(Some(Unread::Bound));
        }
        source.skip(padding(length))?;
        match kind {
            b'L' => {
                let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());
                text.truncate(end);
                self.ahead.name = Some(text);
            }
            b'K' => {}
            _ => self.pax(kind == b'g', &text),
        }
        Ok(())
    }

    /// Parses pax records: `length keyword=value\n`, where the length counts the whole record.
    fn pax(&mut self, for_all: bool, mut text: &[u8]) {
        let mut known = || -> Option<()> {
            while !text.is_empty() {
                let space = text.iter().position(|b| *b == b' ')?;
                let length: usize = std::str::from_utf8(&text[..space]).ok()?.parse().ok()?;
                let record = text.get(space + 1..length)?.strip_suffix(b"\n")?;
                text = &text[length..];
                let equals = record.iter().position(|b| *b == b'=')?;
                let (keyword, value) = (&record[..equals], &record[equals + 1..]);
                match keyword {
                    // Some readers apply a global size to all members and others do not.
                    b"size" if for_all => return None,
                    b"size" => self.ahead.size = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
                    b"path" if !for_all => self.ahead.name = Some(value.to_vec()),
                    _ if keyword.starts_with(b"GNU.sparse.") => self.ahead.is_sparse = true,
                    _ => {}
                }
            }
            Some(())
        };
        if known().is_none() {
            self.unread = self.unread.or(Some(Unread::Damaged));
        }
    }
}

/// Returns the name in a header, with the prefix that ustar has.
fn name(header: &[u8; BLOCK]) -> Vec<u8> {
    let text = |field: &[u8]| {
        let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
        field[..end].to_vec()
    };
    let name = text(&header[..100]);
    let prefix = text(&header[345..500]);
    match header[257..].starts_with(b"ustar\0") && !prefix.is_empty() {
        true => [&prefix[..], b"/", &name].concat(),
        false => name,
    }
}

/// Returns the number of bytes that fill up the last block.
fn padding(length: u64) -> u64 {
    const BLOCK: u64 = self::BLOCK as u64;
    (BLOCK - length % BLOCK) % BLOCK
}
