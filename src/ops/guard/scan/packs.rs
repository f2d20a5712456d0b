//! Verifies the packs that a push would publish: those tracked in the pushed tips, and those sealed from a pushed
//! commit.

use std::collections::{BTreeSet, HashSet};
use std::io::Read;
use std::path::Path;

use crate::adapters::clone::verified_packs::VerifiedPacks;
use crate::adapters::git::blobs::reading;
use crate::adapters::git::history::Batch;
use crate::adapters::git::pack_tree::PackTree;
use crate::adapters::git::walk::Walk;
use crate::adapters::git::{Commit, Repository};
use crate::adapters::{files, pack_dir};
use crate::format::attachment::BESIDE;
use crate::format::member_path::MANIFEST;
use crate::format::object_id::ObjectId;
use crate::format::pack_refs::PackRefs;
use crate::format::repo_path::RepoPath;
use crate::format::tree_meta::{PACK_INFO, PackInfo};
use crate::ops::guard::scan::InvalidPack;
use crate::ops::pack::signatures::demand_signatures;
use crate::ops::pack::source::Source;
use crate::ops::pack::verify::verify_for_push;
use crate::refusal::{Refusal, Result};
use crate::rules::content::UnpackBudget;
use crate::rules::pack::verdict::Verdict;
use crate::rules::protect::{FileFacts, OUTPUT_DIRECTORY, Registry};

/// The most touched directories that are looked up one by one.
const MAX_DIRECTORIES: usize = 20_000;

/// The directories that a range of commits touches.
pub enum Touched {
    /// These directories.
    Directories(BTreeSet<Vec<u8>>),
    /// Unknown, because not every commit was compared with its parents.
    Any,
}

impl Touched {
    /// Returns the value for an empty range.
    pub fn nothing() -> Self {
        Self::Directories(BTreeSet::new())
    }

    /// Adds all directories above the entries that a part of a range introduces or deletes.
    pub fn add(&mut self, batch: &Batch) {
        let introduced = batch.introduced.iter().map(|introduced| &introduced.entry.path);
        for path in introduced.chain(&batch.deleted) {
            self.add_path(path);
        }
    }

    /// Adds all directories in which a ref gets other files than it had, whenever their commits came.
    pub fn add_moves(&mut self, repo: &Repository, moves: &[RefMove]) -> Result<()> {
        for RefMove { tip, before } in moves {
            if before.is_empty() {
                *self = Self::Any;
                continue;
            }
            let tree = |id: &ObjectId| Ok::<_, Refusal>(repo.commit_of(id)?.tree);
            let olds = before.iter().map(tree).collect::<Result<Vec<_>>>()?;
            repo.changed_paths(&tree(tip)?, &olds, &mut |path| self.add_path(path))?;
        }
        Ok(())
    }

    fn add_path(&mut self, path: &RepoPath) {
        let Self::Directories(directories) = self else {
            return;
        };
        let path = path.as_bytes();
        let mut end = path.len();
        loop {
            end = path[..end].iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            // What is attached to a pack stands beside it.
            if let Some(pack) = path[..end].strip_suffix(BESIDE.as_bytes()) {
                directories.insert(pack.to_vec());
            }
            if !directories.insert(path[..end].to_vec()) || end == 0 {
                break;
            }
        }
        if directories.len() > MAX_DIRECTORIES {
            // Walking the whole tree costs no more than so many lookups in it.
            *self = Self::Any;
        }
    }
}

/// A branch or a tag gets a tip.
#[derive(Clone, Debug)]
pub struct RefMove {
    /// The commit that it gets.
    pub tip: ObjectId,
    /// The commits that were there before. Their packs were judged.
    pub before: Vec<ObjectId>,
}

/// The root of a tree that may be a pack: its path and the tree.
type Root = (Vec<u8>, ObjectId);

/// What is demanded of packs.
pub struct PackDemands<'a> {
    /// The repository.
    pub repo: &'a Repository,
    /// The budget for unpacking.
    pub budget: &'a UnpackBudget,
    /// The commits that name who may sign, if packs must be signed.
    pub signers: Option<Vec<Commit>>,
    /// The refs of packs and of what is attached to them, as they are after the push.
    pub refs: &'a PackRefs,
}

impl PackDemands<'_> {
    /// Verifies a pack, and demands its signatures where packs must be signed.
    fn verdict(&self, source: &Source<'_>, is_pushed: impl Fn(&ObjectId) -> bool) -> Result<Verdict> {
        let mut verdict = verify_for_push(self.repo, source, self.budget, is_pushed)?;
        if let Some(commits) = &self.signers {
            let pack = (source, verdict.pack_id.as_str());
            demand_signatures(self.repo, commits, pack, &mut verdict.findings)?;
        }
        Ok(verdict)
    }
}

/// Verifies, from the object database, the packs in the trees of `tips` that are in or above touched directories.
///
/// Skips a pack whose manifest has a path that the registry releases, such as a test fixture. A pack that names a
/// commit of `walk` must match that commit.
pub fn verify_tracked(
    demands: &PackDemands<'_>,
    registry: &Registry,
    tips: &[ObjectId],
    touched: &Touched,
    walk: &Walk,
) -> Result<Vec<InvalidPack>> {
    let repo = demands.repo;
    let mut invalid = Vec::new();
    // A tree that many tips share is examined once.
    let (mut trees, mut seen) = (HashSet::new(), HashSet::new());
    for tip in tips {
        let tree = repo.commit_of(tip)?.tree;
        if !trees.insert(tree) {
            continue;
        }
        for root in roots(repo, &tree, touched)? {
            // The same pack can be signed in one tip, and not in another.
            if seen.insert(root.clone()) || demands.signers.is_some() {
                let place = (tree, Some(*tip), root);
                if let Verified::Invalid(pack) = verify_root(demands, registry, place, |id| walk.contains(id))? {
                    invalid.push(pack);
                }
            }
        }
    }
    Ok(invalid)
}

/// The packs in a tree without a commit.
pub struct PacksInTree {
    /// Those that do not verify.
    pub invalid: Vec<InvalidPack>,
    /// Whether the tree itself is a pack that verifies.
    pub is_sound_pack: bool,
}

/// Verifies, from the object database, all packs in a tree to which the ref `name` leads, like [`verify_tracked`]. If the tree
/// itself is a pack, its signatures are at refs.
pub fn verify_in_tree(
    demands: &PackDemands<'_>,
    registry: &Registry,
    (name, tree): (&str, &ObjectId),
) -> Result<PacksInTree> {
    let mut found = PacksInTree {
        invalid: Vec::new(),
        is_sound_pack: false,
    };
    for root in roots(demands.repo, tree, &Touched::Any)? {
        let is_top = root.0.is_empty();
        match verify_root(demands, registry, (*tree, None, root), |_| false)? {
            Verified::Sound => found.is_sound_pack |= is_top,
            Verified::Invalid(mut pack) => {
                if is_top {
                    name.clone_into(&mut pack.path);
                }
                found.invalid.push(pack);
            }
            Verified::NotAPack => {}
        }
    }
    Ok(found)
}

/// The outcome for a directory that may be a pack.
enum Verified {
    /// git-pack did not make it, or the rules release it.
    NotAPack,
    /// It verifies.
    Sound,
    /// It does not verify.
    Invalid(InvalidPack),
}

/// Returns the touched directories of a tree or, if they are not known, all with a manifest.
fn roots(repo: &Repository, tree: &ObjectId, touched: &Touched) -> Result<Vec<Root>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    let directories: Vec<&[u8]> = match touched {
        Touched::Directories(directories) => directories.iter().map(Vec::as_slice).collect(),
        Touched::Any => {
            repo.walk_tree(tree, |path, _, _| {
                if let Some(directory) = path.strip_suffix(MANIFEST.as_bytes())
                    && (directory.is_empty() || directory.ends_with(b"/"))
                {
                    found.push(directory.strip_suffix(b"/").unwrap_or(directory).to_vec());
                }
            })?;
            found.iter().map(Vec::as_slice).collect()
        }
    };
    let roots = repo.directories_in_tree(tree, directories)?;
    Ok(roots.into_iter().map(|(path, tree)| (path.to_vec(), tree)).collect())
}

fn verify_root(
    demands: &PackDemands<'_>,
    registry: &Registry,
    (top, tip, (directory, tree)): (ObjectId, Option<ObjectId>, Root),
    is_pushed: impl Fn(&ObjectId) -> bool,
) -> Result<Verified> {
    let repo = demands.repo;
    let manifest = match repo.blob_in_tree(&tree, MANIFEST) {
        Ok(Some(manifest)) => manifest,
        Ok(None) | Err(Refusal::NotRegular { .. }) => return Ok(Verified::NotAPack),
        Err(other) => return Err(other),
    };
    let place = match directory.is_empty() {
        true => MANIFEST.as_bytes().to_vec(),
        false => [&directory[..], b"/", MANIFEST.as_bytes()].concat(),
    };
    let subject = FileFacts {
        path: &place,
        ..FileFacts::default()
    };
    if registry.releases(&subject) || !claims_to_be_ours(repo, &manifest)? {
        return Ok(Verified::NotAPack);
    }
    let name = match directory.is_empty() {
        true => ".".to_owned(),
        false => String::from_utf8_lossy(&directory).into_owned(),
    };
    let pack = PackTree::of(repo, &tree)?;
    let pack = match tip.is_none() && directory.is_empty() {
        true => pack.with_refs(demands.refs),
        false => pack.at(top, &directory),
    };
    let source = Source::Tree(pack, name.clone());
    match demands.verdict(&source, is_pushed) {
        Ok(verdict) if verdict.findings.is_empty() => Ok(Verified::Sound),
        Ok(verdict) => Ok(Verified::Invalid(InvalidPack::of(name, tip, &verdict))),
        Err(Refusal::BadPack { fault, .. }) => Ok(Verified::Invalid(InvalidPack {
            path: name,
            commit: tip,
            problems: vec![fault.to_string()],
        })),
        Err(other) => Err(other),
    }
}

/// Verifies the packs below `_PACK_RUN/` that were sealed from a commit for which `is_pushed` returns true.
///
/// A pack that was verified before is not read again, unless a file of it changed in size, time or place.
pub fn verify_outputs(
    demands: &PackDemands<'_>,
    root: &Path,
    is_pushed: impl Fn(&ObjectId) -> bool,
) -> Result<Vec<InvalidPack>> {
    let outputs = root.join(OUTPUT_DIRECTORY);
    let verified = demands.repo.private().verified_packs();
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
        // A signature may have gone since.
        let is_known = demands.signers.is_none() && verified.knows(&directory);
        if !named.is_some_and(|commit| is_pushed(&commit)) || is_known {
            continue;
        }
        let seen = VerifiedPacks::print(&directory);
        let shown = format!("{OUTPUT_DIRECTORY}/{}", name.to_string_lossy());
        match demands.verdict(&Source::Directory(&directory), &is_pushed) {
            Ok(verdict) if verdict.findings.is_empty() => verified.keep(&directory, seen),
            Ok(verdict) => invalid.push(InvalidPack::of(shown, None, &verdict)),
            Err(Refusal::BadPack { fault, .. }) => invalid.push(InvalidPack {
                path: shown,
                commit: None,
                problems: vec![fault.to_string()],
            }),
            Err(other) => return Err(other),
        }
    }
    Ok(invalid)
}

/// Returns whether a manifest.json is of our format. Other projects have files with that name, some of them large.
fn claims_to_be_ours(repo: &Repository, manifest: &ObjectId) -> Result<bool> {
    let claims = repo.with_blobs(std::slice::from_ref(manifest), |_, mut blob| {
        let mut mark = MarkSearch::default();
        let mut part = vec![0; 64 << 10];
        loop {
            let n = blob.read(&mut part).map_err(|e| reading(manifest, &e))?;
            if n == 0 {
                return Ok(mark.found);
            }
            mark.look_at(&part[..n]);
        }
    })?;
    Ok(claims == [true])
}

/// Searches JSON for the name of our format, however its characters are spelled: `\u0070` is a `p`.
#[derive(Default)]
struct MarkSearch {
    found: bool,
    /// The last characters.
    last: Vec<u8>,
}

impl MarkSearch {
    const MARK: &[u8] = b"pack.v0";

    /// More than the longest escape and the mark.
    const KEPT: usize = 16;

    fn look_at(&mut self, part: &[u8]) {
        for byte in part {
            self.last.push(*byte);
            if let [before @ .., b'\\', b'u', b'0', b'0', high, low] = &self.last[..]
                && let Some(escaped) = hex(*high).zip(hex(*low))
            {
                let at = before.len();
                self.last.truncate(at);
                self.last.push(escaped.0 << 4 | escaped.1);
            }
            self.found |= self.last.ends_with(Self::MARK);
            if self.last.len() > 4096 {
                self.last.drain(..self.last.len() - Self::KEPT);
            }
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_format_is_recognised_in_every_spelling() {
        let found = |text: &str, at: usize| {
            let mut mark = MarkSearch::default();
            text.as_bytes().chunks(at).for_each(|part| mark.look_at(part));
            mark.found
        };
        let long = "x".repeat(5000);
        for at in [1, 5, 64 << 10] {
            for text in [
                "{\"version\":\"pack.v0\"}",
                "{\"version\":\"pack\\u002ev0\"}",
                "{\"version\":\"pack\\u002Ev0\"}",
                "{\"version\":\"\\u0070\\u0061\\u0063\\u006b\\u002e\\u0076\\u0030\"}",
            ] {
                assert!(found(text, at), "{text}");
                assert!(found(&format!("{long}{text}{long}"), at), "{text}");
            }
            for text in [
                "{\"version\":\"pack.v\"}",
                "pack\\u012ev0",
                "pack\\x002ev0",
                "pack\\u002",
            ] {
                assert!(!found(text, at), "{text}");
            }
        }
    }
}
