//! Reports arguments that clap could not parse.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::envelope_of;
use super::values::BadValue;
use crate::cli::exit::Exit;
use crate::cli::output::refusal::usage::{misused, misused_for};
use crate::cli::output::{Output, refusal};
use crate::cli::style::{Envelope, Style};
use crate::refusal::Refusal;
use crate::refusal::shown::without_private_keys;
use crate::rules::similar::similar;

/// Prints the help or the version, if the arguments ask for it. Returns whether they do.
pub(crate) fn answered(output: &mut Output, error: &clap::Error) -> bool {
    let asked = !error.use_stderr();
    if asked {
        output.line(error.render().ansi().to_string().trim_end());
    }
    asked
}

/// Prints why the arguments cannot be parsed, which is a refusal.
pub(crate) fn tell(output: &mut Output, error: &clap::Error, arguments: &[OsString]) -> Exit {
    let wants_envelope = wants_envelope(arguments, output.is_terminal());
    if let Some(refused) = bad_value(error) {
        return refusal::print(output, &refused, Style::with_json(wants_envelope));
    }
    if let Some(refused) = unknown_command(error) {
        return refusal::print(output, &refused, Style::with_json(wants_envelope));
    }
    let text = without_private_keys(&error.render().to_string());
    // git answers --help with the manual page, which need not be installed.
    let text = text.replace("try '--help'", &format!("try '{}'", help_for(arguments)));
    let text = match text.strip_prefix("error: ") {
        Some(problem) => format!("git-pack: {problem}"),
        // Without any argument, clap prints the help.
        None => text,
    };
    output.alarm(&text);
    if wants_envelope {
        let problem: Vec<&str> = text
            .lines()
            .take_while(|line| !line.is_empty())
            .map(str::trim)
            .collect();
        let problem = problem.join(" ");
        let refused = misused(problem.strip_prefix("git-pack: ").unwrap_or(&problem));
        output.out(&refusal::envelope(&refused));
    }
    Exit::Refused
}

/// Returns the command that prints the help for these arguments.
fn help_for(arguments: &[OsString]) -> String {
    let mut words = arguments.iter().filter_map(|argument| argument.to_str());
    match words.find(|word| !word.starts_with('-')) {
        Some(name) if envelope_of(name).is_some() => format!("git pack help {name}"),
        _ => "git pack help".to_owned(),
    }
}

/// Returns the refusal of a command that there is not, with the one that was probably meant.
fn unknown_command(error: &clap::Error) -> Option<Refusal> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let known = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(known)) => known.iter().map(String::as_str).collect(),
        Some(ContextValue::String(known)) => vec![known.as_str()],
        _ => Vec::new(),
    };
    let problem = match similar(name, known) {
        Some(meant) => format!("there is no command {name:?}; did you mean {meant}?"),
        None => format!("there is no command {name:?}"),
    };
    Some(misused_for(problem, "git pack help"))
}

/// Returns the refusal of a value that one of our own parsers rejected.
fn bad_value(error: &clap::Error) -> Option<Refusal> {
    let why: &BadValue = error.source()?.downcast_ref()?;
    let told = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    // clap names an argument together with its value: `--created <RFC3339>`.
    let flag = told(ContextKind::InvalidArg).split(' ').next().unwrap_or_default();
    let value = match told(ContextKind::InvalidValue) {
        "" => "''",
        value => value,
    };
    let problem = format!("{flag} {value}: {why}");
    Some(match why.example {
        Some(command) => misused_for(problem, command),
        None => misused(problem),
    })
}

/// Returns whether a call with these arguments prints the envelope of a refusal. A call of an unknown command does, unless a person
/// reads it.
fn wants_envelope(arguments: &[OsString], on_terminal: bool) -> bool {
    let mut words = arguments.iter().filter_map(|a| a.to_str());
    match words.find(|word| !word.starts_with('-')) {
        // Only people ask for help.
        None | Some("help") => false,
        Some(name) => {
            let envelope = envelope_of(name).unwrap_or(Envelope::Unasked);
            envelope.is_wanted_by(arguments, on_terminal)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_is_printed_as_the_command_declares() {
        let wanted = |line: &str, on_terminal| {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            wants_envelope(&arguments, on_terminal)
        };
        let wants = |line| wanted(line, false);
        for line in [
            "seal --bogus",
            "--no-witness seal --bogus",
            "nonsense",
            "state --bogus --json",
            "witness count --json",
            "scan --json",
            "scan --format json",
            "scan --format=json",
            "status --json --bogus",
        ] {
            assert!(wants(line), "{line}");
        }
        for line in [
            "--bogus",
            "state --bogus",
            "state --format=json",
            "witness --bogus",
            "scan --format sarif",
            "status --bogus",
            "hook --json",
            "help nonsense",
        ] {
            assert!(!wants(line), "{line}");
        }
        // A person at a terminal gets JSON only on demand.
        for (line, on_demand) in [
            ("seal --bogus", false),
            ("nonsense", false),
            ("seal --json", true),
            ("state --bogus", false),
            ("state --bogus --json", true),
        ] {
            assert_eq!(wanted(line, true), on_demand, "{line}");
        }
    }
}
