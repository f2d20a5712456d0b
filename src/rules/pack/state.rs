//! Does a pack's repository state agree with its members, and with a commit?

use std::collections::{BTreeMap, BTreeSet};

use crate::format::canonical_json::{Document, Same, parse_strict_into};
use crate::format::config::is_plain_word;
use crate::format::lite::MEMBERS;
use crate::format::manifest::ManifestDocument;
use crate::format::member_path::MemberPath;
use crate::format::repo_state::{GRAMMAR_VERSION, RepoState, StateFile};
use crate::format::sealed::{MEMBER as SEALED, SealedArtifacts};
use crate::format::tree_meta::{
    DOCUMENTS, FILE_INDEX, FILE_TREE, FileIndex, IndexedFile, PACK_INFO, PACK_INFO_VERSION, PROTECTED, PROVENANCE,
    PROVENANCE_VERSION, PackInfo, Part, Provenance, REPO, REPO_STATE, is_file_tree,
};
use crate::rules::pack::findings::{FindingKind, Findings, Mismatch};
use crate::rules::pack::layout::LaidOut;
use crate::rules::pack::observed::{Fact, Facts, Members, PackDocuments};
use crate::rules::pack::places::{in_directory, in_sealed, is_of_texts, is_tree_pack};
use crate::rules::pack::{lite, texts};

/// The repository state that a pack carries.
pub struct PackState {
    /// What the digest covers.
    pub state: RepoState,
    /// What it was packed from, in a tree pack.
    pub info: Option<PackInfo>,
    /// The bytes of its registry.
    pub registry: Option<Vec<u8>>,
    /// How its texts stand under `FULL/` and `SPLIT/`, where they could be read.
    pub laid_out: Vec<LaidOut>,
    /// What it has under `LITE/`.
    pub carried: Option<lite::Carried>,
}

/// What was seen of a pack's texts.
pub struct Texts<'a> {
    /// The members under `FULL/` and `SPLIT/`.
    pub members: &'a Members,
    /// Of each plain copy that was looked into, whether it is text.
    pub copies: &'a BTreeMap<String, bool>,
}

/// Takes out the repository state; none if the pack has no readable one.
pub fn repo_state(documents: &mut PackDocuments, findings: &mut Findings) -> Option<RepoState> {
    read(documents, REPO_STATE, findings)
}

/// Takes out the lists of members, and judges them.
pub fn lists(documents: &mut PackDocuments, manifest: &ManifestDocument, facts: &Facts, findings: &mut Findings) {
    if let Some(drawing) = documents.remove(FILE_TREE) {
        check_tree(&drawing, manifest, findings);
    }
    if let Some(bytes) = documents.get(FILE_INDEX)
        && is_index(bytes, manifest, facts)
    {
        documents.remove(FILE_INDEX);
    }
    let index: Option<FileIndex> = read(documents, FILE_INDEX, findings);
    if let Some(index) = index {
        check_index(&index, manifest, facts, findings);
    }
}

/// Judges the other state documents of a pack against its members; returns the state, if the pack has a readable one.
pub fn judge(
    manifest: &ManifestDocument,
    facts: &Facts,
    mut documents: PackDocuments,
    state: Option<RepoState>,
    texts: &Texts<'_>,
    sealed: Option<&SealedArtifacts>,
    findings: &mut Findings,
) -> Option<PackState> {
    let documents = &mut documents;
    let provenance: Option<Provenance> = read(documents, PROVENANCE, findings);
    if provenance.is_some_and(|provenance| provenance.version != PROVENANCE_VERSION) {
        findings.violation(PROVENANCE, format!("version: expected {PROVENANCE_VERSION}"));
    }
    let info: Option<PackInfo> = read(documents, PACK_INFO, findings);
    let paths: BTreeSet<&str> = manifest.members.iter().map(|member| member.path.as_str()).collect();
    let is_tree_pack = is_tree_pack(paths.iter().copied());
    if is_tree_pack {
        for path in paths.iter().filter(|path| !belongs(path)) {
            findings.violation(path, "no member of a tree pack has this path");
        }
        for document in DOCUMENTS.iter().filter(|document| !paths.contains(*document)) {
            findings.violation(document, "a tree pack has this document, and it is not a member");
        }
    }
    let state = state?;
    if let Some(mismatch) = Mismatch::of(GRAMMAR_VERSION.to_owned(), state.grammar_version.clone()) {
        findings.add(REPO_STATE, FindingKind::GrammarVersionMismatch(mismatch));
    }
    if !state.files.is_sorted_by(|a, b| a.path.as_bytes() < b.path.as_bytes()) {
        findings.violation(
            REPO_STATE,
            "files are not sorted bytewise by path, or one is there twice",
        );
    }
    for file in state.files.iter().filter(|file| !file.has_known_mode()) {
        findings.violation(
            REPO_STATE,
            format!("{} has the unknown mode {:?}", file.path, file.mode),
        );
    }
    if !is_plain_word(&state.scope) {
        findings.violation(REPO_STATE, format!("scope is not the key of one: {:?}", state.scope));
    }
    if let Some(info) = &info {
        if info.version != PACK_INFO_VERSION {
            findings.violation(
                PACK_INFO,
                format!("version: expected {PACK_INFO_VERSION}, found {:?}", info.version),
            );
        }
        if let Some(emit) = &info.emit
            && (Part::set(emit.clone()).as_ref() != Ok(emit) || *emit == Part::DEFAULT)
        {
            let what = "emit is not a sorted list of parts, each once, left out where it is repo alone";
            findings.violation(PACK_INFO, what);
        }
        for (field, id) in [("commit", &info.commit), ("tree", &info.tree)] {
            if !is_object_id(id) {
                findings.violation(PACK_INFO, format!("{field} is not an object id: {id:?}"));
            }
        }
        if info.scope != state.scope {
            findings.violation(
                PACK_INFO,
                format!("scope is {:?}, that of {REPO_STATE} is {:?}", info.scope, state.scope),
            );
        }
        if info.stamp != state.digest().hex()[..12] {
            findings.violation(PACK_INFO, format!("stamp {:?} is not that of {REPO_STATE}", info.stamp));
        }
    }
    if is_tree_pack {
        let parts = info.as_ref().map_or(&Part::DEFAULT[..], PackInfo::parts);
        check_copies(&state, facts, parts.contains(&Part::Repo), findings);
    }
    let (mut laid_out, mut carried) = (Vec::new(), None);
    if let Some(info) = info.as_ref().filter(|_| is_tree_pack) {
        laid_out = texts::judge(info, &state, &paths, texts.members, texts.copies, findings);
        let pack = lite::Pack {
            info,
            state: &state,
            sealed,
        };
        carried = lite::judge(&pack, manifest, facts, documents, findings);
    }
    Some(PackState {
        registry: documents.remove(PROTECTED),
        state,
        info,
        laid_out,
        carried,
    })
}

fn read<T: Document + for<'de> serde::Deserialize<'de>>(
    documents: &mut PackDocuments,
    path: &str,
    findings: &mut Findings,
) -> Option<T> {
    let bytes = documents.remove(path)?;
    match parse_strict_into::<T>(&bytes) {
        Ok(document) => {
            if !document.is_written_as(&bytes) {
                findings.violation(path, "not in canonical form");
            }
            Some(document)
        }
        Err(why) => {
            findings.violation(path, why.to_string());
            None
        }
    }
}

/// Returns whether a tree pack can have a member of this path: its documents, its copies and its seals, and nothing else.
fn belongs(path: &str) -> bool {
    MEMBERS.contains(&path)
        || DOCUMENTS.contains(&path)
        || path == SEALED
        || in_directory(path, REPO)
        || in_sealed(path)
        || is_of_texts(path)
}

fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns whether `bytes` are the list of the other members, all of which could be read; it is not parsed for that.
fn is_index(bytes: &[u8], manifest: &ManifestDocument, facts: &Facts) -> bool {
    let members = manifest.members.iter().filter(|member| member.path != FILE_INDEX);
    let mut complete = true;
    let files = members.map_while(|member| {
        let file = match (facts.get(member.path.as_bytes()), member.bytes_hash.digest()) {
            (Some(Fact::Hashed { size, .. }), Some(hash)) => Some(IndexedFile {
                path: member.path.clone(),
                hash,
                size: *size,
            }),
            _ => None,
        };
        complete &= file.is_some();
        file
    });
    let mut same = Same::of(bytes);
    FileIndex::write_of(&mut same, files).is_ok() && complete && same.is_same()
}

fn check_index(index: &FileIndex, manifest: &ManifestDocument, facts: &Facts, findings: &mut Findings) {
    let members = manifest.members.iter().filter(|member| member.path != FILE_INDEX);
    let agrees = members.clone().count() == index.files.len()
        && members.zip(&index.files).all(|(member, file)| {
            let size = match facts.get(member.path.as_bytes()) {
                Some(Fact::Hashed { size, .. }) => Some(*size),
                // What could not be read was reported for that.
                _ => None,
            };
            member.path == file.path
                && member.bytes_hash.digest() == Some(file.hash)
                && size.is_none_or(|size| size == file.size)
        });
    if !agrees {
        findings.violation(FILE_INDEX, "it is not the list of the other members");
    }
}

/// The drawing is made from the list, and nothing else can stand in it.
fn check_tree(drawing: &[u8], manifest: &ManifestDocument, findings: &mut Findings) {
    let listed = manifest.members.iter().filter(|member| member.path != FILE_INDEX);
    let paths: Vec<MemberPath> = listed
        .filter_map(|member| MemberPath::parse(&member.path).ok())
        .collect();
    if !is_file_tree(drawing, paths.iter()) {
        findings.violation(FILE_TREE, "it is not the list of the other members, drawn as a tree");
    }
}

/// The plain copies under `repo/` are exactly the entries of the state or, where none are emitted, none.
fn check_copies(state: &RepoState, facts: &Facts, emitted: bool, findings: &mut Findings) {
    let prefix = format!("{REPO}/");
    let below: BTreeMap<&[u8], &Fact> = facts
        .iter()
        .filter_map(|(path, fact)| Some((path.strip_prefix(prefix.as_bytes())?, fact)))
        .collect();
    if !emitted {
        for path in below.keys() {
            let path = String::from_utf8_lossy(path);
            differs(findings, &path, "it has a copy under repo/, and the pack emits none");
        }
        return;
    }
    for file in &state.files {
        match below.get(file.path.as_bytes()) {
            Some(Fact::Hashed { hash, size }) if *hash == file.hash && *size == file.size => {}
            Some(_) => differs(
                findings,
                &file.path,
                "its copy under repo/ is another than the state says",
            ),
            None => differs(findings, &file.path, "it has no copy under repo/"),
        }
    }
    let known: BTreeSet<&[u8]> = state.files.iter().map(|file| file.path.as_bytes()).collect();
    for path in below.keys().filter(|path| !known.contains(*path)) {
        let path = String::from_utf8_lossy(path);
        differs(findings, &path, "it has a copy under repo/ and is not in the state");
    }
}

fn differs(findings: &mut Findings, path: &str, what: &str) {
    findings.add(path, FindingKind::RepoStateMismatch(what.to_owned()));
}

/// Compares the state of a pack with that of a commit, path by path.
///
/// `same_but_for_ends` are paths whose content differs in line ends alone.
pub fn compare(
    pack: &RepoState,
    canon_version: &str,
    files: &[StateFile],
    same_but_for_ends: &BTreeSet<String>,
    findings: &mut Findings,
) {
    if let Some(mismatch) = Mismatch::of(canon_version.to_owned(), pack.canon_version.clone()) {
        findings.add(REPO_STATE, FindingKind::CanonVersionMismatch(mismatch));
    }
    let packed: BTreeMap<&str, &StateFile> = pack.files.iter().map(|file| (file.path.as_str(), file)).collect();
    let committed: BTreeMap<&str, &StateFile> = files.iter().map(|file| (file.path.as_str(), file)).collect();
    for (path, file) in &committed {
        match packed.get(path) {
            None => differs(findings, path, "missing: the commit has it, the pack does not"),
            Some(other) if (other.hash, other.size) != (file.hash, file.size) => {
                let what = match same_but_for_ends.contains(*path) {
                    true => "changed in line endings only",
                    false => "changed: the commit has other content",
                };
                differs(findings, path, what);
            }
            Some(other) if other.mode != file.mode => {
                differs(findings, path, "changed: the commit has another mode");
            }
            Some(_) => {}
        }
    }
    for path in packed.keys().filter(|path| !committed.contains_key(*path)) {
        differs(findings, path, "extra: the pack has it, the commit does not");
    }
}

/// Returns the paths that a pack and a commit have with different contents.
pub fn changed(pack: &RepoState, files: &[StateFile]) -> Vec<String> {
    let packed: BTreeMap<&str, &StateFile> = pack.files.iter().map(|file| (file.path.as_str(), file)).collect();
    let changed = files.iter().filter(|file| {
        packed
            .get(file.path.as_str())
            .is_some_and(|other| other.hash != file.hash)
    });
    changed.map(|file| file.path.clone()).collect()
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
                "meta/REPO_STATE.json CANON_VERSION_MISMATCH the commit has other rules",
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
