//! The manual page of a command, made of its tree.

use clap::{Arg, Command};

use super::dress::{GLOBAL, exits};
use super::examples::examples;
use super::page::{Block, Page, Section, lines, section, term, text};
use super::settings::VARIABLES;
use super::topics::TOPICS;
use crate::cli::commands::operator::Operator;
use crate::cli::commands::{self, GROUPS};

/// What every command reads or writes.
const FILES: [(&str, &str); 5] = [
    (".gitpack.toml", "what is protected, and who can open it; committed"),
    ("_PACK_RUN/", "packs and opened files; never tracked"),
    (
        ".git/gitpack/",
        "what git-pack keeps in the clone: contents, caches, records of runs",
    ),
    ("~/.config/git-pack/identity.txt", "your age identity"),
    (
        "~/.epistemic/witness.jsonl",
        "the witness ledger: what was sealed, verified and shared",
    ),
];

/// Returns the name of the manual page of the command `path`, which is what stands after `git pack`.
pub(super) fn name_of(path: &str) -> String {
    format!("git-pack {path}").trim_end().replace(' ', "-")
}

/// Returns the manual page of a built command.
pub(super) fn page(command: &Command, path: &str) -> Page {
    let mut sections = vec![section("Synopsis", [lines(&synopsis(command))]), description(command)];
    sections.extend(match path {
        "" => groups(command),
        _ => vec![subcommands(command, path)],
    });
    let visible = |argument: &&Arg| !argument.is_hide_set();
    let positionals = command.get_positionals().filter(visible).map(positional);
    let mut flags: Vec<&Arg> = command
        .get_arguments()
        .filter(visible)
        .filter(|flag| !flag.is_positional())
        .collect();
    flags.sort_by_key(|flag| flag.get_display_order());
    let (global, own): (Vec<&Arg>, Vec<&Arg>) = flags
        .into_iter()
        .partition(|flag| flag.get_help_heading() == Some(GLOBAL));
    sections.push(section("Arguments", positionals.collect::<Vec<_>>()));
    sections.push(section("Options", own.into_iter().map(option).collect::<Vec<_>>()));
    sections.push(section(GLOBAL, global.into_iter().map(option).collect::<Vec<_>>()));
    let operator = path.split(' ').next().and_then(commands::operator_of);
    sections.push(exit_status(operator.as_ref()));
    sections.push(shown(path));
    sections.push(section("Files", FILES.map(|(file, about)| term(file, about))));
    sections.push(environment(path));
    sections.push(see_also(path));
    sections.retain(|section| !section.blocks.is_empty());
    Page {
        name: name_of(path),
        about: command.get_about().map(ToString::to_string).unwrap_or_default(),
        sections,
    }
}

fn synopsis(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    usage.trim_start_matches("Usage: ").trim_end().to_owned()
}

fn description(command: &Command) -> Section {
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let paragraphs = about.split("\n\n").map(|paragraph| match paragraph.ends_with('.') {
        true => text(paragraph),
        false => text(&format!("{paragraph}.")),
    });
    section("Description", paragraphs.collect::<Vec<_>>())
}

/// Returns the commands in their groups.
fn groups(tree: &Command) -> Vec<Section> {
    let about = |name: &str| {
        tree.find_subcommand(name)
            .and_then(Command::get_about)
            .map(ToString::to_string)
    };
    let group = |group: &commands::Group| {
        let rows = group.commands.iter().map(|command| {
            let about = about(command.name).unwrap_or_default();
            term(&format!("git pack {}", command.name), &about)
        });
        section(&format!("Commands: {}", group.title), rows.collect::<Vec<_>>())
    };
    GROUPS.iter().map(group).collect()
}

fn subcommands(command: &Command, path: &str) -> Section {
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    let rows = below.map(|below| {
        let about = below.get_about().map(ToString::to_string).unwrap_or_default();
        term(&format!("git pack {path} {}", below.get_name()), &about)
    });
    section("Commands", rows.collect::<Vec<_>>())
}

fn positional(argument: &Arg) -> Block {
    Block::Term(argument.to_string(), meaning(argument))
}

fn option(flag: &Arg) -> Block {
    let name = match (flag.get_short(), flag.get_long()) {
        (Some(short), Some(_)) => format!("-{short}, {flag}"),
        _ => flag.to_string(),
    };
    Block::Term(name, meaning(flag))
}

/// Returns the help of an argument, with the values that it can have.
fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help());
    let mut meaning = help.map(ToString::to_string).unwrap_or_default();
    let values = argument
        .get_possible_values()
        .into_iter()
        .filter(|value| !value.is_hide_set());
    let values: Vec<String> = values
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}`: {help}", value.get_name()),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    if !values.is_empty() && argument.get_action().takes_values() {
        meaning.push_str(&format!(". Values: {}", values.join("; ")));
    }
    let defaults: Vec<_> = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    if !defaults.is_empty() && argument.get_action().takes_values() {
        meaning.push_str(&format!(" [default: {}]", defaults.join(", ")));
    }
    meaning
}

fn exit_status(operator: Option<&Operator>) -> Section {
    let refused = "refused: it could not be checked or done, and nothing was changed; wrong arguments are refused too";
    let rows = match operator {
        Some(operator) => exits(operator)
            .into_iter()
            .map(|(status, outcome)| match status {
                2 => term("2", refused),
                status => term(&status.to_string(), &outcome),
            })
            .collect(),
        None => vec![
            term("0", "yes: created, OK, clean, same"),
            term("1", "no: invalid, a leak, a different state"),
            term("2", refused),
        ],
    };
    section("Exit status", rows)
}

fn shown(path: &str) -> Section {
    let examples = examples(path).unwrap_or_default().iter();
    let blocks = examples.flat_map(|example| [text(&format!("{}:", example.does)), lines(example.line)]);
    section("Examples", blocks.collect::<Vec<_>>())
}

/// Returns the variables. Only the overview has all of them.
fn environment(path: &str) -> Section {
    let variables = VARIABLES
        .iter()
        .filter(|variable| path.is_empty() || variable.name.starts_with("GIT_PACK_"));
    let mut blocks: Vec<Block> = variables
        .map(|variable| term(variable.name, variable.meaning))
        .collect();
    blocks.push(text(
        "git-pack-configuration(7) has all variables, and all keys of the configuration.",
    ));
    section("Environment", blocks)
}

/// Returns where more is said: the commands of the same group, the command above, the subjects.
fn see_also(path: &str) -> Section {
    let first = path.split(' ').next().unwrap_or_default();
    let group = GROUPS
        .iter()
        .find(|group| group.commands.iter().any(|command| command.name == first));
    let siblings = group
        .into_iter()
        .flat_map(|group| group.commands)
        .map(|command| command.name);
    let mut pages: Vec<String> = Vec::new();
    if !path.is_empty() {
        pages.push("git-pack(1)".into());
    }
    pages.extend(
        siblings
            .filter(|name| *name != path)
            .map(|name| format!("{}(1)", name_of(name))),
    );
    pages.extend(TOPICS.iter().map(|topic| format!("{}(7)", name_of(topic.name))));
    section("See also", [text(&pages.join(", "))])
}
