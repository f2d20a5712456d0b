//! Packs that a push would publish, verified: those tracked in the pushed tips, and those sealed from a pushed commit.

use std::collections::BTreeSet;
use std::path::Path;

use crate::adapters::git::Repository;
use crate::adapters::git::history::{Range, Walk};
use crate::adapters::git::pack_tree::PackTree;
use crate::adapters::verified_packs::VerifiedPacks;
use crate::adapters::{files, pack_dir};
use crate::format::member_path::MANIFEST;
use crate::format::object_id::ObjectId;
use crate::format::refusal::{Refusal, Result};
use crate::format::tree_meta::{PACK_INFO, PackInfo};
use crate::ops::scan::InvalidPack;
use crate::ops::seal::OUTPUT_DIRECTORY;
use crate::ops::verify::{Source, verify_for_push};
use crate::rules::content::Budget;
use crate::rules::protect::{Registry, Subject};

/// The directories that a range of commits touches.
pub enum Touched {
    /// These.
    Directories(BTreeSet<Vec<u8>>),
    /// Not known, since not every commit was looked into by itself.
    Any,
}

impl Touched {
    /// Collects the directories above everything that a range introduces or deletes.
    pub fn of(range: &Range) -> Self {
        if range.passed_over > 0 || range.introduced.iter().any(|introduced| introduced.commit.is_none()) {
            return Self::Any;
        }
        let mut directories = BTreeSet::new();
        let introduced = range.introduced.iter().map(|introduced| &introduced.entry.path);
        for path in introduced.chain(range.deleted.keys()) {
            let path = path.as_bytes();
            let mut end = path.len();
            loop {
                end = path[..end].iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                if !directories.insert(path[..end].to_vec()) || end == 0 {
                    break;
                }
            }
        }
        Self::Directories(directories)
    }
}

/// Verifies the packs in the tree of `tip` that stand in or above touched directories, from the object database.
///
/// Those whose manifest lies where the registry lets everything stand, such as test fixtures, are left alone. One that
/// names a commit of `walk` must match it.
pub fn verify_tracked(
    repo: &Repository,
    (registry, budget): (&Registry, &Budget),
    tip: &ObjectId,
    touched: &Touched,
    walk: &Walk,
) -> Result<Vec<InvalidPack>> {
    let commit = repo.commit(&tip.hex())?;
    let mut roots: Vec<(Vec<u8>, ObjectId)> = Vec::new();
    match touched {
        Touched::Directories(directories) => {
            for directory in directories {
                if let Some(tree) = repo.directory_in_tree(&commit.tree, directory)? {
                    roots.push((directory.clone(), tree));
                }
            }
        }
        Touched::Any => {
            for entry in repo.tree_entries(&commit.tree)? {
                let path = entry.path.as_bytes();
                if let Some(directory) = path.strip_suffix(MANIFEST.as_bytes())
                    && (directory.is_empty() || directory.ends_with(b"/"))
                {
                    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
                    if let Some(tree) = repo.directory_in_tree(&commit.tree, directory)? {
                        roots.push((directory.to_vec(), tree));
                    }
                }
            }
        }
    }
    let mut invalid = Vec::new();
    for (directory, tree) in roots {
        let manifest = match repo.file_in_tree(&tree, MANIFEST) {
            Ok(Some(manifest)) => manifest,
            Ok(None) | Err(Refusal::NotRegular { .. }) => continue,
            Err(other) => return Err(other),
        };
        let place = match directory.is_empty() {
            true => MANIFEST.as_bytes().to_vec(),
            false => [&directory[..], b"/", MANIFEST.as_bytes()].concat(),
        };
        let subject = Subject {
            path: &place,
            ..Subject::default()
        };
        if !claims_to_be_ours(&manifest) || registry.releases(&subject) {
            continue;
        }
        let name = match directory.is_empty() {
            true => ".".to_owned(),
            false => String::from_utf8_lossy(&directory).into_owned(),
        };
        let source = Source::Tree(PackTree::of(repo, &tree)?, name.clone());
        match verify_for_push(repo, &source, budget, |id| walk.contains(id)) {
            Ok(report) if report.findings.is_empty() => {}
            Ok(report) => invalid.push(InvalidPack::of(name, Some(*tip), &report)),
            Err(Refusal::BadPack { reason, .. }) => invalid.push(InvalidPack {
                path: name,
                commit: Some(*tip),
                problems: vec![reason],
            }),
            Err(other) => return Err(other),
        }
    }
    Ok(invalid)
}

/// Verifies the packs below `_PACK_RUN/` that were sealed from a commit for which `is_pushed` holds.
///
/// One that was verified before, and none of whose files has changed in size, time or place since, is not read again.
pub fn verify_outputs(
    repo: &Repository,
    root: &Path,
    budget: &Budget,
    is_pushed: impl Fn(&ObjectId) -> bool,
) -> Result<Vec<InvalidPack>> {
    let outputs = root.join(OUTPUT_DIRECTORY);
    let verified = VerifiedPacks::of(&repo.common_dir());
    let mut invalid = Vec::new();
    for name in files::directories_in(&outputs)? {
        let directory = outputs.join(&name);
        let Some(info) = files::read_optional(&directory.join(PACK_INFO), pack_dir::MAX_DOCUMENT)
            .ok()
            .flatten()
        else {
            continue;
        };
        let named = PackInfo::parse(&info).and_then(|info| ObjectId::parse(&info.commit));
        if !named.is_some_and(|commit| is_pushed(&commit)) || verified.knows(&directory) {
            continue;
        }
        let seen = VerifiedPacks::print(&directory);
        let shown = format!("{OUTPUT_DIRECTORY}/{}", name.to_string_lossy());
        match verify_for_push(repo, &Source::Directory(&directory), budget, &is_pushed) {
            Ok(report) if report.findings.is_empty() => verified.keep(&directory, seen),
            Ok(report) => invalid.push(InvalidPack::of(shown, None, &report)),
            Err(Refusal::BadPack { reason, .. }) => invalid.push(InvalidPack {
                path: shown,
                commit: None,
                problems: vec![reason],
            }),
            Err(other) => return Err(other),
        }
    }
    Ok(invalid)
}

/// Whether a manifest.json speaks of our format; others have files of that name too.
fn claims_to_be_ours(manifest: &[u8]) -> bool {
    let mark = b"pack.v0";
    manifest.windows(mark.len()).any(|window| window == mark)
}
