//! The findings of a scan, as one document.

use serde_json::json;

use crate::cli::output::in_part::examined_in_part;
use crate::format::canonical_json::to_document;
use crate::format::scan_report::VERSION;
use crate::ops::guard::scan::surfaces::Surface;
use crate::ops::guard::scan::{FoundLeak, ScanReport};
use crate::refusal::shown::shown;
use crate::rules::protect::Cause;

/// Returns the `pack.scan.v0` document; with a baseline, also what that lists.
pub(super) fn document(surface: &Surface, report: &ScanReport, has_baseline: bool) -> Vec<u8> {
    let finding = |found: &FoundLeak| {
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
    };
    let list = |found: &[FoundLeak]| found.iter().map(finding).collect::<Vec<_>>();
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
        .map(|what| json!({ "code": "POLICY_WEAKENED", "message": what.to_string() }));
    let in_part = report.in_part.iter().map(
        |file| json!({ "code": "EXAMINED_IN_PART", "message": examined_in_part(&file.path.to_string(), &file.why) }),
    );
    let notices = weakened.chain(in_part);
    let examined = &report.examined;
    let mut document = json!({
        "version": VERSION,
        "outcome": if report.is_clean() { "CLEAN" } else { "LEAK" },
        "surface": surface,
        "findings": list(&report.leaks),
        "notices": notices.collect::<Vec<_>>(),
        "examined": {
            "commits": examined.commits,
            "blobs": examined.blobs,
            "bytes": examined.bytes,
            "remembered_commits": examined.remembered_commits,
            "remembered_blobs": examined.remembered_blobs,
        },
    });
    if has_baseline {
        document["known"] = list(&report.known).into();
    }
    to_document(&document)
}
