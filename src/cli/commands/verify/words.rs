//! What is said about a finding besides its code.

use crate::rules::pack::findings::FindingKind;

/// Returns the details of a finding. For a version, this is what to do about it.
pub(in crate::cli::commands) fn detail(kind: &FindingKind) -> Option<&str> {
    match kind {
        FindingKind::CanonVersionMismatch(_) => {
            Some("the commit has another canon version: seal it again, and delete this pack")
        }
        FindingKind::GrammarVersionMismatch(_) => {
            Some("another version of git-pack made this pack: use that version to read it, or seal the commit again")
        }
        other => other.detail(),
    }
}
