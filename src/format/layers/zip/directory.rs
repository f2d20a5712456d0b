//! The central directory of a zip archive, in memory and in a stream.

use std::io::{self, BufRead};

use memchr::memmem;

use super::super::{Source, Unread};
use super::records::{
    END, END_64, END_LENGTH, END_REACH, ENTRY, ENTRY_LENGTH, End, Entry, LOCAL_HEADER, LOCATOR_64, Packing,
};

/// So many records that could end an archive are looked at.
const MAX_ENDS: usize = 16;

/// The length of what says where the record of zip64 is.
const LOCATOR_LENGTH: usize = 20;

/// The central directory of an archive in memory, as one reader or another would find it.
pub struct Directory {
    /// Where its entries begin.
    pub start: usize,
    /// Where what follows them begins.
    pub end: usize,
    /// Where the archive begins, so that offsets count from there; none if they lead to before the bytes.
    pub base: Option<usize>,
    /// Why it cannot be read.
    pub unread: Option<Unread>,
    /// How many entries there should be.
    count: u64,
}

impl Directory {
    /// Returns the directories that the end of `bytes` leads to: by the last record that could end an archive, by those
    /// whose comment goes on to the last byte, and of each by the size and by the offset that it states, since readers
    /// differ in what they believe.
    pub fn all_of(bytes: &[u8]) -> Vec<Self> {
        let from = bytes.len().saturating_sub(END_REACH);
        let mut found: Vec<Self> = Vec::new();
        let mut is_last = true;
        let mut ends = 0;
        for at in memmem::rfind_iter(&bytes[from..], END) {
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
        // An end without a directory is damage only if its numbers could be those of one.
        if found.is_empty() && by_size.is_some() && end.size / ENTRY_LENGTH as u64 >= end.entries {
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

    /// Returns how each member is packed, and its offset.
    pub fn entries<'b>(&self, bytes: &'b [u8]) -> impl Iterator<Item = (Packing, u64)> + use<'b> {
        let mut rest = &bytes[self.start..self.end];
        std::iter::from_fn(move || {
            let entry = Entry::parse(rest)?;
            rest = rest.get(entry.length..)?;
            Some((entry.packing, entry.offset))
        })
    }
}

/// Returns where the record of zip64 is that belongs to the end at `at`.
fn wide_end(bytes: &[u8], at: usize) -> Option<usize> {
    let locator = at.checked_sub(LOCATOR_LENGTH)?;
    bytes[locator..].starts_with(LOCATOR_64).then_some(())?;
    // It lies right before, unless it has more fields than are known today.
    let from = locator.saturating_sub(4096);
    memmem::rfind(&bytes[from..locator], END_64).map(|at| from + at)
}

/// So many entries of a directory in a stream are kept.
const MAX_ENTRIES: usize = 200_000;

/// The longest entry that is looked at in a stream, without its comment.
const MAX_ENTRY: usize = 60_000;

/// The directory of an archive in a stream: entries that follow each other, up to a record that ends them.
#[derive(Default)]
pub struct Run {
    start: u64,
    /// Where the next entry, or what ends them, has to be.
    next: u64,
    /// Where the entries end, if the record of zip64 was there.
    stop: Option<u64>,
    wide: Option<End>,
    entries: Vec<(Packing, u64)>,
    last: Option<Last>,
    /// Where the stream ended.
    position: u64,
}

/// The last record that could end an archive.
struct Last {
    at: u64,
    found: Found,
}

/// What was found of a directory.
pub struct Found {
    /// Where the archive begins, so that offsets count from there.
    pub base: i64,
    /// How each member is packed, and its offset.
    pub entries: Vec<(Packing, u64)>,
    /// Whether these are all, as the end has it.
    pub is_whole: bool,
}

impl Run {
    /// Goes on to the next local header; returns whether there is one.
    pub fn next(&mut self, source: &mut Source) -> io::Result<bool> {
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
            let signature = *ahead.first_chunk::<4>().expect("a signature has four bytes");
            if &signature == LOCAL_HEADER {
                return Ok(true);
            }
            self.record(signature, source)?;
        }
    }

    fn record(&mut self, signature: [u8; 4], source: &mut Source) -> io::Result<()> {
        let at = source.position();
        if at != self.next {
            self.entries.clear();
            (self.stop, self.wide) = (None, None);
            self.start = at;
        }
        let mut length = 4;
        match &signature {
            ENTRY => {
                let head = source.peek(ENTRY_LENGTH)?;
                let size = |at: usize| {
                    head.get(at..at + 2)
                        .map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]])))
                };
                let needed = ENTRY_LENGTH + size(28) + size(30);
                if needed <= MAX_ENTRY
                    && let Some(entry) = Entry::parse(source.peek(needed)?)
                    && self.entries.len() < MAX_ENTRIES
                {
                    length = entry.length as u64;
                    self.entries.push((entry.packing, entry.offset));
                }
            }
            END_64 => {
                let record = source.peek(56)?;
                let mut end = End::NOTHING;
                self.wide = end.widen(record).map(|()| end);
                self.stop = Some(at);
                let size = record.get(4..12).and_then(|size| size.first_chunk().copied());
                length = size.map_or(4, u64::from_le_bytes).saturating_add(12).min(4096);
            }
            LOCATOR_64 => length = LOCATOR_LENGTH as u64,
            _ => self.end(at, source.peek(END_LENGTH)?),
        }
        source.skip(length)?;
        self.next = source.position();
        Ok(())
    }

    fn end(&mut self, at: u64, record: &[u8]) {
        let Some(end) = End::parse(record).map(|end| self.wide.take().unwrap_or(end)) else {
            return;
        };
        if end.entries == 0 {
            return;
        }
        let size = self.stop.unwrap_or(at) - self.start;
        let entries = std::mem::take(&mut self.entries);
        let is_whole = at == self.next && size == end.size && entries.len() as u64 >= end.entries;
        let base = i64::try_from(self.start)
            .ok()
            .and_then(|start| start.checked_sub_unsigned(end.offset));
        self.last = Some(Last {
            at,
            found: Found {
                base: base.unwrap_or_default(),
                entries,
                is_whole,
            },
        });
    }

    /// Returns what was found, if the stream ends as an archive does.
    pub fn finish(self) -> Option<Found> {
        let last = self.last?;
        (last.at + END_REACH as u64 >= self.position).then_some(last.found)
    }
}

/// Returns where the first signature is; it may go on behind `bytes`.
fn signature(bytes: &[u8]) -> Option<usize> {
    let wanted = |at: &usize| {
        matches!(
            bytes.get(at + 2..at + 4),
            Some([3, 4] | [1, 2] | [5, 6] | [6, 6] | [6, 7])
        )
    };
    memmem::find_iter(bytes, b"PK").find(wanted)
}
