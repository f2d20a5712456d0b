//! Judges what ranges of commits introduce, by the rules of both sides.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use crate::adapters::git::history::Batch;
use crate::adapters::git::walk::Walk;
use crate::adapters::git::{Peeled, Repository};
use crate::format::budget::{Bound, EACH_CONFIG};
use crate::format::config::Config;
use crate::format::id_set::IdSet;
use crate::format::object_id::ObjectId;
use crate::format::pack_refs::PackRefs;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::EntryKind;
use crate::ops::clean_memory::WORTH_REMEMBERING;
use crate::ops::configuration::{self, Loaded, Rules};
use crate::ops::guard::scan::beside::{self, Besides, Commits, old_side, same};
use crate::ops::guard::scan::engine::Engine;
use crate::ops::guard::scan::packs::{self, PackDemands, RefMove, Touched};
use crate::ops::guard::scan::twins::Ends;
use crate::ops::guard::scan::{FoundLeak, ScanReport};
use crate::refusal::Result;
use crate::rules::content::UnpackBudget;
use crate::rules::protect::Registry;
use crate::rules::scan::{Candidate, Destination};
use crate::rules::weakening::weakened;

/// The number of unreachable blobs that are judged in one go.
const BESIDES_AT_ONCE: usize = 16384;

/// A ref that is about to change, or an end of a range.
#[derive(Clone, Debug)]
pub struct RefChange {
    /// The ref, or another name of the tip.
    pub name: String,
    /// The object that it will point to.
    pub tip: ObjectId,
    /// The objects that were there before. Their rules apply.
    pub old: Vec<ObjectId>,
    /// The commits whose rules apply if nothing with rules was there before: everything pushed with it, and the main
    /// branches of this clone.
    pub beside: Commits,
    /// Those commits of `beside` that other remotes have.
    pub elsewhere: Commits,
}

impl RefChange {
    /// Makes a change that is compared with `old` alone.
    pub fn of(name: &str, tip: ObjectId, old: Vec<ObjectId>) -> Self {
        Self {
            name: name.to_owned(),
            tip,
            old,
            beside: Arc::new([]),
            elsewhere: Arc::new([]),
        }
    }
}

/// The settings that all changes of one call share.
pub struct Ranges<'a> {
    /// The repository.
    pub repo: &'a Repository,
    /// Objects that are not new. Everything reachable from them is there already.
    pub known: &'a [ObjectId],
    /// Returns the destination, given every configuration that applies.
    pub destination: &'a dyn Fn(&[&Config]) -> Destination,
    /// Whether packs in the tips are verified.
    pub verify_packs: bool,
    /// Whether the default branch says who may sign packs, before the branch that is pushed. In a clone, `HEAD` is what
    /// its user works on.
    pub default_first: bool,
    /// Whether to refuse a range that continues below the history of a shallow clone. A push from such a clone is
    /// judged as far as its history goes, because a remote already has the rest.
    pub needs_all: bool,
    /// Collects the blobs that were seen, if wanted. Then every blob is read, even one that was clean before.
    pub met: Option<RefCell<IdSet>>,
    /// The budget for unpacking, including packs that are verified.
    pub budget: UnpackBudget,
    /// The refs of packs and of what is attached to them, as they are after the push.
    pub refs: &'a PackRefs,
}

/// Changes whose tips and old sides have equal configurations.
pub(super) struct Group {
    pub(super) tips: Vec<ObjectId>,
    /// The commits on the old sides of all tips.
    pub(super) before: Vec<ObjectId>,
    /// What each tip is compared with.
    pub(super) moves: Vec<RefMove>,
    pub(super) new: Rc<Loaded>,
    pub(super) old: Vec<Rc<Loaded>>,
    pub(super) beside: Vec<Rc<Loaded>>,
}

impl Ranges<'_> {
    /// Judges every entry that the commits of `changes` introduce.
    ///
    /// The rules of each tip apply together with those of its old side and of the commits right below what is new, so that
    /// no change releases its own leak.
    pub fn judge(&self, changes: &[RefChange]) -> Result<ScanReport> {
        let mut report = ScanReport::default();
        self.repo.hold(Bound::Refs, changes.len() as u64)?;
        let rules = Rules::of(self.repo);
        let mut groups: Vec<Group> = Vec::new();
        let mut besides = Besides::default();
        let (mut trees, mut blobs) = (Vec::new(), BTreeSet::new());
        for change in changes {
            match self.repo.peel(&change.tip)? {
                Peeled::Commit(tip) => {
                    let group = self.group(&rules, &mut besides, tip, change)?;
                    self.add(&mut groups, group)?;
                }
                Peeled::Blob(blob) => {
                    report.without_commits += 1;
                    blobs.insert(blob);
                }
                Peeled::Tree(tree) => {
                    report.without_commits += 1;
                    trees.push((tree, change));
                }
            }
        }
        self.judge_blobs(&blobs, &mut report)?;
        let mut reported = BTreeSet::new();
        for group in groups {
            self.judge_group(&rules, group, &mut reported, &mut report)?;
        }
        for tree in trees {
            self.judge_tree(&rules, &mut besides, tree, &mut reported, &mut report)?;
        }
        report.weakened.sort();
        report.weakened.dedup();
        Ok(report)
    }

    /// Returns the group of a single change.
    fn group(&self, rules: &Rules<'_>, besides: &mut Besides, tip: ObjectId, change: &RefChange) -> Result<Group> {
        let new = rules.in_commit(&tip)?;
        let (before, mut old) = self.old_sides(rules, change)?;
        let mut beside = Vec::new();
        if !old.iter().any(|loaded| loaded.is_present()) {
            let found = besides.of(self.repo, rules, Some(tip), &new, &change.beside)?;
            beside = found.apply;
            // No remote has this change yet.
            old.extend(beside::only_replaced_here(
                self.repo,
                rules,
                found.replaced,
                &new,
                &change.elsewhere,
            )?);
        }
        Ok(Group {
            tips: vec![tip],
            moves: vec![RefMove {
                tip,
                before: before.clone(),
            }],
            before,
            new,
            old,
            beside,
        })
    }

    /// Returns the commits on the old side of a change, and their configurations without duplicates.
    pub(super) fn old_sides(&self, rules: &Rules<'_>, change: &RefChange) -> Result<(Vec<ObjectId>, Vec<Rc<Loaded>>)> {
        let (mut before, mut old) = (Vec::new(), Vec::<Rc<Loaded>>::new());
        for id in &change.old {
            let Some((commit, loaded)) = old_side(self.repo, rules, id)? else {
                continue;
            };
            before.push(commit);
            if !old.iter().any(|other| same(other, &loaded)) {
                old.push(loaded);
            }
        }
        Ok((before, old))
    }

    /// Adds a group, or merges it with one of equal configurations.
    fn add(&self, groups: &mut Vec<Group>, group: Group) -> Result<()> {
        let all_same =
            |a: &[Rc<Loaded>], b: &[Rc<Loaded>]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b));
        let place = groups.iter_mut().find(|other| {
            same(&other.new, &group.new) && all_same(&other.old, &group.old) && all_same(&other.beside, &group.beside)
        });
        match place {
            Some(other) => {
                other.tips.extend(group.tips);
                other.before.extend(group.before);
                other.moves.extend(group.moves);
            }
            None => {
                // The rules of a group are compiled together, once with and once without the old ones.
                let sets = 2 + group.old.len() + group.beside.len();
                self.repo.spend(Bound::ConfigBytes, EACH_CONFIG * sets as u64)?;
                groups.push(group);
            }
        }
        Ok(())
    }

    /// Judges blobs that were sent although no sent commit reaches them: by content alone, with every configuration
    /// that applies.
    pub fn judge_besides(&self, changes: &[RefChange], report: &mut ScanReport) -> Result<()> {
        let Some(met) = &self.met else { return Ok(()) };
        let blobs = self.repo.sent_besides(&met.borrow())?;
        if blobs.is_empty() {
            return Ok(());
        }
        let rules = Rules::of(self.repo);
        let mut loaded: Vec<Rc<Loaded>> = Vec::new();
        for id in changes.iter().flat_map(|change| change.old.iter().chain([&change.tip])) {
            if let Some((_, side)) = old_side(self.repo, &rules, id)?
                && !loaded.iter().any(|other| Rc::ptr_eq(other, &side))
            {
                loaded.push(side);
            }
        }
        let sides: Vec<&Loaded> = loaded.iter().map(Rc::as_ref).collect();
        let registry = configuration::registry(&sides)?;
        let configs: Vec<&Config> = sides.iter().map(|loaded| &loaded.config).collect();
        let mut judge = Engine::new(self.repo, &registry, (self.destination)(&configs), &self.budget);
        for blobs in blobs.chunks(BESIDES_AT_ONCE) {
            let candidates: Vec<Candidate> = blobs.iter().map(|blob| without_path(*blob)).collect();
            report.leaks.extend(judge.judge(&candidates)?);
        }
        self.note(&judge, report);
        Ok(())
    }

    /// Adds the counts of a judge to the report.
    pub(super) fn note(&self, judge: &Engine<'_>, report: &mut ScanReport) {
        report.examined += judge.examined;
        report.in_part.extend(judge.in_part.iter().cloned());
        report.more += judge.more;
        if let Some(met) = &self.met {
            met.borrow_mut().extend(judge.met());
        }
    }

    /// Returns every configuration that applies to a group: the new one, those of the old side, and those of the
    /// commits right below what is new.
    fn sides(&self, rules: &Rules<'_>, group: &Group, walk: &Walk) -> Result<Vec<Rc<Loaded>>> {
        let mut loaded = vec![Rc::clone(&group.new)];
        loaded.extend(group.old.iter().map(Rc::clone));
        for id in &walk.boundary {
            let below = rules.in_commit_or_none(id)?;
            if loaded.iter().all(|other| !same(other, &below)) {
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
        let weaker = sides[1..].iter().map(|old| weakened(&old.config, &sides[0].config));
        report.weakened.extend(weaker.flatten());
        let (registry, judge) = self.judge_by(sides, &group)?;
        if registry.requires_published() {
            report.demanded.extend(&group.tips);
        }
        let ends = group.tips.iter().chain(&group.before).chain(&walk.boundary);
        let ends = Ends::of(self.repo, ends, &group.tips)?;
        let mut judge = judge.between(ends.all.clone());
        let is_long = walk.count() >= WORTH_REMEMBERING;
        if is_long {
            // Remembered verdicts hold only for the twins of that time.
            let (both, new) = ends.twins()?;
            judge.know_twins(&both, &new);
            judge.remember_under_twins();
        }
        let clean = match self.met {
            Some(_) => IdSet::default(),
            None => judge.clean_commits(walk.count()),
        };
        let (mut found, mut invalid, mut touched) = (Vec::new(), Vec::new(), Touched::nothing());
        let range = self.repo.introduced(&walk, |id| clean.contains(id), &mut |mut batch| {
            touched.add(&batch);
            judge.read(std::mem::take(&mut batch.ahead))?;
            let candidates = candidates(batch);
            if !is_long {
                let (both, new) = ends.twins_beside(&candidates)?;
                judge.know_twins(&both, &new);
            }
            found.extend(judge.judge(&candidates)?);
            Ok(())
        })?;
        judge.examined.commits += range.commits.len() as u64;
        judge.examined.remembered_commits += range.passed_over;
        judge.in_part.sort_by(|a, b| a.path.cmp(&b.path));
        name_commits(self.repo, &walk, &mut found)?;
        if self.verify_packs {
            if range.is_long || range.passed_over > 0 {
                touched = Touched::Any;
            }
            // A ref can also get packs that came with commits of another one, and were not at its tip.
            touched.add_moves(self.repo, &self.moves(&group, found.is_empty())?)?;
            let demands = self.demands(&registry, &group.before)?;
            invalid = packs::verify_tracked(&demands, &registry, &group.tips, &touched, &walk)?;
            if let Some(signers) = demands.signers {
                report.signers.get_or_insert_default().extend(signers);
            }
        }
        // A file that could be examined only in part must be reported again next time, so nothing is recorded as clean.
        if found.is_empty() && invalid.is_empty() && judge.in_part.is_empty() {
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
            report.is_elsewhere = self.is_elsewhere(commit)?;
        }
        Ok(())
    }

    /// Returns the registry of these sides, of which the first is the new one, and a judge by it.
    pub(super) fn judge_by<'s>(&self, mut sides: Vec<&'s Loaded>, group: &'s Group) -> Result<(Registry, Engine<'_>)> {
        // A commit that is pushed beside the tip is not an old side: the change cannot remove protection from it.
        let beside = group.beside.iter().map(Rc::as_ref);
        let alone: Vec<&Loaded> = sides.iter().copied().take(1).chain(beside.clone()).collect();
        let alone = configuration::registry(&alone)?;
        sides.extend(beside);
        let registry = configuration::registry(&sides)?;
        let configs: Vec<&Config> = sides.iter().map(|loaded| &loaded.config).collect();
        let destination = (self.destination)(&configs);
        let judge = Engine::of_both_sides(self.repo, &registry, Some(&alone), destination, &self.budget);
        Ok((registry, judge))
    }

    /// Returns what the tips of a group are compared with. A ref without an old side is compared with the default branch.
    /// Where nothing was before, all is new; and what has a leak is blocked already.
    fn moves(&self, group: &Group, is_clean: bool) -> Result<Vec<RefMove>> {
        if self.known.is_empty() || !is_clean {
            return Ok(Vec::new());
        }
        let mut moves = group.moves.clone();
        if self.repo.has_commit()? {
            let default = self.repo.commit("HEAD")?.id;
            for new in moves.iter_mut().filter(|new| new.before.is_empty()) {
                new.before.push(default);
            }
        }
        Ok(moves)
    }

    /// Returns what is demanded of packs. `before` are the commits on the old side. They and the default branch name who
    /// may sign: on a server, first the default branch, since a branch may be old.
    pub(super) fn demands(&self, registry: &Registry, before: &[ObjectId]) -> Result<PackDemands<'_>> {
        let signers = match registry.requires_signed() {
            false => None,
            true => {
                let mut commits = Vec::new();
                for id in before {
                    commits.push(self.repo.commit_of(id)?);
                }
                if self.repo.has_commit()? {
                    let default = self.repo.commit("HEAD")?;
                    match self.default_first {
                        true => commits.insert(0, default),
                        false => commits.push(default),
                    }
                }
                Some(commits)
            }
        };
        Ok(PackDemands {
            repo: self.repo,
            budget: &self.budget,
            signers,
            refs: self.refs,
        })
    }

    /// Returns whether some remote is known to have a commit.
    fn is_elsewhere(&self, commit: ObjectId) -> Result<bool> {
        let remotes: Vec<ObjectId> = self.repo.refs("refs/remotes/")?.into_iter().map(|(_, id)| id).collect();
        Ok(self.repo.walk(&[commit], &remotes)?.count() == 0)
    }
}

/// Finds the commit of a long range that introduced each leak, and sorts the leaks by age, oldest first.
pub fn name_commits(repo: &Repository, walk: &Walk, found: &mut [FoundLeak]) -> Result<()> {
    let unnamed = found.iter().filter(|found| found.leak.entry.commit.is_none());
    let wanted: Vec<_> = unnamed
        .map(|found| (found.leak.entry.path.clone(), found.leak.entry.id))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    // A sweep returns them in no particular order.
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

/// Makes the candidate of a blob that a ref points to directly.
pub fn without_path(blob: ObjectId) -> Candidate {
    Candidate {
        path: RepoPath::new(b""),
        kind: EntryKind::Regular,
        id: blob,
        commit: None,
    }
}
