//! Member paths: safe, relative, `/`-separated UTF-8 names of the files of a pack.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::format::tree_name;
use crate::refusal::path::PathFault;

/// Name of the manifest, which no member may have.
pub const MANIFEST: &str = "manifest.json";

/// The longest name that file systems take, in bytes.
const MAX_NAME: usize = 255;

/// A path that can be joined to a pack's root and stays below it, on any file system.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberPath(String);

impl MemberPath {
    /// Parses a path. Refuses unsafe paths.
    pub fn parse(text: &str) -> Result<Self, PathFault> {
        let bytes = text.as_bytes();
        if bytes.is_empty() {
            return Err(PathFault::Empty);
        }
        if bytes.contains(&0) {
            return Err(PathFault::Nul);
        }
        let drive = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
        if bytes[0] == b'/' || bytes.starts_with(b"\\\\") || drive {
            return Err(PathFault::Absolute);
        }
        for segment in text.split('/') {
            if matches!(segment, "" | "." | "..") {
                return Err(PathFault::Segment);
            }
            if names_dot_git(segment) {
                return Err(PathFault::DotGit);
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the path under which a pack has a file with this path in a file system or tree. Refuses unsafe paths.
    pub fn of(path: &[u8]) -> Result<Self, PathFault> {
        if let Ok(text) = std::str::from_utf8(path)
            && !text.contains(tree_name::MARK)
        {
            return Self::parse(text);
        }
        // An escape must not hide what makes a path unsafe.
        Self::parse(&String::from_utf8_lossy(path))?;
        let text = tree_name::text_of(path);
        if text.len() > path.len() && text.split('/').any(|segment| segment.len() > MAX_NAME) {
            return Err(PathFault::LongEscape);
        }
        Self::parse(&text)
    }

    /// Returns the path in a file system or tree for which this one stands.
    pub fn original(&self) -> Cow<'_, [u8]> {
        tree_name::path_of(&self.0)
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

/// Returns whether a path in a tree leads to `.git` or below it, on any file system.
pub fn leads_to_dot_git(path: &[u8]) -> bool {
    String::from_utf8_lossy(path).split('/').any(names_dot_git)
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
            ("", PathFault::Empty),
            ("/etc/passwd", PathFault::Absolute),
            ("C:\\x", PathFault::Absolute),
            ("c:x", PathFault::Absolute),
            ("\\\\server\\share", PathFault::Absolute),
            ("../x", PathFault::Segment),
            ("a/../b", PathFault::Segment),
            ("a/./b", PathFault::Segment),
            ("a//b", PathFault::Segment),
            ("a/", PathFault::Segment),
            ("a\0b", PathFault::Nul),
            (".git/config", PathFault::DotGit),
            ("a/.GIT/hooks/x", PathFault::DotGit),
            ("git~1/x", PathFault::DotGit),
            (".git./x", PathFault::DotGit),
            (".git /x", PathFault::DotGit),
            (".git::$INDEX_ALLOCATION/x", PathFault::DotGit),
            (".g\u{200c}it/x", PathFault::DotGit),
            ("a\\.git\\config", PathFault::DotGit),
        ] {
            assert_eq!(MemberPath::parse(path), Err(why), "{path:?}");
        }
        for path in [
            &b"\xff/../x"[..],
            b"a\xff/.git/x",
            b"/\xff",
            b".git\\\xff",
            b"\0\xff",
            b"%raw-/..",
        ] {
            assert!(MemberPath::of(path).is_err(), "{path:?}");
        }
        assert_eq!(MemberPath::of(b"a\xff").unwrap().as_str(), "%raw-a%FF");
        assert!(MemberPath::of(&[0xe9; 83]).is_ok());
        assert_eq!(MemberPath::of(&[0xe9; 84]), Err(PathFault::LongEscape));
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
