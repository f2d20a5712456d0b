//! What ranges of commits introduce, judged by the rules of both of their sides.

use std::collections::{BTreeSet, HashMap};

use crate::adapters::git::Repository;
use crate::adapters::git::history::{Peeled, Range, Walk};
use crate::format::config::Config;
use crate::format::object_id::ObjectId;
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::EntryKind;
use crate::ops::configuration::{self, Loaded};
use crate::ops::scan::engine::Judge;
use crate::ops::scan::packs::{self, Touched};
use crate::ops::scan::{Found, ScanReport};
use crate::rules::content::Budget;
use crate::rules::protect::Subject;
use crate::rules::scan::{Candidate, Destination};
use crate::rules::weakening::weakened;

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
    /// What unpacking may cost, packs that are verified included.
    pub budget: Budget,
}

/// Changes whose tips and old sides have the same configurations.
struct Group {
    tips: Vec<ObjectId>,
    new: Loaded,
    old: Vec<Loaded>,
}

impl Ranges<'_> {
    /// Judges every entry that the commits of `changes` introduce.
    ///
    /// The rules of each tip apply together with those of its old side and of the commits right below what is new, so that
    /// no change releases its own leak.
    pub fn judge(&self, changes: &[Change]) -> Result<ScanReport> {
        let mut report = ScanReport::default();
        let mut groups: Vec<Group> = Vec::new();
        for change in changes {
            match self.repo.peel(&change.tip)? {
                Peeled::Commit(tip) => self.add(&mut groups, tip, change)?,
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
            self.judge_group(group, &mut reported, &mut report)?;
        }
        report.weakened.sort();
        report.weakened.dedup();
        Ok(report)
    }

    fn add(&self, groups: &mut Vec<Group>, tip: ObjectId, change: &Change) -> Result<()> {
        let new = configuration::in_commit(self.repo, &self.repo.commit(&tip.hex())?)?;
        let same = |a: &Loaded, b: &Loaded| a.bytes == b.bytes;
        let mut old: Vec<Loaded> = Vec::new();
        for id in &change.old {
            if let Some(loaded) = self.old_side(id)?
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
            None => groups.push(Group {
                tips: vec![tip],
                new,
                old,
            }),
        }
        Ok(())
    }

    /// Returns the configuration of an old side; none if there is no such commit here: what a remote has may never have
    /// been fetched.
    fn old_side(&self, id: &ObjectId) -> Result<Option<Loaded>> {
        if !self.repo.has(id) {
            return Ok(None);
        }
        match self.repo.peel(id)? {
            Peeled::Commit(id) => configuration::in_commit_or_none(self.repo, &self.repo.commit(&id.hex())?).map(Some),
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
        let mut judge = Judge::new(self.repo, &registry, (self.destination)(&[&head.config]), &self.budget);
        let found = judge.judge(&[without_path(blob)])?;
        report.examined += judge.examined;
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

    fn judge_group(
        &self,
        group: Group,
        reported: &mut BTreeSet<(RepoPath, ObjectId)>,
        report: &mut ScanReport,
    ) -> Result<()> {
        let walk = self.repo.walk(&group.tips, self.known)?;
        if self.needs_all {
            walk.ensure_whole()?;
        }
        let mut loaded = vec![group.new];
        loaded.extend(group.old);
        for id in &walk.boundary {
            let below = configuration::in_commit_or_none(self.repo, &self.repo.commit(&id.hex())?)?;
            if loaded.iter().all(|other| other.bytes != below.bytes) {
                loaded.push(below);
            }
        }
        let (new, old) = loaded.split_first().expect("a group has a configuration");
        for old in old {
            report.weakened.extend(weakened(&old.config, &new.config));
        }
        let registry = configuration::registry(&loaded.iter().collect::<Vec<_>>())?;
        let alone = new.registry()?;
        let configs: Vec<&Config> = loaded.iter().map(|loaded| &loaded.config).collect();
        let destination = (self.destination)(&configs);
        let mut judge = Judge::of_both_sides(self.repo, &registry, Some(&alone), destination, &self.budget);
        let clean = judge.clean_commits(walk.count());
        let range = self.repo.introduced(&walk, |id| clean.contains(id))?;
        judge.examined.commits += range.commits.len() as u64;
        judge.examined.remembered_commits += range.passed_over;
        let mut found = judge.judge(&candidates(&range))?;
        name_commits(self.repo, &walk, &mut found)?;
        let mut invalid = Vec::new();
        if self.verify_packs {
            let touched = Touched::of(&range);
            for tip in &group.tips {
                let within = (&registry, &self.budget);
                invalid.extend(packs::verify_tracked(self.repo, within, tip, &touched, &walk)?);
            }
        }
        // What could not be examined whole is told again the next time.
        if found.is_empty() && invalid.is_empty() && judge.in_part.is_empty() {
            judge.keep_clean(&range.commits);
        }
        report.examined += judge.examined;
        report.in_part.append(&mut judge.in_part);
        report.packs.extend(invalid);
        found.retain(|found| reported.insert((found.leak.entry.path.clone(), found.leak.entry.id)));
        for mut found in found {
            let entry = &found.leak.entry;
            found.deleted_in = range.deleted.get(&entry.path).copied();
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
pub fn candidates(range: &Range) -> Vec<Candidate> {
    let introduced = range.introduced.iter();
    introduced
        .map(|introduced| Candidate {
            path: introduced.entry.path.clone(),
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
