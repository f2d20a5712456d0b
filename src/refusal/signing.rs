//! Why something cannot be signed, attested or checked.

use std::fmt;

use crate::refusal::keys::{LockFault, SecretFault};
use crate::refusal::shown::shown;

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
    /// What would be attached is larger than a reader takes.
    TooLarge {
        /// Most bytes that it may have.
        allowed: u64,
        /// Bytes that it would have.
        found: u64,
    },
    /// The file does not hold a key that attests.
    Key(AttestationKeyFault),
    /// The file does not hold a predicate.
    Predicate {
        /// What is wrong with it.
        problem: String,
    },
}

/// Why a file does not hold a key that attests, or checks attestations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttestationKeyFault {
    /// It does not look like a key.
    NotAKey,
    /// It holds several keys.
    Several,
    /// The key is damaged.
    Damaged,
    /// It is a key of another algorithm.
    Unsupported {
        /// The algorithm.
        kind: String,
    },
    /// It is a private key in PEM that is encrypted.
    Encrypted,
    /// It is a public key where the private one is needed.
    Public,
    /// It is a private key where the public one is needed.
    Private,
    /// It is a public key whose signatures prove nothing.
    Weak,
    /// It was not unlocked.
    Locked(LockFault),
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
            Self::TooLarge { allowed, found } => {
                write!(
                    f,
                    "the attestation would have {found} bytes, and a reader takes {allowed}"
                )
            }
            Self::Key(fault) => fault.fmt(f),
            Self::Predicate { problem } => write!(f, "it is not a predicate: {problem}"),
        }
    }
}

impl fmt::Display for AttestationKeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAKey => f.write_str("it does not hold a key in PEM or of OpenSSH"),
            Self::Several => f.write_str("it holds several keys"),
            Self::Damaged => f.write_str("the key is damaged"),
            Self::Unsupported { kind } => write!(
                f,
                "it is a key for {}, and attestations take Ed25519 and ECDSA P-256",
                shown(kind.as_bytes())
            ),
            Self::Encrypted => f.write_str("it is an encrypted key in PEM"),
            Self::Public => f.write_str("it is a public key, and the private key is needed"),
            Self::Private => f.write_str("it is a private key, and the public key is needed"),
            Self::Weak => f.write_str("it is a key that fits signatures of others"),
            Self::Locked(fault) => fault.fmt(f),
        }
    }
}
