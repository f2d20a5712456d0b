//! `git pack agent migrate`: encrypt the private files of old formats in place.

use std::path::PathBuf;

use clap::Args;

use super::seal::RecipientFlags;
use crate::cli::commands::flags::IdentityFlags;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::path_from;
use crate::cli::output::words::{LOOK, count, paint};
use crate::cli::style::Style;
use crate::ops::Context;
use crate::ops::agent::migrate::{MigrateReport, MigrateRequest, MigratedFile, MigrationDeed, migrate};
use crate::refusal::shown::harmless;

#[derive(Args)]
pub(super) struct Migrate {
    /// A store, its agents directory, a shard, or one agent's directory [default: the store here]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Decode private files of version 2 with the key in this file (repeatable: each is tried) [default: try every keystream]
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    recipients: RecipientFlags,
    /// Print what would be done, without doing it
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    identities: IdentityFlags,
}

impl Migrate {
    /// Returns how this call reports a refusal.
    pub(super) fn style(&self) -> Style {
        Style::Human
    }

    /// Runs the call and prints its result.
    pub(super) fn run(self, ctx: &Context, output: &mut Output) -> Result<Exit> {
        let ctx = &self.identities.passphrase.answering(ctx)?;
        let request = MigrateRequest {
            directory: self.directory,
            keys: self.keys,
            recipients: self.recipients.named(),
            identities: self.identities.identities,
            dry_run: self.dry_run,
        };
        if request.dry_run {
            output.err(&format!("  {} dry run: nothing is changed\n", paint(LOOK, "note")));
        }
        let report = migrate(ctx, &request, |file| output.line(&line(ctx, file)))?;
        summary(output, &report);
        Ok(Exit::yes_if(report.left == 0))
    }
}

fn line(ctx: &Context, file: &MigratedFile) -> String {
    let path = path_from(&ctx.cwd, &file.path);
    match &file.deed {
        MigrationDeed::Encrypted => format!("{:<18} {path}", "encrypted"),
        MigrationDeed::Removed => format!("{:<18} {path}", "removed plaintext"),
        MigrationDeed::Left(why) => format!("{:<18} {path}   {}", "left", harmless(&why.to_string())),
    }
}

fn summary(output: &mut Output, report: &MigrateReport) {
    let note = paint(LOOK, "note");
    let [encrypted, removed, left] = [report.encrypted, report.removed, report.left];
    let text = match encrypted + removed + left {
        0 => "nothing to migrate".to_owned(),
        _ => format!(
            "{encrypted} encrypted for {}, {removed} removed, {left} left",
            count(report.recipients as u64, "recipient")
        ),
    };
    output.err(&format!("  {text}\n"));
    if report.tracked > 0 {
        output.err(&format!(
            "  {note} git tracks {} that anyone can read: commit the change, and replace secrets in it, because history keeps the content\n",
            count(report.tracked, "old file")
        ));
    }
}
