//! Staging: each source is read once, into the pack or into the cipher.

use std::path::PathBuf;

use crate::adapters::staging::Staging;
use crate::format::digest::Digest;
use crate::format::dump::text::TextShape;
use crate::format::manifest::{Member, MemberType};
use crate::format::member_path::MemberPath;
use crate::format::receipt::Receipt;
use crate::format::sealed::{Seal, SealedArtifact};
use crate::ops::pack::seal::copy::{copy_all, hash_all};
use crate::ops::pack::seal::encrypt::Sealer;
use crate::ops::pack::seal::plan::{Material, SealPlan};
use crate::ops::pack::seal::reuse::Reusable;
use crate::refusal::Result;

/// Everything that was written.
pub struct Staged {
    /// The plain members, in the order of the plan.
    pub plain: Vec<StagedMember>,
    /// The sealed ones, in the order of the plan.
    pub sealed: Vec<StagedSeal>,
    /// The sealed names, where names are sealed too.
    pub index: Option<StagedCiphertext>,
}

impl Staged {
    /// Returns every ciphertext: those of the artifacts, and that of the index.
    pub fn ciphertexts(&self) -> impl Iterator<Item = &StagedCiphertext> {
        self.sealed.iter().map(|seal| &seal.sealed).chain(&self.index)
    }
}

/// A plain member that was written, under the path that the plan has for it.
pub struct StagedMember {
    /// SHA-256 of its bytes.
    pub hash: Digest,
    /// What it is.
    pub kind: MemberType,
    /// Its `version`, where the type is known by one.
    pub artifact_version: Option<Box<str>>,
    /// Its bytes.
    pub size: u64,
    /// Its shape, where it is text.
    pub text: Option<TextShape>,
}

/// A sealed artifact that was written.
pub struct StagedSeal {
    /// Its ciphertext.
    pub sealed: StagedCiphertext,
    /// Its entry in `SEALED_ARTIFACTS.json`.
    pub artifact: SealedArtifact,
    /// Where it would lie in plaintext.
    pub path: MemberPath,
}

/// A ciphertext that was written.
pub struct StagedCiphertext {
    /// Its entry in the manifest.
    pub member: Member,
    /// What is public about it.
    pub seal: Seal,
    /// SHA-256 of the plaintext; never to be published.
    pub plain_hash: Digest,
    /// Bytes of the plaintext, without padding.
    pub plain_bytes: u64,
    /// The receipt to keep, and the ciphertext, if this is a new one.
    pub receipt: Option<(Receipt, PathBuf)>,
    /// Where it was before.
    pub kept: Kept,
}

/// Where a ciphertext was before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Nowhere: it is new.
    No,
    /// In this clone.
    Here,
    /// In another pack.
    InPack,
}

/// Writes every member of the plan.
pub fn stage(staging: &Staging, plan: &SealPlan, reusable: Option<&Reusable>) -> Result<Staged> {
    // What must not leak is done first: if it cannot be sealed, nothing was copied for nothing.
    let (sealed, index) = match plan.sealing() {
        Some((ruled, sealing)) => Sealer::of(staging, &ruled.repo, sealing, reusable).all()?,
        None => (Vec::new(), None),
    };
    let plain = match &plan.material {
        Material::Tree(tree) if tree.needs_copies() => copy_all(staging, Some(&tree.ruled.repo), &tree.members)?,
        Material::Tree(tree) => hash_all(tree)?,
        Material::Evidence(evidence) => {
            let rules = evidence.rules.as_ref();
            copy_all(staging, rules.map(|rules| &rules.ruled.repo), &evidence.members)?
        }
    };
    Ok(Staged { plain, sealed, index })
}
