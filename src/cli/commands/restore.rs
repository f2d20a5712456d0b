//! `git pack restore`: rebuilds the files of a commit.

use std::path::PathBuf;

use clap::Parser;

use super::Run;
use super::flags::{PassphraseFlag, ReachFlags};
use super::operator::{Operator, Prints};
use crate::cli::account::{Account, name};
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::output_from;
use crate::cli::output::table::aligned;
use crate::cli::output::words::{LOOK, count, paint, size};
use crate::format::dump::OtherEntry;
use crate::ops::Context;
use crate::ops::pack::restore::{RestoreReport, RestoreRequest, Restored, RestoredEntries, TextSource, restore};
use crate::refusal::shown::shown;

/// The most missing entries that are named.
const NAMED: usize = 10;

/// Rebuild the files of a commit from a pack
///
/// The source is a pack, or a manifest in the content store of this clone. Contents that the pack lacks come from the content store,
/// from git, and from the place that --from names. Everything is checked before a file is written.
#[derive(Parser)]
#[command(name = "restore")]
pub(super) struct Restore {
    /// The pack (a directory, an archive, or the address of one at a place), or the ref (sha256:…) of a PACK_MANIFEST in the
    /// content store
    #[arg(value_name = "PACK|MANIFEST_REF")]
    source: PathBuf,
    /// Fetch contents that neither the pack nor the clone has from this place, such as oci://HOST/REPOSITORY
    #[arg(long = "from", value_name = "DESTINATION", conflicts_with_all = ["from_full", "from_split"])]
    place: Option<String>,
    /// Restore only the text files, from the member under FULL/; PACK can also be that file itself
    #[arg(long, conflicts_with = "identities", hide_short_help = true)]
    from_full: bool,
    /// Restore only the text files, from the members under SPLIT/
    #[arg(long, conflicts_with_all = ["identities", "from_full"], hide_short_help = true)]
    from_split: bool,
    /// Write the files to this new directory
    #[arg(long, short = 'o', value_name = "DIR", required_unless_present = "dry_run")]
    output: Option<PathBuf>,
    /// Read and check everything, without writing files
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Open sealed files with this age identity file or SSH private key, instead of restoring ciphertexts
    #[arg(long = "identity", short = 'i', value_name = "FILE")]
    identities: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseFlag,
    #[command(flatten)]
    reach: ReachFlags,
}

impl Run for Restore {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Artifact,
            yes: "RESTORED",
            no: None,
        })
    }

    fn account(&self) -> Option<Account> {
        Some(
            Account::of("restore")
                .input(&self.source)
                .asked("output", self.output.as_deref().map(name)),
        )
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, account: Option<&mut Account>) -> Result<Exit> {
        let ctx = &self.passphrase.answering(ctx)?;
        let request = RestoreRequest {
            from: self.source,
            texts: match (self.from_full, self.from_split) {
                (true, _) => Some(TextSource::Full),
                (_, true) => Some(TextSource::Split),
                _ => None,
            },
            output: self.output,
            dry_run: self.dry_run,
            identities: self.identities,
            place: self.place,
            reach: self.reach.request(),
        };
        let report = restore(ctx, &request)?;
        human(output, ctx, &request, &report)?;
        if let Some(account) = account {
            account.ends(outcome(&report));
            account.is_about(report.pack_id.clone());
            account.found("file_count", report.files);
            account.read(&report.input_hash, report.input_bytes);
        }
        Ok(Exit::Yes)
    }
}

/// Returns the outcome in one word.
fn outcome(report: &RestoreReport) -> &'static str {
    match report.output {
        Some(_) => "RESTORED",
        None => "RESTORABLE",
    }
}

fn human(output: &mut Output, ctx: &Context, request: &RestoreRequest, report: &RestoreReport) -> Result<()> {
    output.line(&format!("{} {}", outcome(report), report.files));
    let opened = matches!(&report.what, Restored::Entries(entries) if entries.opened > 0);
    match opened {
        // The digest covers opened plaintext, so it must not reach the ledger.
        true => output.unrecorded_line(&report.digest.to_string())?,
        false => output.line(&report.digest.to_string()),
    }
    let commit: String = report.commit.chars().take(7).collect();
    let (noun, from) = match (&report.what, &report.pack_id) {
        (Restored::Texts { .. }, Some(_)) => ("text", format!("from the pack of commit {commit}")),
        (Restored::Texts { .. }, None) => ("text", format!("from a file that names commit {commit}")),
        (Restored::Entries(_), Some(_)) => ("file", format!("from the pack of commit {commit}")),
        (Restored::Entries(_), None) => ("file", format!("from a manifest that names commit {commit}")),
    };
    let (files, bytes) = (count(report.files, noun), size(report.bytes));
    output.err(&match &report.output {
        Some(directory) => {
            let eyes = if opened {
                " · readable only by you (mode 700)"
            } else {
                ""
            };
            format!(
                "  {files} in {}/, {bytes} · {from}{eyes}\n",
                output_from(&ctx.cwd, request.output.as_deref(), directory)
            )
        }
        None => format!("  {files}, {bytes}, can be restored {from}; dry run: nothing was changed\n"),
    });
    match &report.what {
        Restored::Texts { state, missing } => texts(output, &state.to_string(), missing),
        Restored::Entries(entries) => {
            self::entries(output, entries);
            twins(output, entries, !request.identities.is_empty());
        }
    }
    Ok(())
}

fn entries(output: &mut Output, entries: &RestoredEntries) {
    let state = match entries.state {
        Some(state) if state == entries.plain => format!("the pack's state {state}"),
        _ => format!("the state {}", entries.plain),
    };
    let (sealed, opened) = (entries.ciphertexts, entries.opened);
    output.err(&match (sealed, opened) {
        (0, 0) if entries.twins.is_empty() => format!("  no files are sealed: the digest is {state}\n"),
        (0, 0) => format!("  the pack itself seals no files: the digest is {state}\n"),
        (0, 1) => format!("  1 sealed file was opened, and the digest covers its content; without it, the digest is {state}\n"),
        (0, _) => {
            format!(
                "  {opened} sealed files were opened, and the digest covers their contents; without them, the digest is {state}\n"
            )
        }
        (1, _) => format!("  1 file is still sealed (.age); without it, the digest is {state}\n"),
        _ => format!("  {sealed} files are still sealed (.age); without them, the digest is {state}\n"),
    });
    let as_files = |n: u64, what: &str, holds: &str| match n {
        1 => format!("1 {what} becomes a file that holds {holds}"),
        n => format!("{n} {what}s become files, each of which holds {holds}"),
    };
    if entries.links > 0 {
        output.err(&format!("  {}\n", as_files(entries.links, "link", "its target")));
    }
    if entries.submodules > 0 {
        output.err(&format!(
            "  {}\n",
            as_files(entries.submodules, "submodule", "the id of its commit")
        ));
    }
    if !entries.kinds_known {
        output
            .err("  cannot tell which of them are executable, links or submodules: the commit is not in this clone\n");
    }
}

/// Tells which files are ciphertexts because the commit has them so.
fn twins(output: &mut Output, entries: &RestoredEntries, opening: bool) {
    let what = match entries.twins.as_slice() {
        [] => return,
        [one] => format!("{} is encrypted, as the commit has it", shown(one.as_bytes())),
        [first, ..] => format!(
            "{} are encrypted, as the commit has them, such as {}",
            count(entries.twins.len() as u64, "file"),
            shown(first.as_bytes())
        ),
    };
    let why = match opening {
        true => ": --identity opens only what the pack itself sealed",
        false => "",
    };
    output.err(&format!(
        "  {} {what}{why}; git pack reveal opens a twin in a clone, and age -d -i FILE anywhere\n",
        paint(LOOK, "note")
    ));
}

fn texts(output: &mut Output, state: &str, missing: &[OtherEntry]) {
    if missing.is_empty() {
        output.err(&format!("  no entries are missing: the digest is the state {state}\n"));
        return;
    }
    output.err(&format!(
        "  {} left out; with the listed hashes, this is the state {state}\n",
        match missing.len() {
            1 => "1 entry that is not text is".to_owned(),
            n => format!("{n} entries that are not text are"),
        },
    ));
    let rows: Vec<[String; 3]> = missing
        .iter()
        .take(NAMED)
        .map(|entry| {
            let kind = entry.kind.as_str().to_owned();
            [shown(entry.path.as_bytes()), kind, size(entry.size)]
        })
        .collect();
    output.err(&aligned(&rows, "    "));
    if missing.len() > NAMED {
        output.err(&format!("    and {} more\n", missing.len() - NAMED));
    }
}
