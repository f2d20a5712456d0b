//! Is a pack what its manifest says? Observations of a directory to findings; every check is always made.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::digest::Digest;
use crate::format::manifest::{DeclaredRef, ManifestDocument};
use crate::format::member_path::{MANIFEST, MemberPath};
use crate::refusal::shown::shown;

/// What was found on disk under one path below the pack's root.
#[derive(Clone, Debug)]
pub enum Fact {
    /// A regular file, read to its end.
    Hashed {
        /// SHA-256 of its bytes.
        hash: Digest,
        /// Its bytes.
        size: u64,
    },
    /// A regular file that no member declares; it was not read.
    Undeclared,
    /// A link, FIFO, socket or device.
    NotRegular(&'static str),
    /// A directory with nothing in it.
    EmptyDirectory,
    /// A file that could not be read.
    Unreadable(String),
    /// A directory that could not be listed.
    UnreadableDirectory(String),
}

/// Everything found below a pack's root except its manifest, by relative path.
pub type Facts = BTreeMap<Vec<u8>, Fact>;

/// One thing that is wrong with a pack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The member or file; empty where the whole pack is meant.
    pub path: String,
    /// What is wrong with it.
    pub kind: FindingKind,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// The id is not that of the content.
    PackIdMismatch(Mismatch),
    /// The count is not that of the members.
    MemberCountMismatch(Mismatch),
    /// A path is declared more than once.
    DuplicateMemberPath,
    /// A member is called `manifest.json`.
    ReservedMemberPath,
    /// A member path could lead out of the pack.
    UnsafeMemberPath(String),
    /// A declared member is not there.
    MissingMember,
    /// A member is not a regular file.
    NonRegularMember(String),
    /// A member or directory could not be read.
    UnreadableMember(String),
    /// A member's bytes are not those declared.
    HashMismatch(Mismatch),
    /// Something is there that the manifest does not declare.
    ExtraMember(String),
    /// A document departs from its schema.
    SchemaViolation(String),
    /// A declared seal is not among the members.
    SealMissing(String),
    /// A seal is not the one declared, or not an age file at all.
    SealTampered(String),
    /// An `.age` member under `sealed/` that nothing declares.
    SealUndeclared,
    /// A seal that the identities given do not open, or that does not hold what it should.
    SealUnopenable(String),
    /// A plain member that the pack's own registry protects.
    PlaintextLeak(String),
    /// The pack's state and its members, or a commit, differ here.
    RepoStateMismatch(String),
    /// The commit has another canon version.
    CanonVersionMismatch(Mismatch),
    /// The pack was made with another packing grammar.
    GrammarVersionMismatch(Mismatch),
}

/// Two values that should be one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mismatch {
    /// What should be.
    pub expected: String,
    /// What is.
    pub actual: String,
}

impl Mismatch {
    /// Returns the pair if the values differ.
    pub fn of(expected: impl ToString, actual: impl ToString) -> Option<Self> {
        let (expected, actual) = (expected.to_string(), actual.to_string());
        (expected != actual).then_some(Self { expected, actual })
    }
}

impl FindingKind {
    /// Returns the code as it is printed.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PackIdMismatch(_) => "PACK_ID_MISMATCH",
            Self::MemberCountMismatch(_) => "MEMBER_COUNT_MISMATCH",
            Self::DuplicateMemberPath => "DUPLICATE_MEMBER_PATH",
            Self::ReservedMemberPath => "RESERVED_MEMBER_PATH",
            Self::UnsafeMemberPath(_) => "UNSAFE_MEMBER_PATH",
            Self::MissingMember => "MISSING_MEMBER",
            Self::NonRegularMember(_) => "NON_REGULAR_MEMBER",
            Self::UnreadableMember(_) => "UNREADABLE_MEMBER",
            Self::HashMismatch(_) => "HASH_MISMATCH",
            Self::ExtraMember(_) => "EXTRA_MEMBER",
            Self::SchemaViolation(_) => "SCHEMA_VIOLATION",
            Self::SealMissing(_) => "SEAL_MISSING",
            Self::SealTampered(_) => "SEAL_TAMPERED",
            Self::SealUndeclared => "SEAL_UNDECLARED",
            Self::SealUnopenable(_) => "SEAL_UNOPENABLE",
            Self::PlaintextLeak(_) => "PLAINTEXT_LEAK",
            Self::RepoStateMismatch(_) => "REPO_STATE_MISMATCH",
            Self::CanonVersionMismatch(_) => "CANON_VERSION_MISMATCH",
            Self::GrammarVersionMismatch(_) => "GRAMMAR_VERSION_MISMATCH",
        }
    }

    /// Returns the two values, where the finding is about such.
    pub fn mismatch(&self) -> Option<&Mismatch> {
        match self {
            Self::PackIdMismatch(m)
            | Self::MemberCountMismatch(m)
            | Self::HashMismatch(m)
            | Self::CanonVersionMismatch(m)
            | Self::GrammarVersionMismatch(m) => Some(m),
            _ => None,
        }
    }

    /// Returns whether the finding is about the pack as a whole, not about one member or file.
    pub fn is_about_the_pack(&self) -> bool {
        matches!(self, Self::PackIdMismatch(_) | Self::MemberCountMismatch(_))
    }

    /// Returns what more there is to say, where there is; of versions, what to do.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::UnsafeMemberPath(what)
            | Self::NonRegularMember(what)
            | Self::UnreadableMember(what)
            | Self::ExtraMember(what)
            | Self::SchemaViolation(what)
            | Self::SealMissing(what)
            | Self::SealTampered(what)
            | Self::SealUnopenable(what)
            | Self::PlaintextLeak(what)
            | Self::RepoStateMismatch(what) => Some(what),
            Self::CanonVersionMismatch(_) => Some("the commit has other rules: seal it again, and drop this pack"),
            Self::GrammarVersionMismatch(_) => {
                Some("other rules made this pack: read it with the git-pack that made it, or seal the commit again")
            }
            _ => None,
        }
    }
}

/// Something that another maker of packs does otherwise, and that is no fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// The member, or the field of the manifest.
    pub path: String,
    /// What it is.
    pub kind: NoticeKind,
}

/// What another maker can do otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// It says the right thing, and is not spelled as this program spells it.
    NotCanonical(String),
    /// A member has no `artifact_version` where this program writes one.
    VersionMissing(String),
    /// A member has an `artifact_version` where this program writes none.
    VersionExtra(String),
    /// A member of a type was too large to be looked into.
    NotExamined(String),
}

impl NoticeKind {
    /// Returns the code as it is printed.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotCanonical(_) => "NOT_CANONICAL",
            Self::VersionMissing(_) => "ARTIFACT_VERSION_MISSING",
            Self::VersionExtra(_) => "ARTIFACT_VERSION_EXTRA",
            Self::NotExamined(_) => "NOT_EXAMINED",
        }
    }

    /// Returns what there is to say.
    pub fn detail(&self) -> &str {
        match self {
            Self::NotCanonical(what)
            | Self::VersionMissing(what)
            | Self::VersionExtra(what)
            | Self::NotExamined(what) => what,
        }
    }
}

/// Collects findings in the order in which they will be reported: by path, then by kind.
#[derive(Default)]
pub struct Findings {
    found: BTreeSet<Finding>,
    notices: BTreeSet<Notice>,
}

impl Findings {
    /// Adds a finding about `path`.
    pub fn add(&mut self, path: impl Into<String>, kind: FindingKind) {
        self.found.insert(Finding {
            path: path.into(),
            kind,
        });
    }

    /// Adds what another maker may do: in a tree pack, which only this program makes, it is a `SCHEMA_VIOLATION`.
    pub fn departure(&mut self, path: &str, kind: NoticeKind, tree_pack: bool) {
        match tree_pack {
            true => self.violation(path, kind.detail()),
            false => drop(self.notices.insert(Notice {
                path: path.to_owned(),
                kind,
            })),
        }
    }

    /// Returns what is no fault, in order.
    pub fn notices(&self) -> impl ExactSizeIterator<Item = &Notice> {
        self.notices.iter()
    }

    /// Adds a `SCHEMA_VIOLATION`.
    pub fn violation(&mut self, path: &str, what: impl Into<String>) {
        self.add(path, FindingKind::SchemaViolation(what.into()));
    }

    /// Returns whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns the findings in order.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.found.iter()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }
}

/// Judges the envelope: id, count, paths, hashes, that the set is closed, and how all of it is spelled.
pub fn envelope(manifest: &ManifestDocument, facts: &Facts, tree_pack: bool, findings: &mut Findings) {
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
    if let Some(mismatch) = Mismatch::of(&manifest.pack_id, manifest.computed_id) {
        findings.add("", FindingKind::PackIdMismatch(mismatch));
    }
    if let Some(mismatch) = Mismatch::of(manifest.member_count, manifest.members.len()) {
        findings.add("", FindingKind::MemberCountMismatch(mismatch));
    }
    let mut declared = BTreeSet::new();
    for member in &manifest.members {
        if !declared.insert(member.path.as_bytes()) {
            findings.add(&member.path, FindingKind::DuplicateMemberPath);
            continue;
        }
        let path = match MemberPath::parse(&member.path) {
            Ok(path) => path,
            Err(why) => {
                findings.add(&member.path, FindingKind::UnsafeMemberPath(why.to_string()));
                continue;
            }
        };
        if path.is_reserved() {
            findings.add(&member.path, FindingKind::ReservedMemberPath);
            continue;
        }
        findings.member(&member.path, &member.bytes_hash, facts);
    }
    for (path, fact) in facts {
        let name = std::str::from_utf8(path).map_or_else(|_| shown(path), str::to_owned);
        match fact {
            Fact::UnreadableDirectory(why) => {
                findings.add(format!("{name}/"), FindingKind::UnreadableMember(why.clone()));
            }
            Fact::EmptyDirectory => {
                findings.add(
                    format!("{name}/"),
                    FindingKind::ExtraMember("an empty directory".into()),
                );
            }
            _ if declared.contains(path.as_slice()) => {}
            _ => findings.add(name, FindingKind::ExtraMember("not declared in manifest.json".into())),
        }
    }
}

impl Findings {
    fn member(&mut self, path: &str, expected: &DeclaredRef, facts: &Facts) {
        let kind = match facts.get(path.as_bytes()) {
            Some(Fact::Hashed { hash, .. }) if expected.digest() == Some(*hash) => return,
            Some(Fact::Hashed { hash, .. }) => match Mismatch::of(expected, hash) {
                Some(mismatch) => FindingKind::HashMismatch(mismatch),
                None => return,
            },
            Some(Fact::Unreadable(why) | Fact::UnreadableDirectory(why)) => FindingKind::UnreadableMember(why.clone()),
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

/// Why nothing was seen at `path` although something may be there: a directory on the way could not be listed, or is not
/// one; or the path itself is a directory.
fn obstacle(path: &str, facts: &Facts) -> Option<FindingKind> {
    for (at, _) in path.match_indices('/') {
        match facts.get(&path.as_bytes()[..at]) {
            Some(Fact::UnreadableDirectory(why)) => {
                return Some(FindingKind::UnreadableMember(why.clone()));
            }
            Some(Fact::NotRegular(kind)) => {
                return Some(FindingKind::NonRegularMember(format!("below {kind}")));
            }
            _ => {}
        }
    }
    let below = [path.as_bytes(), b"/"].concat();
    facts
        .range(below.clone()..)
        .next()
        .filter(|(other, _)| other.starts_with(&below))
        .map(|_| FindingKind::NonRegularMember("a directory".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::canonical_json::to_document;
    use serde_json::json;

    fn judge(members: serde_json::Value, facts: Facts) -> Vec<(String, &'static str)> {
        let count = members.as_array().unwrap().len();
        let mut document = json!({"version":"pack.v0","pack_id":"","created":"2026-01-15T10:30:00Z",
            "tool_version":"0.1.0","member_count":count,"members":members});
        let id = ManifestDocument::parse(&to_document(&document)).unwrap().computed_id;
        document["pack_id"] = id.to_string().into();
        let manifest = ManifestDocument::parse(&to_document(&document)).unwrap();
        let mut findings = Findings::default();
        envelope(&manifest, &facts, false, &mut findings);
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
