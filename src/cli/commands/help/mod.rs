//! `git pack help`: shows the help of git-pack, of each command, and of subjects such as the rules of the guard.

mod codes;
mod configuration;
mod dress;
mod examples;
mod manual;
mod markdown;
mod order;
mod page;
mod reference;
mod settings;
mod topics;

pub(super) use dress::{GLOBAL, dressed};

use clap::Parser;

use super::operator::Operator;
use super::{Run, tree, visible};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::refusal::usage::misused;
use crate::cli::style::{Envelope, Style};
use crate::format::manual::ManualPage;
use crate::ops::Context;
use crate::refusal::code::Code;
use crate::rules::similar::similar;
use page::Page;
use topics::{TOPICS, Topic};

/// What the reference of the configuration says of itself, so that nobody edits it.
const ORIGIN: &str =
    "`git pack help configuration --markdown` writes this page, from the tables in src/cli/commands/help/settings/";

/// Show this overview, or the help of a command or a subject
#[derive(Parser)]
#[command(name = "help")]
pub(super) struct Help {
    /// A command, such as seal or agent append, a subject, such as rules or hooks, or the code of a refusal, such as E_IO [default: the overview]
    #[arg(value_name = "COMMAND|SUBJECT|CODE")]
    words: Vec<String>,
    /// Print the page of a subject as Markdown
    #[arg(long, requires = "words")]
    markdown: bool,
}

impl Run for Help {
    fn envelope() -> Envelope {
        Envelope::Never
    }

    fn operator() -> Option<Operator> {
        None
    }

    fn style(&self) -> Style {
        Style::Human
    }

    fn run(self: Box<Self>, _: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let topic = match self.words.as_slice() {
            [word] => Topic::named(word),
            _ => None,
        };
        let code = match self.words.as_slice() {
            [word] => codes::page(word),
            _ => None,
        };
        match (topic, self.markdown) {
            (None, false) if code.is_some() => {
                let page = code.iter().map(Page::for_terminal).collect::<String>();
                output.line(page.trim_end());
            }
            (Some(topic), true) => output.line(topic.page().markdown(ORIGIN).trim_end()),
            (Some(topic), false) => output.line(topic.page().for_terminal().trim_end()),
            (None, true) => {
                return Err(misused("--markdown takes a subject: rules, places, hooks, ci or configuration").into());
            }
            (None, false) => output.line(&of_a_command(&self.words)?),
        }
        Ok(Exit::Yes)
    }
}

/// Returns the help of the command that these words name.
fn of_a_command(words: &[String]) -> Result<String> {
    let mut tree = tree();
    tree.build();
    let mut command = &mut tree;
    for word in words {
        command = match command.find_subcommand_mut(word) {
            Some(below) => below,
            None => return Err(misused(unknown(words)).into()),
        };
    }
    Ok(command.render_long_help().ansi().to_string().trim_end().to_owned())
}

/// Returns what is wrong with the name of a command, with a similar one.
fn unknown(words: &[String]) -> String {
    let tree = visible();
    let (mut command, mut unknown) = (&tree, "");
    for word in words {
        match command.find_subcommand(word) {
            Some(below) => command = below,
            None => {
                unknown = word;
                break;
            }
        }
    }
    let mut known: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    if command.get_name() == tree.get_name() {
        known.extend(
            TOPICS
                .iter()
                .flat_map(|topic| topic.also.iter().copied().chain([topic.name])),
        );
        known.extend(Code::ALL.map(Code::as_str));
    }
    let name = words.join(" ");
    match similar(unknown, known) {
        Some(similar) => format!("there is no command or subject {name:?}; did you mean {similar}?"),
        None => format!("there is no command or subject {name:?}; git pack help lists them"),
    }
}

/// Returns the subjects that help explains, each with what it is about.
pub(super) fn subjects() -> impl Iterator<Item = (&'static str, &'static str)> {
    TOPICS.iter().map(|topic| (topic.name, topic.about))
}

/// Returns the manual page of a command or a subject, if there is one.
pub(super) fn manual_page(words: &[String]) -> Option<String> {
    let name = reference::name_of(&words.join(" "));
    let mut pages = manual_pages().into_iter();
    let page = pages.find(|page| {
        page.path
            .split('/')
            .next_back()
            .and_then(|file| file.rsplit_once('.'))
            .is_some_and(|(stem, _)| stem == name)
    })?;
    Some(page.text)
}

/// Returns the manual page of each command that a person may call, and of each subject.
pub(super) fn manual_pages() -> Vec<ManualPage> {
    let mut tree = visible();
    tree.build();
    let mut pages = Vec::new();
    add_commands(&tree, "", &mut pages);
    pages.extend(TOPICS.iter().map(|topic| {
        let mut page = topic.page();
        page.name = reference::name_of(topic.name);
        ManualPage::of(&page.name, 7, &page.manual("7"))
    }));
    pages
}

/// Adds the pages of a command and of those below it.
fn add_commands(command: &clap::Command, path: &str, pages: &mut Vec<ManualPage>) {
    let page = reference::page(command, path);
    pages.push(ManualPage::of(&page.name, 1, &page.manual("1")));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        add_commands(below, format!("{path} {}", below.get_name()).trim_start(), pages);
    }
}
