//! Decides whether only its owner can read a file that holds a secret.

use std::path::Path;

use crate::refusal::keys::SecretFault;

/// Returns why the file at `path` must not be used. Returns `None` if it may be read.
///
/// `bits` are the permission bits of a regular file. A key that others can read may be known to them.
pub fn why_unfit(is_directory: bool, bits: Option<u32>, path: &Path) -> Option<SecretFault> {
    if is_directory {
        return Some(SecretFault::Directory);
    }
    let mode = bits.filter(|bits| bits & 0o077 != 0)?;
    Some(SecretFault::ReadableByOthers {
        mode,
        path: path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_its_owners_alone_is_used() {
        for bits in [0o600, 0o400, 0o700, 0o000] {
            assert_eq!(why_unfit(false, Some(bits), Path::new("x")), None, "{bits:o}");
        }
        for bits in [0o640, 0o604, 0o610, 0o601, 0o620, 0o602, 0o777] {
            let why = why_unfit(false, Some(bits), Path::new("/a/b"));
            assert_eq!(
                why,
                Some(SecretFault::ReadableByOthers {
                    mode: bits,
                    path: "/a/b".into(),
                })
            );
        }
        assert!(why_unfit(true, None, Path::new("x")).is_some());
        // `<(age -d …)` is a pipe.
        assert_eq!(why_unfit(false, None, Path::new("x")), None);
    }
}
