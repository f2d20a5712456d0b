//! The content of zstd frames.

use std::io::{self, Read};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{Source, drain};

/// What can stand at the start of zstd data.
pub enum Frame {
    /// A frame of data.
    Data,
    /// Bytes for somebody else, which a decoder passes over.
    Skippable,
}

/// Returns what begins with `head`.
pub fn frame(head: &[u8]) -> Option<Frame> {
    match head {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Frame::Data),
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Frame::Skippable),
        _ => None,
    }
}

/// The last block of a frame, empty, and a checksum. A decoder holds back what it may need to refer to until it has seen
/// the last block; where there is damage, this one makes it give out what there was before.
const LAST_BLOCK: &[u8] = &[1, 0, 0, 0, 0, 0, 0];

/// The content of zstd frames, one after another, to the last block before any damage.
pub struct Frames<'s, 'a> {
    source: &'s mut Source<'a>,
    decoder: FrameDecoder,
    inside: bool,
    damage: Option<io::Error>,
    /// How many frames may still begin.
    left: usize,
}

impl<'s, 'a> Frames<'s, 'a> {
    /// Reads at most `left` frames.
    pub fn new(source: &'s mut Source<'a>, left: usize) -> Self {
        Self {
            source,
            decoder: FrameDecoder::new(),
            inside: false,
            damage: None,
            left,
        }
    }
}

impl Read for Frames<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.inside {
                if self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                    let blocks = BlockDecodingStrategy::UptoBlocks(1);
                    if let Err(damage) = self.decoder.decode_blocks(&mut *self.source, blocks) {
                        self.damage = Some(io::Error::other(damage));
                        self.decoder
                            .decode_blocks(LAST_BLOCK, BlockDecodingStrategy::UptoBlocks(1))
                            .map_err(io::Error::other)?;
                    }
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
            match frame(self.source.peek(4)?) {
                Some(Frame::Skippable) => {
                    let head: [u8; 8] = self.source.take_array()?;
                    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
                    drain(&mut self.source.take(length.into()), u64::MAX);
                }
                Some(Frame::Data) if self.left > 0 => {
                    self.left -= 1;
                    self.decoder.reset(&mut *self.source).map_err(io::Error::other)?;
                    self.inside = true;
                }
                _ => return Ok(0),
            }
        }
    }
}
