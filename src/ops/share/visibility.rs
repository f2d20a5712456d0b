//! Whether a place for packs is private.

use crate::format::destination::PlaceAddress;
use crate::ops::{Context, configuration};
use crate::refusal::{Refusal, Result};
use crate::rules::push;
use crate::rules::scan;

/// Returns whether the repository calls a place private, both in its last commit and on disk. Outside of a repository,
/// every place is public.
pub fn is_private(ctx: &Context, place: &PlaceAddress) -> Result<bool> {
    let repo = match ctx.repository() {
        Ok(repo) => repo,
        Err(Refusal::NotARepository { .. }) => return Ok(false),
        Err(refused) => return Err(refused),
    };
    if !repo.has_commit()? {
        return Ok(false);
    }
    let here = configuration::here(&repo)?;
    let committed = configuration::in_commit(&repo, &repo.commit("HEAD")?)?;
    let urls = match place {
        PlaceAddress::Git { remote } if repo.has_remote(remote) => repo.push_urls(remote),
        PlaceAddress::Git { remote } => vec![remote.clone()],
        other => vec![other.to_string()],
    };
    let destination = push::destination(&[&here.config, &committed.config], &urls);
    Ok(matches!(destination, scan::Destination::PrivateRemote))
}
