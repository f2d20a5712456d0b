//! Judges packs at refs that stay as they are while a push changes their signatures.

use std::collections::BTreeSet;

use crate::adapters::git::Commit;
use crate::adapters::git::pack_tree::PackTree;
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::pack_refs::{PackRefs, pack_ref};
use crate::ops::configuration::{self, Loaded, Rules};
use crate::ops::guard::scan::range::{Ranges, RefChange};
use crate::ops::guard::scan::{InvalidPack, ScanReport, problem};
use crate::ops::pack::signatures::demand_signatures;
use crate::ops::pack::source::Source;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::findings::Findings;

impl Ranges<'_> {
    /// Judges the packs whose signatures a push changes, where packs must be signed: afterwards, a pack must have no fault in
    /// its signatures that it did not have `before`. So nobody takes a signature away that is needed, or adds what is no
    /// signature of the pack, and a pack that is not signed yet can get one signature after the other.
    ///
    /// The rules of the commits in `standing` apply. The refs of new packs are judged by [`judge`](Self::judge).
    pub fn judge_signed_anew(&self, before: &PackRefs, standing: &[ObjectId], report: &mut ScanReport) -> Result<()> {
        let mut packs = before.signed_anew(self.refs).peekable();
        let Some((_, first)) = packs.peek() else { return Ok(()) };
        let rules = Rules::of(self.repo);
        let (commits, sides) = self.old_sides(&rules, &RefChange::of("", **first, standing.to_vec()))?;
        let sides: Vec<&Loaded> = sides.iter().map(std::rc::Rc::as_ref).collect();
        let Some(signers) = self.demands(&configuration::registry(&sides)?, &commits)?.signers else {
            return Ok(());
        };
        for (id, tree) in packs {
            self.repo.spend_time()?;
            let now = self.faults(&signers, (id, tree), self.refs)?;
            if now.is_empty() {
                continue;
            }
            report.without_commits += 1;
            let before = self.faults(&signers, (id, tree), before)?;
            let known: BTreeSet<(&str, &str)> = before.iter().map(|it| (it.path.as_str(), it.kind.code())).collect();
            let new = now
                .iter()
                .filter(|it| !known.contains(&(it.path.as_str(), it.kind.code())));
            let problems: Vec<String> = new.map(problem).collect();
            if !problems.is_empty() {
                report.packs.push(InvalidPack {
                    path: pack_ref(id),
                    commit: None,
                    problems,
                });
            }
        }
        Ok(())
    }

    /// Returns what is wrong with the signatures of a pack to which a ref leads, if they are those in `refs`. Finds
    /// nothing in a tree that is not a pack, because nobody takes it for one.
    fn faults(&self, signers: &[Commit], (id, tree): (&Digest, &ObjectId), refs: &PackRefs) -> Result<Findings> {
        let mut findings = Findings::default();
        if self.repo.kind_of(tree) != Some("a tree") {
            return Ok(findings);
        }
        let source = Source::Tree(PackTree::of(self.repo, tree)?.with_refs(refs), pack_ref(id));
        match source.manifest() {
            Ok(_) => {}
            Err(Refusal::BadPack { .. }) => return Ok(findings),
            Err(other) => return Err(other),
        }
        demand_signatures(self.repo, signers, (&source, &id.to_string()), &mut findings)?;
        Ok(findings)
    }
}
