//! The observations of a pack, before anything is judged. Plain data.

use std::collections::BTreeMap;

use crate::format::digest::Digest;
use crate::format::dump::read::ParsedTexts;
use crate::format::line_ends::LineEnds;
use crate::format::manifest::ManifestDocument;
use crate::format::name_list::NameList;
use crate::format::object_id::ObjectId;
use crate::format::sealed::SealHeader;
use crate::rules::agent::genome::SeenPack;
use crate::rules::pack::conformity::Conformity;
use crate::rules::pack::documents::PackDocuments;
use crate::rules::pack::places::is_tree_pack;
use crate::rules::scan::{InPart, Traits};

/// All observations of a pack.
pub struct Observed {
    /// Its manifest.
    pub manifest: ManifestDocument,
    /// Whether it is a tree pack.
    pub tree_pack: bool,
    /// What was found at each path.
    pub facts: Facts,
    /// The members that have their declared hash with other line ends, and the line ends that they have here.
    pub line_ends: BTreeMap<String, LineEnds>,
    /// The documents.
    pub documents: PackDocuments,
    /// The headers of the seals.
    pub headers: Headers,
    /// The members in the clear.
    pub plain: PlainMembers,
    /// The members that hold texts.
    pub texts: TextMembers,
    /// The members with a type other than `other`, or with a version.
    pub typed: TypedMembers,
}

impl Observed {
    /// Creates the observations of a manifest, without any of its members.
    pub fn of(manifest: ManifestDocument) -> Self {
        Self {
            tree_pack: is_tree_pack(manifest.members.iter().map(|member| member.path)),
            manifest,
            facts: Facts::default(),
            line_ends: BTreeMap::new(),
            documents: PackDocuments::default(),
            headers: Headers::new(),
            plain: PlainMembers::default(),
            texts: TextMembers::default(),
            typed: TypedMembers::default(),
        }
    }
}

impl Observed {
    /// Returns whether every declared member was found.
    pub fn is_complete(&self) -> bool {
        let mut facts = FactsInOrder::of(&self.facts);
        let mut members = self.manifest.members.iter();
        members.all(|member| facts.get(member.path).is_some())
    }
}

/// What was found at a path.
#[derive(Clone, Debug)]
pub enum Fact {
    /// A regular file that was read completely.
    Hashed {
        /// SHA-256 of its bytes.
        hash: Digest,
        /// Size in bytes.
        size: u64,
    },
    /// A regular file that is not declared. It was not read.
    Undeclared,
    /// A link, FIFO, socket or device.
    NotRegular(&'static str),
    /// An empty directory.
    EmptyDirectory,
    /// A file that could not be read, and why.
    Unreadable(Box<str>),
    /// A directory that could not be listed, and why.
    UnreadableDirectory(Box<str>),
}

/// Everything found below a pack's root except its manifest, in the order of the paths.
#[derive(Debug, Default)]
pub struct Facts {
    paths: NameList,
    found: Vec<Fact>,
}

impl Facts {
    /// Adds what was found at a path, which is greater than all before.
    pub fn add(&mut self, path: &[u8], fact: Fact) {
        debug_assert!(self.paths.last().is_none_or(|last| last < path));
        self.paths.push(path);
        self.found.push(fact);
    }

    /// Returns what was found at `path`.
    pub fn get(&self, path: &[u8]) -> Option<&Fact> {
        self.place(path).map(|at| &self.found[at])
    }

    /// Returns the place of a path among all paths.
    pub(super) fn place(&self, path: &[u8]) -> Option<usize> {
        self.paths.search(path).ok()
    }

    /// Returns everything that was found.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &Fact)> {
        self.paths.iter().zip(&self.found)
    }

    /// Returns whether anything was found at a path that begins with `prefix`.
    pub(super) fn has_below(&self, prefix: &[u8]) -> bool {
        let (Ok(at) | Err(at)) = self.paths.search(prefix);
        at < self.paths.len() && self.paths.get(at).starts_with(prefix)
    }
}

#[cfg(test)]
impl FromIterator<(Vec<u8>, Fact)> for Facts {
    fn from_iter<I: IntoIterator<Item = (Vec<u8>, Fact)>>(list: I) -> Self {
        let mut facts = Self::default();
        let sorted: BTreeMap<Vec<u8>, Fact> = list.into_iter().collect();
        sorted.into_iter().for_each(|(path, fact)| facts.add(&path, fact));
        facts
    }
}

/// Finds what was found at paths that mostly come in order, as the members of a manifest do.
pub struct FactsInOrder<'a> {
    facts: &'a Facts,
    next: usize,
}

impl<'a> FactsInOrder<'a> {
    /// Starts at the first path.
    pub fn of(facts: &'a Facts) -> Self {
        Self { facts, next: 0 }
    }

    /// Returns what was found at `path`.
    pub fn get(&mut self, path: &str) -> Option<&'a Fact> {
        let at = self.facts.paths.search_from(path.as_bytes(), &mut self.next)?;
        Some(&self.facts.found[at])
    }
}

/// The age header of each member under `sealed/`, or why it has none.
pub type Headers = BTreeMap<String, Result<SealHeader, String>>;

/// Returns the hash and the size of a file that was read completely.
pub(super) fn hashed(facts: &Facts, path: &str) -> Option<(Digest, u64)> {
    match facts.get(path.as_bytes()) {
        Some(Fact::Hashed { hash, size }) => Some((*hash, *size)),
        _ => None,
    }
}

/// The observations of the members in the clear.
#[derive(Default)]
pub struct PlainMembers {
    /// Whether what was found at each place of the facts is a member in the clear that was examined.
    pub examined: Vec<bool>,
    /// The traits of each content that is not plain, by path.
    pub traits: BTreeMap<String, Box<Traits>>,
    /// The blob ids of the members that [`crate::rules::pack::plain::blobs_asked`] returns.
    pub blobs: BTreeMap<String, ObjectId>,
}

impl PlainMembers {
    /// Returns the members that were examined only in part, with the reasons.
    pub(super) fn in_part(&self) -> Vec<(String, Vec<InPart>)> {
        let in_part = self.traits.iter().map(|(path, traits)| (path, &traits.in_part));
        in_part
            .filter(|(_, why)| !why.is_empty())
            .map(|(path, why)| (path.clone(), why.clone()))
            .collect()
    }
}

/// The results of checking typed members against their schemas.
#[derive(Default)]
pub struct TypedMembers {
    /// Whether any member conforms.
    pub any_conforms: bool,
    /// The members that do not simply conform.
    pub others: Vec<(String, Conformity)>,
    /// The packs of cycles.
    pub genomes: Vec<SeenPack>,
}

impl TypedMembers {
    /// Adds the result for a member.
    pub fn add(&mut self, path: &str, conformity: Conformity) {
        match conformity {
            Conformity::NoSchema => {}
            Conformity::Conforms => self.any_conforms = true,
            other => self.others.push((path.to_owned(), other)),
        }
    }
}

/// The observations of the texts of a tree pack.
#[derive(Default)]
pub struct TextMembers {
    /// The members under `FULL/` and `SPLIT/`.
    pub members: BTreeMap<String, SeenTexts>,
    /// Whether each examined plain copy is text, by the path of its entry.
    pub copies: BTreeMap<String, bool>,
    /// The texts that were cut and whose parts follow one another, by path.
    pub joined: BTreeMap<String, JoinedText>,
}

/// A text that was cut, its parts put together.
#[derive(Debug)]
pub struct JoinedText {
    /// The member with its first part.
    pub member: String,
    /// SHA-256 of the file.
    pub hash: Digest,
    /// Size of the file in bytes.
    pub size: u64,
    /// Whether it is UTF-8 text as it is.
    pub is_text: bool,
    /// Its traits and blob ids.
    pub seen: SeenText,
}

/// The observations of a member under `FULL/` or `SPLIT/`.
#[derive(Debug)]
pub enum SeenTexts {
    /// A list of texts. `None` if it is too large.
    List(Option<Vec<u8>>),
    /// Texts, or why they cannot be read.
    Texts(Result<Box<TextsRead>, String>),
}

/// A file with texts that was read.
#[derive(Debug)]
pub struct TextsRead {
    /// The parsed document.
    pub document: ParsedTexts,
    /// The observations of its texts, in order.
    pub seen: Vec<SeenText>,
    /// Number of tokens of the whole file. Only counted for a file of a split by tokens, otherwise 0.
    pub tokens: u64,
}

/// The observations of a text.
#[derive(Debug)]
pub struct SeenText {
    /// The traits of its content.
    pub traits: Traits,
    /// Its blob ids, one for each hash that git supports.
    pub blobs: Vec<ObjectId>,
    /// Number of tokens, if they are counted. Otherwise 0.
    pub tokens: u64,
    /// The byte of its member at which it begins.
    pub at: u64,
}
