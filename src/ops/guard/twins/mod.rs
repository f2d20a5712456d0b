//! `git pack protect` and `reveal`: a file and its sealed twin, of which git tracks only the twin.

pub mod agreed;
pub mod both_sides;
pub mod driver_diff;
pub mod driver_merge;
mod fitness;
pub mod ignoring;
mod left_behind;
pub mod one_sided;
pub mod opened;
mod plain_side;
pub mod protect;
pub mod reveal;
mod root_file;
pub mod settle;
pub mod sides;
mod tracked;
mod unmerged;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::adapters::cipher::Identities;
use crate::adapters::clone::twin_notes::TwinNotes;
use crate::adapters::git::blobs::reading;
use crate::adapters::git::index::Sides;
use crate::adapters::git::{Exposure, Repository};
use crate::adapters::{cipher, files};
use crate::format::digest::{Digest, Hasher, Hashing};
use crate::format::object_id::ObjectId;
use crate::format::path_bytes::{bytes_of_path, path_below};
use crate::format::repo_path::RepoPath;
use crate::format::twin::{SUFFIX, TwinNote, VERSION};
use crate::ops::Context;
use crate::ops::configuration;
use crate::ops::contents::ContentAt;
use crate::ops::guard::known;
use crate::ops::keys::identity;
use crate::refusal::twin::MergeFault;
use crate::refusal::usage::Misuse;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};
use crate::rules::protect::Registry;
use crate::rules::twins::{Standing, TwinFault, standing};
use tracked::TrackedTwins;

/// A pair of files in the work tree.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The plaintext's path in the repository.
    pub plain: RepoPath,
    /// The twin's path in the repository.
    pub sealed: RepoPath,
    /// The plaintext on disk.
    plain_file: PathBuf,
    /// The twin on disk.
    sealed_file: PathBuf,
}

/// A pair and its state.
#[derive(Debug)]
pub struct PairReport {
    /// The plaintext's path in the repository.
    pub path: RepoPath,
    /// The state of the pair.
    pub standing: Standing,
    /// Whether git tracks the plaintext beside its twin.
    pub is_tracked: bool,
    /// The commits that hold the plaintext, if they were searched for.
    pub exposure: Exposure,
    /// What is wrong with the tracked twin, if it was examined.
    pub fault: Option<TwinFault>,
    /// What a merge left unmerged of the pair.
    pub unmerged: Option<MergeFault>,
}

impl PairReport {
    /// Returns whether the pair differs, cannot be compared, or is tracked twice.
    pub fn has_drifted(&self) -> bool {
        let agrees = matches!(self.standing, Standing::UpToDate | Standing::SealedOnly);
        self.is_tracked || self.fault.is_some() || !agrees
    }

    /// Returns whether the pair is known to be wrong. Without an identity, nobody can tell that of some pairs.
    pub fn is_wrong(&self) -> bool {
        let is_unknown = self.standing == Standing::Unknown && !self.is_tracked && self.fault.is_none();
        self.has_drifted() && !is_unknown
    }
}

/// The parts of the repository that one command needs.
struct Place {
    repo: Repository,
    root: PathBuf,
    notes: TwinNotes,
    unmerged: BTreeMap<RepoPath, Sides>,
    /// Whether nothing is to be changed, not even the notes about twins.
    is_dry: bool,
}

/// A pair as found on disk.
struct Observed {
    pair: Pair,
    plain_hash: Option<Digest>,
    sealed_hash: Option<Digest>,
    standing: Standing,
}

impl Place {
    fn of(ctx: &Context, action: WorkTreeUse) -> Result<Self> {
        let repo = ctx.repository()?;
        let root = repo.work_tree().ok_or(Refusal::NoWorkTree { action })?;
        let notes = repo.private().twin_notes();
        let unmerged = repo.index()?.unmerged();
        Ok(Self {
            repo,
            root,
            notes,
            unmerged,
            is_dry: false,
        })
    }

    /// Returns the pair of a path on the command line, which may be the plaintext's or its twin's.
    fn pair_of(&self, ctx: &Context, path: &Path) -> Result<Pair> {
        let given = ctx.cwd.join(path);
        let not_a_file = || Refusal::Usage(Misuse::NotAFile { path: path.to_owned() });
        let outside = |_| Refusal::Usage(Misuse::OutsideWorkTree { path: path.to_owned() });
        let name = given.file_name().ok_or_else(not_a_file)?.to_owned();
        let directory = files::canonical(files::parent(&given))?;
        let place = directory.join(name);
        let below = place.strip_prefix(&self.root).map_err(outside)?;
        Ok(self.pair(&RepoPath::new(&bytes_of_path(below))))
    }

    fn pair(&self, path: &RepoPath) -> Pair {
        let bytes = path.as_bytes();
        let plain = RepoPath::new(bytes.strip_suffix(SUFFIX.as_bytes()).unwrap_or(bytes));
        let sealed = RepoPath::new(&[plain.as_bytes(), SUFFIX.as_bytes()].concat());
        Pair {
            plain_file: self.root.join(path_below(plain.as_bytes())),
            sealed_file: self.root.join(path_below(sealed.as_bytes())),
            plain,
            sealed,
        }
    }

    /// Returns every pair whose twin is tracked.
    fn tracked_pairs(&self) -> Result<Vec<Pair>> {
        let paths = self.repo.tracked_paths()?.into_iter();
        let twins = paths.filter(|path| is_twin(path.as_bytes()));
        Ok(twins.map(|path| self.pair(&path)).collect())
    }

    /// Returns every path that git tracks.
    fn tracked(&self) -> Result<BTreeSet<RepoPath>> {
        let files = self.repo.index()?.files_named(|_| true).into_iter();
        Ok(files.map(|file| file.path).collect())
    }

    /// Observes both files. Opens the twin with `identities`, if they can, where no record tells whether both agree.
    fn observe(&self, pair: Pair, identities: &Identities) -> Result<Observed> {
        let plain_hash = hash_of(&pair.plain_file)?;
        let sealed_hash = hash_of(&pair.sealed_file)?;
        let note = self.notes.get(&pair.plain);
        let mut standing = match self.merge_fault(&pair) {
            Some(_) => Standing::Unmerged,
            None => standing(plain_hash.as_ref(), sealed_hash.as_ref(), note.as_ref()),
        };
        // A twin may have got other recipients elsewhere, and hold the same.
        let may_agree = matches!(
            standing,
            Standing::Unknown | Standing::SealedNewer | Standing::BothChanged
        );
        let mut is_noted = note.is_some();
        if may_agree
            && !identities.is_empty()
            && let Ok(opened) = self.hash_of_sealed(&pair, identities)
        {
            standing = match (Some(opened) == plain_hash, standing) {
                (true, _) => Standing::UpToDate,
                (false, Standing::Unknown) => Standing::BothChanged,
                (false, standing) => standing,
            };
            is_noted = false;
        }
        let observed = Observed {
            pair,
            plain_hash,
            sealed_hash,
            standing,
        };
        if standing == Standing::UpToDate && !is_noted {
            self.agree(&observed.pair, observed.plain_hash, observed.sealed_hash)?;
        }
        Ok(observed)
    }

    /// Returns what a merge left unmerged of a pair.
    fn merge_fault(&self, pair: &Pair) -> Option<MergeFault> {
        match self.unmerged.get(&pair.sealed) {
            Some(sides) if sides.ours.is_none() => Some(MergeFault::DeletedByUs),
            Some(sides) if sides.theirs.is_none() => Some(MergeFault::DeletedByThem),
            Some(_) => Some(MergeFault::Twin),
            None if self.unmerged.contains_key(&pair.plain) => Some(MergeFault::Plain),
            None => None,
        }
    }

    /// Refuses a pair that a merge left unmerged: to take either side would lose the other in silence.
    fn ensure_merged(&self, pair: &Pair) -> Result<()> {
        match self.merge_fault(pair) {
            Some(fault) => Err(merge(pair, fault)),
            None => Ok(()),
        }
    }

    /// Remembers the plaintexts by their content, so that the guard recognises them under every name.
    fn learn(&self, registry: &Registry, observed: &[Observed]) {
        let plain = observed.iter().map(|found| known::ProtectedFile {
            path: found.pair.plain.clone(),
            source: ContentAt::File(found.pair.plain_file.clone()),
            formats: Vec::new(),
            attached: false,
        });
        known::remember(&self.repo, registry, plain.collect());
    }

    fn hash_of_sealed(&self, pair: &Pair, identities: &Identities) -> Result<Digest> {
        let opened = files::open_regular(&pair.sealed_file)?;
        let mut hashing = Hashing::new(std::io::sink());
        cipher::decrypt(identities, &opened.file, &mut hashing)
            .map_err(|why| identity::not_opened(why, &pair.sealed.to_string(), identities))?;
        Ok(hashing.finish().1)
    }

    /// Returns the digest of the plaintext of the twin in a blob. `None` if it is not here, or no identity opens it.
    fn hash_of_blob(&self, id: &ObjectId, identities: &Identities) -> Result<Option<Digest>> {
        if identities.is_empty() || !self.repo.has(id) {
            return Ok(None);
        }
        let digests = self.repo.with_blobs(std::slice::from_ref(id), |_, mut blob| {
            let mut hashing = Hashing::new(std::io::sink());
            let opened = cipher::decrypt(identities, &mut blob, &mut hashing);
            // A stream must be read to its end, also if it does not open.
            std::io::copy(&mut blob, &mut std::io::sink()).map_err(|e| reading(id, &e))?;
            Ok(opened.is_ok().then(|| hashing.finish().1))
        })?;
        Ok(digests.into_iter().next().flatten())
    }

    fn agree(&self, pair: &Pair, plain: Option<Digest>, sealed: Option<Digest>) -> Result<()> {
        let (Some(plain_hash), Some(sealed_hash)) = (plain, sealed) else {
            return Ok(());
        };
        let note = self.notes.get(&pair.plain);
        let recipients = note.filter(|note| note.sealed_hash == sealed_hash);
        self.agree_for(
            pair,
            plain_hash,
            sealed_hash,
            recipients.and_then(|note| note.recipients),
        )
    }

    /// Notes that both files agree, and for which recipients the twin is sealed.
    fn agree_for(
        &self,
        pair: &Pair,
        plain_hash: Digest,
        sealed_hash: Digest,
        recipients: Option<Digest>,
    ) -> Result<()> {
        if self.is_dry {
            return Ok(());
        }
        let note = TwinNote {
            version: VERSION.into(),
            plain_hash,
            sealed_hash,
            recipients,
        };
        self.notes.put(&pair.plain, &note)
    }
}

/// Returns the state of each pair whose twin is tracked; `identities` are files named on the command line.
pub fn check(ctx: &Context, identities: &[PathBuf]) -> Result<Vec<PairReport>> {
    check_with(ctx, &identity::load_if_any(ctx, identities)?)
}

/// Like [`check`], but never asks for a passphrase or a touch of a key.
pub fn check_unattended(ctx: &Context) -> Result<Vec<PairReport>> {
    check_with(ctx, &identity::load_if_any(ctx, &[])?.unattended())
}

fn check_with(ctx: &Context, identities: &Identities) -> Result<Vec<PairReport>> {
    let place = Place::of(ctx, WorkTreeUse::Protect)?;
    // Whether a twin is for the configured recipients cannot be told by a configuration that cannot be read.
    configuration::on_disk(&place.root)?;
    let pairs = place.tracked_pairs()?;
    let tracked = place.tracked()?;
    let twins = TrackedTwins::of(ctx, &place, &pairs)?;
    pairs
        .into_iter()
        .map(|pair| {
            let path = pair.plain.clone();
            let found = place.observe(pair, identities)?;
            // The index of an unmerged twin has no blob to hold against the disk.
            let fault = match found.standing {
                Standing::Unmerged => None,
                _ => twins.fault(&found, identities)?,
            };
            Ok(PairReport {
                unmerged: place.merge_fault(&found.pair),
                is_tracked: tracked.contains(&path),
                exposure: Exposure::default(),
                fault,
                path,
                standing: found.standing,
            })
        })
        .collect()
}

/// Keeps the note about the twin at `path` true when its ciphertext is replaced by one of the same plaintext. Returns
/// whether there was a note that named the old ciphertext.
pub fn carry_over(ctx: &Context, path: &Path, old: &Digest, new: &Digest) -> Result<bool> {
    let place = match Place::of(ctx, WorkTreeUse::Twin) {
        Err(Refusal::NotARepository { .. } | Refusal::NoWorkTree { .. }) => return Ok(false),
        other => other?,
    };
    let pair = match place.pair_of(ctx, path) {
        // A path outside of this work tree has no twin here.
        Err(Refusal::Usage(_)) => return Ok(false),
        other => other?,
    };
    if !is_twin(path.as_os_str().as_encoded_bytes()) {
        return Ok(false);
    }
    match place.notes.get(&pair.plain).filter(|note| note.sealed_hash == *old) {
        Some(note) => place.agree(&pair, Some(note.plain_hash), Some(*new)).map(|()| true),
        None => Ok(false),
    }
}

fn merge(pair: &Pair, fault: MergeFault) -> Refusal {
    Refusal::Merge {
        plain: pair.plain.as_bytes().to_vec(),
        sealed: pair.sealed.as_bytes().to_vec(),
        fault,
    }
}

fn nothing_at(path: &Path) -> Refusal {
    const ENOENT: i32 = 2;
    Refusal::io("reading", path)(std::io::Error::from_raw_os_error(ENOENT))
}

fn is_twin(path: &[u8]) -> bool {
    path.len() > SUFFIX.len() && path.ends_with(SUFFIX.as_bytes())
}

fn hash_of(path: &Path) -> Result<Option<Digest>> {
    if !files::exists(path) {
        return Ok(None);
    }
    let opened = files::open_regular(path)?;
    drop(opened);
    let mut hasher = Hasher::default();
    files::read_in_chunks(path, |bytes| hasher.update(bytes))?;
    Ok(Some(hasher.finish()))
}
