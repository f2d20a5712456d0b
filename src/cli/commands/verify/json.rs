//! The verdict on a pack, as one document.

use serde_json::{Value, json};

use super::words::detail;
use crate::format::canonical_json::to_document;
use crate::ops::pack::signatures::SignaturesReport;
use crate::ops::pack::verify::VerifyReport;
use crate::rules::pack::findings::{Check, Finding};
use crate::rules::pack::signatures::{SignatureOutcome, distinct_signers};

/// Returns the `pack.verify.v0` document of a pack that could be judged.
pub(super) fn document(report: &VerifyReport) -> Vec<u8> {
    let verdict = &report.verdict;
    let passed = |check| verdict.findings.passes(check);
    let mut document = json!({
        "version": "pack.verify.v0",
        "outcome": report.outcome(),
        "pack_id": verdict.pack_id,
        "checks": {
            "manifest_parse": true,
            "member_count": passed(Check::MemberCount),
            "member_paths": passed(Check::MemberPaths),
            "extra_members": passed(Check::ExtraMembers),
            "member_hashes": passed(Check::MemberHashes),
            "pack_id": passed(Check::PackId),
            "schema_validation": verdict.schema_validation(),
        },
        "invalid": verdict.findings.iter().map(finding).collect::<Vec<_>>(),
        "refusal": null,
    });
    if let Some(seen) = report.seen {
        document["seen"] = json!({ "members": seen, "of": verdict.members });
    }
    if verdict.findings.notices().len() > 0 {
        let notices = verdict
            .findings
            .notices()
            .map(|notice| json!({ "code": notice.kind.code(), "path": notice.path, "detail": notice.kind.detail() }));
        document["notices"] = notices.collect();
    }
    if !report.attestations.is_empty() {
        let attestations = report.attestations.iter().map(|each| {
            json!({
                "name": each.name,
                "predicate_type": each.predicate_type,
                "key_ids": each.key_ids,
                "signature": each.signature.as_str(),
            })
        });
        document["attestations"] = attestations.collect();
    }
    if let Some(state) = &verdict.state {
        document["repo_state"] = json!({ "digest": state.digest, "scope": state.scope });
        if let Some(commit) = &state.commit {
            document["repo_state"]["commit"] = json!(commit);
        }
        if let Some(commit) = &report.compared_with {
            document["repo_state"]["compared_with"] = json!(commit);
            document["repo_state"]["matches"] = json!(passed(Check::RepoState));
        }
    }
    if let Some(sealed) = &verdict.sealed {
        document["sealed"] = json!({
            "artifact_count": sealed.artifacts.len(),
            "mode": sealed.mode,
            "opaque_names": sealed.index.is_some(),
            "intact": passed(Check::SealsIntact),
            "plaintext_leak": !passed(Check::PlaintextLeak),
        });
        if report.opened {
            document["sealed"]["openable"] = json!(passed(Check::SealsOpenable));
        }
    }
    if let Some(signatures) = signatures(&report.signatures) {
        document["signatures"] = signatures;
    }
    to_document(&document)
}

/// Returns what is said of signatures, if there are any or some are demanded.
fn signatures(report: &SignaturesReport) -> Option<Value> {
    if report.checked.is_empty() && !report.demand.is_any() {
        return None;
    }
    let found = report.checked.iter().map(|signature| {
        let mut value = json!({ "name": signature.name, "outcome": signature.outcome.as_str() });
        if let Some(key) = &signature.key {
            value["key"] = json!(key);
        }
        if let SignatureOutcome::By(principals) = &signature.outcome {
            value["principals"] = json!(principals);
        }
        value
    });
    Some(json!({
        "found": found.collect::<Vec<_>>(),
        "signers": report.signers,
        "unchecked": report.unchecked,
        "distinct_signers": distinct_signers(&report.checked),
        "demanded": { "by": report.demand.by, "count": report.demand.count },
    }))
}

/// Returns the `pack.verify.v0` document of a pack that could not be judged.
pub(super) fn refused(refusal: Value) -> Vec<u8> {
    to_document(&json!({
        "version": "pack.verify.v0",
        "outcome": "REFUSAL",
        "pack_id": null,
        "checks": null,
        "invalid": [],
        "refusal": refusal,
    }))
}

fn finding(finding: &Finding) -> Value {
    let mut value = json!({ "code": finding.kind.code() });
    if !finding.kind.is_about_the_pack() {
        value["path"] = json!(finding.path);
    }
    if let Some(mismatch) = finding.kind.mismatch() {
        value["expected"] = json!(mismatch.expected);
        value["actual"] = json!(mismatch.actual);
    }
    if let Some(detail) = detail(&finding.kind) {
        value["detail"] = json!(detail);
    }
    value
}
