//! `git pack hook`: what the installed hooks ask, judged on what is really staged and really pushed.

use std::collections::BTreeSet;

use crate::adapters::git::Repository;
use crate::format::config::{Config, FILE_NAME};
use crate::format::object_id::ObjectId;
use crate::format::push_line::PushLine;
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_path::RepoPath;
use crate::ops::Context;
use crate::ops::configuration::{self, Loaded};
use crate::rules::scan::{Candidate, Destination, Leak, judge};

/// What a commit hook found.
#[derive(Debug)]
pub struct CommitVerdict {
    /// The leaks, in the order of the index.
    pub leaks: Vec<CommitLeak>,
}

/// A leak that a commit would hold.
#[derive(Debug)]
pub struct CommitLeak {
    /// The leak.
    pub leak: Leak,
    /// Whether unstaging leaves it out: it is new since `HEAD`, and there is a `HEAD`.
    pub is_new: bool,
}

/// What a push hook found.
#[derive(Debug)]
pub struct PushVerdict {
    /// The leaks, oldest commit first.
    pub leaks: Vec<PushLeak>,
    /// Number of new commits looked at.
    pub commits: u64,
    /// Number of entries they introduce.
    pub entries: u64,
}

/// A leak that a push would publish.
#[derive(Debug)]
pub struct PushLeak {
    /// The leak.
    pub leak: Leak,
    /// The commit of the push that deletes the path again.
    pub deleted_in: Option<ObjectId>,
    /// Whether the commit that introduces it is the first of its history.
    pub is_root: bool,
}

/// Judges every path that the commit about to be made would hold, by the rules of `HEAD` and of the index together.
pub fn pre_commit(ctx: &Context) -> Result<CommitVerdict> {
    let repo = Repository::discover(&ctx.cwd)?;
    let staged = repo.staged()?;
    let new = configuration::in_index(&repo, &staged)?;
    let head = match repo.has_commit() {
        true => Some(repo.commit("HEAD")?),
        false => None,
    };
    let old = head
        .as_ref()
        .map(|head| configuration::in_commit_or_none(&repo, head))
        .transpose()?;
    let registry = configuration::registry(&old.iter().chain([&new]).collect::<Vec<_>>())?;
    let leaks: Vec<Leak> = staged
        .into_iter()
        .filter_map(|entry| {
            let candidate = Candidate {
                path: entry.path,
                kind: entry.kind,
                id: entry.id,
                commit: None,
            };
            judge(&registry, candidate, Destination::Repository)
        })
        .collect();
    let committed: Option<BTreeSet<RepoPath>> = match &head {
        Some(head) if !leaks.is_empty() => {
            let entries = repo.tree_entries(&head.tree)?;
            Some(entries.into_iter().map(|entry| entry.path).collect())
        }
        _ => None,
    };
    let leaks = leaks
        .into_iter()
        .map(|leak| CommitLeak {
            is_new: committed
                .as_ref()
                .is_some_and(|paths| !paths.contains(&leak.entry.path)),
            leak,
        })
        .collect();
    Ok(CommitVerdict { leaks })
}

/// Judges everything that a push to `remote` would publish there for the first time; `stdin` is what git gave the hook.
///
/// The rules of each pushed tip apply together with those of what the remote is known to have below it.
pub fn pre_push(ctx: &Context, remote: &str, stdin: &[u8]) -> Result<PushVerdict> {
    let repo = Repository::discover(&ctx.cwd)?;
    let lines = PushLine::parse_all(stdin).map_err(|problem| Refusal::Usage {
        problem: format!("pre-push: {problem}"),
        next: None,
    })?;
    let tracked = repo.tracking_refs(remote)?;
    let mut known: Vec<ObjectId> = lines.iter().filter_map(|line| line.remote).collect();
    // A tracked branch of which the remote knows nothing: it is not the remote that these refs were fetched from.
    let is_another = lines.iter().any(|line| {
        let branch = line.remote_ref.strip_prefix("refs/heads/");
        line.local.is_some() && line.remote.is_none() && tracked.iter().any(|(name, _)| Some(name.as_str()) == branch)
    });
    if !is_another {
        known.extend(tracked.into_iter().map(|(_, id)| id));
    }

    let mut verdict = PushVerdict {
        leaks: Vec::new(),
        commits: 0,
        entries: 0,
    };
    let mut reported = BTreeSet::new();
    for line in &lines {
        let Some(tip) = line.local else { continue };
        let range = repo.introduced(&[tip], &known)?;
        let configs = configs_of(&repo, tip, line.remote, &range.boundary)?;
        let configs: Vec<&Loaded> = configs.iter().collect();
        let registry = configuration::registry(&configs)?;
        let destination = match configs.iter().all(|c| is_private(&c.config, remote)) {
            true => Destination::PrivateRemote,
            false => Destination::PublicRemote,
        };
        verdict.commits += range.commits;
        verdict.entries += range.introduced.len() as u64;
        for introduced in range.introduced {
            let candidate = Candidate {
                path: introduced.entry.path,
                kind: introduced.entry.kind,
                id: introduced.entry.id,
                commit: Some(introduced.commit),
            };
            let Some(leak) = judge(&registry, candidate, destination) else {
                continue;
            };
            if !reported.insert((leak.entry.path.clone(), leak.entry.id)) {
                continue;
            }
            verdict.leaks.push(PushLeak {
                deleted_in: range.deleted.get(&leak.entry.path).copied(),
                is_root: range.roots.contains(&introduced.commit),
                leak,
            });
        }
    }
    Ok(verdict)
}

/// Returns the configurations of the pushed tip, of what the remote ref held before, and of the commits right below the
/// pushed ones: a new branch must not release its own leak.
fn configs_of(
    repo: &Repository,
    tip: ObjectId,
    old: Option<ObjectId>,
    boundary: &BTreeSet<ObjectId>,
) -> Result<Vec<Loaded>> {
    let mut configs: Vec<Loaded> = Vec::new();
    for id in [tip].into_iter().chain(old).chain(boundary.iter().copied()) {
        match repo.commit(&id.hex()) {
            Ok(commit) => {
                let loaded = match id == tip {
                    true => configuration::in_commit(repo, &commit)?,
                    false => configuration::in_commit_or_none(repo, &commit)?,
                };
                if configs.iter().all(|other| other.bytes != loaded.bytes) {
                    configs.push(loaded);
                }
            }
            // A tag of a tree or blob has no configuration, and what the remote had may never have been fetched.
            Err(Refusal::BadRevision { .. } | Refusal::MissingObject { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    if configs.is_empty() {
        configs.push(Loaded {
            config: Config::default(),
            origin: FILE_NAME.into(),
            bytes: None,
        });
    }
    Ok(configs)
}

fn is_private(config: &Config, remote: &str) -> bool {
    config.private_remotes.iter().any(|name| name == remote)
}
