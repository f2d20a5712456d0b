//! Standard output for results, standard error for people.

pub(super) mod doubt;
pub(super) mod in_part;
pub(super) mod names;
pub(super) mod refusal;
pub(super) mod table;
pub(crate) mod words;

use std::io::{self, Write};

use anstream::AutoStream;
use anyhow::Context;

use crate::format::witness::Blake3;

/// What is said of a standard output that cannot be written.
const UNWRITTEN: &str = "writing standard output";

/// Both streams. Colour is left out where the terminal, or whoever set `NO_COLOR`, does not want it.
pub(super) struct Output {
    stdout: io::Stdout,
    coloured: bool,
    printed: Blake3,
    stderr: AutoStream<io::Stderr>,
    failed: Option<io::Error>,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            coloured: AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
            stdout: io::stdout(),
            printed: Blake3::default(),
            stderr: anstream::stderr(),
            failed: None,
        }
    }

    /// Writes bytes to stdout as they are.
    pub(super) fn out(&mut self, bytes: &[u8]) {
        self.printed.update(bytes);
        let result = self.stdout.write_all(bytes);
        self.note(result);
    }

    /// Returns stdout for a plaintext, of which no hash may be kept.
    pub(super) fn unrecorded(&mut self) -> &mut dyn Write {
        &mut self.stdout
    }

    /// Writes a line to stdout of which no hash may be kept.
    pub(super) fn unrecorded_line(&mut self, text: &str) -> anyhow::Result<()> {
        writeln!(self.stdout, "{text}").context(UNWRITTEN)
    }

    /// Writes a line to stdout, colour included where it is wanted.
    pub(super) fn line(&mut self, text: &str) {
        let text = match self.coloured {
            true => format!("{text}\n"),
            false => format!("{}\n", anstream::adapter::strip_str(text)),
        };
        self.out(text.as_bytes());
    }

    /// Returns the BLAKE3 hash of what went to stdout.
    pub(super) fn hash(&self) -> String {
        self.printed.finish()
    }

    /// Writes text to stderr; there is nobody to tell if that fails.
    pub(super) fn err(&mut self, text: &str) {
        drop(self.stderr.write_all(text.as_bytes()));
    }

    /// Fails if anything written to stdout did not get there: a result that nobody has is none.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        let result = self.stdout.flush();
        self.note(result);
        match self.failed.take() {
            None => Ok(()),
            Some(source) => Err(anyhow::Error::new(source).context(UNWRITTEN)),
        }
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(e) = result {
            self.failed.get_or_insert(e);
        }
    }
}
