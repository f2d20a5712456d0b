//! What can be wrong with a pack, what is no fault and worth a note, and which check of a report each belongs to.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

/// A check of a pack whose outcome is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The manifest counts its members.
    MemberCount,
    /// Each member has a safe path of its own.
    MemberPaths,
    /// Nothing is there that is not declared.
    ExtraMembers,
    /// The members are there, with the bytes that are declared.
    MemberHashes,
    /// The id is that of the content.
    PackId,
    /// The documents are what they should be.
    SchemaValidation,
    /// The state agrees with the members, and with a commit.
    RepoState,
    /// The seals are those that are declared.
    SealsIntact,
    /// The seals open.
    SealsOpenable,
    /// Nothing protected stands in the clear.
    PlaintextLeak,
}

/// One thing that is wrong with a pack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The member or file; empty where the whole pack is meant.
    pub path: String,
    /// What is wrong with it.
    pub kind: FindingKind,
}

/// What can be wrong. Findings of one path are reported in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// The id is not that of the content.
    PackIdMismatch(Mismatch<String>),
    /// The count is not that of the members.
    MemberCountMismatch(Mismatch<u64>),
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
    HashMismatch(Mismatch<String>),
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
    CanonVersionMismatch(Mismatch<String>),
    /// The pack was made with another packing grammar.
    GrammarVersionMismatch(Mismatch<String>),
}

/// Two values that should be one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mismatch<T> {
    /// What should be.
    pub expected: T,
    /// What is.
    pub actual: T,
}

impl<T: PartialEq> Mismatch<T> {
    /// Returns the pair if the values differ.
    pub fn of(expected: T, actual: T) -> Option<Self> {
        (expected != actual).then_some(Self { expected, actual })
    }
}

/// A value of a [`Mismatch`], as it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Printed<'a> {
    /// A text.
    Text(&'a str),
    /// A number.
    Number(u64),
}

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl FindingKind {
    /// Returns the code as it is printed, and the checks that fail by it.
    fn row(&self) -> (&'static str, &'static [Check]) {
        use Check::*;
        match self {
            Self::PackIdMismatch(_) => ("PACK_ID_MISMATCH", &[PackId]),
            Self::MemberCountMismatch(_) => ("MEMBER_COUNT_MISMATCH", &[MemberCount]),
            Self::DuplicateMemberPath => ("DUPLICATE_MEMBER_PATH", &[MemberPaths]),
            Self::ReservedMemberPath => ("RESERVED_MEMBER_PATH", &[MemberPaths]),
            Self::UnsafeMemberPath(_) => ("UNSAFE_MEMBER_PATH", &[MemberPaths]),
            Self::MissingMember => ("MISSING_MEMBER", &[MemberHashes]),
            Self::NonRegularMember(_) => ("NON_REGULAR_MEMBER", &[MemberHashes]),
            Self::UnreadableMember(_) => ("UNREADABLE_MEMBER", &[MemberHashes]),
            Self::HashMismatch(_) => ("HASH_MISMATCH", &[MemberHashes]),
            Self::ExtraMember(_) => ("EXTRA_MEMBER", &[ExtraMembers]),
            Self::SchemaViolation(_) => ("SCHEMA_VIOLATION", &[SchemaValidation]),
            Self::SealMissing(_) => ("SEAL_MISSING", &[SealsIntact, SealsOpenable]),
            Self::SealTampered(_) => ("SEAL_TAMPERED", &[SealsIntact, SealsOpenable]),
            Self::SealUndeclared => ("SEAL_UNDECLARED", &[SealsIntact]),
            Self::SealUnopenable(_) => ("SEAL_UNOPENABLE", &[SealsOpenable]),
            Self::PlaintextLeak(_) => ("PLAINTEXT_LEAK", &[PlaintextLeak]),
            Self::RepoStateMismatch(_) => ("REPO_STATE_MISMATCH", &[RepoState]),
            Self::CanonVersionMismatch(_) => ("CANON_VERSION_MISMATCH", &[RepoState]),
            Self::GrammarVersionMismatch(_) => ("GRAMMAR_VERSION_MISMATCH", &[RepoState]),
        }
    }

    /// Returns the code as it is printed.
    pub fn code(&self) -> &'static str {
        self.row().0
    }

    /// Returns the checks that fail by it: one, or two where a seal is concerned.
    pub fn checks(&self) -> &'static [Check] {
        self.row().1
    }

    /// Returns the two values, where the finding is about such.
    pub fn mismatch(&self) -> Option<Mismatch<Printed<'_>>> {
        let (expected, actual) = match self {
            Self::MemberCountMismatch(m) => (Printed::Number(m.expected), Printed::Number(m.actual)),
            Self::PackIdMismatch(m)
            | Self::HashMismatch(m)
            | Self::CanonVersionMismatch(m)
            | Self::GrammarVersionMismatch(m) => (Printed::Text(&m.expected), Printed::Text(&m.actual)),
            _ => return None,
        };
        Some(Mismatch { expected, actual })
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

    /// Returns whether nothing was found that fails a check.
    pub fn passes(&self, check: Check) -> bool {
        !self.found.iter().any(|finding| finding.kind.checks().contains(&check))
    }

    /// Adds a `SCHEMA_VIOLATION`.
    pub fn violation(&mut self, path: &str, what: impl Into<String>) {
        self.add(path, FindingKind::SchemaViolation(what.into()));
    }

    /// Adds a `REPO_STATE_MISMATCH`.
    pub fn differs(&mut self, path: &str, what: impl Into<String>) {
        self.add(path, FindingKind::RepoStateMismatch(what.into()));
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
