//! `git pack man`: prints and installs the manual pages.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Parser};

use super::operator::{Operator, Prints};
use super::{Run, help};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::tilde;
use crate::cli::output::refusal::usage::misused;
use crate::cli::output::words::{arrow, count, quoted, unchanged};
use crate::cli::style::{Envelope, Style};
use crate::ops::Context;
use crate::ops::manual::{self, FoundPage, ManualReport};

/// Install the manual pages, or print one of them
///
/// git shows the manual page for `git pack --help` and `git help pack`, once it is installed. For a package, name the directory of
/// manual pages of the package. The pages go to man1 and man7 in it.
#[derive(Parser)]
#[command(name = "man", group(ArgGroup::new("placed").args(["install", "uninstall"])))]
pub(super) struct Man {
    /// Print this page, of a command or a subject, in roff [default: that of git pack]
    #[arg(value_name = "COMMAND|SUBJECT")]
    words: Vec<String>,
    /// Write all pages into this directory [default: $XDG_DATA_HOME/man, else ~/.local/share/man]
    #[arg(long, value_name = "DIR", conflicts_with = "words")]
    install: Option<Option<PathBuf>>,
    /// Remove the pages that --install wrote
    #[arg(long, value_name = "DIR", conflicts_with = "words")]
    uninstall: Option<Option<PathBuf>>,
    /// With --install or --uninstall: print what would change, and change nothing
    #[arg(long, short = 'n', requires = "placed")]
    dry_run: bool,
}

impl Run for Man {
    fn envelope() -> Envelope {
        Envelope::Never
    }

    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Status,
            yes: "DONE",
            no: None,
        })
    }

    fn style(&self) -> Style {
        Style::Human
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let Self {
            words,
            install,
            uninstall,
            dry_run,
        } = *self;
        match (install, uninstall) {
            (Some(directory), _) => {
                let report = manual::install(ctx, directory.as_deref(), &help::manual_pages(), dry_run)?;
                installed(output, &report, dry_run);
            }
            (None, Some(directory)) => {
                let report = manual::uninstall(ctx, directory.as_deref(), dry_run)?;
                let what = format!(
                    "{} from {}",
                    count(report.pages as u64, "page"),
                    tilde(&report.directory)
                );
                let deed = if dry_run { "to remove" } else { "removed" };
                output.line(&format!("{deed:<10} {what}"));
                if dry_run {
                    unchanged(output);
                }
            }
            (None, None) => {
                output.out(help::manual_page(&words).ok_or_else(|| no_page(&words))?.as_bytes());
                if output.is_terminal() {
                    let help = format!("git pack help {}", words.join(" "));
                    output.err(&format!(
                        "\n  this is the source of the page, for man; to read it: {}\n",
                        help.trim_end()
                    ));
                }
            }
        }
        Ok(Exit::Yes)
    }
}

fn no_page(words: &[String]) -> crate::refusal::Refusal {
    misused(format!(
        "there is no manual page of {:?}; git pack help lists the commands",
        words.join(" ")
    ))
}

/// Prints where the pages are, and whether `man` finds them.
fn installed(output: &mut Output, report: &ManualReport, dry_run: bool) {
    let directory = tilde(&report.directory);
    let deed = if dry_run { "to write" } else { "wrote" };
    output.line(&format!(
        "{deed:<10} {} to {directory}",
        count(report.pages as u64, "page")
    ));
    if dry_run {
        return unchanged(output);
    }
    let look = |directory: &Path| {
        let directory = quoted(directory.as_os_str().as_encoded_bytes());
        arrow(&format!("export MANPATH={directory}:"))
    };
    output.line(&match &report.found {
        FoundPage::Here => "man        finds them: git pack --help".to_owned(),
        FoundPage::Nowhere => format!("man        does not look there      {}", look(&report.directory)),
        FoundPage::Elsewhere(page) => {
            let page = quoted(page.as_os_str().as_encoded_bytes());
            format!("man        finds {page} first      {}", look(&report.directory))
        }
        FoundPage::NoProgram => "man        is not installed here".to_owned(),
    });
}
