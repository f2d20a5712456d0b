//! The operator manifest: what `--describe` prints.

use std::collections::BTreeSet;

use super::commands;
use crate::refusal::code::Code;

/// The manifest without the rows of the commands and the codes of the refusals.
const FRAME: &str = include_str!("../../../operator.json");

/// What the operator manifest says of a command, besides its arguments.
pub(in crate::cli) struct Operator {
    /// What the command prints.
    pub(in crate::cli) output: Prints,
    /// The outcome of exit status 0, in one word.
    pub(in crate::cli) yes: &'static str,
    /// The outcome of exit status 1, in one word. `None` if the command never ends with it.
    pub(in crate::cli) no: Option<&'static str>,
}

/// What a command prints to standard output.
#[derive(Clone, Copy)]
pub(in crate::cli) enum Prints {
    /// Lines about what it changed.
    Status,
    /// Its result.
    Report,
    /// Lines about the files that it made.
    Artifact,
}

impl Prints {
    fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Report => "report",
            Self::Artifact => "artifact",
        }
    }
}

/// Returns the operator manifest: one line a command, since people read it as well.
pub(in crate::cli) fn manifest() -> String {
    let rows = commands().filter_map(|command| {
        let operator = (command.operator)()?;
        Some(format!("\n    {}", row(&(command.tree)(), &operator)))
    });
    let rows: Vec<String> = rows.collect();
    let codes = list(Code::ALL.map(|code| code.as_str().to_owned()));
    FRAME
        .replace(
            "\"subcommands\": []",
            &format!("\"subcommands\": [{}\n  ]", rows.join(",")),
        )
        .replace("\"refusals\": []", &format!("\"refusals\": {codes}"))
}

/// Returns the row of a command.
fn row(tree: &clap::Command, operator: &Operator) -> String {
    let mut row = format!(
        r#"{{"name": "{}", "output_mode": "{}", "#,
        tree.get_name(),
        operator.output.as_str()
    );
    let below = tree.get_subcommands().map(|command| {
        let flags = list(flags(command));
        format!(r#"{{"name": "{}", "flags": {flags}}}"#, command.get_name())
    });
    let below: Vec<String> = below.collect();
    if !below.is_empty() {
        row.push_str(&format!(r#""subcommands": [{}], "#, below.join(", ")));
    }
    let no = operator.no.map_or(String::new(), |no| format!(r#""1": "{no}", "#));
    row.push_str(&format!(
        r#""flags": {}, "exit_codes": {{"0": "{}", {no}"2": "REFUSAL"}}}}"#,
        list(flags(tree)),
        operator.yes
    ));
    row
}

/// Returns the flags of a command, each by its longest name, sorted.
fn flags(tree: &clap::Command) -> BTreeSet<String> {
    let flags = tree.get_arguments().filter(|flag| !flag.is_positional());
    flags
        .filter_map(|flag| match (flag.get_long(), flag.get_short()) {
            (Some(long), _) => Some(format!("--{long}")),
            (None, short) => short.map(|short| format!("-{short}")),
        })
        .collect()
}

/// Returns a JSON array of words that need no escapes: names of commands, of flags and of codes.
fn list(words: impl IntoIterator<Item = String>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("\"{word}\"")).collect();
    format!("[{}]", words.join(", "))
}
