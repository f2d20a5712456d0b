//! `git pack audit`: checks that everything that runs and pins need is rooted, present, and has the content of its
//! name.

pub mod run;

use crate::adapters::clone::digests::DigestCache;
use crate::adapters::clone::runs::{GC_PINS, Runs, no_such_run};
use crate::adapters::git::Repository;
use crate::adapters::store::Store;
use crate::adapters::store::git::GitStore;
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::run_record::{AuditVerdict, RunId, parse_roots, write_roots};
use crate::ops::Context;
use crate::refusal::corrupt::Corrupt;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::audit::{AuditFinding, FindingCode, Presence, StoredIn};
use run::{AuditMemory, Depth, Places, RunFiles, audit_run, look_for};

/// What to audit.
#[derive(Clone, Debug, Default)]
pub struct AuditRequest {
    /// One run, by its id or as `last`; if none, all runs and the pins.
    pub run: Option<String>,
    /// Whether to compare the digest cache with the blobs.
    pub deep: bool,
}

/// The result.
#[derive(Debug)]
pub struct AuditReport {
    /// The run that was audited; none if all were.
    pub run: Option<RunId>,
    /// The findings.
    pub findings: Vec<AuditFinding>,
    /// Number of runs.
    pub runs: u64,
    /// Number of different roots.
    pub roots: u64,
    /// Number of roots of the runs that git holds.
    pub in_git: u64,
    /// Number of pins.
    pub pins: u64,
    /// Number of files in the store.
    pub stored: u64,
    /// Their total size in bytes.
    pub stored_bytes: u64,
    /// How many of them no root names.
    pub unrooted: u64,
    /// Number of records of the digest cache that were compared with their blobs.
    pub cached: Option<u64>,
}

impl AuditReport {
    /// Returns the verdict.
    pub fn verdict(&self) -> AuditVerdict {
        match self.findings.is_empty() {
            true => AuditVerdict::Pass,
            false => AuditVerdict::Fail,
        }
    }
}

/// Audits a repository's runs.
pub fn audit(ctx: &Context, request: &AuditRequest) -> Result<AuditReport> {
    let repo = ctx.repository()?;
    let (runs, store) = (repo.private().runs(), repo.private().store());
    let _lock = store.lock_to_read()?;
    let cache = repo.private().digests();
    let places = Places {
        repo: &repo,
        runs: &runs,
        store: &store,
        cache,
    };
    let wanted = match request.run.as_deref() {
        None => None,
        Some(name) => Some(named(&runs, name)?),
    };
    let ids = match &wanted {
        Some(run) => vec![run.clone()],
        None => runs.ids()?,
    };
    let mut memory = match ids.len() {
        0..=1 => AuditMemory::default(),
        _ => AuditMemory::of_many(),
    };
    let (mut findings, mut roots, mut in_git) = (Vec::new(), Vec::<Digest>::new(), 0);
    for id in &ids {
        let files = RunFiles::read(&runs, id)?;
        let audited = audit_run(&places, id, &files, Depth::Content, None, &mut memory)?;
        findings.extend(audited.findings);
        let its_roots = files.roots.unwrap_or_default();
        match roots.is_empty() {
            true => roots = its_roots,
            false => roots.extend(its_roots),
        }
        in_git += audited.in_git;
    }
    let mut pins = Vec::new();
    if wanted.is_none() {
        pins = audit_pins(&places, &mut findings, &mut memory)?;
    }
    let cached = match request.deep {
        true => Some(audit_cache(&repo, cache, &mut findings)?),
        false => None,
    };
    roots.sort_unstable();
    roots.dedup();
    findings.sort_unstable();
    let stored = store.list()?.stored;
    let named = |hash: &Digest| roots.binary_search(hash).is_ok() || pins.binary_search(hash).is_ok();
    Ok(AuditReport {
        findings,
        runs: ids.len() as u64,
        roots: roots.len() as u64,
        in_git,
        pins: pins.len() as u64,
        stored: stored.len() as u64,
        stored_bytes: stored.iter().map(|stored| stored.bytes).sum(),
        unrooted: match wanted {
            None => stored.iter().filter(|stored| !named(&stored.hash)).count() as u64,
            Some(_) => 0,
        },
        run: wanted,
        cached,
    })
}

/// Returns the run named by its id, or as `last`.
fn named(runs: &Runs, name: &str) -> Result<RunId> {
    let id = match name {
        "last" => runs.last()?,
        name => RunId::parse(name),
    };
    id.filter(|id| runs.has(id)).ok_or_else(|| no_such_run(name))
}

/// Returns the pins, or why they cannot be read.
fn pins(runs: &Runs) -> Result<Result<Vec<Digest>, String>> {
    Ok(runs.pins()?.map_or(Ok(Vec::new()), |bytes| parse_roots(&bytes)))
}

fn audit_pins(places: &Places<'_>, findings: &mut Vec<AuditFinding>, memory: &mut AuditMemory) -> Result<Vec<Digest>> {
    let mut add = |code, subject: String, detail: String| {
        findings.push(AuditFinding {
            run: None,
            code,
            subject,
            name: Some("a pin".into()),
            detail,
        });
    };
    let pins = match pins(places.runs)? {
        Ok(pins) => pins,
        Err(why) => {
            add(FindingCode::PinsInvalid, GC_PINS.into(), why);
            return Ok(Vec::new());
        }
    };
    let nothing = GitStore::of_nothing(places.repo);
    let found = look_for(places, &nothing, &pins, Depth::Content, memory)?;
    for (hash, presence) in pins.iter().zip(found) {
        match presence {
            Presence::Here(StoredIn::Disk | StoredIn::Git) => {}
            Presence::Missing => add(
                FindingCode::ObjectMissing,
                hash.to_string(),
                "it is not in the content store".into(),
            ),
            Presence::Corrupt(why) => add(FindingCode::ObjectCorrupt, hash.to_string(), why.into()),
        }
    }
    Ok(pins)
}

/// Compares every record of the digest cache with its blob. A record of a missing blob proves nothing, and is skipped.
fn audit_cache(repo: &Repository, cache: &DigestCache, findings: &mut Vec<AuditFinding>) -> Result<u64> {
    let mut records = cache.records();
    let ids: Vec<ObjectId> = records.iter().map(|(id, ..)| *id).collect();
    let absent = repo.absent(&ids)?;
    records.retain(|(id, ..)| absent.binary_search(id).is_err());
    let ids: Vec<ObjectId> = records.iter().map(|(id, ..)| *id).collect();
    let hashed: Vec<Result<(Digest, u64)>> = match repo.hash_blobs(&ids) {
        Ok(hashed) => hashed.into_iter().map(Ok).collect(),
        Err(_) => ids.iter().map(|id| Ok(repo.hash_blobs(&[*id])?[0])).collect(),
    };
    for ((id, hash, size), derived) in records.iter().zip(hashed) {
        let (code, detail) = match derived {
            Ok(derived) if derived == (*hash, *size) => continue,
            Ok((derived, bytes)) => (
                FindingCode::CacheWrong,
                format!("it says {hash} and {size} bytes; the blob has {derived} and {bytes}"),
            ),
            Err(Refusal::Corrupt(corrupt)) => (FindingCode::ObjectCorrupt, corrupt.to_string()),
            Err(other) => return Err(other),
        };
        findings.push(AuditFinding {
            run: None,
            code,
            subject: id.hex(),
            name: Some("the digest cache".into()),
            detail,
        });
    }
    Ok(records.len() as u64)
}

/// The result for a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// The pin is new.
    Added,
    /// The pin existed.
    Known,
    /// The pin was removed.
    Removed,
    /// There was no such pin.
    Unknown,
}

/// Pins content of the store, so that it is kept without a run. Content that only git has is not copied into the store,
/// because it may be protected. A dry run returns what would change.
pub fn pin(ctx: &Context, hash: &Digest, dry_run: bool) -> Result<Pinned> {
    let repo = ctx.repository()?;
    let (runs, store) = (repo.private().runs(), repo.private().store());
    let _lock = store.lock(crate::adapters::store::disk::Hold::Exclusive)?;
    if !store.get(hash, &mut |_| Ok(()))? {
        return Err(Refusal::Usage(Misuse::NotInStore {
            content: hash.to_string(),
        }));
    }
    change_pins(&runs, dry_run, |pins| match pins.binary_search(hash) {
        Ok(_) => Pinned::Known,
        Err(at) => {
            pins.insert(at, *hash);
            Pinned::Added
        }
    })
}

/// Removes a pin. A dry run returns what would change.
pub fn unpin(ctx: &Context, hash: &Digest, dry_run: bool) -> Result<Pinned> {
    let repo = ctx.repository()?;
    let (runs, store) = (repo.private().runs(), repo.private().store());
    let _lock = store.lock(crate::adapters::store::disk::Hold::Exclusive)?;
    change_pins(&runs, dry_run, |pins| match pins.binary_search(hash) {
        Ok(at) => {
            pins.remove(at);
            Pinned::Removed
        }
        Err(_) => Pinned::Unknown,
    })
}

/// Returns the pins, and refuses if they cannot be read.
pub fn sound_pins(runs: &Runs) -> Result<Vec<Digest>> {
    pins(runs)?.map_err(|said| {
        Refusal::Corrupt(Corrupt::Pins {
            path: runs.pins_path(),
            said,
        })
    })
}

fn change_pins(runs: &Runs, dry_run: bool, change: impl FnOnce(&mut Vec<Digest>) -> Pinned) -> Result<Pinned> {
    let mut pins = sound_pins(runs)?;
    let changed = change(&mut pins);
    if !dry_run && matches!(changed, Pinned::Added | Pinned::Removed) {
        runs.write_pins(&write_roots(pins))?;
    }
    Ok(changed)
}

/// Parses a content ref.
pub fn content_ref(text: &str) -> Result<Digest> {
    Digest::parse_ref(text).ok_or_else(|| Refusal::Usage(Misuse::BadContentRef { found: text.to_owned() }))
}
