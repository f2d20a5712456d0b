//! The path of this program, in what git calls.

use crate::ops::Context;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// Returns the path of this program, quoted for a shell. Some clients run git with a bare `PATH`.
pub(super) fn quoted(ctx: &Context) -> Result<String> {
    let binary = ctx.binary.to_str().ok_or_else(|| {
        Refusal::Unsupported(Unsupported::BinaryPath {
            path: ctx.binary.clone(),
        })
    })?;
    Ok(format!("'{}'", binary.replace('\'', r"'\''")))
}
