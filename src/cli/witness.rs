//! `git pack witness`: the ledger, for people and machines.

use serde_json::json;

use crate::cli::args::{WitnessCommand, WitnessFilter};
use crate::cli::output::Output;
use crate::cli::output::refusal::usage::misused;
use crate::cli::{NO, YES};
use crate::format::canonical_json::to_document;
use crate::format::timestamp::Timestamp;
use crate::format::witness::{Filter, Line, TOOL};
use crate::ops::Context;
use crate::ops::witness::{Found, query, verify};
use crate::refusal::Result;
use crate::refusal::shown::shown;

pub(super) fn answer(ctx: &Context, command: WitnessCommand, output: &mut Output) -> Result<u8> {
    let ours = Filter {
        tool: Some(TOOL.into()),
        ..Filter::default()
    };
    match command {
        WitnessCommand::Query { filter, json } => {
            let filter = parse(filter)?;
            let found = found(ctx, &filter, output)?;
            let every = Filter {
                tool: filter.tool,
                ..Filter::default()
            };
            // That the tool has none at all is an answer; that it has some, and none like this, is a no.
            let is_bare = found.is_empty() && query(ctx, &every)?.records.is_empty();
            match json {
                true => output.out(&to_document(&found.iter().map(Line::value).collect::<Vec<_>>())),
                false if is_bare => output.line("no witness records"),
                false => found.iter().for_each(|line| output.line(&row(line))),
            }
            Ok(if found.is_empty() && !is_bare { NO } else { YES })
        }
        WitnessCommand::Last { json } => {
            let found = found(ctx, &ours, output)?;
            let Some(last) = found.last() else {
                if json {
                    output.out(b"null\n");
                }
                return Ok(NO);
            };
            match json {
                true => output.out(&to_document(last.value())),
                false => output.line(&row(last)),
            }
            Ok(YES)
        }
        WitnessCommand::Count { filter, json } => {
            let count = found(ctx, &parse(filter)?, output)?.len();
            match json {
                true => output.out(&to_document(&json!({ "count": count }))),
                false => output.line(&format!("{count} witness record(s)")),
            }
            Ok(YES)
        }
        WitnessCommand::Verify { json } => {
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
            Ok(if chain.broken.is_none() { YES } else { NO })
        }
    }
}

fn found(ctx: &Context, filter: &Filter, output: &mut Output) -> Result<Vec<Line>> {
    let Found { records, malformed } = query(ctx, filter)?;
    warn_of(malformed, output);
    Ok(records)
}

fn warn_of(malformed: u64, output: &mut Output) {
    if malformed > 0 {
        output.err(&format!(
            "git-pack: {malformed} malformed line(s) of the ledger were passed over\n"
        ));
    }
}

fn row(line: &Line) -> String {
    let field = |text: Option<&str>| shown(text.unwrap_or("-").as_bytes());
    let command = line.text("command").or_else(|| line.text("tool"));
    let fields = [line.time(), command, line.text("outcome"), line.text("pack_id")];
    fields.map(field).join(" ")
}

fn parse(filter: WitnessFilter) -> Result<Filter> {
    let time = |flag: &str, text: Option<String>| match text {
        None => Ok(None),
        Some(text) => Timestamp::parse(&text)
            .map(Some)
            .ok_or_else(|| misused(format!("{flag} {text}: expected RFC 3339"))),
    };
    Ok(Filter {
        tool: Some(filter.tool),
        since: time("--since", filter.since)?,
        until: time("--until", filter.until)?,
        outcome: filter.outcome,
        input_hash: filter.input_hash,
    })
}
