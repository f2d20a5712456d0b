//! Decides which branches are the main ones: by configuration, by convention, or by what remotes reported.

use std::collections::HashSet;

use crate::format::object_id::ObjectId;

/// Names of branches that count as the main branch if nothing else names it.
const USUAL: [&str; 2] = ["main", "master"];

/// Name of the symbolic ref of a remote that leads to its default branch.
const HEAD: &str = "HEAD";

/// Returns the short names of the branches that count as main ones.
///
/// `configured` is the name that git gives to the first branch of new repositories.
pub fn main_names(configured: Option<String>) -> Vec<String> {
    configured.into_iter().chain(USUAL.map(str::to_owned)).collect()
}

/// The short names of the branches of a remote that are asked for.
pub struct MainNames<'a> {
    /// Those that count as main branches if the default branch is not known.
    pub main: HashSet<&'a str>,
    /// Those that count in any case.
    pub always: HashSet<&'a str>,
}

/// The branches of a remote, as this clone tracks them.
#[derive(Debug, PartialEq, Eq)]
pub struct RemoteBranches {
    /// Tips of its main branches, and of those that count in any case.
    pub main: Vec<ObjectId>,
    /// Tips of the others. Empty if the default branch is known.
    pub others: Vec<ObjectId>,
}

/// Finds the branches of a remote. Its `HEAD` leads to the default branch; if it leads nowhere, that is not known.
///
/// `tracked` are the refs below `refs/remotes/`. Skips tips that are not in this clone.
pub fn of_remote(
    remote: &str,
    tracked: &[(String, ObjectId)],
    wanted: &MainNames<'_>,
    is_here: impl Fn(&ObjectId) -> bool,
) -> RemoteBranches {
    let branches = tracked.iter().filter_map(|(name, id)| {
        let branch = name.strip_prefix(remote)?.strip_prefix('/')?;
        is_here(id).then_some((branch, *id))
    });
    let branches: Vec<(&str, ObjectId)> = branches.collect();
    let has_head = branches.iter().any(|(branch, _)| *branch == HEAD);
    let is_main = |branch: &str| match has_head {
        true => branch == HEAD || wanted.always.contains(branch),
        false => wanted.main.contains(branch) || wanted.always.contains(branch),
    };
    let (main, others): (Vec<_>, Vec<_>) = branches.into_iter().partition(|(branch, _)| is_main(branch));
    let ids = |branches: Vec<(&str, ObjectId)>| branches.into_iter().map(|(_, id)| id).collect();
    RemoteBranches {
        main: ids(main),
        others: if has_head { Vec::new() } else { ids(others) },
    }
}

/// Returns the tip of the default branch of a remote: of its `HEAD`, or of its first branch with a usual name.
///
/// `tracked` are the refs below `refs/remotes/`. Skips tips that are not in this clone.
pub fn default_of_remotes(tracked: &[(String, ObjectId)], is_here: impl Fn(&ObjectId) -> bool) -> Option<ObjectId> {
    let named = |name: &str| {
        let is_it = |tracked: &str| tracked.strip_suffix(name).is_some_and(|remote| remote.ends_with('/'));
        tracked.iter().find(|(tracked, id)| is_it(tracked) && is_here(id))
    };
    let names = [HEAD].into_iter().chain(USUAL);
    names.into_iter().find_map(named).map(|(_, id)| *id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ObjectId {
        ObjectId::from_bytes(&[n; 20]).unwrap()
    }

    #[test]
    fn main_branches_are_named_by_configuration_and_custom() {
        assert_eq!(main_names(Some("trunk".into())), ["trunk", "main", "master"]);
        assert_eq!(main_names(None), ["main", "master"]);
    }

    #[test]
    fn without_a_head_the_branches_with_the_names_that_are_asked_for_are_the_main_ones() {
        let refs = |names: &[&str]| -> Vec<(String, ObjectId)> {
            let refs = names.iter().zip(1..);
            refs.map(|(name, n)| ((*name).to_owned(), id(n))).collect()
        };
        let of = |names: &[&str]| {
            let wanted = MainNames {
                main: HashSet::from(["main", "trunk"]),
                always: HashSet::from(["topic"]),
            };
            let found = of_remote("o", &refs(names), &wanted, |here| *here != id(9));
            let bare = |ids: Vec<ObjectId>| ids.iter().map(|id| id.as_bytes()[0]).collect::<Vec<_>>();
            (bare(found.main), bare(found.others))
        };
        for (names, main, others) in [
            (&["o/HEAD", "o/main"][..], &[1][..], &[][..]),
            (&["o/dev", "o/HEAD", "o/main"], &[2], &[]),
            (&["o/topic", "o/HEAD", "o/main"], &[1, 2], &[]),
            (&["o/main", "o/topic", "o/dev", "o/trunk"], &[1, 2, 4], &[3]),
            (&["o/dev", "o/old"], &[], &[1, 2]),
            (&["p/HEAD", "other/main", "o/x/main", "main", "o"], &[], &[3]),
            (
                &["a", "b", "c", "d", "e", "f", "g", "h", "o/HEAD", "o/main"],
                &[10],
                &[],
            ),
            (&[], &[], &[]),
        ] {
            assert_eq!(of(names), (main.to_vec(), others.to_vec()), "{names:?}");
        }
    }

    #[test]
    fn the_head_of_a_remote_comes_before_the_usual_names() {
        let refs = |names: &[&str]| -> Vec<(String, ObjectId)> {
            names
                .iter()
                .zip(1..)
                .map(|(name, n)| ((*name).to_owned(), id(n)))
                .collect()
        };
        let all_here = |_: &ObjectId| true;
        for (names, expected) in [
            (&["o/master", "o/main", "o/HEAD"][..], Some(3)),
            (&["o/master", "o/main"], Some(2)),
            (&["o/topic", "o/master"], Some(2)),
            (&["o/topic", "o/xmain", "main"], None),
            (&[], None),
        ] {
            assert_eq!(
                default_of_remotes(&refs(names), all_here),
                expected.map(id),
                "{names:?}"
            );
        }
        let absent = |missing: &ObjectId| *missing != id(1);
        assert_eq!(default_of_remotes(&refs(&["o/HEAD", "p/HEAD"]), absent), Some(id(2)));
    }
}
