//! `git pack protect`: seals files as `FILE.age`, and compares the pairs.

use std::path::PathBuf;

use clap::Parser;

use super::Run;
use super::flags::IdentityFlags;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::commands::scan::way_out::way_out_lines;
use crate::cli::env::at_top;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::table::columns;
use crate::cli::output::words::{LOOK, TYPE, argument, arrow, count, paint, pathspec, unchanged};
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::ops::Context;
use crate::ops::guard::twins::protect::{ProtectReport, ProtectRequest, protect};
use crate::ops::guard::twins::{PairReport, check};
use crate::ops::guard::way_out;
use crate::refusal::shown::{harmless, visible};
use crate::refusal::twin::MergeFault;
use crate::rules::twins::{MergeSide, Standing, TwinFault};

/// Seal each FILE as FILE.age, and have git track that instead
#[derive(Parser)]
#[command(name = "protect")]
pub(super) struct Protect {
    /// The files to seal
    #[arg(value_name = "FILE", required_unless_present = "check")]
    files: Vec<PathBuf>,
    /// Only compare files with their sealed twins; exit with 1 if any pair has drifted
    #[arg(long, conflicts_with_all = ["files", "force", "resolved", "dry_run"])]
    check: bool,
    /// Overwrite a twin whose content differs
    #[arg(long)]
    force: bool,
    /// Settle a merge conflict with the plaintext as it is now, as git add does
    #[arg(long)]
    resolved: bool,
    /// Only print what would be done
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    keys: IdentityFlags,
}

impl Run for Protect {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Status,
            yes: "DONE",
            no: Some("DRIFTED"),
        })
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let ctx = &self.keys.passphrase.answering(ctx)?;
        if self.check {
            let pairs = check(ctx, &self.keys.identities)?;
            checked(output, &pairs);
            return Ok(Exit::yes_if(!pairs.iter().any(PairReport::has_drifted)));
        }
        let request = ProtectRequest {
            files: self.files,
            force: self.force,
            resolved: self.resolved,
            identities: self.keys.identities,
            dry_run: self.dry_run,
        };
        let report = protect(ctx, &request)?;
        match self.dry_run {
            true => planned(output, &report),
            false => {
                human(output, &report);
                let files = report.files.iter().map(|pair| (&pair.path, &pair.exposure));
                if let Some(way) = way_out::of_exposures(ctx, files) {
                    output.err(&way_out_lines(&way, &|_| true));
                }
            }
        }
        Ok(Exit::Yes)
    }
}

/// Prints what would be sealed.
fn planned(output: &mut Output, report: &ProtectReport) {
    for pair in &report.files {
        let path = visible(pair.path.as_bytes());
        let what = match pair.standing {
            Standing::UpToDate => "is up to date as",
            _ => "would be sealed as",
        };
        output.line(&format!("{path} {what} {}", twin_name(&pair.path)));
    }
    output.err(&format!("  for {}\n", count(report.recipients as u64, "recipient")));
    unchanged(output);
}

fn human(output: &mut Output, report: &ProtectReport) {
    for pair in &report.files {
        let path = visible(pair.path.as_bytes());
        let what = match pair.standing {
            Standing::UpToDate => "up to date",
            _ => "sealed",
        };
        output.line(&format!("{what:<10} {path} as {}", twin_name(&pair.path)));
    }
    let recipients = count(report.recipients as u64, "recipient");
    let ignored = if report.not_ignored.is_empty() {
        " is ignored,"
    } else {
        ""
    };
    output.err(&format!(
        "  for {recipients}; the plaintext stays on disk,{ignored} and is no longer tracked\n"
    ));
    for taken in &report.one_side {
        let twin = twin_name(&taken.path);
        let (side, other) = match taken.side {
            MergeSide::Ours => ("our", "theirs"),
            MergeSide::Theirs => ("their", "ours"),
        };
        let about = match taken.other_deleted {
            true => format!("{other} deleted it"),
            false => format!("changes of {other} alone are not in it"),
        };
        output.err(&format!("  {twin} is now {side} side as it was; {about}\n"));
    }
    not_ignored(output, &report.not_ignored);
    for pair in report.files.iter().filter(|pair| !pair.exposure.is_empty()) {
        exposed(output, pair);
    }
    for name in &report.unstaged {
        output.err(&format!(
            "  {name} has other changes, so it was not staged   {}\n",
            paint(TYPE, &format!("git add {name}"))
        ));
    }
    for pair in &report.files {
        if let Some(TwinFault::Attribute(attribute)) = &pair.fault {
            output.err(&format!(
                "  git may change {}: it has the attribute {}   {}\n",
                twin_name(&pair.path),
                harmless(attribute),
                paint(
                    TYPE,
                    &format!(
                        "git check-attr -a {}",
                        argument(&[pair.path.as_bytes(), b".age"].concat())
                    )
                )
            ));
        }
    }
}

/// Prints the plaintexts that git does not ignore, although `.gitignore` has a line for them.
pub(super) fn not_ignored(output: &mut Output, paths: &[RepoPath]) {
    for path in paths {
        let command = format!("git check-ignore -v --no-index {}", argument(path.as_bytes()));
        let path = visible(path.as_bytes());
        output.err(&format!(
            "  {path} is not ignored: another .gitignore rule overrides it   {}\n",
            paint(TYPE, &command)
        ));
    }
}

/// Prints which commits hold the plaintext of a sealed file. Sealing does not take it out of history.
fn exposed(output: &mut Output, pair: &PairReport) {
    let path = visible(pair.path.as_bytes());
    let named = |commits: &[ObjectId]| {
        let first: Vec<String> = commits.iter().take(3).map(ObjectId::short).collect();
        let more = if commits.len() > 3 { ", …" } else { "" };
        format!("{} ({}{more})", count(commits.len() as u64, "commit"), first.join(", "))
    };
    output.err(&format!(
        "\n  {} history holds {path} in plaintext\n",
        paint(LOOK, "note")
    ));
    if !pair.exposure.unpushed.is_empty() {
        output.err(&format!(
            "    not pushed   {}: pushes are blocked until these no longer hold it\n",
            named(&pair.exposure.unpushed)
        ));
    }
    if !pair.exposure.kept.is_empty() {
        output.err(&format!(
            "    kept         {}: no branch or tag leads there, but another ref does\n",
            named(&pair.exposure.kept)
        ));
    }
    if !pair.exposure.pushed.is_empty() {
        output.err(&format!(
            "    pushed       {}: anyone who can read the remote may have it; replace any secrets in it\n",
            named(&pair.exposure.pushed)
        ));
    }
}

/// Prints the standing of each pair.
fn checked(output: &mut Output, pairs: &[PairReport]) {
    let rows: Vec<[String; 3]> = pairs
        .iter()
        .map(|pair| {
            let (about, command) = standing(pair);
            [visible(pair.path.as_bytes()), about, command]
        })
        .collect();
    columns(output, &rows, "");
    let drifted = pairs.iter().filter(|pair| pair.has_drifted()).count();
    let text = match (pairs.len(), drifted) {
        (0, _) => "no sealed twin is tracked here".to_owned(),
        (n, drifted) => format!("{drifted} of {} drifted", count(n as u64, "pair")),
    };
    output.err(&format!("  {text}\n"));
    let is_converted = |pair: &PairReport| {
        matches!(
            pair.fault,
            Some(TwinFault::ConvertedOnDisk | TwinFault::ConvertedInIndex)
        )
    };
    if pairs.iter().any(is_converted) {
        output.err("  git converts no line ends in files that have the line *.age -text in .gitattributes\n");
    }
}

/// Returns the name of the twin of a plaintext, as it is shown.
pub(super) fn twin_name(plain: &RepoPath) -> String {
    visible(&[plain.as_bytes(), b".age"].concat())
}

/// Returns the name of the twin of a plaintext, as a word of a shell.
fn quoted_twin(plain: &RepoPath) -> String {
    argument(&[plain.as_bytes(), b".age"].concat())
}

/// Returns the standing of a pair, and what to do about it.
pub(super) fn standing(pair: &PairReport) -> (String, String) {
    let (path, standing): (&RepoPath, _) = (&pair.path, pair.standing);
    let twin = twin_name(path);
    let arrow = |commands: &str| arrow(&at_top(commands));
    let protect = arrow(&format!("git pack protect {}", argument(path.as_bytes())));
    let reveal = arrow(&format!("git pack reveal {}", argument(path.as_bytes())));
    if standing == Standing::Unmerged {
        let (about, offer) = match &pair.unmerged {
            Some(MergeFault::DeletedByUs) => (
                ", our side deleted it",
                format!(
                    "git pack reveal --theirs {}, or git rm {}",
                    argument(path.as_bytes()),
                    quoted_twin(path)
                ),
            ),
            Some(MergeFault::DeletedByThem) => (
                ", their side deleted it",
                format!(
                    "git pack reveal --ours {}, or git rm {}",
                    argument(path.as_bytes()),
                    quoted_twin(path)
                ),
            ),
            _ => (
                "",
                format!(
                    "git pack reveal --merge {}, or --ours, or --theirs",
                    argument(path.as_bytes())
                ),
            ),
        };
        return (format!("sealed as {twin}, unmerged{about}"), arrow(&offer));
    }
    if pair.is_tracked {
        return (format!("sealed as {twin}, but also tracked in plaintext"), protect);
    }
    let spec = pathspec(&[path.as_bytes(), b".age"].concat());
    let sealed_file = quoted_twin(path);
    match (&pair.fault, standing) {
        (Some(TwinFault::ConvertedOnDisk), _) => {
            let restore = arrow(&format!("rm {sealed_file} && git checkout -- {spec}"));
            return (format!("sealed as {twin}, but its line ends were converted"), restore);
        }
        (Some(TwinFault::ConvertedInIndex), standing) => {
            let about = format!("sealed as {twin}, but its line ends were converted where it is staged");
            return (about, staging(standing, protect, &spec));
        }
        (Some(TwinFault::StagedDiffers), standing @ (Standing::UpToDate | Standing::SealedOnly)) => {
            let about = format!("sealed as {twin}, but the staged twin differs");
            return (about, staging(standing, protect, &spec));
        }
        (Some(TwinFault::Attribute(attribute)), Standing::UpToDate | Standing::SealedOnly) => {
            let about = format!(
                "sealed as {twin}, which git may change: attribute {}",
                harmless(attribute)
            );
            return (about, arrow(&format!("git check-attr -a {sealed_file}")));
        }
        (Some(TwinFault::OtherRecipients), Standing::UpToDate | Standing::SealedOnly | Standing::Unknown) => {
            let about = format!("sealed as {twin}, but for other recipients than .gitpack.toml names");
            let rekey = format!("git pack rekey {sealed_file} -o {sealed_file} --replace --reencrypt");
            return (about, arrow(&rekey));
        }
        _ => {}
    }
    match standing {
        Standing::UpToDate => (format!("sealed as {twin}, up to date"), String::new()),
        Standing::SealedOnly => (format!("sealed as {twin}, no plaintext here"), String::new()),
        Standing::PlainOnly => ("not sealed".into(), protect),
        Standing::PlainNewer => (format!("sealed as {twin}, plaintext is newer"), protect),
        Standing::SealedNewer => (format!("sealed as {twin}, twin is newer"), reveal),
        Standing::BothChanged => (format!("sealed as {twin}, contents differ"), String::new()),
        Standing::Unknown => (format!("sealed as {twin}, no identity here opens it"), String::new()),
        Standing::Unmerged => (format!("sealed as {twin}, unmerged"), String::new()),
    }
}

/// Returns the command that stages the twin as it is on disk.
fn staging(standing: Standing, protect: String, spec: &str) -> String {
    match standing {
        Standing::SealedOnly => arrow(&at_top(&format!("git add -- {spec}"))),
        _ => protect,
    }
}
