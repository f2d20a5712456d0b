//! Learns to recognise protected files by their content.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, Read};

use crate::adapters::clone::known::Tags;
use crate::adapters::git::Repository;
use crate::adapters::git::blobs::{Proof, reading};
use crate::adapters::{files, workers};
use crate::format::chunks::{Chunks, Grain, cut_all, is_trivial};
use crate::format::known::{Original, SMALL};
use crate::format::mac::MacHasher;
use crate::format::object_id::ObjectId;
use crate::format::protected::{Format, Policy};
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::{EntryKind, TreeEntry};
use crate::ops::contents::ContentAt;
use crate::ops::guard::known::{LEAST, Marks, hex, tag_of_whole};
use crate::refusal::{Refusal, Result};
use crate::rules::known::{Book, Fingerprints};
use crate::rules::main_branches::default_of_remotes;
use crate::rules::protect::{Cause, Registry};
use crate::rules::scan::{Leak, LeakCode};

/// The number of bytes read at a time.
const BUFFER: usize = 256 << 10;

/// A file to remember by its content.
#[derive(Clone, Debug)]
pub struct ProtectedFile {
    /// Its repository path.
    pub path: RepoPath,
    /// Where its content is.
    pub source: ContentAt,
    /// What its content was recognised as.
    pub formats: Vec<Format>,
    /// Whether it is protected because a user attached it to a pack, whatever the rules say.
    pub attached: bool,
}

impl ProtectedFile {
    /// Returns the file of a leak, if all of its content is protected plaintext. A file that holds a private key, or
    /// known plaintext, may otherwise be harmless.
    pub fn of_leak(leak: &Leak, source: ContentAt) -> Option<Self> {
        let whole = leak.code == LeakCode::PlaintextProtected && leak.policy == Policy::Never;
        let formats = match leak.cause {
            Cause::Content(format) => vec![format],
            _ => Vec::new(),
        };
        (whole && leak.detail.is_none() && !leak.entry.path.as_bytes().is_empty()).then(|| Self {
            path: leak.entry.path.clone(),
            source,
            formats,
            attached: false,
        })
    }
}

/// Remembers files by their content, except those that are known already. Returns whether all of them are known now.
///
/// This only helps later checks. A file that cannot be read is left out, and a clone that cannot be written to forgets.
pub fn remember(repo: &Repository, registry: &Registry, protected: Vec<ProtectedFile>) -> bool {
    let known = repo.private().known();
    let wanted: Vec<ProtectedFile> = match known.tags() {
        Some(tags) => {
            let originals: HashMap<&str, &Original> = known
                .originals()
                .iter()
                .map(|original| (original.path.as_str(), original))
                .collect();
            let is_new = |file: &ProtectedFile| {
                let original = originals.get(hex(file.path.as_bytes()).as_str());
                !original.is_some_and(|original| is_met(original, file, &tags))
            };
            protected.into_iter().filter(is_new).collect()
        }
        None => protected,
    };
    if wanted.is_empty() {
        return true;
    }
    let learned = known.change(|tags, originals, entries| {
        let new = workers::map(
            &wanted,
            || Ok(()),
            |(), file| Ok::<_, Refusal>(fingerprints(repo, tags, file)),
        )?;
        let new: Vec<Fingerprints> = new.into_iter().flatten().collect();
        if new.is_empty() {
            return Ok(false);
        }
        let paths: HashSet<&RepoPath> = wanted.iter().map(|file| &file.path).collect();
        let public = public_tags(repo, registry, tags, &new, &paths)?;
        let mut book = Book {
            originals: std::mem::take(originals),
            entries: std::mem::take(entries),
        };
        for fingerprints in new {
            book.add(fingerprints, &public);
        }
        (*originals, *entries) = (book.originals, book.entries);
        Ok(true)
    });
    learned.unwrap_or(false)
}

/// Returns whether a file is already known in its current state.
fn is_met(original: &Original, file: &ProtectedFile, tags: &Tags) -> bool {
    let same = match &file.source {
        ContentAt::File(path) => original.seen.is_some() && original.seen == tags.look(path),
        ContentAt::Blob(id) => original.blobs.contains(&tags.blob(id)),
    };
    same && (original.attached || !file.attached)
}

/// Computes the fingerprints of a file; returns none if it cannot be read.
fn fingerprints(repo: &Repository, tags: &Tags, file: &ProtectedFile) -> Option<Fingerprints> {
    let (learned, seen, blobs) = match &file.source {
        ContentAt::File(path) => {
            let seen = tags.look(path);
            let opened = files::open_regular(path).ok()?;
            let learned = learn(tags, &mut &opened.file).ok()?;
            opened.ensure_unchanged().ok()?;
            (learned, seen, Vec::new())
        }
        ContentAt::Blob(id) => {
            let one = std::slice::from_ref(id);
            let read = repo.with_blobs_held_against(Proof::Checksum, one, |_, mut contents| {
                learn(tags, &mut contents).map_err(|e| reading(id, &e))
            });
            (read.ok()?.pop()?, None, vec![tags.blob(id)])
        }
    };
    Some(Fingerprints {
        about: Original {
            path: hex(file.path.as_bytes()),
            size: learned.size,
            evidence: 0,
            formats: file.formats.clone(),
            attached: file.attached,
            blobs,
            seen,
        },
        chunks: learned.chunks,
        whole: learned.whole,
    })
}

/// The fingerprints of a content.
struct Learned {
    size: u64,
    chunks: Vec<(u64, u32)>,
    whole: Option<u64>,
}

/// Computes the fingerprints of a content.
fn learn(tags: &Tags, content: &mut dyn Read) -> io::Result<Learned> {
    let mut start = Vec::new();
    (&mut *content).take(SMALL + 1).read_to_end(&mut start)?;
    let mut marking = Marking::new(tags);
    let size = cut_all(&mut start.as_slice().chain(content), |chunk| marking.mark(chunk))?;
    let mut learned = marking.finish(size);
    if size <= SMALL {
        let mut fine = Marking::new(tags);
        let mut chunks = Chunks::new(Grain::Fine);
        chunks.feed(&start, |chunk| fine.mark(chunk));
        chunks.finish(|chunk| fine.mark(chunk));
        learned.chunks = fine.chunks;
    }
    Ok(learned)
}

/// Hashes the chunks of a content.
struct Marking<'a> {
    tags: &'a Tags,
    whole: MacHasher,
    chunks: Vec<(u64, u32)>,
}

impl<'a> Marking<'a> {
    fn new(tags: &'a Tags) -> Self {
        Self {
            tags,
            whole: tags.whole(),
            chunks: Vec::new(),
        }
    }

    fn mark(&mut self, chunk: &[u8]) {
        let code = self.tags.chunk(chunk);
        self.whole.update(&code);
        if !is_trivial(chunk) {
            self.chunks.push((Tags::tag(&code), chunk.len() as u32));
        }
    }

    fn finish(self, size: u64) -> Learned {
        let says_something = !self.chunks.is_empty() && size >= LEAST;
        Learned {
            size,
            whole: says_something.then(|| tag_of_whole(self.whole, size)),
            chunks: self.chunks,
        }
    }
}

/// Returns those of the learned tags that also occur in public content: in a file of the default branch that is neither
/// protected nor one of `paths`.
fn public_tags(
    repo: &Repository,
    registry: &Registry,
    tags: &Tags,
    new: &[Fingerprints],
    paths: &HashSet<&RepoPath>,
) -> Result<HashSet<u64>> {
    let Some(tree) = default_tree(repo)? else {
        return Ok(HashSet::new());
    };
    let chunks = new
        .iter()
        .flat_map(|new| new.chunks.iter().map(|chunk| chunk.0).chain(new.whole));
    let wanted: HashSet<u64> = chunks.collect();
    let has_small = new.iter().any(|new| new.about.size <= SMALL);
    let is_public = |entry: &TreeEntry| {
        entry.kind != EntryKind::Submodule
            && !paths.contains(&entry.path)
            && registry.judge(entry.path.as_bytes()).is_none()
    };
    let ids: BTreeSet<ObjectId> = repo
        .tree_entries(&tree)?
        .into_iter()
        .filter(|entry| is_public(entry) && repo.has(&entry.id))
        .map(|entry| entry.id)
        .collect();
    let ids: Vec<ObjectId> = ids.into_iter().collect();
    let found = repo.with_blobs_held_against(Proof::Checksum, &ids, |at, mut contents| {
        let mut found: Vec<u64> = Vec::new();
        let mut keep = |tag: u64| {
            if wanted.contains(&tag) {
                found.push(tag);
            }
        };
        let mut marks = Marks::new(tags, has_small);
        let mut buffer = vec![0; BUFFER];
        loop {
            match contents.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => marks.feed(tags, &buffer[..read], |_, tag, _| keep(tag)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(reading(&ids[at], &e)),
            }
        }
        let whole = marks.finish(tags, |_, tag, _| keep(tag));
        keep(whole);
        Ok(found)
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// Returns the tree of the default branch: the remote's, by its `HEAD` or its usual names. The local `HEAD` counts only
/// if there is no remote: content that only a local branch has is not public.
fn default_tree(repo: &Repository) -> Result<Option<ObjectId>> {
    let refs = repo.refs("refs/remotes/")?;
    match default_of_remotes(&refs, |id| repo.has(id)) {
        Some(id) => Ok(Some(repo.commit(&id.hex())?.tree)),
        None if repo.remotes().is_empty() && repo.has_commit()? => Ok(Some(repo.commit("HEAD")?.tree)),
        None => Ok(None),
    }
}
