//! What is seen of a pack before anything is judged: plain data, gathered in one pass over its members.

use std::collections::BTreeMap;

use crate::format::digest::Digest;
use crate::format::dump::read::Document;
use crate::format::manifest::ManifestDocument;
use crate::format::object_id::ObjectId;
use crate::format::sealed::SealHeader;
use crate::rules::pack::conformity::Conformity;
use crate::rules::pack::documents::Documents;
use crate::rules::pack::places::is_tree_pack;
use crate::rules::scan::{InPart, Traits};

/// Everything that was seen of a pack.
pub struct Observed {
    /// Its manifest.
    pub manifest: ManifestDocument,
    /// Whether it is a pack of a commit's tree.
    pub tree_pack: bool,
    /// What stands under each path.
    pub facts: Facts,
    /// The documents that could be read.
    pub documents: Documents,
    /// The headers of the seals.
    pub headers: Headers,
    /// The members in the clear.
    pub plain: PlainMembers,
    /// The texts.
    pub texts: TextMembers,
    /// The members of a type.
    pub typed: TypedMembers,
}

impl Observed {
    /// Begins with the manifest alone: nothing was seen below it yet.
    pub fn of(manifest: ManifestDocument) -> Self {
        Self {
            tree_pack: is_tree_pack(manifest.members.iter().map(|member| member.path.as_str())),
            manifest,
            facts: Facts::new(),
            documents: Documents::default(),
            headers: Headers::new(),
            plain: PlainMembers::default(),
            texts: TextMembers::default(),
            typed: TypedMembers::default(),
        }
    }
}

/// What was found on disk under one path below the pack's root.
#[derive(Clone, Debug)]
pub enum Fact {
    /// A regular file, read to its end.
    Hashed {
        /// SHA-256 of its bytes.
        hash: Digest,
        /// Its bytes.
        size: u64,
    },
    /// A regular file that no member declares; it was not read.
    Undeclared,
    /// A link, FIFO, socket or device.
    NotRegular(&'static str),
    /// A directory with nothing in it.
    EmptyDirectory,
    /// A file that could not be read.
    Unreadable(String),
    /// A directory that could not be listed.
    UnreadableDirectory(String),
}

/// Everything found below a pack's root except its manifest, by relative path.
pub type Facts = BTreeMap<Vec<u8>, Fact>;

/// For each member under `sealed/`: its header, or why it has none.
pub type Headers = BTreeMap<String, Result<SealHeader, String>>;

/// Returns the hash and the bytes of a file that was read to its end.
pub(super) fn hashed(facts: &Facts, path: &str) -> Option<(Digest, u64)> {
    match facts.get(path.as_bytes()) {
        Some(Fact::Hashed { hash, size }) => Some((*hash, *size)),
        _ => None,
    }
}

/// What was seen in the members in the clear.
#[derive(Default)]
pub struct PlainMembers {
    /// What the content of each is, sorted by path; none where there is nothing to be said of it.
    pub members: Vec<(String, Option<Box<Traits>>)>,
    /// The blobs of those that [`crate::rules::pack::plain::blobs_asked`] names.
    pub blobs: BTreeMap<String, ObjectId>,
}

impl PlainMembers {
    /// Returns the members that could not be examined whole, and why.
    pub(super) fn in_part(&self) -> Vec<(String, Vec<InPart>)> {
        let members = self.members.iter();
        let in_part = members.filter_map(|(path, traits)| Some((path, &traits.as_deref()?.in_part)));
        in_part
            .filter(|(_, why)| !why.is_empty())
            .map(|(path, why)| (path.clone(), why.clone()))
            .collect()
    }
}

/// What members of a type came to when they were held against its schema.
#[derive(Default)]
pub struct TypedMembers {
    /// Whether any conforms.
    pub any_conforms: bool,
    /// Those of which there is more to be said.
    pub others: Vec<(String, Conformity)>,
}

impl TypedMembers {
    /// Adds a member.
    pub fn add(&mut self, path: &str, conformity: Conformity) {
        match conformity {
            Conformity::NoSchema => {}
            Conformity::Conforms => self.any_conforms = true,
            other => self.others.push((path.to_owned(), other)),
        }
    }
}

/// What was seen of the texts of a tree pack.
#[derive(Default)]
pub struct TextMembers {
    /// The members under `FULL/` and `SPLIT/`.
    pub members: BTreeMap<String, SeenTexts>,
    /// Of each plain copy that was looked into, by the path that it copies, whether it is text.
    pub copies: BTreeMap<String, bool>,
}

/// What was seen in a member under `FULL/` or `SPLIT/`.
#[derive(Debug)]
pub enum SeenTexts {
    /// A list of texts; none if it is too large to be one.
    List(Option<Vec<u8>>),
    /// Texts, or why there are none.
    Texts(Result<Box<TextsRead>, String>),
}

/// A file with texts that was read.
#[derive(Debug)]
pub struct TextsRead {
    /// What is in it.
    pub document: Document,
    /// What was seen in its texts.
    pub seen: Vec<SeenText>,
}

/// What was seen in a text, in the order of its document.
#[derive(Debug)]
pub struct SeenText {
    /// What its content is.
    pub traits: Traits,
    /// Its blob, by each hash that git has.
    pub blobs: Vec<ObjectId>,
    /// Its tokens, where they are to be counted.
    pub tokens: u64,
}
