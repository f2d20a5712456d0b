//! `git pack key`: makes and shows keys.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::Run;
use super::flags::PassphraseFlag;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::tilde;
use crate::cli::output::refusal::keys;
use crate::cli::output::words::unchanged;
use crate::ops::Context;
use crate::ops::keys::identity;
use crate::ops::keys::identity::IdentityOrigin;
use crate::ops::keys::key::{Generated, KeyPlace, Lock, generate, list, place_of_new, public};
use crate::refusal::shown::shown;
use crate::refusal::{Refusal, io_reason};

/// Create an age identity, or show the keys in use
#[derive(Parser)]
#[command(name = "key")]
pub(super) struct Key {
    #[command(subcommand)]
    command: Deed,
}

/// What to do with keys.
#[derive(Subcommand)]
enum Deed {
    /// Create an age identity and print its recipient
    Generate {
        /// Write the identity to this file [default: where git pack init would write it]
        #[arg(long, short = 'o', value_name = "FILE")]
        output: Option<PathBuf>,
        /// Encrypt the identity with a passphrase, asked for at the terminal
        #[arg(long, conflicts_with = "passphrase_file")]
        passphrase: bool,
        /// Encrypt the identity with the passphrase in the first line of this file
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// Print where the identity would be written, and make none
        #[arg(long, short = 'n', conflicts_with = "passphrase")]
        dry_run: bool,
    },
    /// Show where git pack looks for identities, and the keys it finds
    List,
    /// Print the recipients of an identity file or SSH private key, one per line
    Public {
        /// The file [default: the identity in use]
        file: Option<PathBuf>,
        #[command(flatten)]
        passphrase: PassphraseFlag,
    },
}

impl Run for Key {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Status,
            yes: "DONE",
            no: None,
        })
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        match self.command {
            Deed::Generate {
                output: path,
                passphrase,
                passphrase_file,
                dry_run,
            } => {
                let lock = match passphrase_file {
                    Some(file) => Lock::Passphrase(identity::passphrase(ctx, &file)?),
                    None if passphrase => Lock::Ask,
                    None => Lock::None,
                };
                match dry_run {
                    true => {
                        let path = tilde(&place_of_new(ctx, path.as_deref())?);
                        output.line(&format!("would write {path}"));
                        unchanged(output);
                    }
                    false => generated(output, &generate(ctx, path.as_deref(), lock)?),
                }
            }
            Deed::List => places(output, &list(ctx)?),
            Deed::Public { file, passphrase } => {
                let ctx = &passphrase.answering(ctx)?;
                for recipient in public(ctx, file.as_deref())? {
                    output.line(&recipient);
                }
            }
        }
        Ok(Exit::Yes)
    }
}

fn generated(output: &mut Output, made: &Generated) {
    output.line(&made.recipient);
    let locked = if made.locked {
        ", encrypted with its passphrase"
    } else {
        ""
    };
    output.err(&format!(
        "  identity   {} (new{locked}; keep it safe: without it, files sealed for it cannot be opened)\n",
        tilde(&made.path)
    ));
}

fn places(output: &mut Output, places: &[KeyPlace]) {
    let has_none = places.iter().all(|place| matches!(place.keys, Ok(None)));
    output.line("--identity           on the command line, overrides the others");
    for place in places {
        let label = match place.origin {
            IdentityOrigin::Environment => "GIT_PACK_IDENTITY",
            IdentityOrigin::GitConfig => "gitpack.identity",
            IdentityOrigin::Default => "default",
        };
        let path = place.path.as_deref().map_or_else(|| "not set".to_owned(), tilde);
        let is_there = matches!(&place.keys, Ok(Some(_)));
        let force = match (place.in_force, is_there) {
            (true, true) => "  (in use)",
            (true, false) => "  (looked at first)",
            (false, _) => "",
        };
        output.line(&format!("{label:<20} {path}{force}"));
        match &place.keys {
            Ok(None) if place.path.is_some() => output.line("                       not found"),
            Ok(None) => {}
            Ok(Some(keys)) => {
                for key in keys {
                    let recipient = key.recipient.as_deref().unwrap_or("");
                    output.line(format!("                       {:<12} {recipient}", key.kind).trim_end());
                }
            }
            Err(refused) => {
                let why = match refused {
                    Refusal::NoIdentity { fault, .. } => keys::identity(fault),
                    Refusal::Io { source, .. } => io_reason(source),
                    _ => "it cannot be read".into(),
                };
                output.line(&format!(
                    "                       cannot be used: {}",
                    shown(why.as_bytes())
                ));
            }
        }
    }
    if has_none {
        output.err("  there is no identity yet; this makes one: git pack key generate\n");
    }
}
