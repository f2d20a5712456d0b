//! The content store on disk: contents that git's object database does not have.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{Store, Take, checked, corrupt, drain};
use crate::adapters::files::{self, Over, create_private_dir, open_regular, sync, write_whole_over};
use crate::format::digest::{Digest, Hashing};
use crate::refusal::corrupt::Corrupt;
use crate::refusal::{Refusal, Result};

/// The content store of one clone, shared by its worktrees: `cas/<2 hex digits>/<62 hex digits>`.
pub struct DiskStore {
    directory: PathBuf,
}

/// A file of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// SHA-256 of the content, which is also the file's name.
    pub hash: Digest,
    /// Size in bytes.
    pub bytes: u64,
    /// Modification time in seconds since the epoch.
    pub written: i64,
}

/// The files in the store's directories.
#[derive(Debug, Default)]
pub struct StoreListing {
    /// The files, sorted by name.
    pub stored: Vec<StoredFile>,
    /// Temporary files that killed writers left behind.
    pub unfinished: Vec<PathBuf>,
}

/// Who else may hold the store at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Other processes that add or read.
    Shared,
    /// No other process.
    Exclusive,
}

/// The store, held until this is dropped.
#[must_use = "the lock ends when this is dropped"]
pub struct HeldStore {
    _lock: File,
}

impl DiskStore {
    /// Names the store below a clone's `gitpack` directory. It is created when something is first stored.
    pub fn of(own: &Path) -> Self {
        Self {
            directory: own.join("cas"),
        }
    }

    /// Returns the directory of the store.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns whether the store exists.
    pub fn exists(&self) -> bool {
        files::exists(&self.directory)
    }

    /// Waits for the lock of the store and holds it until the returned value is dropped. Creates the store if it does
    /// not exist.
    pub fn lock(&self, hold: Hold) -> Result<HeldStore> {
        create_private_dir(&self.directory)?;
        let path = self.lock_path();
        locked(files::open_own(&path)?, hold, &path)
    }

    /// Like [`Self::lock`], shared, for readers. `None` if the store was never locked, so that reading creates nothing.
    pub fn lock_to_read(&self) -> Result<Option<HeldStore>> {
        self.lock_if_held_before(Hold::Shared)
    }

    /// Like [`Self::lock`], but `None` if the store was never locked, so that a process that changes nothing creates
    /// nothing.
    pub fn lock_if_held_before(&self, hold: Hold) -> Result<Option<HeldStore>> {
        let path = self.lock_path();
        ensure_regular(&path)?;
        match File::open(&path) {
            Ok(file) => locked(file, hold, &path).map(Some),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Refusal::io("opening", &path)(e)),
        }
    }

    fn lock_path(&self) -> PathBuf {
        self.directory.join("lock")
    }

    /// Lists the files of the store. Skips files that do not belong to it.
    pub fn list(&self) -> Result<StoreListing> {
        let mut listing = StoreListing::default();
        for (directory, name) in entries(&self.directory)? {
            let Some(lead) = name.to_str().filter(|name| name.len() == 2) else {
                continue;
            };
            for (path, name) in entries(&directory)? {
                let hash = name
                    .to_str()
                    .and_then(|rest| Digest::parse_hex(&format!("{lead}{rest}")));
                match hash {
                    Some(hash) => {
                        let meta = std::fs::symlink_metadata(&path).map_err(Refusal::io("reading", &path))?;
                        listing.stored.push(StoredFile {
                            hash,
                            bytes: meta.len(),
                            written: seconds_of(&meta),
                        });
                    }
                    None if name.as_encoded_bytes().starts_with(files::TEMPORARY.as_bytes()) => {
                        listing.unfinished.push(path)
                    }
                    None => {}
                }
            }
        }
        listing.stored.sort_unstable_by_key(|stored| stored.hash);
        listing.unfinished.sort_unstable();
        Ok(listing)
    }

    /// Removes the content with this hash, if it is stored.
    pub fn remove(&self, hash: &Digest) -> Result<()> {
        files::remove(&self.path(hash))
    }

    /// Returns the path of the content with this hash.
    pub fn path(&self, hash: &Digest) -> PathBuf {
        let hex = hash.hex();
        self.directory.join(&hex[..2]).join(&hex[2..])
    }

    fn read(&self, hash: &Digest, take: Take<'_>) -> Result<bool> {
        let path = self.path(hash);
        match open_regular(&path) {
            Ok(opened) => checked(self.name(), hash, &mut &opened.file, take).map(|()| true),
            Err(Refusal::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(Refusal::NotRegular { kind, .. }) => Err(corrupt(hash, self.name(), &format!("it is {kind}"))),
            Err(other) => Err(other),
        }
    }
}

impl Store for DiskStore {
    fn name(&self) -> &'static str {
        "the content store"
    }

    fn contains(&self, hash: &Digest) -> Result<bool> {
        let path = self.path(hash);
        match std::fs::symlink_metadata(&path) {
            Ok(meta) => Ok(meta.is_file()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Refusal::io("reading", &path)(e)),
        }
    }

    fn get(&self, hash: &Digest, take: Take<'_>) -> Result<bool> {
        self.read(hash, take)
    }

    fn put(&self, hash: &Digest, content: &mut dyn Read) -> Result<()> {
        let path = self.path(hash);
        match self.read(hash, &mut |standing| drain(standing, hash)) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(Refusal::Corrupt(Corrupt::Stored {
                content, store, fault, ..
            })) => {
                return Err(Refusal::Corrupt(Corrupt::Stored {
                    content,
                    store,
                    fault,
                    in_the_way: Some(path),
                }));
            }
            Err(other) => return Err(other),
        }
        let directory = files::parent(&path);
        if !files::is_directory(directory) {
            create_private_dir(directory)?;
            sync(&self.directory)?;
        }
        // The file is read-only: an accidental edit would make the content differ from its hash.
        write_whole_over(&path, 0o400, Over::Anything, |file| {
            let mut hashing = Hashing::new(content);
            io::copy(&mut hashing, file).map_err(Refusal::io("writing", &path))?;
            match hashing.finish().1 == *hash {
                true => Ok(()),
                false => Err(corrupt(
                    hash,
                    self.name(),
                    "the content to store does not match this hash",
                )),
            }
        })
    }
}

/// Returns when a file was written, in seconds since the epoch.
fn seconds_of(meta: &std::fs::Metadata) -> i64 {
    let written = meta.modified().ok();
    let written = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    written.map_or(0, |since| since.as_secs() as i64)
}

fn locked(file: File, hold: Hold, path: &Path) -> Result<HeldStore> {
    let locked = match hold {
        Hold::Shared => file.lock_shared(),
        Hold::Exclusive => file.lock(),
    };
    locked.map_err(Refusal::io("locking", path))?;
    Ok(HeldStore { _lock: file })
}

/// Refuses anything but a regular file: opening a FIFO would block forever.
fn ensure_regular(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if !meta.is_file() => Err(Refusal::NotRegular {
            path: path.to_owned(),
            kind: files::kind_name(meta.file_type()),
        }),
        _ => Ok(()),
    }
}

/// Returns the path and the name of everything in a directory. A missing directory counts as empty.
fn entries(directory: &Path) -> Result<Vec<(PathBuf, std::ffi::OsString)>> {
    let reading = |e| Refusal::io("listing", directory)(e);
    match std::fs::read_dir(directory) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(e) => Err(reading(e)),
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| (entry.path(), entry.file_name())).map_err(reading))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::files::platform::symlink;
    use crate::adapters::store::bytes;

    fn store() -> (tempfile::TempDir, DiskStore) {
        let temp = tempfile::tempdir().unwrap();
        let store = DiskStore::of(temp.path());
        (temp, store)
    }

    fn put(store: &DiskStore, content: &[u8]) -> Digest {
        let hash = Digest::of(content);
        store.put(&hash, &mut &content[..]).unwrap();
        hash
    }

    #[test]
    fn what_is_put_comes_back_and_is_put_once() {
        let (_temp, store) = store();
        let hash = put(&store, b"content");
        assert_eq!(put(&store, b"content"), hash);
        assert_eq!(bytes(&store, &hash, 100).unwrap().unwrap(), b"content");
        assert!(store.contains(&hash).unwrap());
        let absent = Digest::of(b"absent");
        assert!(!store.contains(&absent).unwrap() && bytes(&store, &absent, 100).unwrap().is_none());
        assert!(bytes(&store, &hash, 6).is_err(), "more than was asked for");
        let listing = store.list().unwrap();
        assert_eq!((listing.stored.len(), listing.stored[0].bytes), (1, 7));
        assert!(listing.unfinished.is_empty());
        store.remove(&hash).unwrap();
        store.remove(&hash).unwrap();
        assert!(store.list().unwrap().stored.is_empty());
    }

    #[test]
    fn what_is_not_what_its_name_says_is_never_given_out_nor_built_on() {
        let (_temp, store) = store();
        for damage in [&b"c0ntent"[..], b"conten", b"content ", b""] {
            let hash = put(&store, b"content");
            std::fs::remove_file(store.path(&hash)).unwrap();
            std::fs::write(store.path(&hash), damage).unwrap();
            assert!(matches!(bytes(&store, &hash, 100), Err(Refusal::Corrupt(_))));
            assert!(matches!(
                store.put(&hash, &mut &b"content"[..]),
                Err(Refusal::Corrupt(_))
            ));
            assert!(store.check(&[hash])[0].is_err());
            store.remove(&hash).unwrap();
        }
        let hash = put(&store, b"content");
        let elsewhere = store.path(&hash).with_extension("elsewhere");
        std::fs::rename(store.path(&hash), &elsewhere).unwrap();
        symlink(&elsewhere, store.path(&hash)).unwrap();
        assert!(matches!(bytes(&store, &hash, 100), Err(Refusal::Corrupt(_))));
        assert!(!store.contains(&hash).unwrap());
    }

    #[test]
    fn content_of_another_name_is_not_stored() {
        let (_temp, store) = store();
        let hash = Digest::of(b"content");
        assert!(matches!(store.put(&hash, &mut &b"other"[..]), Err(Refusal::Corrupt(_))));
        assert!(!store.contains(&hash).unwrap());
        assert!(store.list().unwrap().unfinished.is_empty());
    }
}
