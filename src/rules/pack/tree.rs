//! Has a tree pack the members that such a pack has, and no others, and says what made it?

use crate::format::digest::Digest;
use crate::format::lite::MEMBERS;
use crate::format::repo_state::RepoState;
use crate::format::sealed::{MEMBER as SEALED, SealedArtifacts};
use crate::format::tree_meta::{DOCUMENTS, PROVENANCE, PROVENANCE_VERSION, PackInfo, Provenance, REPO};
use crate::rules::pack::documents::Documents;
use crate::rules::pack::findings::Findings;
use crate::rules::pack::members::Members;
use crate::rules::pack::places::{in_directory, in_sealed, is_of_texts};

/// What a tree pack says of itself, to which everything else in it is held.
pub(super) struct TreePack<'a> {
    /// What it was packed from.
    pub info: &'a PackInfo,
    /// What its digest covers.
    pub state: &'a RepoState,
    /// That digest.
    pub digest: Digest,
    /// Its seals.
    pub sealed: Option<&'a SealedArtifacts>,
}

/// Judges what made a pack and, of a tree pack, which members it has.
pub(super) fn judge(members: &Members<'_>, documents: &mut Documents, findings: &mut Findings) {
    let provenance: Option<Provenance> = documents.read(PROVENANCE, findings);
    if provenance.is_some_and(|provenance| provenance.version != PROVENANCE_VERSION) {
        findings.violation(PROVENANCE, format!("version: expected {PROVENANCE_VERSION}"));
    }
    if !members.tree_pack {
        return;
    }
    for path in members.paths.iter().filter(|path| !belongs(path)) {
        findings.violation(path, "no member of a tree pack has this path");
    }
    for document in DOCUMENTS.iter().filter(|document| !members.has(document)) {
        findings.violation(document, "a tree pack has this document, and it is not a member");
    }
}

/// Returns whether a tree pack can have a member of this path: its documents, its copies and its seals, and nothing else.
fn belongs(path: &str) -> bool {
    MEMBERS.contains(&path)
        || DOCUMENTS.contains(&path)
        || path == SEALED
        || in_directory(path, REPO)
        || in_sealed(path)
        || is_of_texts(path)
}
