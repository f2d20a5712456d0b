//! Decompresses bzip2.

use std::io::{self, BufRead, Read};

use bzip2::{Decompress, Status};

use super::limits::{LayerLimits, Window};
use super::{Layer, LayerSource};

/// Most bytes of memory that a decoder takes, for blocks of 900 kB.
const MEMORY: u64 = 4 << 20;

/// The cost of starting a stream, in bytes of output: the decoder makes its tables anew.
const BEGIN: u64 = 4096;

/// Returns whether a bzip2 stream begins with these bytes: a block size, then a block or the end of the stream.
pub fn is_stream(head: &[u8]) -> bool {
    match head {
        [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] => {
            rest.starts_with(b"\x31\x41\x59\x26\x53\x59") || rest.starts_with(b"\x17\x72\x45\x38\x50\x90")
        }
        _ => false,
    }
}

/// A reader of the content of consecutive bzip2 streams. Other bytes after a stream end the content.
pub struct BzipStreams<'s, 'a> {
    source: &'s mut LayerSource<'a>,
    limits: &'s LayerLimits<'s>,
    state: Option<(Decompress, Window<'s>)>,
}

impl<'s, 'a> BzipStreams<'s, 'a> {
    /// Reads the streams that begin at the current position.
    pub fn new(source: &'s mut LayerSource<'a>, limits: &'s LayerLimits<'s>) -> Self {
        Self {
            source,
            limits,
            state: None,
        }
    }
}

impl Read for BzipStreams<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let Some((state, _)) = &mut self.state else {
                if !is_stream(self.source.peek(10)?) {
                    return Ok(0);
                }
                let price = Layer::Bzip2.price();
                self.limits.pay(BEGIN * price);
                if self.limits.room(price) == 0 {
                    return Err(io::ErrorKind::OutOfMemory.into());
                }
                let window = self.limits.window(MEMORY).ok_or(io::ErrorKind::OutOfMemory)?;
                self.state = Some((Decompress::new(false), window));
                continue;
            };
            let input = self.source.fill_buf()?;
            let exhausted = input.is_empty();
            let (before, written) = (state.total_in(), state.total_out());
            let status = state.decompress(input, buffer);
            let consumed = usize::try_from(state.total_in() - before).map_err(io::Error::other)?;
            let written = usize::try_from(state.total_out() - written).map_err(io::Error::other)?;
            self.source.consume(consumed);
            match status {
                Ok(Status::StreamEnd) => self.state = None,
                Ok(Status::MemNeeded) => return Err(io::ErrorKind::OutOfMemory.into()),
                Ok(_) if consumed + written > 0 || !exhausted => {}
                Ok(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
                // No output is lost: the decoder checks a block before it returns any byte of it.
                Err(damage) => return Err(io::Error::new(io::ErrorKind::InvalidData, damage)),
            }
            if written > 0 {
                return Ok(written);
            }
        }
    }
}
