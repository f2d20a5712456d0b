//! `git pack pull`: fetches a pack from a place.

use std::path::PathBuf;

use clap::Parser;

use super::Run;
use super::flags::ReachFlags;
use super::operator::{Operator, Prints};
use crate::cli::account::{Account, name};
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::output_from;
use crate::cli::output::words::{count, size, unchanged};
use crate::cli::progress::TransferLine;
use crate::ops::Context;
use crate::ops::share::pull::{PullRequest, pull};
use crate::refusal::shown::harmless;

/// Fetch a pack from a place into a new directory
///
/// Verifies the pack before anything is at the output. Signatures and attestations of the pack go beside it.
#[derive(Parser)]
#[command(name = "pull")]
pub(super) struct Pull {
    /// A pack id, the address of a pack, such as oci://HOST/REPOSITORY:TAG or git:REMOTE#PACK_ID, or the path of an archive
    #[arg(value_name = "PACK_ID|SOURCE")]
    source: String,
    /// The place that has the pack id [default: git config gitpack.remote, or PACK_DATA_FABRIC_BASE_URL]
    #[arg(long, value_name = "DESTINATION")]
    from: Option<String>,
    /// Write the pack to this new directory
    #[arg(long, short = 'o', visible_alias = "out", value_name = "DIR")]
    output: PathBuf,
    /// Fetch only the manifest and the members that match this glob
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Find the pack and read its manifest, but fetch no member
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    reach: ReachFlags,
}

impl Run for Pull {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Status,
            yes: "FETCHED",
            no: None,
        })
    }

    fn account(&self) -> Option<Account> {
        Some(Account::of("pull").asked("output", Some(name(&self.output))))
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, account: Option<&mut Account>) -> Result<Exit> {
        let request = PullRequest {
            source: self.source,
            from: self.from,
            output: self.output,
            only: self.only,
            reach: self.reach.request(),
            dry_run: self.dry_run,
        };
        let report = pull(ctx, &request, &TransferLine::default())?;
        let [outcome, fetched] = match request.dry_run {
            true => ["would fetch", "to fetch"],
            false => ["FETCHED", "fetched"],
        };
        output.line(&format!("{outcome} {}", report.pack_id));
        let directory = output_from(&ctx.cwd, Some(&request.output), &report.output);
        output.line(&format!("{directory}/"));
        let members = match report.members == report.all_members {
            true => count(report.members as u64, "member"),
            false => format!("{} of {}", report.members, count(report.all_members as u64, "member")),
        };
        let kept = match report.kept {
            0 => String::new(),
            kept => format!(", {} left from an interrupted call", count(kept as u64, "member")),
        };
        let attached = match report.attached {
            0 => String::new(),
            attached => format!(" · {} attached", count(attached as u64, "file")),
        };
        output.err(&format!(
            "  {} · {members}, {} {fetched}{kept}{attached}\n",
            report.place,
            size(report.bytes)
        ));
        for left_out in &report.left_out {
            output.err(&format!("  not fetched: {}\n", harmless(left_out)));
        }
        if request.dry_run {
            unchanged(output);
        }
        if let Some(account) = account {
            account.ends("FETCHED");
            account.is_about(Some(report.pack_id.to_string()));
            account.found("attached", report.attached);
            account.found("place", report.place);
            account.found("output_dir", name(&report.output));
            account.read(&report.manifest_hash, report.manifest_bytes);
        }
        Ok(Exit::Yes)
    }
}
