//! Searches for known plaintext in everything that the guard reads.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};

use crate::adapters::clone::known::{Known, Tags};
use crate::adapters::git::Repository;
use crate::adapters::git::blobs::Contents;
use crate::format::chunks::Grain;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::ops::contents;
use crate::ops::guard::known::{LEAST, Marks, path_of};
use crate::refusal::Refusal;
use crate::rules::content::{Listener, Look, Place, UnpackBudget};
use crate::rules::known::{KnownPart, is_leak};
use crate::rules::protect::Registry;
use crate::rules::scan::Traits;

/// Searches for known plaintext in every content that it listens to.
pub struct Finder {
    known: Known,
    tags: Tags,
    /// The blobs that exceptions name, by their keyed hashes.
    allowed: HashMap<String, ObjectId>,
}

impl Finder {
    /// Returns a finder for what the clone knows; none if it knows nothing. `registry` tells which blobs are allowed.
    pub fn of(repo: &Repository, registry: &Registry) -> Option<Self> {
        let known = repo.private().known();
        let tags = known.tags().filter(|_| !known.is_empty())?;
        let allowed = registry.exceptions().map(|id| (tags.blob(&id), id)).collect();
        Some(Self { known, tags, allowed })
    }

    /// Returns the paths of all known files.
    pub fn originals(&self) -> impl Iterator<Item = RepoPath> {
        self.known.originals().iter().filter_map(path_of)
    }

    /// Returns a name for this state of the known content, which changes whenever the content does.
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

/// Why a content was not examined.
pub enum NotRead {
    /// Something that it leads to could not be judged.
    Refused(Refusal),
    /// The content itself could not be read.
    Unreadable(io::Error),
}

impl NotRead {
    /// Returns the refusal; `unreadable` makes one of an error of the content itself.
    pub fn refusal(self, unreadable: impl FnOnce(io::Error) -> Refusal) -> Refusal {
        match self {
            Self::Refused(refused) => refused,
            Self::Unreadable(e) => unreadable(e),
        }
    }
}

/// Examines a content and the Git LFS object that it points to, and finds known plaintext in both. Returns its size,
/// too.
pub fn look_into(
    repo: &Repository,
    finder: Option<&Finder>,
    budget: &UnpackBudget,
    contents: Contents<'_>,
) -> Result<(Traits, u64), NotRead> {
    let budget = Some(budget);
    let (examined, mut known) = heard(finder, budget, |look| contents::examine(contents, look));
    let (mut traits, size) = examined.map_err(NotRead::Unreadable)?;
    if traits.lfs_pointer.is_some() {
        let (followed, more) = heard(finder, budget, |look| contents::follow_pointer(repo, &mut traits, look));
        followed.map_err(NotRead::Refused)?;
        known.extend(more);
    }
    known.sort_by(|a, b| a.original.cmp(&b.original));
    traits.known = known;
    Ok((traits, size))
}

/// Examines a file on disk, and finds known plaintext in it.
pub fn look_into_file(finder: Option<&Finder>, file: &mut dyn Read, size: u64) -> io::Result<Traits> {
    let (examined, known) = heard(finder, None, |look| contents::examine_file(file, size, look));
    Ok(Traits { known, ..examined? })
}

/// Examines blobs, and finds known plaintext in them. Blobs without a finding are left out.
pub fn traits_of(
    repo: &Repository,
    finder: Option<&Finder>,
    ids: impl Iterator<Item = ObjectId>,
) -> Result<HashMap<ObjectId, Traits>, Refusal> {
    let way = finder.map_or(String::new(), |finder| format!(" {}", finder.generation()));
    contents::traits_by(repo, ids, &way, |contents, budget| {
        let (examined, known) = heard(finder, Some(budget), |look| contents::examine(contents, look));
        examined.map(|(traits, size)| (Traits { known, ..traits }, size))
    })
}

/// Returns the result of `look`, and the known plaintext in everything that it reads.
fn heard<R>(
    finder: Option<&Finder>,
    budget: Option<&UnpackBudget>,
    look: impl FnOnce(Look<'_>) -> R,
) -> (R, Vec<KnownPart>) {
    let base = Look { budget, listener: None };
    let Some(finder) = finder else {
        return (look(base), Vec::new());
    };
    let mut listening = Listening {
        finder,
        open: Vec::new(),
        found: HashMap::new(),
    };
    let result = look(Look {
        listener: Some(&mut listening),
        ..base
    });
    let found = listening.found.iter();
    let parts = found.filter_map(|(number, found)| finder.part(*number, found));
    let mut parts: Vec<KnownPart> = parts.collect();
    parts.sort_by(|a, b| a.original.cmp(&b.original));
    (result, parts)
}

/// Listens to the contents of one blob.
struct Listening<'a> {
    finder: &'a Finder,
    /// The contents that began and have not ended, outermost first.
    open: Vec<(Place, Heard)>,
    /// For each original, by its number: the largest part of it that any content has.
    found: HashMap<u32, Found>,
}

struct Found {
    bytes: u64,
    within: Option<String>,
}

/// One content that is being read.
struct Heard {
    marks: Marks,
    matched: Matched,
}

/// For each original, by its number: the tags of it that a content has, and how many bytes they cover, by chunk size.
///
/// Versions of one file may be known by chunks of either size. Bytes that both sizes cover count once.
type Matched = HashMap<u32, (HashSet<u64>, HashMap<Grain, u64>)>;

impl Listener for Listening<'_> {
    fn begin(&mut self, place: &Place) {
        let heard = Heard {
            marks: Marks::new(&self.finder.tags, self.finder.known.has_fine_chunks()),
            matched: HashMap::new(),
        };
        self.open.push((place.clone(), heard));
    }

    fn feed(&mut self, place: &Place, bytes: &[u8]) {
        let finder = self.finder;
        if let Some((_, heard)) = self.open.iter_mut().rev().find(|(open, _)| open == place) {
            let matched = &mut heard.matched;
            heard.marks.feed(&finder.tags, bytes, |grain, tag, chunk| {
                finder.look_up(matched, grain, tag, chunk.len())
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
        let whole = heard.marks.finish(&finder.tags, |grain, tag, chunk| {
            finder.look_up(matched, grain, tag, chunk.len())
        });
        let wholes = match size >= LEAST {
            true => finder.known.find(whole),
            false => Vec::new(),
        };
        let evidence = |number: u32| finder.known.originals().get(number as usize).map_or(0, |o| o.evidence);
        let most = |bytes: &HashMap<Grain, u64>| bytes.values().copied().max().unwrap_or_default();
        let parts = heard.matched.iter().map(|(number, (_, bytes))| (*number, most(bytes)));
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
    fn look_up(&self, matched: &mut Matched, grain: Grain, tag: u64, length: usize) {
        for entry in self.known.find(tag) {
            let (tags, bytes) = matched.entry(entry.original).or_default();
            // A chunk that occurs twice in a content counts once.
            if entry.length as usize == length && tags.insert(tag) {
                *bytes.entry(grain).or_default() += length as u64;
            }
        }
    }
}
