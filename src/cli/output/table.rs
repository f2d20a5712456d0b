//! Rows in aligned columns, as wide as a terminal shows them.

use unicode_width::UnicodeWidthStr;

use crate::cli::output::Output;
use crate::cli::output::words::{TYPE, paint};

/// Returns the columns that a text takes on a terminal. Colours take none.
pub(crate) fn width_of(text: &str) -> usize {
    anstream::adapter::strip_str(text).map(UnicodeWidthStr::width).sum()
}

/// Returns rows in aligned columns, a line each.
pub(crate) fn aligned<const N: usize>(rows: &[[String; N]], indent: &str) -> String {
    let width = |column: usize| rows.iter().map(|row| width_of(&row[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = indent.to_owned();
        for (cell, width) in row.iter().zip(&widths) {
            let rest = width - width_of(cell);
            line.push_str(&format!("{cell}{:rest$}   ", ""));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Prints rows in aligned columns, a line each.
pub(crate) fn columns<const N: usize>(output: &mut Output, rows: &[[String; N]], indent: &str) {
    for line in aligned(rows, indent).lines() {
        output.line(line);
    }
}

/// Returns lines of advice: what to do, and the command that does it.
pub(crate) fn advise(advice: &[(&str, String)]) -> String {
    let rows: Vec<[String; 2]> = advice
        .iter()
        .map(|(what, command)| [(*what).to_owned(), paint(TYPE, command)])
        .collect();
    aligned(&rows, "  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_a_terminal_shows_them() {
        let rows = [["a", "1"], ["\u{6587}\u{5b57}", "2"], ["e\u{301}", "3"]];
        let rows = rows.map(|row| row.map(str::to_owned));
        let expected = "  a      1\n  \u{6587}\u{5b57}   2\n  e\u{301}      3\n";
        assert_eq!(aligned(&rows, "  "), expected);
        assert_eq!(aligned::<2>(&[], ""), "");
        assert_eq!(width_of(&paint(TYPE, "\u{6587}a")), 3);
    }
}
