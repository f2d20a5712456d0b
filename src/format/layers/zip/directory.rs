//! Reads the central directory of a zip archive, in memory and in a stream.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use memchr::memmem;

use super::super::{LayerSource, Unread};
use super::records::{
    DirectoryEntry, END, END_64, END_LENGTH, END_REACH, ENTRY, ENTRY_LENGTH, End, LOCAL_HEADER, LOCATOR_64, Packing,
};

/// Most end records to examine.
const MAX_ENDS: usize = 16;

/// Size in bytes of the locator of the zip64 end record.
const LOCATOR_LENGTH: usize = 20;

/// A central directory in memory, as some reader would find it.
pub struct Directory {
    /// Offset of the first entry.
    pub start: usize,
    /// Offset of the end of the entries.
    pub end: usize,
    /// Offset of the archive's start, from which the entries' offsets count. `None` if it would lie before the bytes.
    pub base: Option<usize>,
    /// Why the directory cannot be read completely.
    pub unread: Option<Unread>,
    /// The stated number of entries.
    count: u64,
}

impl Directory {
    /// Returns all directories that some reader would find from the end of `bytes`.
    ///
    /// Readers differ in which end record they use and which of its fields they trust. So this follows the last
    /// possible end record and every one whose comment reaches to the last byte, each both by its size and by its
    /// offset.
    pub fn all_of(bytes: &[u8]) -> Vec<Self> {
        let from = bytes.len().saturating_sub(END_REACH);
        let mut found: Vec<Self> = Vec::new();
        let mut is_last = true;
        let mut ends = 0;
        // Searching forward is much faster.
        let ends_here: Vec<usize> = memmem::find_iter(&bytes[from..], END).collect();
        for at in ends_here.into_iter().rev() {
            let at = from + at;
            let Some(end) = End::parse(&bytes[at..]).filter(|end| end.entries > 0) else {
                continue;
            };
            let comment = usize::from(u16::from_le_bytes([bytes[at + 20], bytes[at + 21]]));
            if !is_last && at + END_LENGTH + comment != bytes.len() {
                continue;
            }
            is_last = false;
            ends += 1;
            if ends > MAX_ENDS {
                if let Some(known) = found.last_mut() {
                    known.unread = Some(Unread::Bound);
                }
                break;
            }
            found.extend(Self::of_end(bytes, at, end));
        }
        found
    }

    fn of_end(bytes: &[u8], at: usize, mut end: End) -> Vec<Self> {
        let mut stop = at;
        if let Some(record) = wide_end(bytes, at)
            && end.widen(&bytes[record..]).is_some()
        {
            stop = record;
        }
        let number = |n: u64| usize::try_from(n).ok();
        let by_size = number(end.size).and_then(|size| stop.checked_sub(size));
        let by_offset = number(end.offset).filter(|start| *start < stop);
        let is_start = |start: &usize| bytes[*start..].starts_with(ENTRY);
        let mut starts: Vec<usize> = [by_size, by_offset].into_iter().flatten().filter(is_start).collect();
        starts.dedup();
        let mut found: Vec<Self> = Vec::new();
        for start in starts {
            let base = number(end.offset).and_then(|offset| start.checked_sub(offset));
            found.push(Self {
                start,
                end: stop,
                base,
                unread: None,
                count: end.entries,
            });
        }
        if found.is_empty() {
            found.push(Self {
                start: stop,
                end: stop,
                base: None,
                unread: Some(Unread::Damaged),
                count: 0,
            });
        }
        for directory in &mut found {
            let there = directory.entries(bytes).count() as u64;
            if there < directory.count {
                directory.unread = Some(Unread::Damaged);
            }
        }
        found
    }

    /// Returns the packing and the offset of each member.
    pub fn entries<'b>(&self, bytes: &'b [u8]) -> impl Iterator<Item = (Packing, u64)> + use<'b> {
        let mut rest = &bytes[self.start..self.end];
        std::iter::from_fn(move || {
            let entry = DirectoryEntry::parse(rest)?;
            rest = rest.get(entry.length..)?;
            Some((entry.packing, entry.offset))
        })
    }
}

/// Returns the offset of the zip64 end record that belongs to the end record at `at`.
fn wide_end(bytes: &[u8], at: usize) -> Option<usize> {
    let locator = at.checked_sub(LOCATOR_LENGTH)?;
    bytes[locator..].starts_with(LOCATOR_64).then_some(())?;
    // It lies directly before the locator, unless it has fields that are not known today.
    let from = locator.saturating_sub(4096);
    memmem::rfind(&bytes[from..locator], END_64).map(|at| from + at)
}

/// Most entries kept of a directory in a stream.
const MAX_ENTRIES: usize = 200_000;

/// The longest entry to read in a stream, in bytes, without its comment.
const MAX_ENTRY: usize = 60_000;

/// The directory of an archive in a stream. Keeps everything that looks like a part of it, until the end record tells
/// which parts are real.
#[derive(Default)]
pub struct Run {
    /// Possible entries by their offset in the stream: the member's packing, its offset, and the length of the entry in
    /// bytes.
    entries: BTreeMap<u64, (Packing, u64, usize)>,
    /// The last zip64 end record and its offset.
    wide: Option<(u64, End)>,
    /// The last possible end record: its offset, its content, and the offset at which the entries end.
    last: Option<(u64, End, u64)>,
    /// Offset of the last signature of an end record, even of an impossible one.
    seen: Option<u64>,
    /// Offset reached in the stream.
    position: u64,
}

/// The directory found in a stream.
#[derive(Default)]
pub struct FoundDirectory {
    /// Offset of the archive's start, from which the entries' offsets count.
    pub base: i64,
    /// The packing and the offset of each member.
    pub entries: Vec<(Packing, u64)>,
    /// Whether these are all entries, by the end record.
    pub is_whole: bool,
}

impl Run {
    /// Continues to the next local header. Returns false if there is none.
    pub fn next(&mut self, source: &mut LayerSource) -> io::Result<bool> {
        loop {
            self.position = source.position();
            let ahead = source.peek(4)?;
            let Some(at) = signature(ahead) else {
                if ahead.len() < 4 {
                    self.position += ahead.len() as u64;
                    return Ok(false);
                }
                let passed = ahead.len() - 3;
                source.consume(passed);
                continue;
            };
            if at > 0 {
                source.consume(at);
                continue;
            }
            match *ahead.first_chunk::<4>().expect("a signature has four bytes") {
                signature if &signature == LOCAL_HEADER => return Ok(true),
                signature => self.record(signature, source)?,
            }
            // The record's stated length is not trusted: other records may lie within it.
            source.consume(4);
        }
    }

    fn record(&mut self, signature: [u8; 4], source: &mut LayerSource) -> io::Result<()> {
        let at = source.position();
        match &signature {
            ENTRY => {
                let head = source.peek(ENTRY_LENGTH)?;
                let size = |at: usize| {
                    head.get(at..at + 2)
                        .map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]])))
                };
                let needed = ENTRY_LENGTH + size(28) + size(30);
                if needed <= MAX_ENTRY
                    && self.entries.len() < MAX_ENTRIES
                    && let Some(entry) = DirectoryEntry::parse(source.peek(needed)?)
                {
                    self.entries.insert(at, (entry.packing, entry.offset, entry.length));
                }
            }
            END_64 => {
                let mut end = End::NOTHING;
                let parsed = end.widen(source.peek(56)?);
                self.wide = parsed.map(|()| (at, end));
            }
            END => {
                self.seen = Some(at);
                let Some(end) = End::parse(source.peek(END_LENGTH)?).filter(|end| end.entries > 0) else {
                    return Ok(());
                };
                self.last = Some(match self.wide {
                    Some((wide, end)) if at - wide <= MAX_WIDE => (at, end, wide),
                    _ => (at, end, at),
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns the directory, if the stream ends like an archive. `last` is the offset of the last end signature in the
    /// stream, even inside a member.
    pub fn finish(self, last: Option<u64>) -> Option<FoundDirectory> {
        let is_near = |at: u64| at + END_REACH as u64 >= self.position;
        let Some((_, end, stop)) = self.last.filter(|(at, ..)| is_near(*at)) else {
            return last
                .filter(|at| is_near(*at) && self.seen != last)
                .map(|_| FoundDirectory::default());
        };
        let mut next = stop.checked_sub(end.size);
        let base = next.and_then(|start| i64::try_from(start).ok()?.checked_sub_unsigned(end.offset));
        let mut found = FoundDirectory {
            base: base.unwrap_or_default(),
            ..FoundDirectory::default()
        };
        while let Some((packing, offset, length)) = next.and_then(|at| self.entries.get(&at)) {
            found.entries.push((packing.clone(), *offset));
            next = next.map(|at| at + *length as u64);
        }
        found.is_whole = next == Some(stop) && found.entries.len() as u64 >= end.entries && self.seen == last;
        Some(found)
    }
}

/// Most bytes between the zip64 end record and the end record.
const MAX_WIDE: u64 = 8192;

/// Returns the offset of the first signature in `bytes`. Some of its bytes may be cut off.
fn signature(bytes: &[u8]) -> Option<usize> {
    let wanted = |at: &usize| matches!(bytes.get(at + 2..at + 4), Some([3, 4] | [1, 2] | [5, 6] | [6, 6]));
    memmem::find_iter(bytes, b"PK").find(wanted)
}
