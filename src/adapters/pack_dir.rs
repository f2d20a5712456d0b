//! A pack on disk: its manifest read, its files hashed, links never followed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::adapters::cipher;
use crate::adapters::files::{self, Walked, open_regular};
use crate::adapters::workers;
use crate::format::digest::{Digest, Hasher};
use crate::format::manifest::{MAX_BYTES, ManifestDocument};
use crate::format::member_path::MANIFEST;
use crate::format::refusal::{Refusal, Result, io_reason};
use crate::format::sealed::SealHeader;

/// The largest document of ours that is read whole; a longer one is only hashed, and comes back without its content.
pub const MAX_DOCUMENT: u64 = MAX_BYTES;

/// What stands under a path below a pack's root.
pub enum Found<E> {
    /// A declared regular file, read to its end.
    Read(MemberRead<E>),
    /// A regular file that the manifest does not declare.
    Undeclared,
    /// A link, FIFO, socket or device.
    NotRegular(&'static str),
    /// A directory with nothing in it.
    EmptyDirectory,
    /// A file that could not be read, and why.
    Unreadable(String),
    /// A directory that could not be listed, and why.
    UnreadableDirectory(String),
}

/// What was read of a member.
pub struct MemberRead<E> {
    /// SHA-256 of its bytes.
    pub hash: Digest,
    /// Its bytes.
    pub size: u64,
    /// The bytes themselves, where they were asked for.
    pub content: Option<Vec<u8>>,
    /// Its age header, where that was asked for.
    pub seal: Option<Result<SealHeader, String>>,
    /// Whatever was found out by looking at the whole content, where that was asked for.
    pub examined: Option<E>,
}

/// What to do with a declared member besides hashing it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Nothing.
    Hash,
    /// Keep its bytes.
    Content,
    /// Parse its age header.
    Seal,
    /// Look at its bytes, if there are at most so many; otherwise at none.
    Examine(usize),
}

/// Reads and parses the manifest of the pack at `root`.
pub fn manifest(root: &Path) -> Result<ManifestDocument> {
    let bad = |reason: String| Refusal::BadPack {
        path: root.to_owned(),
        reason,
    };
    match std::fs::metadata(root) {
        Ok(meta) if !meta.is_dir() => return Err(bad("it is not a directory".into())),
        Ok(_) => {}
        Err(e) => return Err(Refusal::io("reading", root)(e)),
    }
    let path = root.join(MANIFEST);
    let opened = open_regular(&path).map_err(|refusal| match refusal {
        Refusal::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            bad("it has no manifest.json".into())
        }
        Refusal::NotRegular { kind, .. } => bad(format!("its manifest.json is {kind}")),
        other => other,
    })?;
    if opened.size > MAX_BYTES {
        return Err(bad(format!(
            "its manifest.json has {} bytes, more than {MAX_BYTES}",
            opened.size
        )));
    }
    let mut bytes = Vec::with_capacity(opened.size as usize);
    (&opened.file)
        .take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(Refusal::io("reading", &path))?;
    opened.ensure_unchanged()?;
    ManifestDocument::parse(&bytes).map_err(|why| bad(format!("manifest.json: {why}")))
}

/// Reads everything below `root` except the manifest: declared files are hashed, in parallel and constant memory.
///
/// `want` says what else to do with each, and `examine` looks at the content of those to be examined.
pub fn observe<E: Send>(
    root: &Path,
    declared: &BTreeSet<&[u8]>,
    want: impl Fn(&str) -> Want + Sync,
    examine: impl Fn(&str, Option<&[u8]>) -> E + Sync,
) -> Result<BTreeMap<Vec<u8>, Found<E>>> {
    let walked = files::walk(root, |_| true);
    let found = workers::map(
        &walked,
        || Ok(vec![0; 128 << 10]),
        |buffer, (path, walked)| -> Result<Option<Found<E>>> {
            Ok(Some(match walked {
                Walked::File if path == MANIFEST.as_bytes() => return Ok(None),
                Walked::File if declared.contains(path.as_slice()) => {
                    let name = std::str::from_utf8(path).unwrap_or_default();
                    let want = want(name);
                    let file = root.join(OsStr::from_bytes(path));
                    match read_member(&file, want, buffer, |content| examine(name, content)) {
                        Ok(read) => Found::Read(read),
                        Err(Refusal::NotRegular { kind, .. }) => Found::NotRegular(kind),
                        Err(Refusal::Io { source, .. }) => Found::Unreadable(io_reason(&source)),
                        Err(Refusal::ChangedWhileRead { .. }) => {
                            Found::Unreadable("it changed while it was read".into())
                        }
                        Err(other) => return Err(other),
                    }
                }
                Walked::File => Found::Undeclared,
                Walked::NotRegular(kind) => Found::NotRegular(kind),
                Walked::EmptyDirectory => Found::EmptyDirectory,
                Walked::Unreadable(e) => Found::Unreadable(io_reason(e)),
                Walked::UnreadableDirectory(e) if path.is_empty() => {
                    let source = std::io::Error::new(e.kind(), e.to_string());
                    return Err(Refusal::io("listing", root)(source));
                }
                Walked::UnreadableDirectory(e) => Found::UnreadableDirectory(io_reason(e)),
            }))
        },
    )?;
    Ok(walked
        .into_iter()
        .map(|(path, _)| path)
        .zip(found)
        .filter_map(|(path, found)| Some((path, found?)))
        .collect())
}

fn read_member<E>(
    path: &Path,
    want: Want,
    buffer: &mut [u8],
    examine: impl FnOnce(Option<&[u8]>) -> E,
) -> Result<MemberRead<E>> {
    let opened = open_regular(path)?;
    let read = read_from(&mut &opened.file, opened.size, want, buffer, examine);
    let read = read.map_err(Refusal::io("reading", path))?;
    opened.ensure_unchanged()?;
    Ok(read)
}

/// Reads a member of `size` bytes to its end.
pub(super) fn read_from<E>(
    member: &mut dyn Read,
    size: u64,
    want: Want,
    buffer: &mut [u8],
    examine: impl FnOnce(Option<&[u8]>) -> E,
) -> std::io::Result<MemberRead<E>> {
    let keep = match want {
        Want::Content => MAX_DOCUMENT,
        Want::Examine(max) => max as u64,
        Want::Hash | Want::Seal => 0,
    };
    let mut content = (keep > 0 && size <= keep).then(Vec::new);
    let mut hasher = Hasher::default();
    let mut head = Vec::new();
    let mut size = 0;
    loop {
        let n = match member.read(buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        hasher.update(&buffer[..n]);
        size += n as u64;
        if let Some(content) = &mut content {
            content.extend_from_slice(&buffer[..n]);
        }
        if want == Want::Seal && head.len() < cipher::MAX_HEADER {
            head.extend_from_slice(&buffer[..n.min(cipher::MAX_HEADER - head.len())]);
        }
    }
    let seal = (want == Want::Seal).then(|| cipher::header(head.as_slice()));
    let examined = match want {
        Want::Examine(_) => Some(examine(content.take().as_deref())),
        _ => None,
    };
    Ok(MemberRead {
        hash: hasher.finish(),
        size,
        content,
        seal,
        examined,
    })
}
