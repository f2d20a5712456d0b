//! Lists the files of the work tree, as `git ls-files --cached --others --exclude-standard` does.

use std::io;
use std::path::Path;

use crate::adapters::files::{Met, descend};
use crate::adapters::git::Repository;
use crate::adapters::git::excludes::Excludes;
use crate::adapters::git::tracked::{Kept, Tracked};
use crate::format::object_id::ObjectId;
use crate::format::path_bytes::path_below;
use crate::format::repo_path::RepoPath;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};

/// A file of the work tree.
pub struct WorkFile {
    /// Its path from the top.
    pub path: RepoPath,
    /// Whether the index has it.
    pub tracked: bool,
}

impl Repository {
    /// Returns every file that is tracked, and every other that git does not ignore, or, with `no_ignore`, ignored ones
    /// as well; sorted bytewise. What lies in another repository below is not listed.
    pub fn work_tree_files(&self, no_ignore: bool) -> Result<Vec<WorkFile>> {
        let root = self.work_tree().ok_or(Refusal::NoWorkTree {
            action: WorkTreeUse::ListingFiles,
        })?;
        let folds = self.ignore_config()?.folds;
        let tracked = Tracked::of(&self.index()?, folds)?;
        let mut listing = Listing {
            repo: self,
            root: &root,
            folds,
            tracked: &tracked,
            excludes: match no_ignore {
                true => None,
                false => Some(Excludes::of(self, &root, tracked.left_out())?),
            },
            others: Vec::new(),
        };
        listing.enter(b"")?;
        descend(&root, |path, met| listing.visit(path, met))?;
        let others = listing.others.into_iter().map(|path| WorkFile { path, tracked: false });
        let tracked = tracked
            .into_paths()
            .into_iter()
            .map(|path| WorkFile { path, tracked: true });
        let mut files: Vec<WorkFile> = tracked.chain(others).collect();
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Returns an id of all zeros, of the kind that this repository's objects have.
    pub fn zero_id(&self) -> ObjectId {
        let length = self.local().object_hash().len_in_bytes();
        ObjectId::from_bytes(&[0; 32][..length]).expect("object ids have 20 or 32 bytes")
    }
}

/// A list of untracked files, while the work tree is walked.
struct Listing<'a> {
    repo: &'a Repository,
    root: &'a Path,
    /// Whether git ignores case.
    folds: bool,
    tracked: &'a Tracked,
    /// `None` if ignored files are listed too.
    excludes: Option<Excludes<'a>>,
    others: Vec<RepoPath>,
}

impl Listing<'_> {
    /// Lists what the walk meets. Returns whether to enter it.
    fn visit(&mut self, path: &[u8], met: Met) -> Result<bool> {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        if name == b".git" || (self.folds && name.eq_ignore_ascii_case(b".git")) {
            return Ok(false);
        }
        if let Some(excludes) = &mut self.excludes {
            excludes.leave_for(path);
        }
        match met {
            Met::Directory => {
                let enters = !self.ignores(path, true)
                    && match self.tracked.kept_of(path) {
                        Kept::Content => true,
                        Kept::Submodule => false,
                        Kept::Nothing => !self.repo.is_another_at(&self.root.join(path_below(path))),
                    };
                if enters {
                    self.enter(path)?;
                }
                Ok(enters)
            }
            Met::Other(kind) => {
                let is_listed = (kind.is_file() || kind.is_symlink()) && !self.tracked.has(path);
                if is_listed && !self.ignores(path, false) {
                    self.others.push(RepoPath::new(path));
                }
                Ok(false)
            }
            // It was removed in the meantime.
            Met::UnreadableDirectory(e) if e.kind() == io::ErrorKind::NotFound && !path.is_empty() => Ok(false),
            // git skips it. Refuse, because its content cannot be judged.
            Met::UnreadableDirectory(e) | Met::Unreadable(e) => {
                Err(Refusal::io("listing", &self.root.join(path_below(path)))(e))
            }
        }
    }

    fn ignores(&self, path: &[u8], is_directory: bool) -> bool {
        let excludes = self.excludes.as_ref();
        excludes.is_some_and(|excludes| excludes.ignores(path, is_directory))
    }

    fn enter(&mut self, directory: &[u8]) -> Result<()> {
        match &mut self.excludes {
            Some(excludes) => excludes.enter(directory),
            None => Ok(()),
        }
    }
}
