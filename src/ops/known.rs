//! Known plaintext: what this clone protected is remembered by its content, and found again wherever it turns up.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::adapters::clone::known::{Known, Tags};
use crate::adapters::git::Repository;
use crate::adapters::git::blobs::{Contents, Proof, reading};
use crate::adapters::{files, workers};
use crate::format::chunks::{Chunks, is_trivial};
use crate::format::known::Original;
use crate::format::mac::MacHasher;
use crate::format::object_id::ObjectId;
use crate::format::protected::{Format, Policy};
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::{EntryKind, TreeEntry};
use crate::ops::contents;
use crate::rules::content::{Listener, Look, Place};
use crate::rules::known::{Book, Fingerprints, KnownPart, is_leak};
use crate::rules::protect::{Cause, Registry};
use crate::rules::scan::{Leak, LeakCode, Traits};

/// A whole content of fewer bytes is too common to be known by.
const LEAST: u64 = 32;

/// Looks for known plaintext in everything that it hears.
pub struct Finder {
    known: Known,
    tags: Tags,
    /// The blobs that exceptions name, by their keyed hashes.
    allowed: HashMap<String, ObjectId>,
}

impl Finder {
    /// Returns a finder for what the clone knows; none if that is nothing. `registry` tells which blobs are allowed.
    pub fn of(repo: &Repository, registry: &Registry) -> Option<Self> {
        let known = repo.private().known();
        let tags = known.tags().filter(|_| !known.is_empty())?;
        let allowed = registry.exceptions().map(|id| (tags.blob(&id), id)).collect();
        Some(Self { known, tags, allowed })
    }

    /// Returns what tells this state of what is known from every other.
    pub fn generation(&self) -> &str {
        self.known.generation().unwrap_or_default()
    }

    fn part(&self, number: u32, found: &Found) -> Option<KnownPart> {
        let original = self.known.originals().get(number as usize)?;
        Some(KnownPart {
            original: path_of(original)?,
            formats: original.formats.clone(),
            attached: original.attached,
            twin: None,
            blob: original.blobs.iter().find_map(|blob| self.allowed.get(blob).copied()),
            found: found.bytes,
            size: original.size,
            within: found.within.clone(),
        })
    }
}

/// Finds out what there is to be said of a content, and what of it is known; returns its size too.
pub fn examine(finder: Option<&Finder>, contents: Contents<'_>, look: Look<'_>) -> io::Result<(Traits, u64)> {
    let Some(finder) = finder else {
        return contents::examine(contents, look);
    };
    let mut listening = Listening {
        finder,
        open: Vec::new(),
        found: HashMap::new(),
    };
    let listener: Option<&mut dyn Listener> = Some(&mut listening);
    let (mut traits, size) = contents::examine(contents, Look { listener, ..look })?;
    let found = listening.found.iter();
    traits.known = found
        .filter_map(|(number, found)| finder.part(*number, found))
        .collect();
    traits.known.sort_by(|a, b| a.original.cmp(&b.original));
    Ok((traits, size))
}

/// Hears the contents of one blob.
struct Listening<'a> {
    finder: &'a Finder,
    /// The contents that began and did not end, from the outside in.
    open: Vec<(Place, Heard)>,
    /// By the number of the original: the most of it that some content has.
    found: HashMap<u32, Found>,
}

struct Found {
    bytes: u64,
    within: Option<String>,
}

/// One content as it comes.
struct Heard {
    marks: Marks,
    matched: HashMap<u32, (HashSet<u64>, u64)>,
}

impl Listener for Listening<'_> {
    fn begin(&mut self, place: &Place) {
        let heard = Heard {
            marks: Marks::new(&self.finder.tags),
            matched: HashMap::new(),
        };
        self.open.push((place.clone(), heard));
    }

    fn feed(&mut self, place: &Place, bytes: &[u8]) {
        let finder = self.finder;
        if let Some((_, heard)) = self.open.iter_mut().rev().find(|(open, _)| open == place) {
            let matched = &mut heard.matched;
            heard.marks.feed(&finder.tags, bytes, |tag, chunk| {
                finder.look_up(matched, tag, chunk.len())
            });
        }
    }

    fn end(&mut self, place: &Place) {
        let Some(at) = self.open.iter().rposition(|(open, _)| open == place) else {
            return;
        };
        let (place, mut heard) = self.open.remove(at);
        let finder = self.finder;
        let matched = &mut heard.matched;
        let size = heard.marks.size;
        let whole = heard
            .marks
            .finish(&finder.tags, |tag, chunk| finder.look_up(matched, tag, chunk.len()));
        let wholes = match size >= LEAST {
            true => finder.known.find(whole),
            false => Vec::new(),
        };
        let evidence = |number: u32| finder.known.originals().get(number as usize).map_or(0, |o| o.evidence);
        let parts = heard.matched.iter().map(|(number, (_, bytes))| (*number, *bytes));
        let parts = parts.filter(|(number, bytes)| is_leak(*bytes, evidence(*number), size));
        let wholes = wholes.iter().filter(|entry| entry.length == 0);
        let found: Vec<(u32, u64)> = parts.chain(wholes.map(|entry| (entry.original, size))).collect();
        for (number, bytes) in found {
            let within = (place.depth() > 0).then(|| format!("in a {place}"));
            let best = self.found.entry(number).or_insert(Found { bytes: 0, within: None });
            if bytes > best.bytes {
                *best = Found { bytes, within };
            }
        }
    }
}

impl Finder {
    fn look_up(&self, matched: &mut HashMap<u32, (HashSet<u64>, u64)>, tag: u64, length: usize) {
        for entry in self.known.find(tag) {
            let (tags, bytes) = matched.entry(entry.original).or_default();
            // What stands in a content twice is found once.
            if entry.length as usize == length && tags.insert(tag) {
                *bytes += length as u64;
            }
        }
    }
}

/// The chunks of a content and their keyed hashes.
struct Marks {
    chunks: Chunks,
    whole: MacHasher,
    size: u64,
}

impl Marks {
    fn new(tags: &Tags) -> Self {
        Self {
            chunks: Chunks::default(),
            whole: tags.whole(),
            size: 0,
        }
    }

    /// Takes the next bytes; gives each chunk that is complete with its tag to `each`.
    fn feed(&mut self, tags: &Tags, bytes: &[u8], mut each: impl FnMut(u64, &[u8])) {
        self.size += bytes.len() as u64;
        let whole = &mut self.whole;
        self.chunks.feed(bytes, |chunk| mark(tags, whole, chunk, &mut each));
    }

    /// Gives the rest to `each`, and returns the tag of the whole.
    fn finish(self, tags: &Tags, mut each: impl FnMut(u64, &[u8])) -> u64 {
        let mut whole = self.whole;
        self.chunks.finish(|chunk| mark(tags, &mut whole, chunk, &mut each));
        whole.update(&self.size.to_le_bytes());
        Tags::tag(&whole.finish())
    }
}

fn mark(tags: &Tags, whole: &mut MacHasher, chunk: &[u8], each: &mut impl FnMut(u64, &[u8])) {
    let code = tags.chunk(chunk);
    whole.update(&code);
    each(Tags::tag(&code), chunk);
}

/// A file that is to be known by its content.
#[derive(Clone, Debug)]
pub struct Protected {
    /// Its repository path.
    pub path: RepoPath,
    /// Where its content is.
    pub source: Source,
    /// What its content was recognised as.
    pub formats: Vec<Format>,
    /// Whether it is protected because somebody attached it to a pack, whatever the rules say.
    pub attached: bool,
}

/// Where a content is.
#[derive(Clone, Debug)]
pub enum Source {
    /// In a file on disk.
    File(PathBuf),
    /// In a blob of the repository.
    Blob(ObjectId),
}

impl Protected {
    /// Returns the file of a leak, if all of it is protected plaintext: of what holds a private key, or something that is known
    /// already, the rest may be harmless.
    pub fn of_leak(leak: &Leak, source: Source) -> Option<Self> {
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

/// Remembers files by their content, but for those that are known already; returns whether all of them are known now.
///
/// This is a help for later and no part of what is being done: where nothing can be kept, or a file cannot be read any more,
/// it is left out.
pub fn remember(repo: &Repository, registry: &Registry, protected: Vec<Protected>) -> bool {
    let known = repo.private().known();
    let wanted: Vec<Protected> = match known.tags() {
        Some(tags) => {
            let originals: HashMap<&str, &Original> = known
                .originals()
                .iter()
                .map(|original| (original.path.as_str(), original))
                .collect();
            let is_new = |file: &Protected| {
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

/// Returns whether a file was met before as it is now.
fn is_met(original: &Original, file: &Protected, tags: &Tags) -> bool {
    let same = match &file.source {
        Source::File(path) => original.seen.is_some() && original.seen == tags.look(path),
        Source::Blob(id) => original.blobs.contains(&tags.blob(id)),
    };
    same && (original.attached || !file.attached)
}

/// Learns what a file is known by; none if it cannot be read.
fn fingerprints(repo: &Repository, tags: &Tags, file: &Protected) -> Option<Fingerprints> {
    let mut learning = Learning::new(tags);
    let (seen, blobs) = match &file.source {
        Source::File(path) => {
            let seen = tags.look(path);
            let opened = files::open_regular(path).ok()?;
            learning.read(&mut &opened.file).ok()?;
            opened.ensure_unchanged().ok()?;
            (seen, Vec::new())
        }
        Source::Blob(id) => {
            let one = std::slice::from_ref(id);
            let read = repo.with_blobs_held_against(Proof::Checksum, one, |_, mut contents| {
                let mut learning = Learning::new(tags);
                learning.read(&mut contents).map_err(|e| reading(id, &e))?;
                Ok(learning)
            });
            learning = read.ok()?.pop()?;
            (None, vec![tags.blob(id)])
        }
    };
    let size = learning.marks.size;
    let (chunks, whole) = learning.finish();
    Some(Fingerprints {
        about: Original {
            path: hex(file.path.as_bytes()),
            size,
            evidence: 0,
            formats: file.formats.clone(),
            attached: file.attached,
            blobs,
            seen,
        },
        chunks,
        whole,
    })
}

/// Marks a content whose chunks are to be known.
struct Learning<'a> {
    tags: &'a Tags,
    marks: Marks,
    chunks: Vec<(u64, u32)>,
    says_something: bool,
}

impl<'a> Learning<'a> {
    fn new(tags: &'a Tags) -> Self {
        Self {
            tags,
            marks: Marks::new(tags),
            chunks: Vec::new(),
            says_something: false,
        }
    }

    fn read(&mut self, content: &mut dyn Read) -> io::Result<()> {
        let mut buffer = vec![0; 256 << 10];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => {
                    let (chunks, says_something) = (&mut self.chunks, &mut self.says_something);
                    self.marks.feed(self.tags, &buffer[..read], |tag, chunk| {
                        note(chunks, says_something, tag, chunk)
                    });
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn finish(self) -> (Vec<(u64, u32)>, Option<u64>) {
        let (mut chunks, mut says_something) = (self.chunks, self.says_something);
        let size = self.marks.size;
        let whole = self.marks.finish(self.tags, |tag, chunk| {
            note(&mut chunks, &mut says_something, tag, chunk)
        });
        (chunks, (says_something && size >= LEAST).then_some(whole))
    }
}

fn note(chunks: &mut Vec<(u64, u32)>, says_something: &mut bool, tag: u64, chunk: &[u8]) {
    if !is_trivial(chunk) {
        *says_something = true;
        chunks.push((tag, chunk.len() as u32));
    }
}

/// Returns the tags, of those that were just learned, that stand in what is public already: in a file of the default branch
/// that is neither one of `paths` nor protected.
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
        let mut marks = Marks::new(tags);
        let mut found: Vec<u64> = Vec::new();
        let mut buffer = vec![0; 128 << 10];
        let mut keep = |tag: u64| {
            if wanted.contains(&tag) {
                found.push(tag);
            }
        };
        loop {
            match contents.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => marks.feed(tags, &buffer[..read], |tag, _| keep(tag)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(reading(&ids[at], &e)),
            }
        }
        let mut last = Vec::new();
        let whole = marks.finish(tags, |tag, _| last.push(tag));
        last.into_iter().chain([whole]).for_each(&mut keep);
        Ok(found)
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// Returns the tree of the default branch: that of a remote, where one is known, else of `HEAD`.
fn default_tree(repo: &Repository) -> Result<Option<ObjectId>> {
    let remote = repo
        .refs("refs/remotes/")?
        .into_iter()
        .find(|(name, _)| name.ends_with("/HEAD"));
    match remote {
        Some((_, id)) if repo.has(&id) => Ok(Some(repo.commit(&id.hex())?.tree)),
        _ if repo.has_commit() => Ok(Some(repo.commit("HEAD")?.tree)),
        _ => Ok(None),
    }
}

/// How much is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Files.
    pub originals: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes that the table of their keyed hashes has.
    pub table: u64,
}

/// Returns how much is known in a clone.
pub fn extent(repo: &Repository) -> Extent {
    let known = repo.private().known();
    let originals = known.originals();
    Extent {
        originals: originals.len(),
        bytes: originals.iter().map(|original| original.size).sum(),
        table: known.size().1,
    }
}

/// Forgets what nothing protects any more; returns how many files were forgotten. With `dry_run` they are only counted.
pub fn forget(repo: &Repository, keeps: impl Fn(&RepoPath, &Original) -> bool, dry_run: bool) -> Result<usize> {
    let is_kept = |original: &Original| path_of(original).is_some_and(|path| keeps(&path, original));
    let known = repo.private().known();
    let count = known.originals().iter().filter(|original| !is_kept(original)).count();
    if count == 0 || dry_run {
        return Ok(count);
    }
    known.change(|_, originals, entries| {
        let mut book = Book {
            originals: std::mem::take(originals),
            entries: std::mem::take(entries),
        };
        book.retain(is_kept);
        (*originals, *entries) = (book.originals, book.entries);
        Ok(true)
    })?;
    Ok(count)
}

fn path_of(original: &Original) -> Option<RepoPath> {
    let digits = original.path.as_bytes();
    let digit = |at: usize| char::from(digits[at]).to_digit(16);
    let byte = |at: usize| Some((digit(at)? * 16 + digit(at + 1)?) as u8);
    let bytes: Option<Vec<u8>> = (0..digits.len() / 2).map(|at| byte(2 * at)).collect();
    bytes.map(|bytes| RepoPath::new(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns where the file of a repository path is on disk.
pub fn on_disk(root: &Path, path: &RepoPath) -> Source {
    Source::File(root.join(OsStr::from_bytes(path.as_bytes())))
}
