//! The private note of a clone about a file and its sealed twin, as they were when they last agreed.

use serde::{Deserialize, Serialize};

use crate::format::digest::Digest;

/// The version of the note.
pub const VERSION: &str = "pack.twin.v0";

/// What is appended to a file's name to get that of its sealed twin.
pub const SUFFIX: &str = ".age";

/// Both sides of a pair, by their hashes; it never leaves the clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwinNote {
    /// [`VERSION`].
    pub version: String,
    /// SHA-256 of the plaintext.
    pub plain_hash: Digest,
    /// SHA-256 of its sealed twin.
    pub sealed_hash: Digest,
}
