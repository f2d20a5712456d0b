//! Are the members of a type what the schema of that type asks for?

use crate::format::manifest::Declared;
use crate::rules::member_type::MAX_BYTES;
use crate::rules::pack::conformity::Conformity;
use crate::rules::pack::findings::{Findings, NoticeKind};
use crate::rules::pack::observed::{Observed, hashed};

/// Returns whether a member is declared as more than any file, so that its content is to be held against a schema.
pub fn is_typed(member: &Declared) -> bool {
    member.kind != "other" || member.artifact_version.is_some()
}

/// Judges the members of a type; returns whether there was nothing to check, or something that could not be.
pub(super) fn judge(observed: &Observed, findings: &mut Findings) -> bool {
    let mut typed = observed.manifest.members.iter().filter(|member| is_typed(member));
    // A check that could not be made is not one that was passed.
    let mut skipped = typed.any(|member| hashed(&observed.facts, &member.path).is_none());
    let mut checked = observed.documents.any_read || observed.typed.any_conforms;
    for (path, conformity) in &observed.typed.others {
        skipped |= matches!(conformity, Conformity::Unknown | Conformity::TooLarge);
        checked |= !matches!(conformity, Conformity::NoSchemaFor(_));
        report(path, conformity, observed.tree_pack, findings);
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
            let what = format!("it has more than {MAX_BYTES} bytes, so that its type is not checked");
            findings.departure(path, NoticeKind::NotExamined(what), tree_pack);
        }
        Conformity::Violates(why) => findings.violation(path, why),
    }
}
