//! The notes about published packs, which let a push of commits demand that a pack of them was published first.

use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::repo_state::Mode;
use crate::ops::Context;
use crate::ops::share::place;
use crate::ops::state::{StateRequest, state_in};
use crate::refusal::{Refusal, Result};
use crate::rules::pack::verdict::StateSummary;

/// Returns the place where packs are published by default. `None` if nothing names one.
pub fn default_place(ctx: &Context) -> Result<Option<String>> {
    match place::named_or_default(ctx, None) {
        Ok(address) => Ok(Some(address.place.to_string())),
        Err(Refusal::NoDestination) => Ok(None),
        Err(refused) => Err(refused),
    }
}

/// Notes that a verified pack was published at a place, if it is the pack of a commit here: if its state is that of the
/// default scope. The commit that a pack names proves nothing alone.
///
/// Any failure leaves the note out. Then a push of the commit stays blocked where publication is demanded.
pub fn note(ctx: &Context, place: &str, pack_id: &Digest, state: &StateSummary, mode: Mode) {
    let (Some(commit), Ok(repo)) = (state.commit.as_deref().and_then(ObjectId::parse), ctx.repository()) else {
        return;
    };
    let request = StateRequest {
        rev: Some(commit.hex()),
        mode: Some(mode),
        ..StateRequest::default()
    };
    if repo.has(&commit) && state_in(&repo, &request).is_ok_and(|own| own.digest() == state.digest) {
        drop(repo.private().publications().put(place, &commit, pack_id));
    }
}
