//! What is said of a pack, and what is kept of it for the comparison with a commit.

use std::collections::BTreeMap;

use crate::format::digest::Digest;
use crate::format::repo_state::{Mode, RepoState, StateFile};
use crate::format::sealed::SealedArtifacts;
use crate::format::tree_meta::PackInfo;
use crate::rules::pack::findings::{Check, Findings};
use crate::rules::pack::layout::LaidOut;
use crate::rules::pack::lite::Carried;
use crate::rules::scan::InPart;

/// What is said of a pack.
pub struct Verdict {
    /// The id that its manifest declares.
    pub pack_id: String,
    /// SHA-256 of its manifest.
    pub manifest_hash: Digest,
    /// Bytes of its manifest.
    pub manifest_bytes: u64,
    /// Number of declared members.
    pub members: usize,
    /// What is wrong with it; nothing if it is OK.
    pub findings: Findings,
    /// Whether there was nothing to check against a schema, or something that could not be.
    pub(super) schemas_skipped: bool,
    /// Its repository state, if it carries one.
    pub state: Option<StateSummary>,
    /// What it declares about its seals.
    pub sealed: Option<SealedArtifacts>,
    /// Members in the clear that could not be examined whole, and why.
    pub in_part: Vec<(String, Vec<InPart>)>,
}

impl Verdict {
    /// Returns what holding documents and members against their schemas came to, as it is printed.
    pub fn schema_validation(&self) -> &'static str {
        match (self.findings.passes(Check::SchemaValidation), self.schemas_skipped) {
            (false, _) => "fail",
            (true, true) => "skipped",
            (true, false) => "pass",
        }
    }
}

/// The repository state that a pack carries, in short.
pub struct StateSummary {
    /// Its digest.
    pub digest: Digest,
    /// Its scope.
    pub scope: String,
    /// The canon version that it says.
    pub canon_version: String,
    /// The commit that the pack names.
    pub commit: Option<String>,
}

/// The repository state that a pack carries, and what is laid out by it: whatever a commit can tell more of.
pub struct PackState {
    /// What the digest covers.
    pub state: RepoState,
    /// That digest.
    pub(super) digest: Digest,
    /// What it was packed from, in a tree pack.
    pub info: Option<PackInfo>,
    /// What the pack leaves in the clear.
    pub mode: Mode,
    /// The bytes of its registry.
    pub(super) registry: Option<Vec<u8>>,
    /// How its texts stand under `FULL/` and `SPLIT/`, where they could be read.
    pub(super) laid_out: Vec<LaidOut>,
    /// What it has under `LITE/`.
    pub(super) carried: Option<Carried>,
}

impl PackState {
    /// Returns the state in short.
    pub(super) fn summary(&self) -> StateSummary {
        StateSummary {
            digest: self.digest,
            scope: self.state.scope.clone(),
            canon_version: self.state.canon_version.clone(),
            commit: self.info.as_ref().map(|info| info.commit.clone()),
        }
    }

    /// Returns the paths that the pack and a commit have with different contents.
    pub fn changed(&self, files: &[StateFile]) -> Vec<String> {
        let packed: BTreeMap<&str, &StateFile> =
            self.state.files.iter().map(|file| (file.path.as_str(), file)).collect();
        let changed = files.iter().filter(|file| {
            packed
                .get(file.path.as_str())
                .is_some_and(|other| other.hash != file.hash)
        });
        changed.map(|file| file.path.clone()).collect()
    }
}
