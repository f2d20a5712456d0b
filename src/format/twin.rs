//! The private note of a clone about a file and its sealed twin, at the time when they last agreed.

use serde::{Deserialize, Serialize};

use crate::format::digest::Digest;

/// Version of the note.
pub const VERSION: &str = "pack.twin.v0";

/// Suffix that the name of a file's sealed twin adds to the file's name.
pub const SUFFIX: &str = ".age";

/// The hashes of both sides of a pair. The note never leaves the clone, since it contains a plaintext hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwinNote {
    /// [`VERSION`].
    pub version: String,
    /// SHA-256 of the plaintext.
    pub plain_hash: Digest,
    /// SHA-256 of its sealed twin.
    pub sealed_hash: Digest,
    /// SHA-256 of the recipients, a line each, if this clone sealed the twin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipients: Option<Digest>,
}

/// Version of [`SideChoice`].
pub const CHOICE_VERSION: &str = "pack.twin_choice.v0";

/// The private note of a clone that a person chose a side of an unmerged twin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideChoice {
    /// [`CHOICE_VERSION`].
    pub version: String,
    /// The git id of the side's blob.
    pub chosen: String,
}
