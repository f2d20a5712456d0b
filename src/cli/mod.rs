//! Arguments, environment, terminal and exit codes: the only place that talks to a person.

mod account;
mod ask;
mod commands;
mod describe;
mod env;
mod exit;
mod output;
mod progress;
mod style;

use std::io::{self, ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use commands::{Call, Loudness, usage};
use exit::{Exit, Failure, Result};
use output::{Output, refusal};
use progress::WorkLine;
use style::Style;

use crate::ops::interruption::{self, Interrupted};
use crate::refusal::io_reason;
use crate::refusal::shown::harmless;

/// Returns the command tree, for documentation and tests.
#[cfg(feature = "internals")]
pub fn command_tree() -> clap::Command {
    commands::tree()
}

/// Runs the program on the process's own arguments.
///
/// An internal error must not look like a yes, so a panic is a refusal too.
pub fn run() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let mut stderr = anstream::stderr();
        // A failure to write this cannot be reported anywhere.
        drop(writeln!(
            stderr,
            "git-pack: internal error, so nothing was checked: {panic}"
        ));
    }));
    // Without it, an interruption still ends the process, but nobody is told.
    drop(interruption::watch(interrupted));
    let mut output = Output::new();
    ExitCode::from(unless_it_panics(|| dispatch(&mut output)).code())
}

/// Tells what was and was not done when the process is interrupted.
fn interrupted(what: Interrupted) {
    progress::clear();
    let text = match what {
        Interrupted::Staged => "no output was made, and what was staged is removed",
        Interrupted::Kept => "what was fetched is kept, and the same command goes on with it",
        Interrupted::Between => "some of the files may be done, and the same command goes on with the others",
        Interrupted::Published => "the output is complete, but what follows it is not done",
        Interrupted::Otherwise => "the command is not done",
    };
    // A failure to write this cannot be reported anywhere.
    drop(writeln!(anstream::stderr(), "git-pack: interrupted; {text}"));
}

/// Returns the exit of `judge`, or a refusal if it panics.
fn unless_it_panics(judge: impl FnOnce() -> Exit) -> Exit {
    catch_unwind(AssertUnwindSafe(judge)).unwrap_or(Exit::Refused)
}

fn dispatch(output: &mut Output) -> Exit {
    // A description is printed even if the other arguments are wrong.
    if let Some(description) = describe::asked_for(&env::arguments()) {
        output.out(description.as_bytes());
        return finish(output, Ok(Exit::Yes), Style::Human);
    }
    match commands::parse() {
        Ok(call) => answer(call, output),
        Err(error) if usage::answered(output, &error) => finish(output, Ok(Exit::Yes), Style::Human),
        Err(error) => usage::tell(output, &error, &env::arguments()),
    }
}

/// Runs a call and closes its account.
fn answer(call: Call, output: &mut Output) -> Exit {
    let Call {
        command,
        mut account,
        name,
        loudness,
    } = call;
    if loudness != Loudness::Full || env::is_dumb_terminal() {
        progress::hide();
    }
    if loudness == Loudness::Quiet {
        output.be_quiet();
    }
    let style = command.style();
    let ctx = match env::context() {
        Ok(ctx) => ctx,
        Err(refused) => return refusal::print(output, &refused, style),
    };
    if let Some(account) = &mut account {
        account.begins(&ctx);
    }
    let line = WorkLine::of(name);
    let result = command.run(&ctx, output, account.as_mut());
    drop(line);
    let exit = finish(output, result, style);
    if let Some(account) = account {
        account.close(&ctx, exit, output);
    }
    exit
}

/// Returns the exit of a call once its result is written, and reports a failure.
fn finish(output: &mut Output, result: Result<Exit>, style: Style) -> Exit {
    let done = match result {
        Ok(exit) => output.flush().map(|()| exit).map_err(|error| (error, exit)),
        Err(Failure::Refused(refused)) => return refusal::print(output, &refused, style),
        Err(Failure::Unexpected(error)) => {
            unexpected(output, &error);
            return Exit::Refused;
        }
    };
    match done {
        Ok(exit) => exit,
        Err((error, exit)) => {
            if !unexpected(output, &error) {
                // The reader of a report has read enough, as head -1 does. The answer stays the same.
                return if output.is_cut() { Exit::Refused } else { exit };
            }
            let exit = exit.code();
            output.alarm(&format!(
                "  the command itself ended, with exit status {exit}; only its report is lost\n"
            ));
            Exit::Refused
        }
    }
}

/// Reports an error that is not a refusal. Returns false if nobody reads any more.
fn unexpected(output: &mut Output, error: &anyhow::Error) -> bool {
    let source = error.downcast_ref::<io::Error>();
    if source.is_some_and(|source| source.kind() == ErrorKind::BrokenPipe) {
        // The reader of our output is gone. git prints nothing then, and neither do we.
        return false;
    }
    let message = match source {
        Some(source) => format!("{error}: {}", io_reason(source)),
        None => format!("{error:#}"),
    };
    output.alarm(&format!("git-pack: {}\n", harmless(&message)));
    true
}

#[cfg(test)]
mod tests {
    use super::exit::Exit;
    use super::unless_it_panics;
    use crate::adapters::workers;

    #[test]
    fn a_bug_is_never_a_yes() {
        assert_eq!(unless_it_panics(|| Exit::Yes), Exit::Yes);
        assert_eq!(unless_it_panics(|| panic!("a bug")), Exit::Refused);
        let in_a_thread = || {
            let items = [1, 2, 3, 4];
            let done = workers::map(
                &items,
                || Ok::<_, ()>(()),
                |(), n| if *n == 3 { panic!("a bug") } else { Ok(*n) },
            );
            Exit::yes_if(done.is_ok())
        };
        assert_eq!(unless_it_panics(in_a_thread), Exit::Refused);
    }
}
