//! What the guard found, as people read it.

use std::time::Duration;

use crate::cli::env;
use crate::cli::output::Output;
use crate::cli::output::human::{advise, remote_name};
use crate::cli::output::json::examined_in_part;
use crate::cli::output::table::aligned;
use crate::cli::output::words::{BLOCKS, LOOK, PROVEN, TYPE, count, duration, paint, quoted, size};
use crate::format::object_id::ObjectId;
use crate::format::protected::{Origin, Policy};
use crate::format::remote_url::without_secret;
use crate::format::repo_state::EntryKind;
use crate::ops::guard::scan::surfaces::Surface;
use crate::ops::guard::scan::{Examined, Found, ScanReport};
use crate::refusal::shown::{harmless, shown};
use crate::rules::protect::Cause;
use crate::rules::push::{Doubt, private_line};
use crate::rules::scan::{InPart, Leak, LeakCode};

/// So many leaks are named in a hook's message; a list of more helps nobody.
const NAMED: usize = 50;

/// So many leaks are listed with their commits; `--json` has them all.
const LISTED: usize = 10_000;

/// So many paths are put into a command to be typed.
const TYPED: usize = 12;

/// Tells of what a commit would hold; silent if there is nothing to tell.
pub(crate) fn commit(output: &mut Output, report: &ScanReport) {
    let leaks = &report.leaks;
    if !leaks.is_empty() {
        let what = match (leaks.len(), leaks.iter().all(is_plain)) {
            (1, true) => "1 protected file is staged in plaintext".to_owned(),
            (n, true) => format!("{n} protected files are staged in plaintext"),
            (n, false) => format!("{} staged", count(n as u64, "leak")),
        };
        let mut text = format!("git-pack: {}, {what}\n\n", paint(BLOCKS, "commit blocked"));
        let rows: Vec<_> = leaks.iter().take(NAMED).map(|found| leak_row(&found.leak)).collect();
        text.push_str(&aligned(&rows, "  "));
        text.push_str(&unnamed(leaks.len(), NAMED));
        text.push('\n');
        text.push_str(&advise(&commit_advice(leaks)));
        output.err(&text);
    }
    if leaks.iter().any(|found| found.weakened) {
        output.err("  this commit itself would release them; a release counts from the next commit on,\n  so commit .gitpack.toml first, by itself\n");
    }
    notices(output, report);
}

fn commit_advice(leaks: &[Found]) -> Vec<(&'static str, String)> {
    let names = |wanted: &dyn Fn(&Found) -> bool, name: &dyn Fn(&[u8]) -> String| names_of(leaks, wanted, name);
    let git = env::git_at_top();
    let mut advice = Vec::new();
    let sealable = names(&is_sealable, &argument);
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
    if leaks.iter().any(|found| found.leak.code != LeakCode::TrackedRunOutput) {
        advice.push((
            "or decide otherwise",
            "[[protect]] and [[allow]] in .gitpack.toml".into(),
        ));
    }
    advice
}

/// Returns the paths of the wanted leaks as arguments; of too many to be typed, a word for them.
fn names_of(leaks: &[Found], wanted: &dyn Fn(&Found) -> bool, name: &dyn Fn(&[u8]) -> String) -> String {
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

/// Tells of what a push would publish.
pub(crate) fn push(output: &mut Output, remote: &str, report: &ScanReport, time: Duration) {
    let what = paint(BLOCKS, &format!("push to {} blocked", remote_name(remote)));
    range(output, &what, report, time);
    let Some(pushed_to) = report.pushed_to.as_ref().filter(|_| !report.leaks.is_empty()) else {
        return;
    };
    if report.leaks.iter().any(|found| found.leak.policy == Policy::Internal) {
        output.err(&public_place(&pushed_to.url));
    }
    if let Some((why, command)) = pushed_to.doubt.and_then(doubted) {
        output.err(&format!("  {why}, so everything that is pushed was judged{command}\n"));
    }
}

/// Says that a place counts as public, and how to call it private.
fn public_place(url: &str) -> String {
    let shown = match url {
        "" => "the place that is pushed to".to_owned(),
        url => shown(without_secret(url).as_bytes()),
    };
    match private_line(url) {
        Some(line) => format!(
            "  {shown} counts as public; if only insiders can read it, first commit and push, at the top of .gitpack.toml:\n    {}\n",
            paint(TYPE, &harmless(&line))
        ),
        None => {
            format!("  {shown} counts as public, and private_remotes cannot name it: give the remote an absolute URL\n")
        }
    }
}

/// Says why tracking refs do not count, and what would change that, where it explains why more was judged than is new.
fn doubted(doubt: Doubt) -> Option<(&'static str, String)> {
    let (why, command) = doubt_words(doubt)?;
    let command = command
        .map(|command| format!("   {}", paint(TYPE, command)))
        .unwrap_or_default();
    Some((why, command))
}

/// Says why tracking refs do not count, and which command would change that; nothing where there are none.
pub(super) fn doubt_words(doubt: Doubt) -> Option<(&'static str, Option<&'static str>)> {
    Some(match doubt {
        Doubt::NoRemote | Doubt::NothingTracked => return None,
        Doubt::PushedElsewhere => (
            "its tracking refs are fetched from another URL than the one pushed to",
            None,
        ),
        Doubt::AnotherUrl => ("its tracking refs were noted for another URL", Some("git fetch")),
        Doubt::Unmet | Doubt::Unknown => ("nothing says where its tracking refs are from", Some("git fetch")),
        Doubt::Shared => (
            "its tracking refs are filled by the refspecs of another remote too",
            None,
        ),
        Doubt::Rewritten => ("its history is not the one that was tracked", Some("git fetch")),
        Doubt::Unconfirmed => (
            "some tracking refs moved, and nothing says that this remote moved them",
            Some("git fetch"),
        ),
    })
}

/// Says why more was judged than may be pushed.
pub(crate) fn all_was_judged(output: &mut Output) {
    output.err(
        "  what is pushed was not said, so every branch and tag that the remote is not known to have was judged\n",
    );
}

/// Tells of what a server would receive.
pub(crate) fn receive(output: &mut Output, report: &ScanReport, time: Duration) {
    range(output, &paint(BLOCKS, "push blocked by this server"), report, time);
}

/// Tells of what changed refs would hold.
pub(crate) fn refs(output: &mut Output, report: &ScanReport, time: Duration) {
    range(output, &paint(BLOCKS, "update of refs blocked"), report, time);
}

fn range(output: &mut Output, what: &str, report: &ScanReport, time: Duration) {
    if !report.is_clean() {
        let mut found = Vec::new();
        if !report.leaks.is_empty() {
            found.push(count(report.leaks.len() as u64 + report.more, "leak"));
        }
        if !report.packs.is_empty() {
            found.push(count(report.packs.len() as u64, "invalid pack"));
        }
        let commits = count(
            report.examined.commits + report.examined.remembered_commits,
            "new commit",
        );
        let mut text = format!("git-pack: {what}, {} in {commits}\n\n", found.join(" and "));
        text.push_str(&leak_lines(&report.leaks, "the push would still publish it", LISTED));
        for pack in &report.packs {
            text.push_str(&format!(
                "  {}   PACK_INVALID   it does not verify\n",
                shown(pack.path.as_bytes())
            ));
            for problem in pack.problems.iter().take(NAMED) {
                text.push_str(&format!("            {}\n", harmless(problem)));
            }
        }
        text.push('\n');
        if let Some(first) = report.leaks.iter().find(|found| found.leak.entry.commit.is_some()) {
            let commit = first.leak.entry.commit.map(|id| id.short()).unwrap_or_default();
            let command = match first.is_root {
                true => "git rebase -i --root".to_owned(),
                false => format!("git rebase -i {commit}^"),
            };
            if report.is_elsewhere {
                text.push_str("  these commits are on another remote already; push others, without the files\n");
            } else {
                text.push_str("  these commits are not pushed yet; take the files out of them:\n");
                text.push_str(&format!("    {}\n", paint(TYPE, &command)));
            }
        }
        if !report.packs.is_empty() {
            text.push_str("  seal the pack again, or leave it out:\n");
            text.push_str(&format!("    {}\n", paint(TYPE, "git pack verify <pack>")));
        }
        if report.leaks.iter().any(|found| found.weakened) {
            text.push_str(
                "  the pushed commits themselves would release them; a release counts from the next push on,\n",
            );
            text.push_str("  so push the commit that changes .gitpack.toml first, by itself\n");
        }
        text.push_str(&format!("  {}\n", examined(&report.examined, Some(time))));
        output.err(&text);
    }
    notices(output, report);
}

/// Where the findings of a scan are told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// On stdout.
    Here,
    /// On stderr, as a document for machines stands on stdout.
    Beside,
}

/// Prints the findings of a scan, a line each, what to do, and what was looked at.
pub(crate) fn scan(output: &mut Output, surface: &Surface, report: &ScanReport, told: Told, time: Duration) {
    let named = match told {
        Told::Here => LISTED,
        Told::Beside => NAMED,
    };
    let mut lines = leak_lines(&report.leaks, "history still holds it", named);
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
            |wanted: &dyn Fn(&Found) -> bool, name: &dyn Fn(&[u8]) -> String| names_of(&report.leaks, wanted, name);
        let mut advice = Vec::new();
        match surface {
            Surface::Staged => advice = commit_advice(&report.leaks),
            Surface::WorkTree { .. } | Surface::Revision(_) => {
                let sealable = paths(&is_sealable, &argument);
                if !sealable.is_empty() {
                    advice.push(("seal instead", format!("{} pack protect{sealable}", env::git_at_top())));
                }
                advice.push((
                    "or decide otherwise",
                    "[[protect]] and [[allow]] in .gitpack.toml".into(),
                ));
            }
            Surface::Range(_) | Surface::All => {
                advice.push(("rewrite what is not pushed", "git rebase -i, or git filter-repo".into()));
                advice.push(("what is pushed already", "is public: replace keys, and decide".into()));
                if report
                    .leaks
                    .iter()
                    .any(|found| found.leak.code != LeakCode::TrackedRunOutput)
                {
                    advice.push(("decide blob by blob", "git pack scan --all --write-allow".into()));
                }
            }
        }
        output.err(&advise(&advice));
    }
    notices(output, report);
    output.err(&format!("  {}\n", examined(&report.examined, Some(time))));
}

/// Says how many entries were added to the configuration.
pub(crate) fn allowed(output: &mut Output, added: usize) {
    let what = match added {
        1 => "1 [[allow]] entry".to_owned(),
        n => format!("{n} [[allow]] entries"),
    };
    output.err(&format!(
        "  added {what} to .gitpack.toml; each releases one blob: read them, and take out what must not be public\n"
    ));
}

/// Returns the sentence about what was looked at.
fn examined(examined: &Examined, time: Option<Duration>) -> String {
    if examined == &Examined::default() {
        return "nothing was there to examine".into();
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

fn notices(output: &mut Output, report: &ScanReport) {
    for file in report.in_part.iter().take(NAMED) {
        output.err(&in_part_notice(&file.path.to_string(), &file.why));
    }
    output.err(&unnamed(report.in_part.len(), NAMED));
    for what in &report.weakened {
        let what = harmless(what);
        output.err(&format!(
            "  {}   {what}; what this takes away still applies to this change\n",
            paint(LOOK, "POLICY_WEAKENED")
        ));
    }
}

/// Returns the line about a file that could not be examined whole.
pub(super) fn in_part_notice(path: &str, why: &[InPart]) -> String {
    let what = harmless(&examined_in_part(path, why));
    format!("  {}   {what}\n", paint(LOOK, "EXAMINED_IN_PART"))
}

fn leak_lines(leaks: &[Found], still: &str, named: usize) -> String {
    let rows: Vec<_> = leaks
        .iter()
        .take(named)
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
        text.push_str(line);
        text.push('\n');
        if let Some(deleted) = found.deleted_in {
            text.push_str(&format!(
                "            deleted again in {}, but {still}\n",
                ObjectId::short(&deleted)
            ));
        }
    }
    text.push_str(&unnamed(leaks.len(), named));
    text
}

fn unnamed(all: usize, named: usize) -> String {
    match all.saturating_sub(named) {
        0 => String::new(),
        n => format!("  and {n} more\n"),
    }
}

fn is_plain(found: &Found) -> bool {
    matches!(
        found.leak.code,
        LeakCode::PlaintextProtected | LeakCode::TrackedRunOutput
    )
}

fn is_sealable(found: &Found) -> bool {
    let path = found.leak.entry.path.as_bytes();
    let is_file = matches!(found.leak.entry.kind, EntryKind::Regular | EntryKind::Executable);
    let has_name = !path.is_empty() && !path.contains(&b'\n') && !path.contains(&b'\r');
    is_file && has_name && matches!(found.leak.code, LeakCode::PlaintextProtected | LeakCode::PrivateKey)
}

fn leak_row(leak: &Leak) -> [String; 3] {
    let policy = match (leak.code, leak.policy) {
        (LeakCode::FakeSeal, _) => "named .age, but no age file".to_owned(),
        (LeakCode::LfsPointer, _) => format!("{}, and LFS would publish its plaintext", leak.class),
        (LeakCode::ExaminedInPart, _) => "not all of it could be examined".to_owned(),
        (_, Policy::Internal) => format!("{}, not on a public remote", leak.class),
        (_, Policy::Never | Policy::Allowed) => format!("{}, never in plaintext", leak.class),
    };
    let origin = match leak.origin {
        Origin::BuiltIn => "(built in)",
        Origin::Config => "(.gitpack.toml)",
    };
    let detail = leak
        .detail
        .as_ref()
        .map(|detail| format!(", {}", harmless(detail)))
        .unwrap_or_default();
    let path = match leak.entry.path.as_bytes() {
        b"" => format!("blob {}", leak.entry.id.short()),
        path => shown(path),
    };
    let cause = match &leak.cause {
        Cause::Glob(glob) => format!("rule {glob}{detail}   {origin}"),
        Cause::Content(_) | Cause::InPart => format!("{}{detail}   {origin}", leak.cause),
        Cause::Twin(_) | Cause::Known { .. } => format!("{}{detail}", leak.cause),
    };
    [path, harmless(&policy), harmless(&cause)]
}

/// Returns a path as a pathspec that means it and nothing else.
fn pathspec(path: &[u8]) -> String {
    let magic = path.starts_with(b":") || path.iter().any(|b| b"*?[\\".contains(b));
    match magic {
        true => quoted(&[b":(literal)", path].concat()),
        false => quoted(path),
    }
}

/// Returns a path as an argument that is no flag.
fn argument(path: &[u8]) -> String {
    match path.starts_with(b"-") {
        true => quoted(&[b"./", path].concat()),
        false => quoted(path),
    }
}
