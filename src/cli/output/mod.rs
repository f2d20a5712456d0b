//! Standard output for results, standard error for people.

pub(super) mod doubt;
pub(super) mod in_part;
pub(super) mod names;
pub(super) mod refusal;
pub(super) mod sheet;
pub(super) mod table;
pub(super) mod treemap;
pub(crate) mod words;

use std::io::{self, IsTerminal, Write};

use anstream::AutoStream;
use anyhow::Context;

use crate::cli::progress::{clear, hide};
use crate::format::witness::Blake3;

/// The deed that fails when standard output cannot be written.
const UNWRITTEN: &str = "writing standard output";

/// Both streams. There is no colour if the terminal has none or `NO_COLOR` is set.
pub(super) struct Output {
    stdout: io::Stdout,
    coloured: bool,
    printed: Blake3,
    stderr: AutoStream<io::Stderr>,
    failed: Option<io::Error>,
    /// Whether content that was asked for did not all arrive.
    is_cut: bool,
    /// Whether people are told only of refusals.
    is_quiet: bool,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            coloured: AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
            stdout: io::stdout(),
            printed: Blake3::default(),
            stderr: anstream::stderr(),
            failed: None,
            is_cut: false,
            is_quiet: false,
        }
    }

    /// Tells people of nothing but refusals from now on.
    pub(super) fn be_quiet(&mut self) {
        self.is_quiet = true;
    }

    /// Returns whether a person reads stdout.
    pub(super) fn is_terminal(&self) -> bool {
        self.stdout.is_terminal()
    }

    /// Writes bytes to stdout as they are.
    pub(super) fn out(&mut self, bytes: &[u8]) {
        clear();
        self.printed.update(bytes);
        let result = self.stdout.write_all(bytes);
        self.note(result);
    }

    /// Writes bytes to stdout as they are, without keeping their hash. Returns false if they could not be written; then
    /// [`Output::flush`] fails.
    pub(super) fn stream(&mut self, bytes: &[u8]) -> bool {
        clear();
        let result = self.stdout.write_all(bytes);
        self.is_cut |= result.is_err();
        self.note(result);
        self.failed.is_none()
    }

    /// Returns whether content that was asked for did not all arrive: the reader may have died, and not read enough.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Returns stdout for a plaintext. Its hash is not kept, because the ledger would publish it.
    pub(super) fn unrecorded(&mut self) -> &mut (dyn Write + Send) {
        hide();
        &mut self.stdout
    }

    /// Writes a line to stdout. Its hash is not kept, because the ledger would publish it.
    pub(super) fn unrecorded_line(&mut self, text: &str) -> anyhow::Result<()> {
        writeln!(self.stdout, "{text}").context(UNWRITTEN)
    }

    /// Writes a line to stdout, with colour if the terminal has it.
    pub(super) fn line(&mut self, text: &str) {
        let text = match self.coloured {
            true => format!("{text}\n"),
            false => format!("{}\n", anstream::adapter::strip_str(text)),
        };
        self.out(text.as_bytes());
    }

    /// Writes a line of advice to stdout, unless people want quiet.
    pub(super) fn advice(&mut self, text: &str) {
        if !self.is_quiet {
            self.line(text);
        }
    }

    /// Returns the BLAKE3 hash of what went to stdout.
    pub(super) fn hash(&self) -> String {
        self.printed.finish()
    }

    /// Writes text for people to stderr, unless they want quiet. A failure cannot be reported anywhere.
    pub(super) fn err(&mut self, text: &str) {
        if !self.is_quiet {
            self.alarm(text);
        }
    }

    /// Writes text to stderr that people must see.
    pub(super) fn alarm(&mut self, text: &str) {
        clear();
        drop(self.stderr.write_all(text.as_bytes()));
    }

    /// Fails if anything could not be written to stdout: a result that did not arrive must not look like a yes.
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
