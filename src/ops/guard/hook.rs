//! `git pack hook`: judges for the installed hooks what is staged, pushed or received.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use crate::adapters::git::budget::Side;
use crate::adapters::git::{Peeled, Repository};
use crate::format::config::Config;
use crate::format::git_keys;
use crate::format::object_id::ObjectId;
use crate::format::pack_refs::PackRefs;
use crate::format::push_line::{PushLine, RefLine};
use crate::ops::Context;
use crate::ops::contents::{self, ContentAt};
use crate::ops::guard::known;
use crate::ops::guard::main_commits::commits_with_rules;
use crate::ops::guard::remotes::PushTarget;
use crate::ops::guard::scan::beside::Commits;
use crate::ops::guard::scan::packs::PackDemands;
use crate::ops::guard::scan::range::{Ranges, RefChange};
use crate::ops::guard::scan::{PushedTo, ScanReport, UnpublishedBranch, packs, surfaces};
use crate::ops::guard::twins::one_sided::{OneSided, one_sided};
use crate::ops::guard::way_out;
use crate::ops::share::publication;
use crate::refusal::config::ConfigFault;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::content::UnpackBudget;
use crate::rules::push::baseline::{self, Baseline};
use crate::rules::push::{Reported, destination};
use crate::rules::scan::Destination;

/// Judges what the next commit would hold, by the rules of `HEAD` and of the index together, and finds the sealed twins of
/// which it would lose a side of a merge.
pub fn pre_commit(ctx: &Context) -> Result<(ScanReport, Vec<OneSided>)> {
    let repo = ctx.repository()?.bounded(Side::Clone)?;
    let forgets = known::recall(&repo);
    let mut report = surfaces::staged(&repo)?;
    report.forgets = forgets;
    Ok((report, one_sided(ctx, &repo)?))
}

/// Judges everything that a push would publish on a remote for the first time; `stdin` is what git gave the hook. `there` are
/// lines about refs of packs that the remote has already.
///
/// `remote` is the remote's name, or its URL if it has none, and `url` where the push goes. The rules of each pushed tip
/// apply together with those of what the remote is known to have below it. Packs in what is pushed are verified.
pub fn pre_push(ctx: &Context, (remote, url): (&str, &str), stdin: &[u8], there: &str) -> Result<ScanReport> {
    let repo = ctx.repository()?.bounded(Side::Clone)?;
    let forgets = known::recall(&repo);
    let lines = PushLine::parse_all(stdin).map_err(|problem| bad_line("pre-push", problem))?;
    let reported = lines.iter().map(|line| Reported {
        remote_ref: line.remote_ref.clone(),
        old: line.remote,
    });
    let mut place = PushTarget::observe(&repo, remote, url, reported.collect())?;
    place.keep_what_was_seen(&repo)?;
    let standing = place.standing();
    let pushed = lines.iter().filter_map(|line| {
        let reported = line.remote.filter(|old| repo.has(old));
        let baseline = baseline::of_push(reported, place.tracked(&line.remote_ref), &standing);
        Some((line.remote_ref.as_str(), line.local?, baseline))
    });
    let changes = changes(&repo, pushed.collect())?;
    let pushed = changes.iter().map(|change| (change.name.clone(), change.tip)).collect();
    let mut refs = PackRefs::of_lines(there);
    for line in &lines {
        refs.set(&line.remote_ref, line.local);
    }
    let mut report = judge_push(&repo, &place, &changes, &refs)?;
    let branches = changes.iter().filter(|change| change.name.starts_with("refs/heads/"));
    report.unpublished = unpublished(ctx, &repo, &report.demanded, branches)?;
    let mut old = lines.iter().filter_map(|line| line.remote);
    report.is_behind = old.any(|old| !repo.has(&old));
    report.forgets = forgets;
    if report.is_clean() {
        place.keep_what_passed(&repo, pushed);
    }
    Ok(report)
}

/// Judges every local branch and tag that `remote` is not known to have, `HEAD`, and the revisions in `named`. This
/// serves hook runners that do not say what is pushed.
pub fn pre_push_of_everything(ctx: &Context, remote: &str, url: &str, named: &[String]) -> Result<ScanReport> {
    let repo = ctx.repository()?.bounded(Side::Clone)?;
    let forgets = known::recall(&repo);
    let mut place = PushTarget::observe(&repo, remote, url, Vec::new())?;
    place.keep_what_was_seen(&repo)?;
    let known = place.known();
    let mut tips = Vec::new();
    for prefix in baseline::JUDGED_REFS {
        for (name, tip) in repo.refs(prefix)? {
            tips.push((format!("{prefix}{name}"), tip));
        }
    }
    // A push may send any of these under its own name.
    let pushed = tips.iter().cloned().collect();
    if repo.has_commit()? {
        tips.push(("HEAD".into(), repo.commit("HEAD")?.id));
    }
    for rev in named {
        // Such a name is among the refs above.
        if !baseline::is_judged(rev) {
            tips.push((rev.clone(), repo.commit(rev)?.id));
        }
    }
    let all_new = tips
        .iter()
        .map(|(name, tip)| (name.as_str(), *tip, baseline::of_push(None, None, &known)));
    let changes = changes(&repo, all_new.collect())?;
    let mut report = judge_push(&repo, &place, &changes, &PackRefs::default())?;
    // Which of the branches is pushed is not known. It is most likely the current one.
    let named = changes
        .iter()
        .filter(|change| change.name == "HEAD" || named.contains(&change.name));
    report.unpublished = unpublished(ctx, &repo, &report.demanded, named)?;
    report.forgets = forgets;
    if report.is_clean() {
        place.keep_what_passed(&repo, pushed);
    }
    Ok(report)
}

/// Returns the changes of pushed refs to these tips. To a new ref of a remote that has no rules yet, the rules of
/// everything that is pushed with it apply, and those of the main branches, here and at other remotes.
fn changes(repo: &Repository, pushed: Vec<(&str, ObjectId, Baseline)>) -> Result<Vec<RefChange>> {
    let new = pushed.iter().filter(|(_, _, baseline)| baseline.is_new);
    let new: Vec<&str> = new.map(|(name, _, _)| *name).collect();
    let (mut beside, mut elsewhere) = (Vec::new(), Vec::new());
    if !new.is_empty() {
        let with_rules = commits_with_rules(repo, &new)?;
        beside.extend(with_rules.here);
        beside.extend(with_rules.elsewhere.iter().copied());
        elsewhere.extend(with_rules.elsewhere);
    }
    beside.extend(pushed.iter().map(|(_, tip, _)| *tip));
    let mut seen = HashSet::new();
    let beside: Commits = beside.into_iter().filter(|id| seen.insert(*id)).collect();
    let elsewhere: Commits = elsewhere.into();
    let change = |(name, tip, baseline)| RefChange {
        elsewhere: Arc::clone(&elsewhere),
        ..change(name, tip, baseline, &beside)
    };
    Ok(pushed.into_iter().map(change).collect())
}

/// Returns the change of a ref to `tip`. If the ref is new, the rules of `beside` apply too.
fn change(name: &str, tip: ObjectId, baseline: Baseline, beside: &Commits) -> RefChange {
    let change = RefChange::of(name, tip, baseline.old);
    match baseline.is_new {
        true => RefChange {
            beside: Arc::clone(beside),
            ..change
        },
        false => change,
    }
}

fn judge_push(repo: &Repository, place: &PushTarget, changes: &[RefChange], refs: &PackRefs) -> Result<ScanReport> {
    let known = place.known();
    let urls = [place.url.clone()];
    let ranges = Ranges {
        repo,
        refs,
        known: &known,
        destination: &|configs| destination(configs, &urls),
        verify_packs: true,
        default_first: false,
        needs_all: false,
        met: None,
        budget: UnpackBudget::of(contents::BUDGET),
    };
    let mut report = ranges.judge(changes)?;
    surfaces::learn(repo, &report, |entry| ContentAt::Blob(entry.id));
    if !report.is_elsewhere {
        report.way_out = way_out::of_leaks(repo, report.leaks.iter().map(|found| &found.leak))?;
    }
    let tips = changes.iter().map(|change| (change.name.as_str(), change.tip));
    let released = report.leaks.iter().filter(|found| found.weakened);
    let released = released.filter_map(|found| found.leak.entry.commit).collect();
    report.release_first = way_out::release_first(repo, &released, tips, &known)?;
    if let Some(root) = repo.work_tree()
        && !changes.is_empty()
    {
        let tips = commits(repo, changes)?;
        let walk = repo.walk(&tips, &known)?;
        let is_pushed = |id: &ObjectId| tips.contains(id) || walk.contains(id);
        let demands = PackDemands {
            repo,
            budget: &ranges.budget,
            signers: report.signers.take(),
            refs,
        };
        report.packs.extend(packs::verify_outputs(&demands, &root, is_pushed)?);
    }
    report.pushed_to = Some(PushedTo {
        url: place.url.clone(),
        doubt: place.belief.doubt,
    });
    Ok(report)
}

/// Returns those of these branches that need a published pack and have none. No place is asked: what was published from
/// this clone is noted in it.
fn unpublished<'a>(
    ctx: &Context,
    repo: &Repository,
    demanded: &[ObjectId],
    branches: impl Iterator<Item = &'a RefChange>,
) -> Result<Vec<UnpublishedBranch>> {
    let mut found = Vec::new();
    if demanded.is_empty() {
        return Ok(found);
    }
    let place = publication::default_place(ctx)?;
    let head = match repo.has_commit()? {
        true => Some(repo.commit("HEAD")?.id),
        false => None,
    };
    for change in branches {
        let Peeled::Commit(commit) = repo.peel(&change.tip)? else {
            continue;
        };
        let is_noted = |place: &String| repo.private().publications().get(place, &commit).is_some();
        if demanded.contains(&commit) && !place.as_ref().is_some_and(is_noted) {
            found.push(UnpublishedBranch {
                name: change.name.clone(),
                commit,
                is_head: head == Some(commit),
                place: place.clone(),
            });
        }
    }
    Ok(found)
}

/// Judges what a server is about to receive, while it is still in quarantine.
///
/// The rules of each new tip apply together with those of the old one or, for a new ref, those of the default branch.
///
/// When this takes more time or memory than allowed, the process ends at once, with the exit code that `tell` returns.
/// `tell` is called in another thread.
pub fn pre_receive(ctx: &Context, stdin: &[u8], tell: impl FnOnce(Refusal) -> u8 + Send) -> Result<ScanReport> {
    let repo = ctx.repository()?.bounded(Side::Server)?;
    let lines = RefLine::parse_all(stdin).map_err(|problem| bad_line("pre-receive", problem))?;
    let to = match repo.config_text(git_keys::VISIBILITY).as_deref() {
        Some("private") => Destination::PrivateRemote,
        None | Some("public") => Destination::PublicRemote,
        Some(other) => {
            return Err(Refusal::BadConfig {
                origin: "git config".into(),
                line: None,
                fault: ConfigFault::Visibility {
                    found: other.to_owned(),
                },
            });
        }
    };
    repo.watched(tell, || {
        let refs = repo.refs("refs/")?;
        let branches = refs.iter().filter(|(name, _)| name.starts_with("heads/"));
        let there = There {
            branches: branches.map(|(_, id)| *id).collect(),
            known: refs.iter().map(|(_, id)| *id).collect(),
            packs: PackRefs::of(refs.iter().map(|(name, id)| (format!("refs/{name}"), *id))),
        };
        judge_refs(&repo, &lines, &there, to, true)
    })
}

/// Judges refs that are about to change, by whatever command: branches, tags and a detached `HEAD`.
pub fn reference_transaction(ctx: &Context, state: &str, stdin: &[u8]) -> Result<ScanReport> {
    if state != "prepared" {
        return Ok(ScanReport::default());
    }
    let mut lines = RefLine::parse_all(stdin).map_err(|problem| bad_line("reference-transaction", problem))?;
    lines.retain(|line| line.name == "HEAD" || baseline::is_judged(&line.name));
    if lines.iter().all(|line| line.new.is_none() || line.new == line.old) {
        return Ok(ScanReport::default());
    }
    let repo = ctx.repository()?.bounded(Side::Clone)?;
    let ids = |prefix: &str| Ok::<_, Refusal>(repo.refs(prefix)?.into_iter().map(|(_, id)| id));
    let branches: Vec<ObjectId> = ids("refs/heads/")?.collect();
    // Other refs, such as the stash, are not judged, so their content is not known to be clean.
    let mut known = branches.clone();
    known.extend(ids("refs/tags/")?);
    known.extend(ids("refs/remotes/")?);
    let there = There {
        branches,
        known,
        packs: PackRefs::default(),
    };
    judge_refs(&repo, &lines, &there, Destination::Repository, false)
}

/// The refs of a repository before some of them change.
struct There {
    /// Tips of the branches.
    branches: Vec<ObjectId>,
    /// Tips of the refs that were judged before, so that everything below them is clean.
    known: Vec<ObjectId>,
    /// The refs of packs, where packs are verified.
    packs: PackRefs,
}

fn judge_refs(
    repo: &Repository,
    lines: &[RefLine],
    there: &There,
    to: Destination,
    is_server: bool,
) -> Result<ScanReport> {
    let known: HashSet<&ObjectId> = there.known.iter().collect();
    let default = match repo.has_commit()? {
        true => Some(repo.commit("HEAD")?.id),
        false => None,
    };
    let standing = baseline::standing(default, &there.branches);
    let beside: Commits = lines.iter().filter_map(|line| line.new).collect();
    // A server also judges the packs that a branch gets from another one.
    let is_known = |tip: &ObjectId| !is_server && known.contains(tip);
    let changes: Vec<RefChange> = lines
        .iter()
        .filter_map(|line| {
            let (tip, baseline) = baseline::of_change(line.old, line.new, is_known, &standing)?;
            Some(change(&line.name, tip, baseline, &beside))
        })
        .collect();
    let mut refs = there.packs.clone();
    for line in lines {
        refs.set(&line.name, line.new);
    }
    let ranges = Ranges {
        repo,
        refs: &refs,
        known: &there.known,
        destination: &|_: &[&Config]| to,
        verify_packs: is_server,
        default_first: is_server,
        needs_all: false,
        met: is_server.then(RefCell::default),
        budget: UnpackBudget::of(match is_server {
            true => contents::SERVER_BUDGET,
            false => contents::BUDGET,
        }),
    };
    let mut report = ranges.judge(&changes)?;
    if is_server {
        ranges.judge_signed_anew(&there.packs, &standing, &mut report)?;
    }
    ranges.judge_besides(&changes, &mut report)?;
    Ok(report)
}

/// Returns the commits that the changes point to.
fn commits(repo: &Repository, changes: &[RefChange]) -> Result<Vec<ObjectId>> {
    let mut found = Vec::new();
    for change in changes {
        if let Peeled::Commit(id) = repo.peel(&change.tip)? {
            found.push(id);
        }
    }
    Ok(found)
}

fn bad_line(hook: &str, problem: String) -> Refusal {
    Refusal::Usage(Misuse::BadHookInput {
        hook: hook.to_owned(),
        problem,
    })
}
