//! Finds out how to take files out of commits that no remote has, so that no file on disk changes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::adapters::git::holders::above;
use crate::adapters::git::{Exposure, Peeled, Repository};
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::run_record::RunId;
use crate::ops::Context;
use crate::ops::configuration::Rules;
use crate::refusal::Result;
use crate::rules::rewriting::{Rewriting, below, rewriting};
use crate::rules::scan::Leak;

/// Prefix of the refs that keep the commits of runs.
const RUNS: &str = "refs/gitpack/runs/";

/// How to take files out of commits.
#[derive(Clone, Debug)]
pub struct WayOut {
    /// What to do with the commits to which `HEAD` leads.
    pub rewriting: Rewriting,
    /// The files.
    pub paths: Vec<RepoPath>,
    /// Those of the files that git still tracks.
    pub tracked: BTreeSet<RepoPath>,
    /// Whether nothing is left to be committed again.
    pub leaves_nothing: bool,
    /// The other refs that lead to some of the commits. Each must be moved or removed too.
    pub holders: Vec<Holder>,
    /// Whether a remote has some of the commits.
    pub is_partly_pushed: bool,
    /// Whether a remote is known to have any commits. Its rules count for a push.
    pub has_remote: bool,
}

/// A ref that leads to a commit.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Its full name.
    pub name: String,
    /// The directory of the run for which git-pack made the ref.
    pub run: Option<PathBuf>,
}

/// The commit that releases files, which a push of it alone makes count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseFirst {
    /// The commit. It is below those that hold the files.
    pub commit: ObjectId,
    /// The short name of the branch that gets it.
    pub branch: String,
}

/// Returns the commit to push before the others, where one of the pushed branches changes the rules before it gets the commits
/// with the leaks that they release. Everything reachable from `known` is at the remote.
pub fn release_first<'a>(
    repo: &Repository,
    released: &BTreeSet<ObjectId>,
    pushed: impl Iterator<Item = (&'a str, ObjectId)>,
    known: &[ObjectId],
) -> Result<Option<ReleaseFirst>> {
    if released.is_empty() {
        return Ok(None);
    }
    let rules = Rules::of(repo);
    for (name, tip) in pushed {
        let (Some(branch), Peeled::Commit(tip)) = (name.strip_prefix("refs/heads/"), repo.peel(&tip)?) else {
            continue;
        };
        let walk = repo.walk(&[tip], known)?;
        if !released.iter().all(|commit| walk.contains(commit)) {
            continue;
        }
        let Some(commit) = below(&tip, released, &walk.parents()) else {
            continue;
        };
        // A commit at the remote already is nothing to push.
        let brings_rules = walk.contains(&commit)
            && rules
                .in_commit_or_none(&commit)?
                .has_text_of(&*rules.in_commit_or_none(&tip)?);
        if brings_rules {
            return Ok(Some(ReleaseFirst {
                commit,
                branch: branch.to_owned(),
            }));
        }
    }
    Ok(None)
}

/// Returns the way out for leaks. `None` if none of their commits can be rewritten here.
pub fn of_leaks<'a>(repo: &Repository, leaks: impl Iterator<Item = &'a Leak> + Clone) -> Result<Option<WayOut>> {
    let entries = || leaks.clone().map(|leak| &leak.entry);
    let commits: BTreeSet<ObjectId> = entries().filter_map(|entry| entry.commit).collect();
    let mut paths: Vec<RepoPath> = Vec::new();
    for entry in entries().filter(|entry| entry.commit.is_some()) {
        if !paths.contains(&entry.path) {
            paths.push(entry.path.clone());
        }
    }
    of_commits(repo, &commits, paths)
}

/// Returns the way out for files in the commits that hold them. `None` if it cannot be found out.
pub fn of_exposures<'a>(ctx: &Context, files: impl Iterator<Item = (&'a RepoPath, &'a Exposure)>) -> Option<WayOut> {
    let (mut commits, mut paths) = (BTreeSet::new(), Vec::new());
    for (path, exposure) in files.filter(|(_, exposure)| !exposure.is_empty()) {
        commits.extend(exposure.unpushed.iter().chain(&exposure.kept).copied());
        paths.push(path.clone());
    }
    of_commits(&ctx.repository().ok()?, &commits, paths).ok().flatten()
}

/// Returns the way out for these files in these commits. `None` if none of the commits can be rewritten here.
pub fn of_commits(repo: &Repository, commits: &BTreeSet<ObjectId>, paths: Vec<RepoPath>) -> Result<Option<WayOut>> {
    if commits.is_empty() || repo.work_tree().is_none() {
        return Ok(None);
    }
    let head = match repo.has_commit()? {
        true => Some(repo.commit("HEAD")?.id),
        false => None,
    };
    let (remotes, others) = refs_of(repo)?;
    let tips: Vec<ObjectId> = others.iter().map(|(_, tip)| *tip).chain(head).collect();
    let walk = repo.walk(&tips, &remotes)?;
    let wanted: BTreeSet<ObjectId> = commits.iter().filter(|id| walk.contains(id)).copied().collect();
    // A shallow clone does not tell what is below its oldest commits.
    if wanted.is_empty() || walk.ensure_whole().is_err() {
        return Ok(None);
    }
    let below_head = match head {
        Some(head) => repo.walk(&[head], &remotes)?,
        None => repo.walk(&[], &[])?,
    };
    let here = wanted.iter().filter(|id| below_head.contains(id)).copied().collect();
    let rewriting = match &head {
        Some(head) => rewriting(head, &here, &below_head.parents()),
        None => Rewriting::NotHere,
    };
    let leading = above(&walk, wanted.iter().copied());
    let branch = repo.branch()?.map(|branch| format!("refs/heads/{branch}"));
    let holders = others.into_iter().filter(|(name, tip)| {
        let is_heads_own = branch.as_ref() == Some(name) && rewriting != Rewriting::NotHere;
        leading.contains(tip) && !is_heads_own
    });
    let holders = holders.map(|(name, _)| Holder {
        run: run_of(repo, &name),
        name,
    });
    let holders = holders.collect();
    let tracked: BTreeSet<RepoPath> = repo.tracked_paths()?.into_iter().collect();
    let tracked: BTreeSet<RepoPath> = paths.iter().filter(|path| tracked.contains(*path)).cloned().collect();
    let leaves_nothing = match &rewriting {
        Rewriting::Again { base: Some(base), .. } => repo.index()?.tree() == Some(repo.commit_of(base)?.tree),
        Rewriting::Each => match &head {
            Some(head) => repo.index()?.tree() == Some(repo.commit_of(head)?.tree),
            None => false,
        },
        Rewriting::Again { base: None, .. } | Rewriting::NotHere => false,
    };
    Ok(Some(WayOut {
        rewriting,
        tracked,
        leaves_nothing,
        holders,
        is_partly_pushed: wanted.len() < commits.len(),
        has_remote: !remotes.is_empty(),
        paths,
    }))
}

/// The full name of a ref, and what it leads to.
type NamedRef = (String, ObjectId);

/// Returns the commits that remotes are known to have, and all other refs that lead to commits.
fn refs_of(repo: &Repository) -> Result<(Vec<ObjectId>, Vec<NamedRef>)> {
    let (mut remotes, mut others) = (Vec::new(), Vec::new());
    for (name, id) in repo.refs("refs/")? {
        if !repo.has(&id) {
            continue;
        }
        if let Peeled::Commit(tip) = repo.peel(&id)? {
            match name.starts_with("remotes/") {
                true => remotes.push(tip),
                false => others.push((format!("refs/{name}"), tip)),
            }
        }
    }
    Ok((remotes, others))
}

/// Returns the directory of the run for which git-pack made a ref.
fn run_of(repo: &Repository, name: &str) -> Option<PathBuf> {
    let run = RunId::parse(name.strip_prefix(RUNS)?)?;
    Some(repo.private().runs().directory(&run))
}
