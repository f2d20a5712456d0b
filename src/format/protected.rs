//! The protected registry as data: rules, policies, and `meta/PROTECTED.json`.

use serde::{Deserialize, Serialize};

/// The version of `meta/PROTECTED.json`.
pub const VERSION: &str = "pack.protected.v0";

/// Where plaintext under a rule may stand.
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

/// Who wrote a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// git-pack itself.
    BuiltIn,
    /// `[[protect]]` in `.gitpack.toml`.
    Config,
}

/// What bytes can be recognised as, whatever their name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A faiss index.
    Faiss,
    /// An hnswlib index.
    Hnsw,
    /// A safetensors file.
    Safetensors,
    /// A GGUF file.
    Gguf,
    /// Tensors in a pickle, as `torch.save` writes them.
    Pickle,
    /// A Parquet file.
    Parquet,
    /// An Arrow IPC file or stream, or a Feather file.
    Arrow,
    /// A NumPy array, `.npy`; an `.npz` is a zip of them.
    Numpy,
    /// An age identity or an SSH private key.
    PrivateKey,
}

impl Format {
    /// Every format there is.
    pub const ALL: [Self; 9] = [
        Self::Faiss,
        Self::Hnsw,
        Self::Safetensors,
        Self::Gguf,
        Self::Pickle,
        Self::Parquet,
        Self::Arrow,
        Self::Numpy,
        Self::PrivateKey,
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
            Self::Safetensors => "safetensors",
            Self::Gguf => "gguf",
            Self::Pickle => "pickle",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Numpy => "numpy",
            Self::PrivateKey => "private-key",
        }
    }
}

/// One rule: whatever lies under its paths, or is of its formats, belongs to its class and follows its policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A free word, for messages and reports.
    pub class: String,
    /// Globs over repository paths, matched without regard to case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Formats that the rule covers wherever they lie; a releasing rule with both paths and formats needs both to match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<Format>,
    /// Where plaintext may stand.
    pub policy: Policy,
    /// Globs of paths where plaintext is fine after all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_in: Vec<String>,
    /// Who wrote it.
    pub origin: Origin,
}

/// The rules of one configuration, on top of the built-in ones, and what it lets pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSetDocument {
    /// The rules, in order.
    pub rules: Vec<Rule>,
    /// Blobs that may stand in plaintext: their git object ids in hex, sorted, none twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
}

/// The most globs of all sets of a pack together: what two configurations may hold, and the built-in rules with them.
const MAX_GLOBS: usize = 2 * (4096 + 64);

/// The most bytes of these globs together.
const MAX_GLOB_BYTES: usize = 2 * (132 << 10);

/// `meta/PROTECTED.json`: the registry in force when a pack was sealed.
///
/// A file is judged by each set on its own, where the last matching rule decides, and the strictest of these verdicts
/// holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtectedDocument {
    /// [`VERSION`].
    pub version: String,
    /// The sets of rules: one a configuration that had a say.
    pub rule_sets: Vec<RuleSetDocument>,
}

impl ProtectedDocument {
    /// Returns what there is too much of, if anything: whoever made the pack wrote it, and each path is held against all of
    /// it.
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
