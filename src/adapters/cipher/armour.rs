//! Reading files that may be armoured.

use std::io::{self, BufReader, Read};

use age::armor::ArmoredReader;

/// How much blank space may stand before an armoured file; the `age` tool takes as much.
const MAX_BLANK: usize = 1024;

/// What the crate reads an armoured file from.
pub(super) type Dearmoured<R> = ArmoredReader<BufReader<Unblanked<R>>>;

/// Reads what is in the armour, or the file as it is if there is none.
pub(super) fn dearmoured<R: Read>(input: R) -> Dearmoured<R> {
    ArmoredReader::new(Unblanked {
        input,
        head: None,
        at: 0,
    })
}

/// Leaves out blank space before armour, which the specification allows and the crate does not.
pub(super) struct Unblanked<R> {
    input: R,
    /// The first bytes, as far as they had to be looked at, once they were.
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
