//! What git remembers of conflicts that were settled in the index (`REUC` in gitformat-index(5)).

use std::collections::BTreeMap;

use crate::adapters::git::Repository;
use crate::adapters::git::index::Sides;
use crate::adapters::git::index_update::run;
use crate::adapters::git::refs::Storage;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::refusal::Result;

/// The files and directories of git that are there while it merges, rebases or applies.
const UNDER_WAY: [&str; 4] = ["MERGE_HEAD", "SQUASH_MSG", "rebase-merge", "rebase-apply"];

/// The refs that are there while git picks or reverts a commit.
const PICKED: [&str; 2] = ["CHERRY_PICK_HEAD", "REVERT_HEAD"];

impl Repository {
    /// Returns whether git merges, rebases, picks, reverts or applies, and waits for a commit.
    pub fn is_merging(&self) -> bool {
        let directory = self.git_dir();
        UNDER_WAY.iter().any(|name| directory.join(name).exists())
            || PICKED.iter().any(|name| match self.storage {
                // Every commit asks this, so no process is started for it.
                Storage::Files => directory.join(name).exists(),
                Storage::Other(_) => self.commit(name).is_ok(),
            })
    }

    /// Returns the paths that were unmerged and are not any more, each with the blobs that its sides had. Git forgets them
    /// when it changes to another commit. The library does not tell them.
    pub fn settled_conflicts(&self) -> Result<BTreeMap<RepoPath, Sides>> {
        let mut command = self.at_top()?;
        command.args(["ls-files", "--resolve-undo", "-z"]);
        let output = run(command, b"")?;
        let mut settled: BTreeMap<RepoPath, Sides> = BTreeMap::new();
        for line in output.split(|byte| *byte == 0) {
            let Some(tab) = line.iter().position(|byte| *byte == b'\t') else {
                continue;
            };
            let words = String::from_utf8_lossy(&line[..tab]).into_owned();
            let mut words = words.split(' ').skip(1);
            let id = words.next().and_then(ObjectId::parse);
            let sides = settled.entry(RepoPath::new(&line[tab + 1..])).or_default();
            match words.next() {
                Some("1") => sides.base = id,
                Some("2") => sides.ours = id,
                _ => sides.theirs = id,
            }
        }
        Ok(settled)
    }
}
