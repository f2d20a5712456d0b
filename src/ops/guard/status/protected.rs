//! The protected files of a work tree: sealed twins, and files in plaintext.

use std::collections::BTreeSet;
use std::path::Path;

use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::format::object_id::ObjectId;
use crate::format::path_bytes::path_below;
use crate::format::protected::Policy;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::EntryKind;
use crate::ops::Context;
use crate::ops::contents::blob_of_file;
use crate::ops::guard::known;
use crate::ops::guard::twins::{self, PairReport};
use crate::refusal::Result;
use crate::rules::protect::{FileFacts, Registry, is_run_output};

/// A protected file in plaintext.
#[derive(Clone, Debug)]
pub struct PlainFile {
    /// Its path in the repository.
    pub path: RepoPath,
    /// Whether the index has it.
    pub is_tracked: bool,
    /// The class of the deciding rule.
    pub class: String,
    /// The policy of that rule.
    pub policy: Policy,
}

impl PlainFile {
    /// Returns whether the file is where it must never be: in the index, although its policy is `never`.
    pub fn is_exposed(&self) -> bool {
        self.is_tracked && self.policy == Policy::Never
    }
}

/// The protected files of a work tree.
#[derive(Default)]
pub struct ProtectedFiles {
    /// The pairs whose sealed twin is tracked.
    pub twins: Vec<PairReport>,
    /// The others: first those that are tracked.
    pub plain: Vec<PlainFile>,
    /// How many files a rule protects and an exception (`[[allow]]`) releases.
    pub released: usize,
}

impl ProtectedFiles {
    /// Finds the protected files by their names, and makes the clone remember the content of those that must never be
    /// published.
    pub(super) fn of(ctx: &Context, repo: &Repository, root: &Path, registry: &Registry) -> Result<Self> {
        let mut found = Self {
            twins: twins::check_unattended(ctx)?,
            ..Self::default()
        };
        for staged in repo.index()?.staged(None, None)? {
            let is_file = staged.entry.kind != EntryKind::Submodule;
            if is_file {
                found.judge(registry, staged.entry.path, true, || Some(staged.entry.id));
            }
        }
        // An unmerged file has an entry for each side.
        found.plain.dedup_by(|other, file| other.path == file.path);
        let has_exceptions = registry.exceptions().next().is_some();
        let sealed: BTreeSet<RepoPath> = found.twins.iter().map(|pair| pair.path.clone()).collect();
        for file in repo.work_tree_files(false)? {
            let is_other = file.tracked || is_run_output(file.path.as_bytes()) || sealed.contains(&file.path);
            if !is_other {
                let on_disk = root.join(path_below(file.path.as_bytes()));
                // Only an exception needs the content, and only of a file that a rule protects.
                let blob = || match has_exceptions {
                    true => blob_of_file(&on_disk, &repo.zero_id()).ok(),
                    false => None,
                };
                found.judge(registry, file.path, false, blob);
            }
        }
        found.remember(repo, registry, root);
        Ok(found)
    }

    /// Adds a file if a rule protects it and no exception releases it.
    fn judge(
        &mut self,
        registry: &Registry,
        path: RepoPath,
        is_tracked: bool,
        blob: impl FnOnce() -> Option<ObjectId>,
    ) {
        if is_sealed(path.as_bytes()) {
            return;
        }
        let Some(by_name) = registry.judge(path.as_bytes()) else {
            return;
        };
        let facts = FileFacts {
            path: path.as_bytes(),
            blob: blob(),
            ..FileFacts::default()
        };
        if registry.judge_file(&facts).is_none() {
            self.released += 1;
            return;
        }
        self.plain.push(PlainFile {
            path,
            is_tracked,
            class: by_name.class,
            policy: by_name.policy,
        });
    }

    /// Makes the clone remember the files on disk that must never be published by their content. Files that it already
    /// knows unchanged are skipped.
    fn remember(&self, repo: &Repository, registry: &Registry, root: &Path) {
        let is_never_published =
            |file: &&PlainFile| file.policy == Policy::Never && !is_run_output(file.path.as_bytes());
        let by_rule = self.plain.iter().filter(is_never_published).map(|file| &file.path);
        let paths = self.twins.iter().map(|pair| &pair.path).chain(by_rule);
        let on_disk = paths.filter(|path| files::exists(&root.join(path_below(path.as_bytes()))));
        let protected = on_disk.map(|path| known::ProtectedFile {
            source: known::on_disk(root, path),
            path: path.clone(),
            formats: Vec::new(),
            attached: false,
        });
        known::remember(repo, registry, protected.collect());
    }
}

fn is_sealed(path: &[u8]) -> bool {
    path.ends_with(b".age")
}
