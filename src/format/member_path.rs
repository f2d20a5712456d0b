//! Member paths: safe, relative, `/`-separated UTF-8 names of the files of a pack.

use std::fmt;

use serde::{Serialize, Serializer};

/// Name of the manifest, which no member may have.
pub const MANIFEST: &str = "manifest.json";

/// A path that can be joined to a pack's root and stays below it, on any file system.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberPath(String);

/// Why a path is unsafe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsafe {
    /// It is empty.
    Empty,
    /// It begins with `/`, a drive letter (`C:`) or `\\`.
    Absolute,
    /// It has an empty, `.` or `..` segment.
    Segment,
    /// It has a NUL byte.
    Nul,
    /// It has a segment that some file system treats as `.git`.
    DotGit,
    /// It is not UTF-8.
    NotUtf8,
}

impl fmt::Display for Unsafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::Absolute => "it is absolute, or begins with a drive letter",
            Self::Segment => "it has an empty, `.` or `..` segment",
            Self::Nul => "it has a NUL byte",
            Self::DotGit => "it has a segment that names .git",
            Self::NotUtf8 => "it is not UTF-8",
        })
    }
}

impl MemberPath {
    /// Parses a path. Refuses unsafe paths.
    pub fn parse(text: &str) -> Result<Self, Unsafe> {
        let bytes = text.as_bytes();
        if bytes.is_empty() {
            return Err(Unsafe::Empty);
        }
        if bytes.contains(&0) {
            return Err(Unsafe::Nul);
        }
        let drive = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
        if bytes[0] == b'/' || bytes.starts_with(b"\\\\") || drive {
            return Err(Unsafe::Absolute);
        }
        for segment in text.split('/') {
            if matches!(segment, "" | "." | "..") {
                return Err(Unsafe::Segment);
            }
            if names_dot_git(segment) {
                return Err(Unsafe::DotGit);
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// Parses the bytes of a path. Refuses unsafe paths and bytes that are not UTF-8.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, Unsafe> {
        Self::parse(std::str::from_utf8(bytes).map_err(|_| Unsafe::NotUtf8)?)
    }

    /// Returns this path below `prefix`, which must be safe.
    pub fn below(&self, prefix: &str) -> Self {
        Self(format!("{prefix}/{}", self.0))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this is the name of the manifest.
    pub fn is_reserved(&self) -> bool {
        self.0 == MANIFEST
    }
}

/// Returns whether HFS+ or NTFS would treat `segment`, or a part of it between backslashes, as `.git`.
fn names_dot_git(segment: &str) -> bool {
    let options = gix_validate::path::component::Options {
        protect_windows: false,
        protect_hfs: true,
        protect_ntfs: true,
    };
    segment.split('\\').any(|part| {
        use gix_validate::path::component::Error;
        matches!(
            gix_validate::path::component(part.into(), None, options),
            Err(Error::DotGitDir)
        )
    })
}

impl fmt::Display for MemberPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MemberPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for MemberPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Returns the directories above a path, outermost first.
pub fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_paths_are_refused_with_their_reason() {
        for (path, why) in [
            ("", Unsafe::Empty),
            ("/etc/passwd", Unsafe::Absolute),
            ("C:\\x", Unsafe::Absolute),
            ("c:x", Unsafe::Absolute),
            ("\\\\server\\share", Unsafe::Absolute),
            ("../x", Unsafe::Segment),
            ("a/../b", Unsafe::Segment),
            ("a/./b", Unsafe::Segment),
            ("a//b", Unsafe::Segment),
            ("a/", Unsafe::Segment),
            ("a\0b", Unsafe::Nul),
            (".git/config", Unsafe::DotGit),
            ("a/.GIT/hooks/x", Unsafe::DotGit),
            ("git~1/x", Unsafe::DotGit),
            (".git./x", Unsafe::DotGit),
            (".git /x", Unsafe::DotGit),
            (".git::$INDEX_ALLOCATION/x", Unsafe::DotGit),
            (".g\u{200c}it/x", Unsafe::DotGit),
            ("a\\.git\\config", Unsafe::DotGit),
        ] {
            assert_eq!(MemberPath::parse(path), Err(why), "{path:?}");
        }
        assert_eq!(MemberPath::parse_bytes(b"a\xff"), Err(Unsafe::NotUtf8));
    }

    #[test]
    fn odd_but_safe_paths_are_kept_as_they_are() {
        for path in [
            "a",
            "a b/ü",
            "a\\b",
            "line\nbreak",
            "...",
            ".gitignore",
            "x/.github/y",
            "ab:c",
            "-rf",
        ] {
            assert_eq!(MemberPath::parse(path).unwrap().as_str(), path);
        }
    }
}
