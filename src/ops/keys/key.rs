//! `git pack key`: makes identities, and lists the existing ones.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

pub use crate::adapters::cipher::PublicKey;
use crate::adapters::cipher::{self, NewIdentity};
use crate::adapters::files::{self, create_private_dir};
use crate::ops::keys::identity;
use crate::ops::keys::identity::IdentityOrigin;
use crate::ops::{Context, Silence};
use crate::refusal::keys::IdentityFault;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};

/// How a new identity file is protected.
pub enum Lock {
    /// Not protected.
    None,
    /// By a passphrase that is asked for.
    Ask,
    /// By this passphrase.
    Passphrase(Zeroizing<String>),
}

/// A new identity.
#[derive(Debug)]
pub struct Generated {
    /// Its file.
    pub path: PathBuf,
    /// Its recipient.
    pub recipient: String,
    /// Whether a passphrase protects the file.
    pub locked: bool,
}

/// A place where identities are looked up.
pub struct KeyPlace {
    /// How it is named.
    pub origin: IdentityOrigin,
    /// The file; none if the place names none.
    pub path: Option<PathBuf>,
    /// Whether this file is used when no flag names another.
    pub in_force: bool,
    /// The keys in the file, none if there is no file; or why it cannot be used.
    pub keys: Result<Option<Vec<PublicKey>>>,
}

/// Returns the file of a new identity: `output`, or else the default path. Refuses a file that exists.
pub fn place_of_new(ctx: &Context, output: Option<&Path>) -> Result<PathBuf> {
    let path = match output {
        Some(path) => {
            let path = ctx.cwd.join(path);
            files::ensure_stays_in_tree(files::parent(&path))?;
            path
        }
        None => identity::in_force(ctx)?.0,
    };
    match files::exists(&path) {
        true => Err(Refusal::KeyExists { path }),
        false => Ok(path),
    }
}

/// Makes a new X25519 identity, in `output` or else at the default path. Never overwrites a file.
pub fn generate(ctx: &Context, output: Option<&Path>, lock: Lock) -> Result<Generated> {
    // Checks first, so that the user does not enter a passphrase in vain.
    let path = place_of_new(ctx, output)?;
    let passphrase = match lock {
        Lock::None => None,
        Lock::Ask => Some(ask_twice(ctx)?),
        Lock::Passphrase(passphrase) => Some(passphrase),
    };
    let NewIdentity { mut file, recipient } = cipher::generate_identity(&ctx.now.to_string());
    if let Some(passphrase) = &passphrase {
        let locked = cipher::lock_identity(&file, passphrase).map_err(|fault| Refusal::Crypto {
            deed: "locking",
            subject: path.display().to_string(),
            fault,
        })?;
        file = Zeroizing::new(locked);
    }
    create_private_dir(files::parent(&path))?;
    match files::write_new_private(&path, file.as_bytes())? {
        true => Ok(Generated {
            path,
            recipient,
            locked: passphrase.is_some(),
        }),
        false => Err(Refusal::KeyExists { path }),
    }
}

fn ask_twice(ctx: &Context) -> Result<Zeroizing<String>> {
    let nobody = || Refusal::Usage(Misuse::NoTerminal);
    let first = ctx.ask.secret("Passphrase for the new identity").ok_or_else(nobody)?;
    let second = ctx.ask.secret("Repeat the passphrase").ok_or_else(nobody)?;
    match first == second {
        _ if first.is_empty() => Err(Refusal::Usage(Misuse::EmptyPassphrase)),
        true => Ok(first),
        false => Err(Refusal::Usage(Misuse::PassphrasesDiffer)),
    }
}

/// Returns the places where identities are looked up, in order, with the keys that are readable without a passphrase.
pub fn list(ctx: &Context) -> Result<Vec<KeyPlace>> {
    let quiet = Context {
        ask: Silence::asker(),
        ..ctx.clone()
    };
    let repo = match ctx.repository() {
        Ok(repo) => Some(repo),
        // The configuration of another user's repository is not believed.
        Err(Refusal::NotARepository { .. } | Refusal::NotYours { .. }) => None,
        Err(refused) => return Err(refused),
    };
    let mut found = Vec::new();
    let mut decided = false;
    for (origin, path) in identity::places(ctx, repo.as_ref())? {
        let in_force = path.is_some() && !decided;
        decided |= in_force;
        let keys = match (&path, &repo) {
            (Some(path), Some(repo)) => identity::ensure_outside(path, repo).and_then(|()| keys_in(&quiet, path)),
            (Some(path), None) => keys_in(&quiet, path),
            (None, _) => Ok(None),
        };
        found.push(KeyPlace {
            origin,
            path,
            in_force,
            keys,
        });
    }
    Ok(found)
}

fn keys_in(quiet: &Context, path: &Path) -> Result<Option<Vec<PublicKey>>> {
    let Some(identities) = identity::read(quiet, path, path)? else {
        return Ok(None);
    };
    Ok(Some(identities.public_keys().unwrap_or_else(|_| {
        let kinds = identities.kinds().into_iter();
        kinds.map(|kind| PublicKey { kind, recipient: None }).collect()
    })))
}

/// Returns the recipients of the keys in a file, or in the file in force.
pub fn public(ctx: &Context, file: Option<&Path>) -> Result<Vec<String>> {
    let given: Vec<PathBuf> = file.map(Path::to_owned).into_iter().collect();
    let identities = identity::load(ctx, &given)?;
    let path = match file {
        Some(file) => file.to_owned(),
        None => identity::in_force(ctx)?.0,
    };
    let keys = identities
        .public_keys()
        .map_err(|fault| identity::unfit(&path, IdentityFault::Locked(fault)))?;
    let known = |key: PublicKey| {
        key.recipient
            .ok_or_else(|| identity::unfit(&path, IdentityFault::OnlyKeyKnows { kind: key.kind }))
    };
    keys.into_iter().map(known).collect()
}
