//! The witness ledger: a file of lines, shared with other tools. Appends whole lines under a lock.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::adapters::files;
use crate::refusal::{Refusal, Result};

/// The longest last line that is read for the hash chain, in bytes.
const MAX_LINE: u64 = 16 << 20;

/// Appends the line that `make` returns when given the last line. Changes nothing else in the file.
///
/// If another tool left the last line without a newline, adds one first. If the line cannot be written whole, truncates
/// the file to its former length.
pub fn append(path: &Path, make: impl FnOnce(Option<&[u8]>) -> Vec<u8>) -> Result<()> {
    std::fs::create_dir_all(files::parent(path)).map_err(Refusal::io("creating", files::parent(path)))?;
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)
        .map_err(Refusal::io("opening", path))?;
    let kind = file.metadata().map_err(Refusal::io("reading", path))?.file_type();
    if !kind.is_file() {
        return Err(Refusal::NotRegular {
            path: path.to_owned(),
            kind: files::kind_name(kind),
        });
    }
    file.lock().map_err(Refusal::io("locking", path))?;
    let length = file.seek(SeekFrom::End(0)).map_err(Refusal::io("reading", path))?;
    let tail = tail(&mut file, length).map_err(Refusal::io("reading", path))?;
    let whole = tail.last().is_none_or(|byte| *byte == b'\n');
    let previous = tail.strip_suffix(b"\n").unwrap_or(&tail);
    let previous = previous.rsplit(|byte| *byte == b'\n').next().filter(|_| length > 0);
    let mut bytes = if whole { Vec::new() } else { vec![b'\n'] };
    bytes.extend(make(previous));
    bytes.push(b'\n');
    if let Err(e) = file.write_all(&bytes).and_then(|()| file.sync_data()) {
        drop(file.set_len(length));
        return Err(Refusal::io("writing", path)(e));
    }
    Ok(())
}

/// Returns the end of the file, which contains at least its whole last line.
fn tail(file: &mut File, length: u64) -> io::Result<Vec<u8>> {
    let mut reach = 4 << 10;
    loop {
        let start = length.saturating_sub(reach);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.take(length - start).read_to_end(&mut bytes)?;
        let body = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        if start == 0 || body.contains(&b'\n') {
            return Ok(bytes);
        }
        if reach >= MAX_LINE {
            return Err(io::Error::other("its last line is too long"));
        }
        reach *= 4;
    }
}

/// Returns all lines without their newlines. A missing ledger counts as empty.
pub fn lines(path: &Path) -> Result<Vec<Vec<u8>>> {
    let target = match files::exists(path) {
        true => files::canonical(path)?,
        false => return Ok(Vec::new()),
    };
    // Reading a FIFO or a device would never end.
    let opened = files::open_regular(&target)?;
    let mut bytes = Vec::new();
    (&opened.file)
        .read_to_end(&mut bytes)
        .map_err(Refusal::io("reading", path))?;
    let body = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    match body.is_empty() {
        true => Ok(Vec::new()),
        false => Ok(body.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_others_stay_as_they_are() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/ledger");
        append(&path, |previous| {
            assert_eq!(previous, None);
            b"one".to_vec()
        })
        .unwrap();
        let long = vec![b'x'; 20_000];
        let others = [&b"one\nother \xff\n\n"[..], &long, b"\r\ntorn"].concat();
        std::fs::write(&path, &others).unwrap();
        append(&path, |previous| {
            assert_eq!(previous, Some(&b"torn"[..]));
            b"two".to_vec()
        })
        .unwrap();
        append(&path, |previous| {
            assert_eq!(previous, Some(&b"two"[..]));
            b"three".to_vec()
        })
        .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), [&others[..], b"\ntwo\nthree\n"].concat());
        std::fs::write(&path, [&long[..], b"\n"].concat()).unwrap();
        append(&path, |previous| {
            assert_eq!(previous, Some(&long[..]));
            Vec::new()
        })
        .unwrap();
    }
}
