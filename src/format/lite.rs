//! `LITE/`: the contents of a pack by path, hash and size, and the refs of its run's records. It never holds content.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::{io, iter};

use serde::{Deserialize, Serialize};

use crate::format::canonical_json::{Document, Spelled, safe_integer, spell_number, spell_text, write_spelled};
use crate::format::digest::Digest;
use crate::format::dump::layout::{Bucket, Layout};
use crate::format::repo_state::{Mode, RepoState, StateFile};
use crate::format::run_record::{CommitRef, RunRefs};
use crate::format::sealed::{INDEX as NAMES, MEMBER as SEALED_ARTIFACTS, SealedArtifacts, opaque_path};
use crate::format::tree_meta::{PACK_INFO, PROTECTED, PROVENANCE, PackInfo, REPO_STATE};
use crate::refusal::manifest::ManifestFault;
use crate::refusal::shown::shown;

/// Member path of the manifest of contents.
pub const PACK_MANIFEST: &str = "LITE/PACK_MANIFEST.json";
/// Member path of the refs of the run's records.
pub const RUN_REFS: &str = "LITE/RUN_REFS.json";
/// Member path of the summary for human readers.
pub const INDEX: &str = "LITE/INDEX.md";
/// All members under `LITE/`.
pub const MEMBERS: [&str; 3] = [PACK_MANIFEST, RUN_REFS, INDEX];

/// The documents from which the contents of a pack are rebuilt. Its lists of members follow from them.
pub const REBUILT_FROM: [&str; 5] = [REPO_STATE, PACK_INFO, PROVENANCE, PROTECTED, SEALED_ARTIFACTS];

/// Version of [`PackManifest`].
pub const MANIFEST_VERSION: &str = "P2.0";

/// `LITE/PACK_MANIFEST.json`: the contents of a pack by path and content ref.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackManifest {
    /// The root's directories that have entries: first those that the scope orders, in its order, then the others
    /// bytewise.
    pub buckets: Vec<String>,
    /// The entries, sorted bytewise by path, no path twice.
    pub entries: Vec<ManifestEntry>,
    /// The commit. No branch is named: a detached worktree would otherwise give other bytes.
    pub repo_state: CommitRef,
    /// Key of the scope.
    pub scope: String,
    /// [`MANIFEST_VERSION`].
    pub version: String,
}

/// One entry of a [`PackManifest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestEntry {
    /// Size of the content in bytes.
    #[serde(deserialize_with = "safe_integer")]
    pub bytes: u64,
    /// The extension: the text after the last dot of the file name. A dot at the start of the name does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ext: Option<String>,
    /// The kind of content.
    pub kind: Kind,
    /// Path of the tree's entry or of the artifact, or the ciphertext's own path if names are sealed too.
    pub path: String,
    /// SHA-256 of the content.
    #[serde(rename = "ref")]
    pub content: Digest,
}

/// The kind of content of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// The content of the file.
    File,
    /// The artifact's ciphertext, an age file.
    Sealed,
}

impl ManifestEntry {
    /// Makes an entry.
    pub fn new(path: impl Into<String>, content: Digest, bytes: u64, kind: Kind) -> Self {
        let path = path.into();
        Self {
            bytes,
            ext: extension(&path).map(str::to_owned),
            kind,
            path,
            content,
        }
    }
}

impl Spelled for ManifestEntry {
    fn spell(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"bytes\":");
        spell_number(out, self.bytes);
        if let Some(ext) = &self.ext {
            out.extend_from_slice(b",\"ext\":");
            spell_text(out, ext);
        }
        out.extend_from_slice(match self.kind {
            Kind::File => &b",\"kind\":\"FILE\",\"path\":"[..],
            Kind::Sealed => b",\"kind\":\"SEALED\",\"path\":",
        });
        spell_text(out, &self.path);
        out.extend_from_slice(b",\"ref\":");
        self.content.spell(out);
        out.push(b'}');
    }
}

fn extension(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (stem, extension) = name.rsplit_once('.')?;
    (!stem.is_empty() && !extension.is_empty()).then_some(extension)
}

impl Document for PackManifest {
    fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        self.write_with(out, self.entries.iter())
    }
}

impl PackManifest {
    /// Writes the document with these entries instead of its own, one by one.
    pub fn write_with<T: Spelled>(&self, out: &mut dyn io::Write, entries: impl Iterator<Item = T>) -> io::Result<()> {
        let hull = Self {
            buckets: self.buckets.clone(),
            entries: Vec::new(),
            repo_state: self.repo_state.clone(),
            scope: self.scope.clone(),
            version: self.version.clone(),
        };
        write_spelled(out, &hull, "entries", entries)
    }

    /// Builds the manifest of these contents without its entries.
    pub fn without_entries(repo_state: CommitRef, layout: &Layout, contents: &ListedContents<'_>) -> Self {
        Self {
            buckets: in_order(contents.directories().into_iter(), layout),
            entries: Vec::new(),
            repo_state,
            scope: contents.state.scope.clone(),
            version: MANIFEST_VERSION.into(),
        }
    }

    /// Builds a manifest from entries in any order.
    pub fn new(scope: &str, repo_state: CommitRef, layout: &Layout, mut entries: Vec<ManifestEntry>) -> Self {
        entries.sort_unstable_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        Self {
            buckets: in_order(
                directories(entries.iter().map(|entry| entry.path.as_str())).into_iter(),
                layout,
            ),
            entries,
            repo_state,
            scope: scope.to_owned(),
            version: MANIFEST_VERSION.into(),
        }
    }

    /// Builds the manifest from the documents of a pack. The order of its buckets may differ, because no document
    /// states it.
    pub fn of_documents(state: RepoState, info: &PackInfo, sealed: &SealedArtifacts) -> Self {
        let layout = Layout {
            prefix: String::new(),
            buckets: Vec::new(),
            anchors: Vec::new(),
            max_tokens: None,
        };
        let commit = CommitRef {
            commit: info.commit.clone(),
            tree: info.tree.clone(),
        };
        let entries = entries(state.files.into_iter(), Some(sealed)).collect();
        Self::new(&state.scope, commit, &layout, entries)
    }

    /// Returns the entries of ciphertexts.
    pub fn sealed(&self) -> impl Iterator<Item = &ManifestEntry> {
        self.entries.iter().filter(|entry| entry.kind == Kind::Sealed)
    }

    /// Returns whether its ciphertexts have opaque names, because the names of the artifacts are sealed too.
    pub fn has_opaque_names(&self) -> bool {
        let mut others = self.sealed().filter(|entry| entry.path != NAMES).peekable();
        self.sealed().any(|entry| entry.path == NAMES)
            && others.peek().is_some()
            && others.all(|entry| entry.path == opaque_path(&entry.content))
    }

    /// Returns what is wrong with the order of the entries or the list of buckets. `None` if they are right.
    pub fn disorder(&self) -> Option<ManifestFault> {
        if !self.entries.is_sorted_by(|a, b| a.path.as_bytes() < b.path.as_bytes()) {
            return Some(ManifestFault::Unsorted);
        }
        let mut buckets: Vec<&str> = self.buckets.iter().map(String::as_str).collect();
        buckets.sort_unstable();
        if buckets != directories(self.entries.iter().map(|entry| entry.path.as_str())) {
            return Some(ManifestFault::Buckets);
        }
        None
    }
}

/// Returns directories of the root in the order of a scope's layout.
pub fn in_order<'a>(directories: impl Iterator<Item = &'a str>, layout: &Layout) -> Vec<String> {
    let mut paths: Vec<String> = directories.map(|name| format!("{name}/")).collect();
    layout.sort(&mut paths, |path| path);
    for path in &mut paths {
        path.pop();
    }
    paths
}

/// Returns the entries of a pack's manifest of contents for the files of its state and its seals, in no order.
pub fn entries(
    files: impl Iterator<Item = StateFile>,
    sealed: Option<&SealedArtifacts>,
) -> impl Iterator<Item = ManifestEntry> {
    let plain = files.map(|file| ManifestEntry::new(file.path, file.hash, file.size, Kind::File));
    plain.chain(sealed.into_iter().flat_map(sealed_entries))
}

/// The contents of a pack: the files of its state, which are sorted bytewise by path, and its ciphertexts.
pub struct ListedContents<'a> {
    state: &'a RepoState,
    /// Sorted bytewise by path.
    sealed: Vec<ManifestEntry>,
}

impl<'a> ListedContents<'a> {
    /// Takes the files of a state, and the ciphertexts that a document declares.
    pub fn of(state: &'a RepoState, sealed: Option<&SealedArtifacts>) -> Self {
        let mut sealed: Vec<ManifestEntry> = sealed.into_iter().flat_map(sealed_entries).collect();
        sealed.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        Self { state, sealed }
    }

    /// Returns the entries of the manifest, sorted bytewise by path.
    pub fn entries(&self) -> impl Iterator<Item = ManifestEntry> {
        let mut files = self.state.files.iter().peekable();
        let mut sealed = self.sealed.iter().peekable();
        iter::from_fn(move || {
            let is_sealed_next = match (files.peek(), sealed.peek()) {
                (Some(file), Some(entry)) => entry.path.as_bytes() < file.path.as_bytes(),
                (None, _) => true,
                (_, None) => false,
            };
            match is_sealed_next {
                true => sealed.next().cloned(),
                false => {
                    let file = files.next()?;
                    Some(ManifestEntry::new(&*file.path, file.hash, file.size, Kind::File))
                }
            }
        })
    }

    /// Returns a path that two entries have.
    pub fn duplicate(&self) -> Option<&str> {
        let twice = self.sealed.windows(2).find(|pair| pair[0].path == pair[1].path);
        let files = &self.state.files;
        let is_file = |entry: &&ManifestEntry| {
            let path = entry.path.as_bytes();
            files.binary_search_by(|file| file.path.as_bytes().cmp(path)).is_ok()
        };
        let found = twice.map(|pair| &pair[0]).or_else(|| self.sealed.iter().find(is_file));
        found.map(|entry| entry.path.as_str())
    }

    /// Returns the root's directories that have entries, sorted.
    pub fn directories(&self) -> Vec<&str> {
        let files = self.state.files.iter().map(|file| &*file.path);
        directories(files.chain(self.sealed.iter().map(|entry| entry.path.as_str())))
    }
}

/// Returns the entries for the ciphertexts that a document declares.
pub fn sealed_entries(document: &SealedArtifacts) -> impl Iterator<Item = ManifestEntry> {
    let artifacts = document.artifacts.iter();
    let artifacts = artifacts.map(|artifact| (artifact.path.as_deref(), &artifact.seal));
    let index = document.index.iter().map(|seal| (None, seal));
    artifacts.chain(index).map(|(path, seal)| {
        let path = path.unwrap_or(&seal.sealed_path);
        ManifestEntry::new(path, seal.sealed_hash, seal.sealed_bytes, Kind::Sealed)
    })
}

/// Returns the root's directories that have one of these paths in them, sorted.
fn directories<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for path in paths {
        if let Some((directory, _)) = path.split_once('/')
            && found.last() != Some(&directory)
        {
            found.push(directory);
        }
    }
    // Sorted paths have `a-b/…` before `a/…`, but sorted names have `a` before `a-b`.
    found.sort_unstable();
    found.dedup();
    found
}

/// What the summary contains besides the manifest.
pub struct Summary<'a> {
    /// Title of the scope.
    pub title: &'a str,
    /// The mode of the pack: what stays in plaintext.
    pub mode: Mode,
    /// The state digest.
    pub state: Digest,
    /// The refs of the run's records.
    pub refs: &'a RunRefs,
}

/// Writes `LITE/INDEX.md` for a manifest with these entries.
pub fn index<E: Borrow<ManifestEntry>>(
    manifest: &PackManifest,
    entries: impl Iterator<Item = E>,
    summary: &Summary<'_>,
) -> String {
    let mut counts: BTreeMap<Bucket, (u64, u64)> = BTreeMap::new();
    let (mut files, mut sealed) = ((0, 0), (0, 0));
    for entry in entries {
        let entry = entry.borrow();
        let total = match entry.kind {
            Kind::File => &mut files,
            Kind::Sealed => &mut sealed,
        };
        for sum in [total, counts.entry(Bucket::of(&entry.path)).or_default()] {
            sum.0 += 1;
            sum.1 += entry.bytes;
        }
    }
    let mode = match summary.mode {
        Mode::Public => "public",
        Mode::Internal => "internal",
    };
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        out.write_fmt(text).expect("a string takes everything");
        out.push('\n');
    };
    line(format_args!("# {}\n", shown(summary.title.as_bytes())));
    line(format_args!("What is in this pack by name and hash; no content.\n"));
    line(format_args!("* scope: {}, {mode}", shown(manifest.scope.as_bytes())));
    line(format_args!("* commit: {}", manifest.repo_state.commit));
    line(format_args!("* tree: {}", manifest.repo_state.tree));
    line(format_args!("* state: {}", summary.state));
    line(format_args!("* files: {}, {} bytes", files.0, files.1));
    line(format_args!("* sealed: {}, {} bytes\n", sealed.0, sealed.1));
    line(format_args!("| bucket | entries | bytes |\n|---|---:|---:|"));
    let mut row = |name: &str, bucket: &Bucket| {
        if let Some((count, bytes)) = counts.get(bucket) {
            line(format_args!("| {name} | {count} | {bytes} |"));
        }
    };
    row("(top)", &Bucket::Root);
    for bucket in &manifest.buckets {
        let name = shown(bucket.as_bytes()).replace('|', "\\|");
        row(&name, &Bucket::Directory(bucket.clone()));
    }
    line(format_args!("\n| record of the run | ref |\n|---|---|"));
    for (name, hash) in summary.refs.records() {
        line(format_args!("| {name} | {hash} |"));
    }
    line(format_args!(
        "\n`PACK_MANIFEST.json` names every entry by path, ref and size; `git pack restore` rebuilds them from these."
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::canonical_json::{to_canonical, to_document};

    fn manifest(paths: &[&str], buckets: &[&str]) -> PackManifest {
        let layout = Layout {
            prefix: "X".into(),
            buckets: buckets.iter().map(|b| (*b).to_owned()).collect(),
            anchors: Vec::new(),
            max_tokens: None,
        };
        let entry = |path: &&str| ManifestEntry::new(*path, Digest::of(path.as_bytes()), 1, Kind::File);
        let commit = CommitRef {
            commit: "c".into(),
            tree: "t".into(),
        };
        PackManifest::new("repo", commit, &layout, paths.iter().map(entry).collect())
    }

    #[test]
    fn entries_are_sorted_and_buckets_stand_in_the_order_of_the_scope() {
        let made = manifest(
            &["b/x", "a/y", "a-b", "top", "a/x", "c/z", "a.b/q"],
            &["c", "none", "b"],
        );
        let paths: Vec<&str> = made.entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["a-b", "a.b/q", "a/x", "a/y", "b/x", "c/z", "top"]);
        assert_eq!(made.buckets, ["c", "b", "a", "a.b"]);
        assert_eq!(made.disorder(), None);
        assert!(made.is_written_as(&to_document(&made)));
    }

    #[test]
    fn entries_are_spelled_in_canonical_form() {
        for path in ["a", "a/b.tar.gz", "\u{1}é\"\\.\"x", "x."] {
            for (kind, bytes) in [(Kind::File, 0), (Kind::Sealed, u64::MAX)] {
                let entry = ManifestEntry::new(path, Digest::of(b"x"), bytes, kind);
                let mut spelled = Vec::new();
                entry.spell(&mut spelled);
                assert_eq!(spelled, to_canonical(&entry), "{path}");
            }
        }
    }

    #[test]
    fn disorder_is_noticed() {
        let whole = manifest(&["a/x", "b/x"], &[]);
        let mut twice = whole.clone();
        twice.entries[1] = twice.entries[0].clone();
        let mut swapped = whole.clone();
        swapped.entries.swap(0, 1);
        let mut fewer = whole.clone();
        fewer.buckets.pop();
        let mut more = whole;
        more.buckets.push("a".into());
        for bad in [twice, swapped, fewer, more] {
            assert!(bad.disorder().is_some(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_opaque_only_where_every_ciphertext_says_so() {
        let seal = |path: &str, content: &[u8]| ManifestEntry::new(path, Digest::of(content), 1, Kind::Sealed);
        let opaque = seal(&opaque_path(&Digest::of(b"a")), b"a");
        let index = seal(NAMES, b"index");
        let file = ManifestEntry::new("x", Digest::of(b"x"), 1, Kind::File);
        for (entries, expected) in [
            (vec![opaque.clone(), index.clone(), file.clone()], true),
            (vec![opaque.clone(), index.clone(), seal("b.vec", b"b")], false),
            (vec![seal(&opaque.path, b"other"), index.clone()], false),
            (vec![opaque, file], false),
            (vec![index], false),
        ] {
            let mut made = manifest(&[], &[]);
            made.entries = entries;
            assert_eq!(made.has_opaque_names(), expected, "{made:?}");
        }
    }

    #[test]
    fn the_extension_is_what_follows_the_last_dot_of_the_name() {
        for (path, expected) in [
            ("a/b.tar.gz", Some("gz")),
            ("a.b/c", None),
            (".gitignore", None),
            ("x.", None),
            ("d/.env.local", Some("local")),
        ] {
            assert_eq!(extension(path), expected, "{path}");
        }
    }
}
