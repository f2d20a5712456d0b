//! Reads age files with or without ASCII armour.

use std::io::{self, BufReader, Read};

use age::armor::ArmoredReader;

/// Most blank bytes accepted before the armour. The `age` tool has the same limit.
const MAX_BLANK: usize = 1024;

/// A reader that removes the armour, if there is any.
pub(super) type Dearmoured<R> = ArmoredReader<BufReader<Unblanked<R>>>;

/// Returns a reader of the content inside the armour, or of the file as it is if it has no armour.
pub(super) fn dearmoured<R: Read>(input: R) -> Dearmoured<R> {
    ArmoredReader::new(Unblanked {
        input,
        head: None,
        at: 0,
    })
}

/// Skips blank space before the armour. The specification allows it, but the crate does not accept it.
pub(super) struct Unblanked<R> {
    input: R,
    /// The bytes consumed to find the start of the armour. `None` until the first read.
    head: Option<Vec<u8>>,
    at: usize,
}

impl<R: Read> Unblanked<R> {
    fn look(&mut self) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        let mut byte = [0];
        while head.len() <= MAX_BLANK {
            match self.input.read(&mut byte) {
                Ok(0) => return Ok(head),
                Ok(_) => head.push(byte[0]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            }
            match byte[0] {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'-' => return Ok(vec![b'-']),
                _ => return Ok(head),
            }
        }
        Ok(head)
    }
}

impl<R: Read> Read for Unblanked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.head.is_none() {
            self.head = Some(self.look()?);
        }
        let left = self.head.as_deref().map_or(&[][..], |head| &head[self.at..]);
        if left.is_empty() {
            return self.input.read(buf);
        }
        let n = left.len().min(buf.len());
        buf[..n].copy_from_slice(&left[..n]);
        self.at += n;
        Ok(n)
    }
}
