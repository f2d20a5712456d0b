//! `git pack verify`: verifies a pack by itself and against a commit.

mod against;
mod ends;
mod joined;
mod look;
mod observe;
mod opening;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::adapters::git::pack_tree::PackTree;
use crate::adapters::pack_dir::{self, FoundInPack, LookIntoMember};
use crate::format::manifest::ManifestDocument;
use crate::format::object_id::ObjectId;
use crate::format::tree_meta::REPO_STATE;
use crate::ops::Context;
use crate::ops::contents::{BUDGET, blob_of_file};
use crate::ops::keys::identity;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::content::UnpackBudget;
use crate::rules::pack::judge;
use crate::rules::pack::verdict::Verdict;
use observe::observe;
use opening::open_seals;

/// The result of verifying a pack.
pub struct VerifyReport {
    /// The verdict on the pack.
    pub verdict: Verdict,
    /// The commit that it was compared with, if any.
    pub compared_with: Option<ObjectId>,
    /// Whether its seals were opened as well.
    pub opened: bool,
}

/// The options of `verify`.
#[derive(Clone, Debug, Default)]
pub struct VerifyRequest {
    /// The pack's directory.
    pub pack: PathBuf,
    /// A commit of the repository at the context's directory to compare with.
    pub rev: Option<String>,
    /// Identity files. If there are any, every seal is opened and its content is discarded.
    pub identities: Vec<PathBuf>,
}

/// Verifies a pack.
pub fn verify(ctx: &Context, request: &VerifyRequest) -> Result<VerifyReport> {
    let root = ctx.cwd.join(&request.pack);
    // Unusable identities are refused before anything is read.
    let identities = match request.identities.is_empty() {
        true => None,
        false => Some(identity::load(ctx, &request.identities)?),
    };
    let (mut verdict, pack) = judge(observe(&Source::Directory(&root), &UnpackBudget::of(BUDGET))?);
    let mut compared_with = None;
    if let Some(rev) = &request.rev {
        let Some(pack) = pack else {
            return Err(Refusal::Usage(Misuse::NoState {
                pack: request.pack.clone(),
                document: REPO_STATE,
            }));
        };
        let repo = ctx.repository_to_read()?;
        compared_with = Some(against::compare(&repo, rev, Some(&root), &pack, &mut verdict)?);
    }
    if let Some(identities) = &identities {
        open_seals(&root, identities, &mut verdict)?;
    }
    Ok(VerifyReport {
        verdict,
        compared_with,
        opened: identities.is_some(),
    })
}

/// Verifies a pack in a directory by itself.
pub fn verify_directory(root: &Path) -> Result<Verdict> {
    let observed = observe(&Source::Directory(root), &UnpackBudget::of(BUDGET))?;
    Ok(judge(observed).0)
}

/// Verifies a pack. If it states a commit for which `is_pushed` returns true, it is also compared with that commit.
pub fn verify_for_push(
    repo: &Repository,
    source: &Source<'_>,
    budget: &UnpackBudget,
    is_pushed: impl Fn(&ObjectId) -> bool,
) -> Result<Verdict> {
    let (mut verdict, pack) = judge(observe(source, budget)?);
    if let Some(pack) = &pack
        && let Some(info) = &pack.info
        && let Some(commit) = ObjectId::parse(&info.commit)
        && is_pushed(&commit)
    {
        against::compare(repo, &info.commit, None, pack, &mut verdict)?;
    }
    Ok(verdict)
}

/// The location of a pack.
pub enum Source<'a> {
    /// A directory.
    Directory(&'a Path),
    /// A tree in a commit, and its name for messages.
    Tree(PackTree<'a>, String),
}

impl Source<'_> {
    fn manifest(&self) -> Result<ManifestDocument> {
        match self {
            Self::Directory(root) => pack_dir::manifest(root),
            Self::Tree(tree, name) => tree.manifest()?.map_err(|fault| Refusal::BadPack {
                path: name.into(),
                fault,
            }),
        }
    }

    fn observe<E: Send>(
        &self,
        declared: &BTreeSet<&[u8]>,
        look: LookIntoMember<'_, E>,
    ) -> Result<Vec<(Vec<u8>, FoundInPack<E>)>> {
        match self {
            Self::Directory(root) => pack_dir::observe(root, declared, look),
            Self::Tree(tree, _) => tree.observe(declared, look),
        }
    }

    /// Returns a reader of `size` bytes of a member, from byte `at`.
    fn range(&self, path: &str, at: u64, size: u64) -> Result<Box<dyn Read>> {
        match self {
            Self::Directory(root) => files::open_range(&root.join(path), at, size),
            Self::Tree(tree, _) => tree.range(path, at, size),
        }
    }

    /// Returns the blob id of a member, with the same hash as `like`.
    fn blob_of(&self, path: &str, like: &ObjectId) -> Result<Option<ObjectId>> {
        match self {
            Self::Tree(tree, _) => Ok(tree.blob_at(path)),
            Self::Directory(root) => blob_of_file(&root.join(path), like).map(Some),
        }
    }
}
