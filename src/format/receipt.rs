//! Receipts of sealings, private to the clone. They let an unchanged artifact keep its ciphertext.

use serde::{Deserialize, Serialize};

use crate::format::canonical_json::to_canonical;
use crate::format::digest::Digest;

/// Version of a receipt.
pub const VERSION: &str = "pack.receipt.v0";

/// A record of a sealing: its subject and its ciphertext. It contains a plaintext hash and must never be published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`VERSION`].
    pub version: String,
    /// What was sealed, and for whom.
    pub subject: ReceiptSubject,
    /// Size of the plaintext in bytes, without padding.
    pub plain_bytes: u64,
    /// SHA-256 of the ciphertext.
    pub sealed_hash: Digest,
    /// Size of the ciphertext in bytes.
    pub sealed_bytes: u64,
}

/// Everything that determines a ciphertext: sealing the same subject again gives the same ciphertext.
///
/// The path is part of it. Otherwise, two artifacts with equal content would have one ciphertext, which would reveal
/// that they are equal, and an attacker could confirm a guess by having it sealed under another path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptSubject {
    /// Path of the artifact.
    pub path: String,
    /// SHA-256 of the plaintext, without padding.
    pub plain_hash: Digest,
    /// Whether the plaintext is padded.
    pub padded: bool,
    /// Whether it is for packs with opaque names. They need their own ciphertext: if another pack held the same one
    /// under its name, that would reveal the name.
    pub opaque: bool,
    /// The recipients, sorted, without duplicates.
    pub recipients: Vec<String>,
}

impl ReceiptSubject {
    /// Returns the key under which its receipt is stored.
    pub fn key(&self) -> Digest {
        Digest::of(&to_canonical(self))
    }
}
