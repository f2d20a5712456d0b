//! The line numbers of values and mistakes in a text.

use toml::Spanned;

use crate::format::config::{ConfigError, Located};

/// The offsets of all line ends of a text. Finds the line of each of very many values without scanning the text again.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &[u8]) -> Self {
        let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Self(ends.map(|(at, _)| at).collect())
    }

    /// Returns the line, counted from 1, of the byte at `offset`.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }

    /// Returns a value with the number of its line.
    pub(super) fn locate(&self, value: Spanned<String>) -> Located<String> {
        Located {
            line: self.at(value.span().start),
            value: value.into_inner(),
        }
    }

    /// Returns an error about the line of the byte at `offset`.
    pub(super) fn error(&self, offset: usize, problem: impl Into<String>) -> ConfigError {
        ConfigError {
            line: Some(self.at(offset)),
            problem: problem.into(),
        }
    }
}

/// Returns the bytes as text. The error names the line of the first byte that is not UTF-8.
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, ConfigError> {
    std::str::from_utf8(bytes).map_err(|e| Lines::of(bytes).error(e.valid_up_to(), "expected UTF-8"))
}
