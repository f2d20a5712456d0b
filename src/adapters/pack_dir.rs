//! A pack on disk: reads its manifest and hashes its files, without following links.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Seek as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::adapters::files::{self, Below, OpenedFile, Stamp, Walked, open_regular};
use crate::adapters::meter::passed;
use crate::adapters::workers;
use crate::format::digest::{Digest, Hashing};
use crate::format::manifest::{Malformed, ManifestDocument};
use crate::format::member_path::MANIFEST;
use crate::format::path_bytes::path_of_bytes;
use crate::refusal::pack::PackFault;
use crate::refusal::{Refusal, Result, io_reason};

/// The largest git-pack document that is read into memory, in bytes. A longer one is only hashed and returned without
/// its content.
pub const MAX_DOCUMENT: u64 = 64 << 20;

/// Most bytes of a manifest that is read in one go, which takes less time. A longer one is read member by member.
const AT_ONCE: u64 = 16 << 20;

const BUFFER: usize = 128 << 10;

/// Number of files whose results are held at a time.
const PART: usize = 8192;

/// What was found at a path below a pack's root.
pub enum FoundInPack<E> {
    /// A declared regular file, read to its end.
    Read(MemberRead<E>),
    /// A regular file that the manifest does not declare.
    Undeclared,
    /// A link, FIFO, socket or device.
    NotRegular(&'static str),
    /// A directory with nothing in it.
    EmptyDirectory,
    /// A file that could not be read, and why.
    Unreadable(String),
    /// A directory that could not be listed, and why.
    UnreadableDirectory(String),
}

/// The digest, size and content of a member that was read.
pub struct MemberRead<E> {
    /// SHA-256 of the member.
    pub hash: Digest,
    /// Size in bytes.
    pub size: u64,
    /// The result of [`LookIntoMember`].
    pub seen: E,
}

/// Examines a declared member, given its path, a reader of its content, and its size in bytes. It need not read to the
/// end: the caller reads the rest.
pub type LookIntoMember<'a, E> = &'a (dyn Fn(&str, &mut dyn Read, u64) -> io::Result<E> + Sync);

/// Tells whether a manifest declares a path.
pub type IsDeclared<'a> = &'a (dyn Fn(&[u8]) -> bool + Sync);

/// Receives what was found at each path, in bytewise order of the paths.
pub type TakeFound<'a, E> = &'a mut dyn FnMut(&[u8], FoundInPack<E>);

/// Members that this process wrote and hashed on the way. They are not hashed again while their files are the same.
#[derive(Debug, Default)]
pub struct WrittenMembers(Mutex<BTreeMap<String, (Stamp, Digest)>>);

impl WrittenMembers {
    /// Notes what was written to the file of a member. Nobody may write to it later.
    pub fn note(&self, path: &str, file: &std::fs::File, hash: Digest) -> io::Result<()> {
        let stamp = Stamp::of_open(file)?;
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.insert(path.to_owned(), (stamp, hash));
        Ok(())
    }

    /// Returns the hash of a file, if it is the one that was written.
    fn hash(&self, path: &str, opened: &OpenedFile) -> Option<Digest> {
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (stamp, hash) = written.get(path)?;
        (opened.stamp() == *stamp).then_some(*hash)
    }
}

/// Reads and parses the manifest of the pack at `root`.
pub fn manifest(root: &Path) -> Result<ManifestDocument> {
    let bad = |fault| Refusal::BadPack {
        path: root.to_owned(),
        fault,
    };
    match std::fs::metadata(root) {
        Ok(meta) if !meta.is_dir() => return Err(bad(PackFault::NotADirectory)),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(bad(PackFault::Missing)),
        Err(e) => return Err(Refusal::io("reading", root)(e)),
    }
    let path = root.join(MANIFEST);
    let opened = open_regular(&path).map_err(|refusal| match refusal {
        Refusal::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => bad(PackFault::NoManifest),
        Refusal::NotRegular { kind, .. } => bad(PackFault::ManifestNotRegular { kind }),
        other => other,
    })?;
    let size = opened.size;
    let mut open = || {
        let mut file = &opened.file;
        file.rewind()?;
        Ok(file.take(size))
    };
    let read = match size {
        ..=AT_ONCE => {
            let mut bytes = Vec::with_capacity(size as usize);
            open()
                .and_then(|mut file| file.read_to_end(&mut bytes))
                .map(|_| ManifestDocument::parse(&bytes))
        }
        _ => ManifestDocument::read(&mut open),
    };
    let read = read.map_err(Refusal::io("reading", &path))?;
    opened.ensure_unchanged()?;
    read.map_err(|why| bad(invalid(why)))
}

/// Returns the fault of a pack with a malformed manifest.
pub(super) fn invalid(why: Malformed) -> PackFault {
    PackFault::Invalid {
        document: MANIFEST,
        said: why.to_string(),
    }
}

/// Reads everything below `root` except the manifest. Hashes declared files in parallel, in constant memory, while
/// `look` examines them. Passes the results to `take` a part at a time, because a pack may have very many files.
pub fn observe<E: Send>(
    root: &Path,
    declared: IsDeclared<'_>,
    written: Option<&WrittenMembers>,
    look: LookIntoMember<'_, E>,
    take: TakeFound<'_, E>,
) -> Result<()> {
    let list = files::walk_all(root);
    for start in (0..list.paths.len()).step_by(PART) {
        let part: Vec<usize> = (start..list.paths.len().min(start + PART)).collect();
        let found = workers::map(
            &part,
            || Ok(Reader::of(root, written)),
            |reader, at| -> Result<Option<FoundInPack<E>>> {
                let path = list.paths.get(*at);
                match list.others.get(at) {
                    Some(other) => not_a_file(root, path, other).map(Some),
                    None if path == MANIFEST.as_bytes() => Ok(None),
                    None if declared(path) => reader.find(path, look).map(Some),
                    None => Ok(Some(FoundInPack::Undeclared)),
                }
            },
        )?;
        for (at, found) in part.into_iter().zip(found) {
            if let Some(found) = found {
                take(list.paths.get(at), found);
            }
        }
    }
    Ok(())
}

/// Returns what was found instead of a file. Refuses a pack whose directory cannot be listed.
fn not_a_file<E>(root: &Path, path: &[u8], walked: &Walked) -> Result<FoundInPack<E>> {
    Ok(match walked {
        Walked::File => FoundInPack::Undeclared,
        Walked::NotRegular(kind) => FoundInPack::NotRegular(kind),
        Walked::EmptyDirectory => FoundInPack::EmptyDirectory,
        Walked::Unreadable(e) => FoundInPack::Unreadable(io_reason(e)),
        Walked::UnreadableDirectory(e) if path.is_empty() => {
            let source = io::Error::new(e.kind(), e.to_string());
            return Err(Refusal::io("listing", root)(source));
        }
        Walked::UnreadableDirectory(e) => FoundInPack::UnreadableDirectory(io_reason(e)),
    })
}

/// Reads one member after the other.
struct Reader<'a> {
    below: Below,
    written: Option<&'a WrittenMembers>,
    buffer: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn of(root: &Path, written: Option<&'a WrittenMembers>) -> Self {
        Self {
            below: Below::of(root),
            written,
            buffer: vec![0; BUFFER],
        }
    }

    /// Reads a declared file, or tells why it could not be read.
    fn find<E>(&mut self, path: &[u8], look: LookIntoMember<'_, E>) -> Result<FoundInPack<E>> {
        match self.read(path, look) {
            Ok(read) => Ok(FoundInPack::Read(read)),
            Err(Refusal::NotRegular { kind, .. }) => Ok(FoundInPack::NotRegular(kind)),
            Err(Refusal::Io { source, .. }) => Ok(FoundInPack::Unreadable(io_reason(&source))),
            Err(Refusal::ChangedWhileRead { .. }) => Ok(FoundInPack::Unreadable("it changed while it was read".into())),
            Err(other) => Err(other),
        }
    }

    fn read<E>(&mut self, path: &[u8], look: LookIntoMember<'_, E>) -> Result<MemberRead<E>> {
        let name = std::str::from_utf8(path).unwrap_or_default();
        let opened = self.below.open_regular(path)?;
        let size = opened.size;
        let read = match self.written.and_then(|written| written.hash(name, &opened)) {
            Some(hash) => {
                let mut content = BufReader::with_capacity(capacity(size), &opened.file);
                look(name, &mut content, size).map(|seen| MemberRead { hash, size, seen })
            }
            None => read_with(&mut self.buffer, &mut &opened.file, name, size, look),
        };
        let read = read.map_err(Refusal::io("reading", path_of_bytes(path)))?;
        opened.ensure_unchanged()?;
        Ok(read)
    }
}

/// Returns the size of the buffer for a file of `size` bytes: one more than these, to see that it ends there.
fn capacity(size: u64) -> usize {
    usize::try_from(size)
        .unwrap_or(usize::MAX)
        .saturating_add(1)
        .min(BUFFER)
}

/// Reads a member of `size` bytes to its end.
pub(super) fn read_from<E>(
    member: &mut dyn Read,
    name: &str,
    size: u64,
    look: LookIntoMember<'_, E>,
) -> io::Result<MemberRead<E>> {
    read_with(&mut vec![0; capacity(size)], member, name, size, look)
}

/// Reads a member of `size` bytes to its end, by a buffer.
///
/// If the member fits into the buffer, it is examined there.
fn read_with<E>(
    buffer: &mut [u8],
    member: &mut dyn Read,
    name: &str,
    size: u64,
    look: LookIntoMember<'_, E>,
) -> io::Result<MemberRead<E>> {
    if size >= buffer.len() as u64 {
        return read_on(buffer, member, name, size, look);
    }
    let length = fill(buffer, member)?;
    if length == buffer.len() {
        // It is longer than it was said to be.
        let start = buffer.to_vec();
        return read_on(buffer, &mut start.as_slice().chain(member), name, size, look);
    }
    passed(length);
    let content = &buffer[..length];
    Ok(MemberRead {
        seen: look(name, &mut &*content, size)?,
        hash: Digest::of(content),
        size: length as u64,
    })
}

/// Counts what is read.
struct Counted<'a>(&'a mut dyn Read);

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        passed(count);
        Ok(count)
    }
}

/// Reads until the buffer is full or the content ends. Returns the number of bytes read.
fn fill(buffer: &mut [u8], content: &mut dyn Read) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match content.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(n) => length += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(length)
}

/// Reads a member to its end, and examines it on the way.
fn read_on<E>(
    buffer: &mut [u8],
    member: &mut dyn Read,
    name: &str,
    size: u64,
    look: LookIntoMember<'_, E>,
) -> io::Result<MemberRead<E>> {
    let mut hashing = Hashing::new(BufReader::with_capacity(BUFFER, Counted(member)));
    let seen = look(name, &mut hashing, size)?;
    while fill(buffer, &mut hashing)? > 0 {}
    let (_, hash, size) = hashing.finish();
    Ok(MemberRead { hash, size, seen })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Returns the hash that is found for the only member, `a`.
    fn found(root: &Path, written: &WrittenMembers) -> Digest {
        let mut hash = None;
        observe(
            root,
            &|path| path == b"a",
            Some(written),
            &|_, _, _| Ok(()),
            &mut |path, found| {
                assert_eq!(path, b"a");
                if let FoundInPack::Read(read) = found {
                    hash = Some(read.hash);
                }
            },
        )
        .unwrap();
        hash.unwrap()
    }

    #[test]
    fn all_of_many_files_are_found_in_order() {
        let temp = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..PART + 2).map(|n| format!("{n:05}")).collect();
        for name in &names {
            fs::write(temp.path().join(name), "").unwrap();
        }
        fs::write(temp.path().join(MANIFEST), "").unwrap();
        let mut seen = Vec::new();
        let nothing = |_: &str, _: &mut dyn Read, _: u64| Ok(());
        observe(
            temp.path(),
            &|path| path != b"00001",
            None,
            &nothing,
            &mut |path, found| {
                assert_eq!(matches!(found, FoundInPack::Read(_)), path != b"00001");
                seen.push(String::from_utf8(path.to_vec()).unwrap());
            },
        )
        .unwrap();
        assert_eq!(seen, names);
    }

    #[test]
    fn only_the_very_file_that_was_written_is_not_hashed_again() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("a");
        fs::write(&file, "one").unwrap();
        // A hash of something else shows whether the file is read.
        let noted = Digest::of(b"noted");
        let written = WrittenMembers::default();
        assert_eq!(found(temp.path(), &written), Digest::of(b"one"));
        written.note("a", &fs::File::open(&file).unwrap(), noted).unwrap();
        assert_eq!(found(temp.path(), &written), noted);
        let grown = fs::OpenOptions::new().append(true).open(&file).unwrap();
        io::Write::write_all(&mut &grown, b"!").unwrap();
        assert_eq!(found(temp.path(), &written), Digest::of(b"one!"));
        written.note("a", &grown, noted).unwrap();
        drop(grown);
        fs::write(temp.path().join("b"), "two!").unwrap();
        fs::rename(temp.path().join("b"), &file).unwrap();
        assert_eq!(found(temp.path(), &written), Digest::of(b"two!"));
    }
}
