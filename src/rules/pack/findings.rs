//! The findings and notices about a pack, and the check that each finding belongs to.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::format::line_ends::LineEnds;

/// A check whose result the report of `verify` states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The declared member count is correct.
    MemberCount,
    /// Member paths are safe and unique.
    MemberPaths,
    /// The pack contains no undeclared files.
    ExtraMembers,
    /// All members exist and match their declared hashes.
    MemberHashes,
    /// The pack id matches the content.
    PackId,
    /// All documents and typed members follow their schemas.
    SchemaValidation,
    /// The repository state matches the members and the commit.
    RepoState,
    /// All seals are declared and unchanged.
    SealsIntact,
    /// All seals can be opened.
    SealsOpenable,
    /// No protected content is in the clear.
    PlaintextLeak,
    /// The signatures that are there are valid, and those that are demanded are there.
    Signatures,
    /// All attestations are valid, and none is missing.
    Attestations,
}

/// A fault in a pack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path of the member or file. Empty for the pack as a whole.
    pub path: String,
    /// The kind of fault.
    pub kind: FindingKind,
}

/// The kind of a fault. Findings about one path are reported in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// The declared pack id does not match the content.
    PackIdMismatch(Mismatch<String>),
    /// The declared member count does not match the number of members.
    MemberCountMismatch(Mismatch<u64>),
    /// A path is declared more than once.
    DuplicateMemberPath,
    /// A member has the path `manifest.json`.
    ReservedMemberPath,
    /// A member path is unsafe: it could lead out of the pack.
    UnsafeMemberPath(String),
    /// A declared member does not exist.
    MissingMember,
    /// A member is not a regular file.
    NonRegularMember(String),
    /// A member or directory could not be read.
    UnreadableMember(String),
    /// The bytes of a member do not match its declared hash, and whether they would with other line ends.
    HashMismatch(Mismatch<String>, Option<LineEnds>),
    /// The pack contains something that the manifest does not declare.
    ExtraMember(String),
    /// A document or typed member violates its schema.
    SchemaViolation(String),
    /// A declared seal is not a member.
    SealMissing(String),
    /// A seal differs from its declaration, or is not an age file.
    SealTampered(String),
    /// A member under `sealed/` is not declared as a seal.
    SealUndeclared,
    /// A seal cannot be opened with the given identities, or its content is invalid.
    SealUnopenable(String),
    /// A member in the clear is protected by the pack's own registry.
    PlaintextLeak(String),
    /// The repository state differs from the members or from the commit at this path.
    RepoStateMismatch(String),
    /// The canon version differs from the commit's.
    CanonVersionMismatch(Mismatch<String>),
    /// The pack was made with a different grammar version.
    GrammarVersionMismatch(Mismatch<String>),
    /// Somebody who must have signed did not.
    SignatureMissing(String),
    /// What is attached as a signature is not one over this pack, or proves nothing.
    SignatureInvalid(String),
    /// No known signer made a signature.
    SignerUnknown(String),
    /// The signer was not valid when the pack was made.
    SignerNotValidThen(String),
    /// The key of the signer is revoked.
    SignerRevoked(String),
    /// A file attached as an attestation is not one, is about another pack, or has a wrong signature.
    AttestationInvalid(String),
    /// No attestation is by a key that was demanded.
    AttestationMissing(String),
}

/// Two values that should be equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mismatch<T> {
    /// The expected value.
    pub expected: T,
    /// The actual value.
    pub actual: T,
}

impl<T: PartialEq> Mismatch<T> {
    /// Returns the pair if the values differ, else `None`.
    pub fn of(expected: T, actual: T) -> Option<Self> {
        (expected != actual).then_some(Self { expected, actual })
    }
}

/// A value of a [`Mismatch`], for printing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Printed<'a> {
    /// A string.
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
    /// Returns the printed code of the finding and the checks that it fails.
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
            Self::HashMismatch(..) => ("HASH_MISMATCH", &[MemberHashes]),
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
            Self::SignatureMissing(_) => ("SIGNATURE_MISSING", &[Signatures]),
            Self::SignatureInvalid(_) => ("SIGNATURE_INVALID", &[Signatures]),
            Self::SignerUnknown(_) => ("SIGNER_UNKNOWN", &[Signatures]),
            Self::SignerNotValidThen(_) => ("SIGNER_NOT_VALID_THEN", &[Signatures]),
            Self::SignerRevoked(_) => ("SIGNER_REVOKED", &[Signatures]),
            Self::AttestationInvalid(_) => ("ATTESTATION_INVALID", &[Attestations]),
            Self::AttestationMissing(_) => ("ATTESTATION_MISSING", &[Attestations]),
        }
    }

    /// Returns the printed code.
    pub fn code(&self) -> &'static str {
        self.row().0
    }

    /// Returns the checks that the finding fails. Some findings about seals fail two.
    pub fn checks(&self) -> &'static [Check] {
        self.row().1
    }

    /// Returns the expected and the actual value, if the finding compares two.
    pub fn mismatch(&self) -> Option<Mismatch<Printed<'_>>> {
        let (expected, actual) = match self {
            Self::MemberCountMismatch(m) => (Printed::Number(m.expected), Printed::Number(m.actual)),
            Self::PackIdMismatch(m)
            | Self::HashMismatch(m, _)
            | Self::CanonVersionMismatch(m)
            | Self::GrammarVersionMismatch(m) => (Printed::Text(&m.expected), Printed::Text(&m.actual)),
            _ => return None,
        };
        Some(Mismatch { expected, actual })
    }

    /// Returns whether the finding is about the pack as a whole.
    pub fn is_about_the_pack(&self) -> bool {
        matches!(
            self,
            Self::PackIdMismatch(_) | Self::MemberCountMismatch(_) | Self::SignatureMissing(_)
        )
    }

    /// Returns the details, if there are any.
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
            | Self::RepoStateMismatch(what)
            | Self::SignatureMissing(what)
            | Self::SignatureInvalid(what)
            | Self::SignerUnknown(what)
            | Self::SignerNotValidThen(what)
            | Self::SignerRevoked(what)
            | Self::AttestationInvalid(what)
            | Self::AttestationMissing(what) => Some(what),
            Self::HashMismatch(_, line_ends) => line_ends.map(LineEnds::converted),
            _ => None,
        }
    }
}

/// Something that a reader should know and that is not a fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// The member, the field of the manifest, or the attached file.
    pub path: String,
    /// Its kind.
    pub kind: NoticeKind,
}

/// A kind of notice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// The content is correct but not in canonical form.
    NotCanonical(String),
    /// A member lacks the `artifact_version` that git-pack would write.
    VersionMissing(String),
    /// A member has an `artifact_version` that git-pack would leave out.
    VersionExtra(String),
    /// A typed member is too large to examine.
    NotExamined(String),
    /// No key was given that made the signature of an attestation.
    AttestationNotChecked(String),
}

impl NoticeKind {
    /// Returns the printed code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotCanonical(_) => "NOT_CANONICAL",
            Self::VersionMissing(_) => "ARTIFACT_VERSION_MISSING",
            Self::VersionExtra(_) => "ARTIFACT_VERSION_EXTRA",
            Self::NotExamined(_) => "NOT_EXAMINED",
            Self::AttestationNotChecked(_) => "ATTESTATION_NOT_CHECKED",
        }
    }

    /// Returns the details.
    pub fn detail(&self) -> &str {
        match self {
            Self::NotCanonical(what)
            | Self::VersionMissing(what)
            | Self::VersionExtra(what)
            | Self::NotExamined(what)
            | Self::AttestationNotChecked(what) => what,
        }
    }
}

/// Findings and notices, in the order of the report: by path, then by kind.
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

    /// Adds a notice. In a tree pack, which only git-pack makes, it is a `SCHEMA_VIOLATION` instead.
    pub fn departure(&mut self, path: &str, kind: NoticeKind, tree_pack: bool) {
        match tree_pack {
            true => self.violation(path, kind.detail()),
            false => self.notice(path, kind),
        }
    }

    /// Adds a notice.
    pub fn notice(&mut self, path: &str, kind: NoticeKind) {
        self.notices.insert(Notice {
            path: path.to_owned(),
            kind,
        });
    }

    /// Returns the notices in order.
    pub fn notices(&self) -> impl ExactSizeIterator<Item = &Notice> {
        self.notices.iter()
    }

    /// Returns whether no finding fails `check`.
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

    /// Returns whether there are no findings.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns the findings in order.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.found.iter()
    }

    /// Returns the number of findings.
    pub fn len(&self) -> usize {
        self.found.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_fails_its_own_checks_and_no_others() {
        let mut findings = Findings::default();
        findings.add("sealed/a.age", FindingKind::SealMissing("it is declared".into()));
        assert!(!findings.passes(Check::SealsIntact) && !findings.passes(Check::SealsOpenable));
        assert!(findings.passes(Check::MemberHashes) && findings.passes(Check::SchemaValidation));
    }

    #[test]
    fn a_count_is_printed_as_a_number() {
        let kind = FindingKind::MemberCountMismatch(Mismatch::of(2, 1).unwrap());
        let mismatch = kind.mismatch().unwrap();
        assert_eq!(
            (mismatch.expected, mismatch.actual),
            (Printed::Number(2), Printed::Number(1))
        );
    }
}
