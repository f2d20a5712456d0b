//! Decompresses xz.

use std::io::{self, BufRead, Read};

use lzma_rust2::XzReader;

use super::LayerSource;
use super::limits::{LayerLimits, Window};

/// Signature at the start of a stream.
pub const MAGIC: &[u8] = b"\xfd7zXZ\0";

/// Bytes of memory that a decoder takes besides its dictionary.
const OVERHEAD: u64 = 1 << 20;

/// Id of the LZMA2 filter, the one that decompresses.
const LZMA2: u64 = 0x21;

/// A reader of the content of consecutive xz streams, with zeros allowed between them. Other bytes end the content.
pub struct XzStreams<'s, 'a> {
    limits: &'s LayerLimits<'s>,
    state: State<'s, 'a>,
}

enum State<'s, 'a> {
    /// Before a stream, or after the last one.
    Between(&'s mut LayerSource<'a>),
    Inside(Box<XzReader<&'s mut LayerSource<'a>>>, Option<Window<'s>>),
    Ended,
}

impl<'s, 'a> XzStreams<'s, 'a> {
    /// Reads the streams that begin at the current position.
    pub fn new(source: &'s mut LayerSource<'a>, limits: &'s LayerLimits<'s>) -> Self {
        Self {
            limits,
            state: State::Between(source),
        }
    }

    /// Starts the next stream, if there is one.
    fn begin(&self, source: &'s mut LayerSource<'a>) -> io::Result<State<'s, 'a>> {
        while let [0, ..] = source.peek(1)? {
            source.consume(1);
        }
        if !source.peek(MAGIC.len())?.starts_with(MAGIC) {
            return Ok(State::Ended);
        }
        let memory = match dictionary(source.peek(HEADERS)?) {
            Some(size) => size + OVERHEAD,
            None => 0,
        };
        let window = self.limits.window(memory).ok_or(io::ErrorKind::OutOfMemory)?;
        let limit = u32::try_from(memory >> 10).unwrap_or(u32::MAX);
        let reader = XzReader::new_mem_limit(source, false, limit);
        Ok(State::Inside(Box::new(reader), Some(window)))
    }
}

impl Read for XzStreams<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(0),
                State::Between(source) => self.state = self.begin(source)?,
                State::Inside(mut reader, window) => match reader.read(buffer)? {
                    0 => self.state = State::Between(reader.into_inner()),
                    read => {
                        self.state = State::Inside(reader, window);
                        return Ok(read);
                    }
                },
            }
        }
    }
}

/// Most bytes of the headers of a stream and its first block together.
const HEADERS: usize = 12 + 1024;

/// Returns the size in bytes of the dictionary of a stream's first block. `None` if there is no block.
///
/// This size becomes the decoder's memory limit, so it refuses later blocks with a larger dictionary.
fn dictionary(stream: &[u8]) -> Option<u64> {
    let block = stream.get(12..)?;
    let size = match block.first()? {
        0 => return None,
        size => (usize::from(*size) + 1) * 4,
    };
    let flags = *block.get(1)?;
    let mut rest = block.get(2..size)?;
    for has_size in [flags & 0x40, flags & 0x80] {
        if has_size != 0 {
            number(&mut rest)?;
        }
    }
    for _ in 0..=flags & 3 {
        let filter = number(&mut rest)?;
        let length = usize::try_from(number(&mut rest)?).ok()?;
        let (properties, after) = rest.split_at_checked(length)?;
        rest = after;
        if filter == LZMA2 {
            return match properties {
                [40] => Some(u32::MAX.into()),
                [bits @ 0..40] => Some(u64::from(2 | (bits & 1)) << (bits / 2 + 11)),
                _ => None,
            };
        }
    }
    None
}

/// Takes a variable-length number: seven bits in each byte, the lowest first.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for at in 0..9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
