//! Value parsers for clap, and their error.

use std::fmt;

use crate::format::digest::Digest;
use crate::format::timestamp::Timestamp;

/// A value that a flag rejects.
#[derive(Debug)]
pub(super) struct BadValue {
    /// What the flag expects.
    expected: &'static str,
    /// A command with a valid value.
    pub(super) example: Option<&'static str>,
}

impl BadValue {
    /// Returns the error of a flag that expects `expected`.
    pub(super) fn expected(expected: &'static str) -> Self {
        Self {
            expected,
            example: None,
        }
    }

    /// Adds a command with a valid value.
    pub(super) fn example(self, command: &'static str) -> Self {
        Self {
            example: Some(command),
            ..self
        }
    }
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl std::error::Error for BadValue {}

/// Parses a time.
pub(super) fn time(text: &str) -> Result<Timestamp, BadValue> {
    Timestamp::parse(text).ok_or_else(|| BadValue::expected("an RFC 3339 time"))
}

/// Parses a content ref.
pub(super) fn content_ref(text: &str) -> Result<Digest, BadValue> {
    Digest::parse_ref(text).ok_or_else(|| BadValue::expected("sha256: and 64 lowercase hex digits"))
}
