//! Standard output for results, standard error for people.

pub(super) mod human;
pub(super) mod json;
pub(super) mod refusal;
pub(crate) mod words;

use std::io::{self, Write};

use anstream::AutoStream;

use crate::format::refusal::{Refusal, Result};

/// Both streams. Colour is left out where the terminal, or whoever set `NO_COLOR`, does not want it.
pub(super) struct Output {
    stdout: AutoStream<io::Stdout>,
    stderr: AutoStream<io::Stderr>,
    failed: Option<io::Error>,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            stdout: anstream::stdout(),
            stderr: anstream::stderr(),
            failed: None,
        }
    }

    /// Writes bytes to stdout as they are.
    pub(super) fn out(&mut self, bytes: &[u8]) {
        let result = io::stdout().write_all(bytes);
        self.note(result);
    }

    /// Writes a line to stdout, colour included where it is wanted.
    pub(super) fn line(&mut self, text: &str) {
        let result = writeln!(self.stdout, "{text}");
        self.note(result);
    }

    /// Writes text to stderr; there is nobody to tell if that fails.
    pub(super) fn err(&mut self, text: &str) {
        drop(self.stderr.write_all(text.as_bytes()));
    }

    /// Refuses if anything written to stdout did not get there: a result that nobody has is none.
    pub(super) fn flush(&mut self) -> Result<()> {
        let result = self.stdout.flush();
        self.note(result);
        match self.failed.take() {
            None => Ok(()),
            Some(source) => Err(Refusal::io("writing", std::path::Path::new("standard output"))(source)),
        }
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(e) = result {
            self.failed.get_or_insert(e);
        }
    }
}
