//! The members of a zip archive, by its local headers.

use std::io::{self, BufRead, Read};

use super::inflate::Inflate;
use super::zstd::Frames;
use super::{Content, Source, drain};

const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ZSTANDARD: u16 = 93;

/// Opens the next member of a zip archive and returns how many bytes it yielded, or `None` after the last.
pub fn member(
    source: &mut Source,
    left: u64,
    limit: u64,
    visit: &mut dyn FnMut(Option<&str>, &mut Content),
) -> Option<u64> {
    find_header(source).ok()?;
    let header: [u8; 30] = source.take_array().ok()?;
    let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let mut name = vec![0; short(26).into()];
    source.read_exact(&mut name).ok()?;
    let mut extra = vec![0; short(28).into()];
    source.read_exact(&mut extra).ok()?;
    let name = String::from_utf8_lossy(&name);

    let packed = u32::from_le_bytes([header[18], header[19], header[20], header[21]]);
    let packed = if packed == u32::MAX {
        wide_size(&extra).unwrap_or(packed.into())
    } else {
        packed.into()
    };
    let (flags, method) = (short(6), short(8));
    let (encrypted, described) = (flags & 1 != 0, flags & 8 != 0);
    let method = (!encrypted).then_some(method);
    let limit = limit.min(left);
    let mut show = |inner: &mut dyn Read| {
        let mut content = Content::new(inner, limit);
        visit(Some(&name), &mut content);
        content.given
    };

    if described && packed == 0 {
        // The size stands behind the member, so that its end has to be found in it.
        return Some(match method {
            Some(DEFLATED) => {
                let mut inner = Inflate::raw(source);
                let given = show(&mut inner);
                given + drain(&mut inner, left - given)
            }
            Some(ZSTANDARD) => {
                let mut inner = Frames::new(source, 1);
                let given = show(&mut inner);
                given + drain(&mut inner, left - given)
            }
            Some(STORED) => {
                let mut inner = Described { source, given: 0 };
                let given = show(&mut inner);
                drain(&mut inner, u64::MAX);
                given
            }
            _ => 0,
        });
    }
    let mut packed = source.take(packed);
    let given = match method {
        Some(STORED) => show(&mut packed),
        Some(DEFLATED) => show(&mut Inflate::raw(&mut packed)),
        Some(ZSTANDARD) => show(&mut Frames::new(&mut Source::new(&mut packed), usize::MAX)),
        _ => 0,
    };
    drain(&mut packed, u64::MAX);
    Some(given)
}

/// Returns the compressed size in the zip64 field, which stands behind the plain one.
fn wide_size(mut extra: &[u8]) -> Option<u64> {
    while let Some((head, rest)) = extra.split_first_chunk::<4>() {
        let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
        if head[..2] == [1, 0] {
            return Some(u64::from_le_bytes(rest.get(8..16)?.try_into().ok()?));
        }
        extra = rest.get(length..)?;
    }
    None
}

/// Goes to the next local header, over whatever lies before it.
fn find_header(source: &mut Source) -> io::Result<()> {
    loop {
        let ahead = source.peek(LOCAL_HEADER.len())?;
        if ahead.len() < LOCAL_HEADER.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match position(ahead, LOCAL_HEADER) {
            Some(0) => return Ok(()),
            Some(at) => source.consume(at),
            None => {
                let passed = ahead.len() - (LOCAL_HEADER.len() - 1);
                source.consume(passed);
            }
        }
    }
}

fn position(bytes: &[u8], needle: [u8; 4]) -> Option<usize> {
    let mut from = 0;
    loop {
        from += bytes[from..].iter().position(|&b| b == needle[0])?;
        if bytes[from..].starts_with(&needle) {
            return Some(from);
        }
        from += 1;
    }
}

/// A stored member whose size follows it: it ends before a descriptor that states as many bytes as there were.
struct Described<'s, 'a> {
    source: &'s mut Source<'a>,
    given: u64,
}

impl Read for Described<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let given = self.given;
        let ahead = self.source.peek(24)?;
        let plain = match position(ahead, DESCRIPTOR) {
            Some(0) if describes(ahead, given) => 0,
            Some(0) => 1,
            Some(at) => at,
            None if ahead.len() < 24 => ahead.len(),
            None => ahead.len() - (DESCRIPTOR.len() - 1),
        };
        let read = plain.min(buffer.len());
        buffer[..read].copy_from_slice(&ahead[..read]);
        self.source.consume(read);
        self.given += read as u64;
        Ok(read)
    }
}

fn describes(descriptor: &[u8], size: u64) -> bool {
    let narrow = u32::try_from(size).is_ok_and(|size| {
        let size = size.to_le_bytes();
        descriptor.get(8..12) == Some(&size) && descriptor.get(12..16) == Some(&size)
    });
    let size = size.to_le_bytes();
    narrow || (descriptor.get(8..16) == Some(&size) && descriptor.get(16..24) == Some(&size))
}
