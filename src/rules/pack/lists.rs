//! Checks the two lists of members, `meta/FILE_INDEX.json` and `meta/FILE_TREE.txt`, against the manifest.

use std::io::{self, Write};

use crate::format::digest::digest_of_written;
use crate::format::manifest::ManifestDocument;
use crate::format::member_path::MemberPath;
use crate::format::tree_meta::{FILE_INDEX, FILE_TREE, FileIndex, IndexedFile, write_file_tree};
use crate::rules::pack::documents::{self, PackDocuments};
use crate::rules::pack::findings::Findings;
use crate::rules::pack::observed::{Fact, Facts, FactsInOrder, hashed};

/// Judges both lists and drops them.
pub(super) fn judge(
    documents: &mut PackDocuments,
    manifest: &ManifestDocument,
    facts: &Facts,
    findings: &mut Findings,
) {
    if documents.take_compared(FILE_TREE).is_some() && !is_tree(manifest, facts) {
        findings.violation(FILE_TREE, "it does not draw exactly the tree of the other members");
    }
    let Some(bytes) = documents
        .take_compared(FILE_INDEX)
        .filter(|_| !is_index(manifest, facts))
    else {
        return;
    };
    match bytes {
        Some(bytes) => {
            if let Some(index) = documents::parse::<FileIndex>(FILE_INDEX, &bytes, findings) {
                check_index(&index, manifest, facts, findings);
            }
        }
        None => findings.violation(
            FILE_INDEX,
            "it does not list exactly the other members, in canonical form",
        ),
    }
}

/// Returns whether the index is the one of the other members, and all of these were read.
fn is_index(manifest: &ManifestDocument, facts: &Facts) -> bool {
    let members = manifest.members.iter().filter(|member| member.path != FILE_INDEX);
    let mut complete = true;
    let mut found = FactsInOrder::of(facts);
    let files = members.map_while(|member| {
        let file = match (found.get(member.path), member.bytes_hash.digest()) {
            (Some(Fact::Hashed { size, .. }), Some(hash)) => Some(IndexedFile {
                path: member.path.to_owned(),
                hash,
                size: *size,
            }),
            _ => None,
        };
        complete &= file.is_some();
        file
    });
    is_written(FILE_INDEX, facts, |out| FileIndex::write_of(out, files)) && complete
}

/// Returns whether the drawing is exactly the one made from the list.
fn is_tree(manifest: &ManifestDocument, facts: &Facts) -> bool {
    let paths = manifest.members.iter().map(|member| member.path);
    let paths = paths.filter(|path| *path != FILE_INDEX && MemberPath::parse(path).is_ok());
    is_written(FILE_TREE, facts, |out| write_file_tree(out, paths))
}

/// Returns whether the document `path` has exactly the bytes that `write` writes.
pub(super) fn is_written(path: &str, facts: &Facts, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> bool {
    hashed(facts, path).is_some_and(|(hash, size)| digest_of_written(size, write) == Some(hash))
}

fn check_index(index: &FileIndex, manifest: &ManifestDocument, facts: &Facts, findings: &mut Findings) {
    let members = manifest.members.iter().filter(|member| member.path != FILE_INDEX);
    let agrees = members.clone().count() == index.files.len()
        && members.zip(&index.files).all(|(member, file)| {
            member.path == file.path
                && member.bytes_hash.digest() == Some(file.hash)
                // Unreadable members are reported elsewhere.
                && hashed(facts, member.path).is_none_or(|(_, size)| size == file.size)
        });
    if !agrees {
        findings.violation(FILE_INDEX, "it does not list exactly the other members");
    }
}
