//! Flags that several commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::ask;
use crate::format::only::Only;
use crate::format::repo_state::Mode;
use crate::ops::Context;
use crate::ops::keys::identity;
use crate::ops::share::place::ReachRequest;
use crate::refusal::Result;

/// The identities that open seals.
#[derive(Args)]
pub(super) struct IdentityFlags {
    /// Open with this age identity file or SSH private key [default: GIT_PACK_IDENTITY, else gitpack.identity, else your own]
    #[arg(long = "identity", short = 'i', value_name = "FILE")]
    pub(super) identities: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) passphrase: PassphraseFlag,
}

/// A passphrase from a file instead of the terminal.
#[derive(Args)]
pub(super) struct PassphraseFlag {
    /// Read the passphrase from the first line of this file [default: ask at the terminal]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(super) passphrase_file: Option<PathBuf>,
}

impl PassphraseFlag {
    /// Returns a context that answers every passphrase prompt with the passphrase of the flag.
    pub(super) fn answering(&self, ctx: &Context) -> Result<Context> {
        let mut ctx = ctx.clone();
        if let Some(file) = &self.passphrase_file {
            ctx.ask = ask::knowing(identity::passphrase(&ctx, file)?);
        }
        Ok(ctx)
    }
}

/// Globs that narrow the scope once.
#[derive(Args)]
pub(super) struct FilterFlags {
    /// Take only files that match this quoted glob, as in a scope's include (repeatable)
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Leave out files that match this quoted glob, as in a scope's exclude (repeatable)
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
}

impl FilterFlags {
    /// Returns the globs, if there are any.
    pub(super) fn only(self) -> Option<Only> {
        let Self { include, exclude } = self;
        Some(Only { include, exclude }).filter(|only| *only != Only::default())
    }
}

/// The mode of a pack, as a flag.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ModeArgument {
    /// Anyone may read the pack: seal all protected files
    Public,
    /// Only insiders may read the pack: seal files with the policy never, leave internal ones in plaintext
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

/// How a place for packs is reached.
#[derive(Args)]
pub(super) struct ReachFlags {
    /// Allow plain HTTP to a place that is not on this machine
    #[arg(long, hide_short_help = true)]
    insecure_http: bool,
    /// Let this host have the password of the registry, if the registry has its tokens there
    #[arg(long = "token-host", value_name = "HOST", hide_short_help = true)]
    token_hosts: Vec<String>,
}

impl ReachFlags {
    /// Returns the request that the flags make.
    pub(super) fn request(self) -> ReachRequest {
        ReachRequest {
            token_hosts: self.token_hosts,
            insecure_http: self.insecure_http,
            ..ReachRequest::default()
        }
    }
}
