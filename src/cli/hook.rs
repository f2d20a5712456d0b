//! `git pack hook NAME`: what git gives a hook, and what it wants back.

use std::io::Read;
use std::path::Path;

use crate::cli::args::{Hook, HookName};
use crate::cli::output::{Output, guard};
use crate::cli::{NO, YES, env};
use crate::format::refusal::{Refusal, Result};
use crate::ops::scan::ScanReport;
use crate::ops::{Context, hook, install};

/// Runs the hook that was there before ours, then ours.
pub(super) fn answer(ctx: &Context, args: &Hook, output: &mut Output) -> Result<u8> {
    let stdin = match args.name {
        HookName::Commit => None,
        HookName::Push | HookName::Receive | HookName::Refs => Some(standard_input()?),
    };
    if let Some(chained) = &args.chained
        && let Some(status) = install::run_chained(ctx, chained, &args.arguments, stdin.as_deref())?
    {
        let shown = crate::format::repo_path::shown(chained.as_os_str().as_encoded_bytes());
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
            let manager = env::remote_of_manager().filter(|_| stdin.is_empty());
            let remote = manager.as_deref().unwrap_or(argument(0));
            report = match &manager {
                Some(remote) => hook::pre_push_of_everything(ctx, remote)?,
                None => hook::pre_push(ctx, remote, argument(1), &stdin)?,
            };
            guard::push(output, remote, &report, started.elapsed());
        }
        HookName::Receive => {
            report = hook::pre_receive(ctx, &stdin)?;
            guard::receive(output, &report, started.elapsed());
        }
        HookName::Refs => {
            report = hook::reference_transaction(ctx, argument(0), &stdin)?;
            guard::refs(output, &report, started.elapsed());
        }
    }
    Ok(if report.is_clean() { YES } else { NO })
}

fn standard_input() -> Result<Vec<u8>> {
    let mut stdin = Vec::new();
    std::io::stdin()
        .read_to_end(&mut stdin)
        .map_err(Refusal::io("reading", Path::new("standard input")))?;
    Ok(stdin)
}
