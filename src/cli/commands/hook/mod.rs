//! `git pack hook NAME`: runs a hook for git.

mod human;

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use super::Run;
use super::operator::Operator;
use crate::cli::account::Account;
use crate::cli::env::{self, Stopwatch};
use crate::cli::exit::{Exit, Result};
use crate::cli::output::{Output, refusal};
use crate::cli::style::{Envelope, Style};
use crate::ops::Context;
use crate::ops::guard::scan::ScanReport;
use crate::ops::guard::{hook, install};
use crate::refusal::Refusal;
use crate::refusal::bound::Bound;
use crate::refusal::shown::shown;

/// The most bytes that are read from git: some million refs.
const MAX_STDIN: u64 = 256 << 20;

/// Run a hook; the installed hooks call this
#[derive(Parser)]
#[command(name = "hook", hide = true)]
pub(super) struct Hook {
    /// An existing hook, to be run first
    #[arg(long, value_name = "FILE")]
    chained: Option<PathBuf>,
    /// Called by git itself, so an empty standard input means that nothing is pushed
    #[arg(long)]
    by_git: bool,
    name: HookName,
    /// The arguments that git gives the hook
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// The hooks, named as git names them.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HookName {
    #[value(name = "pre-commit", alias = "pre-merge-commit")]
    Commit,
    #[value(name = "pre-push")]
    Push,
    #[value(name = "pre-receive")]
    Receive,
    #[value(name = "reference-transaction")]
    Refs,
}

impl Run for Hook {
    /// git and other hooks call it, not people.
    fn operator() -> Option<Operator> {
        None
    }

    fn envelope() -> Envelope {
        Envelope::Never
    }

    fn style(&self) -> Style {
        Style::Hook
    }

    /// Runs the chained hook, then ours.
    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let stdin = match self.name {
            HookName::Commit => None,
            HookName::Push | HookName::Receive | HookName::Refs => Some(standard_input()?),
        };
        if let Some(chained) = &self.chained
            && let Some(status) = install::run_chained(ctx, chained, &self.arguments, stdin.as_deref())?
        {
            let chained = shown(chained.as_os_str().as_encoded_bytes());
            output.err(&format!(
                "git-pack: the chained hook {chained} failed ({status}), so git stops here\n"
            ));
            return Ok(Exit::No);
        }
        let is_clean = self.judge(ctx, &stdin.unwrap_or_default(), output)?;
        Ok(Exit::yes_if(is_clean))
    }
}

impl Hook {
    /// Judges what git is about to do, and prints the findings. Returns whether there are none.
    fn judge(&self, ctx: &Context, stdin: &[u8], output: &mut Output) -> Result<bool> {
        let started = Stopwatch::start();
        match self.name {
            HookName::Commit => {
                let (report, one_sided) = hook::pre_commit(ctx)?;
                human::commit(output, &report);
                human::one_sided(output, &one_sided);
                Ok(report.is_clean() && one_sided.is_empty())
            }
            HookName::Push => Ok(self.push(ctx, stdin, output, &started)?.is_clean()),
            HookName::Receive => {
                let report = hook::pre_receive(ctx, stdin, last_words)?;
                human::receive(output, &report, started.elapsed());
                Ok(report.is_clean())
            }
            HookName::Refs => {
                let report = hook::reference_transaction(ctx, self.argument(0), stdin)?;
                human::refs(output, &report, started.elapsed());
                Ok(report.is_clean())
            }
        }
    }

    fn push(&self, ctx: &Context, stdin: &[u8], output: &mut Output, started: &Stopwatch) -> Result<ScanReport> {
        let (mut remote, mut url) = (self.argument(0), self.argument(1));
        // A hook manager may not pass git's lines on, or another hook may have read them.
        let is_told = !stdin.is_empty() || self.by_git || self.chained.is_some();
        let theirs = match is_told {
            true => env::TheirPush::default(),
            false => env::TheirPush::read(),
        };
        if remote.is_empty() {
            (remote, url) = (&theirs.remote, &theirs.url);
        }
        let report = match is_told {
            true => hook::pre_push(ctx, (remote, url), stdin, &env::refs_there())?,
            false => hook::pre_push_of_everything(ctx, remote, url, &theirs.named)?,
        };
        human::push(output, remote, &report, started.elapsed());
        if !is_told && !report.is_clean() {
            human::all_was_judged(output);
        }
        Ok(report)
    }

    /// Returns an argument of the hook, or an empty one if git gives fewer.
    fn argument(&self, at: usize) -> &str {
        self.arguments.get(at).map_or("", String::as_str)
    }
}

/// Prints a refusal while another thread still judges, before the process ends.
fn last_words(refused: Refusal) -> u8 {
    let mut output = Output::new();
    let exit = refusal::print(&mut output, &refused, Style::Hook);
    // Nothing was written to standard output.
    drop(output.flush());
    exit.code()
}

fn standard_input() -> Result<Vec<u8>, Refusal> {
    let mut stdin = Vec::new();
    if std::io::stdin().is_terminal() {
        return Ok(stdin);
    }
    std::io::stdin()
        .take(MAX_STDIN + 1)
        .read_to_end(&mut stdin)
        .map_err(Refusal::io("reading", Path::new("standard input")))?;
    match stdin.len() as u64 > MAX_STDIN {
        true => Err(Refusal::Budget {
            bound: Bound::Refs,
            allowed: None,
        }),
        false => Ok(stdin),
    }
}
