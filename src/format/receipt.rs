//! Receipts of sealings: private to the clone, they let an unchanged artifact keep its ciphertext.

use serde::{Deserialize, Serialize};

use crate::format::canonical_json::to_canonical;
use crate::format::digest::Digest;

/// The version of a receipt.
pub const VERSION: &str = "pack.receipt.v0";

/// What was sealed, for whom, and into what. It names a plaintext hash and must never be published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`VERSION`].
    pub version: String,
    /// What was sealed, and for whom.
    pub subject: Subject,
    /// Bytes of the plaintext, without padding.
    pub plain_bytes: u64,
    /// SHA-256 of the ciphertext.
    pub sealed_hash: Digest,
    /// Bytes of the ciphertext.
    pub sealed_bytes: u64,
}

/// What a sealing is a sealing of: the same subject has the same ciphertext.
///
/// The path belongs to it, or two artifacts with one ciphertext would tell everybody that they are the same, and a guess at
/// one could be confirmed by having it sealed as another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The artifact's path.
    pub path: String,
    /// SHA-256 of the plaintext, without padding.
    pub plain_hash: Digest,
    /// Whether the plaintext is padded.
    pub padded: bool,
    /// Whether it is for packs that tell no names: a ciphertext in another pack that tells its name would tell it here too.
    pub opaque: bool,
    /// The recipients, sorted, without duplicates.
    pub recipients: Vec<String>,
}

impl Subject {
    /// Returns the key under which its receipt is kept.
    pub fn key(&self) -> Digest {
        Digest::of(&to_canonical(self))
    }
}
