//! A reader that can look ahead and knows its position.

use std::io::{self, BufRead, Read};

use memchr::memmem;

/// Number of bytes of a stream that a source buffers.
const BUFFER: usize = 64 * 1024;

/// A reader that can look ahead, up to 64 KiB in a stream.
pub struct LayerSource<'a> {
    from: From<'a>,
    position: u64,
}

enum From<'a> {
    /// All bytes, and the offset of the next one.
    Slice(&'a [u8], usize),
    Stream {
        inner: &'a mut dyn Read,
        buffer: Box<[u8]>,
        start: usize,
        end: usize,
        ends: Ends,
    },
}

/// Signature of the record that ends a zip archive.
const END: &[u8; 4] = b"PK\x05\x06";

/// Finds the last end signature of a zip archive in all bytes read from a stream.
#[derive(Default)]
struct Ends {
    last: Option<u64>,
    read: u64,
    /// The last bytes read, in which a signature may have begun.
    before: [u8; END.len() - 1],
}

impl Ends {
    fn see(&mut self, bytes: &[u8]) {
        const BEFORE: usize = END.len() - 1;
        let first = &bytes[..bytes.len().min(BEFORE)];
        let across = [&self.before[..], first].concat();
        // Searching forward is many times faster than backward.
        let last_in = |bytes| memmem::find_iter(bytes, END).last().map(|at| self.read + at as u64);
        let across = last_in(&across[..]).map(|at| at - BEFORE as u64);
        let within = last_in(bytes);
        self.last = within.or(across).or(self.last);
        let last = [&self.before[..], &bytes[bytes.len().saturating_sub(BEFORE)..]].concat();
        self.before.copy_from_slice(&last[last.len() - BEFORE..]);
        self.read += bytes.len() as u64;
    }
}

impl<'a> LayerSource<'a> {
    /// Reads the stream `inner`.
    pub fn new(inner: &'a mut dyn Read) -> Self {
        Self {
            from: From::Stream {
                inner,
                buffer: vec![0; BUFFER].into_boxed_slice(),
                start: 0,
                end: 0,
                ends: Ends::default(),
            },
            position: 0,
        }
    }

    /// Reads `bytes`, starting at offset `position`.
    pub fn of(bytes: &'a [u8], position: usize) -> Self {
        let position = position.min(bytes.len());
        Self {
            from: From::Slice(bytes, position),
            position: position as u64,
        }
    }

    /// Returns all bytes, including those before the position. `None` for a stream.
    pub(super) fn whole(&self) -> Option<&'a [u8]> {
        match self.from {
            From::Slice(bytes, _) => Some(bytes),
            From::Stream { .. } => None,
        }
    }

    /// Returns the offset of the last end signature of a zip archive in the bytes read from a stream. `None` in memory.
    pub(super) fn last_end(&self) -> Option<u64> {
        match self.from {
            From::Slice(..) => None,
            From::Stream { ref ends, .. } => ends.last,
        }
    }

    /// Returns the offset of the next byte.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the next bytes without consuming them: at least `count`, or all that are left. `count` must be less than
    /// 64 KiB.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        match &mut self.from {
            From::Slice(bytes, start) => Ok(&bytes[*start..]),
            From::Stream {
                inner,
                buffer,
                start,
                end,
                ends,
            } => {
                while *end - *start < count {
                    if *start + count > buffer.len() {
                        buffer.copy_within(*start..*end, 0);
                        *end -= *start;
                        *start = 0;
                    }
                    match inner.read(&mut buffer[*end..]) {
                        Ok(0) => break,
                        Ok(read) => {
                            ends.see(&buffer[*end..*end + read]);
                            *end += read;
                        }
                        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                        Err(e) => return Err(e),
                    }
                }
                Ok(&buffer[*start..*end])
            }
        }
    }

    /// Reads the next `N` bytes.
    pub(super) fn take_array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Skips the next `count` bytes. Returns false if there were fewer.
    pub(super) fn skip(&mut self, mut count: u64) -> io::Result<bool> {
        while count > 0 {
            let available = self.fill_buf()?.len();
            if available == 0 {
                return Ok(false);
            }
            let passed = usize::try_from(count).map_or(available, |count| count.min(available));
            self.consume(passed);
            count -= passed as u64;
        }
        Ok(true)
    }
}

/// Reads buffered bytes, as many as fit into `buffer`.
fn read_buffered(from: &mut impl BufRead, buffer: &mut [u8]) -> io::Result<usize> {
    let available = from.fill_buf()?;
    let read = available.len().min(buffer.len());
    buffer[..read].copy_from_slice(&available[..read]);
    from.consume(read);
    Ok(read)
}

impl Read for LayerSource<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, buffer)
    }
}

impl BufRead for LayerSource<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let From::Stream { start, end, .. } = &mut self.from
            && start == end
        {
            (*start, *end) = (0, 0);
        }
        self.peek(1)
    }

    fn consume(&mut self, count: usize) {
        self.position += count as u64;
        match &mut self.from {
            From::Slice(_, start) | From::Stream { start, .. } => *start += count,
        }
    }
}

/// A reader of a stated number of bytes of a source. It is an error if there are fewer.
pub(super) struct Stored<'s, 'a> {
    source: &'s mut LayerSource<'a>,
    left: u64,
}

impl<'s, 'a> Stored<'s, 'a> {
    /// Takes the next `size` bytes.
    pub(super) fn of(source: &'s mut LayerSource<'a>, size: u64) -> Self {
        Self { source, left: size }
    }

    /// Returns the number of bytes not read yet.
    pub(super) fn left(&self) -> u64 {
        self.left
    }
}

impl Read for Stored<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, buffer)
    }
}

impl BufRead for Stored<'_, '_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let available = self.source.fill_buf()?;
        if available.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        Ok(&available[..available.len().min(left)])
    }

    fn consume(&mut self, count: usize) {
        self.left -= count as u64;
        self.source.consume(count);
    }
}
