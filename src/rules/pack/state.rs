//! Checks a pack's repository state by itself, and against `meta/PACK_INFO.json` and a commit.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::config::is_plain_word;
use crate::format::digest::Digest;
use crate::format::dump::layout::BUDGETS;
use crate::format::only::Only;
use crate::format::repo_state::{GRAMMAR_VERSION, RepoState, StateFile};
use crate::format::tree_meta::{PACK_INFO, PACK_INFO_VERSION, PackInfo, Part, REPO_STATE};
use crate::format::tree_name;
use crate::rules::pack::findings::{FindingKind, Findings, Mismatch};
use crate::rules::scope::Narrowing;

/// Judges the repository state by itself.
pub(super) fn judge(state: &RepoState, findings: &mut Findings) {
    if let Some(mismatch) = Mismatch::of(GRAMMAR_VERSION.to_owned(), state.grammar_version.clone()) {
        findings.add(REPO_STATE, FindingKind::GrammarVersionMismatch(mismatch));
    }
    if !state.files.is_sorted_by(|a, b| a.path.as_bytes() < b.path.as_bytes()) {
        findings.violation(REPO_STATE, "files are not sorted bytewise by path, or one occurs twice");
    }
    for file in state.files.iter().filter(|file| !tree_name::is_text(&file.path)) {
        findings.violation(REPO_STATE, format!("{} has an escape that is not valid", file.path));
    }
    for file in state.files.iter().filter(|file| !file.has_known_mode()) {
        findings.violation(
            REPO_STATE,
            format!("{} has the unknown mode {:?}", file.path, file.mode),
        );
    }
    if !is_plain_word(&state.scope) {
        findings.violation(
            REPO_STATE,
            format!("scope is not a valid key of a scope: {:?}", state.scope),
        );
    }
}

/// Judges `meta/PACK_INFO.json` by itself and by the repository state.
pub(super) fn judge_info(info: &PackInfo, state: &RepoState, digest: &Digest, findings: &mut Findings) {
    if info.version != PACK_INFO_VERSION {
        findings.violation(
            PACK_INFO,
            format!("version: expected {PACK_INFO_VERSION}, found {:?}", info.version),
        );
    }
    if let Some(emit) = &info.emit
        && (Part::set(emit.clone()).as_ref() != Ok(emit) || *emit == Part::DEFAULT)
    {
        let what = "emit must be a sorted list of distinct parts, and left out if it is only repo";
        findings.violation(PACK_INFO, what);
    }
    if let Some(tokens) = info.max_tokens
        && !(BUDGETS.contains(&tokens) && info.parts().contains(&Part::Split))
    {
        findings.violation(
            PACK_INFO,
            format!(
                "max_tokens must be from {} to {}, and left out without split",
                BUDGETS.start(),
                BUDGETS.end()
            ),
        );
    }
    if let Some(only) = &info.only {
        judge_only(only, state, findings);
    }
    for (field, id) in [("commit", &info.commit), ("tree", &info.tree)] {
        if !is_object_id(id) {
            findings.violation(PACK_INFO, format!("{field} is not an object id: {id:?}"));
        }
    }
    if info.scope != state.scope {
        findings.violation(
            PACK_INFO,
            format!("scope is {:?}, but {REPO_STATE} has {:?}", info.scope, state.scope),
        );
    }
    if info.stamp != digest.hex()[..12] {
        findings.violation(PACK_INFO, format!("stamp {:?} does not match {REPO_STATE}", info.stamp));
    }
}

/// Checks that the globs that narrowed the scope can be used, and take every entry of the state.
fn judge_only(only: &Only, state: &RepoState, findings: &mut Findings) {
    if *only == Only::default() {
        return findings.violation(PACK_INFO, "only must be left out if it has no globs");
    }
    match Narrowing::of(only) {
        Err(bad) => findings.violation(PACK_INFO, format!("only: {}", bad.reason)),
        Ok(filter) => {
            let mut others = state
                .files
                .iter()
                .filter(|file| !filter.contains(&tree_name::path_of(&file.path)));
            if let Some(file) = others.next() {
                findings.violation(
                    PACK_INFO,
                    format!("only does not take {}, which {REPO_STATE} has", file.path),
                );
            }
        }
    }
}

fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Compares the state of a pack with that of a commit, path by path.
///
/// `same_but_for_ends` has the paths whose contents differ in line endings only.
pub(super) fn compare(
    pack: &RepoState,
    canon_version: &str,
    files: &[StateFile],
    same_but_for_ends: &BTreeSet<String>,
    findings: &mut Findings,
) {
    if let Some(mismatch) = Mismatch::of(canon_version.to_owned(), pack.canon_version.clone()) {
        findings.add(REPO_STATE, FindingKind::CanonVersionMismatch(mismatch));
    }
    let packed: BTreeMap<&str, &StateFile> = pack.files.iter().map(|file| (&*file.path, file)).collect();
    let committed: BTreeMap<&str, &StateFile> = files.iter().map(|file| (&*file.path, file)).collect();
    for (path, file) in &committed {
        match packed.get(path) {
            None => findings.differs(path, "missing: the commit has it, the pack does not"),
            Some(other) if (other.hash, other.size) != (file.hash, file.size) => {
                let what = match same_but_for_ends.contains(*path) {
                    true => "changed in line endings only",
                    false => "changed: the commit has other content",
                };
                findings.differs(path, what);
            }
            Some(other) if other.mode != file.mode => {
                findings.differs(path, "changed: the commit has another mode");
            }
            Some(_) => {}
        }
    }
    for path in packed.keys().filter(|path| !committed.contains_key(*path)) {
        findings.differs(path, "extra: the pack has it, the commit does not");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::digest::Digest;

    fn file(path: &str, content: &str) -> StateFile {
        StateFile {
            path: path.into(),
            hash: Digest::of(content.as_bytes()),
            size: content.len() as u64,
            mode: None,
        }
    }

    #[test]
    fn every_difference_from_a_commit_is_named_by_path() {
        let pack = RepoState {
            canon_version: "1.0.0".into(),
            grammar_version: GRAMMAR_VERSION.into(),
            scope: "repo".into(),
            files: vec![file("a", "1"), file("b", "1"), file("c", "1"), file("m", "1")],
        };
        let mut committed = vec![file("a", "1"), file("b", "2"), file("d", "1"), file("m", "1")];
        committed[3].mode = Some("100755".into());
        let mut findings = Findings::default();
        compare(&pack, "1.0.1", &committed, &BTreeSet::new(), &mut findings);
        let found: Vec<_> = findings
            .iter()
            .map(|f| (f.path.as_str(), f.kind.code(), f.kind.detail().unwrap_or("")))
            .map(|(path, code, detail)| format!("{path} {code} {}", detail.split(':').next().unwrap()))
            .collect();
        assert_eq!(
            found,
            [
                "b REPO_STATE_MISMATCH changed",
                "c REPO_STATE_MISMATCH extra",
                "d REPO_STATE_MISMATCH missing",
                "m REPO_STATE_MISMATCH changed",
                "meta/REPO_STATE.json CANON_VERSION_MISMATCH ",
            ]
        );
        let mut findings = Findings::default();
        compare(
            &RepoState {
                files: committed.clone(),
                ..pack
            },
            "1.0.0",
            &committed,
            &BTreeSet::new(),
            &mut findings,
        );
        assert!(findings.is_empty());
    }
}
