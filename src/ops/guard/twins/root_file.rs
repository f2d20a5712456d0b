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
    /// Whether the content is staged: only if all of the old one was, except for lines of git pack.
    is_staged: bool,
}

impl RootFile {
    /// Plans what `change` makes of the content. `ours` tells which lines git pack itself writes. Refuses a link: git does not read one there, and writing through it
    /// could change a file outside of the repository.
    pub(super) fn plan(
        place: &Place,
        name: &'static str,
        ours: impl Fn(&[u8]) -> bool,
        change: impl FnOnce(Vec<u8>) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let path = place.root.join(name);
        files::ensure_is_no_link(&path)?;
        let before = files::read_optional(&path, MAX_BYTES)?;
        let text = before.clone().unwrap_or_default();
        let new = Some(change(text.clone())?).filter(|new| *new != text);
        let in_git = RepoPath::new(name.as_bytes());
        // An earlier call may have ended after it wrote the file, and before it staged it.
        let is_left = !place.is_dry && before.is_some() && !place.repo.is_staged_as_on_disk(&in_git)?;
        let is_to_stage = new.is_some() || is_left;
        let is_staged = is_to_stage && is_stageable(place, &in_git, &before, ours)?;
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

/// Returns whether staging the file stages no change of somebody else. Lines that git pack wrote may be added, such as those of
/// a file that it made, but none may go.
fn is_stageable(
    place: &Place,
    path: &RepoPath,
    before: &Option<Vec<u8>>,
    ours: impl Fn(&[u8]) -> bool,
) -> Result<bool> {
    let Some(before) = before else { return Ok(true) };
    if place.repo.is_staged_as_on_disk(path)? {
        return Ok(true);
    }
    let index = place.repo.index()?;
    if index.unmerged().contains_key(path) {
        return Ok(false);
    }
    let name = path.to_string();
    let staged = match index.at(&name)? {
        Some(entry) if entry.path == *path => place.repo.document(&entry.id, &name, MAX_BYTES)?,
        Some(_) => return Ok(false),
        None => Vec::new(),
    };
    Ok(differ_by_new_lines(&staged, before, ours))
}

/// Returns whether `new` is `old` with more lines, all of which are `ours`.
fn differ_by_new_lines(old: &[u8], new: &[u8], ours: impl Fn(&[u8]) -> bool) -> bool {
    let lines = |text: &'_ [u8]| -> Vec<Vec<u8>> {
        let lines = text.split(|byte| *byte == b'\n');
        lines
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
            .collect()
    };
    let (old, new) = (lines(old), lines(new));
    let mut old = old.iter().filter(|line| !line.is_empty()).peekable();
    for line in new.iter().filter(|line| !line.is_empty()) {
        let stood_there = old.next_if_eq(&line).is_some();
        if !stood_there && !ours(line) {
            return false;
        }
    }
    old.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_lines_of_git_pack_may_be_staged_with_others() {
        let ours = |line: &[u8]| line.starts_with(b"/");
        for (old, new, expected) in [
            ("", "/a\n", true),
            ("x\n", "x\r\n/a\r\n", true),
            ("/a\nx\n", "/a\n/b\nx\n\n", true),
            ("", "x\n/a\n", false),
            ("x\n/a\n", "x\n", false),
            ("x\n", "/a\n", false),
            ("x\ny\n", "y\nx\n", false),
        ] {
            assert_eq!(
                differ_by_new_lines(old.as_bytes(), new.as_bytes(), ours),
                expected,
                "{old:?} {new:?}"
            );
        }
    }
}
