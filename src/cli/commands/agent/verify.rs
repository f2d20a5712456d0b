//! `git pack agent verify`: checks public packs.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::table::columns;
use crate::cli::output::words::{BLOCKS, PROVEN, count, paint, size};
use crate::cli::style::Style;
use crate::format::canonical_json::to_document;
use crate::ops::Context;
use crate::ops::agent::verify::{ShardReport, StoreReport, VerifyStoreRequest, verify_store};
use crate::refusal::shown::harmless;

#[derive(Args)]
pub(super) struct VerifyStore {
    /// A store, one of its shards, or one of its packs [default: the store at the top of the work tree]
    path: Option<PathBuf>,
    /// Also check that the packs continue those of this earlier store, or of a sealed pack of it
    #[arg(long, value_name = "STORE|PACK")]
    against: Option<PathBuf>,
    /// Print one JSON document (pack.agent.verify.v0)
    #[arg(long)]
    json: bool,
}

impl VerifyStore {
    /// Returns how this call reports a refusal.
    pub(super) fn style(&self) -> Style {
        Style::with_json(self.json)
    }

    /// Runs the call and prints its result.
    pub(super) fn run(self, ctx: &Context, output: &mut Output) -> Result<Exit> {
        let request = VerifyStoreRequest {
            path: self.path,
            against: self.against,
        };
        let report = verify_store(ctx, &request)?;
        match self.json {
            true => output.out(&document(&report)),
            false => human(output, &report),
        }
        Ok(Exit::yes_if(report.faults.is_empty()))
    }
}

/// Returns the outcome in one word.
fn outcome(report: &StoreReport) -> &'static str {
    match report.faults.is_empty() {
        true => "OK",
        false => "INVALID",
    }
}

fn human(output: &mut Output, report: &StoreReport) {
    let style = match report.faults.is_empty() {
        true => PROVEN,
        false => BLOCKS,
    };
    output.line(&format!("agent verify: {}", paint(style, outcome(report))));
    let faults: Vec<[String; 3]> = report
        .faults
        .iter()
        .map(|(path, fault)| [fault.code().to_owned(), harmless(path), harmless(&fault.to_string())])
        .collect();
    columns(output, &faults, "  ");
    let shards: Vec<[String; 4]> = report.shards.iter().map(row).collect();
    columns(output, &shards, "  ");
    if report.faults.is_empty() {
        output.line(&format!("  digest {}", report.digest));
        if let Some(cycles) = report.earlier_cycles {
            let all: u64 = report
                .shards
                .iter()
                .flat_map(|shard| &shard.packs)
                .map(|pack| pack.cycles)
                .sum();
            output.line(&format!(
                "  {} of the earlier state unchanged, {} new",
                count(cycles, "cycle"),
                all.saturating_sub(cycles)
            ));
        }
    }
}

fn row(shard: &ShardReport) -> [String; 4] {
    let name = shard.shard.as_ref().map_or("-", |shard| shard.as_str());
    [
        format!("shard {name}"),
        count(shard.packs.len() as u64, "pack"),
        count(shard.packs.iter().map(|pack| pack.cycles).sum(), "cycle"),
        size(shard.packs.iter().map(|pack| pack.bytes).sum()),
    ]
}

/// Returns the `pack.agent.verify.v0` document.
fn document(report: &StoreReport) -> Vec<u8> {
    let faults = report.faults.iter();
    let invalid: Vec<Value> = faults
        .map(|(path, fault)| json!({ "code": fault.code(), "path": path, "detail": fault.to_string() }))
        .collect();
    let shards: Vec<Value> = report.shards.iter().map(shard).collect();
    to_document(&json!({
        "version": "pack.agent.verify.v0",
        "outcome": outcome(report),
        "digest": report.digest,
        "earlier_cycles": report.earlier_cycles,
        "shards": shards,
        "invalid": invalid,
    }))
}

fn shard(shard: &ShardReport) -> Value {
    let packs = shard.packs.iter().map(|pack| {
        json!({
            "path": pack.path,
            "first_cycle": pack.start,
            "cycles": pack.cycles,
            "bytes": pack.bytes,
            "bytes_hash": pack.hash,
        })
    });
    json!({
        "shard": shard.shard.as_ref().map(|shard| shard.as_str()),
        "packs": packs.collect::<Vec<_>>(),
    })
}
