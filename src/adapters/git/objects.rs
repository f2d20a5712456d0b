//! Object directories that git names in the environment, such as the quarantine of a push (git(1), githooks(5)).

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::adapters::files::platform::canonicalize;
use crate::adapters::git::{Repository, explain};
use crate::adapters::interruption::{self, Temporary};
use crate::format::path_bytes::{bytes_of_path, os_str_of_bytes, path_of_bytes};
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// The object directories and graft file that git named in the environment.
#[derive(Clone, Debug, Default)]
pub struct ObjectPlaces {
    /// The value of `GIT_OBJECT_DIRECTORY`.
    pub directory: Option<PathBuf>,
    /// The value of `GIT_ALTERNATE_OBJECT_DIRECTORIES`.
    pub alternates: Option<OsString>,
    /// The value of `GIT_GRAFT_FILE`.
    pub grafts: Option<PathBuf>,
}

/// A temporary object directory whose alternates are several object directories. Removed when dropped.
pub(super) struct Joined {
    directory: Temporary<tempfile::TempDir>,
    /// The repository's own object store, without the other directories.
    pub(super) own: Arc<gix::odb::Store>,
    /// The value of `GIT_OBJECT_DIRECTORY`, unless it is the repository's own: the quarantine of a push.
    pub(super) new: Option<PathBuf>,
    /// All of the object directories.
    list: Vec<PathBuf>,
}

/// A temporary object directory, for what is fetched and not kept. Removed when dropped.
pub struct PassingObjects(Temporary<tempfile::TempDir>);

impl PassingObjects {
    /// Makes the directory.
    pub fn new() -> Result<Self> {
        let deed = "making an object directory in";
        let temp = temporary().map_err(Refusal::io(deed, Path::new("a temporary directory")))?;
        let packs = temp.path().join("pack");
        std::fs::create_dir(&packs).map_err(Refusal::io(deed, &packs))?;
        Ok(Self(temp))
    }

    /// Returns what a repository must be opened with to fetch into this directory, and to read from it.
    pub fn beside(&self, others: &ObjectPlaces) -> ObjectPlaces {
        ObjectPlaces {
            directory: Some(self.0.path().to_owned()),
            ..others.clone()
        }
    }
}

fn temporary() -> std::io::Result<Temporary<tempfile::TempDir>> {
    interruption::temporary(|| tempfile::Builder::new().prefix("git-pack-objects-").tempdir())
}

/// Makes the repository read from `places` as well as from its own objects, which the library does not do itself.
pub(super) fn join(
    shared: &mut gix::ThreadSafeRepository,
    cwd: &Path,
    places: &ObjectPlaces,
) -> Result<Option<Joined>> {
    let own = shared.objects.path().to_owned();
    let mut directories: Vec<PathBuf> = places.directory.iter().map(|path| cwd.join(path)).collect();
    let alternates = places.alternates.as_deref().map(|list| split(list.as_encoded_bytes()));
    directories.extend(alternates.into_iter().flatten().map(|path| cwd.join(path)));
    let canonical = |path: &Path| canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let own = canonical(&own);
    let mut list: Vec<PathBuf> = vec![own.clone()];
    for directory in directories.iter().map(|path| canonical(path)) {
        // During a push, git names the repository's own directory among the alternates, so it may be listed already.
        if directory.is_dir() && !list.contains(&directory) {
            list.push(directory);
        }
    }
    if list == [own.clone()] {
        return Ok(None);
    }
    let new = places.directory.as_ref().map(|path| canonical(&cwd.join(path)));
    let new = new.filter(|path| *path != own);
    let deed = "joining object directories in";
    let temp = temporary().map_err(Refusal::io(deed, Path::new("a temporary directory")))?;
    let info = temp.path().join("info");
    std::fs::create_dir(&info).map_err(Refusal::io(deed, &info))?;
    let mut text = Vec::new();
    for directory in &list {
        text.extend(quoted(&bytes_of_path(directory), b"\n\"#\\"));
        text.push(b'\n');
    }
    let file = info.join("alternates");
    std::fs::write(&file, text).map_err(Refusal::io(deed, &file))?;
    let store = store_at(shared, temp.path(), None)?;
    let own = std::mem::replace(&mut shared.objects, store);
    Ok(Some(Joined {
        directory: temp,
        own,
        new,
        list,
    }))
}

/// Opens the object store in a directory and its alternates. Objects of more than `memory` bytes are refused.
fn store_at(
    shared: &gix::ThreadSafeRepository,
    directory: &Path,
    memory: Option<usize>,
) -> Result<Arc<gix::odb::Store>> {
    let options = gix::odb::store::init::Options {
        alloc_limit_bytes: memory,
        ..Default::default()
    };
    let hash = shared.to_thread_local().object_hash();
    let store = gix::odb::Store::at_opts(directory.to_owned(), hash, &mut std::iter::empty(), options);
    store
        .map(Arc::new)
        .map_err(|e| Refusal::Unsupported(Unsupported::ObjectDirectories { said: explain(&e) }))
}

impl Repository {
    /// Makes a git write new objects where this repository has them, if that is not its own directory.
    pub(super) fn writing_new_objects(&self, git: &mut Command) {
        let Some(joined) = &self.joined else { return };
        let Some(new) = &joined.new else { return };
        let others = joined.list.iter().filter(|directory| *directory != new);
        let others: Vec<Vec<u8>> = others
            .map(|directory| quoted(&bytes_of_path(directory), b"\n\":\\"))
            .collect();
        git.env("GIT_OBJECT_DIRECTORY", new)
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", os_str_of_bytes(&others.join(&b':')));
    }

    /// Removes the temporary directory of joined objects. Called before `exit`, which drops nothing.
    pub(super) fn leave_nothing(&self) {
        if let Some(joined) = &self.joined {
            drop(std::fs::remove_dir_all(joined.directory.path()));
        }
    }

    /// From now on, refuses objects that take more than `bytes` bytes of memory.
    pub(super) fn limit_memory(&mut self, bytes: usize) -> Result<()> {
        let directory = self.shared.objects.path().to_owned();
        self.shared.objects = store_at(&self.shared, &directory, Some(bytes))?;
        Ok(())
    }
}

/// Splits a list of paths at colons. An entry that begins with a double quote is quoted as in C.
fn split(list: &[u8]) -> Vec<PathBuf> {
    let mut entries = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let entry = match rest.strip_prefix(b"\"").map(unquote) {
            Some(Some((entry, after))) => {
                rest = after;
                entry
            }
            _ => {
                let end = rest.iter().position(|byte| *byte == b':').unwrap_or(rest.len());
                let (entry, after) = rest.split_at(end);
                rest = after;
                entry.to_vec()
            }
        };
        rest = rest.strip_prefix(b":").unwrap_or(rest);
        if !entry.is_empty() {
            entries.push(path_of_bytes(&entry).to_owned());
        }
    }
    entries
}

/// Undoes C-style quoting up to the closing quote. Returns the text and the rest after the quote.
fn unquote(mut text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut plain = Vec::new();
    loop {
        let (first, rest) = text.split_first()?;
        text = rest;
        match first {
            b'"' => return Some((plain, text)),
            b'\\' => {
                let (escaped, rest) = text.split_first()?;
                text = rest;
                plain.push(match escaped {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'a' => 7,
                    b'b' => 8,
                    b'v' => 11,
                    b'f' => 12,
                    b'0'..=b'3' => {
                        let digits = text.get(..2)?;
                        text = &text[2..];
                        let octal = std::str::from_utf8(digits).ok()?;
                        (escaped - b'0') * 64 + u8::from_str_radix(octal, 8).ok()?
                    }
                    other => *other,
                });
            }
            other => plain.push(*other),
        }
    }
}

/// Quotes a path for a list of object directories, if it contains a character that requires it there.
fn quoted(path: &[u8], special: &[u8]) -> Vec<u8> {
    if !path.iter().any(|byte| special.contains(byte)) {
        return path.to_vec();
    }
    let mut quoted = vec![b'"'];
    for byte in path {
        match byte {
            b'\n' => quoted.extend(b"\\n"),
            b'"' | b'\\' => quoted.extend([b'\\', *byte]),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternates_are_split_as_git_does() {
        let paths = |list: &[u8]| split(list);
        assert_eq!(paths(b"/a:/b c"), [PathBuf::from("/a"), PathBuf::from("/b c")]);
        assert_eq!(
            paths(br#""/a:b\n\"x\303\244":/c"#),
            [PathBuf::from("/a:b\n\"xä"), PathBuf::from("/c")]
        );
        assert_eq!(paths(b"::"), Vec::<PathBuf>::new());
        assert_eq!(paths(br#""open"#), [PathBuf::from("\"open")]);
    }

    #[test]
    fn quoting_is_undone() {
        for path in [&b"/plain"[..], b"/with\n\"all\\of: it#"] {
            let text = quoted(path, b"\n\":\\");
            assert_eq!(split(&text), [path_of_bytes(path).to_owned()]);
            let read = text
                .strip_prefix(b"\"")
                .map_or(text.clone(), |rest| unquote(rest).unwrap().0);
            assert_eq!(read, path);
        }
    }
}
