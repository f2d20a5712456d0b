//! Random bytes of the system.

use std::io;

/// Fills `bytes` with random bytes that nobody can predict.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|e| match e.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::other(e.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_filled_and_differs_each_time() {
        let filled = || {
            let mut bytes = [0; 1 << 12];
            fill(&mut bytes).unwrap();
            bytes
        };
        let bytes = filled();
        assert!(bytes.chunks(32).all(|part| part.iter().any(|byte| *byte != 0)));
        assert_ne!(bytes, filled());
    }
}
