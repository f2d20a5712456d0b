//! How a command tells of a refusal: on stderr always, and on stdout for machines.

use std::ffi::OsString;

use serde_json::Value;

/// How a call tells of a refusal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style {
    /// On stderr alone.
    Human,
    /// On stderr, to somebody who called git.
    Hook,
    /// The envelope on stdout as well.
    Envelope,
    /// The outcome on stdout as well, after the name of the command.
    Outcome(&'static str),
    /// A document of the command's own on stdout as well, made of the body of the refusal.
    Document(fn(Value) -> Vec<u8>),
}

impl Style {
    /// Returns the style of a command that is for machines with `--json` only.
    pub(super) fn with_json(json: bool) -> Self {
        if json { Self::Envelope } else { Self::Human }
    }
}

/// When a call whose arguments cannot be parsed prints the envelope on stdout as well.
#[derive(Clone, Copy, Debug)]
pub(super) enum Envelope {
    /// Always: the command prints for machines.
    Always,
    /// Never: the command prints for people only.
    Never,
    /// With one of these among the arguments: a flag, or a flag and its value.
    With(&'static [&'static [&'static str]]),
}

impl Envelope {
    /// The declaration of a command that is for machines with `--json` only.
    pub(super) const WITH_JSON: Self = Self::With(&[&["--json"]]);

    /// Returns whether a call with these arguments prints the envelope.
    pub(super) fn is_wanted_by(self, arguments: &[OsString]) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::With(flags) => flags
                .iter()
                .any(|flag| arguments.windows(flag.len()).any(|given| given == *flag)),
        }
    }
}
