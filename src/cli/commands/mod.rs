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
mod uninstall;
pub(super) mod usage;
mod values;
mod verify;
mod witness;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};

use operator::Operator;

use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::style::{Envelope, Style};
use crate::ops::Context;

/// Every command, in the order of the help.
const COMMANDS: &[Command] = &[
    Command::of::<init::Init>(),
    Command::of::<scan::Scan>(),
    Command::of::<status::Status>(),
    Command::of::<protect::Protect>(),
    Command::of::<reveal::Reveal>(),
    Command::of::<state::State>(),
    Command::of::<seal::Seal>(),
    Command::of::<verify::Verify>(),
    Command::of::<sign::Sign>(),
    Command::of::<open::Open>(),
    Command::of::<restore::Restore>(),
    Command::of::<audit::Audit>(),
    Command::of::<gc::Gc>(),
    Command::of::<rekey::Rekey>(),
    Command::of::<diff::Diff>(),
    Command::of::<inspect::Inspect>(),
    Command::of::<list::List>(),
    Command::of::<archive::Archive>(),
    Command::of::<attest::Attest>(),
    Command::of::<push::Push>(),
    Command::of::<pull::Pull>(),
    Command::of::<witness::Witness>(),
    Command::of::<recipients::Recipients>(),
    Command::of::<key::Key>(),
    Command::of::<agent::Agent>(),
    Command::of::<install::Install>(),
    Command::of::<uninstall::Uninstall>(),
    Command::of::<hook::Hook>(),
    Command::of::<driver::Driver>(),
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
    tree: fn() -> clap::Command,
    parse: fn(&ArgMatches) -> Result<Box<dyn Run>, clap::Error>,
    envelope: fn() -> Envelope,
    operator: fn() -> Option<Operator>,
}

impl Command {
    const fn of<C: Run + Parser + 'static>() -> Self {
        Self {
            tree: C::command,
            parse: |arguments| Ok(Box::new(C::from_arg_matches(arguments)?)),
            envelope: C::envelope,
            operator: C::operator,
        }
    }

    /// Returns the command of this name.
    fn named(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| (command.tree)().get_name() == name)
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

/// The call that the process's arguments ask for.
pub(super) struct Call {
    /// The command, with its arguments.
    pub(super) command: Box<dyn Run>,
    /// Its account for the witness ledger, if it is recorded there.
    pub(super) account: Option<Account>,
}

/// Parses the process's arguments.
pub(super) fn parse() -> Result<Call, clap::Error> {
    let matches = tree().try_get_matches()?;
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
