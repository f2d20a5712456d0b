//! The agent store: appends cycles and reads them, and encrypts the private files of agents.

pub mod append;
pub mod cat;
mod earlier;
mod exactly;
pub mod info;
pub mod migrate;
mod named;
pub mod open;
pub mod private;
pub mod seal;
pub mod verify;

use std::path::{Path, PathBuf};

use crate::adapters::git::Repository;
use crate::ops::Context;
use crate::refusal::{Refusal, Result};

/// Returns the top of the store: the directory that the user named, else the top of the work tree, else the directory of
/// the command.
pub fn top(ctx: &Context, named: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named {
        return Ok(ctx.cwd.join(named));
    }
    of_repository(ctx, ctx.repository())
}

/// Like [`top`], for reading: the repository may belong to another user.
pub fn top_to_read(ctx: &Context, named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(named) => Ok(ctx.cwd.join(named)),
        None => of_repository(ctx, ctx.repository_to_read()),
    }
}

fn of_repository(ctx: &Context, repository: Result<Repository>) -> Result<PathBuf> {
    match repository {
        Ok(repo) => Ok(repo.work_tree().unwrap_or_else(|| ctx.cwd.clone())),
        Err(Refusal::NotARepository { .. }) => Ok(ctx.cwd.clone()),
        Err(refused) => Err(refused),
    }
}
