//! Known plaintext: this clone remembers what it protected by its content, and recognises it under any name.

mod find;
mod learn;

use std::path::Path;

use crate::adapters::clone::known::Tags;
use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::format::chunks::{Chunks, Grain};
use crate::format::known::Original;
use crate::format::mac::MacHasher;
use crate::format::path_bytes::path_below;
use crate::format::repo_path::RepoPath;
use crate::ops::configuration;
use crate::ops::contents::ContentAt;
use crate::refusal::Result;
use crate::rules::known::Book;
use crate::rules::twins::plain_of;
pub use find::{Finder, look_into, look_into_file, traits_of};
pub use learn::{ProtectedFile, remember};

/// A whole content with fewer bytes is too common to be recognised by.
const LEAST: u64 = 32;

/// The chunks of a content and their keyed hashes.
struct Marks {
    chunks: Chunks,
    /// Fine chunks as well, if some small file is known.
    fine: Option<Chunks>,
    whole: MacHasher,
    size: u64,
}

impl Marks {
    fn new(tags: &Tags, fine: bool) -> Self {
        Self {
            chunks: Chunks::default(),
            fine: fine.then(|| Chunks::new(Grain::Fine)),
            whole: tags.whole(),
            size: 0,
        }
    }

    /// Takes the next bytes, and passes each complete chunk with its tag to `each`.
    fn feed(&mut self, tags: &Tags, bytes: &[u8], mut each: impl FnMut(Grain, u64, &[u8])) {
        self.size += bytes.len() as u64;
        let whole = &mut self.whole;
        self.chunks.feed(bytes, |chunk| mark(tags, whole, chunk, &mut each));
        if let Some(fine) = &mut self.fine {
            fine.feed(bytes, |chunk| mark_fine(tags, chunk, &mut each));
        }
    }

    /// Passes the rest to `each`, and returns the tag of the whole.
    fn finish(self, tags: &Tags, mut each: impl FnMut(Grain, u64, &[u8])) -> u64 {
        let mut whole = self.whole;
        self.chunks.finish(|chunk| mark(tags, &mut whole, chunk, &mut each));
        if let Some(fine) = self.fine {
            fine.finish(|chunk| mark_fine(tags, chunk, &mut each));
        }
        tag_of_whole(whole, self.size)
    }
}

/// Returns the tag of a whole content; `whole` received the keyed hashes of its chunks.
fn tag_of_whole(mut whole: MacHasher, size: u64) -> u64 {
    whole.update(&size.to_le_bytes());
    Tags::tag(&whole.finish())
}

fn mark(tags: &Tags, whole: &mut MacHasher, chunk: &[u8], each: &mut impl FnMut(Grain, u64, &[u8])) {
    let code = tags.chunk(chunk);
    whole.update(&code);
    each(Grain::Coarse, Tags::tag(&code), chunk);
}

fn mark_fine(tags: &Tags, chunk: &[u8], each: &mut impl FnMut(Grain, u64, &[u8])) {
    each(Grain::Fine, Tags::tag(&tags.chunk(chunk)), chunk);
}

/// How much plaintext is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Number of files.
    pub originals: usize,
    /// Their total size in bytes.
    pub bytes: u64,
    /// Size in bytes of the table of keyed hashes.
    pub table: u64,
}

/// Learns the plaintexts of sealed twins on disk, if only others remember protected content of this clone: another user, or the same
/// one with another home directory. Returns whether that is so, and copies of other content are not recognised.
pub fn recall(repo: &Repository) -> bool {
    if !repo.private().known().is_of_others() {
        return false;
    }
    if let (Some(root), Ok(index)) = (repo.work_tree(), repo.index())
        && let Ok(registry) = configuration::here(repo).and_then(|loaded| loaded.registry())
    {
        let twins = index.files_named(|path| plain_of(path).is_some());
        let plain = twins
            .iter()
            .filter_map(|twin| plain_of(twin.path.as_bytes()))
            .map(RepoPath::new);
        let here = plain.filter(|plain| files::exists(&root.join(path_below(plain.as_bytes()))));
        let protected = here.map(|path| ProtectedFile {
            source: on_disk(&root, &path),
            path,
            formats: Vec::new(),
            attached: false,
        });
        remember(repo, &registry, protected.collect());
    }
    true
}

/// Returns how much a clone knows.
pub fn extent(repo: &Repository) -> Extent {
    let known = repo.private().known();
    let originals = known.originals();
    Extent {
        originals: originals.len(),
        bytes: originals.iter().map(|original| original.size).sum(),
        table: known.size().1,
    }
}

/// Forgets files that nothing protects any more, and returns how many. With `dry_run` they are only counted.
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

/// Returns the file of a repository path on disk.
pub fn on_disk(root: &Path, path: &RepoPath) -> ContentAt {
    ContentAt::File(root.join(path_below(path.as_bytes())))
}
