//! Decides whether only its owner can read a file that holds a secret.

/// Returns why the file called `name` must not be used. Returns `None` if it may be read.
///
/// `bits` are the permission bits of a regular file. A key that others can read may be known to them.
pub fn why_unfit(is_directory: bool, bits: Option<u32>, name: &str) -> Option<String> {
    if is_directory {
        return Some("it is a directory".into());
    }
    let bits = bits.filter(|bits| bits & 0o077 != 0)?;
    Some(format!("others can read it (mode {bits:03o}): chmod 600 {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_its_owners_alone_is_used() {
        for bits in [0o600, 0o400, 0o700, 0o000] {
            assert_eq!(why_unfit(false, Some(bits), "x"), None, "{bits:o}");
        }
        for bits in [0o640, 0o604, 0o610, 0o601, 0o620, 0o602, 0o777] {
            let why = why_unfit(false, Some(bits), "/a/b");
            assert_eq!(
                why,
                Some(format!("others can read it (mode {bits:03o}): chmod 600 /a/b"))
            );
        }
        assert!(why_unfit(true, None, "x").is_some());
        // `<(age -d …)` is a pipe.
        assert_eq!(why_unfit(false, None, "x"), None);
    }
}
