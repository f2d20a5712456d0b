//! `git pack protect`: seals files beside themselves, and makes git track the sealed twin instead.

use std::path::PathBuf;

use crate::adapters::cipher;
use crate::adapters::files;
use crate::adapters::interruption;
use crate::format::digest::Digest;
use crate::format::repo_path::RepoPath;
use crate::ops::guard::drivers;
use crate::ops::guard::twins::opened::MAX_TEXT;
use crate::ops::guard::twins::root_file::RootFile;
use crate::ops::guard::twins::settle::SideTaken;
use crate::ops::guard::twins::tracked::sealed_for;
use crate::ops::guard::twins::{Observed, PairReport, Place, ignoring, is_twin, merge, nothing_at};
use crate::ops::keys::{identity, recipients};
use crate::ops::{Context, configuration};
use crate::refusal::keys::RecipientsElsewhere;
use crate::refusal::twin::{MergeFault, NotOneFile, TwinConflict};
use crate::refusal::usage::Misuse;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};
use crate::rules::protect::is_run_output;
use crate::rules::twins::{
    Standing, TwinFault, attribute_line, changing_attribute, has_conflict_markers, is_attribute_line,
    with_attribute_line,
};

const GITATTRIBUTES: &str = ".gitattributes";

/// The files to protect, and how.
#[derive(Clone, Debug)]
pub struct ProtectRequest {
    /// The files.
    pub files: Vec<PathBuf>,
    /// Seal over a twin that holds something else.
    pub force: bool,
    /// The plaintexts are what a person made of both sides of a merge: stage their twins, which settles the merge.
    pub resolved: bool,
    /// The identity files; if empty, those in force.
    pub identities: Vec<PathBuf>,
    /// Refuse what would be refused, and change nothing.
    pub dry_run: bool,
}

/// The outcome.
#[derive(Debug)]
pub struct ProtectReport {
    /// The files; [`Standing::UpToDate`] means that the twin was right already.
    pub files: Vec<PairReport>,
    /// The number of recipients.
    pub recipients: usize,
    /// The files of git's that were changed but not staged, because they have other unstaged changes.
    pub unstaged: Vec<&'static str>,
    /// The plaintexts whose conflict was settled with one side as it was.
    pub one_side: Vec<SideTaken>,
    /// The plaintexts that git still does not ignore, because a deeper `.gitignore` includes them again.
    pub not_ignored: Vec<RepoPath>,
}

/// Encrypts each file to `<file>.age`, removes the plaintext from the index but not from disk, ignores it, and stages
/// the twin.
///
/// Everything that may be refused is refused before the first write.
pub fn protect(ctx: &Context, request: &ProtectRequest) -> Result<ProtectReport> {
    let mut place = Place::of(ctx, WorkTreeUse::Protect)?;
    place.is_dry = request.dry_run;
    let loaded = configuration::on_disk(&place.root)?;
    let recipients = recipients::of_config(ctx, &loaded)?;
    let mut observed = observe(ctx, request, &place)?;
    if !recipients.names().is_empty() {
        place.reseal_for(ctx, &mut observed, &recipients)?;
    }
    if recipients.names().is_empty() {
        return Err(Refusal::NoRecipients {
            artifacts: observed.iter().map(|found| found.pair.plain.to_string()).collect(),
            elsewhere: match loaded.is_present() {
                true => RecipientsElsewhere::Unnamed,
                false => RecipientsElsewhere::Nowhere,
            },
        });
    }
    let exposures = observed.iter().map(|found| place.repo.exposure(&found.pair.plain));
    let exposures = exposures.collect::<Result<Vec<_>>>()?;
    let one_side = observed.iter().map(|found| place.side_taken(found));
    let one_side = one_side.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    let planned = || -> Result<[RootFile; 2]> {
        let plaintexts = observed.iter().map(|found| &found.pair.plain);
        Ok([ignoring::plan(&place, plaintexts)?, attributing(&place, &observed)?])
    };
    let mut root_files = planned()?;
    // Two calls at once must not write over each other's lines. What is refused makes no lock.
    let held = place.repo.private().lock_edits(request.dry_run)?;
    if held.is_some() {
        root_files = planned()?;
    }
    if !request.dry_run {
        interruption::between_files(|| {
            apply(&place, &observed, &recipients, &root_files).inspect_err(|_| undo(&root_files, &observed))
        })?;
    }
    if !request.dry_run {
        // The files are sealed, and without the drivers git only compares and merges them as binary files.
        drop(ctx.repository().and_then(|repo| drivers::plan(ctx, repo)?.apply()));
        place.learn(&loaded.registry()?, &observed);
    }
    let mut not_ignored = Vec::new();
    for found in observed.iter().filter(|_| !request.dry_run) {
        if !place.repo.is_ignored(&found.pair.plain)? {
            not_ignored.push(found.pair.plain.clone());
        }
    }
    let sealed: Vec<RepoPath> = observed.iter().map(|found| found.pair.sealed.clone()).collect();
    let attributes = place.repo.twin_attributes(&sealed)?;
    let files = observed.into_iter().zip(exposures).zip(attributes);
    Ok(ProtectReport {
        one_side,
        not_ignored,
        files: files
            .map(|((found, exposure), attributes)| PairReport {
                is_tracked: false,
                exposure,
                fault: changing_attribute(&attributes.0).map(TwinFault::Attribute),
                path: found.pair.plain,
                standing: found.standing,
                unmerged: None,
            })
            .collect(),
        recipients: recipients.names().len(),
        unstaged: root_files.iter().filter_map(RootFile::left_unstaged).collect(),
    })
}

/// Returns the files that the request names, each once. Refuses one that may not be sealed.
fn observe(ctx: &Context, request: &ProtectRequest, place: &Place) -> Result<Vec<Observed>> {
    let mut observed: Vec<Observed> = Vec::new();
    let identities = identity::load_if_any(ctx, &request.identities)?;
    for file in &request.files {
        if is_twin(file.as_os_str().as_encoded_bytes()) {
            return Err(Refusal::Usage(Misuse::SealedAlready { file: file.clone() }));
        }
        let not_one = |fault| Refusal::NotOneFile {
            path: file.clone(),
            fault,
        };
        if files::is_directory(&ctx.cwd.join(file)) {
            return Err(not_one(NotOneFile::Directory));
        }
        let mut found = place.observe(place.pair_of(ctx, file)?, &identities)?;
        if found.plain_hash.is_none() {
            let is_glob = file
                .as_os_str()
                .as_encoded_bytes()
                .iter()
                .any(|byte| b"*?[".contains(byte));
            return Err(match is_glob {
                true => not_one(NotOneFile::Glob),
                false => nothing_at(&found.pair.plain_file),
            });
        }
        place.ensure_may_have_a_twin(&found.pair)?;
        match request.resolved && found.standing == Standing::Unmerged {
            true => {
                if !request.force {
                    ensure_no_markers(&found)?;
                    if place.lacks_the_twin(&found, &identities)? {
                        return Err(merge(&found.pair, MergeFault::PlainOfOneSide));
                    }
                }
                found.standing = place.settled(&found)?;
            }
            false => place.ensure_merged(&found.pair)?,
        }
        ensure_may_be_sealed(&found, request.force)?;
        if observed.iter().all(|other| other.pair.plain != found.pair.plain) {
            observed.push(found);
        }
    }
    Ok(observed)
}

/// Refuses a plaintext in which a merge still has to be decided.
fn ensure_no_markers(found: &Observed) -> Result<()> {
    let opened = files::open_regular(&found.pair.plain_file)?;
    // What is longer was not merged as a text.
    if opened.size > MAX_TEXT as u64 {
        return Ok(());
    }
    match has_conflict_markers(&files::read(&found.pair.plain_file, MAX_TEXT as u64)?) {
        true => Err(merge(&found.pair, MergeFault::Markers)),
        false => Ok(()),
    }
}

/// Plans the `.gitattributes` that keeps git from taking the twins for text, whose line ends it would convert so that nobody
/// could open them, and that names the drivers by which git compares and merges twins.
fn attributing(place: &Place, observed: &[Observed]) -> Result<RootFile> {
    let sealed: Vec<RepoPath> = observed.iter().map(|found| found.pair.sealed.clone()).collect();
    let attributes = place.repo.twin_attributes(&sealed)?;
    let attributes: Vec<_> = attributes.iter().map(|of_twin| of_twin.0.as_slice()).collect();
    let line = attribute_line(&attributes, drivers::are_wanted(&place.repo));
    RootFile::plan(place, GITATTRIBUTES, is_attribute_line, |text| {
        Ok(match line {
            Some(line) => with_attribute_line(&text, &line),
            None => text,
        })
    })
}

fn apply(place: &Place, observed: &[Observed], recipients: &cipher::Recipients, root_files: &[RootFile]) -> Result<()> {
    for found in observed {
        if found.standing == Standing::UpToDate {
            place.put_side_back(found)?;
            continue;
        }
        let (plain, sealed) = seal(found, recipients)?;
        place.agree_for(&found.pair, plain, sealed, Some(sealed_for(recipients)))?;
    }
    for file in root_files {
        file.write()?;
    }
    let twins: Vec<RepoPath> = observed.iter().map(|found| found.pair.sealed.clone()).collect();
    let text: Vec<RepoPath> = root_files.iter().filter_map(RootFile::to_stage).collect();
    let remove: Vec<RepoPath> = observed.iter().map(|found| found.pair.plain.clone()).collect();
    place.repo.stage(&twins, &text, &remove)
}

/// Removes what was written before a refusal: new twins, and new lines in files of git's.
fn undo(root_files: &[RootFile], observed: &[Observed]) {
    for found in observed.iter().filter(|found| found.sealed_hash.is_none()) {
        drop(files::remove(&found.pair.sealed_file));
    }
    root_files.iter().for_each(RootFile::undo);
}

fn ensure_may_be_sealed(found: &Observed, force: bool) -> Result<()> {
    let path = &found.pair.plain;
    if is_run_output(path.as_bytes()) {
        return Err(Refusal::Usage(Misuse::RunOutput { path: path.to_string() }));
    }
    let conflict = match found.standing {
        Standing::PlainOnly | Standing::PlainNewer | Standing::UpToDate => return Ok(()),
        _ if force => return Ok(()),
        Standing::SealedNewer => TwinConflict::SealedChanged,
        Standing::BothChanged => TwinConflict::SealedDiffers,
        Standing::SealedOnly | Standing::Unknown | Standing::Unmerged => TwinConflict::SealedUnknown,
    };
    Err(Refusal::TwinDiffers {
        path: found.pair.sealed_file.clone(),
        plain: found.pair.plain.as_bytes().to_vec(),
        conflict,
    })
}

fn seal(found: &Observed, recipients: &cipher::Recipients) -> Result<(Digest, Digest)> {
    let pair = &found.pair;
    let opened = files::open_regular(&pair.plain_file)?;
    let mut file = files::unnamed_beside(&pair.sealed_file, 0o666)?;
    let encrypted = cipher::encrypt(recipients, &mut &opened.file, &mut file).map_err(|e| match e {
        cipher::EncryptError::Cipher(fault) => Refusal::Crypto {
            deed: "sealing",
            subject: pair.plain.to_string(),
            fault,
        },
        e => e.refusal(&pair.plain_file, &pair.sealed_file),
    })?;
    opened.ensure_unchanged()?;
    files::place_unnamed(file, &pair.sealed_file, 0o666)?;
    Ok((encrypted.plain_hash, encrypted.sealed_hash))
}
