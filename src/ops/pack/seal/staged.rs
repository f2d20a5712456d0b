//! The staged members of a pack: copies and ciphertexts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::format::digest::Digest;
use crate::format::dump::text::TextShape;
use crate::format::manifest::{Member, MemberType};
use crate::format::member_path::MemberPath;
use crate::format::receipt::Receipt;
use crate::format::sealed::{Seal, SealedArtifact};

/// Everything that was staged.
pub struct StagedPack {
    /// The plain members, in the order of the plan.
    pub plain: Vec<StagedMember>,
    /// The sealed ones, in the order of the plan.
    pub sealed: Vec<StagedSeal>,
    /// The sealed index, if names are sealed.
    pub index: Option<StagedCiphertext>,
    /// The hashes of protected contents that are left out and not sealed, with their paths.
    pub withheld: Vec<(Digest, String)>,
}

impl StagedPack {
    /// Returns the hashes of the contents that must not be in the clear, with their paths.
    pub fn secrets(&self) -> BTreeMap<Digest, &str> {
        // Every empty file has the same content, which reveals nothing.
        let sealed = self.sealed.iter().filter(|seal| seal.sealed.plain_bytes > 0);
        let sealed = sealed.map(|seal| (seal.sealed.plain_hash, seal.path.as_str()));
        let withheld = self.withheld.iter().map(|(hash, path)| (*hash, path.as_str()));
        sealed.chain(withheld).collect()
    }

    /// Returns every ciphertext: those of the artifacts, and that of the index.
    pub fn ciphertexts(&self) -> impl Iterator<Item = &StagedCiphertext> {
        self.sealed.iter().map(|seal| &seal.sealed).chain(&self.index)
    }
}

/// A staged plain member, whose path is that of the plan.
pub struct StagedMember {
    /// SHA-256 of its bytes.
    pub hash: Digest,
    /// Its type.
    pub kind: MemberType,
    /// Its `version`, if its type is recognised by one.
    pub artifact_version: Option<Box<str>>,
    /// Its size in bytes.
    pub size: u64,
    /// Its shape, if it is text.
    pub text: Option<TextShape>,
    /// Its first bytes, up to 128, if it is a public pack of cycles by its header or its name.
    pub genome: Option<Box<[u8]>>,
}

/// A staged artifact.
pub struct StagedSeal {
    /// Its ciphertext.
    pub sealed: StagedCiphertext,
    /// Its entry in `SEALED_ARTIFACTS.json`.
    pub artifact: SealedArtifact,
    /// The path of the plaintext.
    pub path: MemberPath,
}

/// A staged ciphertext.
pub struct StagedCiphertext {
    /// Its entry in the manifest.
    pub member: Member,
    /// Its public description.
    pub seal: Seal,
    /// SHA-256 of the plaintext. It must never be published.
    pub plain_hash: Digest,
    /// Size of the plaintext in bytes, without padding.
    pub plain_bytes: u64,
    /// The receipt to keep, and the path of the ciphertext, if it is new.
    pub receipt: Option<(Receipt, PathBuf)>,
    /// Where the ciphertext comes from.
    pub kept: KeptFrom,
}

/// Where a ciphertext comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeptFrom {
    /// It is new.
    No,
    /// This clone kept it.
    Here,
    /// It is from another pack.
    InPack,
}
