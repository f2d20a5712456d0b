//! The built-in rules, and the paths of run outputs.

use crate::format::config::RUN_OUTPUT_CLASS;
use crate::format::protected::{Format, Origin, Policy, Rule};

/// The class of private keys, which no rule releases.
pub(super) const KEY_CLASS: &str = "key";

/// The directory of run outputs at the top of a work tree. A path with such a segment, in upper or lower case, is always
/// protected, without exception.
pub const OUTPUT_DIRECTORY: &str = "_PACK_RUN";

/// A class with its globs and formats.
type Class = (&'static str, &'static [&'static str], &'static [Format]);

/// The built-in classes. All have the policy `never`. A pack lists them, so they stay as they are: a new glob or format
/// goes into a new entry at the end, and the number of entries before it into [`EARLIER`].
const BUILT_IN: [Class; 10] = [
    (
        RUN_OUTPUT_CLASS,
        &["_PACK_RUN/**", "**/_PACK_RUN/**", "**/_PACK_RUN"],
        &[],
    ),
    (
        "vector",
        &["**/*.vec", "**/*.faiss", "**/*.hnsw"],
        &[Format::Faiss, Format::Hnsw],
    ),
    ("index", &["**/*.index"], &[]),
    ("proof", &["**/PROOF_BUNDLE.json"], &[]),
    (
        "weights",
        &["**/*.safetensors", "**/*.gguf"],
        &[Format::Safetensors, Format::Gguf, Format::Pickle],
    ),
    (
        "agent",
        &[
            "**/agents/**/g3_information/format.json",
            "**/agents/**/g5_information/session.json",
        ],
        &[],
    ),
    (KEY_CLASS, &[], &[Format::PrivateKey]),
    (
        "vector",
        &[
            "**/*.annoy",
            // Lists of faiss on disk, which have no header.
            "**/*.ivfdata",
            // Chroma: the vectors, links and ids beside the header of an index, and its tables before 0.4.
            "**/data_level0.bin",
            "**/link_lists.bin",
            "**/index_metadata.pickle",
            "**/chroma-embeddings.parquet",
            // Segments of a Qdrant server, and partitions of Milvus Lite from 3.0 on.
            "**/vector_storage*/**/*.mmap",
            "**/vector_storage*/**/*.dat",
            "**/*.db/collections/*/partitions/**",
            "**/*embeddings.npy",
            "**/*embeddings.npz",
            "**/*embeddings.pkl",
        ],
        &[
            Format::Usearch,
            Format::Annoy,
            Format::Lance,
            Format::VectorDatabase,
            Format::Embeddings,
        ],
    ),
    (
        "weights",
        &[
            "**/*.keras",
            "**/*.weights.h5",
            // The tensors of a TensorFlow checkpoint, and a SavedModel.
            "**/*.data-?????-of-?????",
            "**/saved_model.pb",
            // Weights beside a model of ONNX, OpenVINO and Core ML, and those of Flax.
            "**/*.onnx_data",
            "**/*.onnx.data",
            "**/openvino_*model.bin",
            "**/*.espresso.weights",
            "**/flax_model*.msgpack",
            "**/*.trt",
        ],
        &[
            Format::Onnx,
            Format::Coreml,
            Format::Tflite,
            Format::Tensorflow,
            Format::Keras,
            Format::Tensorrt,
        ],
    ),
    (
        "agent",
        &["**/agents/**/g4_information/curriculum.json"],
        &[Format::AgentPrivate],
    ),
];

/// How many of the built-in classes there were in earlier registries.
const EARLIER: [usize; 2] = [7, 9];

/// Returns whether a path has a `_PACK_RUN` segment, in upper or lower case.
pub fn is_run_output(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/')
        .any(|segment| segment.eq_ignore_ascii_case(OUTPUT_DIRECTORY.as_bytes()))
}

/// Returns the built-in rules.
pub(super) fn built_in() -> impl Iterator<Item = Rule> {
    BUILT_IN.into_iter().map(|(class, globs, formats)| Rule {
        class: class.into(),
        paths: globs.iter().map(|glob| (*glob).to_owned()).collect(),
        formats: formats.to_vec(),
        policy: Policy::Never,
        allow_in: Vec::new(),
        origin: Origin::BuiltIn,
    })
}

/// Returns whether rules begin with the built-in ones, all of them or all that there were at some time, and have no
/// others that claim to be built in.
pub(super) fn begin_with_built_in(rules: &[Rule]) -> bool {
    let built_in: Vec<Rule> = built_in().collect();
    let mut counts = EARLIER.into_iter().chain([built_in.len()]);
    counts.any(|count| {
        let own = rules.strip_prefix(&built_in[..count]);
        own.is_some_and(|own| own.iter().all(|rule| rule.origin == Origin::Config))
    })
}
