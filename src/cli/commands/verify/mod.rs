//! `git pack verify`: checks a pack.

mod human;
mod json;
pub(super) mod words;

use std::path::PathBuf;

use clap::Parser;

use super::Run;
use super::flags::PassphraseFlag;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::style::{Envelope, Style};
use crate::ops::Context;
use crate::ops::pack::signatures::SignerRequest;
use crate::ops::pack::verify::{VerifyRequest, verify};

/// Verify a pack: hashes, list of members, seals, no leaks
#[derive(Parser)]
#[command(name = "verify")]
pub(super) struct Verify {
    /// The pack's directory or archive, or its address at a place
    pack: PathBuf,
    /// Also compare the pack with this commit of the current repository
    #[arg(long)]
    rev: Option<String>,
    /// Accept a pack that lacks members, and verify those that are there
    #[arg(long, conflicts_with_all = ["rev", "identities"], hide_short_help = true)]
    partial: bool,
    /// Demand a valid attestation by this public key: PEM, or a line of OpenSSH (repeatable)
    #[arg(long = "attestation-key", value_name = "FILE", hide_short_help = true)]
    attestation_keys: Vec<PathBuf>,
    /// Print one JSON document (pack.verify.v0)
    #[arg(long)]
    json: bool,
    /// Also open every seal with this age identity file or SSH private key, discarding the plaintext
    #[arg(long = "identity", short = 'i', value_name = "FILE")]
    identities: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseFlag,
    /// Demand a signature by this principal of the allowed signers; may be given several times
    #[arg(long, value_name = "PRINCIPAL")]
    signed_by: Vec<String>,
    /// Demand signatures by so many different allowed signers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    require_signatures: Option<u16>,
    /// Trust the signers in this file, as ssh-keygen reads it, instead of the configured ones
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    allowed_signers: Option<PathBuf>,
    /// Refuse the keys in this key revocation list or list of public keys
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    revoked: Option<PathBuf>,
}

impl Run for Verify {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Report,
            yes: "OK",
            no: Some("INVALID"),
        })
    }

    fn envelope() -> Envelope {
        Envelope::WITH_JSON
    }

    fn style(&self) -> Style {
        match self.json {
            true => Style::Document(json::refused),
            false => Style::Outcome("pack verify"),
        }
    }

    fn account(&self) -> Option<Account> {
        Some(
            Account::of("verify")
                .input(&self.pack)
                .asked("rev", self.rev.as_deref()),
        )
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, account: Option<&mut Account>) -> Result<Exit> {
        let ctx = &self.passphrase.answering(ctx)?;
        let request = VerifyRequest {
            pack: self.pack,
            rev: self.rev,
            identities: self.identities,
            partial: self.partial,
            signers: SignerRequest {
                signed_by: self.signed_by,
                required: self.require_signatures.map_or(0, usize::from),
                allowed_signers: self.allowed_signers,
                revoked: self.revoked,
                only_named: false,
            },
            attestation_keys: self.attestation_keys,
        };
        let report = verify(ctx, &request)?;
        match self.json {
            true => output.out(&json::document(&report)),
            false => human::print(output, &report),
        }
        human::notices(output, &report);
        let verdict = &report.verdict;
        let is_sound = verdict.findings.is_empty();
        if let Some(account) = account {
            account.ends(report.outcome());
            account.is_about(Some(verdict.pack_id.clone()));
            account.read(&verdict.manifest_hash, verdict.manifest_bytes);
        }
        Ok(Exit::yes_if(is_sound))
    }
}
