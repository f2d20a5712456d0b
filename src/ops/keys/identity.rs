//! The user's identities: the places of their files, and their content.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::adapters::cipher::{DecryptError, Identities};
use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::format::git_keys;
use crate::ops::Context;
use crate::refusal::keys::PassphraseFault;
use crate::refusal::keys::{CipherFault, IdentityFault, IdentityNamer, SecretFault};
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::identity_file::why_unfit;

/// The largest identity file that is read.
const MAX_BYTES: usize = 1 << 20;

/// The largest passphrase file that is read.
const MAX_PASSPHRASE: usize = 64 << 10;

/// How the identity file in force was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityOrigin {
    /// `GIT_PACK_IDENTITY`.
    Environment,
    /// `git config gitpack.identity`.
    GitConfig,
    /// Not named: the file that `init` makes.
    Default,
}

/// Returns the path of the identity file. It must not be in the work tree, where git could track it.
pub fn path(ctx: &Context, repo: &Repository) -> Result<PathBuf> {
    place(ctx, Some(repo)).map(|(path, _)| path)
}

/// Returns where `init` makes an identity. `None` if the default place is in the work tree, such as in a repository whose
/// work tree is the home directory.
pub fn place_for_new(ctx: &Context, repo: &Repository) -> Result<Option<PathBuf>> {
    match path(ctx, repo) {
        Err(refused) if is_left_out(ctx, &refused) => Ok(None),
        other => other.map(Some),
    }
}

/// Returns whether a refusal says that the default place of an identity is in the work tree. `init` leaves it out then.
fn is_left_out(ctx: &Context, refused: &Refusal) -> bool {
    matches!(refused, Refusal::NoIdentity { path, fault: IdentityFault::InWorkTree } if default_place(ctx).as_ref() == Some(path))
}

fn default_place(ctx: &Context) -> Option<PathBuf> {
    let home = ctx.config_home.as_ref();
    home.map(|home| home.join("git-pack").join("identity.txt"))
}

/// Returns the identity file that is used without a flag, and how it was named.
pub fn in_force(ctx: &Context) -> Result<(PathBuf, IdentityOrigin)> {
    match ctx.repository() {
        Ok(repo) => place(ctx, Some(&repo)),
        // The configuration of another user's repository is not believed.
        Err(Refusal::NotARepository { .. } | Refusal::NotYours { .. }) => place(ctx, None),
        Err(refused) => Err(refused),
    }
}

/// Returns the first place in the order of the lookup, which is also the order of `key list`.
fn place(ctx: &Context, repo: Option<&Repository>) -> Result<(PathBuf, IdentityOrigin)> {
    let mut all = places(ctx, repo)?.into_iter();
    let named = all.find_map(|(origin, path)| path.map(|path| (path, origin)));
    let (path, origin) = named.ok_or(Refusal::Usage(Misuse::NoPlaceForIdentity))?;
    if let Some(repo) = repo {
        ensure_outside(&path, repo)?;
    }
    Ok((path, origin))
}

/// Returns the places of identities in the order of the lookup, and the path that each names.
pub(in crate::ops) fn places(
    ctx: &Context,
    repo: Option<&Repository>,
) -> Result<[(IdentityOrigin, Option<PathBuf>); 3]> {
    let configured = match repo {
        Some(repo) => repo.config_path(git_keys::IDENTITY)?,
        None => None,
    };
    Ok([
        (
            IdentityOrigin::Environment,
            ctx.identity.as_ref().map(|path| ctx.cwd.join(path)),
        ),
        (IdentityOrigin::GitConfig, configured.map(|path| ctx.cwd.join(path))),
        (IdentityOrigin::Default, default_place(ctx)),
    ])
}

pub(super) fn ensure_outside(path: &Path, repo: &Repository) -> Result<()> {
    let standing = path.ancestors().find(|path| files::exists(path)).unwrap_or(path);
    let within = |root: PathBuf| files::canonical(standing).is_ok_and(|place| place.starts_with(root));
    if repo.work_tree().is_some_and(within) && !path.starts_with(repo.common_dir()) {
        return Err(unfit(path, IdentityFault::InWorkTree));
    }
    Ok(())
}

/// Returns the identities in the files `given` on the command line, or else those in force.
pub fn load(ctx: &Context, given: &[PathBuf]) -> Result<Identities> {
    if !given.is_empty() {
        let each = given.iter().map(|file| {
            let path = ctx.cwd.join(file);
            read(ctx, &path, file)?.ok_or_else(|| unfit(file, IdentityFault::Missing(IdentityNamer::Caller)))
        });
        return Ok(Identities::join(each.collect::<Result<Vec<_>>>()?, &ctx.ask));
    }
    let (path, origin) = in_force(ctx)?;
    let by = match origin {
        IdentityOrigin::Environment => IdentityNamer::Variable,
        IdentityOrigin::GitConfig => IdentityNamer::GitConfig,
        IdentityOrigin::Default => IdentityNamer::Nobody,
    };
    read(ctx, &path, &path)?.ok_or_else(|| unfit(&path, IdentityFault::Missing(by)))
}

/// Like [`load`], but a file in force that is missing, or that `init` left out, gives no identities instead of a refusal.
pub fn load_if_any(ctx: &Context, given: &[PathBuf]) -> Result<Identities> {
    if !given.is_empty() {
        return load(ctx, given);
    }
    let path = match in_force(ctx) {
        Err(Refusal::Usage(Misuse::NoPlaceForIdentity)) => return Ok(Identities::none(&ctx.ask)),
        Err(refused) if is_left_out(ctx, &refused) => return Ok(Identities::none(&ctx.ask)),
        other => other?.0,
    };
    Ok(read(ctx, &path, &path)?.unwrap_or_else(|| Identities::none(&ctx.ask)))
}

/// Returns the identities in the file at `path`, which messages call `name`; none if there is no file.
///
/// Follows a link, and reads a pipe. Refuses a file that others can read, because others may then have its key.
pub(super) fn read(ctx: &Context, path: &Path, name: &Path) -> Result<Option<Identities>> {
    let bytes = match read_secret(path, MAX_BYTES)? {
        None => return Ok(None),
        Some(Ok(bytes)) => bytes,
        Some(Err(fault)) => return Err(unfit(name, why_not_read(ctx, path, fault))),
    };
    let name = name.display().to_string();
    Identities::parse(name.clone(), bytes, &ctx.ask)
        .map(Some)
        .map_err(|fault| unfit(Path::new(&name), IdentityFault::Key(fault)))
}

/// Returns why a file is no identity file that is used: if others can read it, whether it holds identities at all.
fn why_not_read(ctx: &Context, path: &Path, fault: SecretFault) -> IdentityFault {
    let SecretFault::ReadableByOthers { .. } = fault else {
        return IdentityFault::Secret(fault);
    };
    let bytes = files::read_any(path, MAX_BYTES as u64).ok().map(Zeroizing::new);
    let content = bytes.map(|bytes| Identities::parse(path.display().to_string(), bytes, &ctx.ask));
    match content {
        Some(Err(other)) => IdentityFault::Key(other),
        _ => IdentityFault::Secret(fault),
    }
}

/// Reads a file of at most `max` bytes that only its owner may read. Returns `None` if there is no file, and the reason if it
/// must not be used.
pub(in crate::ops) fn read_secret(path: &Path, max: usize) -> Result<Option<Result<Zeroizing<Vec<u8>>, SecretFault>>> {
    let Some(file) = files::open_secret(path)? else {
        return Ok(None);
    };
    if let Some(fault) = why_unfit(file.is_directory(), file.bits(), path) {
        return Ok(Some(Err(fault)));
    }
    let bytes = file.read(max)?;
    Ok(Some(bytes.ok_or(SecretFault::TooLong { allowed: max })))
}

/// Returns the recipient of the first key in the identity file at `path`; none if there is no file.
pub fn recipient(ctx: &Context, path: &Path) -> Result<Option<String>> {
    let Some(identities) = read(ctx, path, path)? else {
        return Ok(None);
    };
    let recipients = identities
        .recipients()
        .map_err(|fault| unfit(path, IdentityFault::Locked(fault)))?;
    match recipients.into_iter().next() {
        Some(recipient) => Ok(Some(recipient)),
        None => Err(unfit(path, IdentityFault::OnlyPluginKnows)),
    }
}

/// Returns the passphrase in a file: its first line without the line ending.
pub fn passphrase(ctx: &Context, file: &Path) -> Result<Zeroizing<String>> {
    let unfit = |fault| {
        Refusal::Usage(Misuse::PassphraseFile {
            file: file.to_owned(),
            fault,
        })
    };
    let bytes = match read_secret(&ctx.cwd.join(file), MAX_PASSPHRASE)? {
        None => return Err(unfit(PassphraseFault::Missing)),
        Some(Ok(bytes)) => bytes,
        Some(Err(fault)) => return Err(unfit(PassphraseFault::Unfit(fault))),
    };
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok("") => Err(unfit(PassphraseFault::Empty)),
        Ok(line) => Ok(Zeroizing::new(line.to_owned())),
        Err(_) => Err(unfit(PassphraseFault::NotText)),
    }
}

/// Makes the refusal for a file that was not opened.
pub fn not_opened(why: DecryptError, subject: &str, identities: &Identities) -> Refusal {
    let subject = subject.to_owned();
    match why {
        DecryptError::NotFor { stanzas } => Refusal::NoneOpens {
            subject,
            stanzas,
            tried: identities.tried(),
        },
        DecryptError::Locked { file, fault } => Refusal::Locked { subject, file, fault },
        DecryptError::LineEnds => Refusal::Crypto {
            deed: "opening",
            subject,
            fault: CipherFault::LineEnds,
        },
        DecryptError::LostReturns => Refusal::Crypto {
            deed: "opening",
            subject,
            fault: CipherFault::LostReturns,
        },
        DecryptError::Broken(reason) => Refusal::Crypto {
            deed: "opening",
            subject,
            fault: CipherFault::Said(reason),
        },
        DecryptError::Reading(e) => Refusal::io("reading", Path::new(&subject))(e),
        DecryptError::Writing(e) => Refusal::io("opening", Path::new(&subject))(e),
    }
}

/// Makes the refusal for an unusable identity file.
pub(super) fn unfit(path: &Path, fault: IdentityFault) -> Refusal {
    Refusal::NoIdentity {
        path: path.to_owned(),
        fault,
    }
}
