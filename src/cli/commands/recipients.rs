//! `git pack recipients`: lists and changes the recipients in `.gitpack.toml`.

use clap::{Parser, Subcommand};

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::env::at_top;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::short_key;
use crate::cli::output::words::{LOOK, TYPE, paint, unchanged};
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
        /// Only print what would be changed
        #[arg(long, short = 'n')]
        dry_run: bool,
    },
    /// Remove a recipient, who can still open what was sealed before
    Remove {
        /// The recipient, as written in .gitpack.toml
        recipient: String,
        /// Only print what would be changed
        #[arg(long, short = 'n')]
        dry_run: bool,
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
            Deed::Add { recipient, dry_run } => {
                let is_new = recipients::add(ctx, &recipient, dry_run)?;
                let about = match (is_new, dry_run) {
                    (true, false) => "added to .gitpack.toml",
                    (true, true) => "would be added to .gitpack.toml",
                    (false, _) => "already in .gitpack.toml",
                };
                output.line(&format!("{:<10} {} {about}", "recipient", short_key(&recipient)));
                if dry_run {
                    unchanged(output);
                } else if is_new {
                    commit_first(output);
                }
            }
            Deed::Remove { recipient, dry_run } => {
                let is_own = recipients::remove(ctx, &recipient, dry_run)?;
                removed(output, &recipient, is_own, dry_run);
            }
        }
        Ok(Exit::Yes)
    }
}

/// Prints that seals go by what is committed.
fn commit_first(output: &mut Output) {
    let command = paint(TYPE, &at_top("git add .gitpack.toml && git commit"));
    output.err(&format!(
        "  next       {command}\n             seal and rekey go by the committed .gitpack.toml\n"
    ));
}

fn removed(output: &mut Output, recipient: &str, is_own: bool, dry_run: bool) {
    let would = if dry_run { "would be " } else { "" };
    output.line(&format!(
        "{:<10} {} {would}removed from .gitpack.toml",
        "recipient",
        short_key(recipient)
    ));
    output.err("  anyone with its identity can still open what was sealed before\n");
    if is_own {
        let command = paint(TYPE, &format!("git pack recipients add {recipient}"));
        output.err(&format!(
            "  {} this is your own key: you cannot open what is sealed from then on   {command}\n",
            paint(LOOK, "note")
        ));
    }
    if dry_run {
        unchanged(output);
    } else {
        commit_first(output);
        let rekey = paint(TYPE, "git pack rekey FILE.age -o FILE.age --replace --reencrypt");
        output.err(&format!(
            "  then       {rekey}\n             for each sealed twin (git pack protect --check lists them), so that the removed key does not open what comes\n"
        ));
    }
}
