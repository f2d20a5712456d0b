//! Checks the two lists of members, `meta/FILE_INDEX.json` and `meta/FILE_TREE.txt`, against the manifest.

use crate::format::canonical_json::Same;
use crate::format::manifest::ManifestDocument;
use crate::format::member_path::MemberPath;
use crate::format::tree_meta::{FILE_INDEX, FILE_TREE, FileIndex, IndexedFile, is_file_tree};
use crate::rules::pack::documents::PackDocuments;
use crate::rules::pack::findings::Findings;
use crate::rules::pack::observed::{Facts, hashed};

/// Judges both lists and drops them.
pub(super) fn judge(
    documents: &mut PackDocuments,
    manifest: &ManifestDocument,
    facts: &Facts,
    findings: &mut Findings,
) {
    if let Some(drawing) = documents.take(FILE_TREE) {
        check_tree(&drawing, manifest, findings);
    }
    if documents
        .get(FILE_INDEX)
        .is_some_and(|bytes| is_index(bytes, manifest, facts))
    {
        documents.take(FILE_INDEX);
    }
    let index: Option<FileIndex> = documents.read(FILE_INDEX, findings);
    if let Some(index) = index {
        check_index(&index, manifest, facts, findings);
    }
}

/// Returns whether `bytes` are the index of the other members and all of these were read. Does not parse the index.
fn is_index(bytes: &[u8], manifest: &ManifestDocument, facts: &Facts) -> bool {
    let members = manifest.members.iter().filter(|member| member.path != FILE_INDEX);
    let mut complete = true;
    let files = members.map_while(|member| {
        let file = match (hashed(facts, &member.path), member.bytes_hash.digest()) {
            (Some((_, size)), Some(hash)) => Some(IndexedFile {
                path: member.path.clone(),
                hash,
                size,
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
            member.path == file.path
                && member.bytes_hash.digest() == Some(file.hash)
                // Unreadable members are reported elsewhere.
                && hashed(facts, &member.path).is_none_or(|(_, size)| size == file.size)
        });
    if !agrees {
        findings.violation(FILE_INDEX, "it does not list exactly the other members");
    }
}

/// Checks that the drawing is exactly the one made from the list.
fn check_tree(drawing: &[u8], manifest: &ManifestDocument, findings: &mut Findings) {
    let listed = manifest.members.iter().filter(|member| member.path != FILE_INDEX);
    let paths: Vec<MemberPath> = listed
        .filter_map(|member| MemberPath::parse(&member.path).ok())
        .collect();
    if !is_file_tree(drawing, paths.iter()) {
        findings.violation(FILE_TREE, "it does not draw exactly the tree of the other members");
    }
}
