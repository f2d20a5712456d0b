//! `git pack report`: writes a page that shows a pack or a commit to people.

mod checking;
mod commit;
mod pack;
mod page;
mod sizes;
mod tables;
mod vouched;

use std::path::PathBuf;

use clap::Parser;

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::{Account, name};
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::output_from;
use crate::cli::output::words::{count, size, unchanged};
use crate::ops::Context;
use crate::ops::pack::report::{ReportFacts, ReportRequest, ReportSubject, WrittenReport, report};
use crate::ops::pack::signatures::SignerRequest;
use crate::refusal::shown::shown;

/// What is printed of a page of a valid pack or of a commit.
const REPORTED: &str = "REPORTED";

/// Write a page that shows a pack, or a commit, to people
///
/// The page is one HTML file. It needs no network and no scripts, and the same pack always makes the same page. The pack is
/// verified first: the page of an invalid pack says so, and the exit status is 1.
#[derive(Parser)]
#[command(name = "report")]
pub(super) struct Report {
    /// The pack's directory, its archive, or its address at a place
    #[arg(required_unless_present = "rev", conflicts_with = "rev")]
    pack: Option<PathBuf>,
    /// Show this commit of the current repository, and what a pack of it would seal
    #[arg(long)]
    rev: Option<String>,
    /// With --rev, a scope of .gitpack.toml [default: its default scope, else everything]
    #[arg(long, value_name = "KEY", requires = "rev")]
    scope: Option<String>,
    /// Write the page to this new file, such as report.html
    #[arg(long, short = 'o', value_name = "FILE")]
    output: PathBuf,
    /// Replace an existing page at the output
    #[arg(long)]
    replace: bool,
    /// Make the page, but write no file, and print what would be written
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Also show what changed since this older pack
    #[arg(long, value_name = "PACK", conflicts_with = "rev")]
    against: Option<PathBuf>,
    /// Name the signers whom this file allows, as ssh-keygen reads it [default: none; git's configuration is not asked]
    #[arg(long, value_name = "FILE", conflicts_with = "rev")]
    allowed_signers: Option<PathBuf>,
    /// Do not count the keys in this key revocation list or list of public keys
    #[arg(long, value_name = "FILE", conflicts_with = "rev")]
    revoked: Option<PathBuf>,
    /// Demand a signature by this principal of the allowed signers (repeatable)
    #[arg(long, value_name = "PRINCIPAL", conflicts_with = "rev")]
    signed_by: Vec<String>,
    /// Demand a valid attestation by this public key: PEM, or a line of OpenSSH (repeatable)
    #[arg(long = "attestation-key", value_name = "FILE", conflicts_with = "rev")]
    attestation_keys: Vec<PathBuf>,
}

impl Run for Report {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Artifact,
            yes: REPORTED,
            no: Some("INVALID"),
        })
    }

    fn account(&self) -> Option<Account> {
        let mut account = Account::of("report");
        for pack in [&self.pack, &self.against].into_iter().flatten() {
            account = account.input(pack);
        }
        Some(
            account
                .asked("rev", self.rev.as_deref())
                .asked("scope", self.scope.as_deref())
                .asked("output", Some(name(&self.output))),
        )
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, account: Option<&mut Account>) -> Result<Exit> {
        let signers = SignerRequest {
            signed_by: self.signed_by,
            allowed_signers: self.allowed_signers,
            revoked: self.revoked,
            ..SignerRequest::default()
        };
        let subject = match self.rev {
            Some(rev) => ReportSubject::Commit { rev, scope: self.scope },
            None => {
                let pack = self.pack.unwrap_or_default();
                ReportSubject::pack(pack, signers, self.attestation_keys, self.against)
            }
        };
        let request = ReportRequest {
            subject,
            output: self.output,
            replace: self.replace,
            dry_run: self.dry_run,
        };
        let written = report(ctx, &request, |reported| match reported {
            ReportFacts::Pack(pack) => pack::page(pack),
            ReportFacts::Commit(commit) => commit::page(commit),
        })?;
        let told = told(&written);
        let outcome = match (told.outcome, request.dry_run) {
            (REPORTED, true) => "would report",
            (outcome, _) => outcome,
        };
        output.line(&format!("{outcome} {}", shown(told.subject.as_bytes())));
        output.line(&output_from(&ctx.cwd, Some(&request.output), &written.output));
        output.err(&format!("  {} · a page of {}\n", told.facts, size(written.bytes)));
        if request.dry_run {
            unchanged(output);
        }
        if let Some(account) = account {
            account.ends(told.outcome);
            if let ReportFacts::Pack(pack) = &written.reported {
                account.is_about(Some(pack.verified.verdict.pack_id.clone()));
            }
        }
        Ok(Exit::yes_if(told.outcome == REPORTED))
    }
}

/// What is printed about a page.
struct Told {
    outcome: &'static str,
    /// The id of the pack, or the digest of the state.
    subject: String,
    facts: String,
}

fn told(written: &WrittenReport) -> Told {
    match &written.reported {
        ReportFacts::Pack(pack) => {
            let verdict = &pack.verified.verdict;
            let members = count(verdict.members as u64, "member");
            let (outcome, facts) = match verdict.findings.len() {
                0 => (REPORTED, format!("{members} intact")),
                found => (
                    "INVALID",
                    format!("{} in a pack of {members}", count(found as u64, "finding")),
                ),
            };
            Told {
                outcome,
                subject: verdict.pack_id.clone(),
                facts,
            }
        }
        ReportFacts::Commit(commit) => Told {
            outcome: "REPORTED",
            subject: commit.state.digest.to_string(),
            facts: format!(
                "commit {} · {}",
                commit.state.commit.short(),
                count(commit.files.len() as u64, "file")
            ),
        },
    }
}
