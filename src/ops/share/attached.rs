//! Signatures and attestations on their way together with a pack.

use crate::format::attachment::{Attached, Attachment};
use crate::format::digest::Digest;
use crate::ops::pack::source::Source;
use crate::refusal::Result;

/// Returns the files to send along with a pack, and what is left out, each with the reason.
pub fn to_send(source: &Source<'_>, pack_id: &Digest) -> Result<(Vec<Attachment>, Vec<String>)> {
    let attached = source.attached(pack_id)?;
    let left_out = left_out(&attached);
    Ok((attached.files, left_out))
}

/// Returns what is beside attached files and is not one, each with the reason.
pub fn left_out(attached: &Attached) -> Vec<String> {
    let strange = attached.strange.iter();
    strange.map(|(name, why)| format!("{name}: {why}")).collect()
}
