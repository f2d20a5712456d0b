//! Decompresses zstd frames.

use std::io::{self, Read};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::LayerSource;
use super::limits::{LayerLimits, Window};

/// The kinds of frames at the start of zstd data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// A frame of data.
    Data,
    /// A skippable frame: bytes for other programs, which a decoder skips.
    Skippable,
    /// A frame of a version before the format was fixed, which the reference decoder still reads.
    Early,
}

/// Returns the kind of frame that begins with `head`.
pub fn frame(head: &[u8]) -> Option<Frame> {
    match head {
        [0x28, 0xb5, 0x2f, 0xfd, descriptor, ..] if descriptor & RESERVED == 0 => Some(Frame::Data),
        [0x22..=0x27, 0xb5, 0x2f, 0xfd, ..] => Some(Frame::Early),
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Frame::Skippable),
        _ => None,
    }
}

/// The flags of a frame header.
const SINGLE_SEGMENT: u8 = 0x20;
const RESERVED: u8 = 0x08;
const CHECKSUM: u8 = 0x04;
const DICTIONARY: u8 = 0x03;

/// The smallest window, as the n in 2^(10+n) bytes.
const SMALLEST: u8 = 0;
/// The largest window that is kept, as the n in 2^(10+n) bytes.
const LARGEST: u8 = 16;

/// Bytes of memory that a decoder takes besides its window.
const OVERHEAD: u64 = 512 << 10;

/// An empty last block of a frame, and a checksum.
///
/// A decoder holds back output that it may need to refer to until it has seen the last block. After damage, this block
/// makes it return the output before the damage.
const LAST_BLOCK: &[u8] = &[1, 0, 0, 0, 0, 0, 0];

/// A reader of the content of consecutive zstd frames, up to the last block before any damage.
pub struct Frames<'s, 'a> {
    source: &'s mut LayerSource<'a>,
    limits: &'s LayerLimits<'s>,
    decoder: FrameDecoder,
    /// The memory reserved for the decoder, which never shrinks.
    window: Option<Window<'s>>,
    held: u64,
    inside: bool,
    /// Whether the frame's window is larger than the one that is kept.
    is_cut: bool,
    damage: Option<io::Error>,
    /// Number of frames that may still be read.
    left: usize,
}

impl<'s, 'a> Frames<'s, 'a> {
    /// Reads all frames that begin at the current position.
    pub fn new(source: &'s mut LayerSource<'a>, limits: &'s LayerLimits<'s>) -> Self {
        Self {
            source,
            limits,
            decoder: FrameDecoder::new(),
            window: None,
            held: 0,
            inside: false,
            is_cut: false,
            damage: None,
            left: usize::MAX,
        }
    }

    /// Reads only one frame.
    pub fn one(source: &'s mut LayerSource<'a>, limits: &'s LayerLimits<'s>) -> Self {
        Self {
            left: 1,
            ..Self::new(source, limits)
        }
    }

    /// Starts a data frame.
    ///
    /// Gives the decoder a header with a window that fits into the memory left. A frame may ask for a window of
    /// gigabytes, but rarely refers back that far. If it does, decoding fails there, and the frame counts as read in
    /// part.
    fn begin(&mut self) -> io::Result<()> {
        let header = Header::read(self.source)?;
        let needed = header.window.min(header.content.unwrap_or(u64::MAX).max(1024));
        let room = (self.limits.window_left() + self.held).saturating_sub(OVERHEAD);
        let exponent = (SMALLEST..=LARGEST).find(|exponent| needed <= 1 << (10 + exponent));
        let mut exponent = exponent.unwrap_or(LARGEST);
        while exponent > SMALLEST && 1 << (10 + exponent) > room {
            exponent -= 1;
        }
        let window = 1 << (10 + exponent);
        self.is_cut = window < needed;
        let memory = window + OVERHEAD;
        if memory > self.held {
            self.window = None;
            self.window = Some(self.limits.window(memory).ok_or(io::ErrorKind::OutOfMemory)?);
            self.held = memory;
        }
        // A block may be as large as the window that the frame states, so state at least that.
        let stated = exponent.max(BLOCK.min(header.exponent()));
        let told = [0x28, 0xb5, 0x2f, 0xfd, header.flags & CHECKSUM, stated << 3];
        // On the second reset, the decoder has all of its memory at once. Growing by doubling would take half as much
        // again.
        for _ in 0..2 {
            self.decoder.reset(&told[..]).map_err(io::Error::other)?;
        }
        self.inside = true;
        Ok(())
    }

    /// Decodes the next block. If that fails, makes the decoder return the output it holds back.
    fn decode(&mut self) -> io::Result<()> {
        let blocks = BlockDecodingStrategy::UptoBlocks(1);
        if let Err(damage) = self.decoder.decode_blocks(&mut *self.source, blocks) {
            let kind = match (self.source.peek(1), self.is_cut) {
                (Ok([]), _) => io::ErrorKind::UnexpectedEof,
                (_, true) => io::ErrorKind::OutOfMemory,
                (_, false) => io::ErrorKind::InvalidData,
            };
            self.damage = Some(io::Error::new(kind, damage));
            let blocks = BlockDecodingStrategy::UptoBlocks(1);
            self.decoder
                .decode_blocks(LAST_BLOCK, blocks)
                .map_err(io::Error::other)?;
        }
        Ok(())
    }
}

impl Read for Frames<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.inside {
                if self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                    self.decode()?;
                }
                let read = self.decoder.read(buffer)?;
                if read > 0 {
                    return Ok(read);
                }
                self.inside = !self.decoder.is_finished();
                match self.damage.take() {
                    Some(damage) => return Err(damage),
                    None => continue,
                }
            }
            match frame(self.source.peek(5)?) {
                Some(Frame::Skippable) => {
                    let head: [u8; 8] = self.source.take_array()?;
                    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
                    if !self.source.skip(length.into())? {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Some(Frame::Data) if self.left > 0 => {
                    self.left -= 1;
                    self.begin()?;
                }
                Some(Frame::Early) if self.left > 0 => return Err(io::ErrorKind::Unsupported.into()),
                _ => return Ok(0),
            }
        }
    }
}

/// The size of the largest block, 128 KiB, as the n in 2^(10+n) bytes.
const BLOCK: u8 = 7;

/// The header of a frame.
struct Header {
    flags: u8,
    /// Size of the window in bytes: how far the frame may refer back.
    window: u64,
    /// Size of the content in bytes, if the header states it.
    content: Option<u64>,
}

impl Header {
    fn read(source: &mut LayerSource) -> io::Result<Self> {
        let [_, _, _, _, flags] = source.take_array()?;
        let single = flags & SINGLE_SEGMENT != 0;
        let mut window = 0;
        if !single {
            let [byte] = source.take_array()?;
            let base = 1u64 << (10 + (byte >> 3));
            window = base + base / 8 * u64::from(byte & 7);
        }
        let dictionary = number(source, [0, 1, 2, 4][usize::from(flags & DICTIONARY)])?;
        if dictionary != 0 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let content = match (flags >> 6, single) {
            (0, false) => None,
            (0, true) => Some(number(source, 1)?),
            (1, _) => Some(number(source, 2)? + 256),
            (2, _) => Some(number(source, 4)?),
            _ => Some(number(source, 8)?),
        };
        if single {
            window = content.unwrap_or_default();
        }
        Ok(Self { flags, window, content })
    }

    /// Returns the size of the window as the n in 2^(10+n) bytes, rounded up.
    fn exponent(&self) -> u8 {
        let exponent = (SMALLEST..LARGEST).find(|exponent| self.window <= 1 << (10 + exponent));
        exponent.unwrap_or(LARGEST)
    }
}

/// Takes a little-endian number of `bytes` bytes.
fn number(source: &mut LayerSource, bytes: usize) -> io::Result<u64> {
    let mut number = [0; 8];
    source.read_exact(&mut number[..bytes])?;
    Ok(u64::from_le_bytes(number))
}
