//! Judges refs that lead to a tree or a blob instead of a commit.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::ops::configuration::{self, Loaded, Rules};
use crate::ops::guard::scan::ScanReport;
use crate::ops::guard::scan::beside::Besides;
use crate::ops::guard::scan::engine::Engine;
use crate::ops::guard::scan::packs;
use crate::ops::guard::scan::range::{Group, Ranges, RefChange, without_path};
use crate::ops::guard::scan::twins::Ends;
use crate::refusal::Result;
use crate::rules::scan::Candidate;
use crate::rules::weakening::weakened;

impl Ranges<'_> {
    /// Judges all entries of a tree, as those of a commit that has this tree and no parents.
    pub(super) fn judge_tree(
        &self,
        rules: &Rules<'_>,
        besides: &mut Besides,
        (tree, change): (ObjectId, &RefChange),
        reported: &mut BTreeSet<(RepoPath, ObjectId)>,
        report: &mut ScanReport,
    ) -> Result<()> {
        let new = rules.in_tree(&tree)?;
        let (before, old) = self.old_sides(rules, change)?;
        let beside = match old.iter().any(|loaded| loaded.is_present()) {
            true => Vec::new(),
            false => besides.of(self.repo, rules, None, &new, &change.beside)?.apply,
        };
        for side in &old {
            report.weakened.extend(weakened(&side.config, &new.config));
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
        let mut found = judge.judge(&entries.collect::<Vec<_>>())?;
        if self.verify_packs {
            let invalid = packs::verify_in_tree(&self.demands(&registry, &group.before)?, &registry, &tree)?;
            report.packs.extend(invalid);
        }
        self.note(&judge, report);
        found.retain(|found| reported.insert((found.leak.entry.path.clone(), found.leak.entry.id)));
        report.leaks.extend(found);
        Ok(())
    }

    /// Judges a blob by its content, by the rules of `HEAD`, and by the paths that it has in the tree of `HEAD` and in
    /// the index. A rule may protect it there, and a ref would publish it without that path.
    pub(super) fn judge_blob(&self, blob: ObjectId, report: &mut ScanReport) -> Result<()> {
        let mut candidates = vec![without_path(blob)];
        let mut meet = |path: RepoPath, kind, id| {
            if id == blob {
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
        let registry = head.registry()?;
        let judge = Engine::new(self.repo, &registry, (self.destination)(&[&head.config]), &self.budget);
        let mut judge = judge.between(trees);
        let mut found = judge.judge(&candidates)?;
        found.dedup_by(|a, b| a.leak.entry.path == b.leak.entry.path);
        self.note(&judge, report);
        report.leaks.extend(found);
        Ok(())
    }
}
