//! `git pack sign`: signs a pack.

use std::path::PathBuf;

use clap::Parser;

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::{Account, name};
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::beside_from;
use crate::cli::output::words::{LOOK, paint, unchanged};
use crate::ops::Context;
use crate::ops::pack::sign::{SignRequest, sign};
use crate::refusal::shown::{harmless, without_private_keys};

/// Sign a pack with an SSH key, as git signs commits
///
/// Verifies the pack first, and signs only one that is OK. The signature stands beside the pack, in <PACK>.attestations.
/// Without --key and --agent, the key is gitpack.signingKey in git's configuration, else user.signingKey where gpg.format is
/// ssh.
#[derive(Parser)]
#[command(name = "sign")]
pub(super) struct Sign {
    /// The pack's directory
    pack: PathBuf,
    /// Sign with this SSH private key, or with the private key in the agent that belongs to this public key
    #[arg(long, value_name = "FILE", conflicts_with = "agent")]
    key: Option<PathBuf>,
    /// Sign with the private key in the agent that belongs to this public key, or to the one in this file
    #[arg(long, value_name = "PUBKEY")]
    agent: Option<String>,
    /// Verify the pack and find the key, but do not sign
    #[arg(long, short = 'n')]
    dry_run: bool,
}

impl Run for Sign {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Artifact,
            yes: "SIGNED",
            no: None,
        })
    }

    fn account(&self) -> Option<Account> {
        Some(Account::of("sign").input(&self.pack))
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, account: Option<&mut Account>) -> Result<Exit> {
        let request = SignRequest {
            pack: self.pack,
            key: self.key,
            agent: self.agent,
            dry_run: self.dry_run,
        };
        let report = sign(ctx, &request)?;
        if request.dry_run {
            output.line(&format!("would sign {}", report.pack_id));
            output.err(&format!("  with {}\n", harmless(&without_private_keys(&report.key))));
            unchanged(output);
            return Ok(Exit::Yes);
        }
        output.line(&format!("SIGNED {}", report.pack_id));
        output.line(&beside_from(&ctx.cwd, &request.pack, &report.signature));
        output.err(&format!("  {}\n", harmless(&report.key)));
        if !report.is_new {
            output.err(&format!(
                "  {} this key had signed the pack before, and nothing was written\n",
                paint(LOOK, "note")
            ));
        }
        if let Some(account) = account {
            account.ends("SIGNED");
            account.is_about(Some(report.pack_id.to_string()));
            account.found("output_file", name(&report.signature));
            account.read(&report.manifest_hash, report.manifest_bytes);
        }
        Ok(Exit::Yes)
    }
}
