//! What a commit holds, as far as a pack of it is held against it.

use crate::format::protected::Policy;
use crate::format::repo_path::RepoPath;

/// A file in a commit that a pack seals.
#[derive(Clone, Debug)]
pub struct SealedFile {
    /// Its path.
    pub path: RepoPath,
    /// The class that it has.
    pub class: String,
    /// The policy.
    pub policy: Policy,
}
