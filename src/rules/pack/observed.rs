//! What is seen of a pack before anything is judged: plain data.

use std::collections::BTreeMap;

use crate::format::digest::Digest;
use crate::format::dump::read::Document;
use crate::format::object_id::ObjectId;
use crate::rules::scan::Traits;

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

/// The members under `FULL/` and `SPLIT/` that were looked into.
pub type Members = BTreeMap<String, SeenTexts>;

/// The documents of a pack that could be read, by their paths; a large one is taken out when it is judged.
pub type PackDocuments = BTreeMap<String, Vec<u8>>;
