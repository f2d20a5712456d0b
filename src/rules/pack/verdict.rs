//! The verdict on a pack, and the state that is kept for a comparison with a commit.

use std::collections::BTreeMap;

use crate::format::digest::Digest;
use crate::format::repo_state::{Mode, RepoState, StateFile};
use crate::format::sealed::SealedArtifacts;
use crate::format::tree_meta::PackInfo;
use crate::rules::pack::findings::{Check, Findings};
use crate::rules::pack::layout::LaidOut;
use crate::rules::pack::lite::Carried;
use crate::rules::scan::InPart;

/// The verdict on a pack.
pub struct Verdict {
    /// The declared pack id.
    pub pack_id: String,
    /// SHA-256 of its manifest.
    pub manifest_hash: Digest,
    /// Size of its manifest in bytes.
    pub manifest_bytes: u64,
    /// Number of declared members.
    pub members: usize,
    /// The findings. Empty if the pack is OK.
    pub findings: Findings,
    /// Whether there was nothing to check against a schema, or something could not be checked.
    pub(super) schemas_skipped: bool,
    /// Its repository state, if it has a readable one.
    pub state: Option<StateSummary>,
    /// The document that declares its seals, if it is readable.
    pub sealed: Option<SealedArtifacts>,
    /// Members in the clear that were examined only in part, with the reasons.
    pub in_part: Vec<(String, Vec<InPart>)>,
}

impl Verdict {
    /// Returns the printed result of the schema checks.
    pub fn schema_validation(&self) -> &'static str {
        match (self.findings.passes(Check::SchemaValidation), self.schemas_skipped) {
            (false, _) => "fail",
            (true, true) => "skipped",
            (true, false) => "pass",
        }
    }
}

/// A summary of a pack's repository state.
pub struct StateSummary {
    /// Its digest.
    pub digest: Digest,
    /// Its scope.
    pub scope: String,
    /// Its canon version.
    pub canon_version: String,
    /// The commit that the pack states, if any.
    pub commit: Option<String>,
}

/// A pack's repository state and layout, for a comparison with a commit.
pub struct PackState {
    /// The parsed `meta/REPO_STATE.json`.
    pub state: RepoState,
    /// Digest of the state.
    pub(super) digest: Digest,
    /// The parsed `meta/PACK_INFO.json`. Only a tree pack has one.
    pub info: Option<PackInfo>,
    /// The mode of the pack.
    pub mode: Mode,
    /// The bytes of its registry.
    pub(super) registry: Option<Vec<u8>>,
    /// The layouts of its texts under `FULL/` and `SPLIT/`, if they are readable.
    pub(super) laid_out: Vec<LaidOut>,
    /// The parts of `LITE/` that depend on the commit's configuration.
    pub(super) carried: Option<Carried>,
}

impl PackState {
    /// Returns a summary of the state.
    pub(super) fn summary(&self) -> StateSummary {
        StateSummary {
            digest: self.digest,
            scope: self.state.scope.clone(),
            canon_version: self.state.canon_version.clone(),
            commit: self.info.as_ref().map(|info| info.commit.clone()),
        }
    }

    /// Returns the paths whose contents differ between the pack and a commit.
    pub fn changed(&self, files: &[StateFile]) -> Vec<String> {
        let packed: BTreeMap<&str, &StateFile> = self.state.files.iter().map(|file| (&*file.path, file)).collect();
        let changed = files
            .iter()
            .filter(|file| packed.get(&*file.path).is_some_and(|other| other.hash != file.hash));
        changed.map(|file| file.path.to_string()).collect()
    }
}
