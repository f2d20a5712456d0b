//! A page of help as Markdown.

use super::page::{Block, Described, Page};

impl Page {
    /// Returns the page as Markdown. `origin` says what wrote it.
    pub(super) fn markdown(&self, origin: &str) -> String {
        let mut capitals = self.name.chars();
        let title = capitals
            .next()
            .map(|first| first.to_uppercase().collect::<String>() + capitals.as_str());
        let mut page = format!("# {}\n\n<!-- {origin} -->\n", title.unwrap_or_default());
        for section in &self.sections {
            page.push_str(&format!("\n## {}\n", section.title));
            for block in &section.blocks {
                page.push('\n');
                page.push_str(&block.markdown());
            }
        }
        page
    }
}

impl Block {
    fn markdown(&self) -> String {
        match self {
            Self::Text(text) => format!("{text}\n"),
            Self::Lines(lines) => format!("```\n{lines}\n```\n"),
            Self::Term(term, meaning) => format!("* `{term}`: {meaning}\n"),
            Self::Settings(settings) => {
                let rows: String = settings.iter().map(Described::row).collect();
                format!("| name | type | default | meaning | example |\n|---|---|---|---|---|\n{rows}")
            }
        }
    }
}

impl Described {
    /// Returns the row of a table.
    fn row(&self) -> String {
        let example: Vec<String> = self.example.lines().map(|line| format!("`{line}`")).collect();
        let cells = [
            format!("`{}`", self.name),
            self.kind.clone(),
            self.default.clone(),
            self.meaning.clone(),
            example.join("<br>"),
        ];
        // Inside a cell, a bar would begin the next one, and a star outside of what is typed is no emphasis.
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        format!("| {} |\n", cells.join(" | "))
    }
}
