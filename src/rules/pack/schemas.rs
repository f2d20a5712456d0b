//! Judges typed members by the results of their schema checks.

use crate::format::manifest::Declared;
use crate::rules::agent::genome::faults_of_members;
use crate::rules::member_type::MAX_BYTES;
use crate::rules::pack::conformity::Conformity;
use crate::rules::pack::findings::{Findings, NoticeKind};
use crate::rules::pack::observed::{Observed, hashed};

/// Returns whether a member has a type other than `other`, or a version, so that its content must be checked.
pub fn is_typed(member: &Declared<'_>) -> bool {
    member.kind != "other" || member.artifact_version.is_some()
}

/// Judges the typed members. Returns whether there was nothing to check, or something could not be checked.
pub(super) fn judge(observed: &Observed, findings: &mut Findings) -> bool {
    let mut typed = observed.manifest.members.iter().filter(|member| is_typed(member));
    // A member that could not be checked has not passed.
    let mut skipped = typed.any(|member| hashed(&observed.facts, member.path).is_none());
    let mut checked = observed.documents.any_read || observed.typed.any_conforms;
    for (path, conformity) in &observed.typed.others {
        skipped |= matches!(conformity, Conformity::Unknown | Conformity::TooLarge);
        checked |= !matches!(conformity, Conformity::NoSchemaFor(_));
        report(path, conformity, observed.tree_pack, findings);
    }
    for (path, fault) in faults_of_members(&observed.typed.genomes) {
        findings.violation(&path, fault.to_string());
    }
    skipped || !checked
}

fn report(path: &str, conformity: &Conformity, tree_pack: bool, findings: &mut Findings) {
    match conformity {
        Conformity::Conforms | Conformity::Unknown | Conformity::NoSchema => {}
        Conformity::Departs(kind) | Conformity::NoSchemaFor(kind) => {
            findings.departure(path, kind.clone(), tree_pack);
        }
        Conformity::TooLarge => {
            let what = format!("it has more than {MAX_BYTES} bytes, so its type is not checked");
            findings.departure(path, NoticeKind::NotExamined(what), tree_pack);
        }
        Conformity::Violates(why) => findings.violation(path, why),
    }
}
