//! `git pack open`: opens the sealed artifacts of a pack.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::Run;
use super::flags::IdentityFlags;
use super::operator::{Operator, Prints};
use crate::cli::account::{Account, name};
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::output_from;
use crate::cli::output::words::{count, size, unchanged};
use crate::ops::Context;
use crate::ops::pack::open::{OpenReport, OpenRequest, open, open_to, preview};
use crate::refusal::shown::shown;

/// Open the sealed artifacts of a pack
#[derive(Parser)]
#[command(name = "open")]
pub(super) struct Open {
    /// The directory of the pack, its archive, or its address at a place
    pack: PathBuf,
    /// Artifacts or directories to open [default: all]
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Write them to this new directory [default: _PACK_RUN/open/<first 12 digits of the pack id>]
    #[arg(long, short = 'o', value_name = "DIR", conflicts_with = "stdout")]
    output: Option<PathBuf>,
    /// Only open the artifacts, keep nothing, and print what would be written
    #[arg(long, short = 'n', conflicts_with = "stdout")]
    dry_run: bool,
    /// Write one artifact to standard output, and nothing else
    #[arg(long)]
    stdout: bool,
    #[command(flatten)]
    keys: IdentityFlags,
}

impl Run for Open {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Artifact,
            yes: "OPENED",
            no: None,
        })
    }

    fn account(&self) -> Option<Account> {
        Some(
            Account::of("open")
                .input(&self.pack)
                .asked("output", self.output.as_deref().map(name)),
        )
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, account: Option<&mut Account>) -> Result<Exit> {
        let ctx = &self.keys.passphrase.answering(ctx)?;
        let request = OpenRequest {
            pack: self.pack,
            paths: self.paths,
            output: self.output,
            identities: self.keys.identities,
        };
        if self.dry_run {
            let (paths, directory) = preview(ctx, &request)?;
            for path in &paths {
                output.line(&format!("would open {}", shown(path.as_bytes())));
            }
            output.err(&format!(
                "  to {}/\n",
                output_from(&ctx.cwd, request.output.as_deref(), &directory)
            ));
            unchanged(output);
            return Ok(Exit::Yes);
        }
        let report = match self.stdout {
            true => open_to(ctx, &request, output.unrecorded())?,
            false => open(ctx, &request)?,
        };
        human(output, ctx, request.output.as_deref(), &report);
        if let Some(account) = account {
            // The ledger must not hold what was in there.
            account.ends("OPENED");
            account.is_about(Some(report.pack_id.clone()));
            account.found("artifact_count", report.artifacts);
            if let Some(output) = &report.output {
                account.found("output_dir", name(output));
            }
            account.read(&report.manifest_hash, report.manifest_bytes);
        }
        Ok(Exit::Yes)
    }
}

fn human(output: &mut Output, ctx: &Context, named: Option<&Path>, report: &OpenReport) {
    let Some(directory) = &report.output else { return };
    output.line(&format!("OPENED {}", report.artifacts));
    output.line(&format!("{}/", output_from(&ctx.cwd, named, directory)));
    let artifacts = count(report.artifacts, "artifact");
    output.err(&format!(
        "  {artifacts}, {} · readable only by you (mode 700)\n",
        size(report.bytes)
    ));
}
