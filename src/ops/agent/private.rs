//! What sealing, opening and migrating private files share: who can open them, and how one is opened.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::adapters::agent_store::private::{MAX_FILE, Unopenable, WholeFile, opened, refused};
use crate::adapters::cipher::{Identities, Recipients};
use crate::adapters::git::Repository;
use crate::format::agent::json::ensure_json;
use crate::format::agent::private::PrivateKind;
use crate::ops::keys::{identity, recipients};
use crate::ops::{Context, configuration};
use crate::refusal::keys::RecipientsElsewhere;
use crate::refusal::private_file::PrivateFault;
use crate::refusal::{Refusal, Result};

/// The recipients that flags name.
#[derive(Clone, Debug, Default)]
pub struct NamedRecipients {
    /// Recipients, as they are written.
    pub recipients: Vec<String>,
    /// Files that list recipients.
    pub files: Vec<PathBuf>,
}

/// Returns the recipients that flags name or, without such flags, those that the repository around `place` configures, or the
/// one here.
/// `place` is a directory, and `subject` what a refusal names.
pub(super) fn recipients_for(
    ctx: &Context,
    named: &NamedRecipients,
    place: &Path,
    subject: &Path,
) -> Result<Recipients> {
    let found = match named.recipients.is_empty() && named.files.is_empty() {
        false => recipients::of_flags(ctx, &named.recipients, &named.files)?,
        true => configured(ctx, place)?,
    };
    match found.names().is_empty() {
        false => Ok(found),
        true => Err(Refusal::NoRecipients {
            artifacts: vec![subject.display().to_string()],
            elsewhere: RecipientsElsewhere::Nowhere,
        }),
    }
}

fn configured(ctx: &Context, place: &Path) -> Result<Recipients> {
    // A file outside of any repository is sealed for those of the repository in which the command runs.
    let around = match repository_around(ctx, place)? {
        Some(repo) => Some(repo),
        None => repository_around(ctx, &ctx.cwd)?,
    };
    let loaded = match around.and_then(|repo| repo.work_tree()) {
        Some(root) => configuration::on_disk(&root)?,
        None => configuration::Loaded::none(),
    };
    recipients::of_config(ctx, &loaded)
}

/// Returns the repository that a directory is in. Refuses one of another user, whose configuration could choose recipients.
pub(super) fn repository_around(ctx: &Context, place: &Path) -> Result<Option<Repository>> {
    match Repository::discover(place, &ctx.surroundings) {
        Ok(repo) => repo.ensure_ours().map(|()| Some(repo)),
        Err(Refusal::NotARepository { .. }) => Ok(None),
        Err(refused) => Err(refused),
    }
}

/// Returns the identities in the files `given`, or else those in force, if they can be used. They only prove what was
/// encrypted.
pub(super) fn identities_at_hand(ctx: &Context, given: &[PathBuf]) -> Result<Identities> {
    match given.is_empty() {
        false => identity::load(ctx, given),
        true => Ok(identity::load_if_any(ctx, given).unwrap_or_else(|_| Identities::none(&ctx.ask))),
    }
}

/// Opens the private file at `path`, which messages call `name`. Returns its kind and its JSON.
pub(super) fn open_file(
    path: &Path,
    name: &Path,
    identities: &Identities,
) -> Result<(PrivateKind, Zeroizing<Vec<u8>>)> {
    let file = WholeFile::read(path, MAX_FILE)?;
    let (header, content) = opened(&file.bytes, identities).map_err(|why| match why {
        Unopenable::Fault(fault) => refused(name, fault),
        Unopenable::Cipher(why) => identity::not_opened(why, &name.display().to_string(), identities),
    })?;
    ensure_named(path, header.kind).map_err(|fault| refused(name, fault))?;
    ensure_json(&content).map_err(|fault| refused(name, PrivateFault::Json(fault)))?;
    Ok((header.kind, content))
}

/// Refuses a private file whose name stands for another kind than `kind`.
pub(super) fn ensure_named(path: &Path, kind: PrivateKind) -> Result<(), PrivateFault> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match PrivateKind::of_sealed_name(name) {
        Some(named) if named != kind => Err(PrivateFault::OtherKind {
            name: named.as_str(),
            header: kind.as_str(),
        }),
        _ => Ok(()),
    }
}
