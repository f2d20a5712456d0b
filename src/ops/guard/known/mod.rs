//! Known plaintext: what this clone protected is remembered by its content, and found again wherever it turns up.

mod find;
mod learn;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::adapters::clone::known::Tags;
use crate::adapters::git::Repository;
use crate::format::chunks::{Chunks, Grain};
use crate::format::known::Original;
use crate::format::mac::MacHasher;
use crate::format::repo_path::RepoPath;
use crate::refusal::Result;
use crate::rules::known::Book;
pub use find::{Finder, look_into, look_into_file, traits_of};
pub use learn::{Protected, Source, remember};

/// A whole content of fewer bytes is too common to be known by.
const LEAST: u64 = 32;

/// The chunks of a content and their keyed hashes.
struct Marks {
    chunks: Chunks,
    /// Fine chunks as well, where some small file is known.
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

    /// Takes the next bytes; gives each chunk that is complete with its tag to `each`.
    fn feed(&mut self, tags: &Tags, bytes: &[u8], mut each: impl FnMut(Grain, u64, &[u8])) {
        self.size += bytes.len() as u64;
        let whole = &mut self.whole;
        self.chunks.feed(bytes, |chunk| mark(tags, whole, chunk, &mut each));
        if let Some(fine) = &mut self.fine {
            fine.feed(bytes, |chunk| mark_fine(tags, chunk, &mut each));
        }
    }

    /// Gives the rest to `each`, and returns the tag of the whole.
    fn finish(self, tags: &Tags, mut each: impl FnMut(Grain, u64, &[u8])) -> u64 {
        let mut whole = self.whole;
        self.chunks.finish(|chunk| mark(tags, &mut whole, chunk, &mut each));
        if let Some(fine) = self.fine {
            fine.finish(|chunk| mark_fine(tags, chunk, &mut each));
        }
        tag_of_whole(whole, self.size)
    }
}

/// Returns the tag of a whole content, of whose chunks the keyed hashes went into `whole`.
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
