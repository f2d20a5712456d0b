//! The audit of one run: its roots, its records, and the presence of everything that they name.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use crate::adapters::clone::digests::DigestCache;
use crate::adapters::clone::runs::{RUN_REFS, RUN_ROOTS, Runs};
use crate::adapters::git::Repository;
use crate::adapters::store::git::GitStore;
use crate::adapters::store::{Store, bytes};
use crate::format::digest::Digest;
use crate::format::lite::PackManifest;
use crate::format::object_id::ObjectId;
use crate::format::run_record::{MAX_BYTES, RunId, RunRefs, TaskSpec, parse_record, parse_roots};
use crate::refusal::{Refusal, Result, io_reason};
use crate::rules::audit::{AuditFinding, AuditFindings, FindingCode, ObservedRun, Presence, StoredIn};
use crate::rules::audited_entries::SeenEntries;

/// Where runs and their content are kept.
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

/// How thoroughly content is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The content exists.
    Presence,
    /// The content exists, and its hash is its name.
    Content,
}

/// The two files of a run.
pub struct RunFiles {
    /// Its roots, or why they cannot be read.
    pub roots: Result<Vec<Digest>, String>,
    /// The refs of its records; none if there is no such file.
    pub refs: Option<Vec<u8>>,
}

impl RunFiles {
    /// Reads the files of a published run.
    pub fn read(runs: &Runs, run: &RunId) -> Result<Self> {
        Ok(Self {
            roots: parse(runs.read(run, RUN_ROOTS)?.as_deref(), parse_roots),
            refs: runs.read(run, RUN_REFS)?,
        })
    }
}

/// The result of the audit of a run.
#[derive(Default)]
pub struct RunAudit {
    /// The findings.
    pub findings: Vec<AuditFinding>,
    /// Number of roots that git holds.
    pub in_git: u64,
}

/// Results about content from other runs of the same audit.
#[derive(Default)]
pub struct AuditMemory {
    known: Option<HashMap<(Digest, Option<ObjectId>), Presence>>,
}

impl AuditMemory {
    /// Keeps results for the runs that follow.
    pub fn of_many() -> Self {
        Self {
            known: Some(HashMap::new()),
        }
    }
}

/// Audits a run; `pending` is a record that need not exist yet.
pub fn audit_run(
    places: &Places<'_>,
    run: &RunId,
    files: &RunFiles,
    depth: Depth,
    pending: Option<Digest>,
    memory: &mut AuditMemory,
) -> Result<RunAudit> {
    let mut findings = AuditFindings::of(run);
    let roots = match &files.roots {
        Ok(roots) => roots,
        Err(why) => {
            findings.add(FindingCode::RootsInvalid, RUN_ROOTS, None, why);
            return Ok(RunAudit {
                findings: findings.finish(),
                ..RunAudit::default()
            });
        }
    };
    let mut observed = ObservedRun::default();
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
    findings.records(roots, &observed);
    // At the end of sealing, the manifest and its outputs have just been made from the same entries, so a comparison
    // would prove nothing.
    if depth == Depth::Content
        && let Some(refs) = &observed.refs
    {
        manifest(places.store, refs, &observed, &mut findings);
    }
    observed.outputs = None;
    let task = observed.task.as_ref().and_then(|task| task.as_ref().ok());
    let git = held_by_git(places, run, task, &mut findings)?;
    let sought = match pending {
        Some(pending) => roots.iter().copied().filter(|hash| *hash != pending).collect(),
        None => Cow::Borrowed(&roots[..]),
    };
    let mut found = look_for(places, &git, &sought, depth, memory)?;
    drop(git);
    for (hash, presence) in sought.iter().zip(&mut found) {
        if let Some(why) = damaged.remove(hash) {
            *presence = Presence::Corrupt(why.into());
        }
    }
    let in_git = found
        .iter()
        .filter(|presence| **presence == Presence::Here(StoredIn::Git))
        .count() as u64;
    let all_here = found.iter().all(|presence| matches!(presence, Presence::Here(_)));
    if !all_here || !findings.is_empty() {
        let names = names(places.store, observed.refs.as_ref());
        findings.objects(&sought, &found);
        findings.name(&names);
    }
    Ok(RunAudit {
        findings: findings.finish(),
        in_git,
    })
}

fn parse<T>(bytes: Option<&[u8]>, parse: impl Fn(&[u8]) -> Result<T, String>) -> Result<T, String> {
    match bytes {
        None => Err("the file does not exist".into()),
        Some(bytes) => parse(bytes),
    }
}

/// Checks the manifest of a run. If it is missing or damaged, that is reported as one of a root.
fn manifest(store: &dyn Store, refs: &RunRefs, observed: &ObservedRun, findings: &mut AuditFindings<'_>) {
    let mut entries = SeenEntries::of(observed.listed());
    let mut read = None;
    let stored = store.get(&refs.manifest_ref, &mut |content| {
        read = PackManifest::read_each(content, &mut |entry| entries.add(entry)).ok();
        Ok(())
    });
    match (stored, read) {
        (Ok(true), Some(Some(hull))) => findings.manifest(&hull, entries, observed),
        (Ok(true), Some(None)) => {
            let whole = bytes(store, &refs.manifest_ref, MAX_BYTES).ok().flatten();
            let why = whole.and_then(|bytes| parse_record::<PackManifest>(&bytes).err());
            findings.add(
                FindingCode::RecordInvalid,
                refs.manifest_ref.to_string(),
                Some("PACK_MANIFEST"),
                why.unwrap_or_else(|| "it is not in canonical form".into()),
            );
        }
        _ => {}
    }
}

/// Returns the bytes of a record; none if it is missing or damaged. A missing record is reported as a missing root.
fn record(store: &dyn Store, hash: &Digest, damaged: &mut BTreeMap<Digest, String>) -> Result<Option<Vec<u8>>> {
    match bytes(store, hash, MAX_BYTES) {
        Ok(bytes) => Ok(bytes),
        Err(refusal) => {
            damaged.insert(*hash, damage(refusal)?);
            Ok(None)
        }
    }
}

/// Returns the description of damaged content; passes any other refusal on.
fn damage(refusal: Refusal) -> Result<String> {
    match refusal {
        Refusal::Corrupt(corrupt) => Ok(corrupt.to_string()),
        Refusal::Io { deed, source, .. } => Ok(format!("{deed} it: {}", io_reason(&source))),
        other => Err(other),
    }
}

/// Returns what git holds for a run: the blobs of the commit that its ref keeps, or has to keep.
fn held_by_git<'a>(
    places: &Places<'a>,
    run: &RunId,
    task: Option<&TaskSpec>,
    findings: &mut AuditFindings<'_>,
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
    match places.repo.tree_blobs(&tree) {
        Ok(blobs) => Ok(GitStore::of_blobs(places.repo, places.cache, &blobs)),
        Err(e) => {
            findings.add(FindingCode::ObjectMissing, tree.hex(), Some("the tree"), said(e)?);
            none()
        }
    }
}

/// Returns the reason why an object cannot be read; passes any other refusal on.
fn said(refusal: Refusal) -> Result<String> {
    match refusal {
        Refusal::BadRevision { fault, .. } => Ok(fault.to_string()),
        Refusal::MissingObject { count, example } => Ok(format!("{count} objects are missing, one is {example}")),
        Refusal::Corrupt(corrupt) => Ok(corrupt.to_string()),
        other => Err(other),
    }
}

/// Looks for content in git first, then in the files of the store.
pub fn look_for(
    places: &Places<'_>,
    git: &GitStore<'_>,
    sought: &[Digest],
    depth: Depth,
    memory: &mut AuditMemory,
) -> Result<Vec<Presence>> {
    let mut found = vec![Presence::Missing; sought.len()];
    let mut open: Vec<usize> = (0..sought.len()).collect();
    if let (Depth::Content, Some(known)) = (depth, &memory.known) {
        open.retain(|at| match known.get(&(sought[*at], git.blob(&sought[*at]))) {
            Some(presence) => {
                found[*at] = presence.clone();
                false
            }
            None => true,
        });
    }
    let new = open.clone();
    let stores: [(&dyn Store, StoredIn); 2] = [(git, StoredIn::Git), (places.store, StoredIn::Disk)];
    for (store, place) in stores {
        let hashes: Cow<'_, [Digest]> = match open.len() == sought.len() {
            true => Cow::Borrowed(sought),
            false => open.iter().map(|at| sought[*at]).collect(),
        };
        let mut closed = Vec::with_capacity(open.len());
        match depth {
            Depth::Presence => closed.extend(store.contains_all(&hashes)?),
            Depth::Content => {
                for (at, seen) in open.iter().zip(store.check(&hashes)) {
                    closed.push(!matches!(seen, Ok(false)));
                    if let Err(refusal) = seen {
                        found[*at] = Presence::Corrupt(damage(refusal)?.into());
                    }
                }
            }
        }
        let mut closed = closed.into_iter();
        open.retain(|at| {
            let is_closed = closed.next().unwrap_or_default();
            if is_closed && found[*at] == Presence::Missing {
                found[*at] = Presence::Here(place);
            }
            !is_closed
        });
    }
    if let (Depth::Content, Some(known)) = (depth, &mut memory.known) {
        let keys = new
            .into_iter()
            .map(|at| ((sought[at], git.blob(&sought[at])), found[at].clone()));
        known.extend(keys);
    }
    Ok(found)
}

/// Returns the known names of a run's contents.
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
