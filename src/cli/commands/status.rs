//! `git pack status`: shows what is protected here, who can open it, and which hooks guard it.

use clap::Parser;

use super::Run;
use super::agent::info::{faults, private};
use super::operator::{Operator, Prints};
use super::protect::standing;
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::doubt::doubt_words;
use crate::cli::output::names::short_key;
use crate::cli::output::table::columns;
use crate::cli::output::words::{BLOCKS, LOOK, PROVEN, TYPE, argument, arrow, count, paint, size};
use crate::cli::style::{Envelope, Style};
use crate::format::config::is_same_recipient;
use crate::format::protected::Origin;
use crate::format::remote_url::without_secret;
use crate::ops::Context;
use crate::ops::agent::info::{InfoReport, PrivateCounts, ShardInfo, sum};
use crate::ops::guard::drivers::DriversState;
use crate::ops::guard::install::Present;
use crate::ops::guard::remotes::RemoteReport;
use crate::ops::guard::status::{self, CanaryOutcome, RegistryReport, StatusReport};
use crate::refusal::shown::{harmless, visible};
use crate::rules::push::Doubt;

/// The most files of a kind that are named.
const NAMED: usize = 50;

/// Show what is protected, who can open it, and what guards it
#[derive(Parser)]
#[command(name = "status")]
pub(super) struct Status {
    /// Print the protection rules in force
    #[arg(long, conflicts_with = "doctor")]
    registry: bool,
    /// Test each hook: run it on a canary file, as git would, and check that it blocks
    #[arg(long)]
    doctor: bool,
}

impl Run for Status {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Report,
            yes: "SHOWN",
            no: Some("NOT_GUARDED"),
        })
    }

    fn envelope() -> Envelope {
        Envelope::Never
    }

    fn style(&self) -> Style {
        Style::Human
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        if self.registry {
            registry(output, &status::registry(ctx)?);
            return Ok(Exit::Yes);
        }
        let report = status::status(ctx)?;
        let proofs = match self.doctor {
            true => Some(status::doctor(ctx)?),
            false => None,
        };
        human(output, &report, proofs.as_deref());
        let unproven = proofs
            .iter()
            .flatten()
            .any(|(_, proof)| !matches!(proof, CanaryOutcome::Blocked | CanaryOutcome::BlockedAlone));
        Ok(Exit::yes_if(!unproven))
    }
}

fn human(output: &mut Output, report: &StatusReport, proofs: Option<&[(&'static str, CanaryOutcome)]>) {
    output.line(&row("repository", &repository(report)));
    match proofs {
        Some(proofs) => guard_proven(output, proofs),
        None => guard(output, report),
    }
    if let Some(state) = report.drivers {
        output.line(&row("drivers", &drivers(state)));
    }
    protected(output, report);
    if report.known.originals > 0 {
        let text = format!(
            "{} by content, {}; the guard finds copies under any name",
            count(report.known.originals as u64, "file"),
            size(report.known.bytes)
        );
        output.line(&row("known", &text));
    }
    let own = report.own_recipient.as_deref();
    let recipients: Vec<String> = report
        .recipients
        .iter()
        .map(
            |recipient| match own.is_some_and(|own| is_same_recipient(own, recipient)) {
                true => format!("{} (you)", short_key(recipient)),
                false => short_key(recipient),
            },
        )
        .collect();
    let text = match (recipients.is_empty(), report.configured) {
        (true, true) => format!("none      → {}", paint(TYPE, "git pack recipients add age1…")),
        (true, false) if report.dirty.is_some() => {
            format!("none: no .gitpack.toml      → {}", paint(TYPE, "git pack init"))
        }
        (true, false) => "none".to_owned(),
        (false, _) => format!("{}: {}", recipients.len(), recipients.join(", ")),
    };
    output.line(&row("recipients", &text));
    remotes(output, &report.remotes);
    match &report.agent {
        None => {}
        Some(Ok(report)) => agent(output, report),
        Some(Err(why)) => output.line(&row("agent", &format!("{} {}", paint(LOOK, "unknown:"), harmless(why)))),
    }
    for (at, (path, commit)) in report.packs.iter().enumerate() {
        let head = report.commit.map(|id| id.hex());
        let about = match commit {
            Some(commit) if Some(commit) == head.as_ref() => "sealed from HEAD".to_owned(),
            Some(commit) => format!("sealed from {}", harmless(commit.get(..7).unwrap_or(commit))),
            None => "evidence".to_owned(),
        };
        output.line(&row(
            if at == 0 { "packs" } else { "" },
            &format!("{}   {about}", visible(path.as_bytes())),
        ));
    }
}

/// Prints what the agent store holds, and what is wrong with it.
fn agent(output: &mut Output, report: &InfoReport) {
    let mut lines = Vec::new();
    if !report.shards.is_empty() {
        let sum = |of: fn(&ShardInfo) -> u64| sum(report.shards.iter().map(of));
        lines.push(format!(
            "{}, {} in {}",
            count(report.shards.len() as u64, "shard"),
            count(sum(|shard| shard.cycles), "cycle"),
            count(sum(|shard| shard.packs), "pack")
        ));
    }
    lines.extend(faults(report));
    if report.private != PrivateCounts::default() {
        lines.push(format!("private files: {}", private(&report.private)));
    }
    for (at, line) in lines.iter().enumerate() {
        output.line(&row(if at == 0 { "agent" } else { "" }, line));
    }
}

/// Prints for each remote whether it is private, and how many of its tracking refs are trusted.
fn remotes(output: &mut Output, remotes: &[RemoteReport]) {
    for (at, remote) in remotes.iter().enumerate() {
        let place = match remote.is_private {
            true => "private",
            false => "public",
        };
        let refs = count(remote.tracked as u64, "tracking ref");
        let about = match remote.doubt.map(doubt_words) {
            None => format!("{refs} trusted"),
            Some(None) => "no tracking refs".to_owned(),
            Some(Some((why, command))) => {
                // Before the first push, install records the tracking refs as they are.
                let command = match remote.doubt {
                    Some(Doubt::Unmet) => Some("git pack install"),
                    _ => command,
                };
                let command = command
                    .map(|command| format!("      {}", arrow(command)))
                    .unwrap_or_default();
                format!("{} of {refs} trusted, {why}{command}", remote.counted)
            }
        };
        let url = visible(without_secret(&remote.url).as_bytes());
        let text = format!("{}, {url}: {place}, {about}", visible(remote.name.as_bytes()));
        output.line(&row(if at == 0 { "remotes" } else { "" }, &text));
    }
}

fn repository(report: &StatusReport) -> String {
    let at = match (&report.branch, report.commit) {
        (Some(branch), Some(commit)) => format!("{} at {}", visible(branch.as_bytes()), commit.short()),
        (None, Some(commit)) => format!("detached at {}", commit.short()),
        (Some(branch), None) => format!("{}, no commit yet", visible(branch.as_bytes())),
        (None, None) => "no commit yet".into(),
    };
    match report.dirty {
        None => format!("{at}, bare"),
        Some(0) => format!("{at}, clean"),
        Some(n) => format!("{at}, {} changed", count(n as u64, "tracked file")),
    }
}

fn guard(output: &mut Output, report: &StatusReport) {
    let there: Vec<String> = report
        .hooks
        .iter()
        .filter_map(|(hook, how)| {
            let how = match (*how)? {
                Present::Ours | Present::Absent => "",
                Present::Called => " (called by another hook)",
                Present::ToldNothing => {
                    " (called by another hook, in which git lfs reads the list of pushed refs first: call git pack before it)"
                }
                Present::Configured => " (in git's configuration)",
            };
            Some(format!("{hook}{how}"))
        })
        .collect();
    let missing: Vec<&str> = report
        .hooks
        .iter()
        .filter(|(_, how)| how.is_none())
        .map(|(hook, _)| *hook)
        .collect();
    if !there.is_empty() {
        let prove = paint(TYPE, "git pack status --doctor");
        output.line(&row(
            "guard",
            &format!("{}: installed      → {prove} tests it", there.join(", ")),
        ));
    }
    if !missing.is_empty() {
        let label = if there.is_empty() { "guard" } else { "" };
        let install = match report.dirty {
            Some(_) => paint(TYPE, "git pack install"),
            None => paint(TYPE, "git pack init --server"),
        };
        let what = format!(
            "{}: {}      → {install}",
            missing.join(", "),
            paint(BLOCKS, "NOT GUARDED")
        );
        output.line(&row(label, &what));
    }
}

/// Returns what the clone has of the drivers, and what to do about it.
fn drivers(state: DriversState) -> String {
    let install = || arrow("git pack install");
    match state {
        DriversState::Set { can_open: true } => {
            "set: git compares and merges sealed twins by their plaintext".to_owned()
        }
        DriversState::Set { can_open: false } => {
            "set, but there is no identity here: git shows twins as sealed and merges none".to_owned()
        }
        DriversState::Different => format!("set by another program or by hand      {}", install()),
        DriversState::NotSet => format!("not set: git takes sealed twins for binary files      {}", install()),
        DriversState::Off => "off: git config gitpack.drivers is false".to_owned(),
    }
}

fn guard_proven(output: &mut Output, proofs: &[(&'static str, CanaryOutcome)]) {
    for (at, (hook, proof)) in proofs.iter().enumerate() {
        let what = match proof {
            CanaryOutcome::Blocked => paint(PROVEN, "firing (just blocked a canary)"),
            CanaryOutcome::BlockedAlone => format!(
                "{}, but its hook manager tells it only one ref of a push",
                paint(PROVEN, "firing (just blocked a canary)")
            ),
            CanaryOutcome::NotGuarded => format!("{} (let a canary pass)", paint(BLOCKS, "NOT GUARDED")),
            CanaryOutcome::FailedOtherwise(why) => {
                format!(
                    "{} it failed before git-pack checked: {}",
                    paint(LOOK, "unknown:"),
                    harmless(why)
                )
            }
        };
        output.line(&row(if at == 0 { "guard" } else { "" }, &format!("{hook}: {what}")));
    }
}

fn protected(output: &mut Output, report: &StatusReport) {
    let sealed = report.twins.len();
    let (tracked, untracked) = (report.tracked.len(), report.untracked.len());
    let mut parts = Vec::new();
    if sealed > 0 {
        parts.push(format!("{sealed} sealed"));
    }
    if tracked > 0 {
        parts.push(format!("{tracked} tracked in plaintext"));
    }
    if untracked > 0 {
        parts.push(format!("{untracked} in plaintext and untracked"));
    }
    let total = sealed + tracked + untracked;
    let text = match total {
        0 => "no files".to_owned(),
        total => format!("{}: {}", count(total as u64, "file"), parts.join(", ")),
    };
    output.line(&row("protected", &text));
    let mut rows: Vec<[String; 3]> = Vec::new();
    for pair in report.twins.iter().take(NAMED) {
        let path = pair.path.as_bytes();
        let (about, command) = standing(pair);
        rows.push([visible(path), about, command]);
    }
    for path in report.tracked.iter().take(NAMED) {
        let command = format!("git pack protect {}", argument(path.as_bytes()));
        rows.push([visible(path.as_bytes()), "tracked in plaintext".into(), arrow(&command)]);
    }
    for path in report.untracked.iter().take(NAMED) {
        rows.push([visible(path.as_bytes()), "untracked, not sealed".into(), String::new()]);
    }
    columns(output, &rows, "             ");
}

/// Prints the rules in force.
fn registry(output: &mut Output, report: &RegistryReport) {
    let mut rows = vec![["class", "policy", "paths and formats", "but not in", "from"].map(str::to_owned)];
    for rule in &report.rules {
        let formats = rule
            .formats
            .iter()
            .map(|format| format!("content: {}", format.as_str()));
        let what: Vec<String> = rule.paths.iter().cloned().chain(formats).collect();
        let origin = match rule.origin {
            Origin::BuiltIn => "built in",
            Origin::Config => ".gitpack.toml",
        };
        rows.push([
            harmless(&rule.class),
            rule.policy.as_str().into(),
            harmless(&what.join(" ")),
            harmless(&rule.allow_in.join(" ")),
            origin.into(),
        ]);
    }
    columns(output, &rows, "");
    for allow in &report.allowed {
        output.line(&format!("allowed   blob {}   {}", allow.blob, harmless(&allow.reason)));
    }
    output.err(
        "  the last matching rule decides; no rule releases pack-run or key, but [[allow]] can release single keys\n",
    );
}

fn row(label: &str, text: &str) -> String {
    format!("{label:<12} {text}")
}
