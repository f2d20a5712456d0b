//! `git pack complete`: answers the scripts that complete in a shell. They pass the words after `git pack`, and get a line for
//! each word that fits, with what it means behind a tab. A line that begins with a colon tells the shell what to add.

use std::ffi::OsString;

use clap::builder::PossibleValue;
use clap::{Arg, Parser};

use super::operator::Operator;
use super::{Run, help, visible};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::style::{Envelope, Style};
use crate::ops::{Context, completion};
use crate::refusal::code::Code;

/// Print what completes a command line; the scripts of the shells call this
#[derive(Parser)]
#[command(name = "complete", hide = true)]
pub(super) struct Complete {
    /// The words after git pack, of which the last is being typed
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl Run for Complete {
    fn envelope() -> Envelope {
        Envelope::Never
    }

    fn operator() -> Option<Operator> {
        None
    }

    fn style(&self) -> Style {
        Style::Human
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        // A word that is not UTF-8 is a path or another value, and only counted.
        let words: Vec<String> = self
            .words
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let names = |kind: Names| match kind {
            Names::Packs => completion::packs(ctx),
            Names::Remotes => completion::remotes(ctx),
            Names::Scopes => completion::scopes(ctx),
            Names::Revisions => completion::revisions(ctx),
        };
        let found = Completing::of(&words).found(names);
        output.out(found.as_bytes());
        Ok(Exit::Yes)
    }
}

/// Names that only the repository knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Packs,
    Remotes,
    Scopes,
    Revisions,
}

/// What completes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Completes {
    /// Files and directories.
    Files,
    /// Directories.
    Directories,
    /// Names, and directories.
    OrDirectories(Names),
    /// Names.
    Names(Names),
    /// Two revisions with two dots in between.
    Range,
    /// Places: names of remotes behind `git:`, and the beginnings of other addresses.
    Places,
    /// These words.
    Words(&'static [&'static str]),
    /// The commands and the subjects of help, which have manual pages.
    Pages,
    /// The same, and the codes of refusals.
    Helped,
    /// Nothing: a number, or a text of its own.
    Nothing,
}

/// What completes a value, by the name that the help gives it.
const VALUES: &[(&str, Completes)] = &[
    ("A..B", Completes::Range),
    ("A", Completes::OrDirectories(Names::Packs)),
    ("ARTIFACT", Completes::Files),
    ("B", Completes::OrDirectories(Names::Packs)),
    ("COMMAND|SUBJECT", Completes::Pages),
    ("COMMAND|SUBJECT|CODE", Completes::Helped),
    ("DESTINATION", Completes::Places),
    ("DIGEST", Completes::Nothing),
    ("DIR", Completes::Directories),
    ("DIRECTORY|DESTINATION", Completes::Places),
    ("DIR|FILE", Completes::Files),
    ("FILE", Completes::Files),
    ("GLOB", Completes::Files),
    ("HASH", Completes::Nothing),
    ("HOST", Completes::Nothing),
    ("ID|last", Completes::Words(&["last"])),
    ("KEY", Completes::Names(Names::Scopes)),
    ("LIST", Completes::Words(&["repo", "lite", "full", "split"])),
    ("M", Completes::Nothing),
    ("N", Completes::Nothing),
    ("NAME", Completes::Names(Names::Remotes)),
    (
        "OUTCOME",
        Completes::Words(&["OK", "INVALID", "PACK_CREATED", "CHANGES", "NO_CHANGES", "REFUSAL"]),
    ),
    ("PACK", Completes::OrDirectories(Names::Packs)),
    ("PACK_ID|SOURCE", Completes::Places),
    ("PACK|FILE.age", Completes::Files),
    ("PACK|MANIFEST_REF", Completes::OrDirectories(Names::Packs)),
    ("PATH", Completes::Files),
    ("PRINCIPAL", Completes::Nothing),
    ("PUBKEY", Completes::Files),
    ("RECIPIENT", Completes::Nothing),
    ("REF", Completes::Nothing),
    ("REV", Completes::Names(Names::Revisions)),
    ("RFC3339", Completes::Nothing),
    ("SHARD", Completes::Nothing),
    ("SIZE", Completes::Nothing),
    ("STORE|PACK", Completes::OrDirectories(Names::Packs)),
    ("TEXT", Completes::Nothing),
    ("TIME", Completes::Nothing),
    ("TOOL", Completes::Words(&["pack"])),
    ("TYPE", Completes::Words(&["vsa", "slsa-provenance"])),
];

/// The beginnings of addresses of places.
const SCHEMES: &[&str] = &["oci://", "s3://", "gs://", "az://", "file:///", "https://"];

/// What the last of some words can be.
struct Completing<'a> {
    /// The command, built.
    command: clap::Command,
    /// The flag whose value is typed, or the positional argument at this place.
    value: Option<Arg>,
    /// What the value begins with, behind `--flag=`.
    behind: String,
    /// What is typed so far.
    typed: &'a str,
    /// Whether a command can stand here.
    takes_commands: bool,
    /// Whether a flag can stand here.
    takes_flags: bool,
}

impl<'a> Completing<'a> {
    fn of(words: &'a [String]) -> Self {
        let (typed, before) = match words.split_last() {
            Some((typed, before)) => (typed.as_str(), before),
            None => ("", words),
        };
        let mut command = visible();
        command.build();
        let (mut pending, mut place, mut only_values) = (None::<Arg>, 0, false);
        for word in before {
            if pending
                .take_if(|flag| !is_optional(flag) || !word.starts_with('-'))
                .is_some()
            {
                continue;
            }
            pending = None;
            match word.as_str() {
                "--" if !only_values => only_values = true,
                flag if flag.starts_with('-') && flag.len() > 1 && !only_values => pending = awaited(&command, flag),
                name => match command
                    .find_subcommand(name)
                    .filter(|below| place == 0 && !below.is_hide_set())
                    .cloned()
                {
                    Some(below) => command = below,
                    None => place += 1,
                },
            }
        }
        let (mut behind, mut rest) = (String::new(), typed);
        if let Some((name, value)) = typed.split_once('=').filter(|_| pending.is_none() && !only_values)
            && let Some(flag) = name.strip_prefix("--").and_then(|name| long(&command, name))
        {
            pending = Some(flag);
            behind = format!("{name}=");
            rest = value;
        }
        let is_value = pending.as_ref().is_some_and(|flag| !is_optional(flag));
        let value = pending.or_else(|| positional(&command, place));
        Self {
            command,
            value,
            behind,
            typed: rest,
            takes_commands: place == 0 && !only_values && !is_value,
            takes_flags: !only_values && !is_value,
        }
    }

    /// Returns the lines for the shell.
    fn found(&self, names: impl Fn(Names) -> Vec<String>) -> String {
        let mut found = String::new();
        if self.takes_flags && self.typed.starts_with('-') && self.behind.is_empty() {
            for flag in self.command.get_arguments().filter(|flag| !flag.is_hide_set()) {
                for name in spellings(flag) {
                    self.add(&mut found, &name, &about(flag));
                }
            }
            return found;
        }
        if self.takes_commands && self.behind.is_empty() {
            for below in self.command.get_subcommands().filter(|below| !below.is_hide_set()) {
                let about = below.get_about().map(ToString::to_string).unwrap_or_default();
                self.add(&mut found, below.get_name(), &about);
            }
        }
        let Some(value) = &self.value else { return found };
        let possible = value.get_possible_values();
        for one in possible.iter().filter(|one| !one.is_hide_set()) {
            let about = PossibleValue::get_help(one)
                .map(ToString::to_string)
                .unwrap_or_default();
            self.add(&mut found, one.get_name(), &about);
        }
        if possible.is_empty() {
            self.add_values(&mut found, completes(value), names);
        }
        found
    }

    fn add_values(&self, found: &mut String, completes: Completes, names: impl Fn(Names) -> Vec<String>) {
        let add_names = |found: &mut String, kind, before: &str| {
            for name in names(kind) {
                self.add(found, &format!("{before}{name}"), "");
            }
        };
        match completes {
            Completes::Files => found.push_str(":files\n"),
            Completes::Directories => found.push_str(":directories\n"),
            Completes::OrDirectories(kind) => {
                add_names(found, kind, "");
                found.push_str(":files\n");
            }
            Completes::Names(kind) => add_names(found, kind, ""),
            Completes::Range => {
                let before = self.typed.rfind("..").map_or("", |dots| &self.typed[..dots + 2]);
                add_names(found, Names::Revisions, before);
            }
            Completes::Places => {
                add_names(found, Names::Remotes, "git:");
                SCHEMES.iter().for_each(|scheme| self.add(found, scheme, ""));
                found.push_str(":files\n");
            }
            Completes::Words(words) => words.iter().for_each(|word| self.add(found, word, "")),
            Completes::Pages | Completes::Helped => {
                let tree = visible();
                for below in tree.get_subcommands() {
                    let about = below.get_about().map(ToString::to_string).unwrap_or_default();
                    self.add(found, below.get_name(), &about);
                }
                help::subjects().for_each(|(name, about)| self.add(found, name, about));
                // There are so many codes that they would hide the rest.
                if completes == Completes::Helped && !self.typed.is_empty() {
                    Code::ALL.iter().for_each(|code| self.add(found, code.as_str(), ""));
                }
            }
            Completes::Nothing => {}
        }
    }

    /// Adds a line if the word fits what is typed.
    fn add(&self, found: &mut String, word: &str, about: &str) {
        if word.starts_with(self.typed) {
            // One line, whatever the text.
            let about: Vec<&str> = about.split_whitespace().collect();
            found.push_str(&format!("{}{word}\t{}\n", self.behind, about.join(" ")));
        }
    }
}

/// Returns what completes the value of an argument.
fn completes(argument: &Arg) -> Completes {
    let name = argument.get_value_names().and_then(|names| names.first());
    let known = VALUES
        .iter()
        .find(|(known, _)| name.is_some_and(|name| name.as_str() == *known));
    known.map_or(Completes::Nothing, |(_, completes)| *completes)
}

/// Returns the long and the short spelling of a flag.
fn spellings(flag: &Arg) -> Vec<String> {
    let long = flag.get_long().map(|long| format!("--{long}"));
    let short = flag.get_short().map(|short| format!("-{short}"));
    long.into_iter().chain(short).collect()
}

/// Returns the first sentence of what a flag does.
fn about(flag: &Arg) -> String {
    let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
    help.split(" [default").next().unwrap_or_default().to_owned()
}

/// Returns the flag with a value that has this long name.
fn long(command: &clap::Command, name: &str) -> Option<Arg> {
    let flag = command.get_arguments().find(|flag| flag.get_long() == Some(name))?;
    flag.get_action().takes_values().then(|| flag.clone())
}

/// Returns the flag whose value follows this word.
fn awaited(command: &clap::Command, word: &str) -> Option<Arg> {
    if let Some(name) = word.strip_prefix("--") {
        return long(command, name);
    }
    let short = |letter: char| command.get_arguments().find(|flag| flag.get_short() == Some(letter));
    let mut letters = word.chars().skip(1);
    while let Some(letter) = letters.next() {
        let flag = short(letter)?;
        if flag.get_action().takes_values() {
            // The rest of the word is the value, if there is any.
            return letters.next().is_none().then(|| flag.clone());
        }
    }
    None
}

/// Returns whether a flag can stand without its value.
fn is_optional(flag: &Arg) -> bool {
    flag.get_num_args().is_some_and(|many| many.min_values() == 0)
}

/// Returns the positional argument at a place. The last one may take many values.
fn positional(command: &clap::Command, place: usize) -> Option<Arg> {
    let all: Vec<&Arg> = command.get_positionals().collect();
    let last = all.last().filter(|last| {
        let many = last.get_num_args().is_some_and(|many| many.max_values() > 1);
        many || matches!(last.get_action(), clap::ArgAction::Append)
    });
    all.get(place).or(last).map(|argument| (*argument).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let names = |kind: Names| {
            let names: &[&str] = match kind {
                Names::Packs => &["_PACK_RUN/one"],
                Names::Remotes => &["origin", "other"],
                Names::Scopes => &["docs", "src"],
                Names::Revisions => &["HEAD", "main"],
            };
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let lines = Completing::of(&words).found(names);
        lines
            .lines()
            .map(|line| line.split('\t').next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn words_are_completed_by_what_the_command_takes_there() {
        for (line, expected) in [
            ("ver", &["verify"][..]),
            ("hoo", &[]),
            ("agent ap", &["append"]),
            ("seal --em", &["--emit"]),
            ("seal --emit l", &["lite"]),
            ("seal --emit=l", &["--emit=lite"]),
            ("seal --mode ", &["public", "internal"]),
            ("seal --scope ", &["docs", "src"]),
            ("seal -o ", &[":directories"]),
            ("seal -ox ", &[":files"]),
            ("seal -- --em", &[":files"]),
            ("seal --rev m", &["main"]),
            ("verify _", &["_PACK_RUN/one", ":files"]),
            ("scan --remote o", &["origin", "other"]),
            ("push x git:or", &["git:origin", ":files"]),
            ("push x o", &["oci://", ":files"]),
            ("scan --write-allow --js", &["--json"]),
            ("scan --write-allow ", &[":files"]),
            ("scan --range m", &["main"]),
            ("scan --range HEAD..m", &["HEAD..main"]),
            ("state ", &["HEAD", "main"]),
            ("state main ", &[]),
            ("open x y ", &[":files"]),
            ("help ru", &["rules"]),
            ("help verif", &["verify"]),
            ("help E_US", &["E_USAGE"]),
            ("man E_US", &[]),
            ("audit --run ", &["last"]),
            ("init --server --str", &["--strict"]),
            ("nonsense ", &[]),
        ] {
            assert_eq!(found(line), expected, "{line}");
        }
        assert!(found("").contains(&"seal".to_owned()) && !found("").contains(&"complete".to_owned()));
    }

    #[test]
    fn every_command_flag_and_value_of_the_tree_can_be_completed() {
        fn walk(command: &clap::Command, path: &str) {
            for flag in command
                .get_arguments()
                .filter(|flag| !flag.is_positional() && !flag.is_hide_set())
            {
                for spelling in spellings(flag) {
                    let all = found(format!("{path} {spelling}").trim_start());
                    assert!(all.contains(&spelling), "{path} {spelling}");
                }
            }
            for argument in command
                .get_arguments()
                .filter(|argument| argument.get_action().takes_values())
            {
                let name = argument
                    .get_value_names()
                    .and_then(|names| names.first())
                    .map(|name| name.as_str());
                let known = VALUES.iter().any(|(known, _)| name == Some(known));
                assert!(
                    known || !argument.get_possible_values().is_empty(),
                    "{path}: VALUES does not say what completes {name:?}"
                );
            }
            for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
                let path = format!("{path} {}", below.get_name());
                assert_eq!(
                    found(path.trim_start()).first().map(String::as_str),
                    Some(below.get_name()),
                    "{path}"
                );
                walk(below, path.trim_start());
            }
        }
        let mut tree = visible();
        tree.build();
        walk(&tree, "");
    }
}
