//! Leaks for people: a line for each, and advice. A scan and the hooks share them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::grouped::{deleted_again, grouped};
pub(in crate::cli::commands) use super::rows::{NAMED, leak_row, look_alikes, unnamed};
use crate::cli::env;
use crate::cli::output::Output;
use crate::cli::output::in_part::in_part_notice;
use crate::cli::output::table::aligned;
use crate::cli::output::words::{LOOK, argument, count, duration, paint, pathspec, size};
use crate::format::agent::private::AGENTS;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::EntryKind;
use crate::ops::guard::scan::{Examined, FoundLeak, ScanReport};
use crate::refusal::shown::{brief, harmless};
use crate::rules::protect::Cause;
use crate::rules::scan::LeakCode;
use crate::rules::weakening::{Weakening, WeakeningKind};

/// The most leaks that get a line each. More are grouped.
pub(in crate::cli::commands) const LISTED: usize = 24;

/// The most items of a kind that a notice names.
const EXAMPLES: usize = 3;

/// The most paths in a command to be typed.
pub(super) const TYPED: usize = 12;

/// Returns whether a leak is a private file of an agent, in the place where such files are.
fn is_agents(found: &FoundLeak) -> bool {
    let path = found.leak.entry.path.as_bytes();
    let is_below = path.split(|byte| *byte == b'/').any(|part| part == AGENTS.as_bytes());
    found.leak.class == "agent" && is_below
}

pub(in crate::cli::commands) fn commit_advice(leaks: &[FoundLeak]) -> Vec<(&'static str, String)> {
    let names = |wanted: &dyn Fn(&FoundLeak) -> bool, name: &dyn Fn(&[u8]) -> String| names_of(leaks, wanted, name);
    let git = env::git_at_top();
    let mut advice = Vec::new();
    let sealable = names(&|found| is_sealable(found) && !is_agents(found), &argument);
    if leaks.iter().any(is_agents) {
        advice.push(("encrypt in place", format!("{git} pack agent migrate")));
    }
    if !sealable.is_empty() {
        advice.push(("seal instead", format!("{git} pack protect{sealable}")));
    }
    if leaks.iter().any(|found| found.is_added) {
        let added = names(&|found| found.is_added, &pathspec);
        advice.push(("leave out of the commit", format!("{git} restore --staged --{added}")));
    }
    if leaks.iter().any(|found| !found.is_added) {
        let others = names(&|found| !found.is_added, &pathspec);
        advice.push(("stop tracking, keep on disk", format!("{git} rm --cached --{others}")));
    }
    advice.extend(rules_advice(leaks));
    advice
}

/// Returns the sealed twin that protects a file; none if a rule does, or if the content is known.
pub(in crate::cli::commands) fn twin_of(found: &FoundLeak) -> Option<&RepoPath> {
    match &found.leak.cause {
        Cause::Twin(twin) => Some(twin),
        _ => None,
    }
}

/// Returns the advice to release files on purpose. No rule releases a private key or a run output, and none takes back the
/// protection of a sealed twin.
pub(super) fn rules_advice(leaks: &[FoundLeak]) -> Option<(&'static str, String)> {
    let of_rules = |found: &&FoundLeak| found.leak.code != LeakCode::TrackedRunOutput;
    let mut releasable = leaks.iter().filter(of_rules).peekable();
    releasable.peek()?;
    let twins: Option<Vec<&RepoPath>> = releasable.clone().map(twin_of).collect();
    if let Some(twins) = twins.filter(|twins| twins.len() <= TYPED) {
        let git = env::git_at_top();
        let names: String = twins
            .iter()
            .map(|twin| format!(" {}", pathspec(twin.as_bytes())))
            .collect();
        return Some((
            "or take the protection back",
            format!(
                "{git} rm -q --ignore-unmatch --{names} && {git} commit -m 'Remove sealed twins' --{names}, then commit the rest"
            ),
        ));
    }
    Some(match releasable.all(|found| found.leak.code == LeakCode::PrivateKey) {
        true => (
            "if the key is to be public",
            "[[allow]] with its blob in .gitpack.toml; no [[protect]] rule releases a key  (git pack help rules)"
                .into(),
        ),
        false => (
            "or change the rules",
            "[[protect]] and [[allow]] in .gitpack.toml  (git pack help rules)".into(),
        ),
    })
}

/// Returns the paths of the wanted leaks as arguments, or a placeholder if they are too many to be typed.
pub(in crate::cli::commands) fn names_of(
    leaks: &[FoundLeak],
    wanted: &dyn Fn(&FoundLeak) -> bool,
    name: &dyn Fn(&[u8]) -> String,
) -> String {
    let mut paths: Vec<&[u8]> = Vec::new();
    for found in leaks.iter().filter(|found| wanted(found)) {
        let path = found.leak.entry.path.as_bytes();
        if paths.last() != Some(&path) {
            paths.push(path);
        }
    }
    match paths.len() {
        0..=TYPED => paths.iter().map(|path| format!(" {}", name(path))).collect(),
        n => format!(" <each of the {n} files>"),
    }
}

/// Returns a line for each leak or, if they are many, for each group of them. `still` says why a file that is deleted again
/// is a leak.
pub(in crate::cli::commands) fn leak_lines(leaks: &[FoundLeak], still: &str) -> String {
    if leaks.len() > LISTED {
        return grouped(leaks, still);
    }
    let rows: Vec<_> = leaks
        .iter()
        .map(|found| {
            let commit = found.leak.entry.commit.map(|id| id.short()).unwrap_or_default();
            let [path, class, rule] = leak_row(&found.leak);
            [commit, path, class, rule, found.leak.entry.id.hex()[..12].to_owned()]
        })
        .collect();
    let without_commits = rows.iter().all(|row| row[0].is_empty());
    let mut text = String::new();
    let lines = match without_commits {
        true => aligned(
            &rows.into_iter().map(|[_, a, b, c, d]| [a, b, c, d]).collect::<Vec<_>>(),
            "  ",
        ),
        false => aligned(&rows, "  "),
    };
    for (line, found) in lines.lines().zip(leaks) {
        text.push_str(&format!("{line}\n{}", deleted_again(found.deleted_in, still)));
    }
    text.push_str(&look_alikes(leaks.iter().map(|found| found.leak.entry.path.as_bytes())));
    text
}

/// Returns what a code stands for, in a few words.
pub(super) fn about(code: LeakCode) -> &'static str {
    match code {
        LeakCode::TrackedRunOutput => "a run output, which must not be tracked",
        LeakCode::PlaintextProtected => "protected plaintext",
        LeakCode::FakeSeal => "a file that is named like a sealed one, but is not sealed",
        LeakCode::BrokenSeal => "a damaged age file, which no identity can open",
        LeakCode::LfsPointer => "a Git LFS pointer to protected plaintext",
        LeakCode::PrivateKey => "a private key",
        LeakCode::KnownPlaintext => "a copy of plaintext that this clone protected",
        LeakCode::ExaminedInPart => "a file that could not be examined completely",
    }
}

pub(in crate::cli::commands) fn notices(output: &mut Output, report: &ScanReport) {
    for file in report.in_part.iter().take(NAMED) {
        output.err(&in_part_notice(&file.path.to_string(), &file.why));
    }
    output.err(&unnamed(report.in_part.len(), NAMED));
    if report.forgets {
        output.err(&format!(
            "  {} another user or HOME remembers protected content of this clone: here, copies of it are recognised only if they\n       \
             are of sealed twins whose plaintext is on disk\n",
            paint(LOOK, "note")
        ));
    }
    for what in weakened(&report.weakened) {
        output.err(&format!(
            "  {}   {what}; the earlier rules still apply to this change\n",
            paint(LOOK, "POLICY_WEAKENED")
        ));
    }
}

/// Returns what a change weakens: a sentence for each item, or for each kind of which there are many.
fn weakened(all: &[Weakening]) -> Vec<String> {
    let mut kinds: BTreeMap<WeakeningKind, Vec<&Weakening>> = BTreeMap::new();
    for what in all {
        kinds.entry(what.kind()).or_default().push(what);
    }
    let told = kinds
        .into_iter()
        .flat_map(|(kind, items)| match items.len() > EXAMPLES {
            false => items.iter().map(|what| harmless(&what.to_string())).collect(),
            true => vec![many(kind, &items)],
        });
    told.collect()
}

/// Returns the sentence about many items of a kind: how many, and the first of them.
fn many(kind: WeakeningKind, items: &[&Weakening]) -> String {
    let what = match kind {
        WeakeningKind::Exception => "[[allow]] entries are new, for the blobs",
        WeakeningKind::Dropped => "[[protect]] rules protect less:",
        WeakeningKind::Releasing => "[[protect]] rules are new and release files:",
        WeakeningKind::InPart | WeakeningKind::Unpublished | WeakeningKind::Unsigned => "settings are weaker:",
        WeakeningKind::Private => "more places count as private:",
    };
    let names: Vec<String> = items
        .iter()
        .take(EXAMPLES)
        .map(|item| harmless(&brief(&item.name())))
        .collect();
    let more = items.len() - EXAMPLES;
    format!("{} {what} {} and {more} more", items.len(), names.join(", "))
}

/// Returns the sentence about what was examined.
pub(in crate::cli::commands) fn examined(examined: &Examined, time: Option<Duration>) -> String {
    if examined == &Examined::default() {
        return "found nothing to examine".into();
    }
    let mut parts = Vec::new();
    let remembered = |n: u64| match n {
        0 => String::new(),
        n => format!(" ({n} more known to be clean)"),
    };
    if examined.commits + examined.remembered_commits > 0 {
        let more = remembered(examined.remembered_commits);
        parts.push(format!("{}{more}", count(examined.commits, "commit")));
    }
    let more = remembered(examined.remembered_blobs);
    parts.push(format!("{}{more}", count(examined.blobs, "blob")));
    parts.push(size(examined.bytes));
    let time = time.map(|time| format!(" in {}", duration(time))).unwrap_or_default();
    format!("examined {}{time}", parts.join(", "))
}

pub(in crate::cli::commands) fn is_sealable(found: &FoundLeak) -> bool {
    let path = found.leak.entry.path.as_bytes();
    let is_file = matches!(found.leak.entry.kind, EntryKind::Regular | EntryKind::Executable);
    let has_name = !path.is_empty() && !path.contains(&b'\n') && !path.contains(&b'\r');
    is_file && has_name && matches!(found.leak.code, LeakCode::PlaintextProtected | LeakCode::PrivateKey)
}

/// Returns whether the leaks at a path can be sealed instead.
pub(in crate::cli::commands) fn is_sealable_at(leaks: &[FoundLeak]) -> impl Fn(&RepoPath) -> bool {
    let sealable = leaks.iter().filter(|found| is_sealable(found));
    let paths: BTreeSet<RepoPath> = sealable.map(|found| found.leak.entry.path.clone()).collect();
    move |path| paths.contains(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::object_id::ObjectId;

    #[test]
    fn many_weakenings_of_a_kind_are_one_sentence() {
        let blob = |byte: u8| Weakening::Exception(ObjectId::from_bytes(&[byte; 20]).unwrap());
        let mut all: Vec<Weakening> = (1..=50).map(blob).collect();
        all.push(Weakening::Private("git@git.example.org:team/*".into()));
        let told = weakened(&all);
        assert_eq!(told.len(), 2);
        assert_eq!(
            told[0],
            "50 [[allow]] entries are new, for the blobs 010101010101, 020202020202, 030303030303 and 47 more"
        );
        assert_eq!(told[1], "git@git.example.org:team/* now counts as private");
        assert_eq!(weakened(&all[47..50]).len(), 3);
    }
}
