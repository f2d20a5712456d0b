//! `git pack witness`: queries the witness ledger.

use clap::{Args, Parser, Subcommand};
use serde_json::json;

use super::Run;
use super::operator::{Operator, Prints};
use super::values::time;
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::style::{Envelope, Style};
use crate::format::canonical_json::to_document;
use crate::format::timestamp::Timestamp;
use crate::format::witness::{Filter, Line, TOOL};
use crate::ops::Context;
use crate::ops::witness::{FoundRecords, query, verify};
use crate::refusal::shown::shown;

/// Query and verify the witness ledger
#[derive(Parser)]
#[command(name = "witness")]
pub(super) struct Witness {
    #[command(subcommand)]
    command: Question,
}

/// A question to the ledger.
#[derive(Subcommand)]
enum Question {
    /// Print matching records, oldest first; exit with 1 if no record matches
    Query {
        #[command(flatten)]
        filter: FilterFlags,
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Print the newest record of git-pack; exit with 1 if the ledger has none
    Last {
        /// Print the record as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print how many records match
    Count {
        #[command(flatten)]
        filter: FilterFlags,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Check the ids and the chain of git-pack's records; exit with 1 at the first break
    Verify {
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Which records match.
#[derive(Args)]
struct FilterFlags {
    /// Only records of this tool
    #[arg(long, default_value = "pack")]
    tool: String,
    /// Only records from this time on
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    since: Option<Timestamp>,
    /// Only records up to this time
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    until: Option<Timestamp>,
    /// Only records with this outcome, such as OK or REFUSAL
    #[arg(long)]
    outcome: Option<String>,
    /// Only records with an input of this hash
    #[arg(long, value_name = "HASH")]
    input_hash: Option<String>,
}

impl From<FilterFlags> for Filter {
    fn from(flags: FilterFlags) -> Self {
        Self {
            tool: Some(flags.tool),
            since: flags.since,
            until: flags.until,
            outcome: flags.outcome,
            input_hash: flags.input_hash,
        }
    }
}

impl Run for Witness {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Report,
            yes: "FOUND",
            no: Some("NONE_OR_BROKEN"),
        })
    }

    fn envelope() -> Envelope {
        Envelope::WITH_JSON
    }

    fn style(&self) -> Style {
        let (Question::Query { json, .. }
        | Question::Last { json }
        | Question::Count { json, .. }
        | Question::Verify { json }) = self.command;
        Style::with_json(json)
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        match self.command {
            Question::Query { filter, json } => answer_query(ctx, filter.into(), json, output),
            Question::Last { json } => answer_last(ctx, json, output),
            Question::Count { filter, json } => {
                let count = found(ctx, &filter.into(), output)?.len();
                match json {
                    true => output.out(&to_document(&json!({ "count": count }))),
                    false => output.line(&format!("{count} witness record(s)")),
                }
                Ok(Exit::Yes)
            }
            Question::Verify { json } => answer_verify(ctx, json, output),
        }
    }
}

fn answer_query(ctx: &Context, filter: Filter, json: bool, output: &mut Output) -> Result<Exit> {
    let found = found(ctx, &filter, output)?;
    let every = Filter {
        tool: filter.tool,
        ..Filter::default()
    };
    // An empty ledger is a yes; a ledger whose records do not match is a no.
    let is_bare = found.is_empty() && query(ctx, &every)?.records.is_empty();
    match json {
        true => output.out(&to_document(&found.iter().map(Line::value).collect::<Vec<_>>())),
        false if is_bare => output.line("no witness records"),
        false => found.iter().for_each(|line| output.line(&row(line))),
    }
    Ok(Exit::yes_if(!found.is_empty() || is_bare))
}

fn answer_last(ctx: &Context, json: bool, output: &mut Output) -> Result<Exit> {
    let ours = Filter {
        tool: Some(TOOL.into()),
        ..Filter::default()
    };
    let found = found(ctx, &ours, output)?;
    let Some(last) = found.last() else {
        if json {
            output.out(b"null\n");
        }
        return Ok(Exit::No);
    };
    match json {
        true => output.out(&to_document(last.value())),
        false => output.line(&row(last)),
    }
    Ok(Exit::Yes)
}

fn answer_verify(ctx: &Context, json: bool, output: &mut Output) -> Result<Exit> {
    let chain = verify(ctx)?;
    warn_of(chain.malformed, output);
    let broken = chain
        .broken
        .map(|(line, reason)| json!({ "line": line, "reason": reason }));
    match (json, chain.broken) {
        (true, _) => output.out(&to_document(&json!({
            "outcome": if broken.is_none() { "OK" } else { "INVALID" },
            "checked": chain.checked,
            "malformed": chain.malformed,
            "broken": broken,
        }))),
        (false, None) => output.line(&format!("witness: OK, {} record(s) in chain", chain.checked)),
        (false, Some((line, reason))) => output.line(&format!("witness: INVALID, line {line}: {reason}")),
    }
    Ok(Exit::yes_if(chain.broken.is_none()))
}

fn found(ctx: &Context, filter: &Filter, output: &mut Output) -> Result<Vec<Line>> {
    let FoundRecords { records, malformed } = query(ctx, filter)?;
    warn_of(malformed, output);
    Ok(records)
}

fn warn_of(malformed: u64, output: &mut Output) {
    if malformed > 0 {
        output.err(&format!(
            "git-pack: skipped {malformed} malformed line(s) of the ledger\n"
        ));
    }
}

fn row(line: &Line) -> String {
    let field = |text: Option<&str>| shown(text.unwrap_or("-").as_bytes());
    let command = line.text("command").or_else(|| line.text("tool"));
    let fields = [line.time(), command, line.text("outcome"), line.text("pack_id")];
    fields.map(field).join(" ")
}
