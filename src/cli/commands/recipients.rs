//! `git pack recipients`: lists and changes the recipients in `.gitpack.toml`.

use clap::{Parser, Subcommand};

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::short_key;
use crate::ops::Context;
use crate::ops::keys::recipients;

/// List, add or remove the recipients in .gitpack.toml
#[derive(Parser)]
#[command(name = "recipients")]
pub(super) struct Recipients {
    #[command(subcommand)]
    command: Deed,
}

/// What to do with the list.
#[derive(Subcommand)]
enum Deed {
    /// Print the recipients in .gitpack.toml
    List,
    /// Add a recipient, who can open what is sealed from now on
    Add {
        /// A recipient: age1…, ssh-ed25519 …, ssh-rsa …
        recipient: String,
    },
    /// Remove a recipient, who can still open what was sealed before
    Remove {
        /// The recipient, as written in .gitpack.toml
        recipient: String,
    },
}

impl Run for Recipients {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Status,
            yes: "DONE",
            no: None,
        })
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        match self.command {
            Deed::List => {
                for recipient in recipients::list(ctx)? {
                    output.line(&recipient);
                }
            }
            Deed::Add { recipient } => {
                let is_new = recipients::add(ctx, &recipient)?;
                added(output, &recipient, is_new);
            }
            Deed::Remove { recipient } => {
                recipients::remove(ctx, &recipient)?;
                removed(output, &recipient);
            }
        }
        Ok(Exit::Yes)
    }
}

fn added(output: &mut Output, recipient: &str, is_new: bool) {
    let about = if is_new {
        "added to .gitpack.toml"
    } else {
        "already in .gitpack.toml"
    };
    output.line(&format!("{:<10} {} {about}", "recipient", short_key(recipient)));
}

fn removed(output: &mut Output, recipient: &str) {
    output.line(&format!(
        "{:<10} {} removed from .gitpack.toml",
        "recipient",
        short_key(recipient)
    ));
    output.err("  anyone with its identity can still open what was sealed before\n");
}
