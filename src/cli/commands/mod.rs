//! The commands, one file each, and the table that builds the command tree.

mod agent;
mod archive;
mod attest;
mod audit;
mod diff;
mod driver;
mod flags;
mod gc;
mod hook;
mod init;
mod inspect;
mod install;
mod key;
mod list;
mod open;
pub(super) mod operator;
mod protect;
mod pull;
mod push;
mod recipients;
mod rekey;
mod restore;
mod reveal;
mod scan;
mod seal;
mod sign;
mod state;
mod status;
mod tour;
mod uninstall;
pub(super) mod usage;
mod values;
mod verify;
mod witness;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};

use operator::Operator;

use crate::cli::account::Account;
use crate::cli::env;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::style::{Envelope, Style};
use crate::ops::Context;

/// Every command, in the order of the help.
const COMMANDS: &[Command] = &[
    Command::of::<init::Init>("init"),
    Command::of::<scan::Scan>("scan"),
    Command::of::<status::Status>("status"),
    Command::of::<tour::Tour>("tour"),
    Command::of::<protect::Protect>("protect"),
    Command::of::<reveal::Reveal>("reveal"),
    Command::of::<state::State>("state"),
    Command::of::<seal::Seal>("seal"),
    Command::of::<verify::Verify>("verify"),
    Command::of::<sign::Sign>("sign"),
    Command::of::<open::Open>("open"),
    Command::of::<restore::Restore>("restore"),
    Command::of::<audit::Audit>("audit"),
    Command::of::<gc::Gc>("gc"),
    Command::of::<rekey::Rekey>("rekey"),
    Command::of::<diff::Diff>("diff"),
    Command::of::<inspect::Inspect>("inspect"),
    Command::of::<list::List>("list"),
    Command::of::<archive::Archive>("archive"),
    Command::of::<attest::Attest>("attest"),
    Command::of::<push::Push>("push"),
    Command::of::<pull::Pull>("pull"),
    Command::of::<witness::Witness>("witness"),
    Command::of::<recipients::Recipients>("recipients"),
    Command::of::<key::Key>("key"),
    Command::of::<agent::Agent>("agent"),
    Command::of::<install::Install>("install"),
    Command::of::<uninstall::Uninstall>("uninstall"),
    Command::of::<hook::Hook>("hook"),
    Command::of::<driver::Driver>("driver"),
];

/// A call of a command, with its arguments parsed.
pub(super) trait Run {
    /// Returns when a call prints the envelope of a refusal although its arguments cannot be parsed.
    fn envelope() -> Envelope
    where
        Self: Sized,
    {
        Envelope::Always
    }

    /// Returns what the operator manifest says of the command. `None` for a command that people do not call.
    fn operator() -> Option<Operator>
    where
        Self: Sized;

    /// Returns how this call reports a refusal.
    fn style(&self) -> Style {
        Style::Envelope
    }

    /// Opens the account of this call for the witness ledger, if the command is recorded there.
    fn account(&self) -> Option<Account> {
        None
    }

    /// Runs the call, prints its result, and completes its account.
    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, account: Option<&mut Account>) -> Result<Exit>;
}

/// What the tree needs to know of a command.
struct Command {
    name: &'static str,
    tree: fn() -> clap::Command,
    parse: fn(&ArgMatches) -> Result<Box<dyn Run>, clap::Error>,
    envelope: fn() -> Envelope,
    operator: fn() -> Option<Operator>,
}

impl Command {
    /// Returns a command by the name that its tree has.
    const fn of<C: Run + Parser + 'static>(name: &'static str) -> Self {
        Self {
            name,
            tree: C::command,
            parse: |arguments| Ok(Box::new(C::from_arg_matches(arguments)?)),
            envelope: C::envelope,
            operator: C::operator,
        }
    }

    /// Returns the command of this name.
    fn named(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name == name)
    }
}

/// Publish a repository, or a pack of it, without leaking protected files.
#[derive(Parser)]
#[command(
    name = "git-pack",
    display_name = "pack",
    bin_name = "git pack",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Exit status: 0 yes (created, OK, clean, same), 1 no (INVALID, a leak, a different state), 2 refused (could not check or do it)."
)]
struct Globals {
    /// Do not record this call in the witness ledger
    #[arg(long, global = true)]
    no_witness: bool,
    /// Print commands, flags and exit codes as JSON (operator.v0)
    #[arg(long, global = true)]
    describe: bool,
    /// Print the JSON Schema of pack.v0 and of all reports
    #[arg(long, global = true)]
    schema: bool,
}

/// Returns the command tree.
pub(super) fn tree() -> clap::Command {
    Globals::command().subcommands(COMMANDS.iter().map(|command| (command.tree)()))
}

/// Returns the command tree with one command alone, if the first argument names one. Building all of them takes longer than many a
/// command.
fn lean_tree() -> Option<clap::Command> {
    let named = env::arguments().into_iter().next()?;
    let command = Command::named(named.to_str()?)?;
    Some(Globals::command().subcommand((command.tree)()))
}

/// The call that the process's arguments ask for.
pub(super) struct Call {
    /// The command, with its arguments.
    pub(super) command: Box<dyn Run>,
    /// Its account for the witness ledger, if it is recorded there.
    pub(super) account: Option<Account>,
}

/// Parses the process's arguments.
pub(super) fn parse() -> Result<Call, clap::Error> {
    // What is wrong is told by the whole tree, which knows similar names.
    let lean = lean_tree().and_then(|tree| tree.try_get_matches().ok());
    let matches = match lean {
        Some(matches) => matches,
        None => tree().try_get_matches()?,
    };
    let globals = Globals::from_arg_matches(&matches)?;
    let (name, arguments) = matches
        .subcommand()
        .ok_or_else(|| clap::Error::new(ErrorKind::MissingSubcommand))?;
    let command = Command::named(name).ok_or_else(|| clap::Error::new(ErrorKind::InvalidSubcommand))?;
    let command = (command.parse)(arguments)?;
    let account = command.account().filter(|_| !globals.no_witness);
    Ok(Call { command, account })
}

/// Returns when the command of this name prints the envelope of a refusal, or `None` if there is no such command.
fn envelope_of(name: &str) -> Option<Envelope> {
    Command::named(name).map(|command| (command.envelope)())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_listed_by_their_names() {
        for command in COMMANDS {
            assert_eq!((command.tree)().get_name(), command.name);
        }
    }
}
