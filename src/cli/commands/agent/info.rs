//! `git pack agent info`: show what a store holds.

use clap::Args;
use serde_json::json;

use super::StoreFlag;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::path_from;
use crate::cli::output::table::columns;
use crate::cli::output::words::{LOOK, arrow, count, paint, size};
use crate::cli::style::Style;
use crate::format::agent::SNAPSHOT;
use crate::format::canonical_json::to_document;
use crate::ops::Context;
use crate::ops::agent::info::{InfoReport, PrivateCounts, ShardInfo, info, sum};

#[derive(Args)]
pub(super) struct Info {
    #[command(flatten)]
    store: StoreFlag,
    /// Print one JSON document (pack.agent.info.v0)
    #[arg(long)]
    json: bool,
}

impl Info {
    /// Returns how this call reports a refusal.
    pub(super) fn style(&self) -> Style {
        Style::with_json(self.json)
    }

    /// Runs the call and prints its result.
    pub(super) fn run(self, ctx: &Context, output: &mut Output) -> Result<Exit> {
        let report = info(ctx, self.store.store)?;
        match self.json {
            true => output.out(&document(&report)),
            false => human(output, ctx, &report),
        }
        Ok(Exit::Yes)
    }
}

fn human(output: &mut Output, ctx: &Context, report: &InfoReport) {
    let mut rows: Vec<[String; 6]> = report.shards.iter().map(row).collect();
    if rows.len() > 1 {
        rows.push(total(&report.shards));
    }
    columns(output, &rows, "");
    if report.shards.is_empty() {
        output.err(&format!("  {} has no public packs\n", path_from(&ctx.cwd, &report.top)));
    }
    if let Some(faults) = faults(report) {
        output.line(&faults);
    }
    if report.private != PrivateCounts::default() {
        output.line(&format!("private files   {}", private(&report.private)));
    }
}

/// Returns how many faults the public packs have, if there are any.
pub(in crate::cli::commands) fn faults(report: &InfoReport) -> Option<String> {
    let faults = report.all_faults();
    let what = paint(LOOK, &count(faults, "fault"));
    (faults > 0).then(|| format!("{what}   {}", arrow("git pack agent verify")))
}

/// Returns how many private files there are, by what protects them.
pub(in crate::cli::commands) fn private(counts: &PrivateCounts) -> String {
    let old = counts.version_2 + counts.plaintext;
    let parts = [
        (counts.encrypted, "encrypted".to_owned()),
        (counts.version_2, paint(LOOK, "of version 2, readable by anyone")),
        (counts.plaintext, paint(LOOK, "in plaintext")),
        (counts.unknown, paint(LOOK, "that cannot be recognised")),
    ];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, what)| format!("{number} {what}")).collect();
    match old {
        0 => parts.join("; "),
        _ => format!("{}   {}", parts.join("; "), arrow("git pack agent migrate")),
    }
}

fn row(shard: &ShardInfo) -> [String; 6] {
    [
        format!("shard {}", shard.shard.as_str()),
        count(shard.packs, "pack"),
        count(shard.cycles, "cycle"),
        size(shard.bytes),
        format!("next {}", shard.next),
        match &shard.snapshot {
            None => String::new(),
            Some(snapshot) if *snapshot == [0; SNAPSHOT] => "snapshot zeros".to_owned(),
            Some(snapshot) => format!("snapshot {}…", hex(&snapshot[..6])),
        },
    ]
}

fn total(shards: &[ShardInfo]) -> [String; 6] {
    let sum = |of: fn(&ShardInfo) -> u64| sum(shards.iter().map(of));
    [
        "all".to_owned(),
        count(sum(|shard| shard.packs), "pack"),
        count(sum(|shard| shard.cycles), "cycle"),
        size(sum(|shard| shard.bytes)),
        String::new(),
        String::new(),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the `pack.agent.info.v0` document.
fn document(report: &InfoReport) -> Vec<u8> {
    let shards = report.shards.iter().map(|shard| {
        json!({
            "shard": shard.shard.as_str(),
            "packs": shard.packs,
            "cycles": shard.cycles,
            "bytes": shard.bytes,
            "next": shard.next,
            "snapshot": shard.snapshot.map(|snapshot| hex(&snapshot)),
            "faults": shard.faults,
        })
    });
    let shards: Vec<_> = shards.collect();
    to_document(&json!({
        "version": "pack.agent.info.v0",
        "shards": shards,
        "faults": report.faults,
        "private": {
            "encrypted": report.private.encrypted,
            "version_2": report.private.version_2,
            "plaintext": report.private.plaintext,
            "unknown": report.private.unknown,
        },
    }))
}
