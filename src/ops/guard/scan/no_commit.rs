//! Judges refs that lead to a tree or a blob instead of a commit.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use crate::format::object_id::ObjectId;
use crate::format::protected::Origin;
use crate::format::repo_path::RepoPath;
use crate::format::tree_name;
use crate::ops::configuration::{self, Loaded, Rules};
use crate::ops::guard::scan::beside::{self, Besides, same};
use crate::ops::guard::scan::engine::Engine;
use crate::ops::guard::scan::packs;
use crate::ops::guard::scan::range::{Group, Ranges, RefChange, without_path};
use crate::ops::guard::scan::twins::Ends;
use crate::ops::guard::scan::{FoundLeak, ScanReport};
use crate::refusal::Result;
use crate::rules::pack::places::copied;
use crate::rules::protect::{FileFacts, Registry};
use crate::rules::scan::Candidate;
use crate::rules::weakening::weakened;

impl Ranges<'_> {
    /// Judges all entries of a tree by the rules of `HEAD`, as those of a commit that has this tree and no parents. If the
    /// tree has a configuration of its own, that one applies too, but it releases nothing.
    pub(super) fn judge_tree(
        &self,
        rules: &Rules<'_>,
        besides: &mut Besides,
        (tree, change): (ObjectId, &RefChange),
        reported: &mut BTreeSet<(RepoPath, ObjectId)>,
        report: &mut ScanReport,
    ) -> Result<()> {
        let head = match self.repo.has_commit()? {
            true => Some(self.repo.commit("HEAD")?.id),
            false => None,
        };
        let new = match &head {
            Some(head) => rules.in_commit_or_none(head)?,
            None => Rc::new(Loaded::none()),
        };
        let own = rules.in_tree(&tree)?;
        let (before, mut old) = self.old_sides(rules, change)?;
        let mut beside = Vec::new();
        if !old.iter().any(|loaded| loaded.is_present()) {
            let found = besides.of(self.repo, rules, head, &new, &change.beside)?;
            beside = found.apply;
            // No remote has the rules of `HEAD` yet.
            let replaced = beside::only_replaced_here(self.repo, rules, found.replaced, &new, &change.elsewhere)?;
            old.extend(replaced);
        }
        for side in &old {
            report.weakened.extend(weakened(&side.config, &new.config));
        }
        if own.is_present() && !same(&own, &new) {
            old.push(own);
        }
        let group = Group {
            tips: Vec::new(),
            moves: Vec::new(),
            before,
            new: Rc::clone(&new),
            old,
            beside,
        };
        let sides: Vec<&Loaded> = std::iter::once(&group.new).chain(&group.old).map(Rc::as_ref).collect();
        let (registry, judge) = self.judge_by(sides, &group)?;
        let ends = Ends::of_tree(self.repo, &group.before, tree)?;
        let mut judge = judge.between(ends.all.clone());
        let (both, new) = ends.twins()?;
        judge.know_twins(&both, &new);
        let entries = self.repo.tree_entries(&tree)?.into_iter().map(|entry| Candidate {
            path: entry.path,
            kind: entry.kind,
            id: entry.id,
            commit: None,
        });
        let entries: Vec<Candidate> = entries.collect();
        let mut found = judge.judge(&entries)?;
        if self.verify_packs {
            let demands = self.demands(&registry, &group.before)?;
            let packs = packs::verify_in_tree(&demands, &registry, (&change.name, &tree))?;
            report.packs.extend(packs.invalid);
            if packs.is_sound_pack {
                found = by_entries(&registry, &mut judge, &entries, found)?;
            }
        }
        self.note(&judge, report);
        found.retain(|found| reported.insert((found.leak.entry.path.clone(), found.leak.entry.id)));
        report.leaks.extend(found);
        Ok(())
    }

    /// Judges blobs by their content, by the rules of `HEAD`, and by the paths that they have in the tree of `HEAD` and in
    /// the index. A rule may protect them there, and a ref would publish them without that path.
    pub(super) fn judge_blobs(&self, blobs: &BTreeSet<ObjectId>, report: &mut ScanReport) -> Result<()> {
        if blobs.is_empty() {
            return Ok(());
        }
        let mut candidates: Vec<Candidate> = blobs.iter().map(|blob| without_path(*blob)).collect();
        let mut meet = |path: RepoPath, kind, id| {
            if blobs.contains(&id) {
                let commit = None;
                candidates.push(Candidate { path, kind, id, commit });
            }
        };
        for entry in self.repo.index()?.files_named(|_| true) {
            meet(entry.path, entry.kind, entry.id);
        }
        let mut head = Loaded::none();
        let mut trees = Vec::new();
        if self.repo.has_commit()? {
            let commit = self.repo.commit("HEAD")?;
            head = configuration::in_commit(self.repo, &commit)?;
            trees.push(commit.tree);
            self.repo
                .walk_tree(&commit.tree, |path, kind, id| meet(RepoPath::new(path), kind, id))?;
        }
        candidates.sort_by(|a, b| (&a.path, a.id).cmp(&(&b.path, b.id)));
        candidates.dedup_by(|a, b| (&a.path, a.id) == (&b.path, b.id));
        let registry = head.registry()?;
        let judge = Engine::new(self.repo, &registry, (self.destination)(&[&head.config]), &self.budget);
        let mut judge = judge.between(trees);
        let found = judge.judge(&candidates)?;
        self.note(&judge, report);
        report.leaks.extend(found);
        Ok(())
    }
}

/// Judges the copies of entries in a sound pack at the paths of the entries, as the rules name them, and returns all leaks of
/// the pack. `literal` are the leaks by the paths in the pack.
///
/// A configured rule that protects a copy at its path in the pack holds, unless the rules release the path of the entry
/// explicitly: such a rule may be about a directory of the repository that has the name of one of packs.
fn by_entries(
    registry: &Registry,
    judge: &mut Engine<'_>,
    candidates: &[Candidate],
    literal: Vec<FoundLeak>,
) -> Result<Vec<FoundLeak>> {
    let copies: HashMap<RepoPath, &Candidate> = candidates
        .iter()
        .filter_map(|candidate| Some((entry_of(candidate)?, candidate)))
        .collect();
    let entries = copies.iter().map(|(path, copy)| Candidate {
        path: path.clone(),
        ..(*copy).clone()
    });
    let mut leaks = judge.judge(&entries.collect::<Vec<_>>())?;
    for found in &mut leaks {
        if let Some(copy) = copies.get(&found.leak.entry.path) {
            found.leak.entry.path = copy.path.clone();
        }
    }
    let judged: BTreeSet<RepoPath> = leaks.iter().map(|found| found.leak.entry.path.clone()).collect();
    leaks.extend(literal.into_iter().filter(|found| {
        let Some(path) = entry_of(&found.leak.entry) else {
            return true;
        };
        let facts = FileFacts {
            path: path.as_bytes(),
            blob: Some(found.leak.entry.id),
            ..FileFacts::default()
        };
        let is_judged = judged.contains(&found.leak.entry.path);
        !is_judged && found.leak.origin == Origin::Config && !registry.releases(&facts)
    }));
    leaks.sort_by(|a, b| a.leak.entry.path.cmp(&b.leak.entry.path));
    Ok(leaks)
}

/// Returns the path of the entry of which a member is a copy, if it lies where a tree pack has such copies.
fn entry_of(member: &Candidate) -> Option<RepoPath> {
    let path = std::str::from_utf8(member.path.as_bytes()).ok()?;
    Some(RepoPath::new(&tree_name::path_of(copied(path)?)))
}
