//! The hooks directory that git will use here, and the files in it.

use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::adapters::files::{self, Durability, write_whole};
use crate::format::refusal::{Refusal, Result};

/// The largest hook that is looked into.
const MAX_HOOK: u64 = 16 << 20;

/// The directory in which git looks for hooks.
pub struct HooksDir {
    path: PathBuf,
}

impl HooksDir {
    /// Asks git itself, which knows of `core.hooksPath` and of worktrees, as it would be run in `directory`.
    pub fn of(directory: &Path) -> Result<Self> {
        let asking = |why: String| Refusal::Unsupported {
            what: format!("git does not say where hooks are: {why}"),
            remedy: "git rev-parse --git-path hooks".into(),
        };
        let ask = |args: &[&str]| {
            let mut git = Command::new("git");
            let output = git.args(args).current_dir(directory).stdin(Stdio::null()).output();
            output.map_err(|e| asking(e.to_string()))
        };
        let configured = ask(&["config", "--get", "core.hooksPath"])?;
        if configured.status.success() && configured.stdout.trim_ascii().is_empty() {
            return Err(asking("core.hooksPath is empty, so git runs none".into()));
        }
        let output = ask(&["rev-parse", "--git-path", "hooks"])?;
        if !output.status.success() {
            return Err(asking(
                String::from_utf8_lossy(&output.stderr).trim().replace('\n', " "),
            ));
        }
        let mut bytes = output.stdout;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        let path = directory.join(PathBuf::from(std::ffi::OsString::from_vec(bytes)));
        // The directory need not exist yet; its parent does.
        let path = match (files::canonical(files::parent(&path)), path.file_name()) {
            (Ok(parent), Some(name)) => parent.join(name),
            _ => path,
        };
        Ok(Self { path })
    }

    /// Refuses if no hook could be written.
    pub fn ensure_writable(&self) -> Result<()> {
        files::ensure_writable(&self.path)
    }

    /// Returns the directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the hook of that name, if there is one.
    pub fn read(&self, hook: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path.join(hook);
        if !files::exists(&path) {
            return Ok(None);
        }
        // A hook may be a link, as those of some managers are; what it leads to is what git runs.
        files::read(&files::canonical(&path)?, MAX_HOOK).map(Some)
    }

    /// Writes an executable hook.
    pub fn write(&self, hook: &str, bytes: &[u8]) -> Result<()> {
        std::fs::create_dir_all(&self.path).map_err(Refusal::io("creating", &self.path))?;
        write_whole(&self.path.join(hook), bytes, 0o777, Durability::Durable)
    }

    /// Removes a hook.
    pub fn remove(&self, hook: &str) -> Result<()> {
        files::remove(&self.path.join(hook))
    }
}
