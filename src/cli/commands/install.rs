//! `git pack install`: installs the hooks that guard commit and push.

use clap::Parser;

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::path_from;
use crate::cli::output::words::{TYPE, paint, unchanged};
use crate::ops::Context;
use crate::ops::guard::drivers::{DriversChange, can_open};
use crate::ops::guard::install::{ALL_HOOKS, HooksReport, InstallRequest, apply, plan_install, preview};

/// Install the hooks that guard commit and push
#[derive(Parser)]
#[command(name = "install")]
pub(super) struct Install {
    /// Also check every ref update (reference-transaction hook), even with --no-verify or plumbing commands
    #[arg(long)]
    strict: bool,
    /// Install chained hooks even if a hook manager owns the hooks
    #[arg(long, hide_short_help = true)]
    force: bool,
    /// Install into a hooks directory that all repositories share (a global core.hooksPath), and so guard all of them
    #[arg(long, hide_short_help = true)]
    shared: bool,
    /// Only print what would be changed
    #[arg(long, short = 'n')]
    dry_run: bool,
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
            shared: self.shared,
        };
        let plan = plan_install(ctx, request)?;
        if self.dry_run {
            hooks(output, ctx, &preview(plan)?, can_open(ctx));
            unchanged(output);
            return Ok(Exit::Yes);
        }
        hooks(output, ctx, &apply(plan)?, can_open(ctx));
        Ok(Exit::Yes)
    }
}

/// Prints which hooks are installed, and where. `has_identity` tells whether the drivers can open something.
pub(super) fn hooks(output: &mut Output, ctx: &Context, report: &HooksReport, has_identity: bool) {
    let mut names: Vec<_> = report.changed.iter().chain(&report.unchanged).copied().collect();
    names.sort_by_key(|name| ALL_HOOKS.iter().position(|hook| hook == name));
    let about = if report.changed.is_empty() {
        " (already installed)"
    } else {
        ""
    };
    let directory = path_from(&ctx.cwd, &report.directory);
    output.line(&format!("{:<10} {} in {directory}{about}", "hooks", names.join(", ")));
    if report.in_work_tree {
        output.line(&format!("{:<10} git looks there in each work tree: commit the hooks, or other work trees and clones are not guarded", ""));
    }
    if let Some(scope) = report.shared {
        output.line(&format!("{:<10} {scope} makes every repository use them", "shared"));
    }
    if report.drivers == Some(DriversChange::Set) {
        let about = match has_identity {
            true => "git compares and merges sealed twins by their plaintext",
            false => "set, but there is no identity here: git shows sealed twins as sealed and merges none",
        };
        output.line(&format!("{:<10} {about}", "drivers"));
    }
    for hook in &report.chained {
        output.line(&format!(
            "{:<10} {hook}: the existing hook runs first, as {hook}.chained",
            "chained"
        ));
    }
    for hook in &report.configured {
        output.line(&format!(
            "{:<10} {hook}: in git's configuration; the existing hook stays",
            "configured"
        ));
    }
    if !report.configured.is_empty() {
        let force = paint(TYPE, "git pack install --force");
        output.line(&format!(
            "{:<10} git before 2.54, such as one bundled with an editor, ignores these      → {force} chains instead",
            ""
        ));
    }
}
