//! `git pack archive`: writes a pack into one file.

use std::path::PathBuf;

use clap::Parser;

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::{Account, name};
use crate::cli::env;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::output_from;
use crate::cli::output::words::{count, duration, size, unchanged};
use crate::ops::Context;
use crate::ops::share::archive::{ArchiveRequest, archive};
use crate::refusal::shown::harmless;

/// Write a pack into one file
///
/// verify, diff, inspect, open, restore, push and pull take the file in place of the directory. archive verifies the
/// pack first. The same pack always makes the same bytes. tar --zstd -xf unpacks the file.
#[derive(Parser)]
#[command(name = "archive")]
pub(super) struct Archive {
    /// The directory of the pack, its archive, or its address at a place
    pack: PathBuf,
    /// Write the archive to this new file, such as pack.tar.zst
    #[arg(long, short = 'o', value_name = "FILE")]
    output: PathBuf,
    /// Replace an existing archive at the output
    #[arg(long)]
    replace: bool,
    /// Verify the pack and compress it, but keep no file, and print what would be written
    #[arg(long, short = 'n')]
    dry_run: bool,
}

impl Run for Archive {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Artifact,
            yes: "ARCHIVED",
            no: None,
        })
    }

    fn account(&self) -> Option<Account> {
        Some(
            Account::of("archive")
                .input(&self.pack)
                .asked("output", Some(name(&self.output))),
        )
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, account: Option<&mut Account>) -> Result<Exit> {
        let started = env::Stopwatch::start();
        let request = ArchiveRequest {
            pack: self.pack,
            output: self.output,
            replace: self.replace,
            dry_run: self.dry_run,
        };
        let report = archive(ctx, &request)?;
        let outcome = if request.dry_run { "would archive" } else { "ARCHIVED" };
        output.line(&format!("{outcome} {}", report.pack_id));
        output.line(&output_from(&ctx.cwd, Some(&request.output), &report.output));
        let attached = match report.attached {
            0 => String::new(),
            attached => format!(", {} attached", count(attached as u64, "file")),
        };
        output.err(&format!(
            "  {}{attached}, {} · {} in the file ({} %) · {}\n",
            count(report.members as u64, "member"),
            size(report.content_bytes),
            size(report.file_bytes),
            report.file_bytes * 100 / report.content_bytes.max(1),
            duration(started.elapsed())
        ));
        for left_out in &report.left_out {
            output.err(&format!("  left out: {}\n", harmless(left_out)));
        }
        if request.dry_run {
            unchanged(output);
        }
        if let Some(account) = account {
            account.ends("ARCHIVED");
            account.found("attached", report.attached);
            account.is_about(Some(report.pack_id));
            account.found("output_file", name(&report.output));
            account.read(&report.manifest_hash, report.manifest_bytes);
        }
        Ok(Exit::Yes)
    }
}
