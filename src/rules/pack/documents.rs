//! The documents of a pack. Two are parsed early, because further observations depend on them.

use std::collections::BTreeMap;
use std::mem;

use crate::format::canonical_json::{Document, parse_strict_into};
use crate::format::manifest::MAX_BYTES;
use crate::format::repo_state::RepoState;
use crate::format::tree_meta::{PROTECTED, REPO_STATE};
use crate::rules::pack::findings::Findings;
use crate::rules::protect::Registry;

/// The documents of a pack. Each is parsed once. The bytes of a large one are dropped as soon as it is judged.
#[derive(Default)]
pub struct PackDocuments {
    /// The repository state. `None` if it is missing or cannot be parsed.
    pub(super) state: Option<RepoState>,
    /// The registry. `None` if it is missing.
    pub(super) registry: Option<RegistryDocument>,
    /// Whether any document was read.
    pub(super) any_read: bool,
    /// The bytes of the other documents, by path.
    bytes: BTreeMap<String, Vec<u8>>,
    /// Findings about oversized documents and the repository state.
    findings: Findings,
}

/// `meta/PROTECTED.json`.
pub(super) struct RegistryDocument {
    /// The document's bytes.
    pub bytes: Vec<u8>,
    /// The rules that it contains, or why it cannot be parsed.
    pub rules: Result<Registry, String>,
}

impl PackDocuments {
    /// Parses the repository state and the registry. `read` has the bytes of each document, `None` if it is too large.
    pub fn parse(read: BTreeMap<String, Option<Vec<u8>>>) -> Self {
        let mut documents = Self::default();
        let mut findings = Findings::default();
        for (path, bytes) in read {
            match bytes {
                Some(bytes) => drop(documents.bytes.insert(path, bytes)),
                None => findings.violation(&path, format!("it has more than {MAX_BYTES} bytes")),
            }
        }
        documents.any_read = !documents.bytes.is_empty();
        documents.state = documents.read(REPO_STATE, &mut findings);
        documents.registry = documents.take(PROTECTED).map(RegistryDocument::parse);
        documents.findings = findings;
        documents
    }

    /// Takes the findings made so far.
    pub(super) fn take_findings(&mut self) -> Findings {
        mem::take(&mut self.findings)
    }

    /// Removes and returns the bytes of a document.
    pub(super) fn take(&mut self, path: &str) -> Option<Vec<u8>> {
        self.bytes.remove(path)
    }

    /// Returns the bytes of a document.
    pub(super) fn get(&self, path: &str) -> Option<&[u8]> {
        self.bytes.get(path).map(Vec::as_slice)
    }

    /// Removes a document and parses it. Returns `None` if it is missing or cannot be parsed.
    pub(super) fn read<T: Document + for<'de> serde::Deserialize<'de>>(
        &mut self,
        path: &str,
        findings: &mut Findings,
    ) -> Option<T> {
        let bytes = self.take(path)?;
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
}

impl RegistryDocument {
    fn parse(bytes: Vec<u8>) -> Self {
        let rules = parse_strict_into(&bytes).map_err(|e| e.to_string());
        Self {
            rules: rules.and_then(Registry::of_document),
            bytes,
        }
    }
}
