//! Layers around content: opens compressed data and archives as streams.

mod bzip;
mod content;
mod inflate;
mod limits;
mod source;
mod tar;
mod xz;
mod zip;
mod zstd;

use std::io::{self, BufRead, Read};

pub use content::Content;
pub use inflate::Inflate;
pub use limits::{Bounds, LayerLimits, UnpackBudget};
pub use source::LayerSource;

/// Number of bytes that identify a layer.
const HEAD: usize = 512;

/// A way of wrapping content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// gzip, RFC 1952. One or more members form one content.
    Gzip,
    /// Zstandard, RFC 8878. One or more frames form one content.
    Zstd,
    /// xz. One or more streams form one content.
    Xz,
    /// bzip2. One or more streams form one content.
    Bzip2,
    /// A zip archive. Each member is a content.
    Zip,
    /// A tar archive. Each member is a content.
    Tar,
}

/// Why a part of a layer was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unread {
    /// It exceeds the limits.
    Bound,
    /// It is damaged or truncated.
    Damaged,
    /// It is encrypted.
    Encrypted,
    /// It is packed by an unsupported method.
    Unsupported,
    /// It is nested in more layers than are opened.
    Depth,
}

impl Unread {
    /// Returns the reason for a read error.
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::OutOfMemory => Self::Bound,
            io::ErrorKind::Unsupported => Self::Unsupported,
            _ => Self::Damaged,
        }
    }
}

/// Receives each content, with its name if it is a member of an archive. Reads it to the end.
pub type Visit<'v> = &'v mut dyn FnMut(Option<&str>, &mut Content<'_>);

impl Layer {
    /// Returns the word that reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
            Self::Zip => "zip",
            Self::Tar => "tar",
        }
    }

    /// Returns the layer of data that begins with `head`, of which it examines the first 512 bytes.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            _ if inflate::is_gzip(head) => Some(Self::Gzip),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 7 | 0x30, 8 | 0x30, b'P', b'K', 3, 4, ..] => Some(Self::Zip),
            _ if zstd::frame(head).is_some() => Some(Self::Zstd),
            _ if head.starts_with(xz::MAGIC) => Some(Self::Xz),
            _ if bzip::is_stream(head) => Some(Self::Bzip2),
            _ if tar::is_header(head) => Some(Self::Tar),
            _ => None,
        }
    }

    /// Returns the cost of one byte of its output, in units of an [`UnpackBudget`].
    fn price(self) -> u64 {
        match self {
            Self::Gzip | Self::Zstd | Self::Zip | Self::Tar => 1,
            Self::Xz => 4,
            Self::Bzip2 => 16,
        }
    }
}

/// Opens `layer` at the current position and passes each content to `visit`, as well as the contents of other layers
/// that directly follow compressed data.
///
/// Reads an archive in the order of its bytes. Reads a zip archive by its local headers, searching for the next header
/// after each member. If it is in memory, reads it by its central directory too, so that neither hides a member from
/// the other. In a stream, a member that the directory names and no header led to counts as damage.
///
/// Damage ends a content or the whole archive and is not an error. An error of the reader below `source` also only ends
/// the content; that reader must report it itself. Each content tells whether all of it was read. Returns why any other
/// part of the layer was not read.
#[must_use = "what was not opened was not examined"]
pub fn open(layer: Layer, source: &mut LayerSource, limits: &LayerLimits, visit: Visit<'_>) -> Option<Unread> {
    let mut layer = layer;
    loop {
        let price = layer.price();
        let mut is_whole = false;
        let mut one = |inner: &mut dyn Read, is_doubtful| {
            let mut content = Content::of_layer(inner, limits, price, is_doubtful);
            visit(None, &mut content);
            is_whole = content.unread().is_none();
        };
        match layer {
            Layer::Gzip => one(&mut inflate::Gzip::new(source), true),
            Layer::Zstd => one(&mut zstd::Frames::new(source, limits), true),
            Layer::Xz => one(&mut xz::XzStreams::new(source, limits), false),
            Layer::Bzip2 => one(&mut bzip::BzipStreams::new(source, limits), false),
            Layer::Zip => return zip::open(source, limits, visit),
            Layer::Tar => return tar::open(source, limits, visit),
        }
        layer = match following(source) {
            Some(next) if is_whole => next,
            _ => return None,
        };
    }
}

/// Returns the layer that begins after the end of a content, skipping zeros. [`open_behind`] finds a zip archive there.
fn following(source: &mut LayerSource) -> Option<Layer> {
    while let Ok(rest @ [0, ..]) = source.fill_buf() {
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        source.consume(zeros);
    }
    let next = Layer::of(source.peek(HEAD).ok()?)?;
    (next != Layer::Zip).then_some(next)
}

/// Opens a zip archive that begins after other bytes.
///
/// In memory, finds it by its end-of-central-directory record. In a stream, that record comes last, so every local
/// header counts, and the result tells whether the record came.
pub fn open_behind(source: &mut LayerSource, limits: &LayerLimits, visit: Visit<'_>) -> Behind {
    zip::open_behind(source, limits, visit)
}

/// The result of searching for a zip archive after other bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// There is no archive.
    Nothing,
    /// There is an archive, with the reason why a part of it was not read.
    Archive(Option<Unread>),
}

/// Returns the name of a member for display, truncated if it is very long.
fn shown(name: &[u8]) -> String {
    const LONGEST: usize = 1024;
    String::from_utf8_lossy(&name[..name.len().min(LONGEST)]).into_owned()
}

/// Reads and discards the rest, as far as the limits allow. Returns why it did not reach the end.
fn drain(inner: &mut dyn Read, limits: &LayerLimits, price: u64) -> Option<Unread> {
    let mut content = Content::of_layer(inner, limits, price, false);
    io::copy(&mut content, &mut io::sink()).ok();
    content.unread()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        member: 1000,
        total: 1500,
        members: 3,
        windows: 1 << 20,
    };

    type Opened = (String, usize, Option<Unread>);

    fn opened_within(bytes: &[u8], limits: &LayerLimits, from: Option<&mut dyn Read>) -> (Vec<Opened>, Option<Unread>) {
        let layer = Layer::of(bytes).unwrap();
        let mut contents = Vec::new();
        let mut source = match from {
            Some(stream) => LayerSource::new(stream),
            None => LayerSource::of(bytes, 0),
        };
        let unread = open(layer, &mut source, limits, &mut |name, content| {
            let mut all = Vec::new();
            content.read_to_end(&mut all).unwrap();
            contents.push((name.unwrap_or("-").to_owned(), all.len(), content.unread()));
        });
        (contents, unread)
    }

    fn opened(bytes: &[u8]) -> (Vec<Opened>, Option<Unread>) {
        let streamed = opened_within(bytes, &LayerLimits::new(&BOUNDS, None), Some(&mut &*bytes));
        assert_eq!(opened_within(bytes, &LayerLimits::new(&BOUNDS, None), None), streamed);
        streamed
    }

    fn local(name: &str, packed: usize, method: u16) -> Vec<u8> {
        let mut member = b"PK\x03\x04\x0a\0\0\0".to_vec();
        member.extend(method.to_le_bytes());
        member.extend([0; 8]);
        member.extend([u32::try_from(packed).unwrap().to_le_bytes(); 2].concat());
        member.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        member.extend([0, 0]);
        member.extend_from_slice(name.as_bytes());
        member
    }

    fn stored(size: usize) -> Vec<u8> {
        let mut member = local(&size.to_string(), size, 0);
        member.resize(member.len() + size, b'.');
        member
    }

    fn deflated(size: usize) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&vec![b'.'; size]).unwrap();
        let packed = encoder.finish().unwrap();
        [local(&size.to_string(), packed.len(), 8), packed].concat()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn entry(size: usize, given: usize) -> Opened {
        (size.to_string(), given, (given < size).then_some(Unread::Bound))
    }

    #[test]
    fn an_archive_is_opened_within_its_bounds() {
        let all = |members: &[Vec<u8>]| opened(&members.concat());
        let expected = (vec![entry(1000, 1000), entry(1, 1)], None);
        assert_eq!(all(&[stored(1000), stored(1)]), expected);
        let expected = (vec![entry(1001, 1000), entry(1, 1)], None);
        assert_eq!(all(&[stored(1001), stored(1)]), expected);
        assert_eq!(all(&[deflated(1001), deflated(1)]), expected);
        let expected = (vec![entry(900, 900), entry(900, 600), entry(1, 0)], None);
        assert_eq!(all(&[deflated(900), deflated(900), deflated(1)]), expected);
        // Only decompressed bytes count.
        let expected = (vec![entry(900, 900), entry(900, 900), entry(1, 1)], None);
        assert_eq!(all(&[stored(900), stored(900), deflated(1)]), expected);
        let expected = (vec![entry(1, 1), entry(2, 2), entry(3, 3)], Some(Unread::Bound));
        assert_eq!(all(&[stored(1), stored(2), stored(3), stored(4)]), expected);
    }

    #[test]
    fn a_budget_is_spent_by_all_blobs_together() {
        let budget = UnpackBudget::of(10_000);
        let bomb = gzip(&[0; 1400]);
        let mut read = Vec::new();
        for _ in 0..9 {
            let (contents, _) = opened_within(&bomb, &LayerLimits::new(&BOUNDS, Some(&budget)), None);
            read.push((contents[0].1, contents[0].2));
        }
        assert_eq!(read[..7], [(1400, None); 7]);
        assert_eq!(read[7..], [(200, Some(Unread::Bound)), (0, Some(Unread::Bound))]);
        // A member has a cost of its own, so that a million empty ones are not free.
        let budget = UnpackBudget::of(10_000);
        let (contents, unread) = opened_within(
            &[stored(1), stored(2), stored(3), stored(4)].concat(),
            &LayerLimits::new(&Bounds { members: 9, ..BOUNDS }, Some(&budget)),
            None,
        );
        assert_eq!((contents.len(), unread), (2, Some(Unread::Bound)));
    }

    #[test]
    fn entries_that_overlap_are_paid_for() {
        // A hundred headers lead to the same bytes, which yield no output but take time.
        let packed = [[0, 0, 0, 0xff, 0xff].repeat(199), vec![1, 0, 0, 0xff, 0xff]].concat();
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for at in 0..100u32 {
            let mut header = local("", packed.len(), 8);
            let extra = u16::try_from((99 - at) * 30).unwrap();
            header[28..30].copy_from_slice(&extra.to_le_bytes());
            bytes.extend(header);
            directory.extend(b"PK\x01\x02\0\0\x0a\0\0\0\x08\0");
            directory.extend([0; 8]);
            directory.extend([u32::try_from(packed.len()).unwrap().to_le_bytes(), [0; 4]].concat());
            directory.extend([0; 14]);
            directory.extend((at * 30).to_le_bytes());
        }
        bytes.extend(packed);
        let start = u32::try_from(bytes.len()).unwrap();
        bytes.extend(&directory);
        bytes.extend(b"PK\x05\x06\0\0\0\0\x64\0\x64\0");
        bytes.extend(
            [
                u32::try_from(directory.len()).unwrap().to_le_bytes(),
                start.to_le_bytes(),
            ]
            .concat(),
        );
        bytes.extend([0, 0]);
        let bounds = Bounds {
            members: 200,
            total: 1 << 20,
            ..BOUNDS
        };
        let budget = UnpackBudget::of(50_000);
        let within = |limits| {
            let (contents, unread) = opened_within(&bytes, &limits, None);
            (contents.len(), unread)
        };
        assert_eq!(within(LayerLimits::new(&bounds, None)), (100, None));
        let (read, unread) = within(LayerLimits::new(&bounds, Some(&budget)));
        assert!(read < 12 && unread == Some(Unread::Bound), "{read} {unread:?}");
        let total = Bounds { total: 5000, ..bounds };
        assert_eq!(within(LayerLimits::new(&total, None)), (6, Some(Unread::Bound)));
    }

    #[test]
    fn a_member_behind_other_bytes_is_found() {
        let archive = [stored(3), b"PK and other bytes PK\x03".to_vec(), stored(4)].concat();
        assert_eq!(opened(&archive).0, [entry(3, 3), entry(4, 4)]);
    }

    #[test]
    fn what_was_there_before_damage_is_handed_out() {
        let text: Vec<u8> = (0..1200u32).map(|i| ((i * i) >> 3) as u8).collect();
        let whole = gzip(&text);
        let one = |given, unread| (vec![("-".to_owned(), given, unread)], None);
        assert_eq!(opened(&whole), one(1200, None));
        assert_eq!(opened(&[&whole[..], &gzip(&text[..99])].concat()), one(1299, None));
        // As on tapes, zeros and another member may follow.
        let padded = [&whole[..], &[0; 700], &gzip(&text[..99]), &[0; 99]].concat();
        assert_eq!(opened(&padded), one(1299, None));
        assert_eq!(opened(&[&whole[..], b"and more"].concat()), one(1200, None));
        let half = opened(&whole[..whole.len() / 2]).0.remove(0);
        assert!(half.1 > 100 && half.2 == Some(Unread::Damaged), "{half:?}");
        let mut damaged = whole;
        let end = damaged.len() - 6;
        damaged[end] ^= 1;
        assert_eq!(opened(&damaged), one(1200, Some(Unread::Damaged)));
    }

    #[test]
    fn a_header_that_some_readers_refuse_is_read_all_the_same() {
        let mut bytes = gzip(b"text");
        // The flags announce a checksum, a comment and extra fields, and the checksum is wrong.
        bytes.splice(3..10, [2 | 4 | 16, 0, 0, 0, 0, 0, 0, 3, 0, 1, 2, 3, b'c', 0, 9, 9]);
        assert_eq!(opened(&bytes), (vec![("-".to_owned(), 4, None)], None));
    }

    #[test]
    fn what_only_begins_like_a_layer_is_none() {
        for text in [
            &b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff and so on"[..],
            b"PK\x03\x04 a text about zip archives of old",
        ] {
            let (contents, unread) = opened(text);
            assert!(
                contents.iter().all(|content| content.2.is_none()) && unread.is_none(),
                "{contents:?}"
            );
        }
        for text in [
            &b"\x1f\x8b\x08\xff"[..],
            b"BZh9 and more text",
            b"\xfd7zX",
            &[b' '; 512],
        ] {
            assert_eq!(Layer::of(text), None);
        }
    }

    #[test]
    fn windows_are_taken_and_given_back() {
        let limits = LayerLimits::new(&BOUNDS, None);
        let window = limits.window(1 << 20);
        assert!(window.is_some() && limits.window(1).is_none());
        drop(window);
        assert!(limits.window(1 << 20).is_some());
    }
}
