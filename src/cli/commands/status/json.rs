//! The report of `git pack status` for machines: `pack.repository.v0`.

use serde_json::{Value, json};

use crate::format::canonical_json::to_document;
use crate::format::config::is_same_recipient;
use crate::format::remote_url::without_secret;
use crate::ops::guard::drivers::DriversState;
use crate::ops::guard::install::Present;
use crate::ops::guard::status::StatusReport;
use crate::ops::guard::status::doctor::CanaryOutcome;
use crate::ops::guard::twins::PairReport;
use crate::refusal::shown::shown;
use crate::rules::health::Trouble;
use crate::rules::twins::{Standing, TwinFault};

/// Returns the document.
pub(super) fn document(
    report: &StatusReport,
    proofs: Option<&[(&'static str, CanaryOutcome)]>,
    troubles: &[Trouble],
) -> Vec<u8> {
    let troubles: Vec<&str> = troubles.iter().map(|trouble| trouble.as_str()).collect();
    to_document(&json!({
        "version": "pack.repository.v0",
        "outcome": if troubles.is_empty() { "OK" } else { "WRONG" },
        "troubles": troubles,
        "branch": report.branch.as_ref().map(|branch| shown(branch.as_bytes())),
        "commit": report.commit,
        "bare": report.dirty.is_none(),
        "changed_files": report.dirty,
        "configuration": match (report.configured, report.is_uncommitted) {
            (false, _) => "absent",
            (true, false) => "committed",
            (true, true) => "uncommitted",
        },
        "hooks": hooks(report, proofs),
        "drivers": report.drivers.map(drivers),
        "twins": report.files.twins.iter().map(twin).collect::<Vec<_>>(),
        "plaintext": plaintext(report),
        "released": report.files.released,
        "known": {"files": report.known.originals, "bytes": report.known.bytes},
        "recipients": recipients(report),
        "remotes": remotes(report),
        "agent": report.agent.as_ref().map(|agent| match agent {
            Ok(info) => json!({"faults": info.all_faults(), "shards": info.shards.len()}),
            Err(why) => json!({"error": shown(why.as_bytes())}),
        }),
        "packs": packs(report),
    }))
}

fn hooks(report: &StatusReport, proofs: Option<&[(&'static str, CanaryOutcome)]>) -> Vec<Value> {
    let hooks = report.hooks.iter().map(|(hook, how)| {
        let how = how.and_then(|how| match how {
            Present::Ours => Some("file"),
            Present::Called => Some("called"),
            Present::ToldNothing => Some("called-without-refs"),
            Present::Configured => Some("configured"),
            Present::Absent => None,
        });
        let proof = proofs.and_then(|proofs| proofs.iter().find(|(name, _)| name == hook));
        let canary = proof.map(|(_, outcome)| match outcome {
            CanaryOutcome::Blocked => "blocked",
            CanaryOutcome::BlockedAlone => "blocked-alone",
            CanaryOutcome::NotGuarded => "passed",
            CanaryOutcome::FailedOtherwise(_) => "failed",
        });
        json!({"name": hook, "installed": how, "canary": canary})
    });
    hooks.collect()
}

fn drivers(state: DriversState) -> &'static str {
    match state {
        DriversState::Set { can_open: true } => "set",
        DriversState::Set { can_open: false } => "set-without-identity",
        DriversState::Different => "different",
        DriversState::NotSet => "not-set",
        DriversState::Off => "off",
    }
}

fn twin(pair: &PairReport) -> Value {
    let standing = match pair.standing {
        Standing::UpToDate => "up-to-date",
        Standing::SealedOnly => "sealed-only",
        Standing::PlainOnly => "plain-only",
        Standing::PlainNewer => "plain-newer",
        Standing::SealedNewer => "sealed-newer",
        Standing::BothChanged => "both-changed",
        Standing::Unknown => "unknown",
        Standing::Unmerged => "unmerged",
    };
    let fault = pair.fault.as_ref().map(|fault| match fault {
        TwinFault::ConvertedOnDisk => "converted-on-disk",
        TwinFault::ConvertedInIndex => "converted-in-index",
        TwinFault::StagedDiffers => "staged-differs",
        TwinFault::Attribute(_) => "attribute",
        TwinFault::OtherRecipients => "other-recipients",
    });
    json!({
        "path": shown(pair.path.as_bytes()),
        "standing": standing,
        "fault": fault,
        "plaintext_tracked": pair.is_tracked,
        "wrong": pair.is_wrong(),
    })
}

fn plaintext(report: &StatusReport) -> Vec<Value> {
    let files = report.files.plain.iter().map(|file| {
        json!({
            "path": shown(file.path.as_bytes()),
            "tracked": file.is_tracked,
            "class": shown(file.class.as_bytes()),
            "policy": file.policy.as_str(),
            "sealed_in": report.outputs.sealing.get(&file.path).map(|pack| shown(pack.as_bytes())),
            "wrong": file.is_exposed(),
        })
    });
    files.collect()
}

fn recipients(report: &StatusReport) -> Vec<Value> {
    let own = report.own_recipient.as_deref();
    let recipients = report.recipients.iter().map(|recipient| {
        let is_own = own.is_some_and(|own| is_same_recipient(own, recipient));
        json!({"recipient": shown(recipient.as_bytes()), "you": is_own})
    });
    recipients.collect()
}

fn remotes(report: &StatusReport) -> Vec<Value> {
    let remotes = report.remotes.iter().map(|remote| {
        json!({
            "name": shown(remote.name.as_bytes()),
            "url": shown(without_secret(&remote.url).as_bytes()),
            "private": remote.is_private,
            "tracking_refs": remote.tracked,
            "trusted": remote.counted,
        })
    });
    remotes.collect()
}

fn packs(report: &StatusReport) -> Vec<Value> {
    let head = report.commit.map(|id| id.hex());
    let packs = report.outputs.packs.iter().map(|pack| {
        json!({
            "path": shown(pack.path.as_bytes()),
            "pack_id": pack.pack_id,
            "commit": pack.commit.as_ref().map(|commit| shown(commit.as_bytes())),
            "is_of_head": pack.commit.is_some() && pack.commit == head,
            "signatures": pack.attached.signatures,
            "attestations": pack.attached.attestations,
            "published": pack.published.iter().map(|place| shown(place.as_bytes())).collect::<Vec<_>>(),
        })
    });
    packs.collect()
}
