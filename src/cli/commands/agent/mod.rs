//! `git pack agent`: public packs of cycles that anyone can audit, and private files that only their agent can read.

mod verify;

use clap::{Parser, Subcommand};

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::style::{Envelope, Style};
use crate::ops::Context;

/// Keep an agent's public cycles and private files
#[derive(Parser)]
#[command(name = "agent")]
pub(super) struct Agent {
    #[command(subcommand)]
    command: Deed,
}

/// What to do in the store.
#[derive(Subcommand)]
enum Deed {
    /// Check the public packs of a store
    Verify(verify::VerifyStore),
}

impl Run for Agent {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Report,
            yes: "DONE",
            no: Some("INVALID_OR_LEFT"),
        })
    }

    fn envelope() -> Envelope {
        Envelope::WITH_JSON
    }

    fn style(&self) -> Style {
        match &self.command {
            Deed::Verify(call) => call.style(),
        }
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        match self.command {
            Deed::Verify(call) => call.run(ctx, output),
        }
    }
}
