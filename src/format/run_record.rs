//! The records of a run: its task, its outputs, its status, and the contents that must be kept for it.
//!
//! All records are canonical JSON (RFC 8785) with one newline. They contain no time and no location, so identical input
//! gives identical refs.

use std::fmt;
use std::io::{self, BufWriter, Write};

use serde::{Deserialize, Serialize};

use crate::format::canonical_json::{Document, parse_canonical, write_spelled};
use crate::format::digest::{Digest, Hasher, Hashing, parse_hex, push_decimal};
use crate::format::dump::layout::Layout;
use crate::format::only::Only;
use crate::format::repo_state::Mode;
use crate::format::tree_meta::Part;

/// Version of [`TaskSpec`].
pub const TASK_SPEC_VERSION: &str = "pack.task_spec.v0";
/// Version of [`OutputHashes`].
pub const OUTPUT_HASHES_VERSION: &str = "pack.output_hashes.v0";
/// Version of [`Status`].
pub const STATUS_VERSION: &str = "pack.status.v0";
/// Version of [`RunRefs`].
pub const RUN_REFS_VERSION: &str = "pack.run_refs.v0";

/// The largest record to read, in bytes: some three million hashes.
pub const MAX_BYTES: u64 = 256 << 20;

/// How many bytes are collected before they are hashed.
const PIECE: usize = 64 << 10;

/// The id of a run: the first 12 hex digits of the SHA-256 of its task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

impl RunId {
    /// Returns the id of the run of a task.
    pub fn of(task_spec: &Digest) -> Self {
        Self(task_spec.hex()[..12].to_owned())
    }

    /// Parses 12 lowercase hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 12 && text.bytes().all(is_hex)).then(|| Self(text.to_owned()))
    }

    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this is the id of the run of that task.
    pub fn is_of(&self, task_spec: &Digest) -> bool {
        task_spec.hex().starts_with(&self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A commit and its tree, in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitRef {
    /// Id of the commit.
    pub commit: String,
    /// Id of its tree.
    pub tree: String,
}

/// The task of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// The canon version in the commit.
    pub canon_version: String,
    /// The version of the packing grammar.
    pub grammar_version: String,
    /// The version of the manifest of contents.
    pub manifest_version: String,
    /// The most tokens of a file under `SPLIT/`, if the texts are split by tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// The mode of the pack: what stays in plaintext.
    pub mode: Mode,
    /// The entries that the pack was made of, if it was not the whole scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Only>,
    /// The release of git-pack that made the pack.
    pub packer_version: String,
    /// The parts of the pack, sorted.
    pub parts: Vec<Part>,
    /// Id of the commit.
    pub repo_state: CommitRef,
    /// The scope: which part of the tree, and its layout.
    pub scope: ScopeSpec,
    /// SHA-256 of `SEALED_ARTIFACTS.json`, which names the registry in force and every ciphertext.
    pub sealed: Digest,
    /// [`TASK_SPEC_VERSION`].
    pub version: String,
}

/// The settings of a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeSpec {
    /// Paths of the files to read first.
    pub anchors: Vec<String>,
    /// The order of the root's directories.
    pub buckets: Vec<String>,
    /// Globs of the paths that are excluded.
    pub exclude: Vec<String>,
    /// Globs of the paths that are included.
    pub include: Vec<String>,
    /// Key of the scope.
    pub key: String,
    /// Prefix of the names of files under `FULL/` and `SPLIT/`.
    pub prefix: String,
    /// Title of the scope.
    pub title: String,
}

impl ScopeSpec {
    /// Collects the settings of the scope `key`. `globs` are the included and the excluded globs.
    pub fn of(key: &str, title: &str, layout: &Layout, globs: &[Vec<String>; 2]) -> Self {
        let [include, exclude] = globs.clone();
        Self {
            anchors: layout.anchors.clone(),
            buckets: layout.buckets.clone(),
            exclude,
            include,
            key: key.to_owned(),
            prefix: layout.prefix.clone(),
            title: title.to_owned(),
        }
    }
}

/// All contents that are needed to rebuild the output of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputHashes {
    /// The hashes, sorted, without duplicates.
    pub hashes: Vec<Digest>,
    /// [`OUTPUT_HASHES_VERSION`].
    pub version: String,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// SHA-256 over the lines `<64 hex hash> <size>` of all outputs, in the order of [`OutputHashes`].
    pub cas_snapshot_hash: Digest,
    /// Hash of the manifest of contents.
    pub manifest_ref: Digest,
    /// Hash of the [`OutputHashes`].
    pub output_hashes_ref: Digest,
    /// Whether the run completed.
    pub state: RunState,
    /// Hash of the [`TaskSpec`].
    pub task_spec_ref: Digest,
    /// The verdict of its audit.
    pub verdict: AuditVerdict,
    /// [`STATUS_VERSION`].
    pub version: String,
}

/// Whether a run completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RunState {
    /// The run completed.
    Completed,
    /// The audit stopped the run.
    Failed,
}

/// The verdict of an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AuditVerdict {
    /// All required contents exist and are intact.
    Pass,
    /// Some required content is missing or damaged.
    Fail,
}

impl AuditVerdict {
    /// Returns the word in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
        }
    }
}

/// The hashes of a run's records: `LITE/RUN_REFS.json`, and a file beside the run's roots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRefs {
    /// Hash of the manifest of contents.
    pub manifest_ref: Digest,
    /// Hash of the [`OutputHashes`].
    pub output_hashes_ref: Digest,
    /// Hash of the [`Status`].
    pub status_ref: Digest,
    /// Hash of the [`TaskSpec`].
    pub task_spec_ref: Digest,
    /// [`RUN_REFS_VERSION`].
    pub version: String,
}

impl RunRefs {
    /// Returns the names and hashes of the four records.
    pub fn records(&self) -> [(&'static str, Digest); 4] {
        [
            ("TASK_SPEC", self.task_spec_ref),
            ("OUTPUT_HASHES", self.output_hashes_ref),
            ("STATUS", self.status_ref),
            ("PACK_MANIFEST", self.manifest_ref),
        ]
    }
}

impl Document for OutputHashes {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_with(out, self.hashes.iter())
    }
}

impl Document for TaskSpec {}

impl Document for Status {}

impl Document for RunRefs {}

impl OutputHashes {
    /// Returns the hash of the record of these hashes, which are sorted and without duplicates.
    pub fn hash_of<'a>(hashes: impl Iterator<Item = &'a Digest>) -> Digest {
        let mut out = BufWriter::new(Hashing::new(io::sink()));
        let written = Self::new(Vec::new()).write_with(&mut out, hashes);
        let hashing = written.and_then(|()| out.into_inner().map_err(io::IntoInnerError::into_error));
        hashing.expect("a hash takes everything").finish().1
    }

    fn write_with<'a>(&self, out: &mut dyn Write, hashes: impl Iterator<Item = &'a Digest>) -> io::Result<()> {
        let hull = Self {
            hashes: Vec::new(),
            version: self.version.clone(),
        };
        write_spelled(out, &hull, "hashes", hashes)
    }

    /// Collects the hashes of a run's outputs, in any order.
    pub fn new(mut hashes: Vec<Digest>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        Self {
            hashes,
            version: OUTPUT_HASHES_VERSION.into(),
        }
    }
}

/// Returns [`Status::cas_snapshot_hash`] for outputs that are sorted by hash and without duplicates.
pub fn snapshot_hash<'a>(outputs: impl Iterator<Item = (&'a Digest, u64)>) -> Digest {
    let mut hasher = Hasher::default();
    let mut lines = Vec::with_capacity(PIECE + 128);
    for (hash, size) in outputs {
        lines.extend_from_slice(&hash.hex_bytes());
        lines.push(b' ');
        push_decimal(&mut lines, size);
        lines.push(b'\n');
        if lines.len() > PIECE {
            hasher.update(&lines);
            lines.clear();
        }
    }
    hasher.update(&lines);
    hasher.finish()
}

/// Returns the bytes of `RUN_ROOTS.json` or `GC_PINS.json`: a sorted list of hashes of 64 hex digits.
pub fn write_roots(mut hashes: Vec<Digest>) -> Vec<u8> {
    hashes.sort_unstable();
    hashes.dedup();
    let mut out = Vec::with_capacity(hashes.len() * 67 + 3);
    out.push(b'[');
    for (at, hash) in hashes.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
        out.extend_from_slice(&hash.hex_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b"]\n");
    out
}

/// Parses what [`write_roots`] returns. The error says what is wrong.
pub fn parse_roots(bytes: &[u8]) -> Result<Vec<Digest>, String> {
    // The list has exactly one form, so no general JSON parser is needed.
    let list = bytes.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]\n"));
    let list = list.ok_or("expected a list of hashes, 64 lowercase hex digits each, in canonical JSON")?;
    let mut items = list.chunks(67).enumerate().map(|(at, item)| {
        let last = (at + 1) * 67 >= list.len();
        let text = item
            .strip_suffix(b",")
            .filter(|_| !last)
            .or(Some(item).filter(|_| last))?;
        let digits = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        parse_hex::<32>(digits).map(Digest::from_bytes)
    });
    let mut hashes = Vec::with_capacity(items.len());
    let are_hashes = items.all(|item| item.map(|hash| hashes.push(hash)).is_some());
    if !are_hashes {
        return Err("an item is not a hash, 64 lowercase hex digits, in canonical JSON".into());
    }
    match hashes.is_sorted_by(|a, b| a < b) {
        true => Ok(hashes),
        false => Err("it is not sorted, or a hash occurs twice".into()),
    }
}

/// Parses a record strictly. Anything but the canonical form of this type is an error.
pub fn parse_record<T: Document + for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, String> {
    parse_canonical(bytes).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::canonical_json::to_document;

    #[test]
    fn roots_are_canonical_json_and_nothing_else_is_roots() {
        let hashes = vec![Digest::of(b"b"), Digest::of(b"a"), Digest::of(b"b")];
        let bytes = write_roots(hashes.clone());
        let mut sorted: Vec<String> = hashes.iter().map(Digest::hex).collect();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(bytes, to_document(&sorted));
        assert_eq!(parse_roots(&bytes).unwrap().len(), 2);
        assert_eq!(parse_roots(&write_roots(Vec::new())), Ok(Vec::new()));
        sorted.reverse();
        let twice = to_document(&[&sorted[0], &sorted[0]]);
        let reference = to_document(&[Digest::of(b"a").to_string()]);
        for bad in [
            to_document(&sorted),
            twice,
            reference,
            b"{}\n".to_vec(),
            b"[]".to_vec(),
            Vec::new(),
        ] {
            assert!(parse_roots(&bad).is_err(), "{}", String::from_utf8_lossy(&bad));
        }
    }

    #[test]
    fn a_run_is_named_after_its_task() {
        let task = Digest::of(b"task");
        let id = RunId::of(&task);
        assert!(id.is_of(&task) && !id.is_of(&Digest::of(b"other")));
        assert_eq!(RunId::parse(id.as_str()), Some(id));
        for bad in [
            "",
            "last",
            "0123456789ABC",
            "0123456789A",
            "0123456789Ab",
            "../456789abc",
        ] {
            assert_eq!(RunId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_record_in_another_form_is_none() {
        let record = OutputHashes::new(vec![Digest::of(b"a")]);
        let bytes = to_document(&record);
        assert_eq!(parse_record::<OutputHashes>(&bytes).unwrap(), record);
        let text = String::from_utf8(bytes.clone()).unwrap();
        let (open, close) = (text.find('[').unwrap(), text.find(']').unwrap());
        for other in [
            format!(" {text}"),
            text.replace(':', ": "),
            text.trim_end().to_owned(),
            format!("{text}\n"),
            text.replace("\"version\"", "\"hashes\":[],\"version\""),
            text.replace("\"version\"", "\"more\":1,\"version\""),
            // A record as a list of its values, which serde would accept.
            format!("[{},\"{OUTPUT_HASHES_VERSION}\"]\n", &text[open..=close]),
        ] {
            assert!(parse_record::<OutputHashes>(other.as_bytes()).is_err(), "{other}");
        }
        assert!(parse_record::<Status>(&bytes).is_err());
    }
}
