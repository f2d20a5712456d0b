//! The pieces of which the sections of a page are made: names, tables, commands.

use maud::{Markup, html};

use crate::format::repo_state::NO_CANON;
use crate::refusal::shown::{harmless, shown};

/// The most characters of a name that a page shows. A hostile path may have thousands.
const NAME: usize = 120;

/// The most characters of a sentence that a page shows.
const SENTENCE: usize = 300;

/// The most rows of a table that lists what is wrong or what changed.
pub(super) const ROWS: usize = 100;

/// Returns a name from a pack or a repository: escaped, cut to a length, and unable to turn the text around it.
pub(super) fn name(name: &[u8]) -> Markup {
    html! { bdi { code { (text(name)) } } }
}

/// Returns a word, such as a type, escaped and cut to a length.
pub(super) fn word(word: &str) -> Markup {
    html! { bdi { code { (clipped(&text(word.as_bytes()), 40)) } } }
}

/// Returns a name as text, escaped and cut to a length.
pub(super) fn text(name: &[u8]) -> String {
    // What is cut away need not be escaped.
    let most = 64 * NAME;
    if name.len() <= most {
        return clipped(&shown(name), NAME);
    }
    let is_inside = |at: &usize| name[*at] & 0b1100_0000 == 0b1000_0000;
    let end = (0..=most).rev().find(|at| !is_inside(at)).unwrap_or(most);
    clipped(&format!("{}…", shown(&name[..end])), NAME)
}

/// Returns a sentence that may contain foreign names, harmless and cut to a length.
pub(super) fn sentence(text: &str) -> String {
    clipped(&harmless(text), SENTENCE)
}

/// Takes characters from the middle of a text that is too long: names differ at their ends.
fn clipped(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let (start, end) = (most * 2 / 3, most - most * 2 / 3 - 1);
    let start: String = text.chars().take(start).collect();
    let end: String = text.chars().skip(length - end).collect();
    format!("{start}…{end}")
}

/// Returns a scope, with its title if that says more.
pub(super) fn scope(scope: &str, title: &str) -> Markup {
    html! { (name(scope.as_bytes())) @if title != scope { ", " (name(title.as_bytes())) } }
}

/// Returns the row of the canon version, if there is one.
pub(super) fn canon(version: &str) -> Option<(&'static str, Markup)> {
    (version != NO_CANON).then(|| ("Canon version", name(version.as_bytes())))
}

/// A column of a table.
#[derive(Clone, Copy)]
pub(super) enum Column {
    /// Of texts.
    Text(&'static str),
    /// Of numbers.
    Number(&'static str),
}

impl Column {
    fn title(self) -> &'static str {
        match self {
            Self::Text(title) | Self::Number(title) => title,
        }
    }

    fn class(self) -> Option<&'static str> {
        match self {
            Self::Text(_) => None,
            Self::Number(_) => Some("number"),
        }
    }
}

/// Returns a table. The first cell of a row is its heading.
pub(super) fn table<const N: usize>(
    id: &str,
    caption: &str,
    columns: [Column; N],
    rows: impl IntoIterator<Item = [Markup; N]>,
) -> Markup {
    html! {
        div.scroll role="region" aria-labelledby=(id) tabindex="0" {
            table {
                caption id=(id) { (caption) }
                thead {
                    tr { @for column in columns { th scope="col" class=[column.class()] { (column.title()) } } }
                }
                tbody {
                    @for row in rows {
                        tr {
                            @for (at, (cell, column)) in row.into_iter().zip(columns).enumerate() {
                                @if at == 0 {
                                    th scope="row" { (cell) }
                                } @else {
                                    td class=[column.class()] { (cell) }
                                }
                            }
                        }
                        "\n"
                    }
                }
            }
        }
    }
}

/// Returns a list of facts: names and values.
pub(super) fn facts(facts: Vec<(&'static str, Markup)>) -> Markup {
    html! {
        dl {
            @for (what, value) in facts {
                div { dt { (what) } dd { (value) } }
            }
        }
    }
}

/// Returns a value to be copied as a whole, such as a digest.
pub(super) fn copied(value: &str) -> Markup {
    html! { code.copied { (text(value.as_bytes())) } }
}

/// Returns a step: what it does, and the command to type.
pub(super) fn step(what: &str, command: &str) -> Markup {
    html! { li { p { (what) } pre { code { (command) } } } }
}

/// Returns a sentence about rows that a table leaves out, if it leaves out any.
pub(super) fn left_out(all: usize, listed: usize, what: &str) -> Markup {
    html! {
        @if all > listed {
            p.note { "The table lists " (listed) " of " (all) ". " (what) }
        }
    }
}

/// Returns a part of a whole in percent.
pub(super) fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => String::new(),
        _ => format!("{:.1} %", part as f64 * 100.0 / whole as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_for_people_and_for_html() {
        for (path, expected) in [
            ("a/b", "a/b"),
            ("<script>", "&lt;script&gt;"),
            ("a\u{202e}b", "&quot;a\\342\\200\\256b&quot;"),
            ("a\nb\u{1b}[0m", "&quot;a\\nb\\033[0m&quot;"),
            ("&amp;", "&amp;amp;"),
            ("' onload=x", "' onload=x"),
        ] {
            let expected = format!("<bdi><code>{expected}</code></bdi>");
            assert_eq!(name(path.as_bytes()).into_string(), expected);
        }
        assert!(name(b"\xff<").into_string().contains("\\377&lt;"));
    }

    #[test]
    fn long_names_keep_both_ends() {
        for length in [NAME - 1, NAME, NAME + 1, 5000, 1_000_000] {
            let path = format!("start{}end", "\u{e9}".repeat(length - 8));
            let shown = text(path.as_bytes());
            assert!(shown.chars().count() <= NAME, "{length}: {shown}");
            assert!(shown.starts_with("start"));
            assert_eq!(shown == path, length <= NAME, "{length}");
        }
        assert!(text(format!("{}end", "x".repeat(500)).as_bytes()).ends_with("end"));
        assert!(sentence(&"\u{202e}".repeat(5000)).chars().count() <= SENTENCE);
    }

    #[test]
    fn a_table_says_what_its_cells_are() {
        let cell = |text: &str| html! { (text) };
        let table = table(
            "t",
            "Caption",
            [Column::Text("A"), Column::Number("B")],
            [[cell("x"), cell("1")]],
        )
        .into_string();
        for part in [
            "aria-labelledby=\"t\"",
            "<caption id=\"t\">Caption</caption>",
            "<th scope=\"col\">A</th>",
            "<th scope=\"col\" class=\"number\">B</th>",
            "<th scope=\"row\">x</th>",
            "<td class=\"number\">1</td>",
        ] {
            assert!(table.contains(part), "{part} in {table}");
        }
    }
}
