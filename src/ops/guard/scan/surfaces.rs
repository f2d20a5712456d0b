//! The surfaces of `git pack scan`: the index, the work tree, a commit, a range, all history.

use std::path::Path;

use crate::adapters::files::{self, open_regular};
use crate::adapters::git::blobs::Contents;
use crate::adapters::git::budget::Side;
use crate::adapters::git::index::{IndexChange, Wanted};
use crate::adapters::git::{Peeled, Repository};
use crate::adapters::workers;
use crate::format::config::Config;
use crate::format::object_id::ObjectHasher;
use crate::format::pack_refs::PackRefs;
use crate::format::path_bytes::path_below;
use crate::ops::Context;
use crate::ops::configuration::{self, Loaded};
use crate::ops::contents::{self, ContentAt};
use crate::ops::guard::known::{self, Finder, look_into};
use crate::ops::guard::scan::engine::Engine;
use crate::ops::guard::scan::range::{Ranges, RefChange, candidates, name_commits, without_path};
use crate::ops::guard::scan::{FoundLeak, PartlyExamined, ScanReport, twins};
use crate::ops::guard::way_out;
use crate::refusal::usage::Misuse;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};
use crate::rules::content::UnpackBudget;
use crate::rules::protect::is_run_output;
use crate::rules::push::destination;
use crate::rules::scan::{Candidate, Destination, is_in_part, judge_guarded, needs_content};
use crate::rules::similar::similar;
use crate::rules::twins::{SealedTwins, plain_of};
use crate::rules::weakening::weakened;

/// The surface to scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Surface {
    /// What the next commit would hold.
    Staged,
    /// The files on disk, tracked or not; with `no_ignore` also those that git ignores.
    WorkTree {
        /// Whether ignored files are scanned, too.
        no_ignore: bool,
    },
    /// The tree of a commit.
    Revision(String),
    /// What a range of commits introduces.
    Range(String),
    /// What all commits of all refs introduce.
    All,
}

/// Scans a surface for leaks; with `remote`, as if it were pushed there.
///
/// Refuses a surface whose history continues below that of a shallow clone, unless `shallow` accepts the history that
/// is here.
pub fn scan(ctx: &Context, surface: &Surface, remote: Option<&str>, shallow: bool) -> Result<ScanReport> {
    let repo = ctx.repository()?.bounded(Side::Clone)?;
    let urls = match remote {
        Some(remote) if !repo.has_remote(remote) => {
            return Err(Refusal::Usage(Misuse::UnknownRemote {
                remote: remote.to_owned(),
                similar: similar(remote, repo.remotes().iter().map(String::as_str)).map(str::to_owned),
                is_place: false,
            }));
        }
        Some(remote) => Some(repo.push_urls(remote)),
        None => None,
    };
    let to = |configs: &[&Config]| match &urls {
        Some(urls) => destination(configs, urls),
        None => Destination::Repository,
    };
    let forgets = known::recall(&repo);
    let mut report = match surface {
        Surface::Staged => {
            let root = repo.work_tree().ok_or(Refusal::NoWorkTree {
                action: WorkTreeUse::Staged,
            })?;
            // The index decides, but a person who scans must learn that the file on disk is broken.
            configuration::on_disk(&root)?;
            staged_to(&repo, &to)
        }
        Surface::WorkTree { no_ignore } => work_tree(&repo, *no_ignore, &to),
        Surface::Revision(rev) => revision(&repo, rev, &to),
        Surface::Range(range) => self::range(&repo, range, shallow, &to),
        Surface::All => all(&repo, shallow, &to),
    }?;
    report.forgets = forgets;
    match (surface, repo.work_tree()) {
        (Surface::WorkTree { .. }, Some(root)) => learn(&repo, &report, |entry| known::on_disk(&root, &entry.path)),
        _ => learn(&repo, &report, |entry| ContentAt::Blob(entry.id)),
    }
    Ok(report)
}

/// Remembers the protected files of a scan by their content, so that they are recognised under every name.
pub fn learn(repo: &Repository, report: &ScanReport, source: impl Fn(&Candidate) -> ContentAt) {
    let met = report.leaks.iter().map(|found| &found.leak);
    let met: Vec<_> = met
        .filter_map(|leak| known::ProtectedFile::of_leak(leak, source(&leak.entry)))
        .collect();
    if met.is_empty() {
        return;
    }
    if let Ok(registry) = configuration::here(repo).and_then(|loaded| loaded.registry()) {
        known::remember(repo, &registry, met);
    }
}

/// Judges what the next commit would hold.
pub fn staged(repo: &Repository) -> Result<ScanReport> {
    let report = staged_to(repo, &|_| Destination::Repository)?;
    learn(repo, &report, |entry| ContentAt::Blob(entry.id));
    Ok(report)
}

/// Judges paths that differ from `HEAD` by the rules of `HEAD` and of the index together. Every other tracked path is
/// judged by the rules of the index alone, because this commit does not add it.
fn staged_to(repo: &Repository, to: &dyn Fn(&[&Config]) -> Destination) -> Result<ScanReport> {
    let index = repo.index()?;
    let new = configuration::in_index(repo, &index)?;
    let head = match repo.has_commit()? {
        true => Some(repo.commit("HEAD")?),
        false => None,
    };
    let old = match &head {
        Some(head) => Some(configuration::in_commit_or_none(repo, head)?),
        None => None,
    };
    let sides: Vec<&Loaded> = [&new].into_iter().chain(&old).collect();
    let mut sealed = SealedTwins::default();
    let named = index.files_named(|path| plain_of(path).is_some());
    twins::collect(repo, named, &mut sealed)?;
    let rules = new.registry()?;
    let alone = rules.clone().with_twins(&sealed);
    let configs: Vec<&Config> = sides.iter().map(|loaded| &loaded.config).collect();
    let to = to(&configs);
    let budget = UnpackBudget::of(contents::BUDGET);
    let mut judge_unchanged = Engine::new(repo, &alone, to, &budget);
    let head_is_clean = !index.is_sparse() && head.as_ref().is_some_and(|head| judge_unchanged.knows_tree(&head.tree));
    let protected = |path: &[u8]| is_run_output(path) || alone.judge(path).is_some();
    let unchanged: Option<&Wanted<'_>> = match head_is_clean {
        true => None,
        false => Some(&protected),
    };
    let staged = index.staged(head.as_ref().map(|head| &head.tree), unchanged)?;
    let (mut changed, mut unchanged, mut added) = (Vec::new(), Vec::new(), std::collections::HashSet::new());
    let mut all_seen = true;
    for staged in staged {
        let candidate = Candidate {
            path: staged.entry.path,
            kind: staged.entry.kind,
            id: staged.entry.id,
            commit: None,
        };
        match staged.change {
            // A blob that a partial clone lacks is in a commit already.
            IndexChange::None if needs_content(&alone, &candidate) && !repo.has(&candidate.id) => all_seen = false,
            IndexChange::None => unchanged.push(candidate),
            IndexChange::Modified => changed.push(candidate),
            IndexChange::Added => {
                added.insert(candidate.path.clone());
                changed.push(candidate);
            }
        }
    }
    // A twin that this commit removes still protects its plaintext in this commit.
    if let Some(head) = &head {
        twins::beside(repo, &[head.tree], changed.iter().map(|entry| &entry.path), &mut sealed)?;
    }
    let both = configuration::and(rules, old.as_ref())?.with_twins(&sealed);
    let ends = head.as_ref().map(|head| head.tree).into_iter().collect();
    let mut judge = Engine::of_both_sides(repo, &both, Some(&alone), to, &budget).between(ends);
    let mut leaks = judge.judge(&changed)?;
    leaks.extend(twins::converted(repo, &both, &changed, &leaks)?);
    leaks.extend(judge_unchanged.judge(&unchanged)?);
    if all_seen
        && leaks.is_empty()
        && judge.in_part.is_empty()
        && judge_unchanged.in_part.is_empty()
        && let Some(tree) = index.tree()
    {
        judge_unchanged.keep_clean_tree(&tree);
    }
    leaks.sort_by(|a, b| a.leak.entry.path.cmp(&b.leak.entry.path));
    for found in &mut leaks {
        found.is_added = head.is_some() && added.contains(&found.leak.entry.path);
    }
    let mut examined = judge.examined;
    examined += judge_unchanged.examined;
    Ok(ScanReport {
        leaks,
        in_part: judge.in_part,
        weakened: old.map(|old| weakened(&old.config, &new.config)).unwrap_or_default(),
        examined,
        ..ScanReport::default()
    })
}

/// Judges the files on disk by the configuration on disk. Does not follow links, and skips untracked run outputs, which
/// are where they belong.
fn work_tree(repo: &Repository, no_ignore: bool, to: &dyn Fn(&[&Config]) -> Destination) -> Result<ScanReport> {
    let root = repo.work_tree().ok_or(Refusal::NoWorkTree {
        action: WorkTreeUse::Scan,
    })?;
    let loaded = configuration::on_disk(&root)?;
    let to = to(&[&loaded.config]);
    let zero = repo.zero_id();
    let files = repo.work_tree_files(no_ignore)?;
    let mut sealed = SealedTwins::default();
    let named = repo.index()?.files_named(|path| plain_of(path).is_some());
    twins::collect(repo, named, &mut sealed)?;
    let registry = loaded.registry()?.with_twins(&sealed);
    let finder = Finder::of(repo, &registry);
    let budget = UnpackBudget::of(contents::BUDGET);
    let look_into = |contents: Contents<'_>, path: &Path| {
        let looked = look_into(repo, finder.as_ref(), &budget, contents);
        looked.map_err(|e| e.refusal(Refusal::io("reading", path)))
    };
    let judged = workers::map(
        &files,
        || Ok(()),
        |(), file| -> Result<Option<Looked>> {
            if !file.tracked && is_run_output(file.path.as_bytes()) {
                return Ok(None);
            }
            let path = root.join(path_below(file.path.as_bytes()));
            let Some((kind, content)) = files::entry(&path)? else {
                return Ok(None);
            };
            let candidate = |id| Candidate {
                path: file.path.clone(),
                kind,
                id,
                commit: None,
            };
            let (id, traits, bytes) = match content {
                Some(target) => {
                    let (traits, size) = look_into(Contents::Whole(&target, None), &path)?;
                    let mut hasher = ObjectHasher::new(&zero, "blob", size);
                    hasher.update(&target);
                    (hasher.finish(), traits, size)
                }
                None => {
                    let opened = open_regular(&path)?;
                    let mut hashed = Hashed {
                        inner: &opened.file,
                        hasher: ObjectHasher::new(&zero, "blob", opened.size),
                    };
                    let contents = Contents::Stream(&mut hashed, opened.size);
                    let (traits, size) = look_into(contents, &path)?;
                    let id = hashed.hasher.finish();
                    opened.ensure_unchanged()?;
                    (id, traits, size)
                }
            };
            let candidate = candidate(id);
            let found = judge_guarded(&registry, &candidate, &traits, to).map(FoundLeak::from);
            let is_noted = is_in_part(&registry, &candidate, &traits) && !registry.blocks_in_part();
            let in_part = is_noted.then_some(PartlyExamined {
                path: candidate.path,
                why: traits.in_part,
            });
            Ok(Some(Looked { found, bytes, in_part }))
        },
    )?;
    let mut report = ScanReport::default();
    for Looked { found, bytes, in_part } in judged.into_iter().flatten() {
        report.in_part.extend(in_part);
        report.examined.entries += 1;
        report.examined.blobs += 1;
        report.examined.bytes += bytes;
        report.leaks.extend(found);
    }
    Ok(report)
}

/// The outcome for one file on disk.
struct Looked {
    found: Option<FoundLeak>,
    bytes: u64,
    in_part: Option<PartlyExamined>,
}

/// Computes git's blob hash of everything that is read.
struct Hashed<R> {
    inner: R,
    hasher: ObjectHasher,
}

impl<R: std::io::Read> std::io::Read for Hashed<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hasher.update(&buf[..n]);
        Ok(n)
    }
}

/// Judges the tree of a commit by that commit's own configuration.
fn revision(repo: &Repository, rev: &str, to: &dyn Fn(&[&Config]) -> Destination) -> Result<ScanReport> {
    let commit = repo.commit(rev)?;
    let loaded = configuration::in_commit(repo, &commit)?;
    let entries = repo.tree_entries(&commit.tree)?;
    let mut sealed = SealedTwins::default();
    twins::collect(repo, entries.iter().cloned(), &mut sealed)?;
    let registry = loaded.registry()?.with_twins(&sealed);
    let candidates: Vec<Candidate> = entries
        .into_iter()
        .map(|entry| Candidate {
            path: entry.path,
            kind: entry.kind,
            id: entry.id,
            commit: None,
        })
        .collect();
    let budget = UnpackBudget::of(contents::BUDGET);
    let mut judge = Engine::new(repo, &registry, to(&[&loaded.config]), &budget);
    let leaks = judge.judge(&candidates)?;
    Ok(ScanReport {
        leaks,
        in_part: judge.in_part,
        examined: judge.examined,
        ..ScanReport::default()
    })
}

/// Judges what the commits of `A..B` introduce, by the rules of both ends.
fn range(repo: &Repository, range: &str, shallow: bool, to: &dyn Fn(&[&Config]) -> Destination) -> Result<ScanReport> {
    let ends = range.split_once("..").filter(|(_, to)| !to.starts_with('.'));
    let Some((from, tip)) = ends else {
        return Err(Refusal::Usage(Misuse::BadRange {
            range: range.to_owned(),
        }));
    };
    let end = |rev: &str| {
        repo.commit(if rev.is_empty() { "HEAD" } else { rev })
            .map(|commit| commit.id)
    };
    let (from, tip) = (end(from)?, end(tip)?);
    let known = [from];
    let ranges = Ranges {
        repo,
        refs: &PackRefs::default(),
        known: &known,
        destination: to,
        verify_packs: false,
        default_first: false,
        needs_all: !shallow,
        met: None,
        budget: UnpackBudget::of(contents::BUDGET),
    };
    let mut report = ranges.judge(&[RefChange::of(range, tip, vec![from])])?;
    report.way_out = way_out::of_leaks(repo, report.leaks.iter().map(|found| &found.leak))?;
    Ok(report)
}

/// Judges what all commits of all refs introduce, by the configuration on disk or, in a bare repository, of `HEAD`.
fn all(repo: &Repository, shallow: bool, to: &dyn Fn(&[&Config]) -> Destination) -> Result<ScanReport> {
    let loaded = match repo.work_tree() {
        Some(root) => configuration::on_disk(&root)?,
        None if repo.has_commit()? => configuration::in_commit(repo, &repo.commit("HEAD")?)?,
        None => Loaded::none(),
    };
    let (mut tips, mut others) = (Vec::new(), Vec::new());
    let refs = repo.refs("refs/")?.into_iter().map(|(_, id)| id);
    let head = match repo.has_commit()? {
        true => Some(repo.commit("HEAD")?.id),
        false => None,
    };
    for id in refs.chain(head) {
        match repo.peel(&id)? {
            Peeled::Commit(id) => tips.push(id),
            Peeled::Blob(id) => others.push(without_path(id)),
            Peeled::Tree(id) => {
                others.extend(repo.tree_entries(&id)?.into_iter().map(|entry| Candidate {
                    path: entry.path,
                    kind: entry.kind,
                    id: entry.id,
                    commit: None,
                }));
            }
        }
    }
    let walk = repo.walk(&tips, &[])?;
    if !shallow {
        walk.ensure_whole()?;
    }
    let mut sealed = SealedTwins::default();
    twins::everywhere(repo, &twins::trees_of(repo, &tips)?, &mut sealed)?;
    let registry = loaded.registry()?.with_twins(&sealed);
    let budget = UnpackBudget::of(contents::BUDGET);
    let mut judge = Engine::new(repo, &registry, to(&[&loaded.config]), &budget);
    let clean = judge.clean_commits(walk.count());
    let mut leaks = Vec::new();
    let range = repo.introduced(&walk, |id| clean.contains(id), &mut |mut batch| {
        judge.read(std::mem::take(&mut batch.ahead))?;
        leaks.extend(judge.judge(&candidates(batch))?);
        Ok(())
    })?;
    judge.examined.commits += range.commits.len() as u64;
    judge.examined.remembered_commits += range.passed_over;
    judge.in_part.sort_by(|a, b| a.path.cmp(&b.path));
    name_commits(repo, &walk, &mut leaks)?;
    if leaks.is_empty() && judge.in_part.is_empty() {
        judge.keep_clean(&range.commits);
    }
    for found in &mut leaks {
        found.deleted_in = range.deleted.get(&found.leak.entry.path);
        found.is_root = found
            .leak
            .entry
            .commit
            .is_some_and(|commit| walk.roots.contains(&commit));
    }
    leaks.extend(judge.judge(&others)?);
    Ok(ScanReport {
        way_out: way_out::of_leaks(repo, leaks.iter().map(|found| &found.leak))?,
        leaks,
        in_part: judge.in_part,
        examined: judge.examined,
        ..ScanReport::default()
    })
}
