//! `.gitpack.toml`: what is protected, for which recipients, and in which scopes. Parses it, and edits it without
//! touching other text.

mod edit;
mod limits;
mod lines;
mod parse;
mod protect;
mod raw;
mod recipients;
mod scope;

use std::collections::BTreeMap;
use std::fmt;

use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::protected::Rule;
use crate::format::remote_url::PrivatePlace;
use crate::format::tree_meta::Part;
pub use edit::{AllowGroup, NEW_ALLOW_FILE};
pub use edit::{add_recipient, add_to_allow_file, add_to_config, remove_recipient, set_allow_file};
pub use parse::parse_allow_file;
pub use recipients::{is_same_recipient, parse_recipients_file};
pub use scope::{Limits, Scope, size_of};

/// Name of the file at the root of the repository.
pub const FILE_NAME: &str = ".gitpack.toml";

/// The class of run outputs, which no configuration may name or release.
pub const RUN_OUTPUT_CLASS: &str = "pack-run";

/// An error in a configuration file.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The line, counted from 1, if it is known.
    pub line: Option<usize>,
    /// The problem: what was expected and what was found.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

/// A value with its line.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// The line, counted from 1.
    pub line: usize,
}

/// A configuration. [`Config::default`] is the one of a repository without the file.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Key of the scope that is packed if the command names no scope.
    pub default_scope: Option<String>,
    /// The parts of a tree pack. `None` means the plain copies.
    pub emit: Option<Vec<Part>>,
    /// Globs of untracked artifacts that are sealed into every tree pack.
    pub attach: Vec<Located<String>>,
    /// The file that holds the canon version.
    pub canon_version_file: Option<String>,
    /// The scopes, by key.
    pub scopes: BTreeMap<String, Scope>,
    /// The `[[protect]]` rules in their order in the file, each with its line.
    pub protect: Vec<Located<Rule>>,
    /// The `[[allow]]` exceptions in their order in the file, each with its line.
    pub allow: Vec<Located<Allow>>,
    /// The file that holds more exceptions, as a path relative to the root of the repository.
    pub allow_file: Option<Located<MemberPath>>,
    /// The recipients of everything that is sealed.
    pub recipients: Vec<Located<String>>,
    /// The file that names more recipients, as a path relative to the root of the repository.
    pub recipients_file: Option<Located<MemberPath>>,
    /// The places that only insiders can read.
    pub private_remotes: Vec<Located<PrivatePlace>>,
    /// Whether a branch may be pushed only after a pack of its tip was published.
    pub requires_published: bool,
    /// Whether the guard blocks files that it could examine only in part, instead of reporting them.
    pub blocks_in_part: bool,
    /// Whether packs in a push must be signed, and not only verify.
    pub requires_signed: bool,
    /// How many different known signers must have signed a pack.
    pub signatures: usize,
    /// The allowed signers file, as a path relative to the root of the repository.
    pub signers: Option<Located<MemberPath>>,
    /// The file of revoked keys, as a path relative to the root of the repository.
    pub revoked: Option<Located<MemberPath>>,
}

/// An exception: a blob that may appear in plaintext everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// Id of the blob.
    pub blob: ObjectId,
    /// The reason, for readers of the file.
    pub reason: String,
}

/// Returns whether a scope can have this key. Keys become part of directory names.
pub fn is_plain_word(key: &str) -> bool {
    !key.is_empty() && !key.starts_with('.') && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}
