//! The index under `SPLIT/`: lists all texts, which to read first, and the size of each in bytes and tokens.

use std::collections::BTreeMap;

use crate::format::dump::layout::Bucket;
use crate::format::dump::lines::{self, NOT_TEXT, READ_FIRST};
use crate::format::dump::write::section;
use crate::format::dump::{Conversion, INDEX_VERSION, OtherEntry, TextPart, TextsSubject};
use crate::format::tokens::{TOKENIZER, VOCABULARY};

/// A file under `SPLIT/` that holds the texts of a bucket.
#[derive(Clone, Debug)]
pub struct SplitFile {
    /// File name, without the directory.
    pub name: String,
    /// Its texts, in the order of the file.
    pub texts: Vec<IndexedText>,
    /// Number of tokens of the whole file, its headings included. Only listed in a split by tokens.
    pub tokens: u64,
}

/// A text in the index.
#[derive(Clone, Debug)]
pub struct IndexedText {
    /// Path of the text, relative to the repository's root.
    pub path: String,
    /// Size in bytes of what stands in the file.
    pub size: u64,
    /// Number of tokens of that by itself.
    pub tokens: u64,
    /// The conversion, if the file is not UTF-8.
    pub conversion: Option<Conversion>,
    /// The part, if the text was cut.
    pub part: Option<TextPart>,
}

const HOW: &str = "\
Each file of the list below holds the texts of one directory at the top, or of those that are in none (ROOT). Read what
is named first, then what you need: sizes are in bytes, tokens are those of each text by itself.
";

const HOW_BY_TOKENS: &str = "\
Each file of the list below holds as many texts as its budget of tokens allows, in one order. Read what is named first,
then what you need: sizes are in bytes. The tokens of a file are those of all of it, with its headings, and the tokens of
a text are those of the text by itself. A text that is larger than the budget is cut: its parts are in files in a row.
";

impl IndexedText {
    fn line(&self, place: &str) -> String {
        let path = lines::span(&self.path);
        let how = lines::how(self.conversion, self.part);
        format!("- {path}{place} · {} B · {} tokens{how}", self.size, self.tokens)
    }

    /// Returns whether the text begins here: it is whole, or the first part.
    fn begins(&self) -> bool {
        self.part.is_none_or(|part| part.number == 1)
    }
}

/// Returns the content of the index. With a budget, files hold texts up to that number of tokens, and not one bucket
/// each.
pub fn write(
    subject: &TextsSubject,
    parts: &[SplitFile],
    anchors: &[String],
    others: &[OtherEntry],
    budget: Option<u64>,
) -> String {
    let all = || parts.iter().flat_map(|part| &part.texts);
    let sum = |texts: &mut dyn Iterator<Item = &IndexedText>| {
        texts.fold((0u64, 0u64, 0u64), |(n, bytes, tokens), text| {
            (
                n + u64::from(text.begins()),
                bytes.saturating_add(text.size),
                tokens.saturating_add(text.tokens),
            )
        })
    };
    let (number, bytes, tokens) = sum(&mut all());
    let mut text = lines::head(subject, INDEX_VERSION);
    let mut push = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    push(&lines::texts(number, bytes));
    push(&lines::others(others.len() as u64));
    push(&format!(
        "- tokens: {tokens} of the vocabulary {VOCABULARY}, counted by {TOKENIZER}"
    ));
    if let Some(budget) = budget {
        push(&format!("- budget: {budget} tokens for each file"));
    }
    push("");
    let how = if budget.is_some() { HOW_BY_TOKENS } else { HOW };
    how.lines().for_each(&mut push);
    let begun = parts.iter().flat_map(|part| {
        let begun = part.texts.iter().filter(|text| text.begins());
        begun.map(|text| (&text.path, (part.name.as_str(), text)))
    });
    let known: BTreeMap<&String, (&str, &IndexedText)> = begun.collect();
    let place = |path: &String| {
        let (name, text) = known.get(path)?;
        Some(text.line(&format!(" in {name}")))
    };
    section(READ_FIRST, anchors.iter().filter_map(place), &mut push);
    for part in parts {
        let (number, bytes, tokens) = sum(&mut part.texts.iter());
        let bucket = part.texts.first().map_or(Bucket::Root, |text| Bucket::of(&text.path));
        let about = match bucket {
            Bucket::Root => "ROOT".into(),
            Bucket::Directory(name) => lines::span(&format!("{name}/")),
        };
        let heading = match budget {
            None => format!("## {} · {about} · {number} of {bytes} B · {tokens} tokens", part.name),
            Some(_) => {
                let (number, tokens) = (part.texts.len(), part.tokens);
                format!("## {} · {number} of {bytes} B · {tokens} tokens", part.name)
            }
        };
        section(&heading, part.texts.iter().map(|text| text.line("")), &mut push);
    }
    section(NOT_TEXT, others.iter().map(lines::other), &mut push);
    text
}

/// Returns the paths that an index lists under "Read first".
///
/// Everything else in an index follows from the texts, so a verifier writes it again and compares.
pub fn anchors(list: &str) -> Vec<String> {
    let behind = list
        .split_once(&format!("\n\n{READ_FIRST}\n\n"))
        .map(|(_, behind)| behind);
    let lines = behind
        .into_iter()
        .flat_map(str::lines)
        .take_while(|line| line.starts_with("- "));
    lines
        .filter_map(|line| lines::parse_span(line.strip_prefix("- ")?))
        .map(|(path, _)| path)
        .collect()
}
