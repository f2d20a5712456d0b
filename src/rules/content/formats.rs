//! The formats of a content, by its sample.

use std::collections::BTreeSet;

use super::sample::Sample;
use super::{agents, der, faiss, marks, models, pickles, tables, tensors, vectors};
use crate::format::protected::Format;

/// Returns the formats of the content, except for those that only a search inside finds.
pub fn formats_of(sample: &Sample) -> BTreeSet<Format> {
    let recognised = [
        (Format::Faiss, faiss::is_faiss(sample)),
        (Format::Hnsw, vectors::is_hnsw(sample)),
        (Format::Usearch, vectors::is_usearch(sample)),
        (Format::Annoy, vectors::is_annoy(sample)),
        (Format::Lance, tables::is_lance(sample)),
        (Format::Safetensors, tensors::is_safetensors(sample)),
        (Format::Gguf, tensors::is_gguf(sample)),
        (Format::Pickle, pickles::is_legacy_archive(sample.head)),
        (Format::Onnx, models::is_onnx(sample)),
        (Format::Coreml, models::is_coreml(sample)),
        (Format::Tflite, models::is_tflite(sample)),
        (Format::Tensorflow, models::is_tensorflow(sample)),
        (Format::Tensorrt, models::is_tensorrt(sample)),
        (Format::Parquet, tables::is_parquet(sample)),
        (Format::Arrow, tables::is_arrow(sample)),
        (Format::Numpy, tables::is_numpy(sample)),
        (Format::PrivateKey, der::is_key_file(sample)),
        (Format::AgentPrivate, agents::is_private_file(sample)),
    ];
    let mut formats: BTreeSet<Format> = recognised.into_iter().filter(|r| r.1).map(|r| r.0).collect();
    if let Some(pickle) = pickles::unzlib(sample.head) {
        formats.extend(marks::all_of(&pickle));
    }
    formats
}
