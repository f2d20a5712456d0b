//! Decides which files of the work tree git ignores.
//!
//! The rules are in the `.gitignore` of each directory, in `info/exclude` and in the file that `core.excludesFile` names,
//! the strongest first. Other files of rules do not count.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::adapters::files;
use crate::adapters::files::platform::{is_character_device, is_fifo};
use crate::adapters::git::Repository;
use crate::adapters::git::ignore_rules::{IgnoreRules, folded};
use crate::format::object_id::ObjectId;
use crate::format::path_bytes::{path_below, path_of_bytes};
use crate::format::repo_path::RepoPath;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};

/// The name of the file of rules in a directory.
pub(super) const GITIGNORE: &[u8] = b".gitignore";

/// The largest number of bytes of rules that are held at a time. git allows 100 MiB in each file.
const MAX_HELD: u64 = 16 << 20;

/// What git's configuration says about ignored files.
pub(super) struct IgnoreConfig {
    /// The value of `core.ignoreCase`.
    pub(super) folds: bool,
    /// The file that `core.excludesFile` names, or git's default.
    excludes_file: Option<PathBuf>,
}

/// The rules that apply in one directory of the work tree.
pub(super) struct Excludes<'a> {
    repo: &'a Repository,
    root: &'a Path,
    folds: bool,
    /// Files of rules that a sparse checkout leaves out of the work tree. git reads them from the index.
    left_out: &'a HashMap<RepoPath, ObjectId>,
    /// The rules of each file, the weakest first.
    levels: Vec<Level>,
}

/// The rules of one file.
struct Level {
    /// The directory in which they apply, with a slash at the end. Empty for the top.
    directory: Vec<u8>,
    rules: IgnoreRules,
    bytes: u64,
}

impl Repository {
    /// Returns whether an ignore rule matches the file at `path`, even if it is tracked.
    pub fn is_ignored(&self, path: &RepoPath) -> Result<bool> {
        let root = self.work_tree().ok_or(Refusal::NoWorkTree {
            action: WorkTreeUse::Staging,
        })?;
        let left_out = HashMap::new();
        let mut excludes = Excludes::of(self, &root, &left_out)?;
        let path = path.as_bytes();
        excludes.enter(b"")?;
        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            let directory = &path[..at];
            // A path through a link leads out of git's view.
            if files::ensure_is_no_link(&root.join(path_below(directory))).is_err() {
                return Ok(false);
            }
            if excludes.ignores(directory, true) {
                return Ok(true);
            }
            excludes.enter(directory)?;
        }
        Ok(excludes.ignores(path, files::is_directory(&root.join(path_below(path)))))
    }

    /// Returns what git's configuration says about ignored files.
    ///
    /// Asks git, because the library does not know the configuration that `git -c` passes on.
    pub(super) fn ignore_config(&self) -> Result<&IgnoreConfig> {
        if let Some(known) = self.ignore_config.get() {
            return Ok(known);
        }
        let folds = self
            .configured("bool", "core.ignoreCase")?
            .is_some_and(|value| value == b"true");
        let excludes_file = match self.configured("path", "core.excludesFile")? {
            Some(path) if path.is_empty() => None,
            Some(path) => Some(path_of_bytes(&path).to_owned()),
            None => self.default_excludes.clone(),
        };
        Ok(self.ignore_config.get_or_init(|| IgnoreConfig { folds, excludes_file }))
    }

    fn configured(&self, kind: &str, key: &str) -> Result<Option<Vec<u8>>> {
        let output = self
            .git()
            .args(["config", "--null", "--type", kind, "--get", key])
            .output()
            .map_err(|e| unlisted(&e.to_string()))?;
        match output.status.code() {
            Some(0) => Ok(output.stdout.strip_suffix(b"\0").map(<[u8]>::to_vec)),
            Some(1) => Ok(None),
            _ => Err(unlisted(String::from_utf8_lossy(&output.stderr).trim())),
        }
    }
}

impl<'a> Excludes<'a> {
    /// Reads the rules for the whole work tree at `root`.
    pub(super) fn of(repo: &'a Repository, root: &'a Path, left_out: &'a HashMap<RepoPath, ObjectId>) -> Result<Self> {
        let IgnoreConfig { folds, excludes_file } = repo.ignore_config()?;
        let mut excludes = Self {
            repo,
            root,
            folds: *folds,
            left_out,
            levels: Vec::new(),
        };
        // A relative path is relative to the top of the work tree, where git changes to.
        let configured = excludes_file.as_ref().map(|path| root.join(path));
        for path in [configured, Some(repo.common_dir().join("info/exclude"))]
            .into_iter()
            .flatten()
        {
            if let Some(bytes) = excludes.named(&path)? {
                excludes.hold(Vec::new(), &bytes);
            }
        }
        Ok(excludes)
    }

    /// Drops the rules of directories that do not contain `path`.
    pub(super) fn leave_for(&mut self, path: &[u8]) {
        while self
            .levels
            .pop_if(|level| !path.starts_with(&level.directory))
            .is_some()
        {}
    }

    /// Adds the rules of a directory. Its parents must have been entered.
    pub(super) fn enter(&mut self, directory: &[u8]) -> Result<()> {
        let directory = match directory {
            b"" => Vec::new(),
            _ => [directory, b"/"].concat(),
        };
        let name = [&directory, GITIGNORE].concat();
        let bytes = match self.checked_out(&self.root.join(path_below(&name)))? {
            Some(bytes) => Some(bytes),
            None => {
                let blob = self.left_out.get(&RepoPath::new(&name));
                blob.and_then(|id| self.repo.document(id, ".gitignore", self.room()).ok())
            }
        };
        if let Some(bytes) = bytes {
            self.hold(directory, &bytes);
        }
        Ok(())
    }

    /// Returns whether an entry is ignored. The directory that it is in must be the last one that was entered.
    pub(super) fn ignores(&self, path: &[u8], is_directory: bool) -> bool {
        let path = folded(path, self.folds);
        let verdict = |level: &Level| level.rules.verdict(&path[level.directory.len()..], is_directory);
        self.levels.iter().rev().find_map(verdict).unwrap_or(false)
    }

    fn hold(&mut self, directory: Vec<u8>, bytes: &[u8]) {
        let rules = IgnoreRules::parse(bytes, self.folds);
        self.levels.push(Level {
            directory,
            rules,
            bytes: bytes.len() as u64,
        });
    }

    fn room(&self) -> u64 {
        MAX_HELD - self.levels.iter().map(|level| level.bytes).sum::<u64>()
    }

    /// Reads a `.gitignore` of the work tree. git does not follow a link there.
    fn checked_out(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match std::fs::symlink_metadata(path) {
            // A FIFO is refused. git would wait for a writer.
            Ok(meta) if meta.is_file() || is_fifo(meta.file_type()) => self.read(path),
            _ => Ok(None),
        }
    }

    /// Reads `info/exclude` or the file that the configuration names. git follows links there.
    fn named(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let Ok(place) = files::canonical(path) else {
            return Ok(None);
        };
        match files::kind_at(&place)? {
            // A device such as `/dev/null` has no rules.
            Some(kind) if is_character_device(kind) => Ok(None),
            _ => self.read(&place),
        }
    }

    /// Reads a file of rules. Without permission, there are no rules, as in git.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match files::read(path, self.room()) {
            Err(Refusal::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => Ok(None),
            read => read.map(Some),
        }
    }
}

fn unlisted(said: &str) -> Refusal {
    Refusal::Unsupported(Unsupported::IgnoreConfig {
        said: said.replace('\n', " "),
    })
}
