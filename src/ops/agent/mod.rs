//! The agent store: appends cycles and reads them, and encrypts the private files of agents.

mod earlier;
mod exactly;
mod named;
pub mod verify;

use std::path::{Path, PathBuf};

use crate::ops::Context;
use crate::refusal::{Refusal, Result};

/// Returns the top of the store: the directory that the user named, else the top of the work tree, else the directory of
/// the command.
pub fn top(ctx: &Context, named: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named {
        return Ok(ctx.cwd.join(named));
    }
    match ctx.repository() {
        Ok(repo) => Ok(repo.work_tree().unwrap_or_else(|| ctx.cwd.clone())),
        Err(Refusal::NotARepository { .. }) => Ok(ctx.cwd.clone()),
        Err(refused) => Err(refused),
    }
}
