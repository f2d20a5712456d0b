//! Checks a pack against its manifest: id, member count, paths, hashes, and that nothing else is in the pack.

use std::collections::{BTreeMap, HashSet};

use crate::format::line_ends::LineEnds;
use crate::format::manifest::{Declared, ManifestDocument, MemberIndex};
use crate::format::member_path::{MANIFEST, MemberPath};
use crate::refusal::shown::shown;
use crate::rules::pack::findings::{FindingKind, Findings, Mismatch, NoticeKind};
use crate::rules::pack::observed::{Fact, Facts, FactsInOrder};

/// The declared members, and what was found at their paths.
pub(super) struct Members<'a> {
    /// The manifest that declares the members.
    pub manifest: &'a ManifestDocument,
    /// What was found at each path.
    pub facts: &'a Facts,
    /// Finds the members by their paths.
    index: MemberIndex<'a>,
    /// Whether the pack is a tree pack.
    pub tree_pack: bool,
}

impl<'a> Members<'a> {
    /// Collects the members of a manifest.
    pub(super) fn of(manifest: &'a ManifestDocument, facts: &'a Facts, tree_pack: bool) -> Self {
        Self {
            manifest,
            facts,
            index: MemberIndex::of(&manifest.members),
            tree_pack,
        }
    }

    /// Returns whether a member has this path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.index.has(path.as_bytes())
    }

    /// Returns the paths of the members, sorted and without duplicates.
    pub(super) fn paths(&self) -> impl Iterator<Item = &'a str> {
        self.index.paths()
    }
}

/// Judges the envelope: id, count, paths, hashes, extra files, and the spelling of the manifest.
pub(super) fn envelope(
    manifest: &ManifestDocument,
    facts: &Facts,
    line_ends: &BTreeMap<String, LineEnds>,
    tree_pack: bool,
    findings: &mut Findings,
) {
    for (place, what) in &manifest.violations {
        findings.violation(place, what.clone());
    }
    for departure in manifest.departures.iter().filter(|d| tree_pack || !d.is_usual) {
        let place = match departure.place.as_str() {
            "" => MANIFEST,
            place => place,
        };
        findings.departure(place, NoticeKind::NotCanonical(departure.what.clone()), tree_pack);
    }
    if let Some(mismatch) = Mismatch::of(manifest.pack_id.clone(), manifest.computed_id.to_string()) {
        findings.add("", FindingKind::PackIdMismatch(mismatch));
    }
    if let Some(mismatch) = Mismatch::of(manifest.member_count, manifest.members.len() as u64) {
        findings.add("", FindingKind::MemberCountMismatch(mismatch));
    }
    let declared = MemberIndex::of(&manifest.members);
    // Where the paths are sorted, none occurs twice.
    let mut seen = (!declared.is_sorted()).then(HashSet::new);
    let mut in_order = FactsInOrder::of(facts);
    for member in manifest.members.iter() {
        let fact = in_order.get(member.path);
        if seen.as_mut().is_some_and(|seen| !seen.insert(member.path)) {
            findings.add(member.path, FindingKind::DuplicateMemberPath);
            continue;
        }
        let path = match MemberPath::parse(member.path) {
            Ok(path) => path,
            Err(why) => {
                findings.add(member.path, FindingKind::UnsafeMemberPath(why.to_string()));
                continue;
            }
        };
        if path.is_reserved() {
            findings.add(member.path, FindingKind::ReservedMemberPath);
            continue;
        }
        findings.member(&member, fact, facts, line_ends.get(member.path).copied());
    }
    drop(seen);
    for (path, fact) in facts.iter() {
        let name = || std::str::from_utf8(path).map_or_else(|_| shown(path), str::to_owned);
        match fact {
            Fact::UnreadableDirectory(why) => {
                findings.add(format!("{}/", name()), FindingKind::UnreadableMember(why.to_string()));
            }
            Fact::EmptyDirectory => {
                findings.add(
                    format!("{}/", name()),
                    FindingKind::ExtraMember("an empty directory".into()),
                );
            }
            _ if declared.has(path) => {}
            _ => findings.add(name(), FindingKind::ExtraMember("not declared in manifest.json".into())),
        }
    }
}

impl Findings {
    fn member(&mut self, member: &Declared<'_>, fact: Option<&Fact>, facts: &Facts, line_ends: Option<LineEnds>) {
        let (path, expected) = (member.path, &member.bytes_hash);
        let kind = match fact {
            Some(Fact::Hashed { hash, .. }) if expected.digest() == Some(*hash) => return,
            Some(Fact::Hashed { hash, .. }) => match Mismatch::of(expected.to_string(), hash.to_string()) {
                Some(mismatch) => FindingKind::HashMismatch(mismatch, line_ends),
                None => return,
            },
            Some(Fact::Unreadable(why) | Fact::UnreadableDirectory(why)) => {
                FindingKind::UnreadableMember(why.to_string())
            }
            Some(Fact::NotRegular(kind)) => FindingKind::NonRegularMember((*kind).to_owned()),
            Some(Fact::EmptyDirectory) => FindingKind::NonRegularMember("a directory".into()),
            Some(Fact::Undeclared) => FindingKind::UnreadableMember("it was not read".into()),
            None => match obstacle(path, facts) {
                Some(kind) => kind,
                None => FindingKind::MissingMember,
            },
        };
        self.add(path, kind);
    }
}

/// Explains why nothing was found at `path` although it may exist: a parent could not be listed or is not a directory,
/// or the path itself is a directory.
fn obstacle(path: &str, facts: &Facts) -> Option<FindingKind> {
    for (at, _) in path.match_indices('/') {
        match facts.get(&path.as_bytes()[..at]) {
            Some(Fact::UnreadableDirectory(why)) => {
                return Some(FindingKind::UnreadableMember(why.to_string()));
            }
            Some(Fact::NotRegular(kind)) => {
                return Some(FindingKind::NonRegularMember(format!("below {kind}")));
            }
            _ => {}
        }
    }
    let below = [path.as_bytes(), b"/"].concat();
    let is_directory = facts.has_below(&below);
    is_directory.then(|| FindingKind::NonRegularMember("a directory".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::canonical_json::to_document;
    use crate::format::digest::Digest;
    use serde_json::json;

    fn judge(members: serde_json::Value, facts: Facts) -> Vec<(String, &'static str)> {
        let count = members.as_array().unwrap().len();
        let mut document = json!({"version":"pack.v0","pack_id":"","created":"2026-01-15T10:30:00Z",
            "tool_version":"0.1.0","member_count":count,"members":members});
        let id = ManifestDocument::parse(&to_document(&document)).unwrap().computed_id;
        document["pack_id"] = id.to_string().into();
        let manifest = ManifestDocument::parse(&to_document(&document)).unwrap();
        let mut findings = Findings::default();
        envelope(&manifest, &facts, &BTreeMap::new(), false, &mut findings);
        findings.iter().map(|f| (f.path.clone(), f.kind.code())).collect()
    }

    fn member(path: &str) -> serde_json::Value {
        json!({"path":path,"bytes_hash":Digest::of(b"x").to_string(),"type":"other"})
    }

    fn hashed(content: &[u8]) -> Fact {
        Fact::Hashed {
            hash: Digest::of(content),
            size: content.len() as u64,
        }
    }

    fn facts<const N: usize>(list: [(&str, Fact); N]) -> Facts {
        list.into_iter()
            .map(|(path, fact)| (path.as_bytes().to_vec(), fact))
            .collect()
    }

    #[test]
    fn nothing_that_could_not_be_read_passes() {
        let found = judge(
            json!([
                member("a"),
                member("b"),
                member("c/d"),
                member("e/f"),
                member("g"),
                member("h"),
                member("i"),
                member("j")
            ]),
            facts([
                ("a", hashed(b"x")),
                ("b", hashed(b"y")),
                ("c", Fact::UnreadableDirectory("denied".into())),
                ("e", Fact::NotRegular("a symbolic link")),
                ("g", Fact::Unreadable("denied".into())),
                ("h", Fact::NotRegular("a FIFO")),
                ("i/k", hashed(b"x")),
            ]),
        );
        let codes: Vec<_> = found.iter().map(|(path, code)| (path.as_str(), *code)).collect();
        assert_eq!(
            codes,
            [
                ("b", "HASH_MISMATCH"),
                ("c/", "UNREADABLE_MEMBER"),
                ("c/d", "UNREADABLE_MEMBER"),
                ("e", "EXTRA_MEMBER"),
                ("e/f", "NON_REGULAR_MEMBER"),
                ("g", "UNREADABLE_MEMBER"),
                ("h", "NON_REGULAR_MEMBER"),
                ("i", "NON_REGULAR_MEMBER"),
                ("i/k", "EXTRA_MEMBER"),
                ("j", "MISSING_MEMBER"),
            ]
        );
    }

    #[test]
    fn the_set_is_closed_and_paths_are_judged_before_they_are_followed() {
        let found = judge(
            json!([member("../x"), member("a"), member("a"), member("manifest.json")]),
            facts([
                ("a", hashed(b"x")),
                ("d", Fact::EmptyDirectory),
                ("z", Fact::Undeclared),
            ]),
        );
        let codes: Vec<_> = found.iter().map(|(path, code)| (path.as_str(), *code)).collect();
        assert_eq!(
            codes,
            [
                ("../x", "UNSAFE_MEMBER_PATH"),
                ("a", "DUPLICATE_MEMBER_PATH"),
                ("d/", "EXTRA_MEMBER"),
                ("manifest.json", "RESERVED_MEMBER_PATH"),
                ("z", "EXTRA_MEMBER"),
            ]
        );
    }
}
