//! Judges the attestations beside a pack: are they about this pack, and did the demanded keys make them?

use std::collections::BTreeMap;

use crate::format::digest::Digest;
use crate::format::statement::Statement;
use crate::rules::pack::findings::{FindingKind, Findings, NoticeKind};

/// A file that is attached as an attestation, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundAttestation {
    /// Its name, for messages.
    pub name: String,
    /// What it holds, or why it is not an attestation.
    pub content: Result<AttestationContent, String>,
}

/// What an attestation holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestationContent {
    /// The statement.
    pub statement: Statement,
    /// The ids of keys that the signatures name. Nothing proves them.
    pub key_ids: Vec<String>,
    /// The demanded keys that made a signature.
    pub made_by: Vec<String>,
    /// The demanded keys that a signature names, but did not make.
    pub not_made_by: Vec<String>,
}

/// A key by which something must be attested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemandedKey {
    /// Its id.
    pub id: String,
    /// Where it was read from, for messages.
    pub file: String,
}

/// What is known of the signatures of an attestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureState {
    /// A demanded key made one, and none is wrong.
    Valid,
    /// No demanded key made one.
    NotChecked,
    /// The attestation is not valid.
    Invalid,
}

impl SignatureState {
    /// Returns the word for it, for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::NotChecked => "not_checked",
            Self::Invalid => "invalid",
        }
    }
}

/// An attestation that was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedAttestation {
    /// Its name.
    pub name: String,
    /// The type of what it says. `None` if it cannot be read.
    pub predicate_type: Option<String>,
    /// The ids of keys that its signatures name.
    pub key_ids: Vec<String>,
    /// What is known of its signatures.
    pub signature: SignatureState,
}

/// The pack that attestations must be about.
pub struct AttestedPack<'a> {
    /// Its id.
    pub id: Option<Digest>,
    /// The declared hash of each member.
    pub members: &'a BTreeMap<String, Digest>,
}

/// Judges each attestation by itself, and whether each demanded key attested the pack.
pub fn judge_attestations(
    found: Vec<FoundAttestation>,
    demanded: &[DemandedKey],
    pack: &AttestedPack<'_>,
    findings: &mut Findings,
) -> Vec<JudgedAttestation> {
    let mut attested = Vec::new();
    let judged = found
        .into_iter()
        .map(|FoundAttestation { name, content }| {
            let fault = match &content {
                Ok(content) => fault_of(content, pack),
                Err(why) => Some(why.clone()),
            };
            let made_by = content.as_ref().map_or(&[][..], |content| &content.made_by);
            let signature = match (fault, made_by) {
                (Some(fault), _) => {
                    findings.add(name.clone(), FindingKind::AttestationInvalid(fault));
                    SignatureState::Invalid
                }
                (None, []) => {
                    let why = match demanded {
                        [] => "no key was given to check its signature with",
                        _ => "none of the given keys made its signature",
                    };
                    findings.notice(&name, NoticeKind::AttestationNotChecked(why.into()));
                    SignatureState::NotChecked
                }
                (None, made_by) => {
                    attested.extend_from_slice(made_by);
                    SignatureState::Valid
                }
            };
            let content = content.ok();
            JudgedAttestation {
                name,
                key_ids: content
                    .as_ref()
                    .map_or_else(Vec::new, |content| content.key_ids.clone()),
                predicate_type: content.map(|content| content.statement.predicate_type),
                signature,
            }
        })
        .collect();
    for key in demanded.iter().filter(|key| !attested.contains(&key.id)) {
        let what = format!("no valid attestation of this pack is by the key {}", key.id);
        findings.add(key.file.clone(), FindingKind::AttestationMissing(what));
    }
    judged
}

/// Returns why an attestation is not valid for the pack.
fn fault_of(content: &AttestationContent, pack: &AttestedPack<'_>) -> Option<String> {
    let subjects = &content.statement.subjects;
    if pack.id.is_none() || !subjects.iter().any(|subject| subject.sha256 == pack.id) {
        return Some("it is not about this pack: no subject has the pack id".into());
    }
    let contradicts = subjects.iter().find_map(|subject| {
        let name = subject.name.as_ref()?;
        let declared = pack.members.get(name)?;
        (subject.sha256.as_ref()? != declared).then_some(name)
    });
    if let Some(member) = contradicts {
        return Some(format!("its subject {member} does not have the hash of that member"));
    }
    let key = content.not_made_by.first()?;
    Some(format!("the key {key} did not make the signature that names it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::statement::StatementSubject;

    fn subject(name: &str, content: &[u8]) -> StatementSubject {
        StatementSubject {
            name: Some(name.into()),
            sha256: Some(Digest::of(content)),
        }
    }

    fn found(subjects: Vec<StatementSubject>, made_by: &[&str], not_made_by: &[&str]) -> FoundAttestation {
        let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        FoundAttestation {
            name: "file".into(),
            content: Ok(AttestationContent {
                statement: Statement {
                    subjects,
                    predicate_type: "t".into(),
                },
                key_ids: vec!["hint".into()],
                made_by: owned(made_by),
                not_made_by: owned(not_made_by),
            }),
        }
    }

    /// Returns the state of the one attestation, and the codes of findings and notices.
    fn judged(found: FoundAttestation, demanded: &[&str]) -> (SignatureState, Vec<&'static str>, usize) {
        let members = BTreeMap::from([("a".to_owned(), Digest::of(b"a"))]);
        let pack = AttestedPack {
            id: Some(Digest::of(b"pack")),
            members: &members,
        };
        let key = |id: &&str| DemandedKey {
            id: (*id).into(),
            file: "key.pem".into(),
        };
        let demanded: Vec<DemandedKey> = demanded.iter().map(key).collect();
        let mut findings = Findings::default();
        let judged = judge_attestations(vec![found], &demanded, &pack, &mut findings);
        let codes = findings.iter().map(|finding| finding.kind.code()).collect();
        (judged[0].signature, codes, findings.notices().len())
    }

    #[test]
    fn each_demanded_key_must_have_attested_this_pack() {
        use SignatureState::{Invalid, NotChecked, Valid};
        let (invalid, missing) = ("ATTESTATION_INVALID", "ATTESTATION_MISSING");
        let pack = || subject("pack", b"pack");
        let good = || vec![pack(), subject("a", b"a"), subject("elsewhere", b"x")];
        let broken = FoundAttestation {
            name: "file".into(),
            content: Err("why".into()),
        };
        for (found, demanded, state, codes, notices) in [
            (found(good(), &[], &[]), &[][..], NotChecked, &[][..], 1),
            (found(good(), &["k"], &[]), &["k"], Valid, &[], 0),
            (found(good(), &["k"], &[]), &["k", "l"], Valid, &[missing], 0),
            (found(good(), &[], &[]), &["k"], NotChecked, &[missing], 1),
            (
                found(good(), &["k"], &["l"]),
                &["k", "l"],
                Invalid,
                &[invalid, missing, missing],
                0,
            ),
            (
                found(vec![subject("pack", b"other")], &["k"], &[]),
                &["k"],
                Invalid,
                &[invalid, missing],
                0,
            ),
            (
                found(vec![subject("a", b"a")], &["k"], &[]),
                &["k"],
                Invalid,
                &[invalid, missing],
                0,
            ),
            (
                found(vec![pack(), subject("a", b"b")], &["k"], &[]),
                &["k"],
                Invalid,
                &[invalid, missing],
                0,
            ),
            (broken, &[], Invalid, &[invalid], 0),
        ] {
            let shown = format!("{found:?} {demanded:?}");
            let mut expected = codes.to_vec();
            expected.sort_unstable();
            assert_eq!(judged(found, demanded), (state, expected, notices), "{shown}");
        }
    }

    #[test]
    fn nothing_attests_a_pack_without_a_valid_id() {
        let mut findings = Findings::default();
        let pack = AttestedPack {
            id: None,
            members: &BTreeMap::new(),
        };
        let subject = StatementSubject {
            name: None,
            sha256: None,
        };
        judge_attestations(vec![found(vec![subject], &["k"], &[])], &[], &pack, &mut findings);
        assert_eq!(findings.len(), 1);
    }
}
