//! `git pack agent open`: decrypt a private file of an agent.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::commands::flags::IdentityFlags;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::path_from;
use crate::cli::output::words::size;
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
        };
        match self.output.filter(|output| output != Path::new("-")) {
            None => open_private_to(ctx, &request, output.unrecorded())?,
            Some(wanted) => {
                let report = open_private(ctx, &request, &wanted)?;
                output.line(&format!("{:<10} {}", "opened", path_from(&ctx.cwd, &report.output)));
                output.err(&format!(
                    "  {}, {} · readable only by you (mode 600)\n",
                    report.kind.as_str(),
                    size(report.bytes)
                ));
            }
        }
        Ok(Exit::Yes)
    }
}
