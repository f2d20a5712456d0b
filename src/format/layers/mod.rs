//! One layer of compression, gzip, zstd or zip, opened as a stream: compressed bytes to the bytes within.

mod inflate;
mod source;
mod zip;
mod zstd;

use std::io::{self, Read};

use inflate::Inflate;
pub use source::Source;
use zstd::Frames;

/// A way of wrapping content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// gzip, RFC 1952, of one or more members, which are one content.
    Gzip,
    /// Zstandard, RFC 8878, of one or more frames, which are one content.
    Zstd,
    /// A zip archive, whose members are many contents.
    Zip,
}

impl Layer {
    /// Returns the word that reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Zip => "zip",
        }
    }

    /// Returns the layer that bytes which begin with `head` are wrapped in.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 7, 8, b'P', b'K', 3, 4, ..] => Some(Self::Zip),
            _ if zstd::frame(head).is_some() => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// How much of a layer is opened, so that a small file that unpacks to a huge one costs little.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The bytes that one member of a zip archive yields at most.
    pub member: u64,
    /// The bytes that all contents yield together at most.
    pub total: u64,
    /// How many members of a zip archive are opened.
    pub members: usize,
}

/// Opens `layer` and hands each content to `visit`, with its name if it is a member of an archive.
///
/// A zip archive is read by its local headers in the order in which they lie, not by its central directory: that needs
/// no seeking, and a member that the directory leaves out or names twice is there all the same. Where no header follows
/// a member, the next one is looked for. Members that are encrypted, or compressed in other ways than deflate and
/// zstd, are passed over.
///
/// Damage ends a content, or the whole, and is no error; nor is one of the reader that `source` stands on, which has
/// to be noticed there. Returns whether there was more than the bounds let through.
#[must_use = "what was not opened was not examined"]
pub fn open(
    layer: Layer,
    source: &mut Source,
    bounds: &Bounds,
    visit: &mut dyn FnMut(Option<&str>, &mut Content),
) -> bool {
    let mut beyond = false;
    let mut visit = |name: Option<&str>, content: &mut Content| {
        visit(name, content);
        beyond |= content.is_beyond;
    };
    match layer {
        Layer::Gzip => visit(None, &mut Content::new(&mut Inflate::gzip(source), bounds.total)),
        Layer::Zstd => visit(
            None,
            &mut Content::new(&mut Frames::new(source, usize::MAX), bounds.total),
        ),
        Layer::Zip => {
            let mut left = bounds.total;
            for _ in 0..bounds.members {
                match zip::member(source, left, bounds.member, &mut visit) {
                    Some(used) if used < left => left -= used,
                    Some(_) => return true,
                    None => return beyond,
                }
            }
            return true;
        }
    }
    beyond
}

/// What is inside of a layer, as far as it can be had.
pub struct Content<'a> {
    inner: &'a mut dyn Read,
    left: u64,
    given: u64,
    cut_short: bool,
    is_beyond: bool,
    ended: bool,
}

impl<'a> Content<'a> {
    fn new(inner: &'a mut dyn Read, left: u64) -> Self {
        Self {
            inner,
            left,
            given: 0,
            cut_short: false,
            is_beyond: false,
            ended: false,
        }
    }

    /// Returns whether there was more than was handed out, by damage or by the bounds. Known at the end.
    pub fn cut_short(&self) -> bool {
        self.cut_short
    }
}

impl Read for Content<'_> {
    /// Never errs: damage is an end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let mut beyond = [0];
        let target = if room == 0 {
            &mut beyond[..]
        } else {
            &mut buffer[..room]
        };
        loop {
            match self.inner.read(target) {
                Ok(read) if room > 0 && read > 0 => {
                    self.left -= read as u64;
                    self.given += read as u64;
                    return Ok(read);
                }
                Ok(read) => {
                    self.cut_short = read > 0;
                    self.is_beyond = read > 0;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => self.cut_short = true,
            }
            self.ended = true;
            return Ok(0);
        }
    }
}

/// Reads on to nowhere, at most `limit` bytes, and returns how many there were.
fn drain(inner: &mut dyn Read, limit: u64) -> u64 {
    let mut content = Content::new(inner, limit);
    io::copy(&mut content, &mut io::sink()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        member: 1000,
        total: 1500,
        members: 3,
    };

    fn opened(bytes: &[u8]) -> Vec<(String, usize, bool)> {
        let layer = Layer::of(bytes).unwrap();
        let mut contents = Vec::new();
        let _beyond = open(
            layer,
            &mut Source::new(&mut &bytes[..]),
            &BOUNDS,
            &mut |name, content| {
                let mut all = Vec::new();
                content.read_to_end(&mut all).unwrap();
                contents.push((name.unwrap_or("-").to_owned(), all.len(), content.cut_short()));
            },
        );
        contents
    }

    fn stored(name: &str, size: usize) -> Vec<u8> {
        let mut member = b"PK\x03\x04\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        member.extend([u32::try_from(size).unwrap().to_le_bytes(); 2].concat());
        member.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        member.extend([0, 0]);
        member.extend_from_slice(name.as_bytes());
        member.resize(member.len() + size, b'.');
        member
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn an_archive_is_opened_within_its_bounds() {
        let members = |sizes: &[usize]| {
            sizes
                .iter()
                .flat_map(|&size| stored(&size.to_string(), size))
                .collect::<Vec<_>>()
        };
        let entry = |size: usize, given: usize| (size.to_string(), given, given < size);
        assert_eq!(opened(&members(&[1000, 1])), [entry(1000, 1000), entry(1, 1)]);
        assert_eq!(opened(&members(&[1001, 1])), [entry(1001, 1000), entry(1, 1)]);
        assert_eq!(opened(&members(&[900, 900, 1])), [entry(900, 900), entry(900, 600)]);
        assert_eq!(opened(&members(&[1, 2, 3, 4])), [entry(1, 1), entry(2, 2), entry(3, 3)]);
    }

    #[test]
    fn a_member_behind_other_bytes_is_found() {
        let archive = [stored("a", 3), b"PK and other bytes PK\x03".to_vec(), stored("b", 4)].concat();
        assert_eq!(opened(&archive), [("a".into(), 3, false), ("b".into(), 4, false)]);
    }

    #[test]
    fn what_was_there_before_damage_is_handed_out() {
        let text: Vec<u8> = (0..1200u32).map(|i| ((i * i) >> 3) as u8).collect();
        let whole = gzip(&text);
        assert_eq!(opened(&whole), [("-".into(), 1200, false)]);
        assert_eq!(
            opened(&[&whole[..], &gzip(&text[..99])].concat()),
            [("-".into(), 1299, false)]
        );
        let half = opened(&whole[..whole.len() / 2]).remove(0);
        assert!(half.1 > 100 && half.2, "{half:?}");
        let mut damaged = whole;
        let end = damaged.len() - 6;
        damaged[end] ^= 1;
        assert_eq!(opened(&damaged), [("-".into(), 1200, true)]);
    }
}
