//! `git pack protect`: seals files beside themselves, and makes git track the sealed twin instead.

use std::path::{Path, PathBuf};

use crate::adapters::cipher;
use crate::adapters::files::{self, Durability, write_whole};
use crate::format::config::FILE_NAME;
use crate::format::digest::Digest;
use crate::format::repo_path::RepoPath;
use crate::ops::guard::twins::{Observed, PairReport, Place, is_twin, nothing_at};
use crate::ops::keys::{identity, recipients};
use crate::ops::{Context, configuration};
use crate::refusal::path::PathFault;
use crate::refusal::twin::TwinConflict;
use crate::refusal::usage::Misuse;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};
use crate::rules::protect::is_run_output;
use crate::rules::twins::{Standing, ignore_line};

const GITIGNORE: &str = ".gitignore";

/// The largest `.gitignore` to read, in bytes.
const MAX_GITIGNORE: u64 = 16 << 20;

/// The files to protect, and how.
#[derive(Clone, Debug)]
pub struct ProtectRequest {
    /// The files.
    pub files: Vec<PathBuf>,
    /// Seal over a twin that holds something else.
    pub force: bool,
    /// The identity files; if empty, those in force.
    pub identities: Vec<PathBuf>,
}

/// The outcome.
#[derive(Debug)]
pub struct ProtectReport {
    /// The files; [`Standing::UpToDate`] means that the twin was right already.
    pub files: Vec<PairReport>,
    /// The number of recipients.
    pub recipients: usize,
    /// Whether `.gitignore` was changed but not staged, because it has other unstaged changes.
    pub gitignore_unstaged: bool,
    /// The plaintexts that git still does not ignore, because a deeper `.gitignore` includes them again.
    pub not_ignored: Vec<RepoPath>,
}

/// Encrypts each file to `<file>.age`, removes the plaintext from the index but not from disk, ignores it, and stages
/// the twin.
///
/// Everything that may be refused is refused before the first write.
pub fn protect(ctx: &Context, request: &ProtectRequest) -> Result<ProtectReport> {
    let place = Place::of(ctx, WorkTreeUse::Protect)?;
    let loaded = configuration::on_disk(&place.root)?;
    let recipients = recipients::of_config(ctx, &loaded)?;
    let observed = observe(ctx, request, &place)?;
    if recipients.names().is_empty() {
        return Err(Refusal::NoRecipients {
            artifacts: observed.iter().map(|found| found.pair.plain.to_string()).collect(),
            uncommitted: false,
        });
    }
    let exposures = observed.iter().map(|found| place.repo.exposure(&found.pair.plain));
    let exposures = exposures.collect::<Result<Vec<_>>>()?;
    let ignoring = Ignoring::of(&place, &observed)?;
    if let Err(refused) = apply(&place, &observed, &recipients, &ignoring) {
        undo(&ignoring, &observed);
        return Err(refused);
    }
    place.learn(&loaded.registry()?, &observed);
    let mut not_ignored = Vec::new();
    for found in &observed {
        if !place.repo.is_ignored(&found.pair.plain)? {
            not_ignored.push(found.pair.plain.clone());
        }
    }
    let files = observed.into_iter().zip(exposures);
    Ok(ProtectReport {
        not_ignored,
        files: files
            .map(|(found, exposure)| PairReport {
                is_tracked: false,
                exposure,
                path: found.pair.plain,
                standing: found.standing,
            })
            .collect(),
        recipients: recipients.names().len(),
        gitignore_unstaged: ignoring.new.is_some() && !ignoring.is_staged,
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
        let found = place.observe(place.pair_of(ctx, file)?, &identities)?;
        if found.plain_hash.is_none() {
            return Err(nothing_at(&found.pair.plain_file));
        }
        ensure_is_for_sealing(place, &found)?;
        found.pair.ensure_no_link(&place.root)?;
        ensure_may_be_sealed(&found, request.force)?;
        if observed.iter().all(|other| other.pair.plain != found.pair.plain) {
            observed.push(found);
        }
    }
    Ok(observed)
}

/// The `.gitignore` at the top of the work tree, before and after the plaintexts are ignored.
struct Ignoring {
    path: PathBuf,
    before: Option<Vec<u8>>,
    /// The new content. `None` if it need not change.
    new: Option<Vec<u8>>,
    /// Whether the new content is staged: only if all of the old one was.
    is_staged: bool,
}

impl Ignoring {
    fn of(place: &Place, observed: &[Observed]) -> Result<Self> {
        let new = ignore(place, observed)?;
        let path = place.root.join(GITIGNORE);
        let is_staged = match &new {
            Some(_) => !files::exists(&path) || place.repo.is_staged_as_on_disk(&gitignore())?,
            None => false,
        };
        Ok(Self {
            before: files::read_optional(&path, MAX_GITIGNORE)?,
            new,
            path,
            is_staged,
        })
    }
}

fn gitignore() -> RepoPath {
    RepoPath::new(GITIGNORE.as_bytes())
}

fn apply(place: &Place, observed: &[Observed], recipients: &cipher::Recipients, ignoring: &Ignoring) -> Result<()> {
    for found in observed.iter().filter(|found| found.standing != Standing::UpToDate) {
        let (plain, sealed) = seal(found, recipients)?;
        place.agree(&found.pair, Some(plain), Some(sealed))?;
    }
    if let Some(bytes) = &ignoring.new {
        write_whole(&ignoring.path, bytes, 0o666, Durability::Durable)?;
    }
    let mut add: Vec<RepoPath> = observed.iter().map(|found| found.pair.sealed.clone()).collect();
    if ignoring.is_staged {
        add.push(gitignore());
    }
    let remove: Vec<RepoPath> = observed.iter().map(|found| found.pair.plain.clone()).collect();
    place.repo.stage(&add, &remove)
}

/// Removes what was written before a refusal: new twins, and new lines in `.gitignore`.
fn undo(ignoring: &Ignoring, observed: &[Observed]) {
    for found in observed.iter().filter(|found| found.sealed_hash.is_none()) {
        drop(files::remove(&found.pair.sealed_file));
    }
    if ignoring.new.is_some() {
        drop(match &ignoring.before {
            Some(bytes) => write_whole(&ignoring.path, bytes, 0o666, Durability::Durable),
            None => files::remove(&ignoring.path),
        });
    }
}

/// Refuses to seal git's own files, files that configure git or git-pack, and files of another repository.
fn ensure_is_for_sealing(place: &Place, found: &Observed) -> Result<()> {
    let path = &found.pair.plain;
    let mut segments = path.as_bytes().split(|byte| *byte == b'/');
    if segments.any(|segment| segment.eq_ignore_ascii_case(b".git")) {
        return Err(Refusal::Usage(Misuse::GitsOwn { path: path.to_string() }));
    }
    let name = path.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    if [
        &b".gitignore"[..],
        b".gitattributes",
        b".gitmodules",
        FILE_NAME.as_bytes(),
    ]
    .contains(&name)
    {
        return Err(Refusal::Usage(Misuse::ReadInPlaintext { path: path.to_string() }));
    }
    let above = found
        .pair
        .plain_file
        .ancestors()
        .skip(1)
        .take_while(|above| **above != place.root);
    for directory in above {
        if files::exists(&directory.join(".git")) {
            let below = found.pair.plain_file.strip_prefix(directory).unwrap_or(Path::new(""));
            return Err(Refusal::Usage(Misuse::InAnotherRepository {
                path: path.to_string(),
                repository: directory.to_owned(),
                below: below.to_owned(),
            }));
        }
    }
    Ok(())
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
        Standing::SealedOnly | Standing::Unknown => TwinConflict::SealedUnknown,
    };
    Err(Refusal::TwinDiffers {
        path: found.pair.sealed_file.clone(),
        plain: found.pair.plain.to_string(),
        conflict,
    })
}

/// Returns the new `.gitignore`, if it must change so that git ignores the plaintexts.
fn ignore(place: &Place, observed: &[Observed]) -> Result<Option<Vec<u8>>> {
    let path = place.root.join(GITIGNORE);
    // Git does not read a `.gitignore` that is a link, and writing through one could change a file outside the
    // repository.
    files::ensure_is_no_link(&path)?;
    let mut text = files::read_optional(&path, MAX_GITIGNORE)?.unwrap_or_default();
    let before = text.len();
    for found in observed {
        if place.repo.is_ignored(&found.pair.plain)? {
            continue;
        }
        let line = ignore_line(found.pair.plain.as_bytes()).ok_or_else(|| Refusal::UnsafePath {
            path: found.pair.plain.to_string(),
            fault: PathFault::NotIgnorable,
        })?;
        let newline: &[u8] = match text.windows(2).any(|pair| pair == b"\r\n") {
            true => b"\r\n",
            false => b"\n",
        };
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.extend_from_slice(newline);
        }
        text.extend(line);
        text.extend_from_slice(newline);
    }
    Ok((text.len() != before).then_some(text))
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
