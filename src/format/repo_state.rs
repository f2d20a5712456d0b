//! Repository state: the entries of a commit's tree, their digest, and the documents about them.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::format::canonical_json::{
    Document, Listing, ListingError, Spelled, parse_strict_into, spell_number, spell_text, to_canonical, write_spelled,
};
use crate::format::digest::{Digest, Hasher, bare, push_decimal};
use crate::format::object_id::ObjectId;
use crate::format::only::Only;
use crate::format::repo_path::RepoPath;
use crate::format::tree_name;

/// Version of the packing grammar, which defines what is included and how it is hashed.
pub const GRAMMAR_VERSION: &str = "1.0";

/// The kind of an entry of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EntryKind {
    /// A blob.
    #[default]
    Regular,
    /// A blob with the executable bit.
    Executable,
    /// A symbolic link. Its content is its target.
    Symlink,
    /// A submodule. Its content is its commit id in hex.
    Submodule,
}

impl EntryKind {
    /// Returns the mode as git writes it. `None` for regular files, whose mode is omitted.
    pub fn mode(self) -> Option<&'static str> {
        match self {
            Self::Regular => None,
            Self::Executable => Some("100755"),
            Self::Symlink => Some("120000"),
            Self::Submodule => Some("160000"),
        }
    }
}

/// One entry of a tree.
#[derive(Clone, Debug)]
pub struct TreeEntry {
    /// Path of the entry, relative to the repository's root.
    pub path: RepoPath,
    /// The kind of entry.
    pub kind: EntryKind,
    /// Id of the blob, or of a submodule's commit.
    pub id: ObjectId,
}

/// One entry with the digest and size of its content.
#[derive(Clone, Debug)]
pub struct StateEntry {
    /// The tree entry.
    pub entry: TreeEntry,
    /// SHA-256 of the content.
    pub hash: Digest,
    /// Size of the content in bytes.
    pub size: u64,
}

impl StateEntry {
    /// Appends `<64 hex hash> <size> <path>` and `end` to `out`.
    pub fn push_line(&self, out: &mut Vec<u8>, end: u8) {
        push_line(out, &self.hash, self.size, self.entry.path.as_bytes(), end);
    }
}

fn push_line(out: &mut Vec<u8>, hash: &Digest, size: u64, path: &[u8], end: u8) {
    out.extend_from_slice(&hash.hex_bytes());
    out.push(b' ');
    push_decimal(out, size);
    out.push(b' ');
    out.extend_from_slice(path);
    out.push(end);
}

/// Returns the manifest digest of `entries`, which are sorted bytewise by path.
pub fn manifest_digest(entries: &[StateEntry]) -> Digest {
    digest_lines(entries.iter().map(|e| (&e.hash, e.size, e.entry.path.as_bytes())))
}

/// Size in bytes of the buffer in which lines are collected before they are hashed.
const LINES: usize = 64 << 10;

/// Returns the manifest digest of contents by hash, size and path, sorted bytewise by path.
pub fn digest_lines<'a>(entries: impl Iterator<Item = (&'a Digest, u64, impl AsRef<[u8]>)>) -> Digest {
    let mut hasher = Hasher::default();
    let mut lines = Vec::with_capacity(LINES);
    for (hash, size, path) in entries {
        push_line(&mut lines, hash, size, path.as_ref(), b'\n');
        if lines.len() > LINES - 1024 {
            hasher.update(&lines);
            lines.clear();
        }
    }
    hasher.update(&lines);
    hasher.finish()
}

/// What a pack holds in plaintext.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// For the public: everything that the registry protects is sealed.
    #[default]
    Public,
    /// For insiders: only files that must never be in plaintext are sealed.
    Internal,
}

/// The output of `git pack state --json`.
#[derive(Debug, Serialize)]
pub struct StateReport {
    /// `pack.state.v0`.
    pub version: &'static str,
    /// The manifest digest.
    pub digest: Digest,
    /// Key of the scope.
    pub scope: String,
    /// The mode by which entries were left out. `None` if all entries are covered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Globs that narrow the scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Only>,
    /// Id of the commit.
    pub commit: ObjectId,
    /// Id of its tree.
    pub tree: ObjectId,
    /// The canon version in the commit.
    pub canon_version: String,
    /// [`GRAMMAR_VERSION`].
    pub grammar_version: &'static str,
    /// Number of entries covered.
    pub entries: u64,
    /// Number of entries by kind.
    pub counts: Counts,
    /// Total size of their contents in bytes.
    pub bytes: u64,
}

/// The number of entries of each kind.
#[derive(Debug, Default, Serialize)]
pub struct Counts {
    /// Plain files.
    pub regular: u64,
    /// Executable files.
    pub executable: u64,
    /// Symbolic links.
    pub symlink: u64,
    /// Submodules.
    pub submodule: u64,
}

impl Counts {
    /// Counts `entries`.
    pub fn of(entries: &[StateEntry]) -> Self {
        let mut counts = Self::default();
        for entry in entries {
            *match entry.entry.kind {
                EntryKind::Regular => &mut counts.regular,
                EntryKind::Executable => &mut counts.executable,
                EntryKind::Symlink => &mut counts.symlink,
                EntryKind::Submodule => &mut counts.submodule,
            } += 1;
        }
        counts
    }
}

/// `meta/REPO_STATE.json`: the entries that a pack's state digest covers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepoState {
    /// The canon version in the commit, or `unknown`.
    pub canon_version: String,
    /// [`GRAMMAR_VERSION`] of the packer.
    pub grammar_version: String,
    /// Key of the scope.
    pub scope: String,
    /// The entries, sorted bytewise by the texts of their paths.
    pub files: Vec<StateFile>,
}

/// One entry of [`RepoState`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateFile {
    /// SHA-256 of its content, as 64 hex digits.
    #[serde(with = "bare")]
    pub hash: Digest,
    /// Its git mode. `None` for a regular file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Box<str>>,
    /// Text of the entry's path, relative to the repository's root.
    pub path: Box<str>,
    /// Size of its content in bytes.
    pub size: u64,
}

impl StateFile {
    /// Returns the kind that its mode states. An unknown mode counts as a regular file.
    pub fn kind(&self) -> EntryKind {
        use EntryKind::{Executable, Regular, Submodule, Symlink};
        let mut kinds = [Executable, Symlink, Submodule].into_iter();
        let mode = self.mode.as_deref();
        kinds
            .find(|kind| mode.is_some() && kind.mode() == mode)
            .unwrap_or(Regular)
    }

    /// Returns whether its mode is a known one.
    pub fn has_known_mode(&self) -> bool {
        use EntryKind::{Executable, Submodule, Symlink};
        let known = [Executable, Symlink, Submodule].map(EntryKind::mode);
        self.mode.is_none() || known.contains(&self.mode.as_deref())
    }

    /// Converts a state entry.
    pub fn of(entry: &StateEntry) -> Self {
        Self::new(&entry.entry.path.text(), entry.entry.kind, entry.hash, entry.size)
    }

    /// Makes an entry.
    pub fn new(path: &str, kind: EntryKind, hash: Digest, size: u64) -> Self {
        Self {
            path: path.into(),
            hash,
            size,
            mode: kind.mode().map(Box::from),
        }
    }
}

impl Spelled for StateFile {
    fn spell(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"hash\":\"");
        out.extend_from_slice(&self.hash.hex_bytes());
        out.push(b'"');
        if let Some(mode) = &self.mode {
            out.extend_from_slice(b",\"mode\":");
            spell_text(out, mode);
        }
        out.extend_from_slice(b",\"path\":");
        spell_text(out, &self.path);
        out.extend_from_slice(b",\"size\":");
        spell_number(out, self.size);
        out.push(b'}');
    }
}

impl Document for RepoState {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let hull = Self {
            canon_version: self.canon_version.clone(),
            grammar_version: self.grammar_version.clone(),
            scope: self.scope.clone(),
            files: Vec::new(),
        };
        write_spelled(out, &hull, "files", self.files.iter())
    }
}

/// Most bytes of memory for the files of a state. They are read one by one.
const MAX_HELD: u64 = 1 << 30;

impl RepoState {
    /// Reads a document file by file, as strictly as [`parse_strict_into`]. Also returns whether it is in canonical form.
    pub fn read(from: &mut dyn Read) -> Result<(Self, bool), ListingError> {
        let mut listing = Listing::begin(from, "files")?;
        let (mut files, mut canonical, mut held): (Vec<StateFile>, _, _) = (Vec::new(), true, 0);
        while let Some(text) = listing.next_item()? {
            let file = parse_strict_into::<StateFile>(text);
            canonical &= file.as_ref().is_ok_and(|file| to_canonical(file) == text);
            let file = match file {
                Ok(file) => file,
                Err(why) => return Err(listing.fault(&why.to_string())),
            };
            held += (size_of::<StateFile>() + file.path.len() + file.mode.as_ref().map_or(0, |mode| mode.len())) as u64;
            if held > MAX_HELD {
                return Err(listing.fault(&format!("the files take more than {MAX_HELD} bytes of memory")));
            }
            files.push(file);
        }
        let (hull, tight) = listing.finish()?;
        let state: Self = parse_strict_into(&hull).map_err(ListingError::Json)?;
        canonical &= tight && state.files.is_empty() && state.is_written_as(&hull);
        Ok((Self { files, ..state }, canonical))
    }

    /// Returns the manifest digest of the files, sorted bytewise by the bytes of their paths, whatever their order in the document.
    pub fn digest(&self) -> Digest {
        fn line(file: &StateFile) -> Cow<'_, [u8]> {
            tree_name::path_of(&file.path)
        }
        if self.files.is_sorted_by(|a, b| line(a) <= line(b)) {
            return digest_lines(self.files.iter().map(|file| (&file.hash, file.size, line(file))));
        }
        let mut order: Vec<&StateFile> = self.files.iter().collect();
        order.sort_by(|a, b| line(a).cmp(&line(b)));
        digest_lines(order.into_iter().map(|file| (&file.hash, file.size, line(file))))
    }
}

/// The canon version of a commit that states none.
pub const NO_CANON: &str = "unknown";

/// Returns the value of the first `canon_version: N.N.N` in `text`, or [`NO_CANON`].
pub fn canon_version(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.match_indices("canon_version:")
        .find_map(|(at, key)| {
            let rest = text[at + key.len()..].trim_start_matches([' ', '\t']);
            let end = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            let version = rest[..end].trim_end_matches('.');
            let mut parts = version.split('.');
            let three = parts.clone().count() == 3 && parts.all(|p| !p.is_empty());
            three.then(|| version.to_owned())
        })
        .unwrap_or_else(|| NO_CANON.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::canonical_json::to_document;

    #[test]
    fn canon_version_is_the_first_whole_one() {
        for (text, expected) in [
            ("canon_version: 3.0.1\ncanon_version: 4.0.0", "3.0.1"),
            ("---\ncanon_version: 1.2\ncanon_version:\t10.20.30 # x", "10.20.30"),
            ("canon_version: 1.2.3.", "1.2.3"),
            ("version: 1.2.3", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(canon_version(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn files_are_spelled_in_canonical_form() {
        for (path, kind, size) in [
            ("a b", EntryKind::Regular, 0),
            ("é\"\\\n", EntryKind::Executable, (1 << 53) + 1),
            ("", EntryKind::Submodule, 40),
        ] {
            let file = StateFile::new(path, kind, Digest::of(b"x"), size);
            let mut spelled = Vec::new();
            file.spell(&mut spelled);
            assert_eq!(spelled, to_canonical(&file), "{path}");
        }
    }

    #[test]
    fn the_digest_is_over_the_lines() {
        let state = RepoState {
            canon_version: "unknown".into(),
            grammar_version: GRAMMAR_VERSION.into(),
            scope: "repo".into(),
            files: vec![StateFile {
                path: "a b".into(),
                hash: Digest::of(b"x"),
                size: 1,
                mode: None,
            }],
        };
        assert!(state.is_written_as(&to_document(&state)));
        let line = format!("{} 1 a b\n", Digest::of(b"x").hex());
        assert_eq!(state.digest(), Digest::of(line.as_bytes()));
        // The order of the bytes counts. That of the texts may differ, because of escapes.
        let file = |path: &str| StateFile::new(path, EntryKind::Regular, Digest::of(b"x"), 1);
        let lines = [&b"%z"[..], b"\xff", b"a"].map(|path| {
            let mut line = format!("{} 1 ", Digest::of(b"x").hex()).into_bytes();
            line.extend_from_slice(path);
            line.push(b'\n');
            line
        });
        let [percent, escaped, plain] = lines;
        let state = RepoState {
            files: vec![file("%raw-%FF"), file("%z"), file("a")],
            ..state
        };
        assert_eq!(state.digest(), Digest::of(&[percent, plain, escaped].concat()));
    }
}
