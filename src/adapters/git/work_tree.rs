//! The files of a work tree, as git lists them.

use std::process::Stdio;

use crate::adapters::git::Repository;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// A file of the work tree.
pub struct WorkFile {
    /// Path relative to the root of the work tree.
    pub path: RepoPath,
    /// Whether the index has an entry for it.
    pub tracked: bool,
}

impl Repository {
    /// Returns all tracked files and all other files that git does not ignore, sorted bytewise by path.
    ///
    /// With `no_ignore`, ignored files are included. The files of nested repositories are not listed.
    pub fn work_tree_files(&self, no_ignore: bool) -> Result<Vec<WorkFile>> {
        let mut files = Vec::new();
        for path in self.list_files(&["--cached"])? {
            files.push(WorkFile { path, tracked: true });
        }
        let others: &[&str] = match no_ignore {
            true => &["--others"],
            false => &["--others", "--exclude-standard"],
        };
        for path in self.list_files(others)? {
            // git lists a nested repository as a directory.
            if !path.as_bytes().ends_with(b"/") {
                files.push(WorkFile { path, tracked: false });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        Ok(files)
    }

    /// Returns the all-zero id, in the length of this repository's object ids.
    pub fn zero_id(&self) -> ObjectId {
        let length = self.local().object_hash().len_in_bytes();
        ObjectId::from_bytes(&[0; 32][..length]).expect("object ids have 20 or 32 bytes")
    }

    fn list_files(&self, which: &[&str]) -> Result<Vec<RepoPath>> {
        let failed = |said: String| Refusal::Unsupported(Unsupported::WorkTree { said });
        let root = self.work_tree().ok_or(Refusal::NoWorkTree { what: "listing files" })?;
        let output = self
            .git()
            .arg("--work-tree")
            .arg(&root)
            .args(["ls-files", "-z"])
            .args(which)
            .current_dir(&root)
            .stderr(Stdio::piped())
            .output()
            .map_err(|e| failed(e.to_string()))?;
        if !output.status.success() {
            return Err(failed(
                String::from_utf8_lossy(&output.stderr).trim().replace('\n', " "),
            ));
        }
        let paths = output.stdout.split(|byte| *byte == 0);
        Ok(paths.filter(|path| !path.is_empty()).map(RepoPath::new).collect())
    }
}
