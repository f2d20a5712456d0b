//! The parts of a content by which a format is recognised: its start, its end and its size.

use std::collections::BTreeSet;

use super::{tables, tensors, torch, vectors};
use crate::format::protected::Format;

/// Number of bytes taken from the start.
pub const HEAD: usize = 64 * 1024;

/// Number of bytes taken from the end.
pub const TAIL: usize = 16;

/// The start, the end and the size of a content.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    /// The first [`HEAD`] bytes, or all if there are fewer.
    pub head: &'a [u8],
    /// The last [`TAIL`] bytes, or all if there are fewer. `None` if the end of the content was not read.
    pub tail: Option<&'a [u8]>,
    /// Size of the content in bytes. At least this, if the end was not read.
    pub size: u64,
}

impl<'a> Sample<'a> {
    /// Takes the sample of a whole content.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self {
            head: &bytes[..bytes.len().min(HEAD)],
            tail: Some(&bytes[bytes.len().saturating_sub(TAIL)..]),
            size: bytes.len() as u64,
        }
    }

    /// Returns the formats of the content, except for private keys and for pickles that only a search inside finds.
    pub fn formats(&self) -> BTreeSet<Format> {
        let recognised = [
            (Format::Faiss, vectors::is_faiss(self)),
            (Format::Hnsw, vectors::is_hnsw(self)),
            (Format::Safetensors, tensors::is_safetensors(self)),
            (Format::Gguf, tensors::is_gguf(self)),
            (Format::Pickle, torch::is_legacy_archive(self.head)),
            (Format::Parquet, tables::is_parquet(self)),
            (Format::Arrow, tables::is_arrow(self)),
            (Format::Numpy, tables::is_numpy(self)),
        ];
        recognised.into_iter().filter(|r| r.1).map(|r| r.0).collect()
    }

    /// Returns whether the content may have at least `size` bytes.
    pub fn holds(&self, size: u64) -> bool {
        self.tail.is_none() || size <= self.size
    }

    /// Returns the `N` bytes at `at`.
    pub fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.head.get(at..)?.first_chunk().copied()
    }

    /// Returns the little-endian number at `at`.
    pub fn u16(&self, at: usize) -> Option<u16> {
        self.bytes(at).map(u16::from_le_bytes)
    }

    /// Returns the little-endian number at `at`.
    pub fn u32(&self, at: usize) -> Option<u32> {
        self.bytes(at).map(u32::from_le_bytes)
    }

    /// Returns the little-endian number at `at`.
    pub fn i32(&self, at: usize) -> Option<i32> {
        self.bytes(at).map(i32::from_le_bytes)
    }

    /// Returns the little-endian number at `at`.
    pub fn u64(&self, at: usize) -> Option<u64> {
        self.bytes(at).map(u64::from_le_bytes)
    }
}
