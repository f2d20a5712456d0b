//! What is wrong with a configuration.

use std::fmt;

use crate::refusal::keys::RecipientFault;
use crate::refusal::shown::shown;

/// What is wrong with a configuration file or value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigFault {
    /// Its parser, or the operating system, does not take it.
    Said(String),
    /// There is no such file.
    Missing,
    /// The file cannot be read.
    Unreadable,
    /// It is not a regular file.
    NotRegular {
        /// What it is.
        kind: &'static str,
    },
    /// It is longer than such a file may be.
    TooLong {
        /// The most bytes that it may have.
        allowed: u64,
    },
    /// A document of a commit is longer than it may be.
    DocumentTooLong {
        /// The most bytes that it may have.
        allowed: u64,
        /// The bytes that it has.
        found: u64,
    },
    /// A recipient that it names is not one.
    Recipient(RecipientFault),
    /// The recipients file that it names cannot be read where the configuration comes from.
    RecipientsFileUnread,
    /// The file that it names for more exceptions cannot be used.
    AllowFile {
        /// The path of that file.
        path: String,
        /// What is wrong with it.
        fault: Box<ConfigFault>,
    },
    /// The file that it names for the canon version is not a regular file.
    CanonNotRegular {
        /// The path of that file.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// A glob for files to be attached cannot be read.
    AttachBadGlob {
        /// What the parser said.
        said: String,
    },
    /// A glob for files to be attached matches nothing.
    AttachNothing {
        /// The glob.
        glob: String,
    },
    /// The visibility of a repository is neither public nor private.
    Visibility {
        /// The value.
        found: String,
    },
    /// A value of git's configuration is not a number.
    NotANumber {
        /// The key.
        key: String,
        /// The value.
        found: String,
    },
    /// A value of git's configuration is not a path.
    NotAPath {
        /// The key.
        key: String,
        /// What git said.
        said: String,
    },
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(said) => f.write_str(said),
            Self::Missing => f.write_str("the file does not exist"),
            Self::Unreadable => f.write_str("it cannot be read"),
            Self::NotRegular { kind } => write!(f, "expected a regular file, found {kind}"),
            Self::TooLong { allowed } => write!(f, "it has more than {allowed} bytes"),
            Self::DocumentTooLong { allowed, found } => {
                write!(f, "expected at most {allowed} bytes, found {found}")
            }
            Self::Recipient(fault) => write!(f, "recipients: {fault}"),
            Self::RecipientsFileUnread => f.write_str("recipients_file: it cannot be read from here"),
            Self::AllowFile { path, fault } => write!(f, "allow_file: {}: {fault}", shown(path.as_bytes())),
            Self::CanonNotRegular { path, kind } => {
                write!(f, "canon_version_file: expected a regular file at {path}, found {kind}")
            }
            Self::AttachBadGlob { said } => write!(f, "attach: {said}"),
            Self::AttachNothing { glob } => write!(f, "attach: {glob:?} matches nothing in the work tree"),
            Self::Visibility { found } => {
                write!(f, "gitpack.visibility: expected public or private, found {found:?}")
            }
            Self::NotANumber { key, found } => {
                write!(f, "{key}: expected a number such as 2000000 or 512m, found {found:?}")
            }
            Self::NotAPath { key, said } => write!(f, "{key}: {said}"),
        }
    }
}
