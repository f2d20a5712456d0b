//! The content of deflate and gzip.

use std::io::{self, BufRead, Read};

use flate2::{Decompress, FlushDecompress, Status};

/// What deflated data holds, to the last byte before any damage.
pub struct Inflate<S> {
    source: S,
    state: Decompress,
    /// Whether this is gzip, of which one member may follow another.
    gzip: bool,
    ended: Option<io::Result<()>>,
}

/// The largest window of deflate, as the logarithm of its size.
const WINDOW_BITS: u8 = 15;

impl<S: BufRead> Inflate<S> {
    /// Reads gzip.
    pub fn gzip(source: S) -> Self {
        Self {
            source,
            state: Decompress::new_gzip(WINDOW_BITS),
            gzip: true,
            ended: None,
        }
    }

    /// Reads deflate without anything around it.
    pub fn raw(source: S) -> Self {
        Self {
            source,
            state: Decompress::new(false),
            gzip: false,
            ended: None,
        }
    }
}

impl<S: BufRead> Read for Inflate<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match &mut self.ended {
                Some(ended) => return std::mem::replace(ended, Ok(())).map(|()| 0),
                None if buffer.is_empty() => return Ok(0),
                None => {}
            }
            let input = self.source.fill_buf()?;
            let exhausted = input.is_empty();
            let (before, written) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(input, buffer, FlushDecompress::None);
            let consumed = usize::try_from(self.state.total_in() - before).map_err(io::Error::other)?;
            let written = usize::try_from(self.state.total_out() - written).map_err(io::Error::other)?;
            self.source.consume(consumed);
            match status {
                Ok(Status::StreamEnd) => {
                    if self.gzip && !self.source.fill_buf()?.is_empty() {
                        self.state = Decompress::new_gzip(WINDOW_BITS);
                    } else {
                        self.ended = Some(Ok(()));
                    }
                }
                Ok(_) if consumed + written > 0 || !exhausted => {}
                Ok(_) => self.ended = Some(Err(io::ErrorKind::UnexpectedEof.into())),
                Err(damage) => self.ended = Some(Err(io::Error::other(damage))),
            }
            if written > 0 {
                return Ok(written);
            }
        }
    }
}
