//! Judges the results of opening a pack's seals with keys.

use std::collections::BTreeSet;

use crate::format::sealed::{INDEX, Seal, SealedArtifacts};
use crate::rules::pack::findings::FindingKind;
use crate::rules::pack::verdict::Verdict;

/// The seals to open.
pub struct ToOpen<'a> {
    /// The document that declares them.
    pub document: &'a SealedArtifacts,
    /// The seals of artifacts.
    pub seals: Vec<&'a Seal>,
    /// Whether to open the index as well.
    pub index: bool,
}

/// The result of opening a seal.
pub struct OpenedSeal {
    /// Path of the seal.
    pub path: String,
    /// Why it cannot be opened or its content is invalid. `None` if it opened.
    pub fault: Option<String>,
}

/// Returns the seals to open: all except those already found missing or tampered with.
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

/// Adds the failures to a verdict.
pub fn judge_opened(verdict: &mut Verdict, opened: Vec<OpenedSeal>) {
    for OpenedSeal { path, fault } in opened {
        if let Some(why) = fault {
            verdict.findings.add(path, FindingKind::SealUnopenable(why));
        }
    }
}
