//! What a plaintext member of a pack, or a text in one of its documents, would give away.

use std::fmt;

/// Why a member must not be plaintext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Giveaway {
    /// It has the content of a sealed artifact.
    SameContent {
        /// The artifact.
        artifact: String,
    },
    /// A rule protects it.
    Rule {
        /// What matched.
        cause: String,
        /// The class of the rule.
        class: String,
    },
    /// Its sealed twin is tracked beside it in the same tree.
    TwinBeside {
        /// The twin.
        twin: String,
    },
    /// Its sealed twin is tracked.
    Twin {
        /// The twin.
        twin: String,
    },
    /// It holds a part of a protected file.
    Part {
        /// How much of that file, in percent.
        percent: u64,
        /// The protected file.
        original: String,
        /// Where in the member the part lies, if it is inside of something.
        within: Option<String>,
    },
    /// It holds a private key.
    PrivateKey {
        /// Where in the member the key lies, if it is inside of something.
        within: Option<String>,
    },
    /// Its name says that it is sealed, and it is not.
    FakeSeal {
        /// What it is instead.
        fault: String,
    },
}

/// A text that a user gives, and that anyone can read afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicText {
    /// The note in a manifest.
    Note,
    /// What an attestation states.
    Predicate,
    /// The type of what an attestation states.
    PredicateType,
}

impl fmt::Display for PublicText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "the note in the manifest",
            Self::Predicate => "the predicate",
            Self::PredicateType => "the type of the predicate",
        })
    }
}

impl fmt::Display for Giveaway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comma = |within: &Option<String>| within.as_ref().map(|within| format!(", {within}")).unwrap_or_default();
        match self {
            Self::SameContent { artifact } => write!(f, "it has the content of {artifact}"),
            Self::Rule { cause, class } => write!(f, "rule {cause} of class {class} protects it"),
            Self::TwinBeside { twin } => write!(f, "its sealed twin {twin} is tracked beside it"),
            Self::Twin { twin } => write!(f, "its sealed twin {twin} is tracked"),
            Self::Part {
                percent,
                original,
                within,
            } => {
                let within = comma(within);
                write!(f, "it holds {percent} % of {original}{within}, which is protected here")
            }
            Self::PrivateKey { within } => write!(f, "it holds a private key{}", comma(within)),
            Self::FakeSeal { fault } => write!(f, "its name says that it is sealed ({fault})"),
        }
    }
}
