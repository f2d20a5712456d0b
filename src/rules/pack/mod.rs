//! Judges a pack by itself and against a commit: from an [`Observed`] to a [`Verdict`].

pub mod attestations;
pub mod chunks;
pub mod commit;
pub mod conformity;
mod copies;
pub mod documents;
pub mod findings;
mod layout;
mod lists;
mod lite;
mod members;
pub mod observed;
pub mod opening;
pub mod places;
pub mod plain;
mod registry;
pub mod schemas;
mod seals;
pub mod signatures;
mod state;
mod texts;
mod tree;
pub mod verdict;

use crate::format::repo_state::Mode;
use crate::format::sealed::SealedArtifacts;
use crate::format::tree_meta::{PACK_INFO, PROTECTED, PackInfo};
use crate::rules::pack::commit::Committed;
use crate::rules::pack::members::{Members, envelope};
use crate::rules::pack::observed::Observed;
use crate::rules::pack::plain::Clear;
use crate::rules::pack::registry::Unsealed;
use crate::rules::pack::tree::TreePack;
use crate::rules::pack::verdict::{PackState, Verdict};

/// Judges a pack by itself. Also returns its repository state, if that is readable, for a comparison with a commit.
///
/// Every check is made, whatever the others find. A large document is dropped as soon as it is judged.
pub fn judge(mut observed: Observed) -> (Verdict, Option<PackState>) {
    let mut findings = observed.documents.take_findings();
    let schemas_skipped = schemas::judge(&observed, &mut findings);
    let in_part = observed.plain.in_part();
    let Observed {
        manifest,
        tree_pack,
        facts,
        line_ends,
        mut documents,
        headers,
        plain,
        texts,
        typed,
    } = observed;
    drop(typed);
    envelope(&manifest, &facts, &line_ends, tree_pack, &mut findings);
    lists::judge(&mut documents, &manifest, &facts, &mut findings);
    let members = Members::of(&manifest, &facts, tree_pack);
    let info: Option<PackInfo> = documents.read(PACK_INFO, &mut findings);
    let sealed = seals::judge(&members, &headers, &documents, info.as_ref(), &mut findings);
    let registry = documents.registry.take().map(|registry| {
        let unsealed = Unsealed {
            clear: Clear::of(&plain, &facts, documents.state.as_ref(), tree_pack),
            texts: &texts,
        };
        registry::judge(&registry, sealed.as_ref(), &members, &unsealed, &mut findings);
        registry.bytes
    });
    drop(plain);
    tree::judge(&members, &mut documents, &mut findings);
    let pack = documents.state.take().map(|state| {
        let digest = state.digest();
        state::judge(&state, &mut findings);
        if let Some(info) = &info {
            state::judge_info(info, &state, &digest, &mut findings);
        }
        let (mut laid_out, mut carried) = (Vec::new(), None);
        if tree_pack {
            copies::judge(&state, &facts, info.as_ref(), &mut findings);
        }
        if let Some(info) = info.as_ref().filter(|_| tree_pack) {
            let tree = TreePack {
                info,
                state: &state,
                digest,
                sealed: sealed.as_ref(),
            };
            laid_out = texts::judge(&tree, &members, &texts, &mut findings);
            carried = lite::judge(&tree, &members, &mut documents, &mut findings);
        }
        PackState {
            state,
            digest,
            mode: mode_of(info.as_ref(), sealed.as_ref()),
            info,
            registry,
            laid_out,
            carried,
        }
    });
    let verdict = Verdict {
        manifest_hash: manifest.file_hash,
        manifest_bytes: manifest.file_bytes,
        members: manifest.members.len(),
        pack_id: manifest.pack_id,
        findings,
        schemas_skipped,
        state: pack.as_ref().map(PackState::summary),
        sealed,
        in_part,
    };
    (verdict, pack)
}

/// Judges the members of a pack that are there, by its manifest alone: its shape and id, their paths and hashes, and that
/// nothing else is there. Also returns how many are there.
pub fn judge_partial(mut observed: Observed) -> (Verdict, usize) {
    let manifest = &mut observed.manifest;
    let all = manifest.members.len();
    let declared_count = manifest.member_count;
    manifest
        .members
        .retain(|path| observed.facts.get(path.as_bytes()).is_some());
    let seen = manifest.members.len();
    // The count is of all members. It was compared with the list before the absent ones were left out.
    manifest.member_count = if declared_count == all as u64 {
        seen as u64
    } else {
        declared_count
    };
    let mut findings = observed.documents.take_findings();
    envelope(
        &observed.manifest,
        &observed.facts,
        &observed.line_ends,
        observed.tree_pack,
        &mut findings,
    );
    let verdict = Verdict {
        manifest_hash: observed.manifest.file_hash,
        manifest_bytes: observed.manifest.file_bytes,
        members: all,
        pack_id: observed.manifest.pack_id,
        findings,
        schemas_skipped: true,
        state: None,
        sealed: None,
        in_part: observed.plain.in_part(),
    };
    (verdict, seen)
}

/// Returns the mode of a pack, from the first of its documents that states it.
fn mode_of(info: Option<&PackInfo>, sealed: Option<&SealedArtifacts>) -> Mode {
    match (info, sealed) {
        (Some(info), _) => info.mode,
        (None, Some(sealed)) => sealed.mode,
        (None, None) => Mode::Public,
    }
}

/// Compares a pack with a commit, and adds the differences to its verdict.
pub fn against(pack: &PackState, committed: &Committed<'_>, verdict: &mut Verdict) {
    let findings = &mut verdict.findings;
    let (state, settings) = (&pack.state, &committed.settings);
    let same = &committed.same_but_for_ends;
    state::compare(state, committed.canon_version, committed.files, same, findings);
    if let Some(info) = &pack.info {
        layout::compare(info, &pack.laid_out, settings.title, settings.layout, findings);
        if let Some(carried) = &pack.carried {
            lite::compare(carried, info, state, settings, findings);
        }
        if info.commit == committed.id.hex() && info.tree != committed.tree.hex() {
            let what = format!("its tree is {}, which is not the tree of its commit", info.tree);
            findings.violation(PACK_INFO, what);
        }
        if let Some(sealed) = &verdict.sealed {
            seals::compare(sealed, committed.sealed, findings);
        }
    }
    if pack
        .registry
        .as_ref()
        .is_some_and(|registry| registry != committed.registry)
    {
        findings.violation(PROTECTED, "it differs from the registry of the commit");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::canonical_json::to_document;
    use crate::format::digest::Digest;
    use crate::format::manifest::ManifestDocument;
    use crate::format::tree_meta::REPO_STATE;
    use crate::rules::pack::documents::{PackDocuments, ReadDocument};
    use crate::rules::pack::findings::Check;
    use serde_json::json;

    fn observed(member: &str) -> Observed {
        let mut document = json!({"version":"pack.v0","pack_id":"","created":"2026-01-15T10:30:00Z",
            "tool_version":"0.1.0","member_count":1,
            "members":[{"path":member,"bytes_hash":Digest::of(b"x").to_string(),"type":"other"}]});
        let id = ManifestDocument::parse(&to_document(&document)).unwrap().computed_id;
        document["pack_id"] = id.to_string().into();
        Observed::of(ManifestDocument::parse(&to_document(&document)).unwrap())
    }

    fn codes(verdict: &Verdict) -> Vec<(&str, &str)> {
        let findings = verdict.findings.iter();
        findings.map(|f| (f.path.as_str(), f.kind.code())).collect()
    }

    #[test]
    fn what_was_not_observed_does_not_pass() {
        let (verdict, state) = judge(observed("a"));
        assert_eq!(codes(&verdict), [("a", "MISSING_MEMBER")]);
        assert!(!verdict.findings.passes(Check::MemberHashes));
        assert_eq!(verdict.schema_validation(), "skipped");
        assert!(state.is_none());
    }

    #[test]
    fn a_document_that_is_too_large_is_a_violation() {
        let mut observed = observed(REPO_STATE);
        observed.documents = PackDocuments::parse([(REPO_STATE.to_owned(), ReadDocument::TooLong(1))].into());
        let (verdict, state) = judge(observed);
        assert!(codes(&verdict).contains(&(REPO_STATE, "SCHEMA_VIOLATION")));
        assert_eq!(verdict.schema_validation(), "fail");
        assert!(state.is_none());
    }
}
