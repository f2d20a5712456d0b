//! Why a path cannot be used.

use std::fmt;

/// Why a path cannot be a member of a pack, or cannot be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFault {
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
    /// It has an escape that does not stand for bytes.
    Escape,
    /// A name in it is not UTF-8, and too long for a file system once it is escaped.
    LongEscape,
    /// It has a line break, so a `.gitignore` cannot name it. Only protecting such a file is refused.
    NotIgnorable,
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::Absolute => "it is absolute, or begins with a drive letter",
            Self::Segment => "it has an empty, `.` or `..` segment",
            Self::Nul => "it has a NUL byte",
            Self::DotGit => "it has a segment that names .git",
            Self::Escape => "it has an escape that is not valid",
            Self::LongEscape => "a name in it is not UTF-8, and would be longer than 255 bytes once it is escaped",
            Self::NotIgnorable => "it has a line break, which a .gitignore cannot name",
        })
    }
}
