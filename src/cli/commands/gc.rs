//! `git pack gc`: removes objects that nothing needs from the content store.

use clap::Parser;

use super::Run;
use super::operator::{Operator, Prints};
use super::values::BadValue;
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::words::{count, size, unchanged};
use crate::format::timestamp::Period;
use crate::ops::Context;
use crate::ops::store::gc::{GcReport, GcRequest, gc};
use crate::rules::retention::{Fate, Reason};

/// Remove contents from the store that nothing needs any more
///
/// It keeps what a sealed tree needs, what a pin names, and what is younger than --grace.
#[derive(Parser)]
#[command(name = "gc")]
pub(super) struct Gc {
    /// Print what would be removed, without removing it
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Print for each object whether it is kept or removed, and why
    #[arg(long)]
    why: bool,
    /// Keep unneeded objects that are younger than this: 14d, 12h, 90m, 0
    #[arg(long, value_name = "TIME", default_value = "14d", value_parser = period)]
    grace: Period,
}

/// Parses a time span.
fn period(text: &str) -> Result<Period, BadValue> {
    Period::parse(text).ok_or_else(|| {
        BadValue::expected("a time span such as 14d, 12h or 90m, or 0").example("git pack gc --grace 14d")
    })
}

impl Run for Gc {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Status,
            yes: "COLLECTED",
            no: None,
        })
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let request = GcRequest {
            grace: self.grace,
            dry_run: self.dry_run,
        };
        human(output, &gc(ctx, request)?, self.why);
        Ok(Exit::Yes)
    }
}

fn human(output: &mut Output, report: &GcReport, why: bool) {
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
        output.err(&format!("  {what} {files} by content, no longer protected\n"));
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
    if report.is_empty() && tally.needed > 0 {
        output.err("  a run needs its content until its directory, gitpack/runs/<id> in the git directory, is deleted; --why names the runs\n");
    }
    if !report.applied {
        unchanged(output);
    }
}

fn released(report: &GcReport) -> String {
    match report.plan.released.len() as u64 {
        0 => String::new(),
        1 => "1 commit of a deleted run".to_owned(),
        n => format!("{n} commits of deleted runs"),
    }
}

fn unfinished(report: &GcReport) -> String {
    match report.unfinished {
        0 => String::new(),
        n => format!("{} left by killed processes", count(n, "file")),
    }
}
