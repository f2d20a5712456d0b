//! `git pack reveal`: opens sealed twins beside themselves.

use std::path::PathBuf;

use crate::adapters::cipher;
use crate::adapters::files::{self, place_unnamed};
use crate::adapters::git::Exposure;
use crate::format::digest::Hashing;
use crate::format::repo_path::RepoPath;
use crate::ops::guard::twins::ignoring::Ignoring;
use crate::ops::guard::twins::{Observed, Pair, PairReport, Place, nothing_at};
use crate::ops::keys::identity;
use crate::ops::{Context, configuration};
use crate::refusal::twin::TwinConflict;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};
use crate::rules::twins::Standing;

/// The file mode of revealed plaintext: its owner's alone.
pub(super) const PRIVATE: u32 = 0o600;

/// The files to reveal, and how.
#[derive(Clone, Debug)]
pub struct RevealRequest {
    /// The files or their twins; if empty, every tracked twin.
    pub files: Vec<PathBuf>,
    /// Write over a plaintext that holds something else.
    pub force: bool,
    /// The identity files; if empty, those in force.
    pub identities: Vec<PathBuf>,
    /// Open the files without keeping them.
    pub dry_run: bool,
}

/// The outcome.
#[derive(Debug)]
pub struct RevealReport {
    /// The files.
    pub files: Vec<PairReport>,
    /// Whether git ignores them.
    pub ignoring: Ignoring,
    /// Plaintexts with the same contents under names beside which no twin stands any more.
    pub left: Vec<RepoPath>,
}

/// Decrypts each twin to its plaintext file, but never over a plaintext that changed.
///
/// All of them are opened into files without a name before the first one gets its place, so a failure leaves nothing.
pub fn reveal(ctx: &Context, request: &RevealRequest) -> Result<RevealReport> {
    let mut place = Place::of(ctx, WorkTreeUse::Reveal)?;
    place.is_dry = request.dry_run;
    // A twin that is sealed with a passphrase opens without an identity.
    let identities = identity::load_if_any(ctx, &request.identities)?;
    let pairs = match request.files.is_empty() {
        true => place.tracked_pairs()?,
        false => {
            let pairs = request.files.iter().map(|file| place.pair_of(ctx, file));
            pairs.collect::<Result<_>>()?
        }
    };
    let mut observed = Vec::new();
    for pair in pairs {
        place.ensure_may_have_a_twin(&pair)?;
        let found = place.observe(pair, &identities)?;
        place.ensure_merged(&found.pair)?;
        if found.sealed_hash.is_none() {
            return Err(nothing_at(&found.pair.sealed_file));
        }
        // Whoever names a key asks what it opens, also where a note says that nothing is to be done. If the key opens nothing,
        // that is also why the twin cannot be compared.
        let asks = found.standing == Standing::UpToDate && !request.identities.is_empty();
        if asks || found.standing == Standing::Unknown {
            let sealed = files::open_regular(&found.pair.sealed_file)?;
            cipher::open(&identities, &sealed.file)
                .map_err(|why| identity::not_opened(why, &found.pair.sealed.to_string(), &identities))?;
        }
        ensure_may_be_written(&found, request.force)?;
        observed.push(found);
    }
    let mut opened = Vec::new();
    for found in &observed {
        if found.standing == Standing::UpToDate {
            opened.push(None);
            continue;
        }
        let pair = &found.pair;
        let sealed = files::open_regular(&pair.sealed_file)?;
        let unnamed = files::unnamed_beside(&pair.plain_file, PRIVATE)?;
        let mut hashing = Hashing::new(unnamed);
        cipher::decrypt(&identities, &sealed.file, &mut hashing)
            .map_err(|why| identity::not_opened(why, &pair.sealed.to_string(), &identities))?;
        sealed.ensure_unchanged()?;
        let (file, hash, _) = hashing.finish();
        opened.push(Some((file, hash)));
    }
    if request.dry_run {
        return Ok(RevealReport {
            files: reports(observed),
            ignoring: Ignoring::default(),
            left: Vec::new(),
        });
    }
    let pairs: Vec<&Pair> = observed.iter().map(|found| &found.pair).collect();
    let _held = place.repo.private().lock_edits(false)?;
    let ignoring = Ignoring::apply(&place, &pairs)?;
    let mut new = Vec::new();
    for (found, opened) in observed.iter().zip(opened) {
        let Some((file, hash)) = opened else { continue };
        if found.standing == Standing::SealedOnly && !place.notes.has(&found.pair.plain) {
            new.push(hash);
        }
        place_unnamed(file, &found.pair.plain_file, PRIVATE)?;
        place.agree(&found.pair, Some(hash), found.sealed_hash)?;
    }
    // The files are revealed already, so a bad configuration on disk is no reason to fail.
    if let Ok(registry) = configuration::here(&place.repo).and_then(|loaded| loaded.registry()) {
        place.learn(&registry, &observed);
    }
    let left = place.left_behind(&new)?;
    Ok(RevealReport {
        files: reports(observed),
        ignoring,
        left,
    })
}

fn reports(observed: Vec<Observed>) -> Vec<PairReport> {
    let reports = observed.into_iter().map(|found| PairReport {
        is_tracked: false,
        exposure: Exposure::default(),
        fault: None,
        path: found.pair.plain,
        standing: found.standing,
        unmerged: None,
    });
    reports.collect()
}

fn ensure_may_be_written(found: &Observed, force: bool) -> Result<()> {
    let conflict = match found.standing {
        Standing::UpToDate | Standing::SealedOnly | Standing::SealedNewer | Standing::PlainOnly => return Ok(()),
        _ if force => return Ok(()),
        Standing::PlainNewer => TwinConflict::PlainChanged,
        Standing::BothChanged => TwinConflict::PlainDiffers,
        Standing::Unknown | Standing::Unmerged => TwinConflict::PlainUnknown,
    };
    Err(Refusal::TwinDiffers {
        path: found.pair.plain_file.clone(),
        plain: found.pair.plain.as_bytes().to_vec(),
        conflict,
    })
}
