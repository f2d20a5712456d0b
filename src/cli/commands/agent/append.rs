//! `git pack agent append`: append cycles to the public pack of a shard.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{StoreFlag, shard};
use crate::cli::commands::values::BadValue;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::path_from;
use crate::cli::output::words::{LOOK, count, paint, unchanged};
use crate::cli::style::Style;
use crate::format::agent::genome::{PACK_SIZE, SMALLEST_PACK, Shard};
use crate::format::canonical_json::to_document;
use crate::format::config::size_of;
use crate::ops::Context;
use crate::ops::agent::append::{AppendReport, AppendRequest, CyclesFrom, append};

#[derive(Args)]
pub(super) struct Append {
    /// The shard: two hexadecimal digits, or the id of an agent that begins with them
    #[arg(value_parser = shard)]
    shard: Shard,
    /// The cycles, 24 bytes each; - is standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    store: StoreFlag,
    /// Begin a new pack before one would be larger than this: bytes, or a size such as 64MB or 1GiB
    #[arg(long, value_name = "SIZE", default_value_t = PACK_SIZE, value_parser = pack_size, hide_short_help = true)]
    pack_size: u64,
    /// Give a new shard this snapshot, a file of 96 bytes [default: zeros]. An existing shard must have the same
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    snapshot: Option<PathBuf>,
    /// Check everything, and print the numbers that the cycles would have, but write nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Print one JSON document (pack.agent.append.v0), with --dry-run of what would be appended
    #[arg(long)]
    json: bool,
}

/// Parses the size of a pack.
fn pack_size(text: &str) -> Result<u64, BadValue> {
    let size = size_of(text).filter(|size| *size >= SMALLEST_PACK);
    size.ok_or_else(|| {
        BadValue::expected("152 bytes or more, such as 64000000 or 64MB")
            .example("git pack agent append 00 cycles --pack-size 64MB")
    })
}

impl Append {
    /// Returns how this call reports a refusal.
    pub(super) fn style(&self) -> Style {
        Style::with_json(self.json)
    }

    /// Runs the call and prints its result.
    pub(super) fn run(self, ctx: &Context, output: &mut Output) -> Result<Exit> {
        let mut stdin = std::io::stdin().lock();
        let request = AppendRequest {
            store: self.store.store,
            shard: self.shard,
            cycles: match self.file.as_os_str() == "-" {
                true => CyclesFrom::Stream(&mut stdin),
                false => CyclesFrom::File(self.file),
            },
            pack_size: self.pack_size,
            snapshot: self.snapshot,
            dry_run: self.dry_run,
        };
        let report = append(ctx, request, &mut |torn| {
            let pack = path_from(&ctx.cwd, &torn.pack);
            let bytes = count(torn.bytes, "byte");
            output.err(&format!(
                "git-pack: {pack} ended inside a cycle, after a write that did not finish; cut off {bytes}\n"
            ));
        })?;
        match self.json {
            true => output.out(&document(ctx, &report)),
            false => human(output, ctx, &report, self.dry_run),
        }
        if self.dry_run {
            unchanged(output);
        }
        Ok(Exit::Yes)
    }
}

fn human(output: &mut Output, ctx: &Context, report: &AppendReport, dry_run: bool) {
    let Some(first) = report.first else {
        output.line("NOTHING TO APPEND");
        return;
    };
    let numbers = match report.cycles {
        1 => first.to_string(),
        cycles => format!("{first} to {}", first + cycles - 1),
    };
    let shard = report.shard.as_str();
    let cycles = count(report.cycles, "cycle");
    let deed = if dry_run { "would append" } else { "APPENDED" };
    output.line(&format!("{deed} {cycles} to shard {shard}: {numbers}"));
    if first == 0 {
        output.err(&format!("  {} shard {shard} is new\n", paint(LOOK, "note")));
    }
    for pack in &report.packs {
        output.line(&path_from(&ctx.cwd, pack));
    }
}

/// Returns the `pack.agent.append.v0` document.
fn document(ctx: &Context, report: &AppendReport) -> Vec<u8> {
    let packs: Vec<String> = report.packs.iter().map(|pack| path_from(&ctx.cwd, pack)).collect();
    to_document(&json!({
        "version": "pack.agent.append.v0",
        "shard": report.shard.as_str(),
        "cycles": report.cycles,
        "first": report.first,
        "last": report.first.map(|first| first + report.cycles - 1),
        "packs": packs,
    }))
}
