//! `git pack seal`: seals artifacts into an evidence pack, or a commit into a tree pack.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use super::Run;
use super::flags::{FilterFlags, IdentityFlags, ModeArgument};
use super::operator::{Operator, Prints};
use super::values::{self, BadValue};
use crate::cli::account::{Account, name};
use crate::cli::env;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::path_from;
use crate::cli::output::refusal::usage::{flag, misused};
use crate::cli::output::table::columns;
use crate::cli::output::words::{LOOK, count, duration, paint, size, unchanged};
use crate::cli::style::Style;
use crate::format::timestamp::Timestamp;
use crate::format::tree_meta::Part;
use crate::ops::Context;
use crate::ops::pack::seal::preview::{SealPreview, preview};
use crate::ops::pack::seal::{Privacy, SealNotice, SealReport, SealRequest, TextReport, full_text, seal};
use crate::refusal::Refusal;
use crate::refusal::shown::{harmless, shown};
use crate::refusal::unsupported::{Unkept, some_of};

/// Seal a commit, or the named files, into a pack
///
/// Without artifacts, it seals a commit into a tree pack. With artifacts, which are files and directories, it seals them into an
/// evidence pack. Protected files are encrypted to the recipients. The same commit and configuration always have the same state digest.
#[derive(Parser)]
#[command(name = "seal")]
pub(super) struct Seal {
    /// Files and directories for an evidence pack [default: seal a tree pack]
    #[arg(value_name = "ARTIFACT")]
    artifacts: Vec<PathBuf>,
    /// The commit to seal [default: HEAD]; with artifacts, read them from its tree
    #[arg(long)]
    rev: Option<String>,
    /// A scope of .gitpack.toml [default: its default scope, else everything]
    #[arg(long, value_name = "KEY")]
    scope: Option<String>,
    #[command(flatten)]
    filter: FilterFlags,
    /// The parts of a tree pack: repo, lite, full, split [default: emit in .gitpack.toml, else repo]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = part)]
    emit: Vec<Part>,
    /// Split the texts into files of at most N tokens, instead of one file for each directory [default: split in .gitpack.toml]
    #[arg(long, value_name = "N", hide_short_help = true)]
    max_tokens: Option<u64>,
    /// With --emit full: print the text, and make no pack
    #[arg(long, conflicts_with_all = ["artifacts", "attach", "recipient", "opaque_names", "pad", "fresh", "reuse",
        "identities", "recipients_file", "output", "replace", "note", "created", "strict", "max_tokens"], hide_short_help = true)]
    stdout: bool,
    /// Also seal these untracked files into the tree pack: a file, a directory or a quoted glob
    #[arg(long, value_name = "PATH")]
    attach: Vec<PathBuf>,
    /// Leave this file in plaintext, even if it holds a private key or a copy of a protected file, or has the name .age but is not an age file
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    plaintext: Vec<PathBuf>,
    /// Seal to this recipient (age1…, ssh-ed25519 …, ssh-rsa …) instead of the configured ones
    #[arg(long, short = 'r')]
    recipient: Vec<String>,
    /// Who may read the pack: public seals all protected files, internal only those with the policy never
    #[arg(long, value_name = "MODE", default_value = "public")]
    mode: ModeArgument,
    /// Also seal names: the pack shows how many artifacts it has, but not their paths or rules
    #[arg(long, hide_short_help = true)]
    opaque_names: bool,
    /// Round sizes up, by at most 12 %, so that they reveal less
    #[arg(long, hide_short_help = true)]
    pad: bool,
    /// Re-encrypt everything instead of reusing earlier ciphertexts
    #[arg(long, hide_short_help = true)]
    fresh: bool,
    /// Reuse the ciphertexts of this pack for unchanged artifacts, after opening and comparing them
    #[arg(long, value_name = "PACK", conflicts_with = "fresh", hide_short_help = true)]
    reuse: Option<PathBuf>,
    #[command(flatten)]
    keys: IdentityFlags,
    /// Seal to the recipients in this file, one per line, instead of the configured ones
    #[arg(long, short = 'R', value_name = "FILE", hide_short_help = true)]
    recipients_file: Vec<PathBuf>,
    /// The pack's directory [default: pack/<id> or _PACK_RUN/llm-pack-<scope>-<digest>]
    #[arg(long, short = 'o', value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace an existing pack at the output
    #[arg(long)]
    replace: bool,
    /// A note for the manifest
    #[arg(long, value_name = "TEXT", hide_short_help = true)]
    note: Option<String>,
    /// The time in the manifest [default: SOURCE_DATE_EPOCH, else the commit's date or now]
    #[arg(long, value_name = "RFC3339", value_parser = created, hide_short_help = true)]
    created: Option<Timestamp>,
    /// Only print what would be sealed: encrypt nothing, and make no pack
    #[arg(long, short = 'n', conflicts_with = "stdout")]
    dry_run: bool,
    /// Refuse artifacts with an executable bit, and empty directories, which a pack does not keep
    #[arg(long, hide_short_help = true)]
    strict: bool,
}

/// Parses the time of `--created`.
fn created(text: &str) -> Result<Timestamp, BadValue> {
    values::time(text).map_err(|why| why.example("git pack seal --created 2026-01-15T10:30:00Z"))
}

/// Parses a word of `--emit`.
fn part(word: &str) -> Result<Part, BadValue> {
    Part::parse(word).map_err(|_| BadValue::expected("one of repo, lite, full and split"))
}

/// Returns the parts that `--emit` lists, or `None` without it.
fn listed(parts: Vec<Part>) -> Result<Option<Vec<Part>>, Refusal> {
    match parts.is_empty() {
        true => Ok(None),
        false => Part::set(parts)
            .map(Some)
            .map_err(|why| misused(format!("--emit: {why}"))),
    }
}

impl Run for Seal {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Artifact,
            yes: "PACK_CREATED",
            no: None,
        })
    }

    fn style(&self) -> Style {
        match self.stdout {
            true => Style::Human,
            false => Style::Unasked,
        }
    }

    fn account(&self) -> Option<Account> {
        let artifacts: Vec<String> = self.artifacts.iter().map(|path| name(path)).collect();
        Some(
            Account::of("seal")
                .asked("artifacts", Some(artifacts))
                .asked("note", self.note.as_deref())
                .asked("rev", self.rev.as_deref())
                .asked("scope", self.scope.as_deref())
                .asked("output", self.output.as_deref().map(name)),
        )
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, account: Option<&mut Account>) -> Result<Exit> {
        let started = env::Stopwatch::start();
        let ctx = &self.keys.passphrase.answering(ctx)?;
        let request = SealRequest {
            artifacts: self.artifacts,
            rev: self.rev,
            scope: self.scope,
            only: self.filter.only(),
            max_tokens: self.max_tokens,
            plaintext: self.plaintext,
            attach: self.attach,
            recipients: self.recipient,
            emit: listed(self.emit)?,
            mode: self.mode.into(),
            privacy: Privacy {
                opaque_names: self.opaque_names,
                pad: self.pad,
            },
            fresh: self.fresh,
            reuse: self.reuse,
            identities: self.keys.identities,
            recipients_files: self.recipients_file,
            output: self.output,
            replace: self.replace,
            note: self.note,
            created: self.created,
            strict: self.strict,
        };
        if self.stdout {
            let report = full_text(ctx, &request, output.unrecorded())?;
            told(output, &report, started.elapsed());
            if let Some(account) = account {
                account.ends("TEXT_WRITTEN");
            }
            return Ok(Exit::Yes);
        }
        if self.dry_run {
            planned(output, ctx, &preview(ctx, &request)?);
            return Ok(Exit::Yes);
        }
        let report = seal(ctx, &request)?;
        human(output, ctx, &report, started.elapsed());
        if let Some(account) = account {
            account.ends("PACK_CREATED");
            account.is_about(Some(report.pack_id.to_string()));
            account.looked_at(&report.inputs);
            account.found("member_count", report.members);
            account.found("output_dir", name(&report.output));
        }
        Ok(Exit::Yes)
    }
}

/// Prints what would be sealed.
fn planned(output: &mut Output, ctx: &Context, preview: &SealPreview) {
    let rows: Vec<[String; 2]> = preview
        .artifacts
        .iter()
        .map(|(path, class)| [shown(path.as_bytes()), harmless(class)])
        .collect();
    columns(output, &rows, "would be sealed   ");
    let mut parts = Vec::new();
    if let Some((commit, _)) = &preview.commit {
        parts.push(format!("commit {}", commit.id.short()));
    }
    parts.push(match preview.holds_files {
        true => format!("{} in plaintext", count(preview.plain_files, "file")),
        false => format!("the hashes of {}", count(preview.plain_files, "file")),
    });
    parts.push(format!(
        "{} sealed for {}",
        preview.artifacts.len(),
        count(preview.recipients as u64, "recipient")
    ));
    if let Some(place) = &preview.output {
        parts.push(format!("to {}", path_from(&ctx.cwd, place)));
    }
    output.err(&format!("  {}\n", parts.join(" · ")));
    for notice in &preview.notices {
        output.err(&format!("  {} {}\n", paint(LOOK, "note"), self::notice(notice)));
    }
    unchanged(output);
}

/// Tells on stderr what was printed.
fn told(output: &mut Output, report: &TextReport, time: Duration) {
    let withheld = match report.withheld {
        0 => String::new(),
        n => format!(" · {} left out", count(n, "protected file")),
    };
    output.err(&format!(
        "  commit {} · {}, {} of text{withheld} · state {} · {}\n",
        report.commit,
        count(report.entries, "file"),
        size(report.bytes),
        report.state,
        duration(time)
    ));
    for notice in &report.notices {
        output.err(&format!("  {} {}\n", paint(LOOK, "note"), self::notice(notice)));
    }
}

fn human(output: &mut Output, ctx: &Context, report: &SealReport, time: Duration) {
    output.line(&format!("PACK_CREATED {}", report.pack_id));
    output.line(&format!("{}/", path_from(&ctx.cwd, &report.output)));
    let mut parts = Vec::new();
    if let Some((commit, branch)) = &report.commit {
        let branch = branch
            .as_ref()
            .map(|name| format!(" {}", shown(name.as_bytes())))
            .unwrap_or_default();
        parts.push(format!("commit {}{branch}", commit.id.short()));
    }
    if report.plain_files > 0 || report.sealed == 0 {
        parts.push(format!(
            "{}, {}",
            count(report.plain_files, "file"),
            size(report.plain_bytes)
        ));
    }
    if report.sealed > 0 {
        let reused = match report.reused {
            0 => String::new(),
            n if report.taken_over > 0 => {
                format!(
                    " ({n} reused, {} of them from another pack, with its recipients)",
                    report.taken_over
                )
            }
            n => format!(" ({n} reused)"),
        };
        let recipients = count(report.recipients as u64, "recipient");
        parts.push(format!("{} sealed for {recipients}{reused}", report.sealed));
    }
    if report.existed {
        parts.push("the pack already existed".into());
    }
    parts.push(duration(time));
    output.err(&format!("  {}\n", parts.join(" · ")));
    for notice in &report.notices {
        output.err(&format!("  {} {}\n", paint(LOOK, "note"), self::notice(notice)));
    }
}

fn notice(notice: &SealNotice) -> String {
    match notice {
        SealNotice::ConfigDiffers { commit } => {
            format!("used the .gitpack.toml of {commit}; the one in the work tree differs")
        }
        SealNotice::Unprotected { path, class } => format!(
            "{} is in plaintext: it matches class {class}, but no .gitpack.toml applies here",
            shown(path.as_bytes())
        ),
        SealNotice::Released { path } => format!(
            "{} is in plaintext because of --plaintext; the rules of the commit seal it, so verify --rev will report it",
            shown(path.as_bytes())
        ),
        SealNotice::NothingSealed { option } => {
            let flag = flag(*option);
            format!("{flag} has no effect: none of the named files is protected, so they are in plaintext")
        }
        SealNotice::AttachTracked { path } => {
            format!("--attach {path}: the pack has it already, because the commit tracks it")
        }
        SealNotice::NotGenomes { path, fault, more } => {
            let more = match more {
                0 => String::new(),
                more => format!("; {} in all", count(*more as u64 + 1, "fault")),
            };
            let fault = harmless(&fault.to_string());
            format!(
                "{} is not a valid pack of cycles, and sealed as it is: {fault}{more}",
                shown(path.as_bytes())
            )
        }
        SealNotice::NowhereToAttach => {
            "ignored attach in .gitpack.toml: a bare repository has no untracked files".into()
        }
        SealNotice::NoAnchor { path } => {
            format!(
                "anchors: {} is not a text file in this pack, so it is not listed to be read first",
                shown(path.as_bytes())
            )
        }
        SealNotice::NotKept { what, paths } => {
            let n = paths.len() as u64;
            let lost = match what {
                Unkept::ExecutableBit => format!("does not keep the executable bit of {}", count(n, "file")),
                Unkept::EmptyDirectory if n == 1 => "does not keep an empty directory".to_owned(),
                Unkept::EmptyDirectory => format!("does not keep {n} empty directories"),
            };
            format!("the pack {lost}: {}", some_of(paths))
        }
        SealNotice::OnlyYours => {
            "only your own key opens what is sealed: without it, the content is lost; git pack recipients add names others".into()
        }
        SealNotice::NotIgnored => {
            "git does not ignore this pack: commit it with the repository, or add pack/ to .gitignore".into()
        }
        SealNotice::SameButForCase { paths: [one, other] } => format!(
            "{} and {} are the same file on file systems that ignore case or Unicode form",
            shown(one.as_bytes()),
            shown(other.as_bytes())
        ),
    }
}
