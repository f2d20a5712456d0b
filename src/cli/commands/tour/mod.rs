//! `git pack tour`: tells the main story by running it.

mod story;

use std::io::{BufRead, IsTerminal};

use clap::Parser;

use self::story::{ACTS, Act};
use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::words::{BLOCKS, LOOK, PROVEN, TYPE, count, paint};
use crate::cli::style::{Envelope, Style};
use crate::ops::Context;
use crate::ops::tour::{Stage, Taken};
use crate::refusal::shown::harmless;

/// Show what git-pack does, step by step, in a throwaway repository
///
/// Runs the main story with the real git: a leak that is blocked at the commit and at the push, a renamed copy of it, a pack that
/// is sealed, verified, tampered with, opened and signed. Prints each command and its answer. Takes a few seconds. Your
/// repositories, keys and configuration are neither read nor changed.
///
/// Exits with 1 if a command does not end as it should, so it also tests an installation.
#[derive(Parser)]
#[command(name = "tour")]
pub(super) struct Tour {
    /// Wait for the Enter key after each part
    #[arg(long)]
    pause: bool,
    /// Keep the throwaway directory, and print its path
    #[arg(long)]
    keep: bool,
}

impl Run for Tour {
    fn envelope() -> Envelope {
        Envelope::Never
    }

    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Report,
            yes: "AS_TOLD",
            no: Some("OTHERWISE"),
        })
    }

    fn style(&self) -> Style {
        Style::Human
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _account: Option<&mut Account>) -> Result<Exit> {
        let stage = Stage::set_up(ctx)?;
        let mut done = 0;
        let mut left_out = 0;
        let mut went_well = true;
        for (at, act) in ACTS.iter().enumerate() {
            if at > 0 && self.pause {
                wait(output);
            }
            announce(output, at, act);
            for step in act.steps {
                output.line(&format!("$ {}", paint(TYPE, step.line)));
                match stage.take(step)? {
                    Taken::AsTold(words) => {
                        answer(output, &words);
                        done += 1;
                    }
                    Taken::Without(program) => {
                        left_out += 1;
                        output.line(&format!("{} {program} is not installed", paint(LOOK, "left out:")));
                    }
                    Taken::Otherwise(status, words) => {
                        answer(output, &words);
                        output.line(&otherwise(status, step.status, step.shows));
                        went_well = false;
                    }
                }
                // A reader who is gone wants no more.
                output.flush()?;
                if !went_well {
                    break;
                }
            }
            if !went_well {
                break;
            }
        }
        output.line("");
        if went_well {
            let left_out = match left_out {
                0 => String::new(),
                n => format!(", {} left out", count(n, "command")),
            };
            let ended = count(done, "command");
            output.line(&format!(
                "{} {ended} ended as they should{left_out}",
                paint(PROVEN, "tour: OK")
            ));
            output.line(&format!(
                "Now yours: {} in a repository, then {}",
                paint(TYPE, "git pack init"),
                paint(TYPE, "git pack status")
            ));
        }
        if self.keep {
            let path = stage.keep();
            output.line(&format!("kept in {}", harmless(&path.display().to_string())));
        }
        Ok(Exit::yes_if(went_well))
    }
}

/// Prints the title and text of a part.
fn announce(output: &mut Output, at: usize, act: &Act) {
    if at > 0 {
        output.line("");
    }
    output.line(&paint(TYPE, &format!("{}. {}", at + 1, act.title)));
    for line in act.text {
        output.line(&format!("   {line}"));
    }
    output.line("");
}

/// Prints what a command answered.
fn answer(output: &mut Output, words: &str) {
    for line in words.lines() {
        output.line(line);
    }
}

/// Returns the sentence about a command that ended otherwise.
fn otherwise(status: Option<i32>, wanted: i32, shows: &str) -> String {
    let ended = match status {
        None => "a signal ended it".to_owned(),
        Some(status) if status == wanted => format!("its answer lacks \"{shows}\""),
        Some(status) => format!("it ended with {status}, and should have ended with {wanted}"),
    };
    format!("{} {ended}", paint(BLOCKS, "tour: OTHERWISE"))
}

/// Waits until the Enter key is pressed, if a person is there.
fn wait(output: &mut Output) {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        output.err("\nEnter goes on ");
        // If the input ends, the tour goes on.
        drop(stdin.lock().read_line(&mut String::new()));
    }
}
