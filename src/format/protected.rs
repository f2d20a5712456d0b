//! The data of the protected registry: rules, policies, and `meta/PROTECTED.json`.

use serde::{Deserialize, Serialize};

/// Version of `meta/PROTECTED.json`.
pub const VERSION: &str = "pack.protected.v0";

/// Where a rule allows plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Everywhere.
    Allowed,
    /// In the repository and on private remotes.
    Internal,
    /// Nowhere: sealed only.
    Never,
}

impl Policy {
    /// Returns the word that configuration and reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Internal => "internal",
            Self::Never => "never",
        }
    }
}

/// Where a rule comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// git-pack itself.
    BuiltIn,
    /// `[[protect]]` in `.gitpack.toml`.
    Config,
}

/// A format that is recognised by content, whatever the name of the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A faiss index.
    Faiss,
    /// An hnswlib index.
    Hnsw,
    /// A usearch index.
    Usearch,
    /// An Annoy index.
    Annoy,
    /// A file of a Lance dataset.
    Lance,
    /// An SQLite database of a vector store: Chroma, Qdrant, Milvus Lite, sqlite-vec, sqlite-vss or libSQL.
    VectorDatabase,
    /// Embeddings, or the texts of an index, in JSON or a pickle.
    Embeddings,
    /// A safetensors file.
    Safetensors,
    /// A GGUF file, or a file of ggml from before GGUF.
    Gguf,
    /// Tensors in a pickle, as `torch.save` writes them.
    Pickle,
    /// An ONNX model with weights.
    Onnx,
    /// A Core ML model, or the weights of one.
    Coreml,
    /// A TensorFlow Lite model.
    Tflite,
    /// A TensorFlow checkpoint or frozen graph.
    Tensorflow,
    /// Weights of Keras in HDF5.
    Keras,
    /// A TensorRT engine.
    Tensorrt,
    /// A Parquet file.
    Parquet,
    /// An Arrow IPC file or stream, or a Feather file.
    Arrow,
    /// A NumPy array: `.npy`, of which an `.npz` is a zip, or one in a pickle.
    Numpy,
    /// A private key: age, SSH, PEM, PuTTY, OpenPGP, PKCS#12, DER or a JSON Web Key.
    PrivateKey,
    /// A private file of an agent that is not sealed with age.
    AgentPrivate,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 21] = [
        Self::Faiss,
        Self::Hnsw,
        Self::Usearch,
        Self::Annoy,
        Self::Lance,
        Self::VectorDatabase,
        Self::Embeddings,
        Self::Safetensors,
        Self::Gguf,
        Self::Pickle,
        Self::Onnx,
        Self::Coreml,
        Self::Tflite,
        Self::Tensorflow,
        Self::Keras,
        Self::Tensorrt,
        Self::Parquet,
        Self::Arrow,
        Self::Numpy,
        Self::PrivateKey,
        Self::AgentPrivate,
    ];

    /// Parses the word that configuration and reports use.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }

    /// Returns the word that configuration and reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Faiss => "faiss",
            Self::Hnsw => "hnsw",
            Self::Usearch => "usearch",
            Self::Annoy => "annoy",
            Self::Lance => "lance",
            Self::VectorDatabase => "vector-database",
            Self::Embeddings => "embeddings",
            Self::Safetensors => "safetensors",
            Self::Gguf => "gguf",
            Self::Pickle => "pickle",
            Self::Onnx => "onnx",
            Self::Coreml => "coreml",
            Self::Tflite => "tflite",
            Self::Tensorflow => "tensorflow",
            Self::Keras => "keras",
            Self::Tensorrt => "tensorrt",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Numpy => "numpy",
            Self::PrivateKey => "private-key",
            Self::AgentPrivate => "agent-private",
        }
    }
}

/// A rule: files at its paths or of its formats belong to its class and follow its policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A free name for messages and reports.
    pub class: String,
    /// Globs over repository paths, matched without regard to case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Formats that the rule covers at any path. A releasing rule with both paths and formats needs both to match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<Format>,
    /// Where plaintext is allowed.
    pub policy: Policy,
    /// Globs of paths at which plaintext is allowed despite the policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_in: Vec<String>,
    /// Where the rule comes from.
    pub origin: Origin,
}

/// The rules of one configuration, on top of the built-in rules, and its exceptions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSetDocument {
    /// The rules, in order.
    pub rules: Vec<Rule>,
    /// Blobs that are allowed in plaintext: their git object ids in hex, sorted, without duplicates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
}

/// Most globs in all rule sets of a pack together: the limits of two configurations, each with the built-in rules.
const MAX_GLOBS: usize = 2 * (4096 + 64);

/// Most bytes of all these globs together.
const MAX_GLOB_BYTES: usize = 2 * (132 << 10);

/// `meta/PROTECTED.json`: the registry in force when a pack was sealed.
///
/// Each set judges a file on its own, by its last matching rule. The strictest of these verdicts holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtectedDocument {
    /// [`VERSION`].
    pub version: String,
    /// The rule sets: one for each configuration that applied.
    pub rule_sets: Vec<RuleSetDocument>,
}

impl ProtectedDocument {
    /// Refuses a document with too many globs.
    ///
    /// The maker of the pack, who may be hostile, writes it, and every path is matched against all globs.
    pub fn hold(&self) -> Result<(), String> {
        let rules = self.rule_sets.iter().flat_map(|set| &set.rules);
        let globs = rules.flat_map(|rule| rule.paths.iter().chain(&rule.allow_in));
        let (count, bytes) = globs.fold((0, 0), |(count, bytes), glob| (count + 1, bytes + glob.len()));
        match (count <= MAX_GLOBS, bytes <= MAX_GLOB_BYTES) {
            (true, true) => Ok(()),
            (false, _) => Err(format!("expected at most {MAX_GLOBS} globs, found {count}")),
            (_, false) => Err(format!(
                "expected at most {MAX_GLOB_BYTES} bytes of globs, found {bytes}"
            )),
        }
    }
}
