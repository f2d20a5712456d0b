//! Checks the plain copies under `repo/` against the repository state.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::repo_state::RepoState;
use crate::format::tree_meta::{PackInfo, Part, REPO};
use crate::rules::pack::findings::Findings;
use crate::rules::pack::observed::{Fact, Facts};

/// Checks that there is exactly one plain copy for each entry of the state, or none if the pack emits no copies.
pub(super) fn judge(state: &RepoState, facts: &Facts, info: Option<&PackInfo>, findings: &mut Findings) {
    let emitted = info.map_or(&Part::DEFAULT[..], PackInfo::parts);
    let prefix = format!("{REPO}/");
    let below: BTreeMap<&[u8], &Fact> = facts
        .iter()
        .filter_map(|(path, fact)| Some((path.strip_prefix(prefix.as_bytes())?, fact)))
        .collect();
    if !emitted.contains(&Part::Repo) {
        for path in below.keys() {
            let path = String::from_utf8_lossy(path);
            findings.differs(&path, "it has a copy under repo/, but the pack does not emit copies");
        }
        return;
    }
    for file in &state.files {
        match below.get(file.path.as_bytes()) {
            Some(Fact::Hashed { hash, size }) if *hash == file.hash && *size == file.size => {}
            Some(_) => findings.differs(&file.path, "its copy under repo/ differs from the repository state"),
            None => findings.differs(&file.path, "it has no copy under repo/"),
        }
    }
    let known: BTreeSet<&[u8]> = state.files.iter().map(|file| file.path.as_bytes()).collect();
    for path in below.keys().filter(|path| !known.contains(*path)) {
        let path = String::from_utf8_lossy(path);
        findings.differs(&path, "it has a copy under repo/, but is not in the repository state");
    }
}
