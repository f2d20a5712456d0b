//! A reader that can look ahead.

use std::io::{self, BufRead, Read};

/// A reader that can look ahead. It holds 64 KiB.
pub struct Source<'a> {
    inner: &'a mut dyn Read,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<'a> Source<'a> {
    /// Reads from `inner`.
    pub fn new(inner: &'a mut dyn Read) -> Self {
        Self {
            inner,
            buffer: vec![0; 64 * 1024].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    /// Returns what comes next: at least `count` bytes, which are few, unless there are fewer.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.end - self.start < count {
            if self.start + count > self.buffer.len() {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            match self.inner.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Reads the next `N` bytes.
    pub(super) fn take_array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let read = available.len().min(buffer.len());
        buffer[..read].copy_from_slice(&available[..read]);
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        self.peek(1)
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }
}
