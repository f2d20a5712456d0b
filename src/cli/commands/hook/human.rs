//! The findings of a hook, for people.

use std::time::Duration;

use crate::cli::commands::scan::leaks::{
    LISTED, NAMED, commit_advice, examined, is_sealable, is_sealable_at, leak_lines, leak_row, look_alikes, names_of,
    notices, twin_of, unnamed,
};
use crate::cli::commands::scan::way_out::way_out_lines;
use crate::cli::env;
use crate::cli::output::Output;
use crate::cli::output::doubt::doubt_words;
use crate::cli::output::names::remote_name;
use crate::cli::output::table::{advise, aligned};
use crate::cli::output::words::{BLOCKS, TYPE, argument, count, paint, pathspec};
use crate::format::protected::Policy;
use crate::format::remote_url::without_secret;
use crate::ops::guard::scan::{FoundLeak, ScanReport};
use crate::ops::guard::twins::one_sided::OneSided;
use crate::refusal::shown::{harmless, shown, visible};
use crate::rules::push::{Doubt, private_line};
use crate::rules::scan::LeakCode;
use crate::rules::twins::{MergeSide, plain_of};

/// Prints what blocks a commit, if anything does.
pub(super) fn commit(output: &mut Output, report: &ScanReport) {
    let leaks = &report.leaks;
    if !leaks.is_empty() {
        let what = match (leaks.len(), leaks.iter().all(is_plain)) {
            (1, true) => "1 protected file is staged in plaintext".to_owned(),
            (n, true) => format!("{n} protected files are staged in plaintext"),
            (n, false) => format!("{} staged", count(n as u64, "leak")),
        };
        let mut text = format!("git-pack: {}, {what}\n\n", paint(BLOCKS, "commit blocked"));
        if leaks.len() > LISTED {
            text.push_str(&leak_lines(leaks, ""));
        } else {
            let rows: Vec<_> = leaks.iter().map(|found| leak_row(&found.leak)).collect();
            text.push_str(&aligned(&rows, "  "));
            text.push_str(&look_alikes(leaks.iter().map(|found| found.leak.entry.path.as_bytes())));
        }
        text.push('\n');
        text.push_str(&advise(&commit_advice(leaks)));
        output.err(&text);
    }
    let (by_twin, by_rules) = weakened_by(leaks);
    if by_twin {
        output.err("  this commit also removes the sealed twins that protect them; that takes effect with the next commit,\n  so commit the removal first, by itself\n");
    }
    if by_rules {
        output.err("  this commit also changes .gitpack.toml to release them; that takes effect with the next commit,\n  so commit .gitpack.toml first, by itself\n");
    }
    notices(output, report);
}

/// Returns whether the change itself takes back what protects some of the files: their sealed twins, and rules.
fn weakened_by(leaks: &[FoundLeak]) -> (bool, bool) {
    let weakened = |by_twin: bool| {
        leaks
            .iter()
            .any(|found| found.weakened && twin_of(found).is_some() == by_twin)
    };
    (weakened(true), weakened(false))
}

/// Prints the sealed twins of which a commit would lose a side of a merge, if there are any.
pub(super) fn one_sided(output: &mut Output, found: &[OneSided]) {
    let Some(first) = found.first() else { return };
    let what = match found.len() {
        1 => "both sides of this merge changed 1 sealed file, and the commit has only one of them".to_owned(),
        n => format!("both sides of this merge changed {n} sealed files, and the commit has only one of them"),
    };
    let rows: Vec<[String; 2]> = found
        .iter()
        .take(NAMED)
        .map(|one| {
            let (side, other) = match one.side {
                MergeSide::Ours => ("our", "their"),
                MergeSide::Theirs => ("their", "our"),
            };
            [
                visible(one.sealed.as_bytes()),
                format!("{side} side as it was, without the changes of {other} side"),
            ]
        })
        .collect();
    let sealed = first.sealed.as_bytes();
    let (plain, sealed) = (argument(plain_of(sealed).unwrap_or(sealed)), pathspec(sealed));
    let git = env::git_at_top();
    let side = match first.side {
        MergeSide::Ours => "--ours",
        MergeSide::Theirs => "--theirs",
    };
    let advice = [
        (
            "first bring the conflict back",
            format!("{git} checkout -m -- {sealed}"),
        ),
        ("then join both sides", format!("{git} pack reveal --merge {plain}")),
        (
            "or take this side on purpose",
            format!("{git} pack reveal {side} {plain}"),
        ),
        ("then settle it", format!("{git} pack protect --resolved {plain}")),
    ];
    output.err(&format!(
        "git-pack: {}, {what}\n\n{}{}\n{}",
        paint(BLOCKS, "commit blocked"),
        aligned(&rows, "  "),
        unnamed(found.len(), NAMED),
        advise(&advice)
    ));
}

/// Prints what blocks a push, if anything does.
pub(super) fn push(output: &mut Output, remote: &str, report: &ScanReport, time: Duration) {
    let what = paint(BLOCKS, &format!("push to {} blocked", remote_name(remote)));
    range(output, &what, report, time, Site::Push(remote));
    unpublished(output, &what, report);
    let Some(pushed_to) = report.pushed_to.as_ref().filter(|_| !report.leaks.is_empty()) else {
        return;
    };
    if report.leaks.iter().any(|found| found.leak.policy == Policy::Internal) {
        output.err(&public_place(&pushed_to.url));
    }
    if let Some((why, command)) = pushed_to.doubt.and_then(doubted) {
        output.err(&format!(
            "  {why}, so git-pack checked everything in the push{command}\n"
        ));
    }
}

/// Returns the line about a public remote: how to declare it private.
fn public_place(url: &str) -> String {
    let shown = match url {
        "" => "the push target".to_owned(),
        url => shown(without_secret(url).as_bytes()),
    };
    match private_line(url) {
        Some(line) => format!(
            "  {shown} counts as public; if only insiders can read it, add this at the top of .gitpack.toml, and commit and push that first:\n    {}\n",
            paint(TYPE, &harmless(&line))
        ),
        None => {
            format!(
                "  {shown} counts as public, and private_remotes cannot match it: give the remote an absolute URL\n"
            )
        }
    }
}

/// Returns why the hook checked more than the new commits, and the command that avoids it.
fn doubted(doubt: Doubt) -> Option<(&'static str, String)> {
    let (why, command) = doubt_words(doubt)?;
    let command = command
        .map(|command| format!("   {}", paint(TYPE, command)))
        .unwrap_or_default();
    Some((why, command))
}

/// Prints why the hook checked more than the push contains.
pub(super) fn all_was_judged(output: &mut Output) {
    output.err(
        "  the hook was not told what is pushed, so it checked every branch and tag that the remote may not have\n",
    );
}

/// Prints what blocks a push at the server, if anything does.
pub(super) fn receive(output: &mut Output, report: &ScanReport, time: Duration) {
    range(
        output,
        &paint(BLOCKS, "push blocked by this server"),
        report,
        time,
        Site::Server,
    );
}

/// Prints what blocks a change of refs, if anything does.
pub(super) fn refs(output: &mut Output, report: &ScanReport, time: Duration) {
    range(
        output,
        &paint(BLOCKS, "update of refs blocked"),
        report,
        time,
        Site::Refs,
    );
}

/// Prints the branches that need a published pack, if there are any.
fn unpublished(output: &mut Output, what: &str, report: &ScanReport) {
    let Some(first) = report.unpublished.first() else {
        return;
    };
    let branches = match report.unpublished.len() {
        1 => "1 branch has no published pack".to_owned(),
        n => format!("{n} branches have no published packs"),
    };
    let rows: Vec<[String; 2]> = report
        .unpublished
        .iter()
        .take(NAMED)
        .map(|branch| {
            let name = branch.name.strip_prefix("refs/heads/").unwrap_or(&branch.name);
            [shown(name.as_bytes()), format!("commit {}", branch.commit.short())]
        })
        .collect();
    let seal = match first.is_head {
        true => "git pack seal".to_owned(),
        false => format!("git pack seal --rev {}", first.commit.short()),
    };
    let push = ("then publish it", "git pack push _PACK_RUN/<pack>".to_owned());
    let (why, advice) = match &first.place {
        Some(place) => (
            format!(
                "{} has no pack of it that was pushed from this clone",
                shown(place.as_bytes())
            ),
            vec![("seal the commit", seal), push],
        ),
        None => (
            "this clone does not name the place for packs".to_owned(),
            vec![
                ("name the place", "git config gitpack.remote <place>".to_owned()),
                ("seal the commit", seal),
                push,
            ],
        ),
    };
    output.err(&format!(
        "git-pack: {what}, {branches}\n\n{}{}\n  {why}, and [pack] require_published in .gitpack.toml demands one\n{}",
        aligned(&rows, "  "),
        unnamed(report.unpublished.len(), NAMED),
        advise(&advice)
    ));
}

/// Where a range of commits was judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Site<'a> {
    /// In the clone that pushes to this remote.
    Push(&'a str),
    /// On the server that receives.
    Server,
    /// In the clone whose ref would change.
    Refs,
}

/// Returns what to do about leaks in commits, and in what refs lead to otherwise.
fn way_on(report: &ScanReport, site: Site<'_>) -> String {
    if let Site::Push(remote) = site
        && report.is_behind
    {
        let fetch = format!("git fetch {}", argument(without_secret(remote).as_bytes()));
        return format!(
            "  the remote has commits that this clone lacks, so all that it is not known to have counts as new; fetch them,\n  \
             and only what is new is judged:\n    {}\n",
            paint(TYPE, &fetch)
        );
    }
    let mut text = String::new();
    // First, because then the commits can stay.
    if report.leaks.iter().any(|found| found.weakened) {
        text.push_str(&released_at_once(report, site));
    }
    let stays = |found: &FoundLeak| !found.weakened;
    let has_commits = report
        .leaks
        .iter()
        .any(|found| stays(found) && found.leak.entry.commit.is_some());
    match site {
        _ if !has_commits => {}
        Site::Push(_) if report.is_elsewhere => {
            text.push_str("  these commits are already on another remote: if the rules of a branch release the files, push that branch first, by itself;\n  else push new commits without the files\n");
        }
        Site::Push(_) => {
            if let Some(way) = &report.way_out {
                text.push_str(&way_out_lines(way, &is_sealable_at(&report.leaks)));
            }
        }
        Site::Server => {
            let scan = paint(TYPE, "git pack scan --all");
            text.push_str(&format!(
                "  in the clone that pushed, this tells how to take the files out of the commits:\n    {scan}\n"
            ));
        }
        Site::Refs => text.push_str(&unchanged_refs(report)),
    }
    let has_no_commit = |found: &FoundLeak| stays(found) && found.leak.entry.commit.is_none();
    if report.without_commits > 0 && report.leaks.iter().any(has_no_commit) {
        text.push_str(
            "  the committed .gitpack.toml decides about a ref that leads to a tree or a blob; if it is a pack, seal it\n  \
             again by today's rules, or release the files in .gitpack.toml and push that first  (git pack help rules)\n",
        );
    }
    text
}

/// Returns what to do about leaks in commits to which a ref would lead.
fn unchanged_refs(report: &ScanReport) -> String {
    let git = env::git_at_top();
    let sealable = names_of(&report.leaks, &is_sealable, &argument);
    let command = match sealable.is_empty() {
        true => format!("{git} rm --cached --{}", names_of(&report.leaks, &|_| true, &pathspec)),
        false => format!("{git} pack protect{sealable}"),
    };
    format!(
        "  no ref was changed; take the files out of the commits before you try again:\n    {}\n",
        paint(TYPE, &command)
    )
}

/// Returns what to do about a push that also takes back what protects files.
fn released_at_once(report: &ScanReport, site: Site<'_>) -> String {
    let mut text = String::new();
    let (by_twin, by_rules) = weakened_by(&report.leaks);
    if by_rules {
        text.push_str(
            "  the push also changes .gitpack.toml to release them, which counts from the next push on: push the commit\n  \
             that changes .gitpack.toml first, by itself\n",
        );
    }
    if by_twin {
        text.push_str(
            "  the push also removes the sealed twins that protect them, which counts from the next push on: push the commit\n  \
             that removes the twins first, by itself\n",
        );
    }
    if let (Some(first), Site::Push(remote)) = (&report.release_first, site) {
        let command = format!(
            "git push {} {}:{}",
            argument(without_secret(remote).as_bytes()),
            first.commit.short(),
            argument(first.branch.as_bytes())
        );
        text.push_str(&format!("    {}\n", paint(TYPE, &command)));
    }
    text
}

fn range(output: &mut Output, what: &str, report: &ScanReport, time: Duration, site: Site<'_>) {
    if !report.leaks.is_empty() || !report.packs.is_empty() {
        let mut found = Vec::new();
        if !report.leaks.is_empty() {
            found.push(count(report.leaks.len() as u64 + report.more, "leak"));
        }
        if !report.packs.is_empty() {
            found.push(count(report.packs.len() as u64, "invalid pack"));
        }
        let looked_at = looked_at(report);
        let mut text = format!("git-pack: {what}, {} in {looked_at}\n\n", found.join(" and "));
        text.push_str(&leak_lines(&report.leaks, "the push would still publish it"));
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
        text.push_str(&way_on(report, site));
        if !report.packs.is_empty() {
            text.push_str("  see what is wrong, then seal or sign the pack again, or leave it out:\n");
            text.push_str(&format!("    {}\n", paint(TYPE, "git pack verify <pack>")));
        }
        text.push_str(&format!("  {}\n", examined(&report.examined, Some(time))));
        output.err(&text);
    }
    notices(output, report);
}

/// Returns what was searched. A ref may lead to a tree or a blob instead of to commits.
fn looked_at(report: &ScanReport) -> String {
    let commits = report.examined.commits + report.examined.remembered_commits;
    let refs = match report.without_commits {
        1 => "1 ref that leads to a tree or a blob".to_owned(),
        n => format!("{n} refs that lead to trees or blobs"),
    };
    match (commits, report.without_commits) {
        (0, 0) => count(report.examined.blobs, "blob"),
        (0, _) => refs,
        (commits, 0) => count(commits, "new commit"),
        (commits, _) => format!("{} and {refs}", count(commits, "new commit")),
    }
}

fn is_plain(found: &FoundLeak) -> bool {
    matches!(
        found.leak.code,
        LeakCode::PlaintextProtected | LeakCode::TrackedRunOutput
    )
}
