//! Flags that several commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::ask;
use crate::format::repo_state::Mode;
use crate::ops::Context;
use crate::ops::keys::identity;
use crate::refusal::Result;

/// The identities that open seals.
#[derive(Args)]
pub(super) struct IdentityFlags {
    /// Open with this age identity file or SSH private key [default: GIT_PACK_IDENTITY, gitpack.identity, your own]
    #[arg(long = "identity", short = 'i', value_name = "FILE")]
    pub(super) identities: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) passphrase: PassphraseFlag,
}

/// A passphrase that is not asked for at the terminal.
#[derive(Args)]
pub(super) struct PassphraseFlag {
    /// Take the passphrase from the first line of this file [default: ask at the terminal]
    #[arg(long, value_name = "FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
}

impl PassphraseFlag {
    /// Returns the context in which the passphrase of the flag answers every question for a passphrase.
    pub(super) fn answering(&self, ctx: &Context) -> Result<Context> {
        let mut ctx = ctx.clone();
        if let Some(file) = &self.passphrase_file {
            ctx.ask = ask::knowing(identity::passphrase(&ctx, file)?);
        }
        Ok(ctx)
    }
}

/// The mode of a pack, as a flag.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ModeArgument {
    /// For everybody
    Public,
    /// For insiders
    Internal,
}

impl From<ModeArgument> for Mode {
    fn from(mode: ModeArgument) -> Self {
        match mode {
            ModeArgument::Public => Self::Public,
            ModeArgument::Internal => Self::Internal,
        }
    }
}
