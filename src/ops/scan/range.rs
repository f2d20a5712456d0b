//! What ranges of commits introduce, judged by the rules of both of their sides.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use crate::adapters::git::Repository;
use crate::adapters::git::history::{Batch, Peeled};
use crate::adapters::git::walk::Walk;
use crate::format::budget::{Bound, EACH_CONFIG};
use crate::format::config::Config;
use crate::format::object_id::ObjectId;
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::EntryKind;
use crate::ops::configuration::{self, Loaded, Rules};
use crate::ops::scan::engine::Judge;
use crate::ops::scan::packs::{self, Touched};
use crate::ops::scan::{Found, ScanReport};
use crate::rules::protect::Subject;
use crate::rules::scan::{Candidate, Destination};
use crate::rules::weakening::weakened;

/// So many blobs to which nothing leads are judged in one go.
const BESIDES_AT_ONCE: usize = 16384;

/// A ref that is about to change, or an end of a range.
#[derive(Clone, Debug)]
pub struct Change {
    /// The ref, or how else the tip is called.
    pub name: String,
    /// The object that it will point to.
    pub tip: ObjectId,
    /// The objects whose rules have a say, because they are what was there before.
    pub old: Vec<ObjectId>,
}

/// What the changes of one call have in common.
pub struct Ranges<'a> {
    /// The repository.
    pub repo: &'a Repository,
    /// What is not new, since it and everything below it are there already.
    pub known: &'a [ObjectId],
    /// Where it all goes, given every configuration that has a say.
    pub destination: &'a dyn Fn(&[&Config]) -> Destination,
    /// Whether the packs that stand in the tips are verified.
    pub verify_packs: bool,
    /// Whether a range that goes on below the history of a shallow clone is refused. What is pushed from such a clone is
    /// judged as far as it is there, since the rest came from a remote.
    pub needs_all: bool,
    /// The blobs that were met, if somebody asks. Then nothing is passed over for having been clean before.
    pub met: Option<RefCell<HashSet<ObjectId>>>,
}

/// Changes whose tips and old sides have the same configurations.
struct Group {
    tips: Vec<ObjectId>,
    new: Rc<Loaded>,
    old: Vec<Rc<Loaded>>,
}

impl Ranges<'_> {
    /// Judges every entry that the commits of `changes` introduce.
    ///
    /// The rules of each tip apply together with those of its old side and of the commits right below what is new, so that
    /// no change releases its own leak.
    pub fn judge(&self, changes: &[Change]) -> Result<ScanReport> {
        let mut report = ScanReport::default();
        self.repo.hold(Bound::Refs, changes.len() as u64)?;
        let rules = Rules::of(self.repo);
        let mut groups: Vec<Group> = Vec::new();
        for change in changes {
            match self.repo.peel(&change.tip)? {
                Peeled::Commit(tip) => self.add(&rules, &mut groups, tip, change)?,
                Peeled::Blob(blob) => self.judge_blob(change, blob, &mut report)?,
                Peeled::Tree(_) => {
                    return Err(Refusal::Unsupported {
                        what: format!(
                            "{} leads to a tree without a commit, so there is no path to judge it by",
                            change.name
                        ),
                        remedy: "point it at a commit that has this tree".into(),
                    });
                }
            }
        }
        let mut reported = BTreeSet::new();
        for group in groups {
            self.judge_group(&rules, group, &mut reported, &mut report)?;
        }
        report.weakened.sort();
        report.weakened.dedup();
        Ok(report)
    }

    fn add(&self, rules: &Rules<'_>, groups: &mut Vec<Group>, tip: ObjectId, change: &Change) -> Result<()> {
        let new = rules.in_commit(&tip)?;
        let same = |a: &Rc<Loaded>, b: &Rc<Loaded>| Rc::ptr_eq(a, b) || a.bytes == b.bytes;
        let mut old: Vec<Rc<Loaded>> = Vec::new();
        for id in &change.old {
            if let Some(loaded) = self.old_side(rules, id)?
                && !old.iter().any(|other| same(other, &loaded))
            {
                old.push(loaded);
            }
        }
        let place = groups.iter_mut().find(|group| {
            let old_is_same = group.old.len() == old.len() && group.old.iter().zip(&old).all(|(a, b)| same(a, b));
            same(&group.new, &new) && old_is_same
        });
        match place {
            Some(group) => group.tips.push(tip),
            None => {
                // The rules of a group are compiled together, once with and once without the old ones.
                self.repo
                    .spend(Bound::ConfigBytes, EACH_CONFIG * (2 + old.len() as u64))?;
                groups.push(Group {
                    tips: vec![tip],
                    new,
                    old,
                });
            }
        }
        Ok(())
    }

    /// Returns the configuration of an old side; none if there is no such commit here: what a remote has may never have
    /// been fetched.
    fn old_side(&self, rules: &Rules<'_>, id: &ObjectId) -> Result<Option<Rc<Loaded>>> {
        if !self.repo.has(id) {
            return Ok(None);
        }
        match self.repo.peel(id)? {
            Peeled::Commit(id) => rules.in_commit_or_none(&id).map(Some),
            Peeled::Tree(_) | Peeled::Blob(_) => Ok(None),
        }
    }

    /// A blob without a path is judged by its content, and passes only if somebody allowed just this blob: whatever path
    /// it has elsewhere may be protected.
    fn judge_blob(&self, change: &Change, blob: ObjectId, report: &mut ScanReport) -> Result<()> {
        let head = match self.repo.has_commit() {
            true => configuration::in_commit(self.repo, &self.repo.commit("HEAD")?)?,
            false => Loaded::none(),
        };
        let registry = head.registry()?;
        let mut judge = Judge::new(self.repo, &registry, (self.destination)(&[&head.config]));
        let found = judge.judge(&[without_path(blob)])?;
        self.note(&judge, report);
        let allowed = Subject {
            blob: Some(blob),
            ..Subject::default()
        };
        if found.is_empty() && !registry.releases(&allowed) {
            return Err(Refusal::Unsupported {
                what: format!(
                    "{} leads to the blob {blob} without a commit, so there is no path to judge it by",
                    change.name
                ),
                remedy: format!("if everybody may have it, add [[allow]] blob = \"{blob}\" to .gitpack.toml"),
            });
        }
        report.leaks.extend(found);
        Ok(())
    }

    /// Judges blobs that were sent although nothing of what was sent leads to them: by content alone, with the rules of
    /// everybody who has a say.
    pub fn judge_besides(&self, changes: &[Change], report: &mut ScanReport) -> Result<()> {
        let Some(met) = &self.met else { return Ok(()) };
        let blobs = self.repo.sent_besides(&met.borrow())?;
        if blobs.is_empty() {
            return Ok(());
        }
        let rules = Rules::of(self.repo);
        let mut loaded: Vec<Rc<Loaded>> = Vec::new();
        for id in changes.iter().flat_map(|change| change.old.iter().chain([&change.tip])) {
            if let Some(side) = self.old_side(&rules, id)?
                && !loaded.iter().any(|other| Rc::ptr_eq(other, &side))
            {
                loaded.push(side);
            }
        }
        let sides: Vec<&Loaded> = loaded.iter().map(Rc::as_ref).collect();
        let registry = configuration::registry(&sides)?;
        let configs: Vec<&Config> = sides.iter().map(|loaded| &loaded.config).collect();
        let mut judge = Judge::new(self.repo, &registry, (self.destination)(&configs));
        for blobs in blobs.chunks(BESIDES_AT_ONCE) {
            let candidates: Vec<Candidate> = blobs.iter().map(|blob| without_path(*blob)).collect();
            report.leaks.extend(judge.judge(&candidates)?);
        }
        self.note(&judge, report);
        Ok(())
    }

    /// Adds up what a judge looked at.
    fn note(&self, judge: &Judge<'_>, report: &mut ScanReport) {
        report.examined += judge.examined;
        report.in_part.extend_from_slice(&judge.in_part);
        report.more += judge.more;
        if let Some(met) = &self.met {
            met.borrow_mut().extend(judge.met());
        }
    }

    /// Returns every configuration that has a say in a group: the new one, then those of the old side and of the commits
    /// right below what is new.
    fn sides(&self, rules: &Rules<'_>, group: &Group, walk: &Walk) -> Result<Vec<Rc<Loaded>>> {
        let mut loaded = vec![Rc::clone(&group.new)];
        loaded.extend(group.old.iter().map(Rc::clone));
        for id in &walk.boundary {
            let below = rules.in_commit_or_none(id)?;
            if loaded
                .iter()
                .all(|other| !Rc::ptr_eq(other, &below) && other.bytes != below.bytes)
            {
                loaded.push(below);
            }
        }
        Ok(loaded)
    }

    fn judge_group(
        &self,
        rules: &Rules<'_>,
        group: Group,
        reported: &mut BTreeSet<(RepoPath, ObjectId)>,
        report: &mut ScanReport,
    ) -> Result<()> {
        let walk = self.repo.walk(&group.tips, self.known)?;
        if self.needs_all {
            walk.ensure_whole()?;
        }
        let loaded = self.sides(rules, &group, &walk)?;
        let sides: Vec<&Loaded> = loaded.iter().map(Rc::as_ref).collect();
        let new = sides[0];
        for old in &sides[1..] {
            report.weakened.extend(weakened(&old.config, &new.config));
        }
        let registry = configuration::registry(&sides)?;
        let alone = new.registry()?;
        let configs: Vec<&Config> = sides.iter().map(|loaded| &loaded.config).collect();
        let destination = (self.destination)(&configs);
        let mut judge = Judge::of_both_sides(self.repo, &registry, Some(&alone), destination);
        let clean = match self.met {
            Some(_) => HashSet::new(),
            None => judge.clean_commits(walk.count()),
        };
        let mut found = Vec::new();
        let mut touched = Touched::nothing();
        let range = self.repo.introduced(&walk, |id| clean.contains(id), &mut |batch| {
            touched.add(&batch);
            found.extend(judge.judge(&candidates(batch))?);
            Ok(())
        })?;
        judge.examined.commits += range.commits.len() as u64;
        judge.examined.remembered_commits += range.passed_over;
        judge.in_part.sort();
        name_commits(self.repo, &walk, &mut found)?;
        let mut invalid = Vec::new();
        if self.verify_packs {
            if range.is_long || range.passed_over > 0 {
                touched = Touched::Any;
            }
            invalid = packs::verify_tracked(self.repo, &registry, &group.tips, &touched, &walk)?;
        }
        if found.is_empty() && invalid.is_empty() {
            judge.keep_clean(&range.commits);
        }
        self.note(&judge, report);
        report.packs.extend(invalid);
        found.retain(|found| reported.insert((found.leak.entry.path.clone(), found.leak.entry.id)));
        for mut found in found {
            let entry = &found.leak.entry;
            found.deleted_in = range.deleted.get(&entry.path);
            found.is_root = entry.commit.is_some_and(|commit| walk.roots.contains(&commit));
            report.leaks.push(found);
        }
        if let Some(commit) = report.leaks.iter().find_map(|found| found.leak.entry.commit) {
            let remotes: Vec<ObjectId> = self.repo.refs("refs/remotes/")?.into_iter().map(|(_, id)| id).collect();
            report.is_elsewhere = self.repo.walk(&[commit], &remotes)?.count() == 0;
        }
        Ok(())
    }
}

/// Finds out which commit of a long range introduced each leak, and sorts the oldest first.
pub fn name_commits(repo: &Repository, walk: &Walk, found: &mut [Found]) -> Result<()> {
    let unnamed = found.iter().filter(|found| found.leak.entry.commit.is_none());
    let wanted: Vec<_> = unnamed
        .map(|found| (found.leak.entry.path.clone(), found.leak.entry.id))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    // A sweep finds them in no order.
    found.sort_by(|a, b| (&a.leak.entry.path, a.leak.entry.id).cmp(&(&b.leak.entry.path, b.leak.entry.id)));
    let by = repo.introduced_by(walk, &wanted)?;
    for found in found.iter_mut() {
        let entry = &mut found.leak.entry;
        let commit = by.get(&(entry.path.clone(), entry.id)).copied();
        entry.commit = entry.commit.or(commit);
    }
    let order: HashMap<ObjectId, usize> = walk.commits().enumerate().map(|(at, id)| (id, at)).collect();
    found.sort_by_key(|found| found.leak.entry.commit.and_then(|id| order.get(&id).copied()));
    Ok(())
}

/// Makes the candidates of what a range introduces.
pub fn candidates(batch: Batch) -> Vec<Candidate> {
    let introduced = batch.introduced.into_iter();
    introduced
        .map(|introduced| Candidate {
            path: introduced.entry.path,
            kind: introduced.entry.kind,
            id: introduced.entry.id,
            commit: introduced.commit,
        })
        .collect()
}

/// Makes the candidate of a blob to which a ref leads directly.
pub fn without_path(blob: ObjectId) -> Candidate {
    Candidate {
        path: RepoPath::new(b""),
        kind: EntryKind::Regular,
        id: blob,
        commit: None,
    }
}
