//! `SEALED_ARTIFACTS.json` (`pack.sealed.v0`), and the possible sizes of an age v1 payload.

use serde::{Deserialize, Serialize};

use crate::format::canonical_json::{to_canonical, to_document};
use crate::format::digest::Digest;
use crate::format::member_path::MemberPath;
use crate::format::protected::Policy;
use crate::format::repo_state::Mode;

/// Version of the document.
pub const VERSION: &str = "pack.sealed.v0";

/// Member path of the document.
pub const MEMBER: &str = "SEALED_ARTIFACTS.json";

/// Directory of sealed members.
pub const DIRECTORY: &str = "sealed";

/// The class of an artifact that a user attached and that no rule protects.
pub const ATTACHED: &str = "attached";

/// The rule of an artifact that a user attached by this flag. Packs name it, so it never changes.
pub const ATTACHED_BY_FLAG: &str = "--attach";

/// Returns the member path of the seal of the artifact at `path`.
pub fn sealed_path(path: &MemberPath) -> String {
    format!("{DIRECTORY}/{path}.age")
}

/// Member path of the sealed index, which holds the names of artifacts whose seals have opaque names.
pub const INDEX: &str = "sealed/INDEX.age";

/// Version of the document sealed in [`INDEX`].
pub const INDEX_VERSION: &str = "pack.sealed-index.v0";

/// Returns the member path of a seal with an opaque name: the first 32 hex digits of the hash of its ciphertext.
pub fn opaque_path(sealed_hash: &Digest) -> String {
    format!("{DIRECTORY}/{}.age", &sealed_hash.hex()[..32])
}

/// The document that declares every sealed member of a pack.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedArtifacts {
    /// [`VERSION`].
    pub version: String,
    /// The mode of the pack: what it holds in plaintext.
    pub mode: Mode,
    /// SHA-256 of the member `meta/PROTECTED.json`.
    pub registry_hash: Digest,
    /// Number of artifacts.
    pub artifact_count: u64,
    /// SHA-256 of the canonical document in which this field is empty.
    pub sealed_digest: String,
    /// The artifacts, sorted bytewise by the member path of their seals.
    pub artifacts: Vec<SealedArtifact>,
    /// The sealed [`SealedIndex`], if the seals have opaque names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Seal>,
}

/// One sealed artifact. No hash of its plaintext is published: that would let anyone confirm a guess.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedArtifact {
    /// Path of its plaintext. `None` if names are sealed too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The class of the rule that protects it.
    pub class: String,
    /// The policy of that rule.
    pub policy: Policy,
    /// The glob that matched, or another reason for sealing it. `None` if names are sealed too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Its ciphertext.
    #[serde(flatten)]
    pub seal: Seal,
}

/// The public properties of a ciphertext.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Path of the member that holds the ciphertext.
    pub sealed_path: String,
    /// SHA-256 of the ciphertext.
    pub sealed_hash: Digest,
    /// Size of the ciphertext in bytes.
    pub sealed_bytes: u64,
    /// Size of the plaintext in bytes, including its padding.
    pub plain_bytes: u64,
    /// Whether the plaintext is padded (`format/padding.rs`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub padded: bool,
    /// The stanza types in the age header, in order.
    pub stanzas: Vec<String>,
    /// The payload nonce, base64 without padding, as age itself writes its values.
    pub nonce: String,
}

/// The document sealed in [`INDEX`]: the names that [`SealedArtifacts`] leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedIndex {
    /// [`INDEX_VERSION`].
    pub version: String,
    /// The artifacts, sorted bytewise by path.
    pub artifacts: Vec<IndexedArtifact>,
}

/// An artifact in [`SealedIndex`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexedArtifact {
    /// Path of its plaintext.
    pub path: String,
    /// The glob that matched, or another reason for sealing it.
    pub rule: String,
    /// Member path of its seal.
    pub sealed_path: String,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl SealedArtifacts {
    /// Builds the document for `artifacts`.
    pub fn new(mode: Mode, registry_hash: Digest, mut artifacts: Vec<SealedArtifact>, index: Option<Seal>) -> Self {
        artifacts.sort_by(|a, b| a.seal.sealed_path.cmp(&b.seal.sealed_path));
        let mut document = Self {
            version: VERSION.into(),
            mode,
            registry_hash,
            artifact_count: artifacts.len() as u64,
            sealed_digest: String::new(),
            artifacts,
            index,
        };
        document.sealed_digest = document.computed_digest().to_string();
        document
    }

    /// Returns the correct value of `sealed_digest`.
    pub fn computed_digest(&self) -> Digest {
        let mut blank = self.clone();
        blank.sealed_digest.clear();
        Digest::of(&to_canonical(&blank))
    }

    /// Returns all declared ciphertexts: those of the artifacts and of the index.
    pub fn seals(&self) -> impl Iterator<Item = &Seal> {
        self.artifacts.iter().map(|artifact| &artifact.seal).chain(&self.index)
    }

    /// Returns the content of the member.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_document(self)
    }
}

/// What an age file reveals without a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealHeader {
    /// The stanza types, in order.
    pub stanzas: Vec<String>,
    /// The payload nonce, base64 without padding.
    pub nonce: String,
    /// Size of the header and the nonce in bytes.
    pub bytes: u64,
}

const CHUNK: u64 = 64 << 10;
const TAG: u64 = 16;

/// Returns whether a stanza of this type is grease: one that only keeps readers tolerant of types they do not know.
pub fn is_grease(kind: &str) -> bool {
    kind == "grease" || kind.ends_with("-grease")
}

/// Returns the size in bytes of the encrypted chunks for `plain` bytes: 64 KiB and a tag of 16 bytes for each chunk,
/// and one empty chunk for an empty plaintext (age-encryption.org/v1, "Payload").
pub fn chunk_bytes(plain: u64) -> u64 {
    let chunks = plain.div_ceil(CHUNK).max(1);
    plain.saturating_add(chunks.saturating_mul(TAG))
}

/// Returns whether the encrypted chunks of some plaintext can have this size in bytes.
pub fn is_chunked(bytes: u64) -> bool {
    let rest = bytes % (CHUNK + TAG);
    bytes == TAG || (bytes > TAG && (rest == 0 || rest > TAG))
}

#[cfg(test)]
mod tests {
    use super::{chunk_bytes, is_chunked};

    #[test]
    fn only_sizes_of_payloads_are_sizes_of_payloads() {
        for plain in [0, 1, 65_535, 65_536, 65_537, 131_072, 131_073] {
            assert!(is_chunked(chunk_bytes(plain)), "{plain}");
        }
        for size in [0, 15, 65_552 + 1, 65_552 + 16] {
            assert!(!is_chunked(size), "{size}");
        }
    }

    #[test]
    fn payload_sizes_follow_the_chunks() {
        for (plain, chunks) in [(0, 1), (1, 1), (65_535, 1), (65_536, 1), (65_537, 2), (131_072, 2)] {
            assert_eq!(chunk_bytes(plain), plain + 16 * chunks);
        }
        assert_eq!(chunk_bytes(u64::MAX), u64::MAX);
    }
}
