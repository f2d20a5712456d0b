//! The random bytes of a new header.

use std::path::Path;

use crate::adapters::random;
use crate::format::agent::SALT;
use crate::refusal::{Refusal, Result};

/// Returns the salt of a new header.
pub fn random_salt() -> Result<[u8; SALT]> {
    let mut salt = [0; SALT];
    random::fill(&mut salt).map_err(Refusal::io("reading", Path::new("random bytes")))?;
    Ok(salt)
}
