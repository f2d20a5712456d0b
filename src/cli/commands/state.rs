//! `git pack state`: prints the digest of a commit's tree.

use clap::Parser;

use super::Run;
use super::flags::{FilterFlags, ModeArgument};
use super::operator::{Operator, Prints};
use super::values::{BadValue, content_ref};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::style::{Envelope, Style};
use crate::format::canonical_json::to_document;
use crate::format::digest::Digest;
use crate::ops::Context;
use crate::ops::state::{State as Report, StateDigest, StateRequest, state, state_digest};

/// Print the digest of a commit's tree
#[derive(Parser)]
#[command(name = "state")]
pub(super) struct State {
    /// The commit [default: HEAD]
    rev: Option<String>,
    /// Print one JSON document (pack.state.v0)
    #[arg(long, conflicts_with = "files")]
    json: bool,
    /// Print the lines that the digest covers: <hash> <size> <path>
    #[arg(long)]
    files: bool,
    /// End each line with NUL instead of a newline
    #[arg(short = 'z', requires = "files")]
    nul: bool,
    /// Compare with this digest; exit with 0 if it is the same, else with 1
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    check: Option<Digest>,
    /// A scope of .gitpack.toml [default: its default scope, else everything]
    #[arg(long, value_name = "KEY")]
    scope: Option<String>,
    #[command(flatten)]
    filter: FilterFlags,
    /// Leave out files that a pack of this mode seals
    #[arg(long, hide_short_help = true)]
    mode: Option<ModeArgument>,
    /// Hash every blob; do not read or write the digest cache
    #[arg(long, hide_short_help = true)]
    no_cache: bool,
}

/// Parses a digest, with or without the name of the hash.
fn digest(text: &str) -> Result<Digest, BadValue> {
    content_ref(text).or_else(|why| Digest::parse_hex(text).ok_or(why))
}

impl Run for State {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Report,
            yes: "SAME",
            no: Some("OTHER"),
        })
    }

    fn envelope() -> Envelope {
        Envelope::WITH_JSON
    }

    fn style(&self) -> Style {
        Style::with_json(self.json)
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let args = *self;
        let request = StateRequest {
            rev: args.rev,
            scope: args.scope,
            only: args.filter.only(),
            mode: args.mode.map(Into::into),
            no_cache: args.no_cache,
        };
        let found = match args.files || args.json {
            true => {
                let state = state(ctx, &request)?;
                match args.json {
                    true => output.out(&to_document(&state.report())),
                    false => output.out(&lines(&state, if args.nul { 0 } else { b'\n' })),
                }
                StateDigest {
                    commit: state.commit.id,
                    digest: state.digest(),
                }
            }
            false => {
                let found = state_digest(ctx, &request)?;
                output.line(&found.digest.to_string());
                found
            }
        };
        match args.check {
            Some(expected) if expected != found.digest => {
                other_state(output, &found, &expected);
                Ok(Exit::No)
            }
            _ => Ok(Exit::Yes),
        }
    }
}

/// Returns the lines that the digest covers.
fn lines(state: &Report, end: u8) -> Vec<u8> {
    let mut lines = Vec::new();
    for entry in &state.entries {
        entry.push_line(&mut lines, end);
    }
    lines
}

fn other_state(output: &mut Output, found: &StateDigest, expected: &Digest) {
    output.err(&format!(
        "git-pack: the state of {} has a different digest\n  expected   {expected}\n  found      {}\n",
        found.commit.short(),
        found.digest,
    ));
}
