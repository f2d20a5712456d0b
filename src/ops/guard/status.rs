//! `git pack status`: what is protected here, who can open it, which hooks run, and what is wrong.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::adapters::git::canary::{self, Answer, Canary, Push};
use crate::adapters::pack_dir;
use crate::format::agent::genome::ROOT as PACKS_ROOT;
use crate::format::agent::private::AGENTS;
use crate::format::config::Allow;
use crate::format::object_id::ObjectId;
use crate::format::protected::{Policy, Rule};
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::EntryKind;
use crate::format::tree_meta::{PACK_INFO, PackInfo};
use crate::ops::agent::info::{InfoReport, look_into};
use crate::ops::configuration;
use crate::ops::guard::drivers::{self, DriversState};
use crate::ops::guard::install::{self, ALL_HOOKS, CLIENT_HOOKS, Present, SERVER_HOOK};
use crate::ops::guard::known::{self, Extent};
use crate::ops::guard::remotes::{self, RemoteReport};
use crate::ops::guard::twins::{self, PairReport};
use crate::ops::keys::{identity, recipients};
use crate::ops::{Context, Silence};
use crate::refusal::{Refusal, Result};
use crate::rules::protect::{OUTPUT_DIRECTORY, Registry, is_run_output};
use crate::rules::push::destination;
use crate::rules::scan::Destination;

/// The state of a repository and its guard.
pub struct StatusReport {
    /// The branch, if `HEAD` is on one.
    pub branch: Option<String>,
    /// The commit, if there is one.
    pub commit: Option<ObjectId>,
    /// Number of tracked files that differ from the commit; none in a bare repository.
    pub dirty: Option<usize>,
    /// The hooks, each with how it is installed.
    pub hooks: Vec<(&'static str, Option<Present>)>,
    /// The diff and merge drivers of sealed twins. `None` in a bare repository.
    pub drivers: Option<DriversState>,
    /// The pairs whose sealed twin is tracked.
    pub twins: Vec<PairReport>,
    /// The protected files that are tracked in plaintext.
    pub tracked: Vec<RepoPath>,
    /// The protected files that are neither tracked nor sealed, nor ignored.
    pub untracked: Vec<RepoPath>,
    /// The recipients, as the configuration names them.
    pub recipients: Vec<String>,
    /// The recipient of the identity in force here.
    pub own_recipient: Option<String>,
    /// Whether there is a configuration.
    pub configured: bool,
    /// The packs below `_PACK_RUN/`, each with the commit that it was sealed from.
    pub packs: Vec<(String, Option<String>)>,
    /// How much plaintext this clone knows by its content.
    pub known: Extent,
    /// The remotes, at each URL that they push to.
    pub remotes: Vec<RemoteReport>,
    /// The agent store, if the work tree has one, or why it cannot be looked at.
    pub agent: Option<Result<InfoReport, String>>,
}

/// The outcome of a hook on a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CanaryOutcome {
    /// The hook blocked the canary, and named it.
    Blocked,
    /// The hook blocked a push of the canary, but not a push of another ref and the canary. A hook manager tells it
    /// only one ref.
    BlockedAlone,
    /// The hook let the canary pass, or is not installed.
    NotGuarded,
    /// The hook failed for another reason.
    FailedOtherwise(String),
}

/// Examines the repository at the context's directory.
pub fn status(ctx: &Context) -> Result<StatusReport> {
    let repo = ctx.repository()?;
    let root = repo.work_tree();
    let loaded = configuration::here(&repo)?;
    let registry = loaded.registry()?;
    let named = recipients::named(&loaded)?;
    let commit = match repo.has_commit()? {
        true => Some(repo.commit("HEAD")?.id),
        false => None,
    };
    let hooks = hooks(ctx, &repo)?;
    let files = match &root {
        Some(root) => protected_files(ctx, &repo, root, &registry)?,
        None => ProtectedFiles::default(),
    };
    // A status report must not ask for a passphrase.
    let quiet = Context {
        ask: Silence::asker(),
        ..ctx.clone()
    };
    let identity = identity::path(ctx, &repo).and_then(|path| identity::recipient(&quiet, &path));
    Ok(StatusReport {
        branch: repo.branch()?,
        dirty: match root {
            Some(_) => Some(repo.dirty()?),
            None => None,
        },
        commit,
        hooks,
        drivers: match root {
            Some(_) => Some(drivers::state(&quiet, &repo)?),
            None => None,
        },
        twins: files.twins,
        tracked: files.tracked,
        untracked: files.untracked,
        recipients: named.into_iter().map(|(_, recipient)| recipient.value).collect(),
        own_recipient: identity.ok().flatten(),
        configured: loaded.is_present(),
        agent: root.as_deref().and_then(agent_store),
        packs: packs(root.as_deref())?,
        known: known::extent(&repo),
        remotes: remotes::report(&repo, |url| {
            destination(&[&loaded.config], &[url.to_owned()]) == Destination::PrivateRemote
        })?,
    })
}

/// Looks at the agent store of a work tree, if it has one.
fn agent_store(root: &Path) -> Option<Result<InfoReport, String>> {
    let is_there = [PACKS_ROOT, AGENTS].iter().any(|part| files::exists(&root.join(part)));
    let report = is_there.then(|| look_into(root))?;
    match report {
        // A directory that is called `agents` may be about anything.
        Ok(report) if report.is_empty() => None,
        Ok(report) => Some(Ok(report)),
        Err(refused) => Some(Err(refused.to_string())),
    }
}

/// Returns the hooks that should be installed, and the others that are.
fn hooks(ctx: &Context, repo: &Repository) -> Result<Vec<(&'static str, Option<Present>)>> {
    let mut hooks = Vec::new();
    for hook in expected_hooks(repo) {
        hooks.push((hook, install::installed(ctx, repo, hook)?));
    }
    for hook in ALL_HOOKS {
        if hooks.iter().all(|(other, _)| *other != hook)
            && let Some(how) = install::installed(ctx, repo, hook)?
        {
            hooks.push((hook, Some(how)));
        }
    }
    Ok(hooks)
}

/// The protected files of a work tree.
#[derive(Default)]
struct ProtectedFiles {
    twins: Vec<PairReport>,
    tracked: Vec<RepoPath>,
    untracked: Vec<RepoPath>,
}

/// Finds the protected files of a work tree, and makes the clone remember those that must never be published.
fn protected_files(ctx: &Context, repo: &Repository, root: &Path, registry: &Registry) -> Result<ProtectedFiles> {
    let twins = twins::check_unattended(ctx)?;
    let sealed: BTreeSet<&RepoPath> = twins.iter().map(|pair| &pair.path).collect();
    let (mut tracked, mut untracked) = (Vec::new(), Vec::new());
    for staged in repo.index()?.staged(None, None)? {
        let path = staged.entry.path;
        let is_file = staged.entry.kind != EntryKind::Submodule;
        if is_file && !is_sealed(path.as_bytes()) && registry.judge(path.as_bytes()).is_some() {
            tracked.push(path);
        }
    }
    for file in repo.work_tree_files(false)? {
        let path = file.path.as_bytes();
        let protected = !file.tracked && !is_run_output(path) && !is_sealed(path);
        if protected && registry.judge(path).is_some() && !sealed.contains(&file.path) {
            untracked.push(file.path);
        }
    }
    let is_never_published = |path: &&RepoPath| {
        let verdict = registry.judge(path.as_bytes());
        verdict.is_some_and(|verdict| verdict.policy == Policy::Never) && !is_run_output(path.as_bytes())
    };
    let by_rule = tracked.iter().chain(&untracked).filter(is_never_published);
    let plain = twins.iter().map(|pair| &pair.path).chain(by_rule).cloned();
    remember(repo, registry, root, plain);
    Ok(ProtectedFiles {
        twins,
        tracked,
        untracked,
    })
}

/// Makes the clone remember the protected files on disk by their content. Files that it already knows unchanged are
/// skipped.
fn remember(repo: &Repository, registry: &Registry, root: &Path, paths: impl Iterator<Item = RepoPath>) {
    let on_disk = paths.filter(|path| files::exists(&root.join(OsStr::from_bytes(path.as_bytes()))));
    let protected = on_disk.map(|path| known::ProtectedFile {
        source: known::on_disk(root, &path),
        path,
        formats: Vec::new(),
        attached: false,
    });
    known::remember(repo, registry, protected.collect());
}

/// Gives a canary to each hook, as git would, and reports the outcomes.
pub fn doctor(ctx: &Context) -> Result<Vec<(&'static str, CanaryOutcome)>> {
    let repo = ctx.repository()?;
    let mut hooks = expected_hooks(&repo);
    for hook in ALL_HOOKS {
        if !hooks.contains(&hook) && install::installed(ctx, &repo, hook)?.is_some() {
            hooks.push(hook);
        }
    }
    let canary = Canary::plant(&repo, &ctx.cwd)?;
    let remote = repo.any_remote().unwrap_or_else(|| "origin".into());
    let url = repo
        .push_urls(&remote)
        .into_iter()
        .next()
        .unwrap_or_else(|| remote.clone());
    let mut proofs = Vec::new();
    for hook in hooks {
        let outcome = match hook {
            "pre-push" => match outcome(&canary.push(Push::Second, &remote, &url)?) {
                CanaryOutcome::Blocked => CanaryOutcome::Blocked,
                second => match (outcome(&canary.push(Push::Alone, &remote, &url)?), second) {
                    (CanaryOutcome::Blocked, CanaryOutcome::NotGuarded) => CanaryOutcome::BlockedAlone,
                    (alone, _) => alone,
                },
            },
            _ => outcome(&canary.give_to(hook)?),
        };
        proofs.push((hook, outcome));
    }
    Ok(proofs)
}

fn outcome(answer: &Answer) -> CanaryOutcome {
    let named = answer.words.contains(canary::PATH);
    match (answer.passed, named) {
        (false, true) => CanaryOutcome::Blocked,
        (true, _) => CanaryOutcome::NotGuarded,
        (false, false) => {
            let mut lines = answer.words.lines().rev();
            let last = lines.find(|line| line.contains(char::is_alphanumeric));
            CanaryOutcome::FailedOtherwise(last.unwrap_or("it printed nothing").trim().to_owned())
        }
    }
}

/// The rules in force and the exceptions.
pub struct RegistryReport {
    /// The rules, in the order in which they are written.
    pub rules: Vec<Rule>,
    /// The exceptions.
    pub allowed: Vec<Allow>,
}

/// Returns the rules and exceptions of this repository.
pub fn registry(ctx: &Context) -> Result<RegistryReport> {
    let loaded = configuration::here(&ctx.repository()?)?;
    let registry = loaded.registry()?;
    Ok(RegistryReport {
        rules: registry.rules().next().unwrap_or_default().to_vec(),
        allowed: loaded.config.allow.into_iter().map(|allow| allow.value).collect(),
    })
}

fn expected_hooks(repo: &Repository) -> Vec<&'static str> {
    match repo.work_tree() {
        Some(_) => CLIENT_HOOKS.to_vec(),
        None => vec![SERVER_HOOK],
    }
}

fn is_sealed(path: &[u8]) -> bool {
    path.ends_with(b".age")
}

fn packs(root: Option<&Path>) -> Result<Vec<(String, Option<String>)>> {
    let Some(root) = root else { return Ok(Vec::new()) };
    let outputs = root.join(OUTPUT_DIRECTORY);
    let mut packs = Vec::new();
    for name in files::directories_in(&outputs)? {
        let directory = outputs.join(&name);
        if matches!(pack_dir::manifest(&directory), Err(Refusal::BadPack { .. })) {
            continue;
        }
        let info = files::read_optional(&directory.join(PACK_INFO), pack_dir::MAX_DOCUMENT)
            .ok()
            .flatten();
        let commit = info.and_then(|info| PackInfo::parse(&info)).map(|info| info.commit);
        packs.push((format!("{OUTPUT_DIRECTORY}/{}", name.to_string_lossy()), commit));
    }
    Ok(packs)
}
