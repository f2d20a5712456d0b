//! Unpacks one member of a zip archive.

use std::io::{self, BufRead, Read};

use super::super::inflate::Inflate;
use super::super::limits::LayerLimits;
use super::super::source::Stored;
use super::super::zstd::Frames;
use super::super::{Content, Layer, LayerSource, Unread, Visit, bzip, drain, xz};
use super::records::{BZIP2, DEFLATED, DESCRIPTOR, Packing, STORED, XZ};

/// The result of reading a member.
pub struct Done {
    /// Number of bytes read.
    pub given: u64,
    /// Why its end was not found, or lies before the stated end.
    pub unread: Option<Unread>,
}

/// Reads the member whose data begins at the current position, and moves to the end of the data.
pub fn read(
    source: &mut LayerSource,
    packing: &Packing,
    name: &[u8],
    limits: &LayerLimits,
    visit: Visit<'_>,
) -> io::Result<Done> {
    let name = super::super::shown(name);
    if let Some(why) = packing.unread() {
        visit(
            Some(&name),
            &mut Content::of_member(&mut io::empty(), limits, None).but(Some(why)),
        );
        let is_whole = source.skip(packing.size.unwrap_or_default())?;
        return Ok(Done {
            given: 0,
            unread: (!is_whole).then_some(Unread::Damaged),
        });
    }
    let mut member = Member {
        name: &name,
        limits,
        visit,
    };
    Ok(match packing.size {
        Some(size) => member.sized(source, packing.method, size)?,
        None => member.described(source, packing.method),
    })
}

struct Member<'m, 'v> {
    name: &'m str,
    limits: &'m LayerLimits<'m>,
    visit: Visit<'v>,
}

impl Member<'_, '_> {
    fn show(&mut self, inner: &mut dyn Read, price: Option<u64>) -> (u64, Option<Unread>) {
        let mut content = Content::of_member(inner, self.limits, price);
        (self.visit)(Some(self.name), &mut content);
        (content.given(), content.unread())
    }

    /// Reads a member whose packed size is known. It is damaged if its data ends before that.
    fn sized(&mut self, source: &mut LayerSource, method: u16, size: u64) -> io::Result<Done> {
        let mut packed = Stored::of(source, size);
        let mut ends_early = false;
        let (given, unread) = match method {
            STORED => self.show(&mut packed, None),
            DEFLATED => self.show(&mut Inflate::raw(&mut packed), Some(Layer::Gzip.price())),
            _ => {
                let mut inner = LayerSource::new(&mut packed);
                let shown = self.unpack(&mut inner, method);
                ends_early = !inner.peek(1).unwrap_or_default().is_empty();
                shown
            }
        };
        let left = packed.left();
        source.skip(left)?;
        ends_early |= left > 0;
        Ok(Done {
            given,
            unread: (ends_early && unread.is_none()).then_some(Unread::Damaged),
        })
    }

    fn unpack(&mut self, source: &mut LayerSource, method: u16) -> (u64, Option<Unread>) {
        let limits = self.limits;
        match method {
            BZIP2 => self.show(&mut bzip::BzipStreams::new(source, limits), Some(Layer::Bzip2.price())),
            XZ => self.show(&mut xz::XzStreams::new(source, limits), Some(Layer::Xz.price())),
            _ => self.show(&mut Frames::new(source, limits), Some(Layer::Zstd.price())),
        }
    }

    /// Reads a member whose size follows its data, so that the data itself must show where it ends.
    fn described(&mut self, source: &mut LayerSource, method: u16) -> Done {
        let limits = self.limits;
        let mut to_end = |inner: &mut dyn Read, layer: Layer| {
            let (given, unread) = self.show(inner, Some(layer.price()));
            let unread = match unread {
                // A bound was reached. The member's end must still be found, or later members would be missed.
                Some(Unread::Bound) => drain(inner, limits, layer.price()),
                _ => None,
            };
            Done { given, unread }
        };
        match method {
            DEFLATED => to_end(&mut Inflate::raw(source), Layer::Gzip),
            BZIP2 => to_end(&mut bzip::BzipStreams::new(source, limits), Layer::Bzip2),
            XZ => to_end(&mut xz::XzStreams::new(source, limits), Layer::Xz),
            STORED => {
                let mut inner = Described { source, given: 0 };
                let (given, _) = self.show(&mut inner, None);
                io::copy(&mut inner, &mut io::sink()).ok();
                Done { given, unread: None }
            }
            _ => to_end(&mut Frames::one(source, limits), Layer::Zstd),
        }
    }
}

/// A reader of a stored member whose size follows it. It ends before a descriptor that states the number of bytes read
/// so far.
struct Described<'s, 'a> {
    source: &'s mut LayerSource<'a>,
    given: u64,
}

impl Read for Described<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let given = self.given;
        let ahead = self.source.peek(24)?;
        let plain = match memchr::memmem::find(ahead, DESCRIPTOR) {
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
