//! Checks that a tree pack has the members that it must have and no others, and checks its provenance.

use crate::format::digest::Digest;
use crate::format::lite::MEMBERS;
use crate::format::repo_state::RepoState;
use crate::format::sealed::{MEMBER as SEALED, SealedArtifacts};
use crate::format::tree_meta::{DOCUMENTS, PROVENANCE, PROVENANCE_VERSION, PackInfo, Provenance, REPO};
use crate::rules::pack::documents::PackDocuments;
use crate::rules::pack::findings::Findings;
use crate::rules::pack::members::Members;
use crate::rules::pack::places::{in_directory, in_sealed, is_of_texts};

/// The statements of a tree pack about itself, by which its other members are judged.
pub(super) struct TreePack<'a> {
    /// The parsed `meta/PACK_INFO.json`.
    pub info: &'a PackInfo,
    /// The repository state.
    pub state: &'a RepoState,
    /// Digest of the repository state.
    pub digest: Digest,
    /// The document that declares its seals, if it is readable.
    pub sealed: Option<&'a SealedArtifacts>,
}

/// Judges the provenance of a pack and, for a tree pack, the set of its members.
pub(super) fn judge(members: &Members<'_>, documents: &mut PackDocuments, findings: &mut Findings) {
    let provenance: Option<Provenance> = documents.read(PROVENANCE, findings);
    if provenance.is_some_and(|provenance| provenance.version != PROVENANCE_VERSION) {
        findings.violation(PROVENANCE, format!("version: expected {PROVENANCE_VERSION}"));
    }
    if !members.tree_pack {
        return;
    }
    for path in members.paths().filter(|path| !belongs(path)) {
        findings.violation(path, "a tree pack cannot have a member at this path");
    }
    for document in DOCUMENTS.iter().filter(|document| !members.has(document)) {
        findings.violation(document, "it is missing: a tree pack must have this document");
    }
}

/// Returns whether a tree pack may have a member with this path.
fn belongs(path: &str) -> bool {
    MEMBERS.contains(&path)
        || DOCUMENTS.contains(&path)
        || path == SEALED
        || in_directory(path, REPO)
        || in_sealed(path)
        || is_of_texts(path)
}
