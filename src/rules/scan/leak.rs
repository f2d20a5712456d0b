//! The kinds of leaks, and the facts about a leak.

use crate::format::protected::{Origin, Policy};
use crate::rules::protect::Cause;
use crate::rules::scan::Candidate;

/// The kind of leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeakCode {
    /// A path with a `_PACK_RUN` segment.
    TrackedRunOutput,
    /// Plaintext that a rule protects by its path or content.
    PlaintextProtected,
    /// A file that is named like a sealed one, such as `x.age`, but is not an age file.
    FakeSeal,
    /// A file that is named like a sealed one, with the header of an age file that nobody can open: it is cut short or damaged.
    BrokenSeal,
    /// A Git LFS pointer at a protected path, or to protected content. The plaintext would go to the LFS server.
    LfsPointer,
    /// A private key.
    PrivateKey,
    /// Plaintext of a file that this clone protected, under another name or in part.
    KnownPlaintext,
    /// A blob that could be examined only in part, if a configuration forbids that.
    ExaminedInPart,
}

impl LeakCode {
    /// All codes.
    pub const ALL: [Self; 8] = [
        Self::TrackedRunOutput,
        Self::PlaintextProtected,
        Self::FakeSeal,
        Self::BrokenSeal,
        Self::LfsPointer,
        Self::PrivateKey,
        Self::KnownPlaintext,
        Self::ExaminedInPart,
    ];

    /// Returns the code as it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrackedRunOutput => "TRACKED_RUN_OUTPUT",
            Self::PlaintextProtected => "PLAINTEXT_PROTECTED",
            Self::FakeSeal => "FAKE_SEAL",
            Self::BrokenSeal => "BROKEN_SEAL",
            Self::LfsPointer => "LFS_POINTER",
            Self::PrivateKey => "PRIVATE_KEY",
            Self::KnownPlaintext => "KNOWN_PLAINTEXT",
            Self::ExaminedInPart => "EXAMINED_IN_PART",
        }
    }
}

/// A leak.
#[derive(Clone, Debug)]
pub struct Leak {
    /// The kind of leak.
    pub code: LeakCode,
    /// The entry.
    pub entry: Candidate,
    /// The class of the rule.
    pub class: String,
    /// The policy of the rule.
    pub policy: Policy,
    /// What matched.
    pub cause: Cause,
    /// The layer in which the content was found, or another explanation.
    pub detail: Option<String>,
    /// Where the rule comes from.
    pub origin: Origin,
}
