//! `FULL/` and `SPLIT/`: the texts of a tree in Markdown, from which their exact bytes can be restored.
//!
//! A file has exactly one form: writing what was parsed from it gives the same bytes again. See docs/format.md.

pub mod cut;
pub mod index;
pub mod layout;
mod lines;
pub mod read;
pub mod text;
pub mod write;

use crate::format::digest::Digest;
use crate::format::encoding::Encoding;
use crate::format::only::Only;
use crate::format::repo_state::{EntryKind, Mode, StateFile};

/// Format version of a file under `FULL/`.
pub const FULL_VERSION: &str = "pack.full.v0";

/// Format version of a file under `SPLIT/` that holds texts.
pub const SPLIT_VERSION: &str = "pack.split.v0";

/// Format version of the index under `SPLIT/`.
pub const INDEX_VERSION: &str = "pack.split-index.v0";

/// The commit and scope that the texts of a pack come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextsSubject {
    /// Title of the scope.
    pub title: String,
    /// Key of the scope.
    pub scope: String,
    /// Globs that narrow the scope, if the texts are not of all of it.
    pub only: Option<Only>,
    /// The mode of the pack: what it holds in plaintext.
    pub mode: Mode,
    /// Id of the commit, in hex.
    pub commit: String,
    /// Id of the commit's tree, in hex.
    pub tree: String,
    /// The state digest of all entries in plaintext, texts and others.
    pub state: Digest,
}

/// An entry that is a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextEntry {
    /// Path of the entry, relative to the repository's root.
    pub path: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// Whether the file is executable.
    pub executable: bool,
    /// SHA-256 of the file; of a part, of its bytes in the encoding of the file.
    pub hash: Digest,
    /// Size in bytes of what stands between the fences.
    pub shown: u64,
    /// The encoding that it was converted from. `None` if it is UTF-8.
    pub encoding: Option<Encoding>,
    /// The part of the text, if it was cut.
    pub part: Option<TextPart>,
}

/// The conversion of a text to UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// The encoding of the file.
    pub encoding: Encoding,
    /// Size of the whole file in bytes, in that encoding.
    pub size: u64,
}

/// A part of a text that was cut, because it is larger than the budget of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPart {
    /// Its number, from 1.
    pub number: u64,
    /// The number of parts.
    pub of: u64,
    /// The byte of the text at which it begins.
    pub from: u64,
    /// Size of the whole text in bytes, in UTF-8.
    pub whole: u64,
}

impl TextPart {
    /// Returns whether a part of `size` bytes can have these numbers.
    pub fn is_possible(&self, size: u64) -> bool {
        let end = self.from.checked_add(size);
        size > 0
            && self.of >= 2
            && (1..=self.of).contains(&self.number)
            && end.is_some_and(|end| end <= self.whole && (end == self.whole) == (self.number == self.of))
            && (self.from == 0) == (self.number == 1)
    }

    /// Returns whether `next` follows this part, which has `size` bytes.
    pub fn is_before(&self, size: u64, next: &Self) -> bool {
        let same = (self.of, self.whole) == (next.of, next.whole);
        same && self.number + 1 == next.number && self.from + size == next.from
    }
}

/// An entry that is not a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherEntry {
    /// Path of the entry, relative to the repository's root.
    pub path: String,
    /// Size of the content in bytes.
    pub size: u64,
    /// The kind of entry.
    pub kind: Other,
    /// SHA-256 of the content.
    pub hash: Digest,
}

/// Why an entry is only listed, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// A file that is not UTF-8, or has a NUL byte.
    Binary,
    /// An executable file that is not UTF-8, or has a NUL byte.
    BinaryExecutable,
    /// A symbolic link.
    Link,
    /// A submodule.
    Submodule,
}

impl Other {
    const ALL: [Self; 4] = [Self::Binary, Self::BinaryExecutable, Self::Link, Self::Submodule];

    /// Returns the variant for an entry of this kind that is not a text.
    pub fn of(kind: EntryKind) -> Self {
        match kind {
            EntryKind::Regular => Self::Binary,
            EntryKind::Executable => Self::BinaryExecutable,
            EntryKind::Symlink => Self::Link,
            EntryKind::Submodule => Self::Submodule,
        }
    }

    fn kind(self) -> EntryKind {
        match self {
            Self::Binary => EntryKind::Regular,
            Self::BinaryExecutable => EntryKind::Executable,
            Self::Link => EntryKind::Symlink,
            Self::Submodule => EntryKind::Submodule,
        }
    }

    /// Returns the words in the file for this variant.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::BinaryExecutable => "binary, executable",
            Self::Link => "link",
            Self::Submodule => "submodule",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|other| other.as_str() == word)
    }
}

impl TextEntry {
    /// Returns the entry as the state lists it.
    pub fn in_state(&self) -> StateFile {
        let kind = match self.executable {
            true => EntryKind::Executable,
            false => EntryKind::Regular,
        };
        file(&self.path, self.hash, self.size, kind)
    }
}

impl OtherEntry {
    /// Returns the entry as the state lists it.
    pub fn in_state(&self) -> StateFile {
        file(&self.path, self.hash, self.size, self.kind.kind())
    }

    /// Converts an entry of the state.
    pub fn of(file: &StateFile) -> Self {
        Self {
            path: file.path.to_string(),
            size: file.size,
            kind: Other::of(file.kind()),
            hash: file.hash,
        }
    }
}

fn file(path: &str, hash: Digest, size: u64, kind: EntryKind) -> StateFile {
    StateFile {
        path: path.into(),
        hash,
        size,
        mode: kind.mode().map(Box::from),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::layout::Layout;
    use super::read::{ParsedTexts, ReadError, digest, read};
    use super::text::TextWatch;
    use super::write::{Heading, Kinds, Top, Whole, Writer};
    use super::*;
    use crate::refusal::Refusal;

    type Files = Vec<(String, Vec<u8>)>;

    fn entry(path: &str, bytes: &[u8]) -> StateFile {
        file(path, Digest::of(bytes), bytes.len() as u64, EntryKind::Regular)
    }

    fn subject(state: Digest) -> TextsSubject {
        TextsSubject {
            title: "A title\nof \"two\" lines".into(),
            scope: "repo".into(),
            only: None,
            mode: Mode::Public,
            commit: "1".repeat(40),
            tree: "2".repeat(40),
            state,
        }
    }

    fn full(files: &Files, anchors: &[String], others: &[OtherEntry]) -> Vec<u8> {
        let texts = files.iter().map(|(path, bytes)| entry(path, bytes));
        let subject = subject(digest(texts.chain(others.iter().map(OtherEntry::in_state))));
        let total: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        let top = Top {
            subject: &subject,
            texts: (files.len() as u64, total as u64),
            whole: Some(Whole { anchors, others }),
            kinds: Kinds::default(),
        };
        let mut files = files.clone();
        Layout::of_scope("repo").sort(&mut files, |(path, _)| path);
        let mut writer = Writer::begin(Vec::new(), &top).unwrap();
        for (path, bytes) in &files {
            let mut watch = TextWatch::default();
            watch.see(bytes);
            let heading = Heading {
                path: path.clone(),
                size: bytes.len() as u64,
                executable: false,
                conversion: None,
                part: None,
            };
            writer.text(&heading, &watch.shape().unwrap(), &mut &bytes[..]).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read_back(bytes: &[u8]) -> Result<(Files, ParsedTexts), ReadError> {
        let mut files = Files::new();
        // A buffer of one byte: the result must not depend on where a read ends.
        let document = read(
            std::io::BufReader::with_capacity(1, bytes),
            true,
            &mut |heading, content| {
                let mut bytes = Vec::new();
                content
                    .original
                    .read_to_end(&mut bytes)
                    .map_err(Refusal::io("reading", "".as_ref()))?;
                files.push((heading.path.clone(), bytes));
                Ok(())
            },
        )?;
        files.sort();
        Ok((files, document))
    }

    fn sample() -> (Files, Vec<String>, Vec<OtherEntry>) {
        let files = [
            ("README.md", &b"# Read me\n```sh\nls\n```\n"[..]),
            ("src/a.rs", b"fn main() {}\n"),
            ("src/empty.rs", b""),
            ("src/crlf.txt", b"a\r\nb\r\n"),
            ("src/open", b"no newline"),
            ("src/many", b"\n\n\n"),
            ("src/ticks", b"``````"),
            ("a `b`/c\nd", b"### `x` \xc2\xb7 1 B\n"),
        ];
        let files: Files = files
            .iter()
            .map(|(path, bytes)| ((*path).into(), bytes.to_vec()))
            .collect();
        let other = |path: &str, kind| OtherEntry {
            path: path.into(),
            size: 3,
            kind,
            hash: Digest::of(path.as_bytes()),
        };
        let others = vec![other("link", Other::Link), other("logo.png", Other::Binary)];
        (files, vec!["src/a.rs".into(), "README.md".into()], others)
    }

    #[test]
    fn every_text_comes_back_as_it_was() {
        let (mut files, anchors, others) = sample();
        let bytes = full(&files, &anchors, &others);
        let (back, document) = read_back(&bytes).unwrap();
        files.sort();
        assert_eq!(back, files);
        assert_eq!(document.whole, Some((anchors, others)));
        assert_eq!(document.subject.title, "A title\nof \"two\" lines");
        let empty = read_back(&full(&Vec::new(), &[], &[])).unwrap();
        assert_eq!(empty.0, Files::new());
    }

    #[test]
    fn no_byte_is_free() {
        let (files, anchors, others) = sample();
        let bytes = full(&files, &anchors, &others);
        for at in 0..bytes.len() {
            let mut cut = bytes.clone();
            cut.remove(at);
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let mut doubled = bytes.clone();
            doubled.insert(at, bytes[at]);
            for changed in [&bytes[..at], &cut, &flipped, &doubled] {
                let Ok((_, document)) = read_back(changed) else {
                    continue;
                };
                // A change to the file's own description is found when it is compared with the pack. Every other change
                // is found here.
                let line = bytes[..at].rsplit(|b| *b == b'\n').next().unwrap().len();
                let line = String::from_utf8_lossy(&bytes[at - line..]).into_owned();
                let said = ["# \"A title", "- scope", "- mode", "- commit", "- tree"];
                let listed = document.whole.as_ref().is_none_or(|(found, _)| *found != anchors);
                assert!(
                    listed || said.iter().any(|said| line.starts_with(said)),
                    "byte {at} of {line:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_hostile_is_refused_with_its_line() {
        let (files, anchors, others) = sample();
        let bytes = String::from_utf8(full(&files, &anchors, &others)).unwrap();
        for (from, to, expected) in [
            ("### `src/a.rs`", "### `src/../../x`", "the path is unsafe"),
            ("### `src/a.rs`", "### `/etc/x`", "the path is unsafe"),
            ("### `src/a.rs`", "### `.git/hooks/x`", "the path is unsafe"),
            ("- `link`", "- `../link`", "the path is unsafe"),
            ("### `src/crlf.txt`", "### `src/a.rs`", "this file occurs twice"),
            (
                "### `src/crlf.txt`",
                "### `README.md`",
                "does not belong to its section",
            ),
            ("- `logo.png`", "- `link`", "one occurs twice"),
            ("- `link`", "- `README.md`", "this file occurs twice"),
            ("`src/open` · 10 B", "`src/open` · 9 B", "longer than its heading says"),
            (
                "`src/open` · 10 B",
                "`src/open` · 11 B",
                "the number or size of the texts",
            ),
            ("`src/open` · 10 B", "`src/open` · 12 B", "longer than its heading says"),
            ("`src/open` · 10 B", "`src/open` · 99999999999 B", "ends within a text"),
            (
                "`src/open` · 10 B",
                "`src/open` · 18446744073709551616 B",
                "the heading of a file",
            ),
            ("```````\n``````", "``````\n``````", "the opening fence does not fit"),
            ("```rs\n", "````rs\n", "the opening fence does not fit"),
            ("```rs\n", "```py\n", "the opening fence does not fit"),
            ("fn main", "fn m\0in", "expected text"),
            ("fn main", "fn Main", "the state digest of the entries"),
            ("- `src/a.rs`\n", "- `src/b.rs`\n", "not among the texts"),
            ("- texts: 8", "- texts: 9", "the number or size of the texts"),
            ("- not text: 2", "- not text: 1", "the number of entries"),
            ("pack.full.v0", "pack.full.v1", "expected the head of a pack.full.v0"),
            ("A fence is longer", "A fence is shorter", "the layout of this file"),
            ("## `src/`", "## ROOT", "this section occurs twice"),
        ] {
            assert!(bytes.contains(from), "{from}");
            let hostile = bytes.replacen(from, to, 1);
            match read_back(hostile.as_bytes()) {
                Err(ReadError::Bad(line, problem)) => {
                    assert!(problem.contains(expected), "{to}: {problem}");
                    assert!(line > 0 && line <= hostile.lines().count() as u64 + 1, "{to}: {line}");
                }
                other => panic!("{to}: {other:?}"),
            }
        }
        for tail in ["\n", "x", "\n\n", "\n## Not text\n", "```\n"] {
            assert!(read_back(format!("{bytes}{tail}").as_bytes()).is_err(), "{tail:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(
            contents in prop::collection::vec("(`{0,9}|\n|\r|~~~|é|[ -~]|\u{1}|#){0,12}", 0..6),
            names in prop::collection::btree_set("[a-c`·. ]{1,3}(/[a-c\"\n]{1,3}){0,2}", 6),
        ) {
            let safe = names.into_iter().filter(|name| crate::format::member_path::MemberPath::parse(name).is_ok());
            let mut files: Files = safe.zip(contents).map(|(name, text)| (name, text.into_bytes())).collect();
            let bytes = full(&files, &[], &[]);
            let (back, _) = read_back(&bytes).unwrap();
            files.sort();
            prop_assert_eq!(&back, &files);
            // The order of the input does not matter.
            files.reverse();
            prop_assert_eq!(full(&files, &[], &[]), bytes);
        }
    }
}
