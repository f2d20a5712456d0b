//! Reads the members of a zip archive, by its local headers and by its central directory.

mod directory;
mod member;
mod records;

use std::collections::HashMap;
use std::io::{self, BufRead, Read};

use memchr::memmem;

use super::limits::LayerLimits;
use super::{Behind, LayerSource, Unread, Visit};
use directory::{Directory, Run};
use records::{LOCAL_LENGTH, Local, Packing, STORED};

/// Opens the archive that begins at the current position.
pub fn open(source: &mut LayerSource, limits: &LayerLimits, visit: Visit<'_>) -> Option<Unread> {
    let mut walk = Walk::new(limits, visit);
    match source.whole() {
        Some(bytes) => {
            walk.whole(source, bytes.len() as u64);
            let directories = Directory::all_of(bytes);
            walk.by_directories(bytes, &directories);
        }
        None => {
            walk.stream(source);
        }
    }
    walk.unread
}

/// Opens an archive that begins after other bytes. Those before the current position belong to something else.
pub fn open_behind(source: &mut LayerSource, limits: &LayerLimits, visit: Visit<'_>) -> Behind {
    let mut walk = Walk::new(limits, visit);
    let is_there = match source.whole() {
        Some(bytes) => {
            // A directory that ends before the position belongs to the bytes before it.
            let mut directories = Directory::all_of(bytes);
            directories.retain(|directory| directory.end as u64 >= source.position());
            for directory in &directories {
                // If the end record does not lead to a start, any local header after the position may belong to the
                // archive.
                let start = directory.base.or(usize::try_from(source.position()).ok());
                let start = start.unwrap_or(directory.start);
                walk.whole(&mut LayerSource::of(bytes, start), directory.start as u64);
            }
            walk.by_directories(bytes, &directories);
            !directories.is_empty()
        }
        None => walk.stream(source),
    };
    match is_there {
        true => Behind::Archive(walk.unread),
        false => Behind::Nothing,
    }
}

/// The state of reading one archive.
struct Walk<'v, 'l> {
    limits: &'l LayerLimits<'l>,
    visit: Visit<'v>,
    /// The members read, by the offset of their local header: the packing stated there, and the number of bytes read.
    seen: HashMap<u64, (Packing, u64)>,
    unread: Option<Unread>,
}

impl<'v, 'l> Walk<'v, 'l> {
    fn new(limits: &'l LayerLimits<'l>, visit: Visit<'v>) -> Self {
        Self {
            limits,
            visit,
            seen: HashMap::new(),
            unread: None,
        }
    }

    fn note(&mut self, why: Option<Unread>) {
        self.unread = self.unread.or(why);
    }

    /// Reads the members in memory up to offset `end`, by their local headers.
    fn whole(&mut self, source: &mut LayerSource, end: u64) {
        let finder = memmem::Finder::new(records::LOCAL_HEADER);
        while source.position() < end {
            let Some(at) = source.peek(LOCAL_LENGTH).ok().and_then(|ahead| finder.find(ahead)) else {
                return;
            };
            source.consume(at);
            if source.position() >= end || !self.member(source).unwrap_or(false) {
                return;
            }
        }
    }

    /// Reads the members of a stream by their local headers, and checks them against the central directory, which comes
    /// last. Returns whether there was a directory, which makes the stream an archive.
    fn stream(&mut self, source: &mut LayerSource) -> bool {
        let mut run = Run::default();
        // Only the reader below can fail, and it reports that itself.
        while let Ok(true) = run.next(source) {
            match self.member(source) {
                Ok(true) => {}
                Ok(false) => return true,
                Err(_) => break,
            }
        }
        // An end signature inside a member counts only if there are members.
        let last = source.last_end().filter(|_| !self.seen.is_empty());
        let Some(found) = run.finish(last) else {
            return false;
        };
        let is_read = |(packing, offset): &(Packing, u64)| {
            let at = found.base.checked_add_unsigned(*offset);
            at.and_then(|at| u64::try_from(at).ok())
                .is_some_and(|at| self.has_seen(at, packing))
        };
        if !found.is_whole || !found.entries.iter().all(is_read) {
            self.note(Some(Unread::Damaged));
        }
        true
    }

    /// Returns whether the member at this offset was read with the packing that the directory states.
    fn has_seen(&self, at: u64, packing: &Packing) -> bool {
        self.seen.get(&at).is_some_and(|(seen, given)| {
            let is_packed_so = seen.method == packing.method && seen.encrypted == packing.encrypted;
            // Compressed data marks its own end, so its header need not state a size. A stated size must agree.
            let is_all = match packing.method == STORED && !packing.encrypted {
                true => packing.size == Some(*given),
                false => seen.size.is_none() || seen.size == packing.size,
            };
            is_packed_so && is_all
        })
    }

    /// Reads the member whose local header is at the current position, or skips one byte if there is no header. Returns
    /// false if no further member may be read.
    fn member(&mut self, source: &mut LayerSource) -> io::Result<bool> {
        let at = source.position();
        let local = source.peek(LOCAL_LENGTH)?.first_chunk().and_then(Local::parse);
        let Some(mut local) = local else {
            source.consume(1);
            return Ok(true);
        };
        if !self.limits.begin_member() {
            self.note(Some(Unread::Bound));
            return Ok(false);
        }
        source.consume(LOCAL_LENGTH);
        let mut name = vec![0; local.name];
        let mut extra = vec![0; local.extra];
        let read = source
            .read_exact(&mut name)
            .and_then(|()| source.read_exact(&mut extra));
        if read.is_err() {
            self.note(Some(Unread::Damaged));
            return Ok(false);
        }
        local.widen(&extra);
        let read = member::read(source, &local.packing, &name, self.limits, &mut *self.visit)?;
        self.note(read.unread);
        self.seen.insert(at, (local.packing, read.given));
        Ok(true)
    }

    /// Reads the members that a directory names and that were not read, or were read with another packing.
    fn by_directories(&mut self, bytes: &[u8], directories: &[Directory]) {
        for directory in directories {
            self.note(directory.unread);
            for (packing, offset) in directory.entries(bytes) {
                let from_base = directory.base.and_then(|base| offset.checked_add(base as u64));
                let is_here = |at: &u64| {
                    let header = usize::try_from(*at).ok().and_then(|at| bytes.get(at..));
                    header.is_some_and(|header| header.starts_with(records::LOCAL_HEADER))
                };
                let Some(at) = [from_base, Some(offset)].into_iter().flatten().find(is_here) else {
                    self.note(Some(Unread::Damaged));
                    continue;
                };
                if !self.has_seen(at, &packing) && !self.by_entry(bytes, at, &packing) {
                    return;
                }
            }
        }
    }

    /// Reads one member by a directory's entry. Returns false if no further member may be read.
    fn by_entry(&mut self, bytes: &[u8], at: u64, packing: &Packing) -> bool {
        let start = usize::try_from(at).ok();
        let Some(header) = start.and_then(|at| bytes.get(at..)?.first_chunk::<LOCAL_LENGTH>()) else {
            self.note(Some(Unread::Damaged));
            return true;
        };
        let length = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
        let behind = start.unwrap_or_default() + LOCAL_LENGTH;
        let name = &bytes[behind..bytes.len().min(behind + length(26))];
        // Entries may overlap, so each pays for the bytes it reads, even if they yield no output.
        let size = packing.size.unwrap_or_default().min(bytes.len() as u64);
        if !self.limits.begin_member() || self.limits.room(1) < size {
            self.note(Some(Unread::Bound));
            return false;
        }
        self.limits.spend(size, 1);
        let mut source = LayerSource::of(bytes, behind + length(26) + length(28));
        match member::read(&mut source, packing, name, self.limits, &mut *self.visit) {
            Ok(read) => {
                self.note(read.unread);
                self.seen.insert(at, (packing.clone(), read.given));
            }
            Err(_) => self.note(Some(Unread::Damaged)),
        }
        true
    }
}
