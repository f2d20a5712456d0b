//! The verdict on a pack, for people.

use super::words::detail;
use crate::cli::output::Output;
use crate::cli::output::in_part::in_part_notice;
use crate::cli::output::names::{attached_name, short};
use crate::cli::output::table::columns;
use crate::cli::output::words::{BLOCKS, LOOK, PROVEN, count, paint};
use crate::format::repo_state::Mode;
use crate::ops::pack::verify::VerifyReport;
use crate::refusal::shown::{harmless, shown};
use crate::rules::pack::attestations::SignatureState;
use crate::rules::pack::findings::{Finding, FindingKind};
use crate::rules::pack::signatures::{CheckedSignature, SignatureOutcome};

/// The most notices that are listed. A pack of another tool may have one for each member.
const NOTICES: usize = 10;

/// Prints the outcome, the findings, and what was verified.
pub(super) fn print(output: &mut Output, report: &VerifyReport) {
    let verdict = &report.verdict;
    let is_sound = verdict.findings.is_empty();
    let style = match (is_sound, report.seen) {
        (true, None) => PROVEN,
        (true, Some(_)) => LOOK,
        (false, _) => BLOCKS,
    };
    output.line(&format!("pack verify: {}", paint(style, report.outcome())));
    output.line(&format!("  pack_id: {}", shown(verdict.pack_id.as_bytes())));
    let rows: Vec<[String; 3]> = verdict.findings.iter().map(row).collect();
    columns(output, &rows, "  ");
    for (path, why) in &verdict.in_part {
        output.err(&in_part_notice(path, why));
    }
    let members = count(verdict.members as u64, "member");
    match is_sound {
        true if let Some(seen) = report.seen => output.line(&format!(
            "  {seen} of {members} seen, and intact; what the pack says of the others was not checked"
        )),
        true => output.line(&format!("  {members} intact{}", facts(report))),
        false => output.line(&format!(
            "  {} in a pack of {members}",
            count(verdict.findings.len() as u64, "finding")
        )),
    }
    signatures(output, report);
    attestations(output, report);
    if verdict
        .findings
        .iter()
        .any(|finding| has_other_line_ends(&finding.kind))
    {
        output.err(&format!(
            "  {} git or another tool converted line ends: add the line /<pack>/** -text to .gitattributes, delete the \
             pack, and restore it: git checkout -- <pack>\n",
            paint(LOOK, "note")
        ));
    }
}

/// Prints who signed, and which signatures do not prove whose they are.
fn signatures(output: &mut Output, report: &VerifyReport) {
    let findings = &report.verdict.findings;
    let report = &report.signatures;
    let mut notes = Vec::new();
    for CheckedSignature { name, key, outcome } in &report.checked {
        if findings.iter().any(|finding| finding.path == *name) {
            continue;
        }
        let key = harmless(key.as_deref().unwrap_or_default());
        match outcome {
            SignatureOutcome::By(principals) => {
                let signers = harmless(report.signers.as_deref().unwrap_or_default());
                let principals = harmless(&principals.join(", "));
                output.line(&format!("  signed by {principals} ({key}), as {signers} names them"));
            }
            SignatureOutcome::Valid => {
                notes.push(format!("a valid signature by {key}; whose key that is was not checked"))
            }
            SignatureOutcome::ByUnknown(_) => {
                notes.push(format!("a valid signature by {key}, which no known signer has"))
            }
            SignatureOutcome::NotValidThen(why) => {
                notes.push(format!(
                    "a signature whose signer was not valid when the pack was made: {}",
                    harmless(why)
                ));
            }
            SignatureOutcome::Revoked(why) => notes.push(format!("a signature by a revoked key: {}", harmless(why))),
            SignatureOutcome::Invalid(_) | SignatureOutcome::Unchecked => {}
        }
    }
    if let Some(why) = &report.unchecked {
        let number = count(report.checked.len() as u64, "signature");
        notes.push(format!("{number} not checked: {}", harmless(why)));
    }
    if report.signers.is_none()
        && report
            .checked
            .iter()
            .any(|signature| signature.outcome == SignatureOutcome::Valid)
    {
        notes.push("no signers are known: --allowed-signers <file>, or git config gpg.ssh.allowedSignersFile".into());
    }
    for note in notes {
        output.err(&format!("  {} {note}\n", paint(LOOK, "note")));
    }
}

/// Prints the attestations whose signatures were checked. The others are among the findings and the notices.
fn attestations(output: &mut Output, report: &VerifyReport) {
    let valid = report
        .attestations
        .iter()
        .filter(|each| each.signature == SignatureState::Valid);
    let rows: Vec<[String; 3]> = valid
        .map(|each| {
            let kind = each.predicate_type.as_deref().unwrap_or_default();
            [paint(PROVEN, "attested"), attached_name(&each.name), harmless(kind)]
        })
        .collect();
    columns(output, &rows, "  ");
}

fn has_other_line_ends(kind: &FindingKind) -> bool {
    matches!(kind, FindingKind::HashMismatch(_, Some(_)))
}

fn row(finding: &Finding) -> [String; 3] {
    let what = match (finding.kind.mismatch(), detail(&finding.kind)) {
        (Some(mismatch), detail) => {
            let detail = detail.map(|detail| format!("; {detail}")).unwrap_or_default();
            format!(
                "expected {}, found {}{detail}",
                short(&mismatch.expected.to_string()),
                short(&mismatch.actual.to_string())
            )
        }
        (None, detail) => detail.map(harmless).unwrap_or_default(),
    };
    let path = match finding.path.as_str() {
        "" => "manifest.json".into(),
        path => harmless(path),
    };
    [path, finding.kind.code().to_owned(), what]
}

/// Returns what else was verified of a sound pack: its seals, its mode, its state.
fn facts(report: &VerifyReport) -> String {
    let verdict = &report.verdict;
    let mut facts = String::new();
    if let Some(sealed) = &verdict.sealed {
        if !sealed.artifacts.is_empty() {
            let opened = if report.opened { ", all could be opened" } else { "" };
            facts.push_str(&format!(" · {} sealed{opened}", sealed.artifacts.len()));
        }
        if sealed.mode == Mode::Internal {
            facts.push_str(" · internal: only for insiders");
        }
    }
    if let Some(state) = &verdict.state {
        let digest = || short(&state.digest.to_string());
        facts.push_str(&match (&report.compared_with, &state.commit) {
            (Some(id), Some(own)) if *own != id.hex() => format!(
                " · state matches commit {}; the pack was made of commit {}, which has the same state",
                id.short(),
                shown(own.get(..7).unwrap_or(own).as_bytes())
            ),
            (Some(id), _) => format!(" · state matches commit {}", id.short()),
            (None, Some(id)) => format!(
                " · state {} of commit {}",
                digest(),
                shown(id.get(..7).unwrap_or(id).as_bytes())
            ),
            (None, None) => format!(" · state {}", digest()),
        });
    }
    facts
}

/// Prints where another tool's pack differs from ours without being invalid.
pub(super) fn notices(output: &mut Output, report: &VerifyReport) {
    let notices = report.verdict.findings.notices();
    let more = notices.len().saturating_sub(NOTICES);
    for notice in notices.take(NOTICES) {
        output.err(&format!(
            "  {} {}: {} {}\n",
            paint(LOOK, "note"),
            harmless(&notice.path),
            notice.kind.code(),
            harmless(notice.kind.detail())
        ));
    }
    if more > 0 {
        output.err(&format!("  {} {more} more, see --json\n", paint(LOOK, "note")));
    }
}
