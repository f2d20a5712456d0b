//! `git pack list`: shows the packs in a directory.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::Parser;

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::refusal::one_line;
use crate::cli::output::table::columns;
use crate::cli::output::words::size;
use crate::cli::style::{Envelope, Style};
use crate::ops::Context;
use crate::ops::pack::inspect::InspectReport;
use crate::ops::pack::list::{ListReport, ListedPack, list};
use crate::refusal::shown::{harmless, shown, shown_path};

/// List the packs in a directory
///
/// Shows what each pack declares: name, time, commit, state digest and size. To check a pack, use git pack verify.
#[derive(Parser)]
#[command(name = "list")]
pub(super) struct List {
    /// The directory that holds the packs, by default _PACK_RUN at the top of the work tree
    directory: Option<PathBuf>,
}

impl Run for List {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Report,
            yes: "LISTED",
            no: None,
        })
    }

    fn envelope() -> Envelope {
        Envelope::Never
    }

    fn style(&self) -> Style {
        Style::Human
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let report = list(ctx, self.directory.as_deref())?;
        human(output, &report);
        Ok(match report.packs.iter().any(|pack| pack.declared.is_err()) {
            true => Exit::Refused,
            false => Exit::Yes,
        })
    }
}

fn human(output: &mut Output, report: &ListReport) {
    let rows: Vec<_> = report.packs.iter().filter_map(row).collect();
    columns(output, &rows, "");
    if report.packs.is_empty() {
        output.err(&format!("  {} holds no packs\n", shown_path(&report.place)));
    }
    for refused in report.packs.iter().filter_map(|pack| pack.declared.as_ref().err()) {
        output.err(&format!("git-pack: {}\n", harmless(&one_line(refused))));
    }
}

/// Returns the cells of a pack's row. `None` if the pack cannot be read.
fn row(pack: &ListedPack) -> Option<[String; 5]> {
    let declared = pack.declared.as_ref().ok()?;
    let short = |text: &str, length| shown(text.get(..length).unwrap_or(text).as_bytes());
    let commit = declared.info.as_ref().map(|info| short(&info.commit, 12));
    let state = declared.state.as_ref().map(|state| short(&state.to_string(), 19));
    Some([
        shown(pack.name.as_bytes()),
        shown(declared.created.as_bytes()),
        commit.unwrap_or_else(|| "-".to_owned()),
        state.unwrap_or_else(|| "-".to_owned()),
        total(declared),
    ])
}

/// Returns the size of the members that are there.
fn total(declared: &InspectReport) -> String {
    let total = size(declared.members.iter().filter_map(|member| member.size).sum());
    match declared.members.iter().filter(|member| member.size.is_none()).count() {
        0 => total,
        missing => format!("{total}, {missing} of {} members missing", declared.members.len()),
    }
}
