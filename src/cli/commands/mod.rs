//! The commands, one file each, and the table that builds the command tree.

mod agent;
mod archive;
mod attest;
mod audit;
mod complete;
mod completions;
mod diff;
mod driver;
mod flags;
mod gc;
mod help;
mod hook;
mod init;
mod inspect;
mod install;
mod key;
mod list;
mod man;
mod open;
pub(super) mod operator;
mod protect;
mod pull;
mod push;
mod recipients;
mod rekey;
mod report;
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

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser};

use operator::Operator;

use crate::cli::account::Account;
use crate::cli::env;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::style::{Envelope, Style};
use crate::ops::Context;

/// Every command that a person may call, in the groups and in the order of the help.
const GROUPS: &[Group] = &[
    Group {
        title: "Start",
        commands: &[
            Command::of::<init::Init>("init"),
            Command::of::<status::Status>("status"),
            Command::of::<tour::Tour>("tour"),
        ],
    },
    Group {
        title: "Guard",
        commands: &[
            Command::of::<scan::Scan>("scan"),
            Command::of::<protect::Protect>("protect"),
            Command::of::<reveal::Reveal>("reveal"),
            Command::of::<install::Install>("install"),
            Command::of::<uninstall::Uninstall>("uninstall"),
        ],
    },
    Group {
        title: "Pack",
        commands: &[
            Command::of::<seal::Seal>("seal"),
            Command::of::<open::Open>("open"),
            Command::of::<verify::Verify>("verify"),
            Command::of::<diff::Diff>("diff"),
            Command::of::<inspect::Inspect>("inspect"),
            Command::of::<list::List>("list"),
            Command::of::<report::Report>("report"),
            Command::of::<state::State>("state"),
        ],
    },
    Group {
        title: "Share",
        commands: &[
            Command::of::<push::Push>("push"),
            Command::of::<pull::Pull>("pull"),
            Command::of::<archive::Archive>("archive"),
            Command::of::<sign::Sign>("sign"),
            Command::of::<attest::Attest>("attest"),
        ],
    },
    Group {
        title: "Store",
        commands: &[
            Command::of::<restore::Restore>("restore"),
            Command::of::<audit::Audit>("audit"),
            Command::of::<gc::Gc>("gc"),
            Command::of::<witness::Witness>("witness"),
        ],
    },
    Group {
        title: "Keys",
        commands: &[
            Command::of::<key::Key>("key"),
            Command::of::<recipients::Recipients>("recipients"),
            Command::of::<rekey::Rekey>("rekey"),
        ],
    },
    Group {
        title: "Agents",
        commands: &[Command::of::<agent::Agent>("agent")],
    },
    Group {
        title: "Help",
        commands: &[
            Command::of::<help::Help>("help"),
            Command::of::<man::Man>("man"),
            Command::of::<completions::Completions>("completions"),
        ],
    },
];

/// The commands that git and shells call. The help does not list them.
const HIDDEN: &[Command] = &[
    Command::of::<hook::Hook>("hook"),
    Command::of::<driver::Driver>("driver"),
    Command::of::<complete::Complete>("complete"),
];

/// Commands about one subject, under one title of the help.
struct Group {
    title: &'static str,
    commands: &'static [Command],
}

/// Returns every command.
fn commands() -> impl Iterator<Item = &'static Command> {
    GROUPS.iter().flat_map(|group| group.commands).chain(HIDDEN)
}

/// A call of a command, with its arguments parsed.
pub(super) trait Run {
    /// Returns when a call prints the envelope of a refusal although its arguments cannot be parsed.
    fn envelope() -> Envelope
    where
        Self: Sized,
    {
        Envelope::Unasked
    }

    /// Returns what the operator manifest says of the command. `None` for a command that people do not call.
    fn operator() -> Option<Operator>
    where
        Self: Sized;

    /// Returns how this call reports a refusal.
    fn style(&self) -> Style {
        Style::Unasked
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
        commands().find(|command| command.name == name)
    }
}

/// Publish a repository, or a pack of it, without leaking protected files
#[derive(Parser)]
#[command(
    name = "git-pack",
    display_name = "pack",
    bin_name = "git pack",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_flag = true,
    disable_help_subcommand = true,
    disable_version_flag = true,
    max_term_width = 100
)]
struct Globals {
    /// Do not record this call in the witness ledger
    #[arg(long, global = true, help_heading = help::GLOBAL, hide_short_help = true)]
    no_witness: bool,
    /// Print results and refusals only: no notes, no advice, no progress
    #[arg(long, short = 'q', global = true, help_heading = help::GLOBAL, hide_short_help = true)]
    quiet: bool,
    /// Show no progress
    #[arg(long, global = true, help_heading = help::GLOBAL, hide_short_help = true)]
    no_progress: bool,
    /// Print commands, flags and exit codes as JSON (operator.v0)
    #[arg(long, global = true, help_heading = help::GLOBAL, hide_short_help = true)]
    describe: bool,
    /// Print the JSON Schema of pack.v0 and of all reports
    #[arg(long, global = true, help_heading = help::GLOBAL, hide_short_help = true)]
    schema: bool,
}

/// Returns what every command takes, and no command.
fn root() -> clap::Command {
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help);
    let version = Arg::new("version")
        .short('V')
        .long("version")
        .action(ArgAction::Version);
    Globals::command()
        .arg(
            help.global(true)
                .help_heading(help::GLOBAL)
                .help("Print a summary of the help (-h), or all of it (--help)"),
        )
        .arg(version.help_heading(help::GLOBAL).help("Print the version"))
}

/// Returns the command tree, with all that its help says.
pub(super) fn tree() -> clap::Command {
    help::dressed(root().subcommands(commands().map(|command| (command.tree)())))
}

/// Returns the command tree with one command alone, if the first argument names one. Building all of them takes longer than many a
/// command.
fn lean_tree() -> Option<clap::Command> {
    let named = env::arguments().into_iter().next()?;
    let command = Command::named(named.to_str()?)?;
    Some(root().subcommand((command.tree)()))
}

/// Returns the tree of the commands that a person may call.
fn visible() -> clap::Command {
    let listed = GROUPS.iter().flat_map(|group| group.commands);
    help::dressed(root().subcommands(listed.map(|command| (command.tree)())))
}

/// Parses arguments by the whole tree. What is wrong with the name of a command is told by the tree of those that a person may call,
/// so that no other is suggested.
fn parse_by_all(arguments: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let line = || std::iter::once(OsString::from("git-pack")).chain(arguments.iter().cloned());
    let parsed = tree().try_get_matches_from(line());
    match parsed {
        Err(error) if error.kind() == ErrorKind::InvalidSubcommand => {
            let told = visible().try_get_matches_from(line()).err();
            Err(told.unwrap_or(error))
        }
        parsed => parsed,
    }
}

/// The call that the process's arguments ask for.
pub(super) struct Call {
    /// The command, with its arguments.
    pub(super) command: Box<dyn Run>,
    /// Its account for the witness ledger, if it is recorded there.
    pub(super) account: Option<Account>,
    /// The name of the command.
    pub(super) name: &'static str,
    /// How much is to be printed.
    pub(super) loudness: Loudness,
}

/// How much a person wants to be told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Loudness {
    /// Everything.
    Full,
    /// Everything but progress.
    NoProgress,
    /// Results and refusals.
    Quiet,
}

/// Parses the process's arguments.
pub(super) fn parse() -> Result<Call, clap::Error> {
    // What is wrong is told by the whole tree, which knows similar names.
    let lean = lean_tree().and_then(|tree| tree.try_get_matches().ok());
    let matches = match lean {
        Some(matches) => matches,
        None => parse_by_all(&env::arguments())?,
    };
    let globals = Globals::from_arg_matches(&matches)?;
    let (name, arguments) = matches
        .subcommand()
        .ok_or_else(|| clap::Error::new(ErrorKind::MissingSubcommand))?;
    let command = Command::named(name).ok_or_else(|| clap::Error::new(ErrorKind::InvalidSubcommand))?;
    let name = command.name;
    let command = (command.parse)(arguments)?;
    Ok(Call {
        account: command
            .account()
            .filter(|_| !globals.no_witness && !is_dry_run(arguments)),
        command,
        name,
        loudness: match (globals.quiet, globals.no_progress) {
            (true, _) => Loudness::Quiet,
            (false, true) => Loudness::NoProgress,
            (false, false) => Loudness::Full,
        },
    })
}

/// Returns whether a call only tells what it would do. It changes nothing, so it is not recorded either.
fn is_dry_run(arguments: &ArgMatches) -> bool {
    let given = arguments.try_get_one::<bool>("dry_run").ok().flatten();
    given == Some(&true) || arguments.subcommand().is_some_and(|(_, below)| is_dry_run(below))
}

/// Returns what the operator manifest says of the command of this name.
fn operator_of(name: &str) -> Option<Operator> {
    (Command::named(name)?.operator)()
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
        for command in commands() {
            assert_eq!((command.tree)().get_name(), command.name);
        }
    }

    #[test]
    fn only_commands_that_no_person_calls_are_hidden() {
        let is_hidden = |command: &Command| (command.tree)().is_hide_set();
        assert!(HIDDEN.iter().all(is_hidden));
        assert!(!GROUPS.iter().flat_map(|group| group.commands).any(is_hidden));
    }

    #[test]
    fn a_dry_run_has_one_short_flag_everywhere() {
        fn those_of(command: &clap::Command, found: &mut Vec<String>) {
            for argument in command
                .get_arguments()
                .filter(|argument| argument.get_id() == "dry_run")
            {
                assert_eq!(argument.get_short(), Some('n'), "{}", command.get_name());
                found.push(command.get_name().to_owned());
            }
            command.get_subcommands().for_each(|below| those_of(below, found));
        }
        let mut found = Vec::new();
        commands().for_each(|command| those_of(&(command.tree)(), &mut found));
        assert!(found.len() > 20, "{found:?}");
    }

    /// These change nothing that is kept.
    const READING: &[&str] = &[
        "agent cat",
        "agent info",
        "agent verify",
        "completions",
        "diff",
        "help",
        "inspect",
        "key list",
        "key public",
        "list",
        "recipients list",
        "state",
        "status",
        "tour",
        "verify",
        "witness count",
        "witness last",
        "witness query",
        "witness verify",
    ];

    #[test]
    fn every_command_that_changes_something_has_a_dry_run() {
        fn walk(command: &clap::Command, path: &str, without: &mut Vec<String>) {
            let below: Vec<&clap::Command> = command.get_subcommands().filter(|below| !below.is_hide_set()).collect();
            for each in &below {
                walk(each, format!("{path} {}", each.get_name()).trim(), without);
            }
            let has_one = command.get_arguments().any(|argument| argument.get_id() == "dry_run");
            if below.is_empty() && !has_one {
                without.push(path.to_owned());
            }
        }
        let mut without = Vec::new();
        walk(&visible(), "", &mut without);
        without.sort();
        assert_eq!(without, READING);
    }

    #[test]
    fn a_mistyped_name_suggests_only_what_a_person_may_call() {
        let told = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            parse_by_all(&words).unwrap_err().render().to_string()
        };
        assert!(told(&["vrify"]).contains("'verify'"));
        assert!(told(&["--no-witness", "agent", "apend"]).contains("'append'"));
        // These are near to hook and driver.
        for name in ["hok", "hoook", "drver", "drivers"] {
            let text = told(&[name]);
            assert!(
                text.contains(name) && !text.contains("'hook'") && !text.contains("'driver'"),
                "{text}"
            );
        }
    }
}
