//! What a person can set: the keys of `.gitpack.toml` and of git's configuration, and the variables of the environment. The
//! reference of the configuration is made of these tables.

mod environment;
mod file;
mod git;

pub(super) use environment::VARIABLES;
pub(super) use file::KEYS;
pub(super) use git::GIT_KEYS;

/// A key or a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// Its name, with its table: `[pack] emit`.
    pub(super) name: &'static str,
    /// The type of its value.
    pub(super) kind: &'static str,
    /// What counts if it is not set.
    pub(super) default: &'static str,
    /// What it does.
    pub(super) meaning: &'static str,
    /// How it is set.
    pub(super) example: &'static str,
}
