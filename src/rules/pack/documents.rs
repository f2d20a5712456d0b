//! The documents of a pack. Two are parsed early, because further observations depend on them.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::mem;

use crate::format::canonical_json::{Document, ListingError, parse_strict_into};
use crate::format::lite::{PACK_MANIFEST, PackManifest};
use crate::format::repo_state::RepoState;
use crate::format::tree_meta::{FILE_INDEX, FILE_TREE, PROTECTED, REPO_STATE};
use crate::rules::pack::findings::Findings;
use crate::rules::protect::Registry;

/// Most bytes of a list of members or contents that are kept to tell what is wrong with it. A longer one is only compared.
const KEPT: u64 = 1 << 20;

/// What was kept of a document that was read.
pub enum ReadDocument {
    /// Its bytes.
    Whole(Vec<u8>),
    /// The repository state, and whether its bytes are canonical; or why the document is not a repository state.
    State(Result<Box<(RepoState, bool)>, String>),
    /// Nothing but, if they are few, its bytes. What it must be follows from the rest of the pack, so its hash suffices.
    Compared(Option<Vec<u8>>),
    /// The manifest of contents without its entries, and, if they are few, its bytes.
    Contents(Result<Box<PackManifest>, String>, Option<Vec<u8>>),
    /// Nothing, because it has more than this many bytes.
    TooLong(u64),
}

impl ReadDocument {
    /// Reads what is needed of the document `path` of `size` bytes. No more than `held` bytes of one are held as they are.
    pub fn read(path: &str, document: &mut dyn Read, size: u64, held: u64) -> io::Result<Self> {
        let whole = |document: &mut dyn Read| {
            let mut bytes = Vec::with_capacity(size as usize);
            document.take(size).read_to_end(&mut bytes).map(|_| bytes)
        };
        Ok(match path {
            REPO_STATE => Self::State(match RepoState::read(document) {
                Ok(state) => Ok(Box::new(state)),
                Err(ListingError::Json(why)) => Err(why.to_string()),
                Err(ListingError::Io(e)) => return Err(e),
            }),
            FILE_INDEX | FILE_TREE if size > KEPT => Self::Compared(None),
            FILE_INDEX | FILE_TREE => Self::Compared(Some(whole(document)?)),
            PACK_MANIFEST if size > KEPT => Self::Contents(PackManifest::read_hull(document)?.map(Box::new), None),
            PACK_MANIFEST => {
                let bytes = whole(document)?;
                Self::Contents(PackManifest::read_hull(&mut &bytes[..])?.map(Box::new), Some(bytes))
            }
            _ if size > held => Self::TooLong(held),
            _ => Self::Whole(whole(document)?),
        })
    }
}

/// The documents of a pack. Each is parsed once. The bytes of a large one are dropped as soon as it is judged.
#[derive(Default)]
pub struct PackDocuments {
    /// The repository state. `None` if it is missing or cannot be parsed.
    pub(super) state: Option<RepoState>,
    /// The registry. `None` if it is missing.
    pub(super) registry: Option<RegistryDocument>,
    /// Whether any document was read.
    pub(super) any_read: bool,
    /// The lists that are compared by their hashes: their bytes, if they are few.
    compared: BTreeMap<String, Option<Vec<u8>>>,
    /// The manifest of contents.
    contents: Option<ReadContents>,
    /// The bytes of the other documents, by path.
    bytes: BTreeMap<String, Vec<u8>>,
    /// Findings about oversized documents and the repository state.
    findings: Findings,
}

/// The manifest of contents without its entries, or why it is none, and its bytes, if they are few.
pub(super) type ReadContents = (Result<Box<PackManifest>, String>, Option<Vec<u8>>);

/// `meta/PROTECTED.json`.
pub(super) struct RegistryDocument {
    /// The document's bytes.
    pub bytes: Vec<u8>,
    /// The rules that it contains, or why it cannot be parsed.
    pub rules: Result<Registry, String>,
}

impl PackDocuments {
    /// Takes what was read of each document, and parses the registry.
    pub fn parse(read: BTreeMap<String, ReadDocument>) -> Self {
        let mut documents = Self::default();
        let findings = &mut documents.findings;
        for (path, document) in read {
            documents.any_read |= !matches!(document, ReadDocument::TooLong(_));
            match document {
                ReadDocument::Whole(bytes) => drop(documents.bytes.insert(path, bytes)),
                ReadDocument::Compared(bytes) => drop(documents.compared.insert(path, bytes)),
                ReadDocument::Contents(hull, bytes) => documents.contents = Some((hull, bytes)),
                ReadDocument::TooLong(held) => findings.violation(&path, format!("it has more than {held} bytes")),
                ReadDocument::State(Ok(read)) => {
                    let (state, is_canonical) = *read;
                    if !is_canonical {
                        findings.violation(&path, "not in canonical form");
                    }
                    documents.state = Some(state);
                }
                ReadDocument::State(Err(why)) => findings.violation(&path, why),
            }
        }
        documents.registry = documents.take(PROTECTED).map(RegistryDocument::parse);
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

    /// Removes a list that is compared by its hash. Returns its bytes, if they are few. `None` if it was not read.
    pub(super) fn take_compared(&mut self, path: &str) -> Option<Option<Vec<u8>>> {
        self.compared.remove(path)
    }

    /// Removes and returns the manifest of contents.
    pub(super) fn take_contents(&mut self) -> Option<ReadContents> {
        self.contents.take()
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
        parse(path, &bytes, findings)
    }
}

/// Parses a document. Returns `None` if it cannot be parsed.
pub(super) fn parse<T: Document + for<'de> serde::Deserialize<'de>>(
    path: &str,
    bytes: &[u8],
    findings: &mut Findings,
) -> Option<T> {
    match parse_strict_into::<T>(bytes) {
        Ok(document) => {
            if !document.is_written_as(bytes) {
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

impl RegistryDocument {
    fn parse(bytes: Vec<u8>) -> Self {
        let rules = parse_strict_into(&bytes).map_err(|e| e.to_string());
        Self {
            rules: rules.and_then(Registry::of_document),
            bytes,
        }
    }
}
