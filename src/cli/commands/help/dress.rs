//! What help adds to the command tree: groups of commands, the order of flags, examples and exit statuses.

use clap::Command;
use clap::builder::styling::Styles;

use super::examples::{Example, examples};
use super::order::place;
use super::topics::TOPICS;
use crate::cli::commands::operator::Operator;
use crate::cli::commands::{self, GROUPS};

/// The title over the flags that every command takes.
pub(in crate::cli::commands) const GLOBAL: &str = "Global options";

/// What each exit status means, for the overview.
const EXITS: [(&str, &str); 3] = [
    ("0", "yes: created, OK, clean, same"),
    ("1", "no: INVALID, a leak, a different state"),
    ("2", "refused: it could not be checked or done"),
];

/// Returns the tree with what its help says.
pub(in crate::cli::commands) fn dressed(tree: Command) -> Command {
    let overview = overview(&tree);
    let more = more();
    let statuses = EXITS.map(|(status, about)| row(status, about, 3));
    let tree = tree
        .help_template(overview)
        .after_help(more.clone())
        .after_long_help(format!("{more}\n{}\n{}", heading("Exit status:"), statuses.join("\n")));
    tree.mut_subcommands(|command| {
        let operator = commands::operator_of(command.get_name());
        let path = command.get_name().to_owned();
        below(command, &path, operator.as_ref())
    })
}

/// Returns a command with what its help says. `path` is its name after `git pack`.
fn below(command: Command, path: &str, operator: Option<&Operator>) -> Command {
    let command = command.mut_subcommands(|command| {
        let path = format!("{path} {}", command.get_name());
        below(command, &path, operator)
    });
    let mut nth = 0;
    let command = command.mut_args(|flag| {
        nth += 1;
        match flag.is_positional() {
            true => flag,
            false => {
                let place = place(&flag, nth);
                flag.display_order(place)
            }
        }
    });
    let more = format!("git pack help {path} shows all flags, and examples.");
    let mut long = String::new();
    if let Some(examples) = examples(path) {
        long.push_str(&shown(examples));
    }
    if let Some(operator) = operator {
        let exits = exits(operator)
            .into_iter()
            .map(|(status, outcome)| format!("{status} {outcome}"));
        let exits: Vec<String> = exits.collect();
        long.push_str(&format!("{} {}", heading("Exit status:"), exits.join(", ")));
    }
    command.after_help(more).after_long_help(long)
}

/// Returns the exit statuses of a command, each with what it means.
pub(super) fn exits(operator: &Operator) -> Vec<(u8, String)> {
    let said = |word: &str| word.to_lowercase().replace('_', " ");
    let no = operator.no.map(|no| (1, said(no)));
    let yes = (0, said(operator.yes));
    [yes].into_iter().chain(no).chain([(2, "refused".to_owned())]).collect()
}

/// Returns where more is said than in the overview.
fn more() -> String {
    let mut text = format!("{}\n", heading("More:"));
    let commands = [
        ("git pack COMMAND -h".to_owned(), "a summary of a command"),
        ("git pack help COMMAND".to_owned(), "all of its flags, and examples"),
    ];
    let topics = TOPICS
        .iter()
        .map(|topic| (format!("git pack help {}", topic.name), topic.about));
    for (what, about) in commands.into_iter().chain(topics) {
        text.push_str(&row(&what, about, 29));
        text.push('\n');
    }
    text
}

/// Returns examples as they are shown.
fn shown(examples: &[Example]) -> String {
    let mut text = format!("{}\n", heading("Examples:"));
    for example in examples {
        text.push_str(&format!("  {}:\n      {}\n", example.does, example.line));
    }
    text + "\n"
}

/// Returns the template of the overview.
fn overview(tree: &Command) -> String {
    let mut text = String::from("{about}\n\n{usage-heading} {usage}\n\n");
    let width = GROUPS
        .iter()
        .flat_map(|group| group.commands)
        .map(|command| command.name.len());
    let width = width.max().unwrap_or_default() + 2;
    for group in GROUPS {
        text.push_str(&format!("{}\n", heading(&format!("{}:", group.title))));
        for command in group.commands {
            let about = tree.find_subcommand(command.name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            text.push_str(&row(command.name, &about, width));
            text.push('\n');
        }
        text.push('\n');
    }
    text.push_str(&format!(
        "{}\n{{options}}{{after-help}}",
        heading(&format!("{GLOBAL}:"))
    ));
    text
}

/// Returns a line with what to type, and what it does.
fn row(what: &str, about: &str, width: usize) -> String {
    let literal = Styles::default();
    let literal = literal.get_literal();
    format!("  {}{what:<width$}{}{about}", literal.render(), literal.render_reset())
}

/// Returns a title as clap shows its own.
fn heading(text: &str) -> String {
    let styles = Styles::default();
    let header = styles.get_header();
    format!("{}{text}{}", header.render(), header.render_reset())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest line of the overview is as wide as the help.
    const ROOM: usize = 85;

    /// Calls `each` with every command that a person may call, and its path.
    fn walk(command: &Command, path: &str, each: &mut impl FnMut(&Command, &str)) {
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            let path = format!("{path} {}", below.get_name());
            let path = path.trim_start();
            each(below, path);
            walk(below, path, each);
        }
    }

    #[test]
    fn every_command_and_every_flag_has_its_help() {
        let mut tree = commands::tree();
        tree.build();
        let mut seen = 0;
        walk(&tree, "", &mut |command, path| {
            seen += 1;
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty() && !about.ends_with('.'), "{path}: {about}");
            assert!(
                path.contains(' ') || about.len() <= ROOM,
                "{path}: too long for the overview: {about}"
            );
            if !command.has_subcommands() {
                assert!(
                    examples(path).is_some_and(|examples| !examples.is_empty()),
                    "{path}: no example"
                );
            }
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty(), "{path} {}: no help", argument.get_id());
            }
        });
        assert!(seen > 40);
    }

    #[test]
    fn every_example_is_of_its_command_and_can_be_parsed() {
        let mut found = 0;
        let mut tree = commands::tree();
        tree.build();
        walk(&tree, "", &mut |_, path| {
            for example in examples(path).unwrap_or_default() {
                found += 1;
                let rest = example.line.strip_prefix(&format!("git pack {path}"));
                assert!(
                    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')),
                    "{path}: {}",
                    example.line
                );
                // What a shell takes for itself does not reach the program.
                let words = example.line.split(['>', '|']).next().unwrap_or_default().trim_end();
                let words = words.replace("\"$(git pack state v1.0)\"", &format!("sha256:{}", "0".repeat(64)));
                let words = words
                    .replace("\"$(cat ~/.ssh/id_ed25519.pub)\"", "age1x")
                    .replace("\"$(cat kim.pub)\"", "age1x");
                let words = words.split(' ').skip(1);
                let parsed = commands::tree().try_get_matches_from(words);
                assert!(parsed.is_ok(), "{}: {}", example.line, parsed.unwrap_err());
            }
        });
        assert_eq!(
            found,
            super::super::examples::EXAMPLES
                .iter()
                .map(|(_, all)| all.len())
                .sum::<usize>()
        );
    }

    #[test]
    fn flags_have_one_order_and_the_global_ones_come_last() {
        let mut tree = commands::tree();
        tree.build();
        let seal = tree.find_subcommand_mut("seal").unwrap();
        let help = seal.render_long_help().to_string();
        let at = |flag: &str| {
            help.find(&format!("{flag} "))
                .or(help.find(&format!("{flag}\n")))
                .unwrap()
        };
        let order = [
            "--rev",
            "--output",
            "--recipient",
            "--identity",
            "--mode",
            "\nGlobal options:",
            "--no-witness",
            "--help",
        ];
        assert!(order.is_sorted_by_key(|flag| at(flag)), "{help}");
    }
}
