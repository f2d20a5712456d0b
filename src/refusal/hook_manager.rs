//! The hook managers that may own a hooks directory; `rules/managers.rs` recognises them.

use std::fmt;

/// A program that owns the files in the hooks directory and may rewrite them at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookManager {
    /// husky, configured by one script a hook.
    Husky,
    /// lefthook.
    Lefthook,
    /// pre-commit.
    PreCommit,
    /// prek, which reads pre-commit's configuration.
    Prek,
}

impl fmt::Display for HookManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Husky => "husky",
            Self::Lefthook => "lefthook",
            Self::PreCommit => "pre-commit",
            Self::Prek => "prek",
        })
    }
}
