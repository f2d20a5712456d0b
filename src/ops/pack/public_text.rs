//! Refuses private keys in texts that a user gives, and that anyone can read afterwards.

use crate::refusal::leak::PublicText;
use crate::refusal::shown::without_private_keys;
use crate::refusal::{Refusal, Result};
use crate::rules::content::holds_private_key;

/// Refuses a typed text with a private key, even a damaged one.
pub(super) fn ensure_typed_without_key(what: PublicText, text: &str) -> Result<()> {
    match without_private_keys(text) == text {
        true => ensure_without_key(what, text.as_bytes()),
        false => Err(Refusal::KeyInPublicText { text: what }),
    }
}

/// Refuses bytes with a private key.
pub(super) fn ensure_without_key(what: PublicText, bytes: &[u8]) -> Result<()> {
    match holds_private_key(bytes) {
        true => Err(Refusal::KeyInPublicText { text: what }),
        false => Ok(()),
    }
}
