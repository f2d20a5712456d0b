//! A page of help: sections of paragraphs, examples, terms and settings. It becomes text for a terminal here, Markdown in
//! `markdown.rs`, and a manual page in `manual.rs`.

use clap::builder::styling::{Style, Styles};

use super::settings::Setting;

/// The width of the text, in columns.
const WIDTH: usize = 80;

/// A page about one subject.
pub(super) struct Page {
    /// What stands after `git pack help`.
    pub(super) name: String,
    /// What it is about, in one line.
    pub(super) about: String,
    /// The sections.
    pub(super) sections: Vec<Section>,
}

/// A part of a page, with a title.
pub(super) struct Section {
    /// Its title.
    pub(super) title: String,
    /// What it says.
    pub(super) blocks: Vec<Block>,
}

/// A part of a section. In texts, backticks surround what is typed.
pub(super) enum Block {
    /// A paragraph.
    Text(String),
    /// Lines that stand as they are.
    Lines(String),
    /// A term, and what it means.
    Term(String, String),
    /// Settings.
    Settings(Vec<Described>),
}

/// A setting, with a default that may be computed.
pub(super) struct Described {
    /// Its name.
    pub(super) name: String,
    /// The type of its value.
    pub(super) kind: String,
    /// Its default.
    pub(super) default: String,
    /// What it does.
    pub(super) meaning: String,
    /// How it is set.
    pub(super) example: String,
}

impl From<&Setting> for Described {
    fn from(setting: &Setting) -> Self {
        Self {
            name: setting.name.into(),
            kind: setting.kind.into(),
            default: setting.default.into(),
            meaning: setting.meaning.into(),
            example: setting.example.into(),
        }
    }
}

/// Returns a paragraph.
pub(super) fn text(text: &str) -> Block {
    Block::Text(text.into())
}

/// Returns lines that stand as they are.
pub(super) fn lines(lines: &str) -> Block {
    Block::Lines(lines.into())
}

/// Returns a term, and what it means.
pub(super) fn term(term: &str, meaning: &str) -> Block {
    Block::Term(term.into(), meaning.into())
}

/// Returns a section.
pub(super) fn section(title: &str, blocks: impl Into<Vec<Block>>) -> Section {
    Section {
        title: title.into(),
        blocks: blocks.into(),
    }
}

impl Page {
    /// Returns the page as text for a terminal.
    pub(super) fn for_terminal(&self) -> String {
        let mut page = format!("git pack help {}: {}\n", self.name, self.about);
        for section in &self.sections {
            page.push_str(&format!(
                "\n{}\n",
                styled(Styles::default().get_header(), &section.title)
            ));
            for (nth, block) in section.blocks.iter().enumerate() {
                // Terms that follow one another are one list.
                let is_list = |block: Option<&Block>| matches!(block, Some(Block::Term(..)));
                let before = nth.checked_sub(1).and_then(|before| section.blocks.get(before));
                if nth > 0 && !(is_list(before) && is_list(Some(block))) {
                    page.push('\n');
                }
                page.push_str(&block.for_terminal());
            }
        }
        page
    }
}

impl Block {
    fn for_terminal(&self) -> String {
        match self {
            Self::Text(text) => wrapped(text, 2),
            Self::Lines(lines) => indented(lines, 4),
            Self::Term(term, meaning) => {
                format!(
                    "  {}\n{}",
                    styled(Styles::default().get_literal(), term),
                    wrapped(meaning, 6)
                )
            }
            Self::Settings(settings) => {
                let settings: Vec<String> = settings.iter().map(Described::for_terminal).collect();
                settings.join("\n")
            }
        }
    }
}

impl Described {
    fn for_terminal(&self) -> String {
        let name = styled(Styles::default().get_literal(), &self.name);
        let kind = format!("{}; default: {}.", self.kind, self.default);
        format!(
            "  {name}\n{}{}{}",
            wrapped(&kind, 6),
            wrapped(&self.meaning, 6),
            indented(&self.example, 8)
        )
    }
}

/// Returns text in a style.
fn styled(style: &Style, text: &str) -> String {
    format!("{}{text}{}", style.render(), style.render_reset())
}

/// Returns lines with spaces before them.
fn indented(lines: &str, indent: usize) -> String {
    let indent = " ".repeat(indent);
    lines.lines().map(|line| format!("{indent}{line}\n")).collect()
}

/// Returns a paragraph in lines that fit the width, with what is typed in its style instead of in backticks.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        let columns = |text: &str| text.chars().filter(|c| *c != '`').count();
        match columns(line) + 1 + columns(word) > WIDTH - indent && !line.is_empty() {
            true => lines.push(word.to_owned()),
            false if line.is_empty() => line.push_str(word),
            false => {
                line.push(' ');
                line.push_str(word);
            }
        }
    }
    let literal = *Styles::default().get_literal();
    let mut is_typed = false;
    let mut shown = String::new();
    for c in indented(&lines.join("\n"), indent).chars() {
        match c {
            '`' => {
                is_typed = !is_typed;
                match is_typed {
                    true => shown.push_str(&literal.render().to_string()),
                    false => shown.push_str(&literal.render_reset().to_string()),
                }
            }
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_and_show_what_is_typed() {
        let long = format!("{} `git pack seal` ends it.", "word ".repeat(20));
        let shown = anstream::adapter::strip_str(&wrapped(&long, 4)).to_string();
        assert!(
            shown
                .lines()
                .all(|line| line.starts_with("    word") || line.starts_with("    git")),
            "{shown}"
        );
        assert!(shown.lines().all(|line| line.len() <= WIDTH), "{shown}");
        assert!(
            !shown.contains('`') && shown.contains("git pack seal ends it."),
            "{shown}"
        );
        assert!(wrapped("`x`", 0).contains('\u{1b}'));
    }
}
