//! The report of `git pack status` for a person.

use super::{files, hooks};
use crate::cli::commands::agent::info::{faults, private};
use crate::cli::env::at_top;
use crate::cli::output::Output;
use crate::cli::output::doubt::doubt_words;
use crate::cli::output::names::short_key;
use crate::cli::output::sheet::Sheet;
use crate::cli::output::words::{LOOK, PROVEN, TYPE, count, paint, size};
use crate::format::config::is_same_recipient;
use crate::format::remote_url::without_secret;
use crate::ops::agent::info::{InfoReport, PrivateCounts, ShardInfo, sum};
use crate::ops::guard::remotes::RemoteReport;
use crate::ops::guard::status::StatusReport;
use crate::ops::guard::status::doctor::CanaryOutcome;
use crate::ops::guard::status::packs::PackOutput;
use crate::refusal::shown::{harmless, visible};
use crate::rules::health::Trouble;
use crate::rules::push::Doubt;

/// The most packs that are named.
const PACKS: usize = 5;

/// Prints everything.
pub(super) fn print(
    output: &mut Output,
    report: &StatusReport,
    proofs: Option<&[(&'static str, CanaryOutcome)]>,
    troubles: &[Trouble],
) {
    let sheet = &mut Sheet::on(output);
    sheet.label("repository").line(&repository(report));
    match proofs {
        Some(proofs) => hooks::proven(sheet, proofs),
        None => hooks::installed(sheet, report),
    }
    if let Some(state) = report.drivers {
        hooks::drivers(sheet.label("drivers"), report, state);
    }
    if report.dirty.is_some() {
        files::protected(sheet.label("protected"), report);
    }
    if report.known.originals > 0 {
        let text = format!(
            "{} by content, {}; the guard finds copies under any name",
            count(report.known.originals as u64, "file"),
            size(report.known.bytes)
        );
        sheet.label("known").line(&text);
    }
    recipients(sheet.label("recipients"), report);
    remotes(sheet.label("remotes"), &report.remotes);
    match &report.agent {
        None => {}
        Some(Ok(report)) => agent(sheet.label("agent"), report),
        Some(Err(why)) => {
            let text = format!("{} {}", paint(LOOK, "unknown:"), harmless(why));
            sheet.label("agent").line(&text);
        }
    }
    packs(sheet.label("packs"), report);
    next(sheet.label("next"), report, troubles);
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
        // Protected files that are not tracked are told below.
        Some(0) if report.files.plain.iter().any(|file| !file.is_tracked) => format!("{at}, no tracked file changed"),
        Some(0) => format!("{at}, clean"),
        Some(n) => format!("{at}, {} changed", count(n as u64, "tracked file")),
    }
}

fn recipients(sheet: &mut Sheet<'_>, report: &StatusReport) {
    let own = report.own_recipient.as_deref();
    let named =
        report.recipients.iter().map(
            |recipient| match own.is_some_and(|own| is_same_recipient(own, recipient)) {
                true => format!("{} (you)", short_key(recipient)),
                false => short_key(recipient),
            },
        );
    let named: Vec<String> = named.collect();
    match (named.is_empty(), report.configured) {
        (true, true) => sheet.advised("none", "git pack recipients add age1…"),
        (true, false) if report.is_uncommitted => {
            let text = format!("none: {}", paint(LOOK, ".gitpack.toml is in HEAD and not on the disk"));
            sheet.advised(&text, &at_top("git restore .gitpack.toml"))
        }
        (true, false) if report.dirty.is_some() => sheet.advised("none: no .gitpack.toml", "git pack init"),
        (true, false) => sheet.line("none"),
        (false, _) => sheet.line(&format!("{}: {}", named.len(), named.join(", "))),
    };
    match report.can_open() {
        Some(false) => {
            let text = format!(
                "{}, so you cannot open what is sealed now",
                paint(LOOK, "your own key is not among them")
            );
            sheet.advised(&text, "git pack key public");
        }
        None if report.own_recipient.is_none() && !named.is_empty() => {
            sheet.advised(
                "there is no identity here, so nothing can be opened",
                "git pack key generate",
            );
        }
        _ => {}
    }
    if report.is_uncommitted && report.configured && report.dirty.is_some() {
        let text = format!(
            "{}: seal and the hooks go by that of HEAD",
            paint(LOOK, ".gitpack.toml is not committed")
        );
        sheet.advised(&text, &at_top("git add .gitpack.toml && git commit"));
    }
}

/// Prints for each remote whether it is private, and how many of its tracking refs are trusted.
fn remotes(sheet: &mut Sheet<'_>, remotes: &[RemoteReport]) {
    for remote in remotes {
        let place = match remote.is_private {
            true => "private",
            false => "public",
        };
        let refs = count(remote.tracked as u64, "tracking ref");
        let url = visible(without_secret(&remote.url).as_bytes());
        let place = format!("{}, {url}: {place}", visible(remote.name.as_bytes()));
        match remote.doubt.map(doubt_words) {
            None => sheet.line(&format!("{place}, {refs} trusted")),
            Some(None) => sheet.line(&format!("{place}, no tracking refs")),
            Some(Some((why, command))) => {
                // Before the first push, install records the tracking refs as they are.
                let command = match remote.doubt {
                    Some(Doubt::Unmet) => Some("git pack install"),
                    _ => command,
                };
                let text = format!("{place}, {} of {refs} trusted, {why}", remote.counted);
                match command {
                    Some(command) => sheet.advised(&text, command),
                    None => sheet.line(&text),
                }
            }
        };
    }
}

/// Prints what the agent store holds, and what is wrong with it.
fn agent(sheet: &mut Sheet<'_>, report: &InfoReport) {
    if !report.shards.is_empty() {
        let sum = |of: fn(&ShardInfo) -> u64| sum(report.shards.iter().map(of));
        sheet.line(&format!(
            "{}, {} in {}",
            count(report.shards.len() as u64, "shard"),
            count(sum(|shard| shard.cycles), "cycle"),
            count(sum(|shard| shard.packs), "pack")
        ));
    }
    if let Some(faults) = faults(report) {
        sheet.line(&faults);
    }
    if report.private != PrivateCounts::default() {
        sheet.line(&format!("private files: {}", private(&report.private)));
    }
}

/// Prints the packs: those of `HEAD` first.
fn packs(sheet: &mut Sheet<'_>, report: &StatusReport) {
    let head = report.commit.map(|id| id.hex());
    let is_of_head = |pack: &&PackOutput| pack.commit.is_some() && pack.commit == head;
    let packs = &report.outputs.packs;
    let (mut ordered, others): (Vec<_>, Vec<_>) = packs.iter().partition(is_of_head);
    ordered.extend(others);
    let rows = ordered.iter().take(PACKS).map(|pack| {
        let about = match &pack.commit {
            Some(_) if is_of_head(pack) => "sealed from HEAD".to_owned(),
            Some(commit) => format!("sealed from {}, not HEAD", harmless(commit.get(..7).unwrap_or(commit))),
            None => "evidence".to_owned(),
        };
        [visible(pack.path.as_bytes()), about, known_of(pack)]
    });
    let rows: Vec<_> = rows.collect();
    sheet.rows(&rows);
    if ordered.len() > PACKS {
        let more = format!("and {} more", ordered.len() - PACKS);
        sheet.advised(&more, "git pack list");
    }
}

/// Returns what is known here of a pack: its signatures, its attestations, and where it was published.
fn known_of(pack: &PackOutput) -> String {
    let mut parts = Vec::new();
    if pack.attached.signatures > 0 {
        parts.push(count(pack.attached.signatures, "signature"));
    }
    if pack.attached.attestations > 0 {
        parts.push(count(pack.attached.attestations, "attestation"));
    }
    if parts.is_empty() {
        parts.push("not signed".to_owned());
    }
    match pack.published.is_empty() {
        true => {}
        false => parts.push(format!("published at {}", harmless(&pack.published.join(", ")))),
    }
    parts.join(", ")
}

/// Prints what to do next.
fn next(sheet: &mut Sheet<'_>, report: &StatusReport, troubles: &[Trouble]) {
    let mut commands = Vec::new();
    let is_bare = report.dirty.is_none();
    for trouble in troubles {
        match trouble {
            Trouble::NotGuarded if is_bare => commands.push("git pack init --server".to_owned()),
            Trouble::NotGuarded if !report.configured => commands.push("git pack init".to_owned()),
            Trouble::NotGuarded => commands.push("git pack install".to_owned()),
            Trouble::Plaintext => commands.push(files::protecting(report)),
            Trouble::AgentStore => commands.push("git pack agent verify".to_owned()),
            // These have their commands beside them.
            Trouble::Drifted | Trouble::NotProven => {}
        }
    }
    if commands.is_empty() {
        let cannot_open = !report.recipients.is_empty() && report.can_open() != Some(true);
        match (troubles.is_empty(), cannot_open) {
            (true, false) => sheet.advised(
                &format!(
                    "{}; contents were not scanned",
                    paint(PROVEN, "nothing is wrong by name")
                ),
                "git pack scan --all",
            ),
            (true, true) => {
                sheet.line("nothing is wrong by name, but you cannot open what is sealed here; see recipients")
            }
            (false, _) => sheet.line("do what the arrows above say"),
        };
        return;
    }
    for command in commands {
        sheet.line(&paint(TYPE, &command));
    }
}
