//! `git pack hook NAME`: what git gives a hook, and what it wants back.

use std::io::{IsTerminal, Read};
use std::path::Path;

use crate::cli::args::{Hook, HookName};
use crate::cli::output::refusal;
use crate::cli::output::{Output, guard};
use crate::cli::{NO, Style, YES, env};
use crate::format::budget::Bound;
use crate::ops::Context;
use crate::ops::guard::scan::ScanReport;
use crate::ops::guard::{hook, install};
use crate::refusal::{Refusal, Result};

/// The most that is read of what git gives a hook: some million refs.
const MAX_STDIN: u64 = 256 << 20;

/// Runs the hook that was there before ours, then ours.
pub(super) fn answer(ctx: &Context, args: &Hook, output: &mut Output) -> Result<u8> {
    let stdin = match args.name {
        HookName::Commit => None,
        HookName::Push | HookName::Receive | HookName::Refs => Some(standard_input()?),
    };
    if let Some(chained) = &args.chained
        && let Some(status) = install::run_chained(ctx, chained, &args.arguments, stdin.as_deref())?
    {
        let shown = crate::refusal::shown::shown(chained.as_os_str().as_encoded_bytes());
        output.err(&format!(
            "git-pack: the hook that was here before, {shown}, failed ({status}), so git does not go on\n"
        ));
        return Ok(NO);
    }
    let started = env::Stopwatch::start();
    let stdin = stdin.unwrap_or_default();
    let argument = |at: usize| args.arguments.get(at).map_or("", String::as_str);
    let report: ScanReport;
    match args.name {
        HookName::Commit => {
            report = hook::pre_commit(ctx)?;
            guard::commit(output, &report);
        }
        HookName::Push => {
            let (mut remote, mut url) = (argument(0), argument(1));
            // Others may keep git's lines to themselves, or have another hook read them first.
            let is_told = !stdin.is_empty() || args.by_git || args.chained.is_some();
            let theirs = match is_told {
                true => env::TheirPush::default(),
                false => env::TheirPush::read(),
            };
            if remote.is_empty() {
                (remote, url) = (&theirs.remote, &theirs.url);
            }
            report = match is_told {
                true => hook::pre_push(ctx, remote, url, &stdin)?,
                false => hook::pre_push_of_everything(ctx, remote, url, &theirs.named)?,
            };
            guard::push(output, remote, &report, started.elapsed());
            if !is_told && !report.is_clean() {
                guard::all_was_judged(output);
            }
        }
        HookName::Receive => {
            report = hook::pre_receive(ctx, &stdin, last_words)?;
            guard::receive(output, &report, started.elapsed());
        }
        HookName::Refs => {
            report = hook::reference_transaction(ctx, argument(0), &stdin)?;
            guard::refs(output, &report, started.elapsed());
        }
    }
    Ok(if report.is_clean() { YES } else { NO })
}

/// Prints a refusal while another thread still judges, before the process ends.
fn last_words(refused: Refusal) -> u8 {
    let mut output = Output::new();
    let code = refusal::print(&mut output, &refused, Style::Hook);
    // Nothing was written to standard output.
    drop(output.flush());
    code
}

fn standard_input() -> Result<Vec<u8>> {
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
