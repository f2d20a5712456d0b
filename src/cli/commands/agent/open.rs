//! `git pack agent open`: decrypt a private file of an agent.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::commands::flags::IdentityFlags;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::output_from;
use crate::cli::output::words::{size, unchanged};
use crate::cli::style::Style;
use crate::ops::Context;
use crate::ops::agent::open::{OpenPrivateRequest, open_private, open_private_to};

#[derive(Args)]
pub(super) struct OpenPrivate {
    /// The encrypted file
    file: PathBuf,
    /// Write the content to this new file [default: -, standard output]
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    /// Open the file and check the output, but write nothing
    #[arg(long, short = 'n', requires = "output")]
    dry_run: bool,
    #[command(flatten)]
    keys: IdentityFlags,
}

impl OpenPrivate {
    /// Returns how this call reports a refusal.
    pub(super) fn style(&self) -> Style {
        Style::Human
    }

    /// Runs the call and prints its result.
    pub(super) fn run(self, ctx: &Context, output: &mut Output) -> Result<Exit> {
        let ctx = &self.keys.passphrase.answering(ctx)?;
        let request = OpenPrivateRequest {
            file: self.file,
            identities: self.keys.identities,
            dry_run: self.dry_run,
        };
        match self.output.filter(|output| output != Path::new("-")) {
            None => open_private_to(ctx, &request, output.unrecorded())?,
            Some(wanted) => {
                let report = open_private(ctx, &request, &wanted)?;
                let deed = if request.dry_run { "would open to" } else { "opened" };
                output.line(&format!(
                    "{deed:<10} {}",
                    output_from(&ctx.cwd, Some(&wanted), &report.output)
                ));
                output.err(&format!(
                    "  {}, {} · readable only by you (mode 600)\n",
                    report.kind.as_str(),
                    size(report.bytes)
                ));
                if request.dry_run {
                    unchanged(output);
                }
            }
        }
        Ok(Exit::Yes)
    }
}
