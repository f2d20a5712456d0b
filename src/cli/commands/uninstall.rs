//! `git pack uninstall`: removes the hooks, and says what remains.

use std::path::Path;

use clap::Parser;

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::{path_from, tilde};
use crate::cli::output::words::{TYPE, count, paint, size, unchanged};
use crate::ops::Context;
use crate::ops::guard::drivers::DriversChange;
use crate::ops::guard::install::{HooksReport, apply, plan_uninstall, preview};
use crate::ops::guard::leftovers::{Leftovers, leftovers, purge};
use crate::refusal::shown::harmless;

/// Remove the hooks of git-pack, restore the previous ones, and list what remains
#[derive(Parser)]
#[command(name = "uninstall")]
pub(super) struct Uninstall {
    /// Remove hooks that all repositories share (a global core.hooksPath)
    #[arg(long)]
    shared: bool,
    /// Also remove what git-pack keeps in this clone: its store, its notes, the refs of runs, its settings. Keeps every key
    #[arg(long)]
    purge: bool,
    /// Only print what would be changed
    #[arg(long, short = 'n')]
    dry_run: bool,
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
        let report = match self.dry_run {
            true => preview(plan)?,
            false => apply(plan)?,
        };
        hooks(output, ctx, &report, if self.dry_run { "to remove" } else { "removed" });
        let found = match self.purge && !self.dry_run {
            true => purge(ctx)?,
            false => leftovers(ctx)?,
        };
        let label = match (self.purge, self.dry_run) {
            (true, false) => "removed",
            (true, true) => "to remove",
            (false, _) => "left",
        };
        remains(output, ctx, &found, label);
        if self.dry_run {
            unchanged(output);
        }
        Ok(Exit::Yes)
    }
}

fn hooks(output: &mut Output, ctx: &Context, report: &HooksReport, removed: &str) {
    if report.drivers == Some(DriversChange::Removed) {
        output.line(&format!(
            "{removed:<10} the diff and merge drivers of sealed twins from git's configuration"
        ));
    }
    let directory = path_from(&ctx.cwd, &report.directory);
    if report.changed.is_empty() {
        output.line(&format!("{removed:<10} nothing: {directory} has no hooks of git-pack"));
        return;
    }
    let in_files = report.changed.iter().filter(|hook| !report.configured.contains(hook));
    let in_files: Vec<&str> = in_files.copied().collect();
    if !in_files.is_empty() {
        output.line(&format!("{removed:<10} {} from {directory}", in_files.join(", ")));
    }
    if !report.configured.is_empty() {
        let hooks = report.configured.join(", ");
        output.line(&format!("{removed:<10} {hooks} from git's configuration"));
    }
}

/// Prints what was removed or remains of the clone's own, and what always remains.
fn remains(output: &mut Output, ctx: &Context, found: &Leftovers, label: &str) {
    if let Some((directory, bytes)) = &found.state {
        let directory = path_from(&ctx.cwd, directory);
        output.line(&format!(
            "{label:<10} {directory}/, which this clone remembers and stores ({})",
            size(*bytes)
        ));
    }
    if !found.runs.is_empty() {
        let refs = count(found.runs.len() as u64, "ref");
        output.line(&format!(
            "{label:<10} {refs} below refs/gitpack/runs/, which keep the commits of seals"
        ));
    }
    if !found.settings.is_empty() {
        let keys = harmless(&found.settings.join(", "));
        output.line(&format!("{label:<10} {keys} in git's configuration"));
    }
    for file in &found.files {
        output.line(&format!("{:<10} {file} in the work tree", "left"));
    }
    if !found.lines.is_empty() {
        let files = found.lines.join(" and ");
        output.line(&format!("{:<10} lines of git-pack in {files}", "left"));
    }
    if found.twins > 0 {
        let twins = count(found.twins as u64, "sealed twin");
        output.line(&format!("{:<10} {twins} in git (git pack reveal opens them)", "left"));
    }
    if found.has_published {
        output.line(&format!(
            "{:<10} packs at the places to which they were pushed (git pack list PLACE shows them)",
            "left"
        ));
    }
    if let Some(key) = &found.memory_key {
        output.line(&format!(
            "{:<10} {}, the key of what all clones remember (its directory is git-pack's own)",
            "left",
            named(key)
        ));
    }
    for identity in &found.identities {
        let path = named(identity);
        output.line(&format!("{:<10} {path}, your key: git-pack never deletes one", "left"));
    }
    if let Some(ledger) = &found.ledger {
        output.line(&format!(
            "{:<10} {}, the ledger of all repositories",
            "left",
            named(ledger)
        ));
    }
    if found.has_own() && label == "left" {
        let command = paint(TYPE, "git pack uninstall --purge");
        output.err(&format!(
            "  next       {command} also removes what this clone keeps, stored ciphertexts among it\n"
        ));
    }
}

fn named(path: &Path) -> String {
    harmless(&tilde(path))
}
