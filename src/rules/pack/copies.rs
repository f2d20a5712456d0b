//! Checks the plain copies under `repo/` against the repository state.

use std::collections::BTreeSet;

use crate::format::repo_state::{RepoState, StateFile};
use crate::format::tree_meta::{PackInfo, Part, REPO};
use crate::rules::pack::findings::Findings;
use crate::rules::pack::observed::{Fact, Facts, FactsInOrder};

/// Checks that there is exactly one plain copy for each entry of the state, or none if the pack emits no copies.
pub(super) fn judge(state: &RepoState, facts: &Facts, info: Option<&PackInfo>, findings: &mut Findings) {
    let emitted = info.map_or(&Part::DEFAULT[..], PackInfo::parts);
    let prefix = format!("{REPO}/");
    let found = facts.iter();
    let below = found.filter_map(|(path, fact)| Some((path.strip_prefix(prefix.as_bytes())?, fact)));
    if !emitted.contains(&Part::Repo) {
        for (path, _) in below {
            let path = String::from_utf8_lossy(path);
            findings.differs(&path, "it has a copy under repo/, but the pack does not emit copies");
        }
        return;
    }
    let mut in_order = FactsInOrder::of(facts);
    let mut place = prefix.clone();
    for file in &state.files {
        place.truncate(prefix.len());
        place.push_str(&file.path);
        match in_order.get(&place) {
            Some(Fact::Hashed { hash, size }) if *hash == file.hash && *size == file.size => {}
            Some(_) => findings.differs(&file.path, "its copy under repo/ differs from the repository state"),
            None => findings.differs(&file.path, "it has no copy under repo/"),
        }
    }
    let known = KnownFiles::of(&state.files);
    for (path, _) in below.filter(|(path, _)| !known.has(path)) {
        let path = String::from_utf8_lossy(path);
        findings.differs(&path, "it has a copy under repo/, but is not in the repository state");
    }
}

/// Finds the files of a state by their paths, whatever their order.
enum KnownFiles<'a> {
    Sorted(&'a [StateFile]),
    Unsorted(BTreeSet<&'a [u8]>),
}

impl<'a> KnownFiles<'a> {
    fn of(files: &'a [StateFile]) -> Self {
        match files.is_sorted_by(|a, b| a.path.as_bytes() <= b.path.as_bytes()) {
            true => Self::Sorted(files),
            false => Self::Unsorted(files.iter().map(|file| file.path.as_bytes()).collect()),
        }
    }

    fn has(&self, path: &[u8]) -> bool {
        match self {
            Self::Sorted(files) => files.binary_search_by(|file| file.path.as_bytes().cmp(path)).is_ok(),
            Self::Unsorted(paths) => paths.contains(path),
        }
    }
}
