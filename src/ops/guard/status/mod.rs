//! `git pack status`: what is protected here, who can open it, which hooks run, which packs there are, and what is wrong.

pub mod doctor;
pub mod packs;
pub mod protected;

use std::path::Path;

use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::format::agent::genome::ROOT as PACKS_ROOT;
use crate::format::agent::private::AGENTS;
use crate::format::config::{Allow, is_same_recipient};
use crate::format::object_id::ObjectId;
use crate::format::protected::Rule;
use crate::ops::agent::info::{InfoReport, look_into};
use crate::ops::configuration::{self, Loaded};
use crate::ops::guard::drivers::{self, DriversState};
use crate::ops::guard::install::{self, ALL_HOOKS, CLIENT_HOOKS, Present, SERVER_HOOK};
use crate::ops::guard::known::{self, Extent};
use crate::ops::guard::remotes::{self, RemoteReport};
use crate::ops::keys::{identity, recipients};
use crate::ops::{Context, Silence};
use crate::refusal::Result;
use crate::rules::health::{HealthCounts, Trouble, troubles};
use crate::rules::push::destination;
use crate::rules::scan::Destination;
use doctor::CanaryOutcome;
use packs::PackOutputs;
use protected::{PlainFile, ProtectedFiles};

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
    /// The protected files.
    pub files: ProtectedFiles,
    /// The recipients, as the configuration names them.
    pub recipients: Vec<String>,
    /// The recipient of the identity in force here.
    pub own_recipient: Option<String>,
    /// Whether there is a configuration.
    pub configured: bool,
    /// Whether the configuration of the work tree differs from that of `HEAD`. Seals and hooks go by the one of `HEAD`.
    pub is_uncommitted: bool,
    /// The packs below `_PACK_RUN/`.
    pub outputs: PackOutputs,
    /// How much plaintext this clone knows by its content.
    pub known: Extent,
    /// The remotes, at each URL that they push to.
    pub remotes: Vec<RemoteReport>,
    /// The agent store, if the work tree has one, or why it cannot be looked at.
    pub agent: Option<Result<InfoReport, String>>,
}

impl StatusReport {
    /// Returns whether the identity in force here opens what is sealed for the recipients. `None` if there are no
    /// recipients or there is no identity.
    pub fn can_open(&self) -> Option<bool> {
        let own = self.own_recipient.as_deref()?;
        let is_own = |recipient: &String| is_same_recipient(own, recipient);
        (!self.recipients.is_empty()).then(|| self.recipients.iter().any(is_own))
    }

    /// Returns what is wrong; `proofs` are the answers of the hooks to a canary, if they were asked.
    pub fn troubles(&self, proofs: Option<&[(&'static str, CanaryOutcome)]>) -> Vec<Trouble> {
        let count = |wanted: fn(&CanaryOutcome) -> bool| {
            let proofs = proofs.unwrap_or_default().iter();
            proofs.filter(|(_, outcome)| wanted(outcome)).count()
        };
        let missing = self.hooks.iter().filter(|(_, how)| how.is_none()).count();
        troubles(&HealthCounts {
            unguarded: match proofs {
                Some(_) => count(|outcome| matches!(outcome, CanaryOutcome::NotGuarded)),
                None => missing,
            },
            unproven: count(|outcome| matches!(outcome, CanaryOutcome::FailedOtherwise(_))),
            plaintext: self
                .files
                .plain
                .iter()
                .filter(|file| PlainFile::is_exposed(file))
                .count(),
            drifted: self.files.twins.iter().filter(|pair| pair.is_wrong()).count(),
            agent_faults: match &self.agent {
                None => 0,
                Some(Ok(report)) => report.all_faults(),
                Some(Err(_)) => 1,
            },
        })
    }
}

/// Examines the repository at the context's directory.
pub fn status(ctx: &Context) -> Result<StatusReport> {
    let repo = ctx.repository()?;
    let root = repo.work_tree();
    let loaded = configuration::here(&repo)?;
    let registry = loaded.registry()?;
    let named = recipients::named(&loaded)?;
    let commit = match repo.has_commit()? {
        true => Some(repo.commit("HEAD")?),
        false => None,
    };
    // A status report must not ask for a passphrase.
    let quiet = Context {
        ask: Silence::asker(),
        ..ctx.clone()
    };
    let identity = identity::path(ctx, &repo).and_then(|path| identity::recipient(&quiet, &path));
    let committed = commit.as_ref().map(|commit| configuration::in_commit(&repo, commit));
    Ok(StatusReport {
        branch: repo.branch()?,
        dirty: match root {
            Some(_) => Some(repo.dirty()?),
            None => None,
        },
        commit: commit.as_ref().map(|commit| commit.id),
        hooks: hooks(ctx, &repo)?,
        drivers: match root {
            Some(_) => Some(drivers::state(&quiet, &repo)?),
            None => None,
        },
        files: match &root {
            Some(root) => ProtectedFiles::of(ctx, &repo, root, &registry)?,
            None => ProtectedFiles::default(),
        },
        recipients: named.into_iter().map(|(_, recipient)| recipient.value).collect(),
        own_recipient: identity.ok().flatten(),
        configured: loaded.is_present(),
        is_uncommitted: match committed {
            // One that cannot be read is not that of the work tree.
            Some(committed) => !committed.is_ok_and(|committed| loaded.is_that_of(&committed)),
            None => loaded.is_present(),
        },
        agent: root.as_deref().and_then(agent_store),
        outputs: match &root {
            Some(root) => PackOutputs::of(ctx, &repo, root)?,
            None => PackOutputs::default(),
        },
        known: known::extent(&repo),
        remotes: remotes::report(&repo, |url| is_private(&loaded, url))?,
    })
}

fn is_private(loaded: &Loaded, url: &str) -> bool {
    destination(&[&loaded.config], &[url.to_owned()]) == Destination::PrivateRemote
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

fn expected_hooks(repo: &Repository) -> Vec<&'static str> {
    match repo.work_tree() {
        Some(_) => CLIENT_HOOKS.to_vec(),
        None => vec![SERVER_HOOK],
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
