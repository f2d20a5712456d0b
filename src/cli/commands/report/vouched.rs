//! The section about who vouches for a pack: its signatures and attestations.

use maud::{Markup, html};

use super::tables::{Column, ROWS, left_out, name, sentence, table};
use crate::ops::pack::signatures::SignaturesReport;
use crate::ops::pack::verify::VerifyReport;
use crate::rules::pack::attestations::SignatureState;
use crate::rules::pack::signatures::SignatureOutcome;

/// Returns the section.
pub(super) fn section(report: &VerifyReport) -> Markup {
    html! {
        (signatures(&report.signatures))
        (attestations(report))
    }
}

fn signatures(report: &SignaturesReport) -> Markup {
    if report.checked.is_empty() {
        return html! { p { "The pack has no signatures." } };
    }
    html! {
        @match &report.signers {
            Some(signers) => p { "Allowed signers are those in " (name(signers.as_bytes())) "." },
            None => p {
                "No allowed signers were given. A signature proves that the holder of a key signed this pack. Whose key it is \
                 was not checked."
            },
        }
        (table(
            "signatures",
            "Signatures",
            [Column::Text("Result"), Column::Text("Key"), Column::Text("File")],
            report.checked.iter().take(ROWS).map(|signature| [
                html! { (result(&signature.outcome, report)) },
                html! { @if let Some(key) = &signature.key { (name(key.as_bytes())) } @else { "not known" } },
                file(&signature.name),
            ]),
        ))
        (left_out(report.checked.len(), ROWS, ""))
    }
}

/// Returns the name of an attached file without its directory, which an archive names otherwise.
fn file(path: &str) -> Markup {
    name(path.rsplit('/').next().unwrap_or(path).as_bytes())
}

/// Returns what the check of a signature found, in words.
fn result(outcome: &SignatureOutcome, report: &SignaturesReport) -> String {
    match outcome {
        SignatureOutcome::By(principals) => format!("signed by {}", sentence(&principals.join(", "))),
        SignatureOutcome::Valid => "valid; whose key it is was not checked".to_owned(),
        SignatureOutcome::ByUnknown(_) => "valid, but by a key that no allowed signer has".to_owned(),
        SignatureOutcome::NotValidThen(why) => {
            format!(
                "valid, but its signer was not valid when the pack was made: {}",
                sentence(why)
            )
        }
        SignatureOutcome::Revoked(why) => format!("by a revoked key: {}", sentence(why)),
        SignatureOutcome::Invalid(why) => format!("invalid: {}", sentence(why)),
        SignatureOutcome::Unchecked => match &report.unchecked {
            Some(why) => format!("not checked: {}", sentence(why)),
            None => "not checked".to_owned(),
        },
    }
}

fn attestations(report: &VerifyReport) -> Markup {
    if report.attestations.is_empty() {
        return html! { p { "The pack has no attestations." } };
    }
    let state = |state| match state {
        SignatureState::Valid => "valid, by a key that was given",
        SignatureState::NotChecked => "not checked: no key was given that made it",
        SignatureState::Invalid => "invalid",
    };
    html! {
        (table(
            "attestations",
            "Attestations",
            [Column::Text("Result"), Column::Text("Says"), Column::Text("Key ids (hints)"), Column::Text("File")],
            report.attestations.iter().take(ROWS).map(|each| [
                html! { (state(each.signature)) },
                html! { @if let Some(kind) = &each.predicate_type { (name(kind.as_bytes())) } @else { "cannot be read" } },
                html! { @for id in each.key_ids.iter().take(8) { (name(id.as_bytes())) " " } },
                file(&each.name),
            ]),
        ))
        (left_out(report.attestations.len(), ROWS, ""))
    }
}
