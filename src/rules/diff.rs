//! Compares two packs: by their manifests, and by the outcomes of known reports in them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::format::manifest::{Declared, ManifestDocument};

/// The difference of two packs. Every list is sorted bytewise by path.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Paths of members that only the second pack has.
    pub added: Vec<String>,
    /// Paths of members that only the first pack has.
    pub removed: Vec<String>,
    /// Members that both packs have, with different content.
    pub changed: Vec<Changed>,
    /// Number of members that both packs have with the same content.
    pub unchanged: u64,
}

/// A member whose content differs.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed {
    /// Path of the member, relative to the pack's root.
    pub path: String,
    /// Content ref in the first pack.
    pub before: String,
    /// Content ref in the second pack.
    pub after: String,
    /// The report version, if the member is a report of the same known version in both packs.
    pub report: Option<String>,
}

impl Difference {
    /// Returns whether the packs have the same members.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

type ByPath<'a> = BTreeMap<&'a str, Declared<'a>>;

fn by_path(manifest: &ManifestDocument) -> ByPath<'_> {
    manifest.members.iter().map(|member| (member.path, member)).collect()
}

/// Compares two manifests.
pub fn diff(before: &ManifestDocument, after: &ManifestDocument) -> Difference {
    let (before, after) = (by_path(before), by_path(after));
    let only_in = |one: &ByPath<'_>, other: &ByPath<'_>| -> Vec<String> {
        let paths = one.keys().filter(|path| !other.contains_key(*path));
        paths.map(|path| (*path).to_owned()).collect()
    };
    let mut difference = Difference {
        added: only_in(&after, &before),
        removed: only_in(&before, &after),
        ..Difference::default()
    };
    for (path, old) in &before {
        let Some(new) = after.get(path) else { continue };
        if old.bytes_hash == new.bytes_hash {
            difference.unchanged += 1;
            continue;
        }
        let report = old
            .artifact_version
            .filter(|v| old.kind == "report" && new.artifact_version == Some(v))
            .map(str::to_owned);
        difference.changed.push(Changed {
            path: (*path).to_owned(),
            before: old.bytes_hash.to_string(),
            after: new.bytes_hash.to_string(),
            report,
        });
    }
    difference
}

/// Returns the outcome that a report states. `None` if it is not a JSON object with an `outcome`.
pub fn outcome(report: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Concluding {
        outcome: String,
    }
    serde_json::from_slice::<Concluding>(report)
        .ok()
        .map(|report| report.outcome)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::canonical_json::to_document;
    use crate::format::digest::Digest;
    use serde_json::json;

    fn manifest(members: &[(&str, &str)]) -> ManifestDocument {
        let members: Vec<_> = members
            .iter()
            .map(|(path, content)| json!({"path":path,"type":"other","bytes_hash":Digest::of(content.as_bytes()).to_string()}))
            .collect();
        let document = json!({"version":"pack.v0","pack_id":"","created":"2026-01-15T10:30:00Z",
            "tool_version":"0.1.0","member_count":members.len(),"members":members});
        ManifestDocument::parse(&to_document(&document)).unwrap()
    }

    #[test]
    fn a_pack_differs_from_another_and_never_from_itself() {
        let one = manifest(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let two = manifest(&[("b", "2"), ("c", "1"), ("d", "1")]);
        assert!(diff(&one, &one).is_empty());
        let difference = diff(&one, &two);
        assert_eq!(
            (difference.added, difference.removed),
            (vec!["d".to_owned()], vec!["a".to_owned()])
        );
        assert_eq!(
            difference.changed.iter().map(|c| c.path.as_str()).collect::<Vec<_>>(),
            ["b"]
        );
        assert_eq!(difference.unchanged, 1);
        assert_eq!(
            outcome(b"{\"outcome\":\"REAL_CHANGE\",\"x\":1}"),
            Some("REAL_CHANGE".into())
        );
        assert_eq!(outcome(b"[]"), None);
    }
}
