//! `git pack diff`: compares two packs.

use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::short;
use crate::cli::output::table::columns;
use crate::cli::output::words::{LOOK, PROVEN, paint};
use crate::cli::style::{Envelope, Style};
use crate::format::canonical_json::to_document;
use crate::ops::Context;
use crate::ops::pack::diff::{DiffReport, diff};
use crate::refusal::shown::shown;

/// Compare two packs
#[derive(Parser)]
#[command(name = "diff")]
pub(super) struct Diff {
    /// The old pack
    a: PathBuf,
    /// The new pack
    b: PathBuf,
    /// Print one JSON document (pack.diff.v0)
    #[arg(long)]
    json: bool,
}

impl Run for Diff {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Report,
            yes: "NO_CHANGES",
            no: Some("CHANGES"),
        })
    }

    fn envelope() -> Envelope {
        Envelope::WITH_JSON
    }

    fn style(&self) -> Style {
        Style::with_json(self.json)
    }

    fn account(&self) -> Option<Account> {
        Some(Account::of("diff").input(&self.a).input(&self.b))
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, account: Option<&mut Account>) -> Result<Exit> {
        let report = diff(ctx, &self.a, &self.b)?;
        match self.json {
            true => output.out(&document(&report)),
            false => human(output, &report),
        }
        let is_same = report.difference.is_empty();
        if let Some(account) = account {
            account.ends(outcome(&report));
        }
        Ok(Exit::yes_if(is_same))
    }
}

/// Returns the outcome in one word.
fn outcome(report: &DiffReport) -> &'static str {
    match report.difference.is_empty() {
        true => "NO_CHANGES",
        false => "CHANGES",
    }
}

fn human(output: &mut Output, report: &DiffReport) {
    let difference = &report.difference;
    let outcome = match difference.is_empty() {
        true => paint(PROVEN, "NO_CHANGES"),
        false => paint(LOOK, "CHANGES"),
    };
    output.line(&format!("pack diff: {outcome}"));
    let mut rows = Vec::new();
    rows.extend(
        difference
            .added
            .iter()
            .map(|path| ["added".to_owned(), shown(path.as_bytes()), String::new()]),
    );
    rows.extend(
        difference
            .removed
            .iter()
            .map(|path| ["removed".to_owned(), shown(path.as_bytes()), String::new()]),
    );
    for changed in &difference.changed {
        let shift = report.shifts.iter().find(|shift| shift.path == changed.path);
        let what = match shift {
            Some(shift) => shown(format!("{}: {} -> {}", shift.tool, shift.before, shift.after).as_bytes()),
            None => format!("{} -> {}", short(&changed.before), short(&changed.after)),
        };
        rows.push(["changed".to_owned(), shown(changed.path.as_bytes()), what]);
    }
    columns(output, &rows, "  ");
    output.line(&format!(
        "  {} added, {} removed, {} changed, {} unchanged",
        difference.added.len(),
        difference.removed.len(),
        difference.changed.len(),
        difference.unchanged
    ));
}

/// Returns the `pack.diff.v0` document.
fn document(report: &DiffReport) -> Vec<u8> {
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
