//! An object store that is a directory, such as one on a network drive.
//!
//! Others may write to it. No link below it is followed, neither to read nor to write, and a FIFO in the place of a file
//! is not waited for.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Bucket, Opened};
use crate::adapters::files::{self, Over};
use crate::format::digest::{Digest, Hashing};
use crate::format::object_layout::{Key, PACKS, pack_of};
use crate::refusal::transport::TransportFault;
use crate::refusal::{Refusal, Result};

/// The mode of new files, less the umask: others are to read them.
const MODE: u32 = 0o666;

/// A directory that holds packs.
pub(super) struct SharedDirectory {
    root: PathBuf,
}

impl SharedDirectory {
    /// Opens an existing directory. One that is missing may be a drive that is not mounted.
    pub(super) fn at(root: &Path, shown: &str) -> Result<Self> {
        match std::fs::metadata(root) {
            Ok(meta) if meta.is_dir() => Ok(Self { root: root.to_owned() }),
            Ok(_) => Err(Refusal::Transport {
                place: shown.to_owned(),
                fault: TransportFault::NotFound {
                    what: "a directory at this path".into(),
                },
            }),
            Err(e) => Err(Refusal::Transport {
                place: shown.to_owned(),
                fault: match e.kind() {
                    io::ErrorKind::NotFound => TransportFault::NotFound {
                        what: "the directory itself, which must exist".into(),
                    },
                    _ => TransportFault::Connection { said: e.to_string() },
                },
            }),
        }
    }

    /// Returns the path of an object. Refuses a link on the way.
    fn path(&self, key: &Key) -> Result<PathBuf> {
        let below = key.path();
        files::ensure_no_link(&self.root, Path::new(&below))?;
        Ok(self.root.join(below))
    }

    /// Creates the directories above an object, durably.
    fn create_above(&self, path: &Path) -> Result<()> {
        let above = files::parent(path);
        let missing: Vec<&Path> = above
            .ancestors()
            .take_while(|above| *above != self.root && !files::is_directory(above))
            .collect();
        for directory in missing.into_iter().rev() {
            match std::fs::create_dir(directory) {
                // Another process was faster.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                created => created.map_err(Refusal::io("creating", directory))?,
            }
            files::sync(files::parent(directory))?;
        }
        Ok(())
    }
}

impl Bucket for SharedDirectory {
    fn size(&self, key: &Key) -> Result<Option<u64>> {
        let path = self.path(key)?;
        match std::fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_file() => Ok(Some(meta.len())),
            Ok(meta) => Err(Refusal::NotRegular {
                path,
                kind: files::kind_name(meta.file_type()),
            }),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(Refusal::io("reading", &path)(e)),
        }
    }

    fn open(&self, key: &Key) -> Result<Option<Opened<'_>>> {
        let path = self.path(key)?;
        match files::open_regular(&path) {
            Ok(opened) => Ok(Some((Box::new(opened.file.take(opened.size)), opened.size))),
            Err(Refusal::Io { source, .. })
                if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
            {
                Ok(None)
            }
            Err(refused) => Err(refused),
        }
    }

    fn put(&self, key: &Key, bytes: &[u8], over: Over) -> Result<bool> {
        let path = self.path(key)?;
        self.create_above(&path)?;
        let written = files::write_whole_over(&path, MODE, over, |file| {
            io::Write::write_all(file, bytes).map_err(Refusal::io("writing", &path))
        });
        match written {
            Ok(()) => Ok(true),
            Err(Refusal::OutputExists { .. }) => Ok(false),
            Err(refused) => Err(refused),
        }
    }

    fn put_large(&self, hash: &Digest, content: &mut dyn Read, _: u64) -> Result<()> {
        let path = self.path(&Key::Blob(*hash))?;
        self.create_above(&path)?;
        // A killed process leaves nothing of a large content behind.
        let file = files::unnamed_beside(&path, MODE)?;
        let mut out = Hashing::new(file);
        io::copy(content, &mut out).map_err(Refusal::io("writing", &path))?;
        let (file, found, _) = out.finish();
        if found != *hash {
            return Err(Refusal::ChangedWhileRead {
                path: hash.to_string().into(),
            });
        }
        files::place_unnamed(file, &path, MODE)
    }

    fn packs(&self) -> Result<Vec<Digest>> {
        files::ensure_no_link(&self.root, Path::new(PACKS))?;
        let names = files::directories_in(&self.root.join(PACKS))?;
        let ids = names.iter().filter_map(|name| pack_of(name.to_str()?));
        // A killed process can leave the directory of a pack that was not published.
        Ok(ids
            .filter(|id| files::regular_size(&self.root, &Key::Manifest(*id).path()).is_some())
            .collect())
    }

    fn names(&self, below: &str, max: usize) -> Result<(Vec<String>, bool)> {
        files::ensure_no_link(&self.root, Path::new(below))?;
        let directory = self.root.join(below);
        let mut names = files::first_names_in(&directory, max + 1)?;
        let is_cut = names.len() > max;
        names.truncate(max);
        let is_file = |name: &String| files::regular_size(&directory, name).is_some();
        let text = names.into_iter().map(|name| name.to_string_lossy().into_owned());
        Ok((text.filter(is_file).collect(), is_cut))
    }
}
