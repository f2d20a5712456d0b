//! Decides how commits that are not pushed yet can be made again without a file.

use std::collections::{BTreeSet, HashMap};

use crate::format::object_id::ObjectId;

/// The most commits that are joined into one. More are rewritten one by one.
const MAX_JOINED: usize = 10;

/// How to take a file out of the commits below `HEAD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewriting {
    /// Go back to a commit, keep the index and the files, and commit again.
    Again {
        /// The commit to go back to. `None` if no commit is below those that hold the file.
        base: Option<ObjectId>,
        /// How many commits become one.
        joined: usize,
    },
    /// Rewrite the commits one by one, because they are many, or a merge is among them.
    Each,
    /// `HEAD` does not lead to them.
    NotHere,
}

/// Decides for the commits `leaking`, to all of which `head` leads. `parents` are those of each commit; a commit that is not
/// listed has none.
pub fn rewriting(
    head: &ObjectId,
    leaking: &BTreeSet<ObjectId>,
    parents: &HashMap<ObjectId, Vec<ObjectId>>,
) -> Rewriting {
    if leaking.is_empty() {
        return Rewriting::NotHere;
    }
    let (mut left, mut at) = (leaking.clone(), *head);
    for joined in 1..=MAX_JOINED {
        left.remove(&at);
        match (parents.get(&at).map_or(&[][..], Vec::as_slice), left.is_empty()) {
            ([], true) => return Rewriting::Again { base: None, joined },
            ([base], true) => {
                return Rewriting::Again {
                    base: Some(*base),
                    joined,
                };
            }
            ([next], false) => at = *next,
            _ => break,
        }
    }
    Rewriting::Each
}

/// Returns the first commit below all of `commits` on the line of commits that ends at `tip`. `None` if a merge is on the way,
/// or the line ends before.
pub fn below(
    tip: &ObjectId,
    commits: &BTreeSet<ObjectId>,
    parents: &HashMap<ObjectId, Vec<ObjectId>>,
) -> Option<ObjectId> {
    let (mut left, mut at) = (commits.clone(), *tip);
    while !left.is_empty() {
        left.remove(&at);
        match parents.get(&at).map_or(&[][..], Vec::as_slice) {
            [next] => at = *next,
            _ => return None,
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ObjectId {
        ObjectId::from_bytes(&[n; 20]).unwrap()
    }

    /// Commits by number, each with its parents; the first one is `HEAD`.
    fn of(commits: &[(u8, &[u8])], leaking: &[u8]) -> Rewriting {
        let parents = commits.iter().map(|(n, parents)| {
            let parents = parents.iter().map(|parent| id(*parent));
            (id(*n), parents.collect())
        });
        let leaking = leaking.iter().map(|n| id(*n)).collect();
        rewriting(&id(commits[0].0), &leaking, &parents.collect())
    }

    #[test]
    fn a_line_of_commits_is_joined_from_the_oldest_leak_on() {
        let line: &[(u8, &[u8])] = &[(9, &[8]), (8, &[7]), (7, &[])];
        let again = |base: Option<u8>, joined| Rewriting::Again {
            base: base.map(id),
            joined,
        };
        assert_eq!(of(line, &[9]), again(Some(8), 1));
        assert_eq!(of(line, &[8]), again(Some(7), 2));
        assert_eq!(of(line, &[9, 8]), again(Some(7), 2));
        assert_eq!(of(line, &[7]), again(None, 3));
        assert_eq!(of(line, &[]), Rewriting::NotHere);
    }

    #[test]
    fn the_first_commit_below_others_is_on_one_line_with_them() {
        let parents: HashMap<ObjectId, Vec<ObjectId>> =
            [(id(9), vec![id(8)]), (id(8), vec![id(7)]), (id(7), vec![id(6), id(5)])].into();
        let below = |commits: &[u8]| below(&id(9), &commits.iter().map(|n| id(*n)).collect(), &parents);
        assert_eq!(below(&[9]), Some(id(8)));
        assert_eq!(below(&[9, 8]), Some(id(7)));
        assert_eq!(below(&[7]), None);
        assert_eq!(below(&[4]), None);
    }

    #[test]
    fn merges_and_long_lines_are_rewritten_one_by_one() {
        let merged: &[(u8, &[u8])] = &[(9, &[8, 5]), (8, &[7]), (5, &[7])];
        assert_eq!(of(merged, &[8]), Rewriting::Each);
        assert_eq!(of(merged, &[5]), Rewriting::Each);
        assert_eq!(of(merged, &[9]), Rewriting::Each);
        // Nothing of the merge below is joined.
        let above: &[(u8, &[u8])] = &[(10, &[9]), (9, &[8, 5])];
        let again = Rewriting::Again {
            base: Some(id(9)),
            joined: 1,
        };
        assert_eq!(of(above, &[10]), again);
        let long: Vec<(u8, Vec<u8>)> = (1..30).rev().map(|n| (n, vec![n - 1])).collect();
        let long: Vec<(u8, &[u8])> = long.iter().map(|(n, parents)| (*n, parents.as_slice())).collect();
        assert_eq!(of(&long, &[2]), Rewriting::Each);
    }
}
