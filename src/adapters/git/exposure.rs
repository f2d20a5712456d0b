//! Finds the commits that hold a file, and which of them a remote already has.

use std::collections::BTreeSet;
use std::path::Path;

use crate::adapters::git::Repository;
use crate::adapters::git::index_update::literal;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// The commits that hold a file, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Commits that `HEAD`, a branch or a tag contains, and no remote-tracking branch. They can still be rewritten.
    pub unpushed: Vec<ObjectId>,
    /// Commits that only other refs keep, such as those of git-pack. A push of branches and tags does not publish them.
    pub kept: Vec<ObjectId>,
    /// Commits that a remote-tracking branch contains. Everyone who can read the remote has the file.
    pub pushed: Vec<ObjectId>,
}

impl Exposure {
    /// Returns whether no commit holds the file.
    pub fn is_empty(&self) -> bool {
        self.unpushed.is_empty() && self.kept.is_empty() && self.pushed.is_empty()
    }
}

impl Repository {
    /// Returns the commits of all refs that add or change the file at `path`.
    pub fn exposure(&self, path: &RepoPath) -> Result<Exposure> {
        if !self.has_commit()? {
            return Ok(Exposure::default());
        }
        let all = self.commits_with(path, &["--all", "HEAD"])?;
        if all.is_empty() {
            return Ok(Exposure::default());
        }
        let local: BTreeSet<ObjectId> = self
            .commits_with(path, &["--branches", "--tags", "HEAD", "--not", "--remotes"])?
            .into_iter()
            .collect();
        let beyond: BTreeSet<ObjectId> = self
            .commits_with(path, &["--all", "HEAD", "--not", "--remotes"])?
            .into_iter()
            .collect();
        let (beyond, pushed): (Vec<_>, Vec<_>) = all.into_iter().partition(|id| beyond.contains(id));
        let (unpushed, kept) = beyond.into_iter().partition(|id| local.contains(id));
        Ok(Exposure { unpushed, kept, pushed })
    }

    fn commits_with(&self, path: &RepoPath, from: &[&str]) -> Result<Vec<ObjectId>> {
        let failed = |said: &str| {
            Refusal::Unsupported(Unsupported::CommitsWith {
                path: path.to_string(),
                said: said.replace('\n', " "),
            })
        };
        let mut git = self.git();
        git.args(["rev-list", "--full-history"])
            .args(from)
            .arg("--")
            .arg(literal(path));
        let output = git.output().map_err(Refusal::io("running", Path::new("git")))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim()));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut commits = Vec::new();
        for line in text.lines() {
            let id = ObjectId::parse(line).ok_or_else(|| failed(line))?;
            // The list also contains commits that delete the file.
            if self.has_file_at(&self.commit_of(&id)?.tree, path)? {
                commits.push(id);
            }
        }
        Ok(commits)
    }

    fn has_file_at(&self, tree: &ObjectId, path: &RepoPath) -> Result<bool> {
        let path = path.as_bytes();
        let directory = &path[..path.iter().rposition(|byte| *byte == b'/').unwrap_or(0)];
        let files = self.files_in_directories(tree, [directory])?;
        Ok(files.iter().any(|file| file.path.as_bytes() == path))
    }
}
