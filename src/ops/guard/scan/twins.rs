//! Sealed twins at the ends of a change. They protect their plaintexts whatever the rules say.

use std::collections::BTreeSet;
use std::io::Read;

use crate::adapters::git::Repository;
use crate::adapters::git::blobs::{Proof, reading};
use crate::adapters::{cipher, files};
use crate::format::object_id::ObjectId;
use crate::format::path_bytes::path_below;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::{EntryKind, TreeEntry};
use crate::ops::contents::converted_to;
use crate::ops::guard::scan::FoundLeak;
use crate::refusal::Result;
use crate::rules::content::claims_age;
use crate::rules::protect::Registry;
use crate::rules::scan::{Candidate, judge_converted};
use crate::rules::twins::{SealedTwins, plain_of};

/// The number of bytes that show whether a file claims to be an age file.
const CLAIM: u64 = 1024;

/// Collects the files that are sealed twins: by name, and because their content begins like an age file.
///
/// A blob that is not in this clone counts as a twin, because unreadable content must not release anything.
pub fn collect(repo: &Repository, files: impl IntoIterator<Item = TreeEntry>, into: &mut SealedTwins) -> Result<()> {
    let named = files.into_iter().filter(|file| is_file(file.kind));
    let named: Vec<TreeEntry> = named.filter(|file| plain_of(file.path.as_bytes()).is_some()).collect();
    if named.is_empty() {
        return Ok(());
    }
    let ids: BTreeSet<ObjectId> = named.iter().map(|file| file.id).filter(|id| repo.has(id)).collect();
    let ids: Vec<ObjectId> = ids.into_iter().collect();
    let begin_as_age = repo.with_blobs_held_against(Proof::Checksum, &ids, |at, mut contents| {
        let mut head = Vec::new();
        (&mut contents)
            .take(CLAIM)
            .read_to_end(&mut head)
            .map_err(|e| reading(&ids[at], &e))?;
        // The stream must be read to its end. Otherwise git reports that its reader is gone.
        std::io::copy(&mut contents, &mut std::io::sink()).map_err(|e| reading(&ids[at], &e))?;
        Ok(claims_age(&head))
    })?;
    for file in &named {
        let known = ids.binary_search(&file.id).ok();
        if known.is_none_or(|at| begin_as_age[at]) {
            into.add(&file.path);
        }
    }
    Ok(())
}

/// Returns the leaks among staged age files whose line ends git converted when they were staged, which their files on disk
/// show. Their headers may be sound, so the blobs alone do not show it.
pub fn converted(
    repo: &Repository,
    registry: &Registry,
    staged: &[Candidate],
    found: &[FoundLeak],
) -> Result<Vec<FoundLeak>> {
    let Some(root) = repo.work_tree() else {
        return Ok(Vec::new());
    };
    let mut leaks = Vec::new();
    for entry in staged.iter().filter(|entry| is_file(entry.kind)) {
        let is_found = || found.iter().any(|other| other.leak.entry.path == entry.path);
        if plain_of(entry.path.as_bytes()).is_none() || is_found() || !repo.has(&entry.id) {
            continue;
        }
        // A link leads elsewhere, and a file that is not there shows nothing.
        let below = path_below(entry.path.as_bytes());
        let path = root.join(below);
        if files::ensure_no_link(&root, below).is_err() {
            continue;
        }
        let Ok(opened) = files::open_regular(&path) else {
            continue;
        };
        // Armour is text, and opens with any line ends.
        if opened.size == repo.blob_size(&entry.id)? || cipher::header(&opened.file).is_err() {
            continue;
        }
        if let Some(line_ends) = converted_to(repo, &path, &entry.id)? {
            leaks.extend(judge_converted(registry, entry, line_ends).map(FoundLeak::from));
        }
    }
    Ok(leaks)
}

/// Collects the twins in `trees` that are beside one of `paths`.
pub fn beside<'a>(
    repo: &Repository,
    trees: &[ObjectId],
    paths: impl Iterator<Item = &'a RepoPath>,
    into: &mut SealedTwins,
) -> Result<()> {
    let directories: BTreeSet<&[u8]> = paths.map(|path| directory_of(path.as_bytes())).collect();
    let mut found = Vec::new();
    for tree in trees.iter().collect::<BTreeSet<_>>() {
        found.extend(repo.files_in_directories(tree, directories.iter().copied())?);
    }
    collect(repo, found, into)
}

/// Collects all twins in `trees`.
pub fn everywhere(repo: &Repository, trees: &[ObjectId], into: &mut SealedTwins) -> Result<()> {
    let found = repo.files_named(trees, &|name| plain_of(name).is_some())?;
    collect(repo, found, into)
}

/// Returns the trees of commits without duplicates.
pub fn trees_of<'a>(repo: &Repository, commits: impl IntoIterator<Item = &'a ObjectId>) -> Result<Vec<ObjectId>> {
    let commits: BTreeSet<&ObjectId> = commits.into_iter().collect();
    let trees = commits.into_iter().map(|id| Ok(repo.commit_of(id)?.tree));
    let trees: BTreeSet<ObjectId> = trees.collect::<Result<_>>()?;
    Ok(trees.into_iter().collect())
}

fn is_file(kind: EntryKind) -> bool {
    matches!(kind, EntryKind::Regular | EntryKind::Executable)
}

fn directory_of(path: &[u8]) -> &[u8] {
    &path[..path.iter().rposition(|byte| *byte == b'/').unwrap_or(0)]
}

/// The trees at the ends of a range.
pub struct Ends<'a> {
    repo: &'a Repository,
    /// All ends: the tips, what was there before, and the commits right below what is new.
    pub all: Vec<ObjectId>,
    tips: Vec<ObjectId>,
}

impl<'a> Ends<'a> {
    /// Takes the trees of the commits at all ends, and those of the tips.
    pub fn of<'i>(
        repo: &'a Repository,
        all: impl IntoIterator<Item = &'i ObjectId>,
        tips: &[ObjectId],
    ) -> Result<Self> {
        Ok(Self {
            repo,
            all: trees_of(repo, all)?,
            tips: trees_of(repo, tips)?,
        })
    }

    /// Takes a tree as the tip, and the trees of the commits that were there before.
    pub fn of_tree(repo: &'a Repository, before: &[ObjectId], tree: ObjectId) -> Result<Self> {
        let mut all = trees_of(repo, before)?;
        all.push(tree);
        Ok(Self {
            repo,
            all,
            tips: vec![tree],
        })
    }

    /// Returns the sealed twins at all ends, and those at the tips.
    pub fn twins(&self) -> Result<(SealedTwins, SealedTwins)> {
        let (mut all, mut tips) = (SealedTwins::default(), SealedTwins::default());
        everywhere(self.repo, &self.all, &mut all)?;
        everywhere(self.repo, &self.tips, &mut tips)?;
        Ok((all, tips))
    }

    /// Returns the sealed twins beside the candidates, at all ends and at the tips.
    pub fn twins_beside(&self, candidates: &[Candidate]) -> Result<(SealedTwins, SealedTwins)> {
        let (mut all, mut tips) = (SealedTwins::default(), SealedTwins::default());
        let paths = || candidates.iter().map(|candidate| &candidate.path);
        beside(self.repo, &self.all, paths(), &mut all)?;
        beside(self.repo, &self.tips, paths(), &mut tips)?;
        Ok((all, tips))
    }
}
