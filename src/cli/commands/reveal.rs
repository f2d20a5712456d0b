//! `git pack reveal`: opens sealed twins, `FILE.age`, as `FILE`.

use std::path::PathBuf;

use clap::Parser;

use super::Run;
use super::flags::IdentityFlags;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::ops::Context;
use crate::ops::guard::twins::PairReport;
use crate::ops::guard::twins::reveal::{RevealRequest, reveal};
use crate::refusal::shown::shown;
use crate::rules::twins::Standing;

/// Open each sealed twin FILE.age as FILE
#[derive(Parser)]
#[command(name = "reveal")]
pub(super) struct Reveal {
    /// Files, or their sealed twins [default: all tracked twins]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Overwrite plaintext whose content differs
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    keys: IdentityFlags,
}

impl Run for Reveal {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Status,
            yes: "DONE",
            no: None,
        })
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let ctx = &self.keys.passphrase.answering(ctx)?;
        let request = RevealRequest {
            files: self.files,
            force: self.force,
            identities: self.keys.identities,
        };
        human(output, &reveal(ctx, &request)?);
        Ok(Exit::Yes)
    }
}

fn human(output: &mut Output, pairs: &[PairReport]) {
    for pair in pairs {
        let path = shown(pair.path.as_bytes());
        match pair.standing {
            Standing::UpToDate => output.line(&format!("{:<10} {path}", "up to date")),
            _ => output.line(&format!("{:<10} {path} from {path}.age", "revealed")),
        }
    }
    if pairs.is_empty() {
        output.err("  no sealed twin is tracked here\n");
    }
}
