//! The zstd frames of an archive, read one by one.

use std::io::{self, Read};

use ::zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::{FRAME, WINDOW_LOG};
use crate::refusal::archive::ArchiveFault;
use crate::refusal::pack::PackFault;

/// How every frame begins: the magic, a checksum and no dictionary, and the size of the window.
pub(super) const HEAD: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0x04, ((WINDOW_LOG - 10) << 3) as u8];

/// Number of bytes of the file that are read at a time.
const BUFFER: usize = 128 << 10;

/// Why an archive was not read.
#[derive(Debug)]
pub enum UnreadArchive {
    /// The file could not be read.
    Io(io::Error),
    /// It is not an archive of a pack, or not one that is read.
    Bad(PackFault),
}

impl From<io::Error> for UnreadArchive {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<PackFault> for UnreadArchive {
    fn from(fault: PackFault) -> Self {
        Self::Bad(fault)
    }
}

impl From<ArchiveFault> for UnreadArchive {
    fn from(fault: ArchiveFault) -> Self {
        Self::Bad(PackFault::Archive { fault })
    }
}

impl From<UnreadArchive> for io::Error {
    fn from(why: UnreadArchive) -> Self {
        match why {
            UnreadArchive::Io(error) => error,
            UnreadArchive::Bad(fault) => Self::other(fault.to_string()),
        }
    }
}

/// A reader of the content of zstd frames. A read never goes beyond the frame in which it begins.
pub struct ArchiveFrames<R> {
    source: R,
    buffer: Vec<u8>,
    /// The part of the buffer that was not decoded yet.
    left: std::ops::Range<usize>,
    /// Number of bytes that were read from the source.
    taken: u64,
    /// Where the source begins in the file.
    start: u64,
    decoder: Decoder<'static>,
    is_inside: bool,
    /// Where the current frame begins in the file.
    frame_at: u64,
    /// Bytes of its content that were decoded.
    decoded: u64,
}

impl<R: Read> ArchiveFrames<R> {
    /// Reads frames from `source`, which begins at byte `start` of the file.
    pub fn new(source: R, start: u64) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
        Ok(Self {
            source,
            buffer: vec![0; BUFFER],
            left: 0..0,
            taken: 0,
            start,
            decoder,
            is_inside: false,
            frame_at: start,
            decoded: 0,
        })
    }

    /// Goes on with another source, which begins at byte `start` of the file. Keeps the memory of the decoder.
    pub fn go_to(&mut self, source: R, start: u64) {
        self.source = source;
        (self.start, self.taken) = (start, 0);
        (self.left, self.is_inside) = (0..0, false);
    }

    /// Returns where the current frame begins in the file.
    pub fn frame_at(&self) -> u64 {
        self.frame_at
    }

    /// Returns how much of the content of the current frame was decoded, in bytes.
    pub fn decoded(&self) -> u64 {
        self.decoded
    }

    /// Begins the next frame. Returns false at the end of the file.
    pub fn begin(&mut self) -> Result<bool, UnreadArchive> {
        while self.left.len() < HEAD.len() {
            self.buffer.copy_within(self.left.clone(), 0);
            self.left = 0..self.left.len();
            if self.fill()? == 0 {
                break;
            }
        }
        self.frame_at = self.start + self.taken - self.left.len() as u64;
        if self.left.is_empty() {
            return Ok(false);
        }
        if !self.buffer[self.left.clone()].starts_with(&HEAD) {
            let fault = match self.frame_at {
                0 => ArchiveFault::NotAnArchive,
                at => ArchiveFault::Frame { at },
            };
            return Err(fault.into());
        }
        self.decoder.reinit()?;
        (self.is_inside, self.decoded) = (true, 0);
        Ok(true)
    }

    /// Gets ready for the next entry: ends a frame that is full, and begins the next one.
    pub(super) fn between_entries(&mut self) -> Result<(), UnreadArchive> {
        if self.decoded >= FRAME {
            self.ensure_ended()?;
            if !self.begin()? {
                return Err(ArchiveFault::Short.into());
            }
        }
        Ok(())
    }

    /// Refuses a frame that does not end here.
    pub(super) fn ensure_ended(&mut self) -> Result<(), UnreadArchive> {
        match self.decode(&mut [0])? {
            0 => Ok(()),
            _ => Err(ArchiveFault::FrameEnd { at: self.frame_at }.into()),
        }
    }

    /// Decodes content of the current frame. Returns 0 at its end.
    pub fn decode(&mut self, out: &mut [u8]) -> Result<usize, UnreadArchive> {
        if out.is_empty() {
            return Ok(0);
        }
        while self.is_inside {
            if self.left.is_empty() {
                self.left = 0..0;
                self.fill()?;
            }
            let has_input = !self.left.is_empty();
            let mut input = InBuffer::around(&self.buffer[self.left.clone()]);
            let mut output = OutBuffer::around(&mut *out);
            let hint = self.decoder.run(&mut input, &mut output);
            let (used, made) = (input.pos(), output.pos());
            self.left.start += used;
            self.decoded += made as u64;
            let hint = hint.map_err(|e| ArchiveFault::Damaged {
                at: self.frame_at,
                said: e.to_string(),
            })?;
            self.is_inside = hint != 0;
            if made > 0 {
                return Ok(made);
            }
            if self.is_inside && !has_input {
                return Err(ArchiveFault::Short.into());
            }
        }
        Ok(0)
    }

    /// Decodes exactly as much content as `out` has room for.
    pub(super) fn decode_exact(&mut self, mut out: &mut [u8]) -> Result<(), UnreadArchive> {
        while !out.is_empty() {
            let made = self.decode(out)?;
            if made == 0 {
                return Err(ArchiveFault::FrameEnd { at: self.frame_at }.into());
            }
            out = &mut out[made..];
        }
        Ok(())
    }

    /// Decodes and drops content.
    pub fn skip(&mut self, mut bytes: u64, scratch: &mut [u8]) -> Result<(), UnreadArchive> {
        while bytes > 0 {
            let most = usize::try_from(bytes).unwrap_or(usize::MAX).min(scratch.len());
            match self.decode(&mut scratch[..most])? {
                0 => return Err(ArchiveFault::FrameEnd { at: self.frame_at }.into()),
                made => bytes -= made as u64,
            }
        }
        Ok(())
    }

    /// Returns whether the file goes on.
    pub(super) fn has_more(&mut self) -> io::Result<bool> {
        if self.left.is_empty() {
            self.left = 0..0;
            return Ok(self.fill()? > 0);
        }
        Ok(true)
    }

    /// Appends bytes of the file to the buffer. Returns their number, which is 0 at the end of the file.
    fn fill(&mut self) -> io::Result<usize> {
        loop {
            match self.source.read(&mut self.buffer[self.left.end..]) {
                Ok(read) => {
                    self.left.end += read;
                    self.taken += read as u64;
                    return Ok(read);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl<R: Read> Read for ArchiveFrames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.decode(out).map_err(io::Error::from)
    }
}
