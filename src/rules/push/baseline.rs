//! Decides what a pushed or changed ref is compared with.

use crate::format::object_id::ObjectId;

/// Prefixes of the refs that are judged, because a push publishes what they lead to.
pub const JUDGED_REFS: [&str; 2] = ["refs/heads/", "refs/tags/"];

/// Returns whether a ref is judged: it is a branch or a tag.
pub fn is_judged(name: &str) -> bool {
    JUDGED_REFS.iter().any(|prefix| name.starts_with(prefix))
}

/// What a new tip of a ref is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// What was there before. Its rules apply together with those of the tip.
    pub old: Vec<ObjectId>,
    /// Whether the ref is new, as far as this clone knows. Then the rules of everything pushed with it apply too.
    pub is_new: bool,
}

/// Returns what a pushed tip is compared with.
///
/// `reported` is what the remote has under the ref, if this clone has that object. Otherwise, the ref is new or was never
/// fetched. Then the tip is compared with what the ref was tracked as last, even if that is not trusted, and with what is
/// `standing` at the remote.
pub fn of_push(reported: Option<ObjectId>, tracked: Option<ObjectId>, standing: &[ObjectId]) -> Baseline {
    match reported {
        Some(old) => replacing(old),
        None => Baseline {
            old: tracked.into_iter().chain(standing.iter().copied()).collect(),
            is_new: true,
        },
    }
}

/// Returns the new tip of a ref in this repository, and what it is compared with. Returns `None` if there is nothing to
/// judge: the ref is deleted, does not move, or moves to an object that `is_known`.
pub fn of_change(
    old: Option<ObjectId>,
    new: Option<ObjectId>,
    is_known: impl Fn(&ObjectId) -> bool,
    standing: &[ObjectId],
) -> Option<(ObjectId, Baseline)> {
    let tip = new.filter(|tip| new != old && !is_known(tip))?;
    let baseline = match old {
        Some(old) => replacing(old),
        None => Baseline {
            old: standing.to_vec(),
            is_new: true,
        },
    };
    Some((tip, baseline))
}

/// Returns what a new branch is compared with: the default branch, or `all` branches if the default one is not known.
pub fn standing(default: Option<ObjectId>, all: &[ObjectId]) -> Vec<ObjectId> {
    match default {
        Some(id) => vec![id],
        None => all.to_vec(),
    }
}

fn replacing(old: ObjectId) -> Baseline {
    Baseline {
        old: vec![old],
        is_new: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ObjectId {
        ObjectId::from_bytes(&[n; 20]).unwrap()
    }

    #[test]
    fn a_push_is_measured_against_what_is_there_or_else_all_that_may_be() {
        let standing = [id(8), id(9)];
        let known = of_push(Some(id(1)), Some(id(2)), &standing);
        assert_eq!((known.old, known.is_new), (vec![id(1)], false));
        let unknown = of_push(None, Some(id(2)), &standing);
        assert_eq!((unknown.old, unknown.is_new), (vec![id(2), id(8), id(9)], true));
        let new = of_push(None, None, &[]);
        assert_eq!((new.old, new.is_new), (vec![], true));
    }

    #[test]
    fn a_change_is_judged_if_it_brings_something() {
        let of = |old, new| of_change(old, new, |tip| *tip == id(7), &[id(9)]);
        for (old, new) in [
            (None, None),
            (Some(id(1)), None),
            (Some(id(1)), Some(id(1))),
            (Some(id(1)), Some(id(7))),
            (None, Some(id(7))),
        ] {
            assert_eq!(of(old, new), None, "{old:?} {new:?}");
        }
        let (tip, changed) = of(Some(id(1)), Some(id(2))).unwrap();
        assert_eq!((tip, changed.old, changed.is_new), (id(2), vec![id(1)], false));
        let (tip, new) = of(None, Some(id(2))).unwrap();
        assert_eq!((tip, new.old, new.is_new), (id(2), vec![id(9)], true));
    }

    #[test]
    fn the_default_branch_stands_for_all_where_it_is_known() {
        let all = [id(1), id(2)];
        assert_eq!(standing(Some(id(3)), &all), [id(3)]);
        assert_eq!(standing(None, &all), all);
    }

    #[test]
    fn branches_and_tags_are_judged() {
        for (name, expected) in [
            ("refs/heads/a", true),
            ("refs/tags/a", true),
            ("refs/remotes/o/a", false),
            ("refs/stash", false),
            ("HEAD", false),
        ] {
            assert_eq!(is_judged(name), expected, "{name}");
        }
    }
}
