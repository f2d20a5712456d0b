//! A file and its sealed twin: which of them has moved on since they last agreed?

use crate::format::digest::Digest;
use crate::format::twin::TwinNote;

/// How a pair stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The sealed twin holds what the plaintext is.
    UpToDate,
    /// There is no plaintext here.
    SealedOnly,
    /// There is no sealed twin.
    PlainOnly,
    /// The plaintext changed since.
    PlainNewer,
    /// The sealed twin changed since.
    SealedNewer,
    /// Both changed since.
    BothChanged,
    /// They were never seen to agree in this clone.
    Unknown,
}

/// Compares the present hashes with those of the note.
pub fn standing(plain: Option<&Digest>, sealed: Option<&Digest>, note: Option<&TwinNote>) -> Standing {
    let (plain, sealed) = match (plain, sealed) {
        (Some(plain), Some(sealed)) => (plain, sealed),
        (Some(_), None) => return Standing::PlainOnly,
        (None, _) => return Standing::SealedOnly,
    };
    let Some(note) = note else {
        return Standing::Unknown;
    };
    match (*plain == note.plain_hash, *sealed == note.sealed_hash) {
        (true, true) => Standing::UpToDate,
        (false, true) => Standing::PlainNewer,
        (true, false) => Standing::SealedNewer,
        (false, false) => Standing::BothChanged,
    }
}

/// Returns the line of a `.gitignore` at the top that ignores just the file at `path` (gitignore(5)).
pub fn ignore_line(path: &[u8]) -> Option<Vec<u8>> {
    if path.contains(&b'\n') || path.contains(&b'\r') {
        return None;
    }
    let mut line = vec![b'/'];
    let trailing = path.len() - path.iter().rev().take_while(|byte| **byte == b' ').count();
    for (at, byte) in path.iter().enumerate() {
        if matches!(byte, b'\\' | b'*' | b'?' | b'[' | b']') || at >= trailing {
            line.push(b'\\');
        }
        line.push(*byte);
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_side_that_moved_on_is_found() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let note = TwinNote {
            version: String::new(),
            plain_hash: a,
            sealed_hash: b,
        };
        for (plain, sealed, note, expected) in [
            (Some(&a), Some(&b), Some(&note), Standing::UpToDate),
            (Some(&b), Some(&b), Some(&note), Standing::PlainNewer),
            (Some(&a), Some(&a), Some(&note), Standing::SealedNewer),
            (Some(&b), Some(&a), Some(&note), Standing::BothChanged),
            (Some(&a), Some(&b), None, Standing::Unknown),
            (None, Some(&b), Some(&note), Standing::SealedOnly),
            (Some(&a), None, Some(&note), Standing::PlainOnly),
        ] {
            assert_eq!(standing(plain, sealed, note), expected);
        }
    }

    #[test]
    fn ignored_names_mean_themselves() {
        assert_eq!(ignore_line(b"a/b.vec").unwrap(), b"/a/b.vec");
        assert_eq!(ignore_line(b"a*[x]\\? ").unwrap(), b"/a\\*\\[x\\]\\\\\\?\\ ");
        assert_eq!(ignore_line(b"a\nb"), None);
    }
}
