//! Signatures and attestations on their way together with a pack.

use crate::format::attachment::{Attached, Attachment, AttachmentKind};
use crate::format::digest::Digest;
use crate::ops::Context;
use crate::ops::pack::attestations::sound_attestations;
use crate::ops::pack::signatures::sound_signatures;
use crate::ops::pack::source::Source;
use crate::refusal::Result;

/// Returns the files to send along with a pack, and what is left out, each with the reason: only what is about this pack,
/// and is not damaged, is sent. Whose it is does not matter.
pub fn to_send(ctx: &Context, source: &Source<'_>, pack_id: &Digest) -> Result<(Vec<Attachment>, Vec<String>)> {
    let attached = source.attached(pack_id)?;
    let mut left_out = left_out(&attached);
    let is_signature = |file: &Attachment| file.kind == AttachmentKind::Signature;
    let (signatures, attestations): (Vec<Attachment>, _) = attached.files.into_iter().partition(is_signature);
    let mut sent = Vec::new();
    let judged = sound_signatures(ctx, source, signatures)?.into_iter();
    for (file, fault) in judged.chain(sound_attestations(source, pack_id, attestations)?) {
        match fault {
            None => sent.push(file),
            Some(why) => left_out.push(format!("{}: {why}", file.name)),
        }
    }
    Ok((sent, left_out))
}

/// Returns what is beside attached files and is not one, each with the reason.
pub fn left_out(attached: &Attached) -> Vec<String> {
    let strange = attached.strange.iter();
    strange.map(|(name, why)| format!("{name}: {why}")).collect()
}
