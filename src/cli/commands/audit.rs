//! `git pack audit`: checks that everything sealed trees need is still stored.

use clap::{ArgGroup, Parser};
use serde_json::json;

use super::Run;
use super::operator::{Operator, Prints};
use super::values::content_ref;
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::table::columns;
use crate::cli::output::words::{BLOCKS, PROVEN, count, paint, size, unchanged};
use crate::cli::style::{Envelope, Style};
use crate::format::canonical_json::to_document;
use crate::format::digest::Digest;
use crate::format::run_record::AuditVerdict;
use crate::ops::Context;
use crate::ops::store::audit::{AuditReport, AuditRequest, Pinned, audit, pin, unpin};
use crate::refusal::shown::shown;

/// Check that what sealed trees need is still stored, and undamaged
#[derive(Parser)]
#[command(name = "audit", group(ArgGroup::new("pins").args(["pin", "unpin"])))]
pub(super) struct Audit {
    /// Audit only this run, an id or `last` [default: all runs and pins]
    #[arg(long, value_name = "ID|last")]
    run: Option<String>,
    /// Also check the digest cache against the blobs
    #[arg(long)]
    deep: bool,
    /// Pin this content (sha256:…), so that gc keeps it; do not audit
    #[arg(long, value_name = "REF", conflicts_with_all = ["run", "deep", "json"], value_parser = content_ref)]
    pin: Option<Digest>,
    /// Remove the pin, so that gc keeps the content only while a run needs it
    #[arg(long, value_name = "REF", conflicts_with_all = ["run", "deep", "json"], value_parser = content_ref)]
    unpin: Option<Digest>,
    /// With --pin or --unpin: print what would change, and change nothing
    #[arg(long, short = 'n', requires = "pins")]
    dry_run: bool,
    /// Print one JSON document (pack.audit.v0)
    #[arg(long)]
    json: bool,
}

impl Run for Audit {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Report,
            yes: "PASS",
            no: Some("FAIL"),
        })
    }

    fn envelope() -> Envelope {
        Envelope::WITH_JSON
    }

    fn style(&self) -> Style {
        Style::with_json(self.json)
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let pinned = match (&self.pin, &self.unpin) {
            (Some(content), _) => Some((content, pin(ctx, content, self.dry_run)?)),
            (None, Some(content)) => Some((content, unpin(ctx, content, self.dry_run)?)),
            (None, None) => None,
        };
        if let Some((content, pinned)) = pinned {
            tell_pinned(output, content, pinned, self.dry_run);
            return Ok(Exit::Yes);
        }
        let request = AuditRequest {
            run: self.run,
            deep: self.deep,
        };
        let report = audit(ctx, &request)?;
        match self.json {
            true => output.out(&document(&report)),
            false => human(output, &report),
        }
        Ok(Exit::yes_if(report.findings.is_empty()))
    }
}

/// Returns the `pack.audit.v0` document.
fn document(report: &AuditReport) -> Vec<u8> {
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

fn human(output: &mut Output, report: &AuditReport) {
    let verdict = report.verdict();
    let word = match verdict {
        AuditVerdict::Pass => paint(PROVEN, verdict.as_str()),
        AuditVerdict::Fail => paint(BLOCKS, verdict.as_str()),
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
        output.line(&format!("  {} of the digest cache checked", count(cached, "record")));
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
    columns(output, &rows, "  ");
    if report.findings.iter().any(|finding| finding.run.is_some()) {
        output.err(
            "  to record a run again, delete its directory (gitpack/runs/<id> in the git directory) and seal its commit\n  \
             again; if another clone still has the missing content, copy it from there\n",
        );
    }
    if report.unrooted > 0 {
        let unneeded = count(report.unrooted, "object");
        output.err(&format!(
            "  {unneeded} of these are not needed: git pack gc removes them\n"
        ));
    }
}

fn tell_pinned(output: &mut Output, content: &Digest, pinned: Pinned, dry_run: bool) {
    let what = match (pinned, dry_run) {
        (Pinned::Added, false) => "pinned     ",
        (Pinned::Added, true) => "would pin  ",
        (Pinned::Known, _) => "pinned     (was already pinned) ",
        (Pinned::Removed, false) => "unpinned   ",
        (Pinned::Removed, true) => "would unpin  ",
        (Pinned::Unknown, _) => "unpinned   (was not pinned) ",
    };
    output.line(&format!("{what}{content}"));
    if dry_run {
        unchanged(output);
    }
}
