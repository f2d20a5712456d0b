//! Known plaintext: decides when known chunks make a content a leak, and which chunks count as evidence.

use std::collections::{HashMap, HashSet};

use crate::format::known::{COMMON, KnownChunk, Original};
use crate::format::object_id::ObjectId;
use crate::format::protected::Format;
use crate::format::repo_path::RepoPath;
use crate::rules::protect::{FileFacts, Protection, Registry};

/// A content leaks an original if it contains one part in this many of the original.
const PART_OF_ORIGINAL: u64 = 3;
/// A content also leaks an original if one part in this many of the content comes from it, and that is at least
/// [`MUCH`].
const PART_OF_CONTENT: u64 = 2;
/// Number of bytes that exceeds a header or template that two files may have in common.
const MUCH: u64 = 64 << 10;
/// Number of bytes that is a leak in any content.
const VERY_MUCH: u64 = 1 << 20;
/// Number of bytes below which only a whole original is a leak.
const LITTLE: u64 = 2 << 10;
/// Two originals count as versions or copies of each other if they share one part in this many of the smaller one.
const PART_OF_RELATIVE: u64 = 2;

/// A part of a file that this clone protected, found in a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPart {
    /// Path of the original.
    pub original: RepoPath,
    /// The formats recognised in the original.
    pub formats: Vec<Format>,
    /// Whether the original is protected because a user attached it to a pack.
    pub attached: bool,
    /// Path of its sealed twin, if that is tracked at either end of what is judged.
    pub twin: Option<RepoPath>,
    /// The blob with the original's content that an exception names, if any.
    pub blob: Option<ObjectId>,
    /// Number of its bytes that were found.
    pub found: u64,
    /// Size of the original in bytes.
    pub size: u64,
    /// The layers in which they were found. `None` for the blob itself.
    pub within: Option<String>,
}

impl KnownPart {
    /// Returns the part of the original that was found, in percent, at least 1.
    pub fn percent(&self) -> u64 {
        let hundredth = self.size.max(1);
        (self.found.saturating_mul(100) / hundredth).clamp(1, 100)
    }

    /// Returns the verdict of the present rules on the original. `None` if it is no longer protected.
    pub fn verdict(&self, registry: &Registry) -> Option<Protection> {
        let original = FileFacts {
            path: self.original.as_bytes(),
            formats: &self.formats,
            blob: self.blob,
        };
        registry.judge_file(&original).or_else(|| match &self.twin {
            _ if registry.releases(&original) => None,
            Some(twin) => Some(Protection::twin(twin)),
            None => self.attached.then(|| Protection::attached(&self.original)),
        })
    }
}

/// Returns whether `found` bytes are a leak, for an original with `evidence` bytes of evidence and a content of
/// `content` bytes.
pub fn is_leak(found: u64, evidence: u64, content: u64) -> bool {
    found >= LITTLE
        && (found >= VERY_MUCH
            || found >= evidence.div_ceil(PART_OF_ORIGINAL)
            || (found >= MUCH && found >= content.div_ceil(PART_OF_CONTENT)))
}

/// What was learned of a file to be protected.
pub struct Fingerprints {
    /// The record of the file. Its evidence is not counted yet.
    pub about: Original,
    /// Tag and length in bytes of each of its chunks that is not trivial.
    pub chunks: Vec<(u64, u32)>,
    /// The tag of the whole content. `None` if it is trivial.
    pub whole: Option<u64>,
}

/// All known plaintext.
#[derive(Default)]
pub struct Book {
    /// The originals. Entries refer to them by index.
    pub originals: Vec<Original>,
    /// The entries, sorted.
    pub entries: Vec<KnownChunk>,
}

impl Book {
    /// Adds a file. Tags in `public` were published before, so finding them proves nothing.
    ///
    /// A chunk that two files have in common is evidence of neither, unless the files are copies or versions of each other.
    pub fn add(&mut self, new: Fingerprints, public: &HashSet<u64>) {
        let number = self.number_of(&new.about);
        let mut chunks = new.chunks;
        chunks.sort_unstable();
        chunks.dedup_by_key(|chunk| chunk.0);
        let known: HashMap<u64, u32> = chunks.iter().copied().collect();
        let relatives = self.relatives(number, &known, public);
        let is_stranger =
            |entry: &KnownChunk| entry.original != number && entry.length > 0 && !relatives.contains(&entry.original);

        let mut common: HashSet<u64> = known.keys().filter(|tag| public.contains(tag)).copied().collect();
        common.extend(self.entries.iter().filter(|e| e.original == COMMON).map(|e| e.tag));
        let shared = self
            .entries
            .iter()
            .filter(|entry| known.contains_key(&entry.tag) && is_stranger(entry));
        common.extend(shared.map(|entry| entry.tag));

        let originals = &mut self.originals;
        self.entries.retain(|entry| {
            let drops = entry.original != COMMON && common.contains(&entry.tag);
            if drops && let Some(original) = originals.get_mut(entry.original as usize) {
                original.evidence = original.evidence.saturating_sub(u64::from(entry.length));
            }
            !drops
        });
        let mut evidence = 0;
        for (tag, length) in chunks {
            let original = match common.contains(&tag) {
                true => COMMON,
                false => {
                    evidence += u64::from(length);
                    number
                }
            };
            self.entries.push(KnownChunk { tag, original, length });
        }
        if let Some(tag) = new.whole.filter(|tag| !public.contains(tag)) {
            let (original, length) = (number, 0);
            self.entries.push(KnownChunk { tag, original, length });
        }
        self.entries.sort_unstable();
        self.entries.dedup();
        let about = &mut self.originals[number as usize];
        about.evidence = match about.evidence {
            0 => evidence,
            // Of several versions, the one with the least evidence counts.
            before => before.min(evidence.max(1)),
        };
    }

    /// Removes the originals for which `keeps` returns false.
    pub fn retain(&mut self, keeps: impl Fn(&Original) -> bool) {
        let mut numbers = Vec::with_capacity(self.originals.len());
        let mut kept = Vec::new();
        for original in self.originals.drain(..) {
            numbers.push(keeps(&original).then_some(kept.len() as u32));
            if numbers.last().is_some_and(Option::is_some) {
                kept.push(original);
            }
        }
        self.originals = kept;
        self.entries
            .retain_mut(|entry| match numbers.get(entry.original as usize) {
                Some(Some(number)) => {
                    entry.original = *number;
                    true
                }
                Some(None) => false,
                None => entry.original == COMMON,
            });
        if self.originals.is_empty() {
            self.entries.clear();
        }
        self.entries.sort_unstable();
    }

    /// Returns the number of the original at that path, after merging what was learned now.
    fn number_of(&mut self, about: &Original) -> u32 {
        let at = self.originals.iter().position(|other| other.path == about.path);
        let Some(at) = at else {
            self.originals.push(about.clone());
            return (self.originals.len() - 1) as u32;
        };
        let original = &mut self.originals[at];
        original.size = about.size;
        original.attached |= about.attached;
        original.seen = about.seen.clone().or_else(|| original.seen.take());
        for format in &about.formats {
            if !original.formats.contains(format) {
                original.formats.push(*format);
            }
        }
        for blob in &about.blobs {
            if !original.blobs.contains(blob) {
                original.blobs.push(blob.clone());
            }
        }
        at as u32
    }

    /// Returns the numbers of the originals that are versions or copies of one with these chunks.
    fn relatives(&self, number: u32, chunks: &HashMap<u64, u32>, public: &HashSet<u64>) -> HashSet<u32> {
        let own: u64 = chunks
            .iter()
            .filter(|(tag, _)| !public.contains(tag))
            .map(|(_, length)| u64::from(*length))
            .sum();
        let mut shared: HashMap<u32, u64> = HashMap::new();
        for entry in &self.entries {
            if entry.original != COMMON && entry.original != number && chunks.contains_key(&entry.tag) {
                *shared.entry(entry.original).or_default() += u64::from(entry.length);
            }
        }
        let related = shared.into_iter().filter(|(original, shared)| {
            let evidence = self.originals.get(*original as usize).map_or(0, |other| other.evidence);
            *shared >= own.min(evidence).div_ceil(PART_OF_RELATIVE)
        });
        related.map(|(original, _)| original).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprints(path: &str, tags: std::ops::Range<u64>) -> Fingerprints {
        Fingerprints {
            about: Original {
                path: path.into(),
                size: 4096 * (tags.end - tags.start),
                evidence: 0,
                formats: Vec::new(),
                attached: false,
                blobs: Vec::new(),
                seen: None,
            },
            whole: Some(1_000_000 + tags.start),
            chunks: tags.map(|tag| (tag, 4096)).collect(),
        }
    }

    fn owners(book: &Book, tag: u64) -> Vec<u32> {
        let entries = book.entries.iter().filter(|entry| entry.tag == tag);
        entries.map(|entry| entry.original).collect()
    }

    #[test]
    fn much_of_an_original_or_much_of_the_content_is_a_leak_and_a_header_is_none() {
        let mib = 1 << 20;
        assert!(
            is_leak(mib / 2 - 40_000, mib, 10 * mib),
            "nearly a half of it, in something large"
        );
        assert!(is_leak(100_000, 1 << 30, 150_000), "an excerpt of something large");
        assert!(is_leak(mib, 1 << 40, 1 << 40), "very much");
        assert!(!is_leak(20_000, mib, mib), "a common header");
        assert!(!is_leak(30_000, mib, 30_000), "a template");
        assert!(!is_leak(1000, 1000, 1000), "too little to tell");
        assert!(!is_leak(0, 0, 0));
    }

    #[test]
    fn what_two_unrelated_files_or_something_public_has_is_no_evidence() {
        let mut book = Book::default();
        book.add(fingerprints("a", 0..100), &(90..100).collect());
        assert_eq!(book.originals[0].evidence, 90 * 4096);
        book.add(fingerprints("b", 80..200), &HashSet::new());
        // 80..90 is in both files, which are not versions of each other. 90..100 was public.
        for tag in 80..100 {
            assert_eq!(owners(&book, tag), [COMMON], "{tag}");
        }
        assert_eq!(owners(&book, 79), [0]);
        assert_eq!(owners(&book, 100), [1]);
        assert_eq!(
            (book.originals[0].evidence, book.originals[1].evidence),
            (80 * 4096, 100 * 4096)
        );
        assert_eq!(
            owners(&book, 1_000_000),
            [0],
            "the tag of a whole content does not count as a chunk"
        );
    }

    #[test]
    fn versions_and_copies_keep_their_evidence() {
        let mut book = Book::default();
        book.add(fingerprints("a", 0..100), &HashSet::new());
        book.add(fingerprints("a", 10..110), &HashSet::new());
        book.add(fingerprints("copy", 0..100), &HashSet::new());
        assert_eq!(book.originals.len(), 2);
        assert_eq!(owners(&book, 50), [0, 1]);
        assert_eq!(owners(&book, 105), [0]);
        assert_eq!(book.originals[0].evidence, 100 * 4096);
    }

    #[test]
    fn what_is_forgotten_leaves_nothing_behind() {
        let mut book = Book::default();
        book.add(fingerprints("a", 0..10), &HashSet::new());
        book.add(fingerprints("b", 20..30), &HashSet::new());
        book.retain(|original| original.path == "b");
        assert_eq!(book.originals.len(), 1);
        assert!(owners(&book, 5).is_empty());
        assert_eq!(owners(&book, 25), [0]);
        book.retain(|_| false);
        assert!(book.entries.is_empty());
    }
}
