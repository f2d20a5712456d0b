//! Staging: output is written to a directory beside its destination and published by one rename.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::adapters::files::platform::{
    exchange, is_private, is_still_locked, mode_of, open_to_lock, private, private_directories, rename_new,
    set_mode_at, sync_file_system,
};
use crate::adapters::files::{self, Walked, parent, sync};
use crate::adapters::interruption;
use crate::format::digest::{Digest, Hashing};
use crate::format::member_path::MemberPath;
use crate::format::path_bytes::path_below;
use crate::refusal::{Refusal, Result};

const PREFIX: &str = ".git-pack-staging-";

const BUFFER: usize = 64 << 10;

/// The file that says what a staging directory is for, if a later process may go on in it.
const PURPOSE: &str = "purpose";

/// A private directory beside an output, held by a lock that ends with the process.
#[must_use = "a staging directory that is dropped is removed"]
pub struct Staging {
    directory: PathBuf,
    root: PathBuf,
    access: Access,
    names: Names,
    /// Parents of the output that did not exist before, outermost first.
    made: Vec<PathBuf>,
    /// The lock on the directory, held while this process lives.
    _lock: File,
}

/// Who may read the output once it is published.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone whom the umask allows.
    Shared,
    /// Only the owner.
    Private,
}

/// The names that files get.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Their member paths, as in a pack.
    Members,
    /// The paths for which these stand, as in a tree.
    Originals,
}

/// What may exist at the destination when the output is published.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// Nothing, or an empty directory.
    New,
    /// An older pack. It is exchanged in the same rename and then removed.
    Replace,
}

impl Staging {
    /// Creates a staging directory beside `output`, and the parents of `output`. Removes staging directories that dead
    /// processes left there.
    pub fn beside(output: &Path, access: Access) -> Result<Self> {
        let beside = parent(output);
        let mut made: Vec<PathBuf> = beside
            .ancestors()
            .take_while(|dir| !dir.as_os_str().is_empty() && !files::exists(dir))
            .map(Path::to_owned)
            .collect();
        made.reverse();
        let undo = |made: &[PathBuf]| made.iter().rev().for_each(|dir| drop(std::fs::remove_dir(dir)));
        if let Err(e) = std::fs::create_dir_all(beside) {
            undo(&made);
            return Err(Refusal::io("creating", beside)(e));
        }
        clear_abandoned(beside);
        match claim(beside) {
            Ok(claimed) => {
                let staging = Self::of(claimed, access, made);
                interruption::stage(&staging.directory, &staging.made);
                staging
                    .make_directories(&staging.root)
                    .map_err(Refusal::io("creating", &staging.root))?;
                // If the process is killed, git must not add what is left in a work tree.
                let ignore = staging.directory.join(".gitignore");
                std::fs::write(&ignore, "*\n").map_err(Refusal::io("writing", &ignore))?;
                Ok(staging)
            }
            Err(e) => {
                undo(&made);
                Err(Refusal::io("creating a staging directory in", beside)(e))
            }
        }
    }

    /// Like [`Self::beside`], but goes on in a staging directory that a dead process left for the same `purpose`. Its
    /// files may be there in part. Only those that `keep` accepts stay.
    pub fn resuming(output: &Path, access: Access, purpose: &str, keep: impl Fn(&[u8]) -> bool) -> Result<Self> {
        if let Some(claimed) = adopt(parent(output), purpose) {
            let staging = Self::of(claimed, access, Vec::new());
            interruption::keep(&staging.directory);
            staging.prune(keep)?;
            return Ok(staging);
        }
        let staging = Self::beside(output, access)?;
        let mark = staging.directory.join(PURPOSE);
        std::fs::write(&mark, purpose).map_err(Refusal::io("writing", &mark))?;
        interruption::keep(&staging.directory);
        Ok(staging)
    }

    fn of((directory, _lock): (PathBuf, File), access: Access, made: Vec<PathBuf>) -> Self {
        Self {
            root: directory.join("pack"),
            directory,
            access,
            names: Names::Members,
            made,
            _lock,
        }
    }

    /// Removes the files that `keep` does not accept, and the directories without files.
    fn prune(&self, keep: impl Fn(&[u8]) -> bool) -> Result<()> {
        for (path, what) in files::walk(&self.root, |_| true) {
            let target = self.root.join(path_below(&path));
            let emptied = match what {
                Walked::EmptyDirectory => &target,
                _ if keep(&path) => continue,
                _ => {
                    std::fs::remove_file(&target).map_err(Refusal::io("removing", &target))?;
                    parent(&target)
                }
            };
            // A directory that still holds something is not removed, and ends this.
            let up = emptied.ancestors().take_while(|directory| *directory != self.root);
            drop(up.map(std::fs::remove_dir).find(std::result::Result::is_err));
        }
        Ok(())
    }

    /// Returns the directory of the staged pack.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Like [`Self::create`], but removes what is there.
    pub fn create_anew(&self, path: &MemberPath) -> Result<File> {
        let target = self.member(path);
        match std::fs::remove_file(&target) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Refusal::io("removing", &target)(e)),
            _ => self.create(path),
        }
    }

    /// Returns an output in the directory for temporary files, for what is not published.
    pub fn aside() -> PathBuf {
        tempfile::env::temp_dir().join("x")
    }

    /// Returns the path on disk at which the member `path` is staged.
    pub fn member(&self, path: &MemberPath) -> PathBuf {
        match self.names {
            Names::Members => self.root.join(path.as_str()),
            Names::Originals => self.root.join(path_below(&path.original())),
        }
    }

    /// Gives files the paths for which their member paths stand.
    pub fn with_original_names(mut self) -> Self {
        self.names = Names::Originals;
        self
    }

    /// Creates the file of a member and its parent directories.
    pub fn create(&self, path: &MemberPath) -> Result<File> {
        let target = self.member(path);
        let create = || {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            if self.access == Access::Private {
                private(&mut options);
            }
            options.open(&target)
        };
        create()
            .or_else(|e| {
                if e.kind() != io::ErrorKind::NotFound {
                    return Err(e);
                }
                self.make_directories(parent(&target))?;
                create()
            })
            .map_err(Refusal::io("writing", &target))
    }

    /// Opens the file of an existing member for writing, truncated.
    pub fn overwrite(&self, path: &MemberPath) -> Result<File> {
        let target = self.member(path);
        OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(&target)
            .map_err(Refusal::io("writing", &target))
    }

    /// Opens the file of a member for reading.
    pub fn open(&self, path: &MemberPath) -> Result<File> {
        let target = self.member(path);
        File::open(&target).map_err(Refusal::io("reading", &target))
    }

    /// Sets an execute bit for each read bit of a member.
    pub fn make_executable(&self, path: &MemberPath) -> Result<()> {
        let target = self.member(path);
        let set = || {
            let mode = mode_of(&std::fs::metadata(&target)?);
            set_mode_at(&target, mode | (mode & 0o444) >> 2)
        };
        set().map_err(Refusal::io("writing", &target))
    }

    /// Removes a directory at the pack's root with everything in it, if it exists.
    pub fn discard(&self, directory: &str) -> Result<()> {
        let target = self.root.join(directory);
        match std::fs::remove_dir_all(&target) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Refusal::io("removing", &target)(e)),
            _ => Ok(()),
        }
    }

    /// Gives a member another path.
    pub fn rename(&self, from: &MemberPath, to: &MemberPath) -> Result<()> {
        let target = self.member(to);
        std::fs::rename(self.member(from), &target).map_err(Refusal::io("writing", &target))
    }

    /// Writes a file of the pack, a member or the manifest, by calling `write`. Returns the result of `write`, the
    /// file's digest and its size in bytes.
    pub fn stream<T>(
        &self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> Result<(T, Digest, u64)> {
        self.write_new(&self.root.join(name), write)
    }

    /// Like [`Self::stream`], for a file beside the pack, which is removed with the staging directory. Returns its
    /// path, digest and size in bytes.
    pub fn stream_aside(
        &self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(PathBuf, Digest, u64)> {
        let target = self.directory.join(name);
        let ((), digest, bytes) = self.write_new(&target, write)?;
        Ok((target, digest, bytes))
    }

    fn write_new<T>(
        &self,
        target: &Path,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> Result<(T, Digest, u64)> {
        let write = || {
            self.make_directories(parent(target))?;
            let file = OpenOptions::new().write(true).create_new(true).open(target)?;
            let mut out = BufWriter::with_capacity(BUFFER, Hashing::new(file));
            let result = write(&mut out)?;
            let (_, digest, bytes) = out.into_inner().map_err(io::IntoInnerError::into_error)?.finish();
            Ok((result, digest, bytes))
        };
        write().map_err(Refusal::io("writing", target))
    }

    fn make_directories(&self, path: &Path) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        if self.access == Access::Private {
            private_directories(&mut builder);
        }
        builder.create(path)
    }

    /// Syncs everything staged and renames it to `output`. A reader sees nothing there before the rename, and the whole
    /// output after it.
    pub fn publish(mut self, output: &Path, how: Publish) -> Result<()> {
        sync_tree(&self.root)?;
        interruption::complete(&self.directory, || self.move_to(output, how))?;
        self.made.clear();
        sync(parent(output))
    }

    fn move_to(&self, output: &Path, how: Publish) -> Result<()> {
        let renaming = Refusal::io("renaming the finished pack to", output);
        match how {
            Publish::New => match rename_new(&self.root, output) {
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists
                    ) =>
                {
                    Err(Refusal::OutputExists {
                        path: output.to_owned(),
                        replaceable: false,
                    })
                }
                other => other.map_err(renaming),
            },
            Publish::Replace => exchange(&self.root, output).map_err(renaming),
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        interruption::end(&self.directory);
        // The next run clears what cannot be removed now. A destructor has no way to report an error.
        drop(std::fs::remove_dir_all(&self.directory));
        for directory in self.made.iter().rev() {
            drop(std::fs::remove_dir(directory));
        }
    }
}

/// Creates a directory and locks it, so that no other process takes it for abandoned.
///
/// Between the two steps, another process may clear the directory. The name is then gone or names another directory,
/// and the loop tries again.
fn claim(beside: &Path) -> io::Result<(PathBuf, File)> {
    for _ in 0..64 {
        let mut builder = tempfile::Builder::new();
        let made = builder
            .prefix(PREFIX)
            .rand_bytes(8)
            .make_in(beside, |path| private_directories(&mut DirBuilder::new()).create(path))?;
        let (_, path) = made.into_parts();
        let path = path.keep().map_err(|e| e.error)?;
        let Ok(lock) = open_to_lock(&path) else {
            continue;
        };
        if lock.try_lock().is_err() {
            continue;
        }
        if is_still_locked(&lock, &path) {
            return Ok((path, lock));
        }
    }
    Err(io::Error::other("another process keeps removing it"))
}

/// Takes over a staging directory that a dead process left for this purpose.
fn adopt(beside: &Path, purpose: &str) -> Option<(PathBuf, File)> {
    for entry in std::fs::read_dir(beside).ok()?.flatten() {
        let named = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !named || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let path = entry.path();
        let mark = files::read_optional(&path.join(PURPOSE), 4096).ok().flatten();
        let own = std::fs::symlink_metadata(&path).is_ok_and(|meta| is_private(&meta, &path));
        if !own || mark.as_deref() != Some(purpose.as_bytes()) || !files::is_directory(&path.join("pack")) {
            continue;
        }
        // It may come from an archive that somebody prepared. Members are never written through a link.
        let below = files::walk(&path.join("pack"), |_| true);
        if !below
            .iter()
            .all(|(_, what)| matches!(what, Walked::File | Walked::EmptyDirectory))
        {
            continue;
        }
        let Ok(lock) = open_to_lock(&path) else { continue };
        if lock.try_lock().is_ok() {
            return Some((path, lock));
        }
    }
    None
}

/// Removes the staging directories in `directory` whose lock is free: the processes that made them have ended.
fn clear_abandoned(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let named = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !named || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let Ok(lock) = open_to_lock(&entry.path()) else {
            continue;
        };
        match lock.try_lock() {
            Ok(()) => drop(std::fs::remove_dir_all(entry.path())),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

/// Syncs every file and directory below `root`.
fn sync_tree(root: &Path) -> Result<()> {
    // One call syncs all files: the kernel writes them in the best order for the disk.
    let together = sync_file_system(root);
    if together.map_err(Refusal::io("syncing", root))? {
        return Ok(());
    }
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        let reading = |e| Refusal::io("syncing", &directory)(e);
        for entry in std::fs::read_dir(&directory).map_err(reading)? {
            let entry = entry.map_err(reading)?;
            if entry.file_type().map_err(reading)?.is_dir() {
                directories.push(entry.path());
            } else {
                sync(&entry.path())?;
            }
        }
        sync(&directory)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn dropping_leaves_nothing_and_publishing_leaves_the_pack_alone() {
        let temp = tempfile::tempdir().unwrap();
        let output = temp.path().join("a/b/pack");
        drop(Staging::beside(&output, Access::Shared).unwrap());
        assert_eq!(names(temp.path()), [] as [&str; 0]);

        let staging = Staging::beside(&output, Access::Shared).unwrap();
        staging.stream("d/f", |out| out.write_all(b"x")).unwrap();
        staging.publish(&output, Publish::New).unwrap();
        assert_eq!(names(&temp.path().join("a/b")), ["pack"]);
        assert_eq!(std::fs::read(output.join("d/f")).unwrap(), b"x");
    }

    #[test]
    fn a_directory_with_something_in_it_is_never_replaced_unasked() {
        let temp = tempfile::tempdir().unwrap();
        let output = temp.path().join("pack");
        std::fs::create_dir(&output).unwrap();
        std::fs::write(output.join("mine"), "").unwrap();
        let staging = Staging::beside(&output, Access::Shared).unwrap();
        assert!(matches!(
            staging.publish(&output, Publish::New),
            Err(Refusal::OutputExists { .. })
        ));
        assert_eq!(names(temp.path()), ["pack"]);
        assert_eq!(names(&output), ["mine"]);

        let staging = Staging::beside(&output, Access::Shared).unwrap();
        staging.stream("new", |_| Ok(())).unwrap();
        staging.publish(&output, Publish::Replace).unwrap();
        assert_eq!(names(temp.path()), ["pack"]);
        assert_eq!(names(&output), ["new"]);
    }

    #[test]
    fn what_the_dead_left_is_cleared_and_what_the_living_hold_is_not() {
        let temp = tempfile::tempdir().unwrap();
        let living = Staging::beside(&temp.path().join("one"), Access::Shared).unwrap();
        std::fs::create_dir_all(temp.path().join(".git-pack-staging-dead/pack/x")).unwrap();
        drop(Staging::beside(&temp.path().join("two"), Access::Shared).unwrap());
        let living_name = living.directory.file_name().unwrap().to_str().unwrap();
        assert_eq!(names(temp.path()), [living_name]);
    }
}
