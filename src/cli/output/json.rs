//! Reports as JSON documents: canonical, one newline.

use serde_json::{Value, json};

use crate::format::canonical_json::to_document;
use crate::ops::state::State;
use crate::ops::verify::VerifyReport;
use crate::rules::verify::{Finding, FindingKind};

/// Returns the `pack.state.v0` document.
pub(crate) fn state(state: &State) -> Vec<u8> {
    to_document(&state.report())
}

/// Returns the `pack.verify.v0` document of a pack that could be judged.
pub(crate) fn verify(report: &VerifyReport) -> Vec<u8> {
    let none_of = |codes: &[&str]| !report.findings.iter().any(|f| codes.contains(&f.kind.code()));
    let mut document = json!({
        "version": "pack.verify.v0",
        "outcome": if report.findings.is_empty() { "OK" } else { "INVALID" },
        "pack_id": report.pack_id,
        "checks": {
            "manifest_parse": true,
            "member_count": none_of(&["MEMBER_COUNT_MISMATCH"]),
            "member_paths": none_of(&["DUPLICATE_MEMBER_PATH", "RESERVED_MEMBER_PATH", "UNSAFE_MEMBER_PATH"]),
            "extra_members": none_of(&["EXTRA_MEMBER"]),
            "member_hashes": none_of(&["MISSING_MEMBER", "NON_REGULAR_MEMBER", "UNREADABLE_MEMBER", "HASH_MISMATCH"]),
            "pack_id": none_of(&["PACK_ID_MISMATCH"]),
            "schema_validation": if none_of(&["SCHEMA_VIOLATION"]) { "pass" } else { "fail" },
        },
        "invalid": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "refusal": null,
    });
    if let Some(state) = &report.repo_state {
        document["repo_state"] = json!({ "digest": state.digest, "scope": state.scope });
        if let Some(commit) = &state.commit {
            document["repo_state"]["commit"] = json!(commit);
        }
        if let Some(commit) = &state.compared_with {
            document["repo_state"]["compared_with"] = json!(commit);
            document["repo_state"]["matches"] = json!(none_of(&[
                "REPO_STATE_MISMATCH",
                "CANON_VERSION_MISMATCH",
                "GRAMMAR_VERSION_MISMATCH",
            ]));
        }
    }
    if let Some(count) = report.sealed {
        document["sealed"] = json!({
            "artifact_count": count,
            "intact": none_of(&["SEAL_MISSING", "SEAL_TAMPERED", "SEAL_UNDECLARED"]),
            "plaintext_leak": !none_of(&["PLAINTEXT_LEAK"]),
        });
    }
    to_document(&document)
}

/// Returns the `pack.verify.v0` document of a pack that could not be judged.
pub(super) fn verify_refused(refusal: Value) -> Vec<u8> {
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
    if !finding.path.is_empty() {
        value["path"] = json!(finding.path);
    }
    if let Some(mismatch) = finding.kind.mismatch() {
        let number = |text: &str| match finding.kind {
            FindingKind::MemberCountMismatch(_) => text.parse::<u64>().map_or(json!(text), Value::from),
            _ => json!(text),
        };
        value["expected"] = number(&mismatch.expected);
        value["actual"] = number(&mismatch.actual);
    }
    if let Some(detail) = finding.kind.detail() {
        value["detail"] = json!(detail);
    }
    value
}
