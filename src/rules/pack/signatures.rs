//! Judges the signatures of a pack: which are valid, and whether those who had to sign did.

use std::collections::BTreeSet;

use crate::rules::pack::findings::{FindingKind, Findings};

/// A signature that is attached to a pack, and what its check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedSignature {
    /// The name of its file, or where a place has it.
    pub name: String,
    /// The key that made it, as `ssh-keygen` names it. `None` if that is not known.
    pub key: Option<String>,
    /// What was found.
    pub outcome: SignatureOutcome,
}

/// What the check of a signature found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureOutcome {
    /// It is not a signature over this pack, or proves nothing, for this reason.
    Invalid(String),
    /// It could not be checked.
    Unchecked,
    /// It is valid, and no signers are known.
    Valid,
    /// It is valid, and no known signer made it.
    ByUnknown(String),
    /// It is valid, and its signer was not valid when the pack was made.
    NotValidThen(String),
    /// It is valid, and its key is revoked.
    Revoked(String),
    /// These known signers made it.
    By(Vec<String>),
}

impl SignatureOutcome {
    /// Returns the outcome as one word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Unchecked => "unchecked",
            Self::Valid => "valid",
            Self::ByUnknown(_) => "unknown_signer",
            Self::NotValidThen(_) => "signer_not_valid_then",
            Self::Revoked(_) => "signer_revoked",
            Self::By(_) => "good",
        }
    }
}

/// Who must have signed a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureDemand {
    /// Each of these principals.
    pub by: Vec<String>,
    /// So many different known signers.
    pub count: usize,
}

impl SignatureDemand {
    /// Returns whether anything is demanded.
    pub fn is_any(&self) -> bool {
        !self.by.is_empty() || self.count > 0
    }
}

/// Adds what is wrong with the signatures to `findings`. An invalid one always is. A signer who does not count is wrong
/// only where somebody is missing.
pub fn judge_signatures(checked: &[CheckedSignature], demand: &SignatureDemand, findings: &mut Findings) {
    for signature in checked {
        if let SignatureOutcome::Invalid(why) = &signature.outcome {
            findings.add(&signature.name, FindingKind::SignatureInvalid(why.clone()));
        }
    }
    let mut missing = missing_principals(checked, &demand.by);
    let signers = distinct_signers(checked);
    if signers < demand.count {
        let (wanted, are) = (demand.count, if demand.count == 1 { "is" } else { "are" });
        missing.push(format!(
            "{wanted} known {} {are} demanded, and {signers} signed",
            plural(wanted)
        ));
    }
    if missing.is_empty() {
        return;
    }
    for missing in missing {
        findings.add("", FindingKind::SignatureMissing(missing));
    }
    for CheckedSignature { name, outcome, .. } in checked {
        let kind = match outcome {
            SignatureOutcome::ByUnknown(why) => FindingKind::SignerUnknown(why.clone()),
            SignatureOutcome::NotValidThen(why) => FindingKind::SignerNotValidThen(why.clone()),
            SignatureOutcome::Revoked(why) => FindingKind::SignerRevoked(why.clone()),
            _ => continue,
        };
        findings.add(name, kind);
    }
}

/// Returns the demanded principals who did not sign. A key stands for one of them, whoever else it belongs to.
fn missing_principals(checked: &[CheckedSignature], demanded: &[String]) -> Vec<String> {
    let SignedBy { keys, names, edges } = SignedBy::of(checked);
    let mut demanded: Vec<&String> = demanded.iter().collect();
    demanded.sort();
    demanded.dedup();
    // Each demanded principal looks for a key.
    let of_name = |name: &&String| -> Vec<usize> {
        let at = names.binary_search(&name.as_str()).ok();
        (0..keys.len())
            .filter(|key| at.is_some_and(|at| edges[*key].contains(&at)))
            .collect()
    };
    let edges: Vec<Vec<usize>> = demanded.iter().map(of_name).collect();
    let mut taken = vec![None; keys.len()];
    let mut missing = Vec::new();
    for (at, name) in demanded.iter().enumerate() {
        if !assign(at, &edges, &mut taken, &mut vec![false; keys.len()]) {
            missing.push((*name).clone());
        }
    }
    missing
}

/// Returns how many different people are proven to have signed: each principal counts for one key, and each key for one
/// principal, however many of both belong together.
pub fn distinct_signers(checked: &[CheckedSignature]) -> usize {
    let SignedBy { keys, names, edges } = SignedBy::of(checked);
    let mut taken: Vec<Option<usize>> = vec![None; names.len()];
    (0..keys.len())
        .filter(|key| assign(*key, &edges, &mut taken, &mut vec![false; names.len()]))
        .count()
}

/// Which keys made good signatures, and whose they are.
struct SignedBy<'a> {
    /// The fingerprints of the keys. A key in a certificate is the same key.
    keys: Vec<&'a str>,
    /// The principals, sorted.
    names: Vec<&'a str>,
    /// For each key, the principals that it belongs to.
    edges: Vec<Vec<usize>>,
}

impl<'a> SignedBy<'a> {
    fn of(checked: &'a [CheckedSignature]) -> Self {
        let good: BTreeSet<(&str, &[String])> = checked
            .iter()
            .filter_map(|signature| match &signature.outcome {
                SignatureOutcome::By(principals) => Some((fingerprint(signature.key.as_deref()?), &principals[..])),
                _ => None,
            })
            .collect();
        let keys: BTreeSet<&str> = good.iter().map(|(key, _)| *key).collect();
        let names: BTreeSet<&str> = good
            .iter()
            .flat_map(|(_, names)| names.iter().map(String::as_str))
            .collect();
        let (keys, names): (Vec<&str>, Vec<&str>) = (keys.into_iter().collect(), names.into_iter().collect());
        let of_key = |key: &&str| -> Vec<usize> {
            let all = good.iter().filter(|(other, _)| other == key);
            let all = all.flat_map(|(_, names)| names.iter());
            all.filter_map(|name| names.binary_search(&name.as_str()).ok())
                .collect()
        };
        Self {
            edges: keys.iter().map(of_key).collect(),
            keys,
            names,
        }
    }
}

/// Returns the fingerprint in the name of a key, such as `ED25519-CERT key SHA256:…`.
fn fingerprint(key: &str) -> &str {
    key.rsplit(' ').next().unwrap_or(key)
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "signer" } else { "signers" }
}

/// Finds a partner for one side, and other partners for those that this displaces: in the end, as many as possible have one,
/// and nobody has two (Kuhn's algorithm).
fn assign(key: usize, edges: &[Vec<usize>], taken: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    for name in &edges[key] {
        if std::mem::replace(&mut seen[*name], true) {
            continue;
        }
        if taken[*name].is_none_or(|other| assign(other, edges, taken, seen)) {
            taken[*name] = Some(key);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(name: &str, key: &str, principals: &[&str]) -> CheckedSignature {
        CheckedSignature {
            name: name.into(),
            key: Some(key.into()),
            outcome: SignatureOutcome::By(principals.iter().map(|name| (*name).to_owned()).collect()),
        }
    }

    fn codes(checked: &[CheckedSignature], by: &[&str], count: usize) -> Vec<&'static str> {
        let demand = SignatureDemand {
            by: by.iter().map(|name| (*name).to_owned()).collect(),
            count,
        };
        let mut findings = Findings::default();
        judge_signatures(checked, &demand, &mut findings);
        findings.iter().map(|finding| finding.kind.code()).collect()
    }

    #[test]
    fn one_person_counts_once() {
        for (signatures, expected) in [
            (vec![], 0),
            (vec![good("1", "a", &["alice"]), good("2", "a", &["alice"])], 1),
            // Two keys of one person, and one key of two people.
            (vec![good("1", "a", &["alice"]), good("2", "b", &["alice"])], 1),
            (vec![good("1", "a", &["alice", "bob"])], 1),
            (vec![good("1", "a", &["alice", "bob"]), good("2", "b", &["alice"])], 2),
            (vec![good("1", "a", &["alice"]), good("2", "b", &["alice", "bob"])], 2),
            // A certificate of a key, and the key itself.
            (
                vec![
                    good("1", "ED25519-CERT key SHA256:a", &["alice"]),
                    good("2", "ED25519 key SHA256:a", &["bob"]),
                ],
                1,
            ),
            (
                vec![
                    good("1", "a", &["alice", "bob"]),
                    good("2", "b", &["alice", "bob"]),
                    good("3", "c", &["alice", "bob"]),
                ],
                2,
            ),
        ] {
            assert_eq!(distinct_signers(&signatures), expected, "{signatures:?}");
        }
    }

    #[test]
    fn who_is_missing_is_told_with_the_reasons() {
        let with = |outcome| CheckedSignature {
            name: "x.sig".into(),
            key: Some("k".into()),
            outcome,
        };
        let why = || "why".to_owned();
        let others = [
            (SignatureOutcome::ByUnknown(why()), "SIGNER_UNKNOWN"),
            (SignatureOutcome::NotValidThen(why()), "SIGNER_NOT_VALID_THEN"),
            (SignatureOutcome::Revoked(why()), "SIGNER_REVOKED"),
        ];
        for (outcome, code) in others {
            let signatures = [with(outcome), good("y.sig", "a", &["alice"])];
            assert!(codes(&signatures, &[], 0).is_empty());
            assert!(codes(&signatures, &["alice"], 1).is_empty());
            assert_eq!(codes(&signatures, &["bob"], 1), ["SIGNATURE_MISSING", code]);
            assert_eq!(codes(&signatures, &["alice"], 2), ["SIGNATURE_MISSING", code]);
        }
        assert_eq!(
            codes(&[with(SignatureOutcome::Unchecked)], &[], 1),
            ["SIGNATURE_MISSING"]
        );
        assert_eq!(codes(&[with(SignatureOutcome::Valid)], &[], 1), ["SIGNATURE_MISSING"]);
    }

    #[test]
    fn a_key_stands_for_one_demanded_principal() {
        let both = || good("1", "a", &["alice", "bob"]);
        assert!(codes(&[both()], &["alice"], 0).is_empty());
        assert!(codes(&[both()], &["bob", "bob"], 0).is_empty());
        assert_eq!(codes(&[both()], &["alice", "bob"], 0), ["SIGNATURE_MISSING"]);
        for other in [good("2", "b", &["alice"]), good("2", "b", &["bob"])] {
            assert!(codes(&[both(), other], &["alice", "bob"], 0).is_empty());
        }
    }

    #[test]
    fn an_invalid_signature_is_a_finding_whoever_else_signed() {
        let invalid = CheckedSignature {
            name: "x.sig".into(),
            key: None,
            outcome: SignatureOutcome::Invalid("why".into()),
        };
        let signatures = [invalid, good("y.sig", "a", &["alice"])];
        assert_eq!(codes(&signatures, &[], 0), ["SIGNATURE_INVALID"]);
        assert_eq!(codes(&signatures, &["alice"], 1), ["SIGNATURE_INVALID"]);
    }
}
