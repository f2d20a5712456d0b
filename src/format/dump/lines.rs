//! Writes and parses the single lines of `FULL/` and `SPLIT/`.
//!
//! A parser writes the parsed value again and compares, so that each line has exactly one accepted form.

use crate::format::digest::Digest;
use crate::format::dump::layout::Bucket;
use crate::format::dump::{Conversion, Other, OtherEntry, TextPart, TextsSubject};
use crate::format::encoding::Encoding;
use crate::format::only::Only;
use crate::format::repo_state::Mode;
use crate::refusal::shown::{shown, unshown};

pub(super) const READ_FIRST: &str = "## Read first";
pub(super) const NOT_TEXT: &str = "## Not text";
const ROOT: &str = "## ROOT";

/// The explanation of the format in each file, for its readers.
pub(super) const HOW: &str = "\
Each file has a heading with its path and its size, and then its bytes as they are between two fences. A fence is longer
than any run of backticks in its file. Where a file does not end in a newline, the one before the closing fence is not
part of it.
";

/// The additional explanation in a file with converted texts.
pub(super) const HOW_CONVERTED: &str = "\
Where a heading says \"converted from\", the file has that encoding and that size, and stands here in UTF-8.
";

/// The additional explanation in a file with a part of a text.
pub(super) const HOW_CUT: &str = "\
Where a heading says \"part\", only that part of the file stands here. The other parts are in the files before and behind.
";

/// Formats a path as a Markdown code span on one line.
pub(super) fn span(path: &str) -> String {
    let shown = shown(path.as_bytes());
    let longest = shown.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let edge = |c: Option<char>| matches!(c, Some('`' | ' '));
    match edge(shown.chars().next()) || edge(shown.chars().next_back()) {
        true => format!("{fence} {shown} {fence}"),
        false => format!("{fence}{shown}{fence}"),
    }
}

/// Parses a code span at the start of `text`. Returns the path and the text after it.
pub(super) fn parse_span(text: &str) -> Option<(String, &str)> {
    let fence = text.len() - text.trim_start_matches('`').len();
    let inner = &text[fence..];
    let mut at = 0;
    let end = loop {
        let from = at + inner[at..].find('`')?;
        let run = inner[from..].len() - inner[from..].trim_start_matches('`').len();
        if run == fence {
            break from;
        }
        at = from + run;
    };
    let padded = inner[..end].strip_prefix(' ').and_then(|rest| rest.strip_suffix(' '));
    let path = unshown(padded.unwrap_or(&inner[..end]))?;
    let rest = &inner[end + fence..];
    (fence > 0 && text.strip_suffix(rest) == Some(span(&path).as_str())).then_some((path, rest))
}

/// Returns the heading of a bucket.
pub(super) fn bucket(bucket: &Bucket) -> String {
    match bucket {
        Bucket::Root => ROOT.into(),
        Bucket::Directory(name) => format!("## {}", span(&format!("{name}/"))),
    }
}

/// Parses the heading of a bucket.
pub(super) fn parse_bucket(line: &str) -> Option<Bucket> {
    if line == ROOT {
        return Some(Bucket::Root);
    }
    let (path, rest) = parse_span(line.strip_prefix("## ")?)?;
    let name = path.strip_suffix('/').filter(|name| !name.contains('/'))?;
    rest.is_empty().then(|| Bucket::Directory(name.to_owned()))
}

/// The heading of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Path of the text, relative to the repository's root.
    pub path: String,
    /// Size in bytes of what stands between the fences.
    pub size: u64,
    /// Whether the file is executable.
    pub executable: bool,
    /// The conversion, if the file is not UTF-8.
    pub conversion: Option<Conversion>,
    /// The part of the text, if it was cut.
    pub part: Option<TextPart>,
}

impl Heading {
    pub(super) fn line(&self) -> String {
        let executable = if self.executable { " · executable" } else { "" };
        let how = how(self.conversion, self.part);
        format!("### {} · {} B{executable}{how}", span(&self.path), self.size)
    }

    pub(super) fn parse(line: &str) -> Option<Self> {
        let (path, rest) = parse_span(line.strip_prefix("### ")?)?;
        let mut words = rest.strip_prefix(" · ")?.split(" · ");
        let size = words.next()?.strip_suffix(" B")?.parse().ok()?;
        let mut heading = Self {
            path,
            size,
            executable: false,
            conversion: None,
            part: None,
        };
        for word in words {
            if word == "executable" {
                heading.executable = true;
            } else if let Some(conversion) = word.strip_prefix("converted from ") {
                heading.conversion = Some(parse_conversion(conversion)?);
            } else {
                heading.part = Some(parse_part(word)?);
            }
        }
        (heading.line() == line).then_some(heading)
    }

    /// Returns the line that opens the fence: backticks, and the file's extension if it is a plain word.
    pub(super) fn fence(&self, length: usize) -> String {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let word = |ending: &&str| {
            (1..=12).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        let ending = name.rsplit_once('.').map(|(_, ending)| ending).filter(word);
        format!("{}{}", "`".repeat(length), ending.unwrap_or_default())
    }
}

/// Returns the end of a line about a text: its conversion, and its part.
pub(super) fn how(conversion: Option<Conversion>, part: Option<TextPart>) -> String {
    let mut words = String::new();
    if let Some(Conversion { encoding, size }) = conversion {
        words.push_str(&format!(" · converted from {}, {size} B", encoding.name()));
    }
    if let Some(part) = part {
        let TextPart {
            number,
            of,
            from,
            whole,
        } = part;
        words.push_str(&format!(" · part {number} of {of}, from byte {from} of {whole}"));
    }
    words
}

fn parse_conversion(words: &str) -> Option<Conversion> {
    let (name, size) = words.strip_suffix(" B")?.split_once(", ")?;
    Some(Conversion {
        encoding: Encoding::parse(name)?,
        size: size.parse().ok()?,
    })
}

fn parse_part(words: &str) -> Option<TextPart> {
    let (place, range) = words.strip_prefix("part ")?.split_once(", from byte ")?;
    let ((number, of), (from, whole)) = (place.split_once(" of ")?, range.split_once(" of ")?);
    Some(TextPart {
        number: number.parse().ok()?,
        of: of.parse().ok()?,
        from: from.parse().ok()?,
        whole: whole.parse().ok()?,
    })
}

/// Returns the line of an entry that is not a text.
pub(super) fn other(entry: &OtherEntry) -> String {
    let (hash, kind) = (entry.hash.hex(), entry.kind.as_str());
    format!("- {} · {} B · {kind} · {hash}", span(&entry.path), entry.size)
}

pub(super) fn parse_other(line: &str) -> Option<OtherEntry> {
    let (path, rest) = parse_span(line.strip_prefix("- ")?)?;
    let mut parts = rest.strip_prefix(" · ")?.split(" · ");
    let entry = OtherEntry {
        path,
        size: parts.next()?.strip_suffix(" B")?.parse().ok()?,
        kind: Other::parse(parts.next()?)?,
        hash: Digest::parse_hex(parts.next()?)?,
    };
    (other(&entry) == line).then_some(entry)
}

/// Returns the head, which begins every file.
pub(super) fn head(subject: &TextsSubject, version: &str) -> String {
    let mode = match subject.mode {
        Mode::Public => "public",
        Mode::Internal => "internal",
    };
    let title = shown(subject.title.as_bytes());
    let mut head = format!("# {title}\n\n- format: {version}\n- scope: {}\n", subject.scope);
    if let Some(only) = &subject.only {
        for (key, globs) in [(INCLUDE, &only.include), (EXCLUDE, &only.exclude)] {
            globs
                .iter()
                .for_each(|glob| head.push_str(&format!("{key}{}\n", span(glob))));
        }
    }
    head.push_str(&format!(
        "- mode: {mode}\n- commit: {}\n- tree: {}\n- state: {}\n",
        subject.commit, subject.tree, subject.state,
    ));
    head
}

const INCLUDE: &str = "- include: ";
const EXCLUDE: &str = "- exclude: ";

/// Returns whether a line of a head names a glob. A head has any number of them, behind the scope.
pub(super) fn is_glob(line: &str) -> bool {
    line.starts_with(INCLUDE) || line.starts_with(EXCLUDE)
}

/// Number of lines of a head before the globs, and behind them.
pub(super) const HEAD_LINES: [usize; 2] = [4, 4];

/// Parses exactly one head.
pub(super) fn parse_head(text: &str, version: &str) -> Option<TextsSubject> {
    let lines: Vec<&str> = text.lines().collect();
    let [before, behind] = HEAD_LINES;
    let globs = lines.len().checked_sub(before + behind)?;
    let value = |at: usize, key: &str| lines.get(at)?.strip_prefix("- ")?.strip_prefix(key)?.strip_prefix(": ");
    let mut only = Only::default();
    for line in &lines[before..before + globs] {
        let (list, glob) = match line.strip_prefix(INCLUDE) {
            Some(glob) => (&mut only.include, glob),
            None => (&mut only.exclude, line.strip_prefix(EXCLUDE)?),
        };
        let (glob, rest) = parse_span(glob)?;
        list.push(Some(glob).filter(|_| rest.is_empty())?);
    }
    let subject = TextsSubject {
        title: unshown(lines.first()?.strip_prefix("# ")?)?,
        scope: value(3, "scope")?.to_owned(),
        only: Some(only).filter(|only| *only != Only::default()),
        mode: match value(globs + 4, "mode")? {
            "public" => Mode::Public,
            "internal" => Mode::Internal,
            _ => return None,
        },
        commit: value(globs + 5, "commit")?.to_owned(),
        tree: value(globs + 6, "tree")?.to_owned(),
        state: Digest::parse_ref(value(globs + 7, "state")?)?,
    };
    (head(&subject, version) == text).then_some(subject)
}

/// Returns the line with the number of texts and their total size in bytes.
pub(super) fn texts(number: u64, bytes: u64) -> String {
    format!("- texts: {number} of {bytes} B")
}

/// Returns the line with the number of entries that are not texts.
pub(super) fn others(number: u64) -> String {
    format!("- not text: {number}")
}

/// Parses the line that [`texts`] returns.
pub(super) fn parse_counts(line: &str) -> Option<(u64, u64)> {
    let (number, bytes) = line.strip_prefix("- texts: ")?.strip_suffix(" B")?.split_once(" of ")?;
    let (number, bytes) = (number.parse().ok()?, bytes.parse().ok()?);
    (texts(number, bytes) == line).then_some((number, bytes))
}

pub(super) fn parse_others(line: &str) -> Option<u64> {
    let number = line.strip_prefix("- not text: ")?.parse().ok()?;
    (others(number) == line).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_come_back(
            path in "[ `a/\"\\\\·\n\u{202e}é.]{1,12}",
            size in any::<u64>(),
            executable in any::<bool>(),
            converted in any::<Option<u64>>(),
            part in any::<Option<[u64; 4]>>(),
            behind in "[ ·a]{0,3}",
        ) {
            let line = format!("{}{behind}", span(&path));
            prop_assert_eq!(parse_span(&line), Some((path.clone(), behind.as_str())));
            let encoding = Encoding::parse("Shift_JIS").unwrap();
            let conversion = converted.map(|size| Conversion { encoding, size });
            let part = part.map(|[number, of, from, whole]| TextPart { number, of, from, whole });
            let heading = Heading { path: path.clone(), size, executable, conversion, part };
            prop_assert_eq!(Heading::parse(&heading.line()), Some(heading.clone()));
            let entry = OtherEntry { path: path.clone(), size, kind: Other::Link, hash: Digest::of(b"x") };
            prop_assert_eq!(parse_other(&other(&entry)), Some(entry));
            prop_assert!(!heading.line().contains('\n'));
            let only = Only { include: vec![path.clone(); usize::from(executable)], exclude: vec![path.clone(); 2] };
            let subject = TextsSubject {
                title: path.clone(),
                scope: "repo".into(),
                only: converted.map(|_| only),
                mode: Mode::Public,
                commit: "1".into(),
                tree: "2".into(),
                state: Digest::of(b"x"),
            };
            prop_assert_eq!(parse_head(&head(&subject, "v"), "v"), Some(subject));
            prop_assert_eq!(parse_bucket(&bucket(&Bucket::of(&path))), Some(Bucket::of(&path)));
        }
    }

    #[test]
    fn another_spelling_is_no_line() {
        for line in [
            "### `a` · 01 B",
            "### ``a`` · 1 B",
            "### `a`  · 1 B",
            "### `\"a\"` · 1 B",
            "### ` a ` · 1 B",
            "### a · 1 B",
            "### `a` · 1 B · exec",
            "### `a` · 1 B · converted from shift_jis, 1 B",
            "### `a` · 1 B · converted from UTF-8, 1 B",
            "### `a` · 1 B · converted from Shift_JIS",
            "### `a` · 1 B · converted from Shift_JIS, 1 B · executable",
            "### `a` · 1 B · part 1 of 2",
            "### `a` · 1 B · part 1 of 2, from byte 00 of 3",
            "### `a` · 1 B · part 1 of 2, from byte 0 of 99999999999999999999",
        ] {
            assert_eq!(Heading::parse(line), None, "{line}");
        }
        assert_eq!(parse_bucket("## `a/b/`"), None);
        assert_eq!(parse_bucket("## `a`"), None);
    }
}
