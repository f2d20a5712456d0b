//! `git pack agent`: public packs of cycles that anyone can audit, and private files that only their agent can read.

mod append;
mod cat;
pub(super) mod info;
mod migrate;
mod open;
mod seal;
mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::Run;
use super::operator::{Operator, Prints};
use super::values::BadValue;
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::style::{Envelope, Style};
use crate::format::agent::genome::Shard;
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
    /// Append cycles to the public pack of a shard
    Append(append::Append),
    /// Print cycles of a shard
    Cat(cat::Cat),
    /// Show what a store holds
    Info(info::Info),
    /// Check the public packs of a store
    Verify(verify::VerifyStore),
    /// Encrypt a private file of an agent
    Seal(seal::SealPrivate),
    /// Decrypt a private file of an agent
    Open(open::OpenPrivate),
    /// Encrypt the private files of old formats in place
    Migrate(migrate::Migrate),
}

/// The store.
#[derive(Args)]
struct StoreFlag {
    /// The directory that holds agency/ and agents/ [default: the top of the work tree, else the current directory]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

/// Parses a shard.
fn shard(text: &str) -> Result<Shard, BadValue> {
    Shard::of(text)
        .ok_or_else(|| BadValue::expected("two hexadecimal digits, or an id that begins with them, such as a UUID"))
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
            Deed::Append(call) => call.style(),
            Deed::Cat(call) => call.style(),
            Deed::Info(call) => call.style(),
            Deed::Verify(call) => call.style(),
            Deed::Seal(call) => call.style(),
            Deed::Open(call) => call.style(),
            Deed::Migrate(call) => call.style(),
        }
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        match self.command {
            Deed::Append(call) => call.run(ctx, output),
            Deed::Cat(call) => call.run(ctx, output),
            Deed::Info(call) => call.run(ctx, output),
            Deed::Verify(call) => call.run(ctx, output),
            Deed::Seal(call) => call.run(ctx, output),
            Deed::Open(call) => call.run(ctx, output),
            Deed::Migrate(call) => call.run(ctx, output),
        }
    }
}
