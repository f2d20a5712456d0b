//! What a format is recognised by: the start of some bytes, their end, and how many they are.

use std::collections::BTreeSet;

use super::{tables, tensors, torch, vectors};
use crate::format::protected::Format;

/// How much of the start is looked at.
pub const HEAD: usize = 64 * 1024;

/// How much of the end is looked at.
pub const TAIL: usize = 16;

/// The start and the end of some bytes.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    /// The first [`HEAD`] bytes, or all.
    pub head: &'a [u8],
    /// The last [`TAIL`] bytes, or all; `None` if where they end is not known.
    pub tail: Option<&'a [u8]>,
    /// How many bytes there are, at least.
    pub size: u64,
}

impl<'a> Sample<'a> {
    /// Takes the sample of `bytes`, which are all.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self {
            head: &bytes[..bytes.len().min(HEAD)],
            tail: Some(&bytes[bytes.len().saturating_sub(TAIL)..]),
            size: bytes.len() as u64,
        }
    }

    /// Returns which formats these bytes have, other than private keys, and pickles that only show inside.
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

    /// Returns whether there are at least `size` bytes, as far as that is known.
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
