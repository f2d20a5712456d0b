//! The content of a layer, as far as the limits and damage allow.

use std::io::{self, Read};

use super::Unread;
use super::limits::LayerLimits;

/// A reader of one content of a layer. After its end, it tells whether anything was left unread.
pub struct Content<'a> {
    inner: &'a mut dyn Read,
    limits: &'a LayerLimits<'a>,
    /// Cost of one byte in budget units. `None` if the content is only copied, not decompressed.
    price: Option<u64>,
    /// Number of bytes it may still yield.
    left: u64,
    given: u64,
    unread: Option<Unread>,
    /// Whether the bytes count as no layer at all if not one byte can be decompressed.
    is_doubtful: bool,
    ended: bool,
}

impl<'a> Content<'a> {
    /// Returns the content of a layer that has only one.
    pub(super) fn of_layer(
        inner: &'a mut dyn Read,
        limits: &'a LayerLimits<'a>,
        price: u64,
        is_doubtful: bool,
    ) -> Self {
        Self {
            inner,
            limits,
            price: Some(price),
            left: u64::MAX,
            given: 0,
            unread: None,
            is_doubtful,
            ended: false,
        }
    }

    /// Returns the content of a member of an archive.
    pub(super) fn of_member(inner: &'a mut dyn Read, limits: &'a LayerLimits<'a>, price: Option<u64>) -> Self {
        Self {
            inner,
            limits,
            price,
            left: limits.member(),
            given: 0,
            unread: None,
            is_doubtful: false,
            ended: false,
        }
    }

    /// Sets the reason why not all of it can be read, if that is known in advance.
    pub(super) fn but(mut self, why: Option<Unread>) -> Self {
        self.unread = why;
        self
    }

    /// Returns why some of the content was not read. Known after the end; `None` if all of it was read.
    pub fn unread(&self) -> Option<Unread> {
        self.unread
    }

    /// Returns the number of bytes read so far.
    pub(super) fn given(&self) -> u64 {
        self.given
    }

    fn room(&self, wanted: usize) -> usize {
        let left = match self.price {
            Some(price) => self.left.min(self.limits.room(price)),
            None => self.left,
        };
        usize::try_from(left).map_or(wanted, |left| left.min(wanted))
    }
}

impl Read for Content<'_> {
    /// Never fails: damage ends the content.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let room = self.room(buffer.len());
        let mut beyond = [0];
        let target = match room {
            0 => &mut beyond[..],
            _ => &mut buffer[..room],
        };
        loop {
            match self.inner.read(target) {
                Ok(read) if room > 0 && read > 0 => {
                    self.left -= read as u64;
                    self.given += read as u64;
                    if let Some(price) = self.price {
                        self.limits.spend(read as u64, price);
                    }
                    return Ok(read);
                }
                Ok(0) => {}
                Ok(_) => self.unread = Some(Unread::Bound),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    let is_none = self.is_doubtful && self.given == 0 && e.kind() != io::ErrorKind::UnexpectedEof;
                    let why = Unread::of(&e);
                    if why != Unread::Damaged || !is_none {
                        self.unread = Some(why);
                    }
                }
            }
            self.ended = true;
            return Ok(0);
        }
    }
}
