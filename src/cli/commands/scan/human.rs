//! The findings of a scan, for people.

use std::collections::BTreeSet;
use std::time::Duration;

use super::leaks::{
    LISTED, commit_advice, examined, is_sealable, is_sealable_at, leak_lines, names_of, notices, rules_advice,
};
use super::way_out::way_out_lines;
use crate::cli::env;
use crate::cli::output::Output;
use crate::cli::output::table::advise;
use crate::cli::output::words::{BLOCKS, PROVEN, TYPE, argument, count, paint, pathspec, unchanged};
use crate::format::object_id::ObjectId;
use crate::format::path_bytes::bytes_of_path;
use crate::ops::Context;
use crate::ops::guard::scan::accept::Accepted;
use crate::ops::guard::scan::surfaces::Surface;
use crate::ops::guard::scan::{FoundLeak, ScanReport};
use crate::ops::guard::way_out::WayOut;
use crate::refusal::shown::shown;
use crate::rules::accepted::is_for_a_list;
use crate::rules::rewriting::Rewriting;

/// Where the findings of a scan are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// On stdout.
    Here,
    /// On stderr, because stdout holds a document for machines.
    Beside,
}

/// Prints the findings of a scan, a line each, advice, and what was examined.
pub(super) fn print(output: &mut Output, surface: &Surface, report: &ScanReport, told: Told, time: Duration) {
    let mut lines = leak_lines(&report.leaks, "history still holds it");
    let outcome = match report.is_clean() {
        true => paint(PROVEN, "CLEAN"),
        false => paint(BLOCKS, "LEAK"),
    };
    lines.push_str(&format!("pack scan: {outcome}\n"));
    match told {
        Told::Here => lines.lines().for_each(|line| output.line(line)),
        Told::Beside => output.err(&lines),
    }
    if !report.leaks.is_empty() {
        let paths =
            |wanted: &dyn Fn(&FoundLeak) -> bool, name: &dyn Fn(&[u8]) -> String| names_of(&report.leaks, wanted, name);
        let mut advice = Vec::new();
        match surface {
            Surface::Staged => advice = commit_advice(&report.leaks),
            Surface::WorkTree { .. } | Surface::Revision(_) => {
                let sealable = paths(&is_sealable, &argument);
                if !sealable.is_empty() {
                    advice.push(("seal instead", format!("{} pack protect{sealable}", env::git_at_top())));
                }
                advice.extend(rules_advice(&report.leaks));
            }
            Surface::Range(_) | Surface::All => advice = history_advice(output, surface, report),
        }
        if report.leaks.len() > LISTED && told == Told::Here {
            advice.push(("each finding on its own", "--json, or the paths alone with -z".into()));
        }
        output.err(&advise(&advice));
    }
    if !report.known.is_empty() {
        let known = counted(report.known.len(), "known finding is", "known findings are");
        output.err(&format!("  {known} in the baseline\n"));
    }
    if report.listed_keys + report.listed_outputs > 0 {
        let kinds = [
            (report.listed_keys, "private key"),
            (report.listed_outputs, "run output"),
        ];
        let kinds: Vec<String> = kinds
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, one)| count(*n, one))
            .collect();
        output.err(&format!(
            "  no baseline accepts private keys or run outputs; this one lists {}\n",
            kinds.join(" and ")
        ));
    }
    notices(output, report);
    output.err(&format!("  {}\n", examined(&report.examined, Some(time))));
}

/// Prints how leaks are taken out of commits that are not pushed yet, and returns what else can be done about those of a history.
fn history_advice(output: &mut Output, surface: &Surface, report: &ScanReport) -> Vec<(&'static str, String)> {
    let mut advice = Vec::new();
    match &report.way_out {
        Some(way) => output.err(&way_out_lines(way, &is_sealable_at(&report.leaks))),
        None => advice.push((
            "what is not pushed yet",
            "can be taken out: git filter-repo and git rebase -i rewrite commits".into(),
        )),
    }
    if report.way_out.as_ref().is_none_or(|way| way.is_partly_pushed) {
        advice.push((
            "what is already pushed",
            "is known there: treat it as published, and replace the keys in it, if any".into(),
        ));
    }
    let to_list = report.leaks.iter().filter(|found| is_for_a_list(&found.leak));
    let blobs: BTreeSet<ObjectId> = to_list.map(|found| found.leak.entry.id).collect();
    let what = match blobs.len() {
        0 => return advice,
        1 => "or allow this blob",
        _ => "or allow all these blobs",
    };
    let surface = match surface {
        Surface::Range(range) => format!("--range {}", argument(range.as_bytes())),
        _ => "--all".to_owned(),
    };
    advice.push((what, format!("git pack scan {surface} --write-allow")));
    advice
}

/// Prints what was written, and which findings got no exception.
pub(super) fn accepted(output: &mut Output, ctx: &Context, accepted: &Accepted, way: Option<&WayOut>) {
    let file = &shown(accepted.file.as_bytes());
    let written = match (accepted.added, accepted.present) {
        (0, 0) => format!("added nothing to {file}"),
        (0, present) => format!(
            "added nothing to {file}: {} allowed already",
            counted(present, "blob is", "blobs are")
        ),
        (added, _) => format!(
            "added {} to {file}; each releases one blob: review them, and delete those that must not be public",
            counted(added, "[[allow]] entry", "[[allow]] entries")
        ),
    };
    output.err(&format!("  {written}\n"));
    if accepted.names_file {
        output.err(&format!("  named {file} in .gitpack.toml, as allow_file\n"));
    }
    if accepted.added > 0 || accepted.names_file {
        let is_config = accepted.file == ".gitpack.toml";
        let config = (accepted.names_file && !is_config).then_some(".gitpack.toml");
        let changed: Vec<String> = config
            .into_iter()
            .chain([accepted.file.as_str()])
            .map(|name| accepted.root.join(name))
            .map(|path| pathspec(&bytes_of_path(path.strip_prefix(&ctx.cwd).unwrap_or(&path))))
            .collect();
        output.err(&next_steps(&changed.join(" "), way));
    }
    let keys = &accepted.by_hand;
    if !keys.is_empty() {
        output.err(&format!(
            "  added no entry for {}: replace these keys; if one is meant to be public, write its entry by hand\n{}",
            counted(keys.len(), "private key", "private keys"),
            leak_lines(keys, "history still holds it")
        ));
    }
    let never = &accepted.never;
    if !never.is_empty() {
        output.err(&format!(
            "  added no entry for {}, which no entry releases\n{}",
            counted(never.len(), "run output", "run outputs"),
            leak_lines(never, "history still holds it")
        ));
    }
}

/// Prints what would be written.
pub(super) fn would_accept(output: &mut Output, accepted: &Accepted) {
    let file = &shown(accepted.file.as_bytes());
    let what = counted(accepted.added, "[[allow]] entry", "[[allow]] entries");
    output.err(&format!("  would add {what} to {file}\n"));
    if accepted.names_file {
        output.err(&format!("  would name {file} in .gitpack.toml, as allow_file\n"));
    }
    unchanged(output);
}

/// Returns the commands that commit exceptions so that they count for what they release: before it, and by themselves. `way`
/// tells which commits hold that and are not pushed yet.
fn next_steps(files: &str, way: Option<&WayOut>) -> String {
    let release = format!("git add {files} && git commit -m 'Release blobs' -- {files}");
    // A first push to a remote goes by the rules that it brings.
    let (steps, about) = match way.filter(|way| way.has_remote) {
        Some(WayOut {
            rewriting: Rewriting::Again {
                base: Some(base),
                joined,
            },
            leaves_nothing: false,
            ..
        }) => {
            let about = match joined {
                1 => String::new(),
                n => format!("  the last {n} commits become one\n"),
            };
            let reset = format!("git reset --soft {}", base.short());
            (vec![reset, release, "git commit".to_owned()], about)
        }
        Some(_) => (
            vec![release],
            "  move that commit before the commits that are not pushed yet (git rebase -i), and push it first\n"
                .to_owned(),
        ),
        None => (vec![release], String::new()),
    };
    let mut text = String::new();
    for (step, label) in steps.iter().zip(["next", "", ""]) {
        text.push_str(&format!("  {label:4}   {}\n", paint(TYPE, step)));
    }
    format!(
        "{text}  the entries count from the next commit on, and from the next push on, so commit them by themselves\n{about}"
    )
}

fn counted(n: usize, one: &str, many: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    }
}
