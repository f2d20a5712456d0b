//! The content of files and blobs, whatever their names. Each blob is examined once, and blobs without a finding are
//! remembered.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::adapters::git::Repository;
use crate::adapters::git::blobs::{Contents, Proof, reading};
use crate::adapters::{cipher, files};
use crate::format::agent::HEADER;
use crate::format::digest::{Digest, Hasher};
use crate::format::line_ends::{Conversions, LineEnds};
use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::format::protected::Format;
use crate::ops::clean_memory::CleanMemory;
use crate::refusal::Result;
use crate::rules::content::{self, KeyWatch, Look, Place, UnpackBudget};
use crate::rules::scan::{InPart, SealState, Traits, Unexamined};

/// The most bytes to unpack while a server judges a push. The server must answer soon, whatever was sent.
pub const SERVER_BUDGET: u64 = 768 << 20;

/// The most bytes to unpack in one judgement elsewhere, or for one pack.
pub const BUDGET: u64 = 256 << 30;

/// A file of at most this many bytes is read into memory.
const IN_MEMORY: u64 = 4 << 20;

/// Where a content is.
#[derive(Clone, Debug)]
pub enum ContentAt {
    /// In a file on disk.
    File(PathBuf),
    /// In a blob of the repository.
    Blob(ObjectId),
}

/// Returns the findings in the content of each blob; blobs without a finding are left out.
///
/// Refuses blobs that are not in this clone. Remembers blobs without a finding by their id.
pub fn traits_of(repo: &Repository, ids: impl Iterator<Item = ObjectId>) -> Result<HashMap<ObjectId, Traits>> {
    traits_by(repo, ids, "", |contents, budget| {
        examine(contents, Look::within(budget))
    })
}

/// Does the same with another way to examine a blob. Blobs without a finding are remembered under the name `way`.
pub fn traits_by(
    repo: &Repository,
    ids: impl Iterator<Item = ObjectId>,
    way: &str,
    look: impl Fn(Contents<'_>, &UnpackBudget) -> io::Result<(Traits, u64)> + Sync,
) -> Result<HashMap<ObjectId, Traits>> {
    let wanted: HashSet<ObjectId> = ids.collect();
    let version = env!("CARGO_PKG_VERSION");
    let key = Digest::of(format!("{version} {} contents{way}", content::VERSION).as_bytes());
    let mut memory = CleanMemory::of(repo.private().verdicts(key));
    memory.ask_for_blobs(wanted.len());
    let budget = UnpackBudget::of(BUDGET);
    let read = memory.read(repo, Proof::Id, wanted.into_iter().collect(), |id, contents| {
        look(contents, &budget).map_err(|e| reading(id, &e))
    })?;
    memory.keep_blobs(&read.plain);
    Ok(read.traits)
}

/// Returns the id that git would give to a file, with the hash function of `like`.
pub fn blob_of_file(path: &Path, like: &ObjectId) -> Result<ObjectId> {
    let opened = files::open_regular(path)?;
    let mut hasher = ObjectHasher::new(like, "blob", opened.size);
    files::read_in_chunks(path, |bytes| hasher.update(bytes))?;
    opened.ensure_unchanged()?;
    Ok(hasher.finish())
}

/// Returns the line ends that the file at `path` has as the blob `id`. `None` if the two differ in anything else, or the
/// clone does not have the blob.
pub fn converted_to(repo: &Repository, path: &Path, id: &ObjectId) -> Result<Option<LineEnds>> {
    if !repo.has(id) {
        return Ok(None);
    }
    let mut conversions = Conversions::default();
    files::read_in_chunks(path, |bytes| conversions.update(bytes))?;
    let [(blob, _)] = repo.hash_blobs(std::slice::from_ref(id))?[..] else {
        return Ok(None);
    };
    Ok(conversions.towards(&blob))
}

/// Returns the findings in a file of `size` bytes. Reads all of it.
pub fn examine_file(file: &mut dyn Read, size: u64, look: Look<'_>) -> io::Result<Traits> {
    if size > IN_MEMORY {
        return examine(Contents::Stream(file, size), look).map(|(traits, _)| traits);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(IN_MEMORY).read_to_end(&mut bytes)?;
    match file.read(&mut [0])? {
        0 => examine(Contents::Whole(&bytes, None), look).map(|(traits, _)| traits),
        // The file grew while it was read, so its size is not the promised one.
        _ => Err(io::Error::other("it changed while it was read")),
    }
}

/// Returns the findings in a blob's content, and its size. Reads all of it.
pub fn examine(contents: Contents<'_>, look: Look<'_>) -> io::Result<(Traits, u64)> {
    let (mut recognised, seal, size) = match contents {
        Contents::Whole(bytes, search) => {
            let recognised = match search {
                Some(search) => content::recognise_derived(bytes, search, look),
                None => content::recognise_slice(bytes, look),
            };
            let seal = match recognised.age {
                Some(at) => seal_of(cipher::examine_seal(&mut &bytes[at..])?, bytes),
                None => SealState::No,
            };
            (recognised, seal, bytes.len() as u64)
        }
        Contents::Stream(stream, size) => {
            let mut head = Vec::new();
            (&mut *stream)
                .take((HEADER + cipher::MAX_HEADER) as u64)
                .read_to_end(&mut head)?;
            let age = content::age_at(&head);
            let (head, whole) = (head.as_slice(), &mut head.chain(stream));
            let fault = age.and_then(|at| cipher::header_fault(&head[at..]));
            if let (Some(at), None) = (age, &fault) {
                let mut watched = KeyWatch::new(whole, look);
                io::copy(&mut (&mut watched).take(at as u64), &mut io::sink())?;
                let seal = seal_of(cipher::examine_seal(&mut watched)?, head);
                let mut formats = Vec::new();
                if watched.finish()? {
                    formats.push((Format::PrivateKey, None));
                }
                if is_broken_private(age, &seal) {
                    formats.push((Format::AgentPrivate, None));
                }
                let traits = Traits {
                    formats,
                    seal,
                    ..Traits::default()
                };
                return Ok((traits, size));
            }
            let seal = fault.map_or(SealState::No, |fault| SealState::Broken(fault.to_string()));
            (content::recognise(whole, size, look)?, seal, size)
        }
    };
    if is_broken_private(recognised.age, &seal) {
        recognised.formats.insert(Format::AgentPrivate, Place::blob());
    }
    // Ciphertext is noise, and a format that seems to be in it is an accident. A key that is readable in it is not.
    let is_noise = seal == SealState::Whole;
    let formats = recognised.formats.into_iter();
    let formats = formats.filter(|(format, _)| !is_noise || *format == Format::PrivateKey);
    let formats = formats.map(|(format, place)| (format, within(&place))).collect();
    let in_part = recognised.in_part.into_iter().filter(|_| !is_noise);
    let in_part = in_part.map(|(why, place)| InPart {
        why: Unexamined::Packed(why),
        within: within(&place),
    });
    let traits = Traits {
        formats,
        seal,
        lfs_pointer: recognised.pointer,
        in_part: in_part.collect(),
        known: Vec::new(),
    };
    Ok((traits, size))
}

/// Examines the object of a Git LFS pointer, and adds its findings to those in the pointer.
///
/// The LFS server gets the object, whatever the pointer's name. Nothing is fetched.
pub fn follow_pointer(repo: &Repository, traits: &mut Traits, look: Look<'_>) -> Result<()> {
    let Some(pointer) = traits.lfs_pointer else {
        return Ok(());
    };
    let mut unexamined = |why| traits.in_part.push(InPart { why, within: None });
    let Some(opened) = repo.lfs_object(&pointer.oid)? else {
        unexamined(Unexamined::LfsAbsent);
        return Ok(());
    };
    let mut hashed = Hashed {
        inner: &opened.file,
        hasher: Hasher::default(),
    };
    let Ok(seen) = examine_file(&mut hashed, opened.size, look) else {
        unexamined(Unexamined::LfsAbsent);
        return Ok(());
    };
    if hashed.hasher.finish() != pointer.oid || opened.size != pointer.size {
        unexamined(Unexamined::LfsOther);
        return Ok(());
    }
    let inside = |within: Option<String>| match within {
        Some(within) => format!("in its Git LFS object, {within}"),
        None => "in its Git LFS object".to_owned(),
    };
    let formats = seen.formats.into_iter();
    traits
        .formats
        .extend(formats.map(|(format, within)| (format, Some(inside(within)))));
    let in_part = seen.in_part.into_iter();
    traits.in_part.extend(in_part.map(|part| InPart {
        within: Some(inside(part.within)),
        ..part
    }));
    Ok(())
}

/// Computes the hash of everything that is read.
struct Hashed<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

/// Returns whether a file is the header of a private file with a broken age file behind it. What that protects is unknown.
fn is_broken_private(age: Option<usize>, seal: &SealState) -> bool {
    age == Some(HEADER) && matches!(seal, SealState::Broken(_))
}

fn within(place: &Place) -> Option<String> {
    (place.depth() > 0).then(|| format!("in a {place}"))
}

/// Returns the state of an age file with this verdict, in a file with this start.
fn seal_of(verdict: std::result::Result<(), String>, start: &[u8]) -> SealState {
    match verdict {
        Ok(()) if content::begins_as_private_file(start) => {
            SealState::Broken("its payload is too short, or is not encrypted".into())
        }
        Ok(()) => SealState::Whole,
        Err(why) => SealState::Broken(why),
    }
}
