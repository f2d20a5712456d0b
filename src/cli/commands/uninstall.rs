//! `git pack uninstall`: removes the hooks.

use clap::Parser;

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::path_from;
use crate::ops::Context;
use crate::ops::guard::drivers::DriversChange;
use crate::ops::guard::install::{HooksReport, apply, plan_uninstall};

/// Remove the hooks of git-pack, and restore the previous ones
#[derive(Parser)]
#[command(name = "uninstall")]
pub(super) struct Uninstall {
    /// Remove hooks that all repositories share (a global core.hooksPath)
    #[arg(long)]
    shared: bool,
}

impl Run for Uninstall {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Status,
            yes: "DONE",
            no: None,
        })
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let plan = plan_uninstall(ctx, self.shared)?;
        human(output, ctx, &apply(plan)?);
        Ok(Exit::Yes)
    }
}

fn human(output: &mut Output, ctx: &Context, report: &HooksReport) {
    if report.drivers == Some(DriversChange::Removed) {
        output.line("removed    the diff and merge drivers of sealed twins from git's configuration");
    }
    let directory = path_from(&ctx.cwd, &report.directory);
    match report.changed.is_empty() {
        true => output.line(&format!("removed    nothing: {directory} has no hooks of git-pack")),
        false => {
            let files: Vec<&str> = report
                .changed
                .iter()
                .copied()
                .filter(|hook| !report.configured.contains(hook))
                .collect();
            if !files.is_empty() {
                output.line(&format!("removed    {} from {directory}", files.join(", ")));
            }
            if !report.configured.is_empty() {
                output.line(&format!(
                    "removed    {} from git's configuration",
                    report.configured.join(", ")
                ));
            }
        }
    }
}
