//! Examines one blob: its own bytes, and the contents of its layers.

use std::cell::RefCell;
use std::io::{self, Read};

use super::place::{Listener, Place};
use super::pointer::Pointer;
use super::watch::{self, Watch};
use super::{BOUNDS, DEPTH, IN_MEMORY, Look, Recognised};
use crate::format::derived::SignSearch;
use crate::format::layers::{self, Behind, Bounds, Content, Layer, LayerLimits, LayerSource, Unread};
use crate::format::protected::Format;

/// The examination of one blob, with the findings so far.
pub struct Examination<'a> {
    found: RefCell<Recognised>,
    listener: RefCell<Option<&'a mut dyn Listener>>,
    limits: LayerLimits<'a>,
    /// Buffers for reuse.
    spare: RefCell<Vec<Vec<u8>>>,
}

impl<'a> Examination<'a> {
    /// Starts the examination of a blob.
    pub fn new(look: Look<'a>) -> Self {
        Self {
            found: RefCell::default(),
            listener: RefCell::new(look.listener),
            limits: LayerLimits::new(&BOUNDS, look.budget),
            spare: RefCell::default(),
        }
    }

    /// Returns the findings.
    pub fn finish(self) -> Recognised {
        self.found.into_inner()
    }

    /// Examines bytes in memory. `complete` tells whether they are all bytes of the content, not only those that could
    /// be read.
    pub fn slice(&self, place: &Place, bytes: &[u8], complete: bool) {
        self.searched(place, bytes, complete, &SignSearch::default());
    }

    /// Examines all bytes of a blob. `search` tells where signs of keys may be.
    pub fn blob(&self, bytes: &[u8], search: &SignSearch<'_>) {
        self.searched(&Place::blob(), bytes, true, search);
    }

    fn searched(&self, place: &Place, bytes: &[u8], complete: bool, search: &SignSearch<'_>) {
        self.begin(place);
        self.hear(place, bytes);
        self.add(watch::all_of(bytes, complete, search), place);
        self.open_all(Layer::of(bytes), &mut LayerSource::of(bytes, 0), place);
        self.end(place);
    }

    /// Examines a blob that begins with `start` and continues with `rest`. Returns its Git LFS pointer, if it is one.
    ///
    /// Fails only if `rest` does.
    pub fn stream(&self, start: &[u8], rest: &mut dyn Read) -> io::Result<Option<Pointer>> {
        let place = Place::blob();
        self.begin(&place);
        let watch = self.pass(&place, start, rest)?;
        let pointer = watch.pointer();
        self.add(watch.finish(true), &place);
        self.end(&place);
        Ok(pointer)
    }

    /// Opens the layers of a stream that begins with `start` and continues with `rest`, and watches its bytes to the
    /// end.
    fn pass(&self, place: &Place, start: &[u8], rest: &mut dyn Read) -> io::Result<Watch> {
        let mut tee = Tee {
            inner: &mut start.chain(rest),
            watch: Watch::default(),
            examination: self,
            place,
            error: None,
        };
        self.open_all(Layer::of(start), &mut LayerSource::new(&mut tee), place);
        if tee.error.is_none() {
            io::copy(&mut tee, &mut io::sink()).ok();
        }
        match tee.error {
            Some(error) => Err(error),
            None => Ok(tee.watch),
        }
    }

    /// Opens the layer that the bytes begin with, if any, and a zip archive that begins after it or after other bytes.
    fn open_all(&self, layer: Option<Layer>, source: &mut LayerSource, place: &Place) {
        if place.depth() == DEPTH {
            if layer.is_some() || self.is_archive(source) {
                self.note(Some(Unread::Depth), place);
            }
            return;
        }
        if let Some(layer) = layer {
            let unread = layers::open(layer, source, &self.limits, &mut self.visit(layer, place));
            self.note(unread, &place.inside(layer, None));
        }
        if layer == Some(Layer::Zip) {
            return;
        }
        let before = self.found.borrow().in_part.clone();
        match layers::open_behind(source, &self.limits, &mut self.visit(Layer::Zip, place)) {
            Behind::Archive(unread) => self.note(unread, &place.inside(Layer::Zip, None)),
            // The possible members belong to no archive, so nothing of them counts as unread.
            Behind::Nothing => self.found.borrow_mut().in_part = before,
        }
    }

    /// Returns whether a zip archive begins after other bytes, without opening it.
    fn is_archive(&self, source: &mut LayerSource) -> bool {
        let none = Bounds { members: 0, ..BOUNDS };
        layers::open_behind(source, &LayerLimits::new(&none, None), &mut |_, _| {}) != Behind::Nothing
    }

    fn visit<'s>(&'s self, layer: Layer, outer: &'s Place) -> impl FnMut(Option<&str>, &mut Content<'_>) + use<'s, 'a> {
        move |name, content| self.content(&outer.inside(layer, name), content)
    }

    /// Examines one content of a layer. Reading it never fails.
    fn content(&self, place: &Place, content: &mut Content) {
        let mut start = self.spare.borrow_mut().pop().unwrap_or_default();
        start.clear();
        content.take(IN_MEMORY + 1).read_to_end(&mut start).ok();
        if start.len() as u64 <= IN_MEMORY {
            self.slice(place, &start, content.unread().is_none());
        } else {
            self.begin(place);
            if let Ok(watch) = self.pass(place, &start, content) {
                self.add(watch.finish(content.unread().is_none()), place);
            }
            self.end(place);
        }
        self.note(content.unread(), place);
        self.spare.borrow_mut().push(start);
    }

    /// Records that something at a place could not be read.
    fn note(&self, why: Option<Unread>, place: &Place) {
        if let Some(why) = why {
            let mut found = self.found.borrow_mut();
            found.in_part.entry(why).or_insert_with(|| place.clone());
        }
    }

    /// Records formats found at a place. A place replaces places inside of it.
    fn add(&self, formats: impl IntoIterator<Item = Format>, place: &Place) {
        let mut found = self.found.borrow_mut();
        for format in formats {
            let known = found.formats.entry(format).or_insert_with(|| place.clone());
            if known.is_within(place) {
                *known = place.clone();
            }
        }
    }

    fn begin(&self, place: &Place) {
        if let Some(listener) = &mut *self.listener.borrow_mut() {
            listener.begin(place);
        }
    }

    fn hear(&self, place: &Place, bytes: &[u8]) {
        if let Some(listener) = &mut *self.listener.borrow_mut() {
            listener.feed(place, bytes);
        }
    }

    fn end(&self, place: &Place) {
        if let Some(listener) = &mut *self.listener.borrow_mut() {
            listener.end(place);
        }
    }
}

/// A reader that watches its bytes and remembers its error, because a decoder may hide it.
struct Tee<'a, 'l> {
    inner: &'a mut dyn Read,
    watch: Watch,
    examination: &'a Examination<'l>,
    place: &'a Place,
    error: Option<io::Error>,
}

impl Read for Tee<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.error.is_some() {
            return Ok(0);
        }
        match self.inner.read(buffer) {
            Ok(read) => {
                self.watch.feed(&buffer[..read]);
                self.examination.hear(self.place, &buffer[..read]);
                Ok(read)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Err(e),
            Err(e) => {
                let kind = e.kind();
                self.error = Some(e);
                Err(kind.into())
            }
        }
    }
}
