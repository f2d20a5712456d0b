//! `git pack scan`: looks for leaks.

mod grouped;
mod human;
mod json;
pub(super) mod leaks;
mod rows;
mod sarif;
pub(super) mod way_out;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::env;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::style::{Envelope, Style};
use crate::ops::Context;
use crate::ops::guard::scan::accept::{accept, earlier_report};
use crate::ops::guard::scan::surfaces::{Surface, scan};
use human::Told;

/// Look for leaks in staged files, on disk, in a commit or in history
///
/// Without a flag, it checks what is staged, as the pre-commit hook does. The other flags name files on disk, the tree of a commit,
/// or all that commits introduce, even if a later commit deletes it.
#[derive(Parser)]
#[command(name = "scan")]
pub(super) struct Scan {
    /// Scan what is staged [default]
    #[arg(long, group = "surface")]
    staged: bool,
    /// Scan the files on disk, tracked or not, except those that git ignores
    #[arg(long, group = "surface")]
    worktree: bool,
    /// Scan the tree of a commit
    #[arg(long, group = "surface", value_name = "REV")]
    rev: Option<String>,
    /// Scan what every commit of a range introduces, even if a later commit deletes it
    #[arg(long, group = "surface", value_name = "A..B")]
    range: Option<String>,
    /// Scan what every commit of every ref introduces
    #[arg(long, group = "surface")]
    all: bool,
    /// With --worktree: also scan files that git ignores
    #[arg(long, requires = "worktree", hide_short_help = true)]
    no_ignore: bool,
    /// In a shallow clone: scan only the history that is here, instead of refusing
    #[arg(long, hide_short_help = true)]
    shallow: bool,
    /// Apply the rules for a push to this remote [default: the rules for tracked files]
    #[arg(long, value_name = "NAME")]
    remote: Option<String>,
    /// Print one JSON document (pack.scan.v0), same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// How to print the findings
    #[arg(long)]
    format: Option<Format>,
    /// Print only the paths of the findings, from the top of the work tree, each ended by NUL
    #[arg(short = 'z', conflicts_with_all = ["json", "format"])]
    nul: bool,
    /// Leave out the findings of an earlier scan; FILE is its --json output
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    baseline: Option<PathBuf>,
    /// Release what was found: add an [[allow]] entry for each blob to FILE, which allow_file in .gitpack.toml then names
    /// [default: the allow_file, else .gitpack.toml]. With --baseline: release what the baseline lists
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    write_allow: Option<Option<PathBuf>>,
    /// With --write-allow: print what would be added, and write nothing
    #[arg(long, short = 'n', requires = "write_allow", hide_short_help = true)]
    dry_run: bool,
}

/// The format of the findings.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for people
    Human,
    /// One JSON document, pack.scan.v0
    Json,
    /// One document, SARIF 2.1.0
    Sarif,
    /// Paths, each ended by NUL
    #[value(skip)]
    Paths,
}

impl Scan {
    /// Returns the surface that was asked for.
    fn surface(&self) -> Surface {
        match (&self.rev, &self.range) {
            (Some(rev), _) => Surface::Revision(rev.clone()),
            (_, Some(range)) => Surface::Range(range.clone()),
            _ if self.all => Surface::All,
            _ if self.worktree => Surface::WorkTree {
                no_ignore: self.no_ignore,
            },
            _ => Surface::Staged,
        }
    }

    /// Returns the format that was asked for.
    fn format(&self) -> Format {
        match self.format {
            Some(format) => format,
            None if self.json => Format::Json,
            None if self.nul => Format::Paths,
            None => Format::Human,
        }
    }
}

impl Run for Scan {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Report,
            yes: "CLEAN",
            no: Some("LEAK"),
        })
    }

    fn envelope() -> Envelope {
        Envelope::With(&[&["--json"], &["--format=json"], &["--format", "json"]])
    }

    fn style(&self) -> Style {
        match self.format() {
            Format::Sarif => Style::Document(sarif::refused),
            format => Style::with_json(format == Format::Json),
        }
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let started = env::Stopwatch::start();
        let surface = self.surface();
        let baseline = self
            .baseline
            .as_ref()
            .map(|file| earlier_report(ctx, file))
            .transpose()?;
        let mut report = scan(ctx, &surface, self.remote.as_deref(), self.shallow)?;
        if let Some(baseline) = &baseline {
            report.set_aside(baseline);
        }
        let told = match self.format() {
            Format::Human => Told::Here,
            Format::Json | Format::Sarif | Format::Paths => Told::Beside,
        };
        match self.format() {
            Format::Human => {}
            Format::Json => output.out(&json::document(&surface, &report, baseline.is_some())),
            Format::Sarif => output.out(&sarif::document(&report, baseline.is_some())),
            Format::Paths => {
                for found in &report.leaks {
                    output.out(found.leak.entry.path.as_bytes());
                    output.out(b"\0");
                }
            }
        }
        human::print(output, &surface, &report, told, started.elapsed());
        if let Some(file) = &self.write_allow {
            let found = match baseline {
                Some(_) => &report.known,
                None => &report.leaks,
            };
            let accepted = accept(ctx, &surface, found, file.as_deref(), self.dry_run)?;
            match self.dry_run {
                true => human::would_accept(output, &accepted),
                false => human::accepted(output, ctx, &accepted, report.way_out.as_ref()),
            }
        }
        Ok(Exit::yes_if(report.is_clean()))
    }
}
