//! Decides which branches are the main ones: by configuration, by convention, or by what remotes reported.

use crate::format::object_id::ObjectId;

/// Names of branches that count as the main branch if nothing else names it.
const USUAL: [&str; 2] = ["main", "master"];

/// Returns the names of the refs that lead to main branches. They need not exist.
///
/// `configured` is the name that git gives to the first branch of new repositories.
pub fn main_refs(configured: Option<String>, remotes: &[String]) -> Vec<String> {
    let names = configured.into_iter().chain(USUAL.map(str::to_owned));
    let local = names.map(|name| format!("refs/heads/{name}"));
    let of_remotes = remotes.iter().map(|name| format!("refs/remotes/{name}/HEAD"));
    local.chain(of_remotes).collect()
}

/// Returns the tip of the default branch of a remote: of its `HEAD`, or of its first branch with a usual name.
///
/// `tracked` are the refs below `refs/remotes/`. Skips tips that are not in this clone.
pub fn default_of_remotes(tracked: &[(String, ObjectId)], is_here: impl Fn(&ObjectId) -> bool) -> Option<ObjectId> {
    let named = |name: &str| {
        let is_it = |tracked: &str| tracked.strip_suffix(name).is_some_and(|remote| remote.ends_with('/'));
        tracked.iter().find(|(tracked, id)| is_it(tracked) && is_here(id))
    };
    let names = ["HEAD"].into_iter().chain(USUAL);
    names.into_iter().find_map(named).map(|(_, id)| *id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ObjectId {
        ObjectId::from_bytes(&[n; 20]).unwrap()
    }

    #[test]
    fn main_branches_are_named_by_configuration_custom_and_remotes() {
        let remotes = ["o".to_owned(), "a/b".to_owned()];
        assert_eq!(
            main_refs(Some("trunk".into()), &remotes),
            [
                "refs/heads/trunk",
                "refs/heads/main",
                "refs/heads/master",
                "refs/remotes/o/HEAD",
                "refs/remotes/a/b/HEAD"
            ]
        );
        assert_eq!(main_refs(None, &[]), ["refs/heads/main", "refs/heads/master"]);
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
