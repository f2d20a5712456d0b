//! Cycles to append: taken in whole before anything is locked, so that a slow writer keeps nobody waiting.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::look::to_read;
use crate::adapters::files::platform::FileExt;
use crate::adapters::files::{Stamp, ensure_stays_in_tree, kind_name, unnamed_beside};
use crate::refusal::{Refusal, Result};

/// Bytes of a stream that are held in memory. Longer ones go to a file.
const IN_MEMORY: usize = 8 << 20;
/// Length in bytes of what is copied at once.
const BUFFER: usize = 1 << 20;

/// Cycles to append, of which the length is known and every part can be read at any time.
pub struct CyclesInput {
    /// The name for messages.
    pub name: PathBuf,
    /// Length in bytes.
    pub bytes: u64,
    held: Held,
}

/// Where the bytes are.
enum Held {
    Memory(Vec<u8>),
    /// In a file without a name.
    Spooled(File),
    /// In a file of the user, which must not change meanwhile.
    Users(File, Stamp),
}

impl CyclesInput {
    /// Opens a file. Follows links, but none that leads out of the work tree that it lies in. A pipe is read whole, like a
    /// stream.
    pub fn of_file(path: &Path, max: u64, beside: &Path) -> Result<Self> {
        ensure_stays_in_tree(path).map_err(to_read)?;
        let mut file = File::open(path).map_err(Refusal::io("opening", path))?;
        let reading = |e| Refusal::io("reading", path)(e);
        let meta = file.metadata().map_err(reading)?;
        if meta.is_dir() {
            return Err(Refusal::NotRegular {
                path: path.to_owned(),
                kind: kind_name(meta.file_type()),
            });
        }
        if !meta.is_file() {
            return Self::of_stream(&mut file, path, max, beside);
        }
        let stamp = Stamp::of_open(&file).map_err(reading)?;
        Ok(Self {
            name: path.to_owned(),
            bytes: meta.len(),
            held: Held::Users(file, stamp),
        })
    }

    /// Reads a stream to its end, or one byte further than `max`. What does not fit in memory goes to a file without a
    /// name on the file system of `beside`.
    pub fn of_stream(stream: &mut dyn Read, name: &Path, max: u64, beside: &Path) -> Result<Self> {
        let reading = |e| Refusal::io("reading", name)(e);
        let mut stream = stream.take(max.saturating_add(1));
        let mut start = Vec::new();
        let in_memory = IN_MEMORY as u64;
        let held = (&mut stream).take(in_memory).read_to_end(&mut start).map_err(reading)? as u64;
        if held < in_memory {
            return Ok(Self {
                name: name.to_owned(),
                bytes: held,
                held: Held::Memory(start),
            });
        }
        let mut file = unnamed_beside(beside, 0o600)?;
        let writing = |e| Refusal::io("writing", beside)(e);
        file.write_all(&start).map_err(writing)?;
        drop(start);
        let mut bytes = held;
        let mut buffer = vec![0; BUFFER];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    file.write_all(&buffer[..n]).map_err(writing)?;
                    bytes += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(reading(e)),
            }
        }
        Ok(Self {
            name: name.to_owned(),
            bytes,
            held: Held::Spooled(file),
        })
    }

    /// Copies `count` bytes from byte `at` on to `to`, the file `target`.
    pub(super) fn copy(&self, at: u64, count: u64, to: &mut File, target: &Path) -> Result<()> {
        let writing = |e| Refusal::io("writing", target)(e);
        let file = match &self.held {
            Held::Memory(bytes) => {
                let (at, count) = (at as usize, count as usize);
                return to.write_all(&bytes[at..at + count]).map_err(writing);
            }
            Held::Spooled(file) | Held::Users(file, _) => file,
        };
        let mut buffer = vec![0; BUFFER.min(count as usize)];
        let mut done = 0;
        while done < count {
            let most = (count - done).min(BUFFER as u64) as usize;
            let read = file.read_exact_at(&mut buffer[..most], at + done);
            read.map_err(|e| match e.kind() {
                io::ErrorKind::UnexpectedEof => self.changed(),
                _ => Refusal::io("reading", &self.name)(e),
            })?;
            to.write_all(&buffer[..most]).map_err(writing)?;
            done += most as u64;
        }
        Ok(())
    }

    /// Refuses if the user's file has changed since it was opened.
    pub fn ensure_unchanged(&self) -> Result<()> {
        let Held::Users(file, stamp) = &self.held else {
            return Ok(());
        };
        match Stamp::of_open(file).map_err(Refusal::io("reading", &self.name))? == *stamp {
            true => Ok(()),
            false => Err(self.changed()),
        }
    }

    fn changed(&self) -> Refusal {
        Refusal::ChangedWhileRead {
            path: self.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_stream_is_held_in_a_file_without_a_name() {
        let temp = tempfile::tempdir().unwrap();
        let beside = temp.path().join("x");
        let bytes: Vec<u8> = (0..IN_MEMORY + 5).map(|at| (at % 251) as u8).collect();
        for (length, spooled) in [(0, false), (24, false), (IN_MEMORY, true), (IN_MEMORY + 5, true)] {
            let mut stream = &bytes[..length];
            let input = CyclesInput::of_stream(&mut stream, Path::new("-"), u64::MAX, &beside).unwrap();
            assert_eq!(input.bytes, length as u64);
            assert_eq!(matches!(input.held, Held::Spooled(_)), spooled);
            // Where every file has a name, it goes when the file is closed.
            let names = usize::from(spooled && cfg!(windows));
            assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), names);
            let target = temp.path().join("target");
            let mut to = File::create(&target).unwrap();
            let skip = length.min(7);
            input
                .copy(skip as u64, (length - skip) as u64, &mut to, &target)
                .unwrap();
            assert!(std::fs::read(&target).unwrap() == bytes[skip..length]);
            std::fs::remove_file(&target).unwrap();
        }
        let mut endless = io::repeat(1);
        let input = CyclesInput::of_stream(&mut endless, Path::new("-"), 100, &beside).unwrap();
        assert_eq!(input.bytes, 101);
    }
}
