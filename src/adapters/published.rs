//! A pack that is not a directory here: one in an archive, or at a place that holds packs.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Mutex;

use crate::adapters::pack_dir::{FoundInPack, IsDeclared, LookIntoMember, TakeFound, invalid, read_from};
use crate::adapters::workers::{self, TRANSFERS};
use crate::format::attachment::{Attached, AttachedCounts};
use crate::format::manifest::ManifestDocument;
use crate::refusal::pack::PackFault;
use crate::refusal::{Refusal, Result, io_reason};

/// Receives the content of a member, and its size in bytes.
pub type TakeMember<'a> = &'a mut (dyn FnMut(&mut dyn Read, u64) -> io::Result<()> + Send);

/// Receives the content of each of many members: its path, its content, and its size in bytes.
pub type TakeEachMember<'a> = &'a (dyn Fn(&str, &mut dyn Read, u64) -> io::Result<()> + Sync);

/// Largest part of a member that is kept in memory, in bytes. A larger one is kept in a file without a name.
const MAX_HELD: usize = 8 << 20;

/// A pack that is read member by member.
///
/// It comes from whoever holds it, so it is not believed: its reader compares what came with the manifest, and the
/// manifest with the id.
pub trait PublishedPack: Sync {
    /// Returns the name of the pack for messages, without secrets.
    fn name(&self) -> &str;

    /// Returns the bytes of its manifest, at most [`MAX_BYTES`](crate::format::manifest::MAX_BYTES).
    fn manifest(&self) -> &[u8];

    /// Returns what the holder lists besides the manifest, by path, with the size in bytes where it is told.
    fn listed(&self) -> &BTreeMap<String, Option<u64>>;

    /// Returns the size of a listed member in bytes, if the holder tells it.
    fn size(&self, path: &str) -> Option<u64> {
        *self.listed().get(path)?
    }

    /// Returns what is attached to the pack. It is not believed either.
    fn attached(&self) -> Result<Attached> {
        Ok(Attached::default())
    }

    /// Returns how much the holder says is attached to the pack, where that is known without reading it.
    fn attached_counts(&self) -> Result<AttachedCounts> {
        self.attached().map(|attached| attached.counts())
    }

    /// Passes a listed member to `take`, which need not read to the end. What follows the stated size is an error of
    /// the reader.
    fn member(&self, path: &str, take: TakeMember<'_>) -> Result<()>;

    /// Passes each of these members to `take`, in the order and on the threads that suit the holder. Returns the
    /// members that could not be read, and why.
    fn each_member(&self, paths: &[&str], take: TakeEachMember<'_>) -> Result<BTreeMap<String, String>> {
        let failed = Mutex::new(BTreeMap::new());
        workers::map_on(
            TRANSFERS,
            paths,
            || Ok(()),
            |(), path| match self.member(path, &mut |content, size| take(path, content, size)) {
                Ok(()) => Ok(()),
                Err(refused) => unread(refused).map(|why| {
                    let mut failed = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    failed.insert((*path).to_owned(), why);
                }),
            },
        )?;
        Ok(failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Returns why a member could not be read, if that is a fault of the pack. Other refusals end the command.
fn unread(refused: Refusal) -> Result<String> {
    match refused {
        Refusal::Io { source, .. } => Ok(io_reason(&source)),
        other => Err(other),
    }
}

/// Parses the manifest of a pack.
pub fn manifest(pack: &dyn PublishedPack) -> Result<ManifestDocument> {
    ManifestDocument::parse(pack.manifest()).map_err(|why| Refusal::BadPack {
        path: pack.name().into(),
        fault: invalid(why),
    })
}

/// Reads everything that is listed, as [`crate::adapters::pack_dir::observe`] does on disk. With `only`, skips other
/// members.
pub fn observe<E: Send>(
    pack: &dyn PublishedPack,
    declared: IsDeclared<'_>,
    look: LookIntoMember<'_, E>,
    take: TakeFound<'_, E>,
) -> Result<()> {
    let (members, others): (Vec<&str>, Vec<&str>) = pack
        .listed()
        .keys()
        .map(String::as_str)
        .partition(|path| declared(path.as_bytes()));
    let read = Mutex::new(BTreeMap::new());
    let failed = pack.each_member(&members, &|path, content, size| {
        let found = read_from(content, path, size, look)?;
        let mut read = read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        read.insert(path.to_owned(), found);
        Ok(())
    })?;
    let mut read = read.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut found = Vec::with_capacity(pack.listed().len());
    for path in members {
        let member = match (read.remove(path), failed.get(path)) {
            (_, Some(why)) => FoundInPack::Unreadable(why.clone()),
            (Some(read), None) => FoundInPack::Read(read),
            // The holder lists it and does not have it.
            (None, None) => continue,
        };
        found.push((path.as_bytes().to_vec(), member));
    }
    found.extend(
        others
            .into_iter()
            .map(|path| (path.as_bytes().to_vec(), FoundInPack::Undeclared)),
    );
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.into_iter().for_each(|(path, found)| take(&path, found));
    Ok(())
}

/// Returns a reader of `size` bytes of a member, from byte `at`.
pub fn range(pack: &dyn PublishedPack, path: &str, at: u64, size: u64) -> Result<Box<dyn Read + Send>> {
    let mut kept = tempfile::spooled_tempfile(MAX_HELD);
    pack.member(path, &mut |content, _| {
        io::copy(&mut content.take(at), &mut io::sink())?;
        io::copy(&mut content.take(size), &mut kept)?;
        kept.seek(SeekFrom::Start(0)).map(drop)
    })?;
    Ok(Box::new(kept))
}

/// Returns the fault of a pack that lacks a listed member.
pub fn not_listed(pack: &dyn PublishedPack, path: &str) -> Refusal {
    Refusal::BadPack {
        path: pack.name().into(),
        fault: PackFault::NotListed { path: path.to_owned() },
    }
}
