//! The random bytes of a new header.

use std::io;
use std::path::Path;

use rustix::rand::{GetRandomFlags, getrandom};

use crate::format::agent::SALT;
use crate::refusal::{Refusal, Result};

/// Returns the salt of a new header.
pub fn random_salt() -> Result<[u8; SALT]> {
    let mut salt = [0; SALT];
    let failed = |e: io::Error| Refusal::io("reading", Path::new("random bytes"))(e);
    match getrandom(&mut salt, GetRandomFlags::empty()) {
        Ok(SALT) => Ok(salt),
        Ok(_) => Err(failed(io::ErrorKind::UnexpectedEof.into())),
        Err(e) => Err(failed(e.into())),
    }
}
