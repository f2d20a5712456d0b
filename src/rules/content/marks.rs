//! Searches contents of some kinds for what tells that they hold vectors or weights.
//!
//! A pickle, a database, JSON and HDF5 begin alike whatever they hold. The start decides what is searched for.

use std::ops::Range;

use super::sample::HEAD;
use super::{embeddings, hdf5, pickles, sqlite};
use crate::format::protected::Format;

/// Number of bytes behind the place of a mark by which it is recognised.
pub const REACH: usize = embeddings::REACH;

const _: () = assert!(pickles::REFERENCE <= REACH && sqlite::REACH <= REACH && hdf5::REACH <= REACH);

/// The marks that were found in a content.
#[derive(Default)]
pub struct Marks {
    kind: Option<Kind>,
    found: Vec<Mark>,
}

#[derive(Clone, Copy)]
enum Kind {
    Pickle,
    Sqlite,
    Json,
    Hdf5,
}

/// A property of some bytes, as judged at all places within a range of a window.
type Judge = fn(&[u8], Range<usize>) -> bool;

/// What can be found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Tensor,
    Array,
    Documents,
    NamedEmbeddings,
    VectorTables,
    Embeddings,
    LayerNames,
    WeightNames,
    Layers,
}

impl Kind {
    fn of(head: &[u8]) -> Option<Self> {
        match () {
            () if pickles::may_be_pickle(head) => Some(Self::Pickle),
            () if sqlite::may_be(head) => Some(Self::Sqlite),
            () if hdf5::may_be(head) => Some(Self::Hdf5),
            () if embeddings::may_be_json(head) => Some(Self::Json),
            () => None,
        }
    }

    fn marks(self) -> &'static [(Mark, Judge)] {
        match self {
            Self::Pickle => &[
                (Mark::Tensor, pickles::refers_to_tensor),
                (Mark::Array, pickles::refers_to_array),
                (Mark::Documents, pickles::refers_to_documents),
                (Mark::NamedEmbeddings, pickles::names_embeddings),
            ],
            Self::Sqlite => &[(Mark::VectorTables, sqlite::has_vectors)],
            Self::Json => &[(Mark::Embeddings, embeddings::are_there)],
            Self::Hdf5 => &[
                (Mark::LayerNames, hdf5::names_layers),
                (Mark::WeightNames, hdf5::names_weights),
                (Mark::Layers, hdf5::has_layers),
            ],
        }
    }
}

impl Marks {
    /// Returns what to search for in bytes with this start, with nothing found yet.
    pub fn of(head: &[u8]) -> Self {
        Self {
            kind: Kind::of(head),
            found: Vec::new(),
        }
    }

    /// Searches a window for marks that begin within `judged`.
    pub fn judge(&mut self, window: &[u8], judged: Range<usize>) {
        for (mark, judge) in self.kind.map_or(&[][..], Kind::marks) {
            if !self.has(*mark) && judge(window, judged.clone()) {
                self.found.push(*mark);
            }
        }
    }

    /// Returns whether nothing more is searched for.
    pub fn are_over(&self) -> bool {
        self.kind.is_none_or(|kind| kind.marks().len() == self.found.len())
    }

    /// Returns the formats that the marks tell of.
    pub fn formats(&self) -> impl Iterator<Item = Format> + use<> {
        let embeddings = self.has(Mark::NamedEmbeddings) && self.has(Mark::Array);
        let keras = self.has(Mark::LayerNames) && self.has(Mark::WeightNames);
        [
            self.has(Mark::Tensor).then_some(Format::Pickle),
            self.has(Mark::Array).then_some(Format::Numpy),
            (embeddings || self.has(Mark::Documents) || self.has(Mark::Embeddings)).then_some(Format::Embeddings),
            self.has(Mark::VectorTables).then_some(Format::VectorDatabase),
            (keras || self.has(Mark::Layers)).then_some(Format::Keras),
        ]
        .into_iter()
        .flatten()
    }

    fn has(&self, mark: Mark) -> bool {
        self.found.contains(&mark)
    }
}

/// Returns the formats that the marks in `bytes` tell of.
pub fn all_of(bytes: &[u8]) -> impl Iterator<Item = Format> + use<> {
    let mut marks = Marks::of(&bytes[..bytes.len().min(HEAD)]);
    marks.judge(bytes, 0..bytes.len());
    marks.formats()
}
