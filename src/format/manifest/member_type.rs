//! The types of a pack's members.

use serde::Serialize;

use crate::format::manifest::VERSION;

/// The type of a member, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberType {
    /// `lock.v0`.
    Lockfile,
    /// `rvl.v0`, `shape.v0`, `verify.v0`, `compare.v0`.
    Report,
    /// `canon.v0`, `assess.v0`.
    Artifact,
    /// `verify.rules.v0`.
    Rules,
    /// `pack.v0`.
    Pack,
    /// YAML with `schema_version` and `profile_id`.
    Profile,
    /// A file of a materialised registry.
    Registry,
    /// A public pack of cycles.
    Genome,
    /// Everything else.
    Other,
}

impl MemberType {
    const NAMES: [&str; 9] = [
        "lockfile", "report", "artifact", "rules", "pack", "profile", "registry", "genome", "other",
    ];

    /// Returns the word that manifests use.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Parses the word that manifests use.
    pub fn parse(word: &str) -> Option<Self> {
        use MemberType::{Artifact, Genome, Lockfile, Other, Pack, Profile, Registry, Report, Rules};
        let all = [
            Lockfile, Report, Artifact, Rules, Pack, Profile, Registry, Genome, Other,
        ];
        all.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Returns the type of a JSON document with this `version`. `None` if the version is unknown.
    pub fn of_version(version: &str) -> Option<Self> {
        Some(match version {
            "lock.v0" => Self::Lockfile,
            "rvl.v0" | "shape.v0" | "verify.v0" | "compare.v0" => Self::Report,
            "canon.v0" | "assess.v0" => Self::Artifact,
            "verify.rules.v0" => Self::Rules,
            VERSION => Self::Pack,
            _ => return None,
        })
    }
}
