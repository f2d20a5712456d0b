//! The documents of a pack: two that other observations depend on are parsed at once, the rest when the pack is judged.

use std::collections::BTreeMap;
use std::mem;

use crate::format::canonical_json::{Document, parse_strict_into};
use crate::format::manifest::MAX_BYTES;
use crate::format::repo_state::RepoState;
use crate::format::tree_meta::{PROTECTED, REPO_STATE};
use crate::rules::pack::findings::Findings;
use crate::rules::protect::Registry;

/// The documents of a pack. Each is parsed once, and its bytes are dropped as soon as they are judged.
#[derive(Default)]
pub struct Documents {
    /// The repository state, if it can be read.
    pub(super) state: Option<RepoState>,
    /// The registry, if there is one.
    pub(super) registry: Option<RegistryDocument>,
    /// Whether any document could be read.
    pub(super) any_read: bool,
    /// The bytes of the others.
    bytes: BTreeMap<String, Vec<u8>>,
    /// What is wrong with documents that are too large, and with the state.
    findings: Findings,
}

/// `meta/PROTECTED.json`.
pub(super) struct RegistryDocument {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The rules in it, or why it has none.
    pub rules: Result<Registry, String>,
}

impl Documents {
    /// Parses the repository state and the registry. Of each document, `read` has the bytes; none if it is too large.
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

    /// Takes out what was found while the documents were parsed.
    pub(super) fn take_findings(&mut self) -> Findings {
        mem::take(&mut self.findings)
    }

    /// Takes out the bytes of a document.
    pub(super) fn take(&mut self, path: &str) -> Option<Vec<u8>> {
        self.bytes.remove(path)
    }

    /// Returns the bytes of a document.
    pub(super) fn get(&self, path: &str) -> Option<&[u8]> {
        self.bytes.get(path).map(Vec::as_slice)
    }

    /// Takes out a document and parses it; none if there is none, or none that can be read.
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
