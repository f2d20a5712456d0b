//! Why something cannot be signed, attested or checked.

use std::fmt;

use crate::refusal::keys::SecretFault;

/// Why something cannot be signed, attested or checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SigningFault {
    /// So much is attached to the pack that a reader would not take more.
    TooMany {
        /// Most files that may be attached.
        allowed: usize,
    },
    /// The pack is not a directory, so nothing can be attached to it.
    NotADirectory,
    /// A program could not be run, or did not answer.
    Program {
        /// Why not.
        said: String,
    },
    /// No key is named or configured.
    NoKey,
    /// The file of a key is missing.
    MissingKey,
    /// The file of a key must not be used.
    Secret(SecretFault),
    /// The program did not sign.
    NotSigned {
        /// What it said.
        said: String,
    },
    /// A signature that was just made is not one that a verifier would accept.
    Unfit {
        /// Why not.
        why: String,
    },
    /// Signatures are demanded, and nobody is named who may sign.
    NoSigners,
    /// A file of allowed signers, or of revoked keys, is not text.
    NotText,
}

impl fmt::Display for SigningFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { allowed } => write!(f, "{allowed} signatures or attestations are there already"),
            Self::NotADirectory => f.write_str("the pack is not a directory, so nothing can be attached to it"),
            Self::Program { said } => write!(f, "the program could not be run: {said}"),
            Self::NoKey => f.write_str("no key to sign with is named or configured"),
            Self::MissingKey => f.write_str("the key does not exist"),
            Self::Secret(fault) => fault.fmt(f),
            Self::NotSigned { said } => write!(f, "it did not sign: {said}"),
            Self::Unfit { why } => write!(f, "the new signature would not be accepted: {why}"),
            Self::NoSigners => f.write_str("nobody is named who may sign, but signatures are demanded"),
            Self::NotText => f.write_str("it is not text"),
        }
    }
}
