//! The bytes by which git and packs name files, as paths of this system, and back. Beside the platform below
//! `adapters/files/`, only this file knows which system it is.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Returns the path with these bytes.
#[inline]
pub fn path_of_bytes(bytes: &[u8]) -> &Path {
    Path::new(os_str_of_bytes(bytes))
}

/// Returns the bytes by which git and packs name a path, with `/` between its parts.
///
/// For an identity: as the path of an entry, or to compare with one. What is only shown or searched needs no more than
/// `as_encoded_bytes`.
#[inline]
pub fn bytes_of_path(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// Returns the text with these bytes, such as a value of git's configuration.
#[inline]
pub fn os_str_of_bytes(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_whatever_they_are() {
        for bytes in [&b"a/b"[..], b"", b"/a", b"a\\b", b"\xff/\xc3\xa4 \n", b"a//b/"] {
            assert_eq!(bytes_of_path(path_of_bytes(bytes)), bytes);
            assert_eq!(os_str_of_bytes(bytes).as_encoded_bytes(), bytes);
        }
        assert_eq!(path_of_bytes(b"a/b").file_name(), Some(OsStr::new("b")));
    }
}
