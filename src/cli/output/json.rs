//! Reports as JSON documents: canonical, one newline.

use serde_json::{Value, json};

use crate::format::canonical_json::to_document;
use crate::ops::guard::scan::ScanReport;
use crate::ops::guard::scan::surfaces::Surface;
use crate::ops::pack::diff::DiffReport;
use crate::ops::pack::inspect::InspectReport;
use crate::ops::pack::verify::VerifyReport;
use crate::ops::state::State;
use crate::refusal::shown::shown;
use crate::rules::pack::findings::{Check, Finding};
use crate::rules::protect::Cause;
use crate::rules::scan::InPart;

/// Returns the `pack.state.v0` document.
pub(crate) fn state(state: &State) -> Vec<u8> {
    to_document(&state.report())
}

/// Returns the `pack.verify.v0` document of a pack that could be judged.
pub(crate) fn verify(report: &VerifyReport) -> Vec<u8> {
    let verdict = &report.verdict;
    let passed = |check| verdict.findings.passes(check);
    let mut document = json!({
        "version": "pack.verify.v0",
        "outcome": if verdict.findings.is_empty() { "OK" } else { "INVALID" },
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
    if verdict.findings.notices().len() > 0 {
        let notices = verdict
            .findings
            .notices()
            .map(|notice| json!({ "code": notice.kind.code(), "path": notice.path, "detail": notice.kind.detail() }));
        document["notices"] = notices.collect();
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
    to_document(&document)
}

/// Returns what is said of a file that could not be examined whole.
pub(super) fn examined_in_part(path: &str, why: &[InPart]) -> String {
    let why: Vec<String> = why.iter().map(InPart::to_string).collect();
    format!("{path}: {}", why.join("; "))
}

/// Returns the `pack.scan.v0` document.
pub(crate) fn scan(surface: &Surface, report: &ScanReport) -> Vec<u8> {
    let findings = report.leaks.iter().map(|found| {
        let leak = &found.leak;
        let (by, rule) = match &leak.cause {
            Cause::Glob(glob) => ("path", glob.clone()),
            Cause::Content(format) => ("content", format.as_str().to_owned()),
            Cause::Twin(sealed) => ("twin", shown(sealed.as_bytes())),
            Cause::Known { .. } => ("known", leak.cause.to_string()),
            Cause::InPart => ("content", leak.cause.to_string()),
        };
        json!({
            "code": leak.code.as_str(),
            "path": shown(leak.entry.path.as_bytes()),
            "class": leak.class,
            "policy": leak.policy,
            "matched_by": by,
            "rule": rule,
            "origin": leak.origin,
            "detail": leak.detail,
            "blob": leak.entry.id.hex(),
            "commit": leak.entry.commit.map(|id| id.hex()),
            "deleted_in": found.deleted_in.map(|id| id.hex()),
            "released_by_this_change": found.weakened,
        })
    });
    let surface = match surface {
        Surface::Staged => "staged",
        Surface::WorkTree { .. } => "worktree",
        Surface::Revision(_) => "rev",
        Surface::Range(_) => "range",
        Surface::All => "all",
    };
    let weakened = report
        .weakened
        .iter()
        .map(|what| json!({ "code": "POLICY_WEAKENED", "message": what }));
    let in_part = report.in_part.iter().map(
        |file| json!({ "code": "EXAMINED_IN_PART", "message": examined_in_part(&file.path.to_string(), &file.why) }),
    );
    let notices = weakened.chain(in_part);
    let examined = &report.examined;
    to_document(&json!({
        "version": "pack.scan.v0",
        "outcome": if report.is_clean() { "CLEAN" } else { "LEAK" },
        "surface": surface,
        "findings": findings.collect::<Vec<_>>(),
        "notices": notices.collect::<Vec<_>>(),
        "examined": {
            "commits": examined.commits,
            "blobs": examined.blobs,
            "bytes": examined.bytes,
            "remembered_commits": examined.remembered_commits,
            "remembered_blobs": examined.remembered_blobs,
        },
    }))
}

/// Returns the `pack.diff.v0` document.
pub(crate) fn diff(report: &DiffReport) -> Vec<u8> {
    let difference = &report.difference;
    let changed = difference.changed.iter();
    let shifts = report.shifts.iter();
    to_document(&json!({
        "version": "pack.diff.v0",
        "outcome": if difference.is_empty() { "NO_CHANGES" } else { "CHANGES" },
        "a": report.pack_ids[0],
        "b": report.pack_ids[1],
        "added": difference.added,
        "removed": difference.removed,
        "changed": changed.map(|c| json!({ "path": c.path, "before": c.before, "after": c.after })).collect::<Vec<_>>(),
        "unchanged": difference.unchanged,
        "outcomes": shifts
            .map(|s| json!({ "path": s.path, "tool": s.tool, "before": s.before, "after": s.after }))
            .collect::<Vec<_>>(),
    }))
}

/// Returns the `pack.inspect.v0` document.
pub(crate) fn inspect(report: &InspectReport) -> Vec<u8> {
    let members = report.members.iter().map(|member| {
        let mut value = json!({
            "path": member.path,
            "type": member.kind,
            "bytes_hash": member.bytes_hash,
            "bytes": member.size,
            "sealed": member.sealed,
        });
        if let Some(version) = &member.artifact_version {
            value["artifact_version"] = json!(version);
        }
        value
    });
    let mut document = json!({
        "version": "pack.inspect.v0",
        "pack_id": report.pack_id,
        "created": report.created,
        "tool_version": report.tool_version,
        "members": members.collect::<Vec<_>>(),
    });
    if let Some(note) = &report.note {
        document["note"] = json!(note);
    }
    if let Some(info) = &report.info {
        document["pack_info"] = json!(info);
    }
    if let Some(state) = &report.state {
        document["state"] = json!(state);
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
    if !finding.kind.is_about_the_pack() {
        value["path"] = json!(finding.path);
    }
    if let Some(mismatch) = finding.kind.mismatch() {
        value["expected"] = json!(mismatch.expected);
        value["actual"] = json!(mismatch.actual);
    }
    if let Some(detail) = finding.kind.detail() {
        value["detail"] = json!(detail);
    }
    value
}
