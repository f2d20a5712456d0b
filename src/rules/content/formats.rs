//! The formats of a content, by its sample.

use std::collections::BTreeSet;

use super::sample::Sample;
use super::{der, faiss, tables, tensors, torch, vectors};
use crate::format::protected::Format;

/// Returns the formats of the content, except for private keys and pickles that only a search inside finds.
pub fn formats_of(sample: &Sample) -> BTreeSet<Format> {
    let recognised = [
        (Format::Faiss, faiss::is_faiss(sample)),
        (Format::Hnsw, vectors::is_hnsw(sample)),
        (Format::Safetensors, tensors::is_safetensors(sample)),
        (Format::Gguf, tensors::is_gguf(sample)),
        (Format::Pickle, torch::is_legacy_archive(sample.head)),
        (Format::Parquet, tables::is_parquet(sample)),
        (Format::Arrow, tables::is_arrow(sample)),
        (Format::Numpy, tables::is_numpy(sample)),
        (Format::PrivateKey, der::is_key_file(sample)),
    ];
    let mut formats: BTreeSet<Format> = recognised.into_iter().filter(|r| r.1).map(|r| r.0).collect();
    if let Some(pickle) = torch::unzlib(sample.head) {
        formats.extend(torch::formats(&pickle, 0..pickle.len()));
    }
    formats
}
