//! `git pack init`: sets a repository up.

use clap::Parser;

use super::Run;
use super::install::hooks;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::env;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::{short_key, tilde};
use crate::cli::output::words::{TYPE, argument, paint, unchanged};
use crate::ops::Context;
use crate::ops::guard::init::{InitReport, init};
use crate::ops::guard::install::{self, InstallRequest};
use crate::refusal::shown::visible;

/// The most files that a command names.
const IN_A_COMMAND: usize = 3;

/// Set up this repository: .gitpack.toml, .gitignore, identity, hooks
#[derive(Parser)]
#[command(name = "init")]
pub(super) struct Init {
    /// Guard a bare repository: install only the pre-receive hook, which checks pushes
    #[arg(long)]
    server: bool,
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

impl Run for Init {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Status,
            yes: "DONE",
            no: None,
        })
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let request = InstallRequest {
            server: self.server,
            strict: self.strict,
            force: self.force,
            shared: self.shared,
        };
        match (self.server, self.dry_run) {
            (true, false) => hooks(
                output,
                ctx,
                &install::apply(install::plan_install(ctx, request)?)?,
                false,
            ),
            (true, true) => hooks(
                output,
                ctx,
                &install::preview(install::plan_install(ctx, request)?)?,
                false,
            ),
            (false, dry_run) => human(output, ctx, &init(ctx, request, dry_run)?, dry_run),
        }
        if self.dry_run {
            unchanged(output);
        }
        Ok(Exit::Yes)
    }
}

fn human(output: &mut Output, ctx: &Context, report: &InitReport, is_dry: bool) {
    let mut row = |label: &str, what: &str, about: &str| {
        output.line(format!("{label:<10} {what:<24} {about}").trim_end());
    };
    let would = |dry: &'static str, done: &'static str| if is_dry { dry } else { done };
    match report.config_written {
        true => row(
            would("to write", "wrote"),
            ".gitpack.toml",
            "what is protected here, and who can open it",
        ),
        false => row("kept", ".gitpack.toml", "already exists"),
    }
    match report.ignore_written {
        true => row(would("to ignore", "ignored"), "_PACK_RUN/", "in .gitignore"),
        false => row("kept", ".gitignore", "already ignores _PACK_RUN/"),
    }
    match &report.identity {
        None => row(
            "identity",
            "left out",
            "(its default place is in this work tree, where git could track it)",
        ),
        Some(identity) => {
            let about = match identity.is_new {
                true => would(
                    "(to be made)",
                    "(new, keep it safe: without it sealed artifacts cannot be opened)",
                ),
                false => "(already exists)",
            };
            row("identity", &tilde(&identity.path), about);
            let about = match (identity.is_listed, report.config_written) {
                (true, true) => would("to be added to .gitpack.toml", "added to .gitpack.toml"),
                (true, false) => "already in .gitpack.toml",
                (false, _) => "not in .gitpack.toml",
            };
            let recipient = match identity.recipient.as_str() {
                "" => "a new one".to_owned(),
                recipient => short_key(recipient),
            };
            row("recipient", &recipient, about);
        }
    }
    let has_identity = report.identity.is_some();
    hooks(output, ctx, &report.hooks, has_identity);
    next(output, report);
}

/// Prints what to do next.
fn next(output: &mut Output, report: &InitReport) {
    let mut next = Vec::new();
    match &report.identity {
        Some(identity) if !identity.is_listed && !identity.recipient.is_empty() => {
            next.push(format!("git pack recipients add {}", identity.recipient));
        }
        Some(_) => {}
        None => next.push("export GIT_PACK_IDENTITY=<a path outside of the work tree>, then git pack init".into()),
    }
    if let [first, ..] = report.exposed.as_slice() {
        let what = match report.exposed.len() {
            1 => format!("{} is tracked in plaintext", visible(first.as_bytes())),
            n => format!("{n} protected files are tracked in plaintext"),
        };
        output.advice(&format!(
            "{:<10} {what}: commits are blocked until it is sealed, or released in .gitpack.toml",
            "protected"
        ));
        let paths: Vec<String> = report.exposed.iter().map(|path| argument(path.as_bytes())).collect();
        let more = if paths.len() > IN_A_COMMAND { " …" } else { "" };
        let named = paths[..paths.len().min(IN_A_COMMAND)].join(" ");
        next.push(format!("{} pack protect {named}{more}", env::git_at_top()));
    }
    if report.config_written || report.ignore_written {
        next.push(env::at_top("git add .gitpack.toml .gitignore && git commit"));
    }
    for command in next {
        output.advice(&format!("{:<10} {}", "next", paint(TYPE, &command)));
    }
}
