//! `git pack install`: installs the hooks that guard commit and push.

use clap::Parser;

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::path_from;
use crate::cli::output::words::{TYPE, paint};
use crate::ops::Context;
use crate::ops::guard::install::{ALL_HOOKS, HooksReport, InstallRequest, apply, plan_install};

/// Install the hooks that guard commit and push
#[derive(Parser)]
#[command(name = "install")]
pub(super) struct Install {
    /// Also judge every change of a ref (reference-transaction), so that --no-verify and plumbing do not slip by
    #[arg(long)]
    strict: bool,
    /// Chain hooks even if a hook manager owns them
    #[arg(long)]
    force: bool,
}

impl Run for Install {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Status,
            yes: "DONE",
            no: None,
        })
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let request = InstallRequest {
            server: false,
            strict: self.strict,
            force: self.force,
        };
        hooks(output, ctx, &apply(plan_install(ctx, request)?)?);
        Ok(Exit::Yes)
    }
}

/// Prints which hooks are installed, and where.
pub(super) fn hooks(output: &mut Output, ctx: &Context, report: &HooksReport) {
    let mut names: Vec<_> = report.changed.iter().chain(&report.unchanged).copied().collect();
    names.sort_by_key(|name| ALL_HOOKS.iter().position(|hook| hook == name));
    let about = if report.changed.is_empty() {
        " (they were there)"
    } else {
        ""
    };
    let directory = path_from(&ctx.cwd, &report.directory);
    output.line(&format!("{:<10} {} in {directory}{about}", "hooks", names.join(", ")));
    for hook in &report.chained {
        output.line(&format!(
            "{:<10} {hook}: the hook that was there runs first, as {hook}.chained",
            "chained"
        ));
    }
    for hook in &report.configured {
        output.line(&format!(
            "{:<10} {hook}: in git's configuration, beside the hook that is there",
            "configured"
        ));
    }
    if !report.configured.is_empty() {
        let force = paint(TYPE, "git pack install --force");
        output.line(&format!(
            "{:<10} a git before 2.54, such as an editor may bring along, passes over these      → {force} chains instead",
            ""
        ));
    }
}
