//! `git pack hook`: what the installed hooks ask, judged on what is really staged, pushed or received.

use crate::adapters::git::Repository;
use crate::adapters::git::history::Peeled;
use crate::format::config::Config;
use crate::format::object_id::ObjectId;
use crate::format::push_line::{PushLine, RefLine};
use crate::format::refusal::{Refusal, Result};
use crate::ops::Context;
use crate::ops::contents;
use crate::ops::scan::range::{Change, Ranges};
use crate::ops::scan::surfaces::{self, destination};
use crate::ops::scan::{ScanReport, packs};
use crate::rules::content::Budget;
use crate::rules::scan::Destination;

/// Judges what the commit about to be made would hold, by the rules of `HEAD` and of the index together.
pub fn pre_commit(ctx: &Context) -> Result<ScanReport> {
    surfaces::staged(ctx)
}

/// Judges everything that a push would publish on a remote for the first time; `stdin` is what git gave the hook.
///
/// `remote` is the remote's name, or its URL if it has none, and `url` where the push goes. The rules of each pushed tip
/// apply together with those of what the remote is known to have below it. Packs in what is pushed are verified.
pub fn pre_push(ctx: &Context, remote: &str, url: &str, stdin: &[u8]) -> Result<ScanReport> {
    let repo = ctx.repository()?;
    let lines = PushLine::parse_all(stdin).map_err(|problem| bad_line("pre-push", problem))?;
    let name = match remote == url {
        true => repo.remote_of(url).unwrap_or_else(|| remote.to_owned()),
        false => remote.to_owned(),
    };
    let tracked = repo.tracking_refs(&name)?;
    let mut known: Vec<ObjectId> = lines.iter().filter_map(|line| line.remote).collect();
    // A tracked branch of which the remote knows nothing: it is not the remote that these refs were fetched from.
    let is_another = !repo.is_fetched_from(&name, url)?
        || lines.iter().any(|line| {
            let branch = line.remote_ref.strip_prefix("refs/heads/");
            line.local.is_some()
                && line.remote.is_none()
                && tracked.iter().any(|(name, _)| Some(name.as_str()) == branch)
        });
    let last_known = |remote_ref: &str| {
        let branch = remote_ref.strip_prefix("refs/heads/");
        let tracked = tracked.iter().find(|(name, _)| Some(name.as_str()) == branch);
        tracked.map(|(_, id)| *id)
    };
    let mut standing = Vec::new();
    if !is_another {
        // What a new branch is held against: the remote's default branch or, where that is not known, all of them.
        let default = tracked.iter().find(|(name, _)| name == "HEAD");
        standing = match default {
            Some((_, id)) => vec![*id],
            None => tracked.iter().map(|(_, id)| *id).collect(),
        };
        known.extend(tracked.iter().map(|(_, id)| *id));
    }
    let changes: Vec<Change> = lines
        .iter()
        .filter_map(|line| {
            Some(Change {
                name: line.remote_ref.clone(),
                tip: line.local?,
                old: match line.remote.filter(|old| repo.has(old)) {
                    Some(old) => vec![old],
                    // What is there now was never fetched: what was there last has its say.
                    None => last_known(&line.remote_ref)
                        .into_iter()
                        .chain(standing.iter().copied())
                        .collect(),
                },
            })
        })
        .collect();
    judge_push(&repo, &name, &changes, &known)
}

/// Judges every local branch and tag that `remote` is not known to have, `HEAD`, and what else is `named`: what there is to
/// do where whoever runs the hook does not say what is pushed.
pub fn pre_push_of_everything(ctx: &Context, remote: &str, url: &str, named: &[String]) -> Result<ScanReport> {
    let repo = ctx.repository()?;
    let name = match remote == url {
        true => repo.remote_of(url).unwrap_or_else(|| remote.to_owned()),
        false => remote.to_owned(),
    };
    let known = match repo.is_fetched_from(&name, url)? {
        true => repo.tracking_refs(&name)?.into_iter().map(|(_, id)| id).collect(),
        false => Vec::new(),
    };
    let mut changes = Vec::new();
    let mut add = |name: String, tip| {
        changes.push(Change {
            name,
            tip,
            old: known.clone(),
        });
    };
    for prefix in ["refs/heads/", "refs/tags/"] {
        for (name, tip) in repo.refs(prefix)? {
            add(format!("{prefix}{name}"), tip);
        }
    }
    if repo.has_commit() {
        add("HEAD".into(), repo.commit("HEAD")?.id);
    }
    for rev in named {
        // Those are among the refs.
        if !["refs/heads/", "refs/tags/"]
            .iter()
            .any(|prefix| rev.starts_with(prefix))
        {
            add(rev.clone(), repo.commit(rev)?.id);
        }
    }
    judge_push(&repo, &name, &changes, &known)
}

fn judge_push(repo: &Repository, remote: &str, changes: &[Change], known: &[ObjectId]) -> Result<ScanReport> {
    let ranges = Ranges {
        repo,
        known,
        destination: &|configs| destination(configs, remote),
        verify_packs: true,
        needs_all: false,
        budget: Budget::of(contents::BUDGET),
    };
    let mut report = ranges.judge(changes)?;
    if let Some(root) = repo.work_tree()
        && !changes.is_empty()
    {
        let tips = commits(repo, changes)?;
        let walk = repo.walk(&tips, known)?;
        let is_pushed = |id: &ObjectId| tips.contains(id) || walk.contains(id);
        report
            .packs
            .extend(packs::verify_outputs(repo, &root, &ranges.budget, is_pushed)?);
    }
    Ok(report)
}

/// Judges what a server is about to receive, while it still lies in quarantine.
///
/// The rules of each new tip apply together with those of the old one or, for a new ref, those of the default branch.
pub fn pre_receive(ctx: &Context, stdin: &[u8]) -> Result<ScanReport> {
    let repo = ctx.repository()?;
    let lines = RefLine::parse_all(stdin).map_err(|problem| bad_line("pre-receive", problem))?;
    let to = match repo.config_text("gitpack.visibility").as_deref() {
        Some("private") => Destination::PrivateRemote,
        None | Some("public") => Destination::PublicRemote,
        Some(other) => {
            return Err(Refusal::BadConfig {
                origin: "git config".into(),
                line: None,
                problem: format!("gitpack.visibility: expected public or private, found {other:?}"),
            });
        }
    };
    let known = repo.refs("refs/")?.into_iter().map(|(_, id)| id).collect();
    judge_refs(&repo, &lines, known, to, true)
}

/// Judges refs that are about to change: branches, tags and a detached `HEAD`, whoever changes them.
pub fn reference_transaction(ctx: &Context, state: &str, stdin: &[u8]) -> Result<ScanReport> {
    if state != "prepared" {
        return Ok(ScanReport::default());
    }
    let mut lines = RefLine::parse_all(stdin).map_err(|problem| bad_line("reference-transaction", problem))?;
    lines.retain(|line| {
        line.name == "HEAD" || line.name.starts_with("refs/heads/") || line.name.starts_with("refs/tags/")
    });
    if lines.iter().all(|line| line.new.is_none() || line.new == line.old) {
        return Ok(ScanReport::default());
    }
    let repo = ctx.repository()?;
    // Other refs, such as the stash, are not judged, so what they hold is not known to be clean.
    let mut known = Vec::new();
    for prefix in ["refs/heads/", "refs/tags/", "refs/remotes/"] {
        known.extend(repo.refs(prefix)?.into_iter().map(|(_, id)| id));
    }
    judge_refs(&repo, &lines, known, Destination::Repository, false)
}

fn judge_refs(
    repo: &Repository,
    lines: &[RefLine],
    known: Vec<ObjectId>,
    to: Destination,
    on_server: bool,
) -> Result<ScanReport> {
    // A new ref is held against the default branch or, where HEAD names none, against all of them.
    let standing: Vec<ObjectId> = match repo.has_commit() {
        true => vec![repo.commit("HEAD")?.id],
        false => repo.refs("refs/heads/")?.into_iter().map(|(_, id)| id).collect(),
    };
    let changes: Vec<Change> = lines
        .iter()
        .filter(|line| line.new != line.old)
        .filter_map(|line| {
            let tip = line.new.filter(|tip| !known.contains(tip))?;
            Some(Change {
                name: line.name.clone(),
                tip,
                old: line.old.map_or_else(|| standing.clone(), |old| vec![old]),
            })
        })
        .collect();
    let ranges = Ranges {
        repo,
        known: &known,
        destination: &|_: &[&Config]| to,
        verify_packs: on_server,
        needs_all: false,
        budget: Budget::of(match on_server {
            true => contents::SERVER_BUDGET,
            false => contents::BUDGET,
        }),
    };
    ranges.judge(&changes)
}

/// Returns the commits to which changes lead.
fn commits(repo: &Repository, changes: &[Change]) -> Result<Vec<ObjectId>> {
    let mut found = Vec::new();
    for change in changes {
        if let Peeled::Commit(id) = repo.peel(&change.tip)? {
            found.push(id);
        }
    }
    Ok(found)
}

fn bad_line(hook: &str, problem: String) -> Refusal {
    Refusal::Usage {
        problem: format!("{hook}: {problem}"),
        next: None,
    }
}
