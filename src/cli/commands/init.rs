//! `git pack init`: sets a repository up.

use clap::Parser;

use super::Run;
use super::install::hooks;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::{short_key, tilde};
use crate::cli::output::words::{TYPE, paint, unchanged};
use crate::ops::Context;
use crate::ops::guard::init::{InitReport, init};
use crate::ops::guard::install::{self, InstallRequest};

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
            (true, false) => hooks(output, ctx, &install::apply(install::plan_install(ctx, request)?)?),
            (true, true) => hooks(output, ctx, &install::preview(install::plan_install(ctx, request)?)?),
            (false, dry_run) => human(output, ctx, &init(ctx, request, dry_run)?),
        }
        if self.dry_run {
            unchanged(output);
        }
        Ok(Exit::Yes)
    }
}

fn human(output: &mut Output, ctx: &Context, report: &InitReport) {
    let mut row = |label: &str, what: &str, about: &str| {
        output.line(format!("{label:<10} {what:<24} {about}").trim_end());
    };
    match report.config_written {
        true => row("wrote", ".gitpack.toml", "what is protected here, and who can open it"),
        false => row("kept", ".gitpack.toml", "already exists"),
    }
    match report.ignore_written {
        true => row("ignored", "_PACK_RUN/", "in .gitignore"),
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
                true => "(new, keep it safe: without it sealed artifacts cannot be opened)",
                false => "(already exists)",
            };
            row("identity", &tilde(&identity.path), about);
            let about = match (identity.is_listed, report.config_written) {
                (true, true) => "added to .gitpack.toml",
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
    hooks(output, ctx, &report.hooks);
    let mut next = Vec::new();
    match &report.identity {
        Some(identity) if !identity.is_listed && !identity.recipient.is_empty() => {
            next.push(format!("git pack recipients add {}", identity.recipient));
        }
        Some(_) => {}
        None => next.push("export GIT_PACK_IDENTITY=<a path outside of the work tree>, then git pack init".into()),
    }
    if report.config_written || report.ignore_written {
        next.push("git add .gitpack.toml .gitignore && git commit".into());
    }
    for command in next {
        output.line(&format!("{:<10} {}", "next", paint(TYPE, &command)));
    }
}
