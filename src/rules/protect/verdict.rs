//! The input and the outcome of a judgement by the registry.

use std::fmt;

use crate::format::object_id::ObjectId;
use crate::format::protected::{Format, Origin, Policy};
use crate::format::repo_path::RepoPath;

/// The class of files that only their sealed twins protect.
const SEALED_CLASS: &str = "sealed";

/// The class of files that a user attached to a pack and that no rule names.
const ATTACHED_CLASS: &str = "attached";

/// What is known of a file to be judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileFacts<'a> {
    /// Path relative to the repository's root.
    pub path: &'a [u8],
    /// The formats recognised in its content.
    pub formats: &'a [Format],
    /// Id of its blob, if it is known.
    pub blob: Option<ObjectId>,
}

/// The registry's verdict on a protected file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The class of the deciding rule.
    pub class: String,
    /// The policy of that rule. Never `allowed`.
    pub policy: Policy,
    /// What matched.
    pub cause: Cause,
    /// Where the rule comes from.
    pub origin: Origin,
}

/// The property of a file that a rule matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its path, by this glob.
    Glob(String),
    /// Its content.
    Content(Format),
    /// Its sealed twin at this path is tracked.
    Twin(RepoPath),
    /// It contains a part of a file that this clone protected.
    Known {
        /// The part in percent.
        percent: u64,
        /// Path of the protected file.
        original: RepoPath,
    },
    /// Not all of its content could be examined.
    InPart,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glob(glob) => f.write_str(glob),
            Self::Content(format) => write!(f, "content: {}", format.as_str()),
            Self::Twin(sealed) => write!(f, "sealed twin {sealed}"),
            Self::Known { percent, original } => write!(f, "{percent} % of {original}"),
            Self::InPart => f.write_str("[guard] in_part"),
        }
    }
}

impl Protection {
    /// Returns the verdict on the plaintext of a tracked twin, whatever the rules say.
    pub fn twin(sealed: &RepoPath) -> Self {
        Self {
            class: SEALED_CLASS.into(),
            policy: Policy::Never,
            cause: Cause::Twin(sealed.clone()),
            origin: Origin::BuiltIn,
        }
    }

    /// Returns the verdict on a file that a user attached to a pack, whatever the rules say.
    pub fn attached(path: &RepoPath) -> Self {
        Self {
            class: ATTACHED_CLASS.into(),
            policy: Policy::Never,
            cause: Cause::Glob(path.to_string()),
            origin: Origin::Config,
        }
    }
}
