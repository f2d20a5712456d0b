//! Plaintexts that are left under an old name after their twin was renamed.

use crate::adapters::files;
use crate::format::digest::Digest;
use crate::format::path_bytes::path_below;
use crate::format::repo_path::RepoPath;
use crate::ops::guard::twins::Place;
use crate::refusal::Result;

impl Place {
    /// Returns the files on disk that this clone saw sealed, that hold or held one of these contents, and beside which no twin
    /// stands any more.
    pub(super) fn left_behind(&self, contents: &[Digest]) -> Result<Vec<RepoPath>> {
        if contents.is_empty() {
            return Ok(Vec::new());
        }
        let mut left = Vec::new();
        for file in self.repo.work_tree_files(true)? {
            if file.tracked || !self.notes.has(&file.path) {
                continue;
            }
            let pair = self.pair(&file.path);
            let note = self.notes.get(&pair.plain);
            let is_same = note.is_some_and(|note| contents.contains(&note.plain_hash));
            let sealed = self.root.join(path_below(pair.sealed.as_bytes()));
            if is_same && pair.plain == file.path && !files::exists(&sealed) {
                left.push(file.path);
            }
        }
        Ok(left)
    }
}
