//! The audit of one run: its roots, its records, and whether everything that they name is there.

use std::collections::{BTreeMap, HashMap};

use crate::adapters::git::Repository;
use crate::adapters::git::digest_cache::DigestCache;
use crate::adapters::runs::{RUN_REFS, RUN_ROOTS, Runs};
use crate::adapters::store::git::GitStore;
use crate::adapters::store::{Store, bytes};
use crate::format::digest::Digest;
use crate::format::lite::PackManifest;
use crate::format::object_id::ObjectId;
use crate::format::refusal::{Refusal, Result, io_reason};
use crate::format::run_record::{MAX_BYTES, RunId, RunRefs, TaskSpec, parse_record, parse_roots};
use crate::rules::audit::{Finding, FindingCode, Findings, Observed, Place, Presence};

/// Where runs and what they need are kept.
pub struct Places<'a> {
    /// The repository.
    pub repo: &'a Repository,
    /// Its runs.
    pub runs: &'a Runs,
    /// The files of its content store.
    pub store: &'a dyn Store,
    /// Its digest cache.
    pub cache: &'a DigestCache,
}

/// How closely content is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// It is there.
    Presence,
    /// It is there, and hashes to its name.
    Content,
}

/// The two files of a run.
pub struct RunFiles {
    /// Its roots; none if there is no such file.
    pub roots: Option<Vec<u8>>,
    /// The refs of its records, likewise.
    pub refs: Option<Vec<u8>>,
}

impl RunFiles {
    /// Reads those of a run that was published.
    pub fn read(runs: &Runs, run: &RunId) -> Result<Self> {
        Ok(Self {
            roots: runs.read(run, RUN_ROOTS)?,
            refs: runs.read(run, RUN_REFS)?,
        })
    }
}

/// What came of the audit of a run.
#[derive(Default)]
pub struct RunAudit {
    /// What was found.
    pub findings: Vec<Finding>,
    /// The roots, sorted; none if they cannot be read.
    pub roots: Vec<Digest>,
    /// How many of them are held by git.
    pub in_git: u64,
}

/// What was found out about content already, by other runs of the same audit.
#[derive(Default)]
pub struct Memory {
    known: HashMap<(Digest, Option<ObjectId>), Presence>,
    /// The blobs of trees that were listed already.
    pub trees: HashMap<ObjectId, Vec<ObjectId>>,
}

/// Audits a run; `pending` is a record that is not to be there yet.
pub fn audit_run(
    places: &Places<'_>,
    run: &RunId,
    files: &RunFiles,
    depth: Depth,
    pending: Option<Digest>,
    memory: &mut Memory,
) -> Result<RunAudit> {
    let mut findings = Findings::of(run);
    let roots = match parse(files.roots.as_deref(), parse_roots) {
        Ok(roots) => roots,
        Err(why) => {
            findings.add(FindingCode::RootsInvalid, RUN_ROOTS, None, why);
            return Ok(RunAudit {
                findings: findings.finish(),
                ..RunAudit::default()
            });
        }
    };
    let mut observed = Observed::default();
    let mut damaged = BTreeMap::new();
    match parse(files.refs.as_deref(), parse_record::<RunRefs>) {
        Ok(refs) => {
            let mut read = |hash: &Digest| record(places.store, hash, &mut damaged);
            observed.task = read(&refs.task_spec_ref)?.map(|bytes| parse_record(&bytes));
            observed.outputs = read(&refs.output_hashes_ref)?.map(|bytes| parse_record(&bytes));
            observed.status = read(&refs.status_ref)?.map(|bytes| parse_record(&bytes));
            observed.refs = Some(refs);
        }
        Err(why) => findings.add(FindingCode::RecordInvalid, RUN_REFS, None, why),
    }
    let kept = places.repo.kept_commit(run)?;
    observed.kept = kept.map(|id| id.hex());
    findings.records(&roots, &observed);
    observed.outputs = None;
    let task = observed.task.as_ref().and_then(|task| task.as_ref().ok());
    let git = held_by_git(places, run, task, &mut findings, memory)?;
    let sought: Vec<Digest> = roots.iter().copied().filter(|hash| Some(*hash) != pending).collect();
    let mut found = look_for(places, &git, &sought, depth, memory)?;
    for (hash, presence) in sought.iter().zip(&mut found) {
        if let Some(why) = damaged.remove(hash) {
            *presence = Presence::Corrupt(why.into());
        }
    }
    let in_git = found
        .iter()
        .filter(|presence| **presence == Presence::Here(Place::Git))
        .count() as u64;
    let all_here = found.iter().all(|presence| matches!(presence, Presence::Here(_)));
    if !all_here || !findings.is_empty() {
        let names = names(places.store, observed.refs.as_ref());
        findings.objects(&sought, &found);
        findings.name(&names);
    }
    Ok(RunAudit {
        findings: findings.finish(),
        roots,
        in_git,
    })
}

fn parse<T>(bytes: Option<&[u8]>, parse: impl Fn(&[u8]) -> Result<T, String>) -> Result<T, String> {
    match bytes {
        None => Err("it is not there".into()),
        Some(bytes) => parse(bytes),
    }
}

/// Returns the bytes of a record; none where that is missing, which is told of its root, or damaged.
fn record(store: &dyn Store, hash: &Digest, damaged: &mut BTreeMap<Digest, String>) -> Result<Option<Vec<u8>>> {
    match bytes(store, hash, MAX_BYTES) {
        Ok(bytes) => Ok(bytes),
        Err(refusal) => {
            damaged.insert(*hash, damage(refusal)?);
            Ok(None)
        }
    }
}

/// Returns what is the matter with content that cannot be had as its name says; any other refusal goes on as it came.
fn damage(refusal: Refusal) -> Result<String> {
    match refusal {
        Refusal::Corrupt { what, .. } => Ok(what),
        Refusal::Io { deed, source, .. } => Ok(format!("{deed} it: {}", io_reason(&source))),
        other => Err(other),
    }
}

/// Returns what git holds for a run: the blobs of the commit that its ref keeps, or would have to keep.
fn held_by_git<'a>(
    places: &Places<'a>,
    run: &RunId,
    task: Option<&TaskSpec>,
    findings: &mut Findings<'_>,
    memory: &mut Memory,
) -> Result<GitStore<'a>> {
    let none = || Ok(GitStore::of_nothing(places.repo));
    let commit = match (task, places.repo.kept_commit(run)?) {
        (Some(task), _) => ObjectId::parse(&task.repo_state.commit),
        (None, kept) => kept,
    };
    let Some(commit) = commit else { return none() };
    let tree = match places.repo.commit(&commit.hex()) {
        Ok(commit) => commit.tree,
        Err(e) => {
            findings.add(FindingCode::ObjectMissing, commit.hex(), Some("the commit"), said(e)?);
            return none();
        }
    };
    if let Some(task) = task
        && task.repo_state.tree != tree.hex()
    {
        let what = format!("its tree is {tree}, not {}", task.repo_state.tree);
        findings.add(FindingCode::RecordInvalid, commit.hex(), Some("the commit"), what);
    }
    let blobs = match memory.trees.entry(tree) {
        std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
        std::collections::hash_map::Entry::Vacant(place) => match places.repo.tree_blobs(&tree) {
            Ok(blobs) => place.insert(blobs),
            Err(e) => {
                findings.add(FindingCode::ObjectMissing, tree.hex(), Some("the tree"), said(e)?);
                return none();
            }
        },
    };
    Ok(GitStore::of_blobs(places.repo, places.cache, blobs))
}

/// Returns what an object that cannot be had has to say; anything else goes on as it came.
fn said(refusal: Refusal) -> Result<String> {
    match refusal {
        Refusal::BadRevision { reason, .. } => Ok(reason),
        Refusal::MissingObject { count, example } => Ok(format!("{count} objects are missing, one is {example}")),
        Refusal::Corrupt { what, .. } => Ok(what),
        other => Err(other),
    }
}

/// Looks for content: first with git, then among the files of the store.
pub fn look_for(
    places: &Places<'_>,
    git: &GitStore<'_>,
    sought: &[Digest],
    depth: Depth,
    memory: &mut Memory,
) -> Result<Vec<Presence>> {
    let mut found: Vec<Option<Presence>> = match depth {
        Depth::Presence => vec![None; sought.len()],
        Depth::Content => sought
            .iter()
            .map(|hash| memory.known.get(&(*hash, git.blob(hash))).cloned())
            .collect(),
    };
    let stores: [(&dyn Store, Place); 2] = [(git, Place::Git), (places.store, Place::Disk)];
    for (store, place) in stores {
        let open: Vec<usize> = (0..sought.len()).filter(|at| found[*at].is_none()).collect();
        let hashes: Vec<Digest> = open.iter().map(|at| sought[*at]).collect();
        let seen: Vec<Result<bool>> = match depth {
            Depth::Presence => store.contains_all(&hashes)?.into_iter().map(Ok).collect(),
            Depth::Content => store.check(&hashes),
        };
        for (at, seen) in open.into_iter().zip(seen) {
            found[at] = match seen {
                Ok(true) => Some(Presence::Here(place)),
                Ok(false) => None,
                Err(refusal) => Some(Presence::Corrupt(damage(refusal)?.into())),
            };
        }
    }
    let found: Vec<Presence> = found
        .into_iter()
        .map(|found| found.unwrap_or(Presence::Missing))
        .collect();
    if depth == Depth::Content {
        let keys = sought.iter().map(|hash| (*hash, git.blob(hash)));
        memory.known.extend(keys.zip(found.iter().cloned()));
    }
    Ok(found)
}

/// Returns what is known of the names of a run's contents.
fn names(store: &dyn Store, refs: Option<&RunRefs>) -> BTreeMap<Digest, String> {
    let Some(refs) = refs else { return BTreeMap::new() };
    let manifest = bytes(store, &refs.manifest_ref, MAX_BYTES).ok().flatten();
    let manifest = manifest.and_then(|bytes| parse_record::<PackManifest>(&bytes).ok());
    let entries = manifest.into_iter().flat_map(|manifest| manifest.entries);
    let mut names: BTreeMap<Digest, String> = BTreeMap::new();
    for entry in entries {
        names.entry(entry.content).or_insert(entry.path);
    }
    names.extend(refs.records().map(|(name, hash)| (hash, name.to_owned())));
    names
}
