//! Which leaks of a scan a person has accepted, and the exceptions to be written for them.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::config::{Allow, AllowGroup};
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::EntryKind;
use crate::format::scan_report::ListedFinding;
use crate::refusal::shown::{brief, harmless, shown};
use crate::rules::protect::is_run_output;
use crate::rules::scan::groups::by_directory;
use crate::rules::scan::{Leak, LeakCode};

/// Returns what a report of this leak lists.
pub fn listed(leak: &Leak) -> ListedFinding {
    ListedFinding {
        blob: leak.entry.id,
        path: shown(leak.entry.path.as_bytes()),
        class: leak.class.clone(),
        code: leak.code.as_str().to_owned(),
    }
}

/// What to write for the leaks of a scan.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// New exceptions, one group for each directory and class, sorted.
    pub groups: Vec<AllowGroup>,
    /// The number of new exceptions.
    pub added: usize,
    /// The number of blobs that have an exception already.
    pub present: usize,
}

/// Returns whether an exception can release this leak. No exception releases a run output, and a submodule has no blob.
pub fn is_releasable(leak: &Leak) -> bool {
    !is_run_output(leak.entry.path.as_bytes())
        && leak.entry.kind != EntryKind::Submodule
        && leak.entry.id != ObjectId::NULL
}

/// Returns whether a person has to write the exception. Nobody looks at each of 500 entries, and a private key stays
/// secret until somebody decides about that one key.
pub fn is_for_a_person(leak: &Leak) -> bool {
    leak.code == LeakCode::PrivateKey
}

/// Returns whether a list may accept this leak: a list of exceptions that a scan writes, or the report of an earlier scan.
pub fn is_for_a_list(leak: &Leak) -> bool {
    is_releasable(leak) && !is_for_a_person(leak)
}

/// Plans exceptions for leaks that a scan of `surface` found. Blobs in `present` have one already.
///
/// The order of the leaks does not matter. A blob at several paths gets one entry, under the first of them.
pub fn exceptions<'a>(
    leaks: impl IntoIterator<Item = &'a Leak>,
    present: &BTreeSet<ObjectId>,
    surface: &str,
) -> Exceptions {
    let mut first_of: BTreeMap<ObjectId, &Leak> = BTreeMap::new();
    let place = |leak: &'a Leak| (&leak.entry.path, &leak.class, leak.code);
    for leak in leaks {
        if is_for_a_list(leak) {
            let first = first_of.entry(leak.entry.id).or_insert(leak);
            if place(leak) < place(first) {
                *first = leak;
            }
        }
    }
    let mut plan = Exceptions::default();
    let mut new: Vec<&Leak> = Vec::new();
    for (blob, leak) in first_of {
        match present.contains(&blob) {
            true => plan.present += 1,
            false => new.push(leak),
        }
    }
    plan.added = new.len();
    new.sort_by_key(|leak| (&leak.entry.path, leak.entry.id));
    let groups = by_directory(&new, |leak| leak.entry.path.as_bytes(), |leak| (&leak.class, leak.code));
    for ((directory, (class, code)), leaks) in groups {
        let (place, class) = (place_of_all(directory, &leaks), harmless(&brief(class)));
        let blobs = counted(leaks.len(), "blob");
        plan.groups.push(AllowGroup {
            about: format!("{place}: {class}, {blobs} ({}; {surface})", code.as_str()),
            entries: leaks
                .iter()
                .map(|leak| exception(leak, &place_of(&leak.entry.path)))
                .collect(),
        });
    }
    plan
}

fn counted(n: usize, one: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    }
}

/// Names the only path of leaks, or their directory.
fn place_of_all(directory: &[u8], leaks: &[&&Leak]) -> String {
    let first = &leaks[0].entry.path;
    match leaks.iter().all(|leak| leak.entry.path == *first) {
        true => place_of(first),
        false if directory.is_empty() => "./".into(),
        false => brief(&shown(directory)),
    }
}

fn exception(leak: &Leak, path: &str) -> Allow {
    let place = match leak.entry.commit {
        Some(commit) => format!("{path} in {}", commit.short()),
        None => path.to_owned(),
    };
    Allow {
        blob: leak.entry.id,
        reason: format!("accepted after a scan: {place}"),
    }
}

/// Names a path in a comment. A hostile one may have thousands of characters.
fn place_of(path: &RepoPath) -> String {
    match path.as_bytes() {
        b"" => "a blob without a path".into(),
        bytes => brief(&shown(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::config::{NEW_ALLOW_FILE, add_to_allow_file, parse_allow_file};
    use crate::format::protected::{Origin, Policy};
    use crate::rules::protect::Cause;
    use crate::rules::scan::Candidate;

    fn blob(byte: u8) -> ObjectId {
        ObjectId::from_bytes(&[byte; 20]).unwrap()
    }

    fn leak(path: &[u8], id: u8, code: LeakCode, class: &str) -> Leak {
        Leak {
            code,
            entry: Candidate {
                path: RepoPath::new(path),
                kind: EntryKind::Regular,
                id: blob(id),
                commit: None,
            },
            class: class.into(),
            policy: Policy::Never,
            cause: Cause::InPart,
            detail: None,
            origin: Origin::BuiltIn,
        }
    }

    fn plain(path: &str, id: u8) -> Leak {
        leak(path.as_bytes(), id, LeakCode::PlaintextProtected, "vector")
    }

    #[test]
    fn entries_are_grouped_sorted_and_without_duplicates() {
        let leaks = [
            plain("b.vec", 9),
            plain("a.vec", 7),
            plain("a.vec", 3),
            plain("a.vec", 7),
            plain("copy/of/b.vec", 9),
            leak(b"a.vec", 5, LeakCode::PlaintextProtected, "mine"),
            plain("old.vec", 1),
        ];
        let plan = exceptions(&leaks, &[blob(1)].into(), "scan of all history");
        let about: Vec<&str> = plan.groups.iter().map(|group| group.about.as_str()).collect();
        assert_eq!(
            about,
            [
                "a.vec: mine, 1 blob (PLAINTEXT_PROTECTED; scan of all history)",
                "./: vector, 3 blobs (PLAINTEXT_PROTECTED; scan of all history)",
            ]
        );
        let blobs = plan
            .groups
            .iter()
            .flat_map(|group| &group.entries)
            .map(|entry| entry.blob);
        assert_eq!(blobs.collect::<Vec<_>>(), [blob(5), blob(3), blob(7), blob(9)]);
        assert_eq!((plan.added, plan.present), (4, 1));
    }

    #[test]
    fn what_no_list_may_release_gets_no_entry() {
        let mut module = plain("module", 4);
        module.entry.kind = EntryKind::Submodule;
        let leaks = [
            leak(b"key", 1, LeakCode::PrivateKey, "key"),
            leak(b"_PACK_RUN/x", 2, LeakCode::TrackedRunOutput, "pack-run"),
            leak(b"a/_pack_run/y", 3, LeakCode::PlaintextProtected, "vector"),
            module,
        ];
        assert_eq!(exceptions(&leaks, &BTreeSet::new(), "x"), Exceptions::default());
        assert!(is_for_a_person(&leaks[0]) && is_releasable(&leaks[0]));
        assert!(!leaks.iter().any(is_for_a_list) && is_for_a_list(&plain("a.vec", 1)));
        assert!(leaks[1..].iter().all(|leak| !is_releasable(leak)));
    }

    proptest! {
        /// Whatever the names are: the file can be read back, holds each blob once, and a second run adds nothing.
        #[test]
        fn a_second_run_adds_nothing(
            found in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..12), 1_u8..20, "\\PC{0,6}|[\\x00-\\x1f\\x7f]"), 0..40),
            turned in any::<prop::sample::Index>(),
        ) {
            let leaks: Vec<Leak> = found
                .iter()
                .map(|(path, id, class)| leak(path, *id, LeakCode::PlaintextProtected, class))
                .filter(is_releasable)
                .collect();
            let plan = exceptions(&leaks, &BTreeSet::new(), "scan");
            let mut other = leaks.clone();
            if !other.is_empty() {
                let by = turned.index(other.len());
                other.rotate_left(by);
            }
            prop_assert_eq!(&exceptions(&other, &BTreeSet::new(), "scan"), &plan);
            let text = add_to_allow_file(NEW_ALLOW_FILE, &plan.groups).unwrap();
            let read = parse_allow_file(text.as_bytes()).unwrap();
            let present: BTreeSet<ObjectId> = read.iter().map(|allow| allow.value.blob).collect();
            prop_assert_eq!(read.len(), present.len());
            let wanted: BTreeSet<ObjectId> = leaks.iter().map(|leak| leak.entry.id).collect();
            prop_assert_eq!(&present, &wanted);
            let again = exceptions(&leaks, &present, "scan");
            prop_assert!(again.groups.is_empty() && again.added == 0 && again.present == wanted.len());
        }
    }
}
