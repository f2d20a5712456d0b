//! `git pack rekey`: changes who can open a sealed pack or file.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::Run;
use super::flags::IdentityFlags;
use super::operator::{Operator, Prints};
use crate::cli::account::{Account, name};
use crate::cli::env::at_top;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::{path_from, remote_name};
use crate::cli::output::refusal::one_line;
use crate::cli::output::refusal::usage::misused_for;
use crate::cli::output::table::aligned;
use crate::cli::output::words::{LOOK, TYPE, argument, count, paint, pathspec, unchanged};
use crate::format::path_bytes::bytes_of_path;
use crate::ops::Context;
use crate::ops::pack::rekey::{RekeyReport, RekeyRequest, Remaining, rekey};
use crate::refusal::Refusal;
use crate::refusal::shown::{harmless, shown};

/// The most refs that are named in one place.
const NAMED: usize = 8;

/// Change who can open a pack or file, without re-encrypting it
#[derive(Parser)]
#[command(name = "rekey")]
pub(super) struct Rekey {
    /// The pack's directory, or an age file
    #[arg(value_name = "PACK|FILE.age")]
    what: PathBuf,
    /// Further ones, which are refused with the command that takes them
    #[arg(value_name = "PACK|FILE.age", hide = true)]
    more: Vec<PathBuf>,
    /// Write the rekeyed pack or file here [required]
    #[arg(long, short = 'o', value_name = "DIR|FILE", required_unless_present = "more")]
    output: Option<PathBuf>,
    /// Replace an existing pack or age file at the output, even the one being rekeyed
    #[arg(long)]
    replace: bool,
    /// Re-encrypt everything under new file keys, instead of only rewriting the headers
    #[arg(long, hide_short_help = true)]
    reencrypt: bool,
    /// Seal to this recipient (age1…, ssh-ed25519 …, ssh-rsa …) instead of the configured ones
    #[arg(long, short = 'r')]
    recipient: Vec<String>,
    /// Seal to the recipients in this file, one per line, instead of the configured ones
    #[arg(long, short = 'R', value_name = "FILE", hide_short_help = true)]
    recipients_file: Vec<PathBuf>,
    /// Open and check everything, but keep nothing, and print what would be written
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    keys: IdentityFlags,
}

impl Run for Rekey {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Artifact,
            yes: "REKEYED",
            no: None,
        })
    }

    fn account(&self) -> Option<Account> {
        Some(
            Account::of("rekey")
                .input(&self.what)
                .asked("output", self.output.as_deref().map(name)),
        )
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, account: Option<&mut Account>) -> Result<Exit> {
        let ctx = &self.keys.passphrase.answering(ctx)?;
        let place = match &self.output {
            Some(place) if self.more.is_empty() => place.clone(),
            _ => {
                let all = [&self.what].into_iter().chain(&self.more);
                return Err(one_at_a_time(all, self.reencrypt).into());
            }
        };
        let request = RekeyRequest {
            what: self.what,
            output: place,
            replace: self.replace,
            reencrypt: self.reencrypt,
            recipients: self.recipient,
            recipients_files: self.recipients_file,
            identities: self.keys.identities,
            dry_run: self.dry_run,
        };
        let report = rekey(ctx, &request)?;
        if request.dry_run {
            planned(output, ctx, &report);
            return Ok(Exit::Yes);
        }
        human(output, ctx, &report);
        if let Some(account) = account {
            account.ends("REKEYED");
            account.is_about(report.pack_id.map(|id| id.to_string()));
            account.found("artifact_count", report.artifacts);
            // The hash of a file is that of its ciphertext.
            account.read(&report.input_hash, report.input_bytes);
        }
        Ok(Exit::Yes)
    }
}

/// Refuses several packs or files, with the command that rekeys each in its place.
fn one_at_a_time<'a>(all: impl Iterator<Item = &'a PathBuf> + Clone, reencrypt: bool) -> Refusal {
    let problem = format!(
        "one pack or file is rekeyed at a time, but {} are named",
        all.clone().count()
    );
    let words: String = all.map(|path| format!(" {}", argument(&bytes_of_path(path)))).collect();
    let more = if reencrypt { " --reencrypt" } else { "" };
    let each = format!("git pack rekey \"$each\" -o \"$each\" --replace{more}");
    misused_for(problem, &format!("for each in{words}; do {each} || break; done"))
}

/// Prints what would be rekeyed.
fn planned(output: &mut Output, ctx: &Context, report: &RekeyReport) {
    output.line(&format!("would rekey {}", report.artifacts));
    let slash = if report.pack_id.is_some() { "/" } else { "" };
    output.line(&format!("{}{slash}", path_from(&ctx.cwd, &report.output)));
    output.err(&format!(
        "  {} for {}\n",
        count(report.artifacts, "artifact"),
        count(report.recipients as u64, "recipient")
    ));
    if report.still_opens == Some(false) {
        output.err(&format!(
            "  {} your own key is not among the recipients: you could not open the new seals\n",
            paint(LOOK, "note")
        ));
    }
    unchanged(output);
}

fn human(output: &mut Output, ctx: &Context, report: &RekeyReport) {
    output.line(&format!("REKEYED {}", report.artifacts));
    let slash = if report.pack_id.is_some() { "/" } else { "" };
    output.line(&format!("{}{slash}", path_from(&ctx.cwd, &report.output)));
    let recipients = count(report.recipients as u64, "recipient");
    let keys = match report.reencrypted {
        true => "re-encrypted under new file keys",
        false => "file keys and payloads are unchanged",
    };
    output.err(&format!(
        "  {} for {recipients} · {keys}\n",
        count(report.artifacts, "artifact")
    ));
    let note = paint(LOOK, "note");
    output.err(&match report.reencrypted {
        true => format!(
            "  {note} anyone who could open the old ciphertexts still can, wherever copies remain: rekeying cannot\n       \
             undo a publication, and protects only new content from them\n"
        ),
        false => format!(
            "  {note} anyone who could open the old ciphertexts still can: the file keys are unchanged, so a saved\n       \
             old header also opens the new files; --reencrypt makes new file keys, but cannot undo a\n       \
             publication, and protects only new content from them\n"
        ),
    });
    if report.still_opens == Some(false) {
        output.err(&format!(
            "  {note} your own key is not among the recipients: you cannot open the new seals\n"
        ));
    }
    if report.config_differs {
        output.err(&format!(
            "  {note} used the recipients of the committed .gitpack.toml; the one in the work tree differs   {}\n",
            paint(TYPE, &at_top("git add .gitpack.toml && git commit"))
        ));
    }
    remains(output, &ctx.cwd, report);
    if report.is_twin {
        let path = bytes_of_path(path_of(&ctx.cwd, &report.output));
        let command = format!("git add -- {}", pathspec(&path));
        output.err(&format!("  {:<10} {}\n", "next", paint(TYPE, &command)));
    }
}

fn path_of<'a>(from: &Path, path: &'a Path) -> &'a Path {
    path.strip_prefix(from).unwrap_or(path)
}

fn remains(output: &mut Output, cwd: &Path, report: &RekeyReport) {
    let remains = &report.remains;
    match remains.places.is_empty() {
        true => output.err("  found no old ciphertexts; git pack cannot see copies elsewhere\n"),
        false => output.err("  old ciphertexts remain in these places, and perhaps in others:\n"),
    }
    let slash = if report.pack_id.is_some() { "/" } else { "" };
    let rows: Vec<[String; 3]> = remains.places.iter().map(|place| row(cwd, place, slash)).collect();
    output.err(&aligned(&rows, "    "));
    for (what, why) in &remains.unseen {
        let why = harmless(&one_line(why));
        output.err(&format!("  {} {what}: {why}\n", paint(LOOK, "note")));
    }
}

fn row(cwd: &Path, place: &Remaining, slash: &str) -> [String; 3] {
    let ciphertexts = |n: &usize| count(*n as u64, "ciphertext");
    let [what, place, about] = match place {
        Remaining::Source(path) => [
            "source".into(),
            format!("{}{slash}", path_from(cwd, path)),
            String::new(),
        ],
        Remaining::Pack(path, n) => ["pack".into(), format!("{}/", path_from(cwd, path)), ciphertexts(n)],
        Remaining::Store(path, n) => [
            "seal store".into(),
            format!("{}/", path_from(cwd, path)),
            ciphertexts(n),
        ],
        Remaining::Refs(names) => ["history".into(), listed(names), String::new()],
        Remaining::Remote(name, branches) => {
            let about = "as of the last fetch or push".to_owned();
            [format!("remote {}", remote_name(name)), listed(branches), about]
        }
        Remaining::Objects => [
            "git".into(),
            "object database".into(),
            "not reachable from any branch or tag".into(),
        ],
    };
    [what, place, about]
}

/// Names refs: branches by their bare name, tags as such.
fn listed(names: &[String]) -> String {
    let name = |name: &String| {
        let said = match (name.strip_prefix("heads/"), name.strip_prefix("tags/")) {
            (Some(branch), _) => branch.to_owned(),
            (_, Some(tag)) => format!("tag {tag}"),
            _ => name.clone(),
        };
        shown(said.as_bytes())
    };
    let mut all: Vec<String> = names.iter().take(NAMED).map(name).collect();
    if names.len() > all.len() {
        all.push(format!("and {} more", names.len() - all.len()));
    }
    all.join(", ")
}
