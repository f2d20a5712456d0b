//! A file of git's at the top of the work tree to which `git pack protect` adds lines: `.gitignore`, `.gitattributes`.

use std::path::PathBuf;

use crate::adapters::files::{self, Durability, write_whole};
use crate::format::repo_path::RepoPath;
use crate::ops::guard::twins::Place;
use crate::refusal::Result;

/// The largest file to read, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// The file, before and after the change.
pub(super) struct RootFile {
    name: &'static str,
    path: PathBuf,
    before: Option<Vec<u8>>,
    /// The new content. `None` if it need not change.
    new: Option<Vec<u8>>,
    /// Whether the new content is staged: only if all of the old one was.
    is_staged: bool,
}

impl RootFile {
    /// Plans what `change` makes of the content. Refuses a link: git does not read one there, and writing through it
    /// could change a file outside of the repository.
    pub(super) fn plan(
        place: &Place,
        name: &'static str,
        change: impl FnOnce(Vec<u8>) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let path = place.root.join(name);
        files::ensure_is_no_link(&path)?;
        let before = files::read_optional(&path, MAX_BYTES)?;
        let text = before.clone().unwrap_or_default();
        let new = Some(change(text.clone())?).filter(|new| *new != text);
        let is_staged =
            new.is_some() && (before.is_none() || place.repo.is_staged_as_on_disk(&RepoPath::new(name.as_bytes()))?);
        Ok(Self {
            name,
            path,
            before,
            new,
            is_staged,
        })
    }

    /// Writes the new content, if there is any.
    pub(super) fn write(&self) -> Result<()> {
        match &self.new {
            Some(bytes) => write_whole(&self.path, bytes, 0o666, Durability::Durable),
            None => Ok(()),
        }
    }

    /// Puts the old content back.
    pub(super) fn undo(&self) {
        if self.new.is_some() {
            drop(match &self.before {
                Some(bytes) => write_whole(&self.path, bytes, 0o666, Durability::Durable),
                None => files::remove(&self.path),
            });
        }
    }

    /// Returns the path to stage, if the change is to be staged.
    pub(super) fn to_stage(&self) -> Option<RepoPath> {
        self.is_staged.then(|| RepoPath::new(self.name.as_bytes()))
    }

    /// Returns the name of the file if its change is not staged, because it has other changes.
    pub(super) fn left_unstaged(&self) -> Option<&'static str> {
        (self.new.is_some() && !self.is_staged).then_some(self.name)
    }
}
