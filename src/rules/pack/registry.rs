//! Checks a pack against its own registry: the reasons of its seals, and leaks in the clear.

use std::borrow::Cow;
use std::cell::LazyCell;

use crate::format::protected::{Format, Policy};
use crate::format::repo_state::Mode;
use crate::format::sealed::{ATTACHED, MEMBER, SealedArtifact, SealedArtifacts};
use crate::format::tree_meta::PROTECTED;
use crate::format::tree_name;
use crate::rules::pack::documents::RegistryDocument;
use crate::rules::pack::findings::{FindingKind, Findings};
use crate::rules::pack::members::Members;
use crate::rules::pack::observed::{SeenTexts, TextMembers};
use crate::rules::pack::plain::Clear;
use crate::rules::pack::seals::declared;
use crate::rules::pack::texts;
use crate::rules::protect::Registry;
use crate::rules::scan::Leak;

/// The members of a pack that are not seals.
pub(super) struct Unsealed<'a> {
    /// The members in the clear.
    pub clear: Clear<'a>,
    /// The members that hold texts.
    pub texts: &'a TextMembers,
}

/// Judges the registry of a pack, and the members of the pack by its rules.
pub(super) fn judge(
    registry: &RegistryDocument,
    sealed: Option<&SealedArtifacts>,
    members: &Members<'_>,
    unsealed: &Unsealed<'_>,
    findings: &mut Findings,
) {
    let rules = match &registry.rules {
        Ok(rules) => rules,
        Err(why) => return findings.violation(PROTECTED, why),
    };
    if rules.to_document() != registry.bytes {
        findings.violation(PROTECTED, "not in canonical form");
    }
    if !rules.has_built_in_rules() {
        findings.violation(PROTECTED, "a rule set does not begin with the built-in rules");
    }
    if let Some(document) = sealed {
        check_verdicts(document, rules, members.tree_pack, findings);
    }
    let mode = sealed.map_or(Mode::Public, |document| document.mode);
    let declared = declared(sealed);
    for path in members.paths().filter(|path| !declared.contains(path)) {
        let mut leaks = |what: String| findings.add(path, FindingKind::PlaintextLeak(what));
        match unsealed.texts.members.get(path) {
            Some(SeenTexts::List(_)) => {}
            Some(SeenTexts::Texts(Ok(read))) => {
                for (text, leak) in texts::leaks(read, rules, mode) {
                    leaks(format!("{text} in it: {}", reason(&leak)));
                }
            }
            Some(SeenTexts::Texts(Err(_))) | None => {
                if let Some(leak) = unsealed.clear.leak(rules, path, mode) {
                    leaks(reason(&leak));
                }
            }
        }
    }
    for (path, leak) in texts::leaks_in_parts(&unsealed.texts.joined, rules, mode) {
        let member = &unsealed.texts.joined[path].member;
        let what = format!("{path} in it: {}", reason(&leak));
        findings.add(member, FindingKind::PlaintextLeak(what));
    }
}

fn reason(leak: &Leak) -> String {
    match &leak.detail {
        Some(detail) => format!("class {}, rule {}: {detail}", leak.class, leak.cause),
        None => format!("class {}, rule {}", leak.class, leak.cause),
    }
}

/// Checks that each artifact was sealed by a rule of the registry, or was attached. A pack of an earlier version may
/// have sealed more than the rules protect today, but nothing less.
fn check_verdicts(document: &SealedArtifacts, registry: &Registry, tree_pack: bool, findings: &mut Findings) {
    // Compiled at most once, because a hostile pack may have very many artifacts.
    let before = LazyCell::new(|| registry.as_before());
    for artifact in &document.artifacts {
        let agrees = match (&artifact.path, &artifact.rule) {
            (Some(path), Some(rule)) => {
                agrees(registry, artifact, path, rule, tree_pack) || agrees(&before, artifact, path, rule, tree_pack)
            }
            _ => artifact.policy != Policy::Allowed && !artifact.class.is_empty(),
        };
        if !agrees {
            let what = format!(
                "class, policy or rule of {} differs from the registry",
                artifact.path.as_deref().unwrap_or(&artifact.seal.sealed_path)
            );
            findings.violation(MEMBER, what);
        }
    }
}

fn agrees(registry: &Registry, artifact: &SealedArtifact, path: &str, rule: &str, tree_pack: bool) -> bool {
    if let Some(format) = rule.strip_prefix("content: ").and_then(Format::parse) {
        // The content is encrypted, but a rule for its format must exist.
        return registry.has_rule_for(format, &artifact.class, artifact.policy);
    }
    let judged = match tree_pack {
        true => tree_name::path_of(path),
        false => Cow::Borrowed(path.as_bytes()),
    };
    match registry.judge(&judged) {
        Some(verdict) => {
            let said = (verdict.policy, verdict.class.as_str(), verdict.cause.to_string());
            said == (artifact.policy, artifact.class.as_str(), rule.to_owned())
                // Evidence is also judged by its path in the repository, which the pack does not state.
                || (!tree_pack && artifact.policy > verdict.policy)
        }
        // In a tree pack, an artifact that no rule protects was attached.
        None if tree_pack => (artifact.policy, artifact.class.as_str()) == (Policy::Never, ATTACHED),
        None => artifact.policy != Policy::Allowed && !artifact.class.is_empty(),
    }
}
