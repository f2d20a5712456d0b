//! The bytes by which git and packs name files, as paths of this system, and back. Beside the platform below
//! `adapters/files/`, only this file knows which system it is.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::Path;

/// A path that no file can have: every call with it fails.
#[cfg(windows)]
const NOWHERE: &str = "\0";

/// Returns the path that git names with these bytes, which may be absolute.
#[inline]
pub fn path_of_bytes(bytes: &[u8]) -> &Path {
    Path::new(os_str_of_bytes(bytes))
}

/// Returns the path of an entry, a member or another file below a directory, to be joined to it.
///
/// On Windows, a name that no file can have there, or that leads elsewhere (`a\..\b`, `c:d`, `con`), gives a path with which
/// every call fails.
#[inline]
pub fn path_below(bytes: &[u8]) -> &Path {
    #[cfg(unix)]
    {
        path_of_bytes(bytes)
    }
    #[cfg(windows)]
    {
        let fits = std::str::from_utf8(bytes).is_ok_and(fits_windows);
        Path::new(if fits {
            os_str_of_bytes(bytes)
        } else {
            OsStr::new(NOWHERE)
        })
    }
}

/// Returns the bytes by which git and packs name a path, with `/` between its parts.
///
/// For an identity: as the path of an entry, or to compare with one. What is only shown or searched needs no more than
/// `as_encoded_bytes`.
#[inline]
pub fn bytes_of_path(path: &Path) -> Cow<'_, [u8]> {
    #[cfg(unix)]
    {
        Cow::Borrowed(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()))
    }
    #[cfg(windows)]
    {
        let bytes = path.as_os_str().as_encoded_bytes();
        match bytes.contains(&b'\\') {
            false => Cow::Borrowed(bytes),
            true => Cow::Owned(
                bytes
                    .iter()
                    .map(|byte| if *byte == b'\\' { b'/' } else { *byte })
                    .collect(),
            ),
        }
    }
}

/// Returns the text with these bytes, such as a value of git's configuration. On Windows, bytes that are not UTF-8 give a text
/// that no program and no file takes.
#[inline]
pub fn os_str_of_bytes(bytes: &[u8]) -> &OsStr {
    #[cfg(unix)]
    {
        std::os::unix::ffi::OsStrExt::from_bytes(bytes)
    }
    #[cfg(windows)]
    {
        OsStr::new(std::str::from_utf8(bytes).unwrap_or(NOWHERE))
    }
}

/// Returns whether Windows takes each part of a path below a directory for the name of one file in it: the rules of git's
/// `core.protectNTFS`.
#[cfg(any(windows, test, feature = "internals"))]
pub fn fits_windows(path: &str) -> bool {
    path.split('/').all(|part| {
        let has_special = part
            .chars()
            .any(|c| c < ' ' || matches!(c, '\\' | ':' | '<' | '>' | '"' | '|' | '?' | '*'));
        let base = part.split('.').next().unwrap_or_default().trim_end().to_lowercase();
        let is_device = match base.as_str() {
            "con" | "prn" | "aux" | "nul" | "conin$" | "conout$" => true,
            _ => base
                .strip_prefix("com")
                .or_else(|| base.strip_prefix("lpt"))
                .is_some_and(|number| {
                    let mut chars = number.chars();
                    matches!((chars.next(), chars.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
                }),
        };
        // The short name of `.git`.
        let is_short_git = base
            .strip_prefix("git~")
            .is_some_and(|rest| rest.parse::<u32>().is_ok());
        !has_special && !is_device && !is_short_git && !part.ends_with(['.', ' '])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn bytes_come_back_whatever_they_are() {
        for bytes in [&b"a/b"[..], b"", b"/a", b"a\\b", b"\xff/\xc3\xa4 \n", b"a//b/"] {
            assert_eq!(&*bytes_of_path(path_of_bytes(bytes)), bytes);
            assert_eq!(&*bytes_of_path(path_below(bytes)), bytes);
            assert_eq!(os_str_of_bytes(bytes).as_encoded_bytes(), bytes);
        }
        assert_eq!(path_of_bytes(b"a/b").file_name(), Some(OsStr::new("b")));
    }

    #[test]
    #[cfg(windows)]
    fn bytes_that_no_path_can_have_lead_nowhere() {
        for bytes in [&b"a/b"[..], b"", b"a", "ä ö/x".as_bytes()] {
            assert_eq!(&*bytes_of_path(path_below(bytes)), bytes);
        }
        assert_eq!(&*bytes_of_path(Path::new("a\\b\\c")), b"a/b/c");
        for bytes in [&b"a\\..\\..\\b"[..], b"\xff", b"c:/x", b"a/con", b"x:y"] {
            assert!(std::fs::read(path_below(bytes)).is_err_and(|e| e.kind() == std::io::ErrorKind::InvalidInput));
        }
        assert_eq!(path_of_bytes(b"c:/x").parent(), Some(Path::new("c:/")));
    }

    #[test]
    fn names_that_mean_something_else_on_windows_do_not_fit() {
        for name in [
            "a",
            "a/b.c",
            ".gitignore",
            "a b",
            "com",
            "com10",
            "console",
            "git~",
            "ä",
            "auxiliary.txt",
            "git~x",
        ] {
            assert!(fits_windows(name), "{name}");
        }
        for name in [
            "a\\b",
            "\\",
            "..\\x",
            "c:",
            "c:x",
            "a:b",
            "x?",
            "x*",
            "a|b",
            "a<b",
            "a>b",
            "a\"b",
            "a\nb",
            "a.",
            "a ",
            "con",
            "CON",
            "con.txt",
            "d/nul",
            "com1",
            "LPT9.x",
            "com\u{b9}",
            "aux .x",
            "conin$",
            "GIT~1",
            "git~2/x",
            "a/../b",
        ] {
            assert!(!fits_windows(name), "{name}");
        }
    }
}
