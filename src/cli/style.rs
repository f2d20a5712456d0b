//! How a command reports a refusal: always on stderr, and on stdout for machines.

use std::ffi::OsString;

use serde_json::Value;

/// How a call reports a refusal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style {
    /// On stderr alone.
    Human,
    /// On stderr, to a person who called git.
    Hook,
    /// On stderr, and as an envelope on stdout.
    Envelope,
    /// On stderr, and as an envelope on stdout, unless that is a terminal, where a person reads.
    Unasked,
    /// On stderr, and on stdout as the name of the command and the outcome.
    Outcome(&'static str),
    /// On stderr, and on stdout as a document that the command makes of the refusal.
    Document(fn(Value) -> Vec<u8>),
}

impl Style {
    /// Returns the style of a command that prints for machines only with `--json`.
    pub(super) fn with_json(json: bool) -> Self {
        if json { Self::Envelope } else { Self::Human }
    }
}

/// When a call prints the envelope of a refusal although its arguments cannot be parsed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Envelope {
    /// Unless stdout is a terminal, where a person reads.
    Unasked,
    /// Never: the command prints for people only.
    Never,
    /// With one of these among the arguments: a flag, or a flag and its value.
    With(&'static [&'static [&'static str]]),
}

impl Envelope {
    /// The declaration of a command that prints for machines only with `--json`.
    pub(super) const WITH_JSON: Self = Self::With(&[&["--json"]]);

    /// Returns whether a call with these arguments prints the envelope.
    pub(super) fn is_wanted_by(self, arguments: &[OsString], on_terminal: bool) -> bool {
        match self {
            Self::Unasked => !on_terminal || Self::WITH_JSON.is_wanted_by(arguments, on_terminal),
            Self::Never => false,
            Self::With(flags) => flags
                .iter()
                .any(|flag| arguments.windows(flag.len()).any(|given| given == *flag)),
        }
    }
}
