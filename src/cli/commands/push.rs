//! `git pack push`: sends a pack to a place.

use std::path::PathBuf;

use clap::Parser;

use super::Run;
use super::flags::ReachFlags;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::words::{count, size, unchanged};
use crate::cli::progress::TransferLine;
use crate::ops::Context;
use crate::ops::share::push::{PushReport, PushRequest, SentAttached, push};
use crate::refusal::shown::harmless;

/// Send a pack to a registry, an object store or a git remote
///
/// The place can also be a data fabric. push verifies the pack first, sends only what the place does not have, and publishes the
/// pack in one step at the end. Then it sends the signatures and attestations beside the pack.
#[derive(Parser)]
#[command(name = "push")]
pub(super) struct Push {
    /// The pack's directory or archive
    pack: PathBuf,
    /// The place, such as oci://HOST/REPOSITORY [default: git config gitpack.remote, or PACK_DATA_FABRIC_BASE_URL]
    destination: Option<String>,
    /// Verify the pack and ask the place whether it has it, but send nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    reach: ReachFlags,
}

impl Run for Push {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Status,
            yes: "PUBLISHED",
            no: None,
        })
    }

    fn account(&self) -> Option<Account> {
        Some(Account::of("push").input(&self.pack))
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, account: Option<&mut Account>) -> Result<Exit> {
        let request = PushRequest {
            pack: self.pack,
            destination: self.destination,
            reach: self.reach.request(),
            dry_run: self.dry_run,
        };
        let report = push(ctx, &request, &TransferLine::default())?;
        if request.dry_run {
            planned(output, &report);
            return Ok(Exit::Yes);
        }
        output.line(&format!("PUBLISHED {}", report.pack_id));
        let sent = match report.sent {
            0 => "everything was there already".to_owned(),
            sent => format!("sent {}, {}", count(sent, "content"), size(report.bytes)),
        };
        output.err(&format!(
            "  {} · {}, {sent}{}\n",
            report.place,
            count(report.members as u64, "member"),
            of_attached(&report.attached)
        ));
        if report.attached.unsent > 0 {
            output.err(&format!(
                "  {} not sent: the place has no room for signatures and attestations\n",
                count(report.attached.unsent as u64, "attached file")
            ));
        }
        for left_out in &report.attached.left_out {
            output.err(&format!("  not sent: {}\n", harmless(left_out)));
        }
        if let Some(account) = account {
            account.ends("PUBLISHED");
            account.is_about(Some(report.pack_id.to_string()));
            account.found("attached", report.attached.there);
            account.found("place", report.place);
            account.read(&report.manifest_hash, report.manifest_bytes);
        }
        Ok(Exit::Yes)
    }
}

/// Prints what would be sent.
fn planned(output: &mut Output, report: &PushReport) {
    output.line(&format!("would publish {}", report.pack_id));
    let sent = match report.sent {
        0 => "the place has it already".to_owned(),
        sent => format!("at most {}, {} to send", count(sent, "content"), size(report.bytes)),
    };
    let attached = match report.attached.there {
        0 => String::new(),
        there => format!(" · {} attached", count(there as u64, "file")),
    };
    output.err(&format!(
        "  {} · {}, {sent}{attached}\n",
        report.place,
        count(report.members as u64, "member")
    ));
    for left_out in &report.attached.left_out {
        output.err(&format!("  would not be sent: {}\n", harmless(left_out)));
    }
    unchanged(output);
}

/// Says how many signatures and attestations the place has, and how many of them are new there.
fn of_attached(attached: &SentAttached) -> String {
    match attached.there {
        0 => String::new(),
        there => format!(" · {} attached, {} sent", count(there as u64, "file"), attached.sent),
    }
}
