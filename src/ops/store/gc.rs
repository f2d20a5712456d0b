//! `git pack gc`: removes from the content store what is no longer needed, once it is old enough.

use std::path::PathBuf;

use crate::adapters::clone::runs::{RUN_ROOTS, Runs};
use crate::adapters::clone::seals::UnfinishedSeals;
use crate::adapters::files;
use crate::adapters::git::{Peeled, Repository};
use crate::adapters::store::disk::{DiskStore, HeldStore, Hold};
use crate::format::digest::Digest;
use crate::format::known::Original;
use crate::format::repo_path::RepoPath;
use crate::format::run_record::{RunId, parse_roots};
use crate::format::timestamp::Period;
use crate::ops::guard::known;
use crate::ops::guard::scan::twins;
use crate::ops::store::audit::sound_pins;
use crate::ops::{Context, configuration};
use crate::refusal::corrupt::Corrupt;
use crate::refusal::{Refusal, Result};
use crate::rules::protect::FileFacts;
use crate::rules::retention::{self, NoRoots, Object, ObservedStore};
use crate::rules::twins::{SealedTwins, plain_of};

/// What to collect, and how.
#[derive(Clone, Copy, Debug)]
pub struct GcRequest {
    /// The age at which an unneeded object is removed.
    pub grace: Period,
    /// Whether only to report.
    pub dry_run: bool,
}

/// What was collected, or would be.
#[derive(Debug)]
pub struct GcReport {
    /// The objects that stay and those that go, with reasons.
    pub plan: retention::RetentionPlan,
    /// Number of files and directories that killed processes left behind.
    pub unfinished: u64,
    /// The age at which an unneeded object is removed.
    pub grace: Period,
    /// Whether the plan was carried out.
    pub applied: bool,
    /// Number of files whose fingerprints were dropped, because nothing protects the files any more.
    pub forgotten: usize,
}

impl GcReport {
    /// Returns whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.unfinished == 0
            && self.forgotten == 0
            && self.plan.released.is_empty()
            && self.plan.removed().next().is_none()
    }
}

/// A planned collection. It holds the lock of the store until it is dropped, so the store cannot change meanwhile.
#[must_use = "a plan does nothing until it is applied"]
pub struct Collection {
    /// The objects that stay and those that go, with reasons.
    pub retention: retention::RetentionPlan,
    /// The leftovers of killed processes: unfinished files, and locks of refs.
    pub unfinished: Vec<PathBuf>,
    repo: Repository,
    store: DiskStore,
    _lock: Option<HeldStore>,
    /// Held, so that nobody writes what is beside the receipts of earlier sealings.
    _seals: UnfinishedSeals,
}

/// Collects, or only reports what a collection would do.
pub fn gc(ctx: &Context, request: GcRequest) -> Result<GcReport> {
    let plan = plan(ctx, request)?;
    if !request.dry_run {
        apply(&plan)?;
    }
    Ok(GcReport {
        forgotten: forget(&plan.repo, request.dry_run)?,
        unfinished: plan.unfinished.len() as u64,
        plan: plan.retention,
        grace: request.grace,
        applied: !request.dry_run,
    })
}

/// Plans a collection. Refuses if it is not certain what must stay.
fn plan(ctx: &Context, request: GcRequest) -> Result<Collection> {
    let repo = ctx.repository()?;
    let (runs, store) = (repo.private().runs(), repo.private().store());
    let seals = repo.private().seals().unfinished()?;
    let mut plan = Collection {
        retention: retention::RetentionPlan::default(),
        unfinished: seals.paths.clone(),
        _lock: None,
        _seals: seals,
        repo,
        store,
    };
    if !plan.store.exists() && plan.repo.runs_with_refs()?.is_empty() {
        return Ok(plan);
    }
    plan._lock = match request.dry_run {
        true => plan.store.lock_if_held_before(Hold::Exclusive)?,
        false => Some(plan.store.lock(Hold::Exclusive)?),
    };
    let pins = sound_pins(&runs)?;
    let roots = |run: RunId| Ok((run.clone(), sound_roots(&runs, &run)?));
    let roots = runs.ids()?.into_iter().map(roots).collect::<Result<Vec<_>>>()?;
    let refs = plan.repo.runs_with_refs()?;
    let listing = plan.store.list()?;
    let objects = listing.stored.iter().map(|stored| Object {
        hash: stored.hash,
        bytes: stored.bytes,
        written: stored.written,
    });
    let planned = retention::plan(&ObservedStore {
        objects: &objects.collect::<Vec<_>>(),
        runs: &roots,
        pins: &pins,
        refs: &refs,
        now: ctx.now.seconds(),
        grace: request.grace.seconds(),
    });
    plan.retention = planned.map_err(|lost| no_roots(lost, &plan.store))?;
    plan.unfinished.extend(listing.unfinished);
    plan.unfinished.extend(runs.unfinished()?);
    plan.unfinished.extend(plan.repo.locks_of_run_refs()?);
    Ok(plan)
}

/// Applies a plan. Each step leaves everything that is needed in place, so a kill between two steps does no harm.
fn apply(plan: &Collection) -> Result<()> {
    plan.unfinished.iter().try_for_each(|path| files::remove_whole(path))?;
    plan.retention
        .removed()
        .try_for_each(|object| plan.store.remove(&object.hash))?;
    match plan.retention.released.as_slice() {
        [] => Ok(()),
        released => plan.repo.release_commits(released),
    }
}

/// Forgets known plaintext that is no longer protected by a rule, a twin, or the seal of an attached file.
fn forget(repo: &Repository, dry_run: bool) -> Result<usize> {
    let mut sealed = SealedTwins::default();
    twins::collect(
        repo,
        repo.index()?.files_named(|path| plain_of(path).is_some()),
        &mut sealed,
    )?;
    // What another branch or a remote protects will be protected here, too, once it is checked out.
    let mut commits = Vec::new();
    for (_, id) in repo.refs("refs/")? {
        if repo.has(&id)
            && let Peeled::Commit(commit) = repo.peel(&id)?
        {
            commits.push(commit);
        }
    }
    twins::everywhere(repo, &twins::trees_of(repo, &commits)?, &mut sealed)?;
    let mut registries = vec![configuration::here(repo)?.registry()?.with_twins(&sealed)];
    if repo.has_commit()? {
        let head = configuration::in_commit_or_none(repo, &repo.commit("HEAD")?)?;
        registries.push(head.registry()?.with_twins(&sealed));
    }
    let attached = repo.private().seals().artifacts()?;
    let keeps = |path: &RepoPath, original: &Original| {
        let file = FileFacts {
            path: path.as_bytes(),
            formats: &original.formats,
            blob: None,
        };
        let by_rule = registries.iter().any(|registry| registry.judge_file(&file).is_some());
        by_rule || (original.attached && attached.contains(&*path.text()))
    };
    known::forget(repo, keeps, dry_run)
}

fn sound_roots(runs: &Runs, run: &RunId) -> Result<Vec<Digest>> {
    let roots = match runs.read(run, RUN_ROOTS)? {
        Some(bytes) => parse_roots(&bytes),
        None => Err("the file does not exist".into()),
    };
    roots.map_err(|said| {
        Refusal::Corrupt(Corrupt::Roots {
            path: runs.directory(run).join(RUN_ROOTS),
            said,
        })
    })
}

fn no_roots(lost: NoRoots, store: &DiskStore) -> Refusal {
    Refusal::Corrupt(Corrupt::NoRoots {
        objects: lost.objects,
        store: store.directory().to_owned(),
    })
}
