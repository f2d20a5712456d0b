//! Decompresses deflate and gzip.

use std::io::{self, BufRead, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::LayerSource;

/// A reader of the content of deflated data, up to the last byte before any damage.
pub struct Inflate<S> {
    source: S,
    state: Decompress,
    ended: Option<io::Result<()>>,
}

impl<S: BufRead> Inflate<S> {
    /// Reads raw deflate data, without a header.
    pub fn raw(source: S) -> Self {
        Self {
            source,
            state: Decompress::new(false),
            ended: None,
        }
    }
}

impl<S: BufRead> Read for Inflate<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        inflate(&mut self.source, &mut self.state, &mut self.ended, buffer)
    }
}

/// Inflates into `buffer`. `ended` remembers an end or an error that came together with output.
fn inflate(
    source: &mut dyn BufRead,
    state: &mut Decompress,
    ended: &mut Option<io::Result<()>>,
    buffer: &mut [u8],
) -> io::Result<usize> {
    loop {
        match ended {
            Some(ended) => return std::mem::replace(ended, Ok(())).map(|()| 0),
            None if buffer.is_empty() => return Ok(0),
            None => {}
        }
        let input = source.fill_buf()?;
        let exhausted = input.is_empty();
        let (before, written) = (state.total_in(), state.total_out());
        let status = state.decompress(input, buffer, FlushDecompress::None);
        let consumed = usize::try_from(state.total_in() - before).map_err(io::Error::other)?;
        let written = usize::try_from(state.total_out() - written).map_err(io::Error::other)?;
        source.consume(consumed);
        match status {
            Ok(Status::StreamEnd) => *ended = Some(Ok(())),
            Ok(_) if consumed + written > 0 || !exhausted => {}
            Ok(_) => *ended = Some(Err(io::ErrorKind::UnexpectedEof.into())),
            Err(damage) => *ended = Some(Err(io::Error::new(io::ErrorKind::InvalidData, damage))),
        }
        if written > 0 {
            return Ok(written);
        }
    }
}

/// The flags of a gzip header.
const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// Returns whether a gzip member begins with these bytes.
pub fn is_gzip(head: &[u8]) -> bool {
    matches!(head, [0x1f, 0x8b, 8, flags, ..] if flags & RESERVED == 0)
}

/// A reader of the content of consecutive gzip members.
///
/// Parses the header itself and accepts every header that some reader accepts, because readers differ in what they
/// check. Zeros may follow a member, as on tapes. Other bytes end the content.
pub struct Gzip<'s, 'a> {
    source: &'s mut LayerSource<'a>,
    /// The current member.
    member: Option<Member>,
}

struct Member {
    state: Decompress,
    ended: Option<io::Result<()>>,
    check: Crc,
}

impl<'s, 'a> Gzip<'s, 'a> {
    /// Reads the members that begin at the current position.
    pub fn new(source: &'s mut LayerSource<'a>) -> Self {
        Self { source, member: None }
    }

    /// Starts the next member. Returns false if there is none.
    fn begin(&mut self) -> io::Result<bool> {
        while let [0, ..] = self.source.peek(1)? {
            let ahead = self.source.peek(1)?;
            let zeros = ahead.iter().take_while(|b| **b == 0).count();
            self.source.consume(zeros);
        }
        if !is_gzip(self.source.peek(4)?) {
            return Ok(false);
        }
        let header: [u8; 10] = self.source.take_array()?;
        let flags = header[3];
        if flags & EXTRA != 0 {
            let length = u16::from_le_bytes(self.source.take_array()?);
            self.pass(length.into())?;
        }
        for _ in 0..(flags & (NAME | COMMENT)).count_ones() {
            while self.source.take_array::<1>()? != [0] {}
        }
        if flags & HEADER_CRC != 0 {
            self.pass(2)?;
        }
        self.member = Some(Member {
            state: Decompress::new(false),
            ended: None,
            check: Crc::new(),
        });
        Ok(true)
    }

    fn pass(&mut self, count: u64) -> io::Result<()> {
        match self.source.skip(count)? {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Read for Gzip<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let Some(member) = &mut self.member else {
                match self.begin()? {
                    true => continue,
                    false => return Ok(0),
                }
            };
            let read = inflate(self.source, &mut member.state, &mut member.ended, buffer)?;
            if read > 0 {
                member.check.update(&buffer[..read]);
                return Ok(read);
            }
            let trailer: [u8; 8] = self.source.take_array()?;
            let expected = [member.check.sum().to_le_bytes(), member.check.amount().to_le_bytes()].concat();
            self.member = None;
            if trailer[..] != expected[..] {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}
