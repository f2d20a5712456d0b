//! Audits, pins and collections, as people and machines read them.

use serde_json::json;

use crate::cli::output::Output;
use crate::cli::output::table::aligned;
use crate::cli::output::words::{BLOCKS, PROVEN, count, paint, size};
use crate::format::canonical_json::to_document;
use crate::format::run_record::Verdict;
use crate::ops::store::audit::{AuditReport, Pinned};
use crate::ops::store::gc::GcReport;
use crate::refusal::shown::shown;
use crate::rules::retention::{Fate, Reason};

/// Returns the `pack.audit.v0` document.
pub(crate) fn audit_document(report: &AuditReport) -> Vec<u8> {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "code": finding.code.as_str(),
                "detail": finding.detail,
                "name": finding.name,
                "run": finding.run.as_ref().map(|run| run.as_str()),
                "subject": finding.subject,
            })
        })
        .collect();
    to_document(&json!({
        "version": "pack.audit.v0",
        "mode": if report.run.is_some() { "B" } else { "A" },
        "verdict": report.verdict().as_str(),
        "run": report.run.as_ref().map(|run| run.as_str()),
        "counts": {
            "cached": report.cached,
            "in_git": report.in_git,
            "pins": report.pins,
            "roots": report.roots,
            "runs": report.runs,
            "stored": report.stored,
            "stored_bytes": report.stored_bytes,
            "unrooted": report.unrooted,
        },
        "findings": findings,
    }))
}

pub(crate) fn audited(output: &mut Output, report: &AuditReport) {
    let verdict = report.verdict();
    let word = match verdict {
        Verdict::Pass => paint(PROVEN, verdict.as_str()),
        Verdict::Fail => paint(BLOCKS, verdict.as_str()),
    };
    output.line(&format!("pack audit: {word}"));
    let mut line = format!("  {}, {}", count(report.runs, "run"), count(report.roots, "root"),);
    if report.pins > 0 {
        line.push_str(&format!(", {}", count(report.pins, "pin")));
    }
    output.line(&line);
    output.line(&format!(
        "  {} in the content store, {}",
        count(report.stored, "object"),
        size(report.stored_bytes),
    ));
    if let Some(cached) = report.cached {
        output.line(&format!(
            "  {} of the digest cache derived again",
            count(cached, "record")
        ));
    }
    let rows: Vec<[String; 5]> = report
        .findings
        .iter()
        .map(|finding| {
            let run = finding.run.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            let [subject, name, detail] = [
                &finding.subject,
                finding.name.as_ref().unwrap_or(&String::new()),
                &finding.detail,
            ]
            .map(|text| shown(text.as_bytes()));
            [run, finding.code.as_str().to_owned(), subject, name, detail]
        })
        .collect();
    for row in aligned(&rows, "  ").lines() {
        output.line(row);
    }
    if report.findings.iter().any(|finding| finding.run.is_some()) {
        output.err(
            "  to have a run recorded anew, remove its directory, gitpack/runs/<id> in the git directory, and seal its\n  \
             commit again; what only another clone has may be put back from there\n",
        );
    }
    if report.unrooted > 0 {
        let them = count(report.unrooted, "object");
        output.err(&format!("  nothing needs {them} of these: git pack gc\n"));
    }
}

pub(crate) fn pinned(output: &mut Output, content: &str, pinned: Pinned) {
    let what = match pinned {
        Pinned::Added => "pinned     ",
        Pinned::Known => "pinned     (it was before) ",
        Pinned::Removed => "unpinned   ",
        Pinned::Unknown => "unpinned   (it was not pinned) ",
    };
    output.line(&format!("{what}{content}"));
}

pub(crate) fn collected(output: &mut Output, report: &GcReport, why: bool) {
    if why {
        for object in &report.plan.objects {
            let fate = match &object.fate {
                Fate::Keep(Reason::Needed { run, others: 0 }) => format!("keep    needed by run {run}"),
                Fate::Keep(Reason::Needed { run, others }) => format!("keep    needed by run {run} and {others} more"),
                Fate::Keep(Reason::Pinned) => "keep    pinned".to_owned(),
                Fate::Keep(Reason::Young) => format!("keep    younger than {}", report.grace),
                Fate::Remove => "remove  no run and no pin names it".to_owned(),
            };
            output.line(&format!("{}  {fate}", object.hash));
        }
    }
    let tally = report.plan.tally();
    let what = format!(
        "{}, {}",
        count(tally.removed.objects, "object"),
        size(tally.removed.bytes)
    );
    output.line(&match (report.is_empty(), report.applied) {
        (true, _) => "NOTHING TO COLLECT".to_owned(),
        (false, true) => format!("COLLECTED {what}"),
        (false, false) => format!("would collect {what}"),
    });
    if report.forgotten > 0 {
        let what = if report.applied { "forgot" } else { "would forget" };
        let files = count(report.forgotten as u64, "file");
        output.err(&format!(
            "  {what} {files} by content, which nothing protects any more\n"
        ));
    }
    let young = format!("younger than {}", report.grace);
    let kept = [
        (tally.needed, "needed by runs"),
        (tally.pinned, "pinned"),
        (tally.young, &young),
    ];
    let parts = |parts: &[(u64, &str)]| {
        let parts = parts.iter().filter(|(n, _)| *n > 0);
        parts
            .map(|(n, what)| format!("{n} {what}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let rows = [
        ("kept", "kept", parts(&kept)),
        ("released", "would release", released(report)),
        ("cleared", "would clear", unfinished(report)),
    ];
    for (done, planned, what) in rows.iter().filter(|(.., what)| !what.is_empty()) {
        let deed = if report.applied { done } else { planned };
        output.err(&format!("  {deed} {what}\n"));
    }
}

fn released(report: &GcReport) -> String {
    match report.plan.released.len() as u64 {
        0 => String::new(),
        1 => "1 commit of a run that is gone".to_owned(),
        n => format!("{n} commits of runs that are gone"),
    }
}

fn unfinished(report: &GcReport) -> String {
    match report.unfinished {
        0 => String::new(),
        n => format!("{} that killed processes left", count(n, "file")),
    }
}
