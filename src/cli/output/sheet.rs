//! A sheet of labelled lines, that fits a terminal of 80 columns where it can.

use crate::cli::output::Output;
use crate::cli::output::table::width_of;
use crate::cli::output::words::arrow;

/// The columns of a common terminal.
const COLUMNS: usize = 80;

/// The width of a label and the space behind it.
const INDENT: usize = 13;

/// A path that is wider does not widen the column of all others.
const WIDE_CELL: usize = 40;

/// Prints lines behind their labels. A label stands before the first of its lines only.
pub(crate) struct Sheet<'a> {
    output: &'a mut Output,
    label: &'static str,
}

impl<'a> Sheet<'a> {
    pub(crate) fn on(output: &'a mut Output) -> Self {
        Self { output, label: "" }
    }

    /// Begins the lines of a label.
    pub(crate) fn label(&mut self, label: &'static str) -> &mut Self {
        self.label = label;
        self
    }

    /// Prints a line.
    pub(crate) fn line(&mut self, text: &str) -> &mut Self {
        let width = INDENT - 1;
        self.output.line(&format!("{:<width$} {text}", self.label));
        self.label = "";
        self
    }

    /// Prints a line with the command that does something about it, which gets a line of its own if it does not fit.
    pub(crate) fn advised(&mut self, text: &str, command: &str) -> &mut Self {
        let command = arrow(command);
        self.with(text, &command)
    }

    fn with(&mut self, text: &str, more: &str) -> &mut Self {
        if more.is_empty() {
            return self.line(text);
        }
        match INDENT + width_of(text) + 3 + width_of(more) <= COLUMNS {
            true => self.line(&format!("{text}   {more}")),
            false => self.line(text).line(&format!("  {more}")),
        }
    }

    /// Prints rows of a name, what is to say about it, and what to do. The last cell gets a line of its own if it does not
    /// fit.
    pub(crate) fn rows(&mut self, rows: &[[String; 3]]) -> &mut Self {
        let widths = rows.iter().map(|row| width_of(&row[0]));
        let width = widths.filter(|width| *width <= WIDE_CELL).max().unwrap_or(0);
        for [name, about, more] in rows {
            let rest = width.saturating_sub(width_of(name));
            self.with(&format!("{name}{:rest$}   {about}", ""), more);
        }
        self
    }
}

/// Returns words behind their label, in as many lines as they need. A line gets one word at least, however wide it is.
pub(crate) fn wrapped(label: &str, words: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if width_of(line) + 1 + width_of(&word) <= COLUMNS => line.push_str(&format!(" {word}")),
            last => {
                let label = if last.is_none() { label } else { "" };
                lines.push(format!("  {label:<10} {word}"));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_behind_their_label() {
        assert!(wrapped("paths", std::iter::empty()).is_empty());
        let words = (0..20).map(|n| format!("**/*.kind-{n:02}"));
        let lines = wrapped("paths", words);
        assert!(
            lines.len() > 3 && lines.iter().all(|line| line.len() <= COLUMNS),
            "{lines:?}"
        );
        assert!(
            lines[0].starts_with("  paths      **/*.kind-00 **/*.kind-01"),
            "{lines:?}"
        );
        assert!(lines[1].starts_with("             **/*.kind-"), "{lines:?}");
        let wide = "w".repeat(200);
        assert_eq!(wrapped("a", ["b".to_owned(), wide.clone()].into_iter()).len(), 2);
    }
}
