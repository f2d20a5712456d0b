//! Parses a file of ignore rules, such as `.gitignore`, and applies it as git does (gitignore(5)).
//!
//! The library matches the globs. Its parser of these files is not used, and neither is the `ignore` crate: both differ
//! from git so that files go unseen. Both read `foo**/bar` and a carriage return before the end of the file differently,
//! the library keeps a NUL, and the crate takes `{a,b}` as alternatives and rejects rules that are not UTF-8.

use gix::glob::wildmatch::Mode;

/// The bytes that begin a glob.
const SPECIAL: &[u8] = b"*?[\\";

/// The library gives up on a glob with a few more stars than this.
const MAX_STARS: usize = 60;

/// The rules of one file.
pub(super) struct IgnoreRules {
    text: Vec<u8>,
    rules: Vec<Rule>,
}

/// A rule, whose pattern is a range of the text.
struct Rule {
    start: u32,
    /// Where the pattern stops being literal.
    glob: u32,
    end: u32,
    /// Whether the rule takes back what others ignore.
    is_negative: bool,
    only_directories: bool,
    /// Whether the pattern is for names at any depth. Otherwise, it is for paths.
    is_name: bool,
    rest: Rest,
}

/// How the part of a pattern behind its literal part is matched.
enum Rest {
    /// It is empty.
    Nothing,
    /// A star, and how a name ends.
    Ending,
    Glob,
    /// A glob that the library does not match to its end.
    Undecided,
}

impl Rest {
    fn of(glob: &[u8], is_name: bool) -> Self {
        match glob {
            [] => Self::Nothing,
            [b'*', ending @ ..] if is_name && !ending.iter().any(|byte| SPECIAL.contains(byte)) => Self::Ending,
            _ if glob.iter().filter(|byte| **byte == b'*').count() > MAX_STARS => Self::Undecided,
            _ => Self::Glob,
        }
    }
}

/// Returns a path as it is compared. git folds only ASCII letters.
pub(super) fn folded(bytes: &[u8], folds: bool) -> Vec<u8> {
    match folds {
        true => bytes.to_ascii_lowercase(),
        false => bytes.to_vec(),
    }
}

impl IgnoreRules {
    /// Parses a file of less than 4 GiB. With `folds`, the rules are for folded paths.
    pub(super) fn parse(bytes: &[u8], folds: bool) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut parsed = Self {
            text: Vec::new(),
            rules: Vec::new(),
        };
        for line in bytes.split(|byte| *byte == b'\n') {
            if !line.starts_with(b"#") {
                parsed.add(line, folds);
            }
        }
        parsed
    }

    /// Returns whether the last rule that matches ignores the entry. `None` if no rule matches.
    ///
    /// `path` is relative to the directory of the file.
    pub(super) fn verdict(&self, path: &[u8], is_directory: bool) -> Option<bool> {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let last = self.rules.iter().rev().find(|rule| {
            let subject = if rule.is_name { name } else { path };
            (is_directory || !rule.only_directories) && self.matches(rule, subject)
        });
        last.map(|rule| !rule.is_negative)
    }

    fn matches(&self, rule: &Rule, subject: &[u8]) -> bool {
        let at = |from: u32, to: u32| &self.text[from as usize..to as usize];
        let glob = at(rule.glob, rule.end);
        let Some(rest) = subject.strip_prefix(at(rule.start, rule.glob)) else {
            return false;
        };
        let mode = match rule.is_name {
            true => Mode::empty(),
            false => Mode::NO_MATCH_SLASH_LITERAL,
        };
        match rule.rest {
            Rest::Nothing => rest.is_empty(),
            Rest::Ending => rest.ends_with(&glob[1..]),
            // git matches only what follows the literal part. The glob of `foo**/bar` thus begins with `**/`.
            Rest::Glob => gix::glob::wildmatch(glob.into(), rest.into(), mode),
            // Decide so that no file goes unseen.
            Rest::Undecided => rule.is_negative,
        }
    }

    fn add(&mut self, line: &[u8], folds: bool) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = line.split(|byte| *byte == 0).next().unwrap_or(line);
        let line = without_trailing_spaces(line);
        let (is_negative, line) = match line.strip_prefix(b"!") {
            Some(line) => (true, line),
            None => (false, line),
        };
        let (only_directories, line) = match line.strip_suffix(b"/") {
            Some(line) => (true, line),
            None => (false, line),
        };
        if line.is_empty() {
            return;
        }
        let is_name = !line.contains(&b'/');
        let line = line.strip_prefix(b"/").unwrap_or(line);
        let glob = line.iter().position(|byte| SPECIAL.contains(byte));
        let (letters, glob) = line.split_at(glob.unwrap_or(line.len()));
        let start = self.text.len() as u32;
        self.text.extend(folded(letters, folds));
        let glob_start = self.text.len() as u32;
        match folds {
            true => fold_glob(glob, &mut self.text),
            false => self.text.extend_from_slice(glob),
        }
        self.rules.push(Rule {
            start,
            glob: glob_start,
            end: self.text.len() as u32,
            is_negative,
            only_directories,
            is_name,
            rest: Rest::of(glob, is_name),
        });
    }
}

/// Removes trailing spaces, except one that is escaped.
fn without_trailing_spaces(line: &[u8]) -> &[u8] {
    let mut end = 0;
    let mut bytes = line.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        end = match byte {
            b' ' => end,
            b'\\' => match bytes.next() {
                Some((escaped, _)) => escaped + 1,
                None => return line,
            },
            _ => at + 1,
        };
    }
    &line[..end]
}

/// Appends a glob that matches folded text as git does with `core.ignoreCase`.
///
/// git folds letters outside of brackets. In brackets, it folds ranges but not single letters, and the library folds both.
fn fold_glob(glob: &[u8], to: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(byte) = glob.get(at) {
        to.push(byte.to_ascii_lowercase());
        at += 1;
        match byte {
            b'\\' => {
                to.extend(glob.get(at));
                at += 1;
            }
            b'[' => at = fold_brackets(glob, at, to),
            _ => {}
        }
    }
}

/// Appends the content of brackets, which begins at `at`. Returns where it ends.
fn fold_brackets(glob: &[u8], mut at: usize, to: &mut Vec<u8>) -> usize {
    if let Some(not @ (b'!' | b'^')) = glob.get(at) {
        to.push(*not);
        at += 1;
    }
    let mut low = None;
    let first = at;
    while let Some(&byte) = glob.get(at).filter(|byte| **byte != b']' || at == first) {
        at += 1;
        if byte == b'['
            && let Some(class) = class_at(&glob[at..])
        {
            to.push(byte);
            to.extend_from_slice(class);
            if class == b":upper:]" {
                to.extend_from_slice(b"[:lower:]");
            }
            at += class.len();
            low = None;
            continue;
        }
        match (byte, low, glob.get(at)) {
            (b'\\', _, Some(&escaped)) => {
                to.extend([byte, escaped]);
                at += 1;
                low = Some(escaped);
            }
            (b'-', Some(from), Some(&until)) if until != b']' => {
                let escaped = glob.get(at + 1).filter(|_| until == b'\\');
                at += 1 + usize::from(escaped.is_some());
                let until = *escaped.unwrap_or(&until);
                to.extend([b'-', b'\\', until]);
                let capitals = from.max(b'A')..=until.min(b'Z');
                if !capitals.is_empty() {
                    let [from, until] = [capitals.start(), capitals.end()].map(u8::to_ascii_lowercase);
                    to.extend([from, b'-', until]);
                }
                low = None;
            }
            _ => {
                to.push(byte);
                low = Some(byte);
            }
        }
    }
    at
}

/// Returns the `:class:]` with which `bytes` begin.
fn class_at(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == b']')?;
    let is_class = end > 1 && bytes[0] == b':' && bytes[end - 1] == b':';
    is_class.then(|| &bytes[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignores(rules: &str, path: &str) -> Option<bool> {
        IgnoreRules::parse(rules.as_bytes(), false).verdict(path.as_bytes(), false)
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        assert_eq!(ignores("*.o\n!a.o\n", "a.o"), Some(false));
        assert_eq!(ignores("!a.o\n*.o\n", "d/a.o"), Some(true));
        assert_eq!(ignores("*.o\n", "a.c"), None);
        assert_eq!(ignores("", "a"), None);
    }

    #[test]
    fn a_glob_that_is_not_matched_to_its_end_hides_no_file() {
        let stars = "*a".repeat(100);
        let name = "a".repeat(100);
        assert_eq!(ignores(&format!("{stars}\n"), &name), None);
        assert_eq!(ignores(&format!("*\n!{stars}\n"), &name), Some(false));
    }
}
