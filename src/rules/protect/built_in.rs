//! The built-in rules, and the paths of run outputs.

use crate::format::config::RUN_OUTPUT_CLASS;
use crate::format::protected::{Format, Origin, Policy, Rule};

/// The class of private keys, which no rule releases.
pub(super) const KEY_CLASS: &str = "key";

/// The directory of run outputs at the top of a work tree. A path with such a segment, in upper or lower case, is always
/// protected, without exception.
pub const OUTPUT_DIRECTORY: &str = "_PACK_RUN";

/// The built-in classes with their globs and formats. All have the policy `never`.
const BUILT_IN: [(&str, &[&str], &[Format]); 7] = [
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
];

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
