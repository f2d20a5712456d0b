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
    /// SHA-256 of the plaintext.
    pub plain_hash: Digest,
    /// Bytes of the plaintext.
    pub plain_bytes: u64,
    /// SHA-256 of the ciphertext.
    pub sealed_hash: Digest,
    /// Bytes of the ciphertext.
    pub sealed_bytes: u64,
    /// The recipients, sorted, without duplicates.
    pub recipients: Vec<String>,
}

/// Returns the key under which a receipt is kept: the same plaintext for the same set of recipients has the same key.
///
/// `recipients` are sorted and without duplicates.
pub fn key(plain_hash: &Digest, recipients: &[String]) -> Digest {
    Digest::of(&to_canonical(&(plain_hash, recipients)))
}
