//! `git pack completions`: prints what lets a shell complete git-pack.

use clap::{Parser, ValueEnum};

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::style::{Envelope, Style};
use crate::ops::Context;

/// Print the script that lets a shell complete commands
///
/// The script completes commands, flags, files, packs, remotes, scopes and revisions, of git-pack and of git pack.
#[derive(Parser)]
#[command(name = "completions")]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// A shell that can complete git-pack.
#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    /// For ~/.local/share/bash-completion/completions/git-pack, or to be sourced in ~/.bashrc
    Bash,
    /// For a file _git-pack in a directory of $fpath
    Zsh,
    /// For ~/.config/fish/conf.d/git-pack.fish
    Fish,
}

impl Run for Completions {
    fn envelope() -> Envelope {
        Envelope::Never
    }

    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Report,
            yes: "SHOWN",
            no: None,
        })
    }

    fn style(&self) -> Style {
        Style::Human
    }

    fn run(self: Box<Self>, _: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let script = match self.shell {
            Shell::Bash => include_str!("../../../templates/completions/git-pack.bash"),
            Shell::Zsh => include_str!("../../../templates/completions/git-pack.zsh"),
            Shell::Fish => include_str!("../../../templates/completions/git-pack.fish"),
        };
        output.out(script.as_bytes());
        Ok(Exit::Yes)
    }
}
