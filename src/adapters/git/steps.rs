//! The commits of a walk, in little memory: a walk holds very many of them for as long as they are judged.

use std::ops::Range;

/// A commit met by a walk.
pub(super) struct CommitStep {
    pub(super) id: gix::ObjectId,
    pub(super) tree: gix::ObjectId,
    /// The parents that this clone has.
    pub(super) parents: Vec<gix::ObjectId>,
}

/// Commits of one repository, in an order. The ids lie one behind another, each with the bytes that it has.
#[derive(Default)]
pub(super) struct Steps {
    /// Length of an id in bytes.
    width: usize,
    /// For each commit its id, its tree and its parents.
    ids: Vec<u8>,
    /// For each commit, where it ends in `ids`.
    ends: Vec<usize>,
}

impl Steps {
    /// Adds a commit.
    pub(super) fn push(&mut self, step: &CommitStep) {
        self.width = step.id.as_slice().len();
        for id in [&step.id, &step.tree].into_iter().chain(&step.parents) {
            self.ids.extend_from_slice(id.as_slice());
        }
        self.ends.push(self.ids.len());
    }

    /// Returns the number of commits.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns the id of a commit.
    pub(super) fn id(&self, at: usize) -> gix::ObjectId {
        self.ids_of(at).next().expect("a commit has an id")
    }

    /// Returns a commit.
    pub(super) fn get(&self, at: usize) -> CommitStep {
        let mut ids = self.ids_of(at);
        CommitStep {
            id: ids.next().expect("a commit has an id"),
            tree: ids.next().expect("a commit has a tree"),
            parents: ids.collect(),
        }
    }

    /// Returns the commits in a range of their order.
    pub(super) fn of(&self, range: Range<usize>) -> impl DoubleEndedIterator<Item = CommitStep> {
        range.map(|at| self.get(at))
    }

    /// Returns the commits in their order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = CommitStep> {
        self.of(0..self.len())
    }

    fn ids_of(&self, at: usize) -> impl Iterator<Item = gix::ObjectId> {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        let ids = self.ids[start..self.ends[at]].chunks_exact(self.width);
        ids.map(|id| gix::oid::from_bytes_unchecked(id).to_owned())
    }
}

impl FromIterator<CommitStep> for Steps {
    fn from_iter<I: IntoIterator<Item = CommitStep>>(steps: I) -> Self {
        let mut all = Self::default();
        for step in steps {
            all.push(&step);
        }
        all.ids.shrink_to_fit();
        all.ends.shrink_to_fit();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_come_back_as_they_were() {
        for kind in [gix::hash::Kind::Sha1, gix::hash::Kind::Sha256] {
            let id = |byte: u8| gix::oid::from_bytes_unchecked(&vec![byte; kind.len_in_bytes()]).to_owned();
            let made = |number: u8| CommitStep {
                id: id(number),
                tree: id(100 + number),
                parents: (0..number).map(|parent| id(200 + parent)).collect(),
            };
            let steps: Steps = (0..4).map(made).collect();
            assert_eq!(steps.len(), 4);
            for (number, step) in (0..).zip(steps.iter()) {
                let same = made(number);
                assert_eq!((step.id, step.tree, step.parents), (same.id, same.tree, same.parents));
                assert_eq!(steps.id(usize::from(number)), same.id);
            }
            let last: Vec<gix::ObjectId> = steps.of(2..4).rev().map(|step| step.id).collect();
            assert_eq!(last, [id(3), id(2)]);
        }
    }
}
