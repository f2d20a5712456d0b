//! The `meta/` members of a tree pack, other than the repository state and the registry.

use std::fmt;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::format::canonical_json::{Document, Spelled, parse_strict_into, spell_number, spell_text, write_spelled};
use crate::format::digest::{Digest, bare};
use crate::format::only::Only;
use crate::format::repo_state::Mode;
use crate::refusal::shown::shown;

/// Member path of the repository state.
pub const REPO_STATE: &str = "meta/REPO_STATE.json";
/// Member path of the list of members.
pub const FILE_INDEX: &str = "meta/FILE_INDEX.json";
/// Member path of the list of members drawn as a tree.
pub const FILE_TREE: &str = "meta/FILE_TREE.txt";
/// Member path of the summary.
pub const PACK_INFO: &str = "meta/PACK_INFO.json";
/// Member path of the provenance: the program that made the pack.
pub const PROVENANCE: &str = "meta/PROVENANCE.json";
/// Member path of the protected registry.
pub const PROTECTED: &str = "meta/PROTECTED.json";
/// All documents of a pack except for its manifest and the list of its seals.
pub const DOCUMENTS: [&str; 6] = [REPO_STATE, FILE_INDEX, FILE_TREE, PACK_INFO, PROVENANCE, PROTECTED];
/// The documents that only tree packs have. A tree pack has all of them, and also [`REPO_STATE`] and [`PROTECTED`].
pub const OF_TREE_PACKS: [&str; 4] = [FILE_INDEX, FILE_TREE, PACK_INFO, PROVENANCE];
/// Directory of the plain copies of the tree's entries.
pub const REPO: &str = "repo";
/// Directory of the one file that holds all texts.
pub const FULL: &str = "FULL";
/// Directory of the files that hold all texts, one for each bucket.
pub const SPLIT: &str = "SPLIT";

/// `meta/PACK_INFO.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackInfo {
    /// Key of the scope.
    pub scope: String,
    /// Title of the scope.
    pub title: String,
    /// First 12 hex digits of the state digest.
    pub stamp: String,
    /// `pack.info.v0`.
    pub version: String,
    /// Id of the commit, in hex.
    pub commit: String,
    /// Id of the commit's tree, in hex.
    pub tree: String,
    /// The mode of the pack: what it holds in plaintext.
    pub mode: Mode,
    /// The parts of the pack, sorted. `None` if it has only the plain copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emit: Option<Vec<Part>>,
    /// The most tokens of a file under `SPLIT/`. `None` if each of them holds a directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// The entries that the pack was made of, if it was not the whole scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Only>,
}

/// A form in which a tree pack holds its plaintext entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// All texts in one file under `FULL/`.
    Full,
    /// Only names, hashes and sizes, under `LITE/`.
    Lite,
    /// A copy of each entry under `repo/`.
    Repo,
    /// All texts under `SPLIT/`, one file for each bucket.
    Split,
}

impl Part {
    /// The parts of a tree pack by default.
    pub const DEFAULT: [Self; 1] = [Self::Repo];

    /// Parses the word for a part. The error says what was expected.
    pub fn parse(word: &str) -> Result<Self, String> {
        match word {
            "full" => Ok(Self::Full),
            "lite" => Ok(Self::Lite),
            "repo" => Ok(Self::Repo),
            "split" => Ok(Self::Split),
            other => Err(format!("expected one of repo, lite, full and split, found {other:?}")),
        }
    }

    /// Sorts parts. Refuses an empty list and duplicates.
    pub fn set(mut parts: Vec<Self>) -> Result<Vec<Self>, String> {
        parts.sort_unstable();
        match parts.windows(2).find(|pair| pair[0] == pair[1]) {
            _ if parts.is_empty() => Err("expected at least one of repo, lite, full and split".into()),
            Some(pair) => Err(format!("{:?} occurs twice", pair[0].as_str())),
            None => Ok(parts),
        }
    }

    /// Returns the word for the part.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Lite => "lite",
            Self::Repo => "repo",
            Self::Split => "split",
        }
    }
}

impl PackInfo {
    /// Returns the parts of the pack.
    pub fn parts(&self) -> &[Part] {
        self.emit.as_deref().unwrap_or(&Part::DEFAULT)
    }

    /// Parses the document strictly. `None` if it is malformed.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        parse_strict_into(bytes).ok()
    }
}

/// Version of [`PackInfo`].
pub const PACK_INFO_VERSION: &str = "pack.info.v0";

/// Version of [`Provenance`].
pub const PROVENANCE_VERSION: &str = "pack.provenance.v0";

/// `meta/FILE_INDEX.json`: all members except for itself, sorted bytewise by path.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileIndex {
    /// The members.
    pub files: Vec<IndexedFile>,
}

impl Document for FileIndex {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        Self::write_of(out, self.files.iter())
    }
}

impl FileIndex {
    /// Writes the document for these members.
    pub fn write_of<T: Spelled>(out: &mut dyn Write, files: impl Iterator<Item = T>) -> io::Result<()> {
        write_spelled(out, &Self { files: Vec::new() }, "files", files)
    }
}

impl Document for PackInfo {}

impl Document for Provenance {}

/// One member in [`FileIndex`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexedFile {
    /// SHA-256 of the member, as 64 hex digits.
    #[serde(with = "bare")]
    pub hash: Digest,
    /// Path of the member, relative to the pack's root.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
}

impl Spelled for IndexedFile {
    fn spell(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"hash\":\"");
        out.extend_from_slice(&self.hash.hex_bytes());
        out.extend_from_slice(b"\",\"path\":");
        spell_text(out, &self.path);
        out.extend_from_slice(b",\"size\":");
        spell_number(out, self.size);
        out.push(b'}');
    }
}

/// `meta/PROVENANCE.json`: the program that made the pack. It names no host.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// `git-pack`.
    pub generator: String,
    /// Release of the generator.
    pub generator_version: String,
    /// `pack.provenance.v0`.
    pub version: String,
}

/// Draws member paths as a tree, line by line, with the entries of a directory in bytewise order. Quotes names that could break
/// a line.
pub fn write_file_tree<'a>(out: &mut dyn Write, paths: impl Iterator<Item = &'a str>) -> io::Result<()> {
    let mut written = Written { out, failed: None };
    match draw(paths, &mut written) {
        Ok(()) => Ok(()),
        Err(fmt::Error) => Err(written
            .failed
            .unwrap_or_else(|| io::Error::other("a name cannot be shown"))),
    }
}

/// A stream that takes text.
struct Written<'a> {
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl fmt::Write for Written<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.write_all(text.as_bytes()).map_err(|e| {
            self.failed = Some(e);
            fmt::Error
        })
    }
}

fn draw<'a>(paths: impl Iterator<Item = &'a str>, out: &mut dyn fmt::Write) -> fmt::Result {
    let mut paths: Vec<&str> = paths.collect();
    // Compare name by name: sorted bytewise, `a-b` would lie between `a` and the entries in `a`.
    paths.sort_unstable_by(|a, b| a.split('/').cmp(b.split('/')));
    paths.dedup();
    out.write_str("./\n")?;
    let mut indent = String::new();
    // For each open directory: the paths still to be drawn, the offset of the names in them, and the length of the
    // indentation.
    let mut open: Vec<(&[&str], usize, usize)> = vec![(&paths, 0, 0)];
    while let Some((rest, from, depth)) = open.last_mut() {
        let from = *from;
        let Some(first) = rest.first() else {
            open.pop();
            continue;
        };
        let name = |path: &str| path[from..].find('/').map_or(path.len(), |at| from + at);
        let end = name(first);
        let same = rest.partition_point(|path| path[from..name(path)] == first[from..end]);
        // A manifest may declare the same path as a file and as a directory.
        let inside = &rest[usize::from(end == first.len())..same];
        *rest = &rest[same..];
        let (corner, line) = match rest.is_empty() {
            true => ("└── ", "    "),
            false => ("├── ", "│   "),
        };
        indent.truncate(*depth);
        out.write_str(&indent)?;
        out.write_str(corner)?;
        out.write_str(&shown(&first.as_bytes()[from..end]))?;
        out.write_str(if inside.is_empty() { "\n" } else { "/\n" })?;
        indent.push_str(line);
        if !inside.is_empty() {
            open.push((inside, end + 1, indent.len()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::canonical_json::{to_canonical, to_document};

    #[test]
    fn an_index_is_written_file_by_file() {
        let file = |path: &str| IndexedFile {
            path: path.into(),
            hash: Digest::of(path.as_bytes()),
            size: 1,
        };
        for files in [vec![], vec![file("a")], vec![file("a"), file("\"files\":[]")]] {
            for file in &files {
                let mut spelled = Vec::new();
                file.spell(&mut spelled);
                assert_eq!(spelled, to_canonical(file));
            }
            let index = FileIndex { files };
            assert!(index.is_written_as(&to_document(&index)));
        }
    }

    #[test]
    fn the_tree_is_drawn_in_bytewise_order() {
        let drawn = |paths: &[&str]| {
            let mut drawing = Vec::new();
            write_file_tree(&mut drawing, paths.iter().copied()).unwrap();
            String::from_utf8(drawing).unwrap()
        };
        let paths = ["meta/A", "repo/b/c\nd", "repo/B", "repo/b/a"];
        assert_eq!(
            drawn(&paths),
            "./\n├── meta/\n│   └── A\n└── repo/\n    ├── B\n    └── b/\n        ├── a\n        └── \"c\\nd\"\n"
        );
        let paths = ["a.b", "a-b/x", "a/b/c", "a", "a/b", "a/b/c"];
        assert_eq!(
            drawn(&paths),
            "./\n├── a/\n│   └── b/\n│       └── c\n├── a-b/\n│   └── x\n└── a.b\n"
        );
        assert_eq!(drawn(&[]), "./\n");
    }
}
