//! Why a pack cannot be used.

use std::fmt;

use crate::refusal::archive::ArchiveFault;
use crate::refusal::seal::SealFault;
use crate::refusal::shown::shown;

/// Why a pack cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackFault {
    /// It does not exist.
    Missing,
    /// It is not a directory.
    NotADirectory,
    /// It is a file, but not an archive of a pack.
    Archive {
        /// Why not.
        fault: ArchiveFault,
    },
    /// It is an archive, where only a directory can be changed.
    IsArchive,
    /// It has no manifest.
    NoManifest,
    /// Its manifest is not a regular file.
    ManifestNotRegular {
        /// What it is instead.
        kind: &'static str,
    },
    /// Its manifest is longer than any that is read.
    ManifestTooLong {
        /// The most bytes that it may have.
        allowed: u64,
        /// The bytes that it has.
        found: u64,
    },
    /// One of its documents is malformed.
    Invalid {
        /// The document.
        document: &'static str,
        /// What its parser said.
        said: String,
    },
    /// A member is not in it.
    NotListed {
        /// The path of the member.
        path: String,
    },
    /// Something is in it that its manifest does not declare.
    Extra {
        /// The path.
        path: String,
    },
    /// It is another pack than was asked for, or than it says.
    OtherId {
        /// The id that was asked for or stated.
        wanted: String,
        /// Its id.
        found: String,
    },
    /// Its manifest does not state when it was made.
    BadTime {
        /// What it states instead.
        found: String,
    },
    /// A line of a file with texts is malformed.
    BadText {
        /// The line, counted from 1.
        line: u64,
        /// What the parser said.
        said: String,
    },
    /// The texts in it are not those of its state.
    OtherTexts,
    /// Its canon version is not that of its commit.
    OtherCanon {
        /// The version of the pack.
        stated: String,
        /// The version of the commit.
        committed: String,
    },
    /// It changed since it was verified.
    Changed,
    /// A member changed since the pack was verified.
    MemberChanged {
        /// The path of the member.
        path: String,
    },
    /// A seal, or the index of sealed names, is not as declared.
    Seal {
        /// The path of the artifact, if the fault does not name it.
        path: Option<String>,
        /// What is wrong.
        fault: SealFault,
    },
}

impl fmt::Display for PackFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it does not exist"),
            Self::NotADirectory => f.write_str("it is not a directory"),
            Self::Archive { fault } => fault.fmt(f),
            Self::IsArchive => f.write_str("it is an archive, and only the directory of a pack can be rekeyed"),
            Self::NoManifest => f.write_str("it has no manifest.json"),
            Self::ManifestNotRegular { kind } => write!(f, "its manifest.json is {kind}"),
            Self::ManifestTooLong { allowed, found } => {
                write!(
                    f,
                    "its manifest.json has {found} bytes, more than the allowed {allowed}"
                )
            }
            Self::Invalid { document, said } => write!(f, "{document}: {said}"),
            Self::NotListed { path } => write!(f, "it does not hold {}", shown(path.as_bytes())),
            Self::Extra { path } => {
                write!(
                    f,
                    "it holds {}, which its manifest.json does not declare",
                    shown(path.as_bytes())
                )
            }
            Self::OtherId { wanted, found } => {
                write!(f, "its id is {found}, and {} was expected", shown(wanted.as_bytes()))
            }
            Self::BadTime { found } => {
                write!(
                    f,
                    "manifest.json: created: expected a time, found {}",
                    shown(found.as_bytes())
                )
            }
            Self::BadText { line, said } => write!(f, "line {line}: {said}"),
            Self::OtherTexts => f.write_str("its file under FULL/ does not match its state"),
            Self::OtherCanon { stated, committed } => write!(
                f,
                "CANON_VERSION_MISMATCH: its canon version is {stated:?}, and that of its commit is {committed:?}"
            ),
            Self::Changed => f.write_str("it changed since it was verified"),
            Self::MemberChanged { path } => write!(f, "{} changed since it was verified", shown(path.as_bytes())),
            Self::Seal {
                path: Some(path),
                fault,
            } => write!(f, "{}: {fault}", shown(path.as_bytes())),
            Self::Seal { path: None, fault } => fault.fmt(f),
        }
    }
}
