//! Do the seals of a pack open for the holder of a key?

use std::collections::BTreeSet;

use crate::format::sealed::{INDEX, Seal, SealedArtifacts};
use crate::rules::pack::findings::FindingKind;
use crate::rules::pack::verdict::Verdict;

/// The seals of a pack that are to be opened.
pub struct ToOpen<'a> {
    /// The document that declares them.
    pub document: &'a SealedArtifacts,
    /// The seals of artifacts.
    pub seals: Vec<&'a Seal>,
    /// Whether to open the index, too.
    pub index: bool,
}

/// What came of opening a seal.
pub struct Opened {
    /// The member.
    pub path: String,
    /// Why it does not open, or does not hold what it should.
    pub fault: Option<String>,
}

/// Returns the seals to open: all but those that were found missing or tampered with, which fail without that.
pub fn to_open(verdict: &Verdict) -> Option<ToOpen<'_>> {
    let document = verdict.sealed.as_ref()?;
    let known: BTreeSet<&str> = verdict
        .findings
        .iter()
        .filter(|finding| matches!(finding.kind, FindingKind::SealMissing(_) | FindingKind::SealTampered(_)))
        .map(|finding| finding.path.as_str())
        .collect();
    let seals = document.artifacts.iter().map(|artifact| &artifact.seal);
    Some(ToOpen {
        document,
        seals: seals
            .filter(|seal| !known.contains(seal.sealed_path.as_str()))
            .collect(),
        index: document.index.is_some() && !known.contains(INDEX),
    })
}

/// Adds to a verdict what came of opening the seals.
pub fn judge_opened(verdict: &mut Verdict, opened: Vec<Opened>) {
    for Opened { path, fault } in opened {
        if let Some(why) = fault {
            verdict.findings.add(path, FindingKind::SealUnopenable(why));
        }
    }
}
