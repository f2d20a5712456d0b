//! Changes the index: stages files and stops tracking others in one step, through git itself.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::adapters::git::Repository;
use crate::format::object_id::ObjectId;
use crate::format::path_bytes::os_str_of_bytes;
use crate::format::repo_path::RepoPath;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};

impl Repository {
    /// Stages the files at `exact` and at `text`, and stops tracking those at `remove`, either all of it or nothing.
    ///
    /// Takes the bytes of `exact` as they are on disk. Those of `text` go through git's filters, as with `git add`.
    pub fn stage(&self, exact: &[RepoPath], text: &[RepoPath], remove: &[RepoPath]) -> Result<()> {
        let mut input = Vec::new();
        let zero = self.zero_id();
        for path in remove {
            input.extend(format!("0 {zero}\t").into_bytes());
            input.extend_from_slice(path.as_bytes());
            input.push(0);
        }
        let exact = exact.iter().map(|path| (path, true));
        for (path, is_exact) in exact.chain(text.iter().map(|path| (path, false))) {
            let id = self.write_blob(path, is_exact)?;
            input.extend(format!("100644 {id}\t").into_bytes());
            input.extend_from_slice(path.as_bytes());
            input.push(0);
        }
        let mut command = self.at_top()?;
        // One call changes all entries: git writes the index in one step or not at all.
        command.args(["update-index", "-z", "--index-info"]);
        run(command, &input).map(drop)
    }

    /// Returns whether the file at `path` is tracked and has no unstaged changes.
    pub fn is_staged_as_on_disk(&self, path: &RepoPath) -> Result<bool> {
        let mut command = self.at_top()?;
        command
            .args(["diff", "--no-ext-diff", "--quiet", "--"])
            .arg(literal(path));
        let output = command.output().map_err(|e| failed(&e.to_string()))?;
        Ok(output.status.success() && self.index()?.at(&String::from_utf8_lossy(path.as_bytes()))?.is_some())
    }

    /// Returns the number of tracked files that differ from `HEAD`.
    pub fn dirty(&self) -> Result<usize> {
        let mut command = self.at_top()?;
        command.args(["status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames"]);
        let output = run(command, b"")?;
        Ok(output.split(|byte| *byte == 0).filter(|line| !line.is_empty()).count())
    }

    fn write_blob(&self, path: &RepoPath, is_exact: bool) -> Result<ObjectId> {
        let mut command = self.at_top()?;
        command.args(["hash-object", "-w"]);
        if is_exact {
            command.arg("--no-filters");
        }
        command.arg("--").arg(os_str_of_bytes(path.as_bytes()));
        let output = run(command, b"")?;
        let text = String::from_utf8_lossy(&output);
        ObjectId::parse(text.trim()).ok_or_else(|| failed(&format!("hash-object said {text:?}")))
    }

    /// Returns a `git` command at the top of the work tree.
    pub(super) fn at_top(&self) -> Result<Command> {
        let root = self.work_tree().ok_or(Refusal::NoWorkTree {
            action: WorkTreeUse::Staging,
        })?;
        let mut command = self.git();
        command.arg("--work-tree").arg(&root).current_dir(&root);
        Ok(command)
    }
}

/// Returns a pathspec that matches this path and nothing else.
pub(super) fn literal(path: &RepoPath) -> std::ffi::OsString {
    let mut pathspec = std::ffi::OsString::from(":(literal,top)");
    pathspec.push(os_str_of_bytes(path.as_bytes()));
    pathspec
}

/// Runs a command with this standard input, and returns its standard output.
pub(super) fn run(mut command: Command, input: &[u8]) -> Result<Vec<u8>> {
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|e| failed(&e.to_string()))?;
    let mut stdin = child.stdin.take().expect("stdin was asked to be a pipe");
    stdin.write_all(input).map_err(|e| failed(&e.to_string()))?;
    drop(stdin);
    let output = child.wait_with_output().map_err(|e| failed(&e.to_string()))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).trim())),
    }
}

fn failed(why: &str) -> Refusal {
    Refusal::Unsupported(Unsupported::IndexUnchanged {
        said: why.replace('\n', " "),
    })
}
