//! Hashes exactly as many bytes as a file had when it was looked at, because it may grow meanwhile.

use std::io::{self, Read};

use crate::format::digest::{Digest, Hasher};

/// Adds the next `size` bytes to a hash. Fails if there are fewer.
pub(super) fn hash_next(hasher: &mut Hasher, from: &mut dyn Read, size: u64) -> io::Result<()> {
    let mut left = size;
    let mut buffer = vec![0; 256 << 10];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        match from.read(&mut buffer[..most]) {
            Ok(0) => return Err(io::Error::other("it became shorter while it was read")),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                left -= n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Hashes the next `size` bytes. Fails if there are fewer.
pub(super) fn hash_of(from: &mut dyn Read, size: u64) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    hash_next(&mut hasher, from, size)?;
    Ok(hasher.finish())
}
