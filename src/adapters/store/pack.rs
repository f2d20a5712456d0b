//! The members of a pack as a content store.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::{Store, Take, TakeEach, checked};
use crate::adapters::files::open_regular;
use crate::adapters::published::PublishedPack;
use crate::adapters::workers;
use crate::format::digest::Digest;
use crate::format::manifest::DeclaredMembers;
use crate::refusal::{Refusal, Result};

/// Where the members are.
#[derive(Clone, Copy)]
pub enum PackHolder<'a> {
    /// In a directory.
    Directory(&'a Path),
    /// In an archive, or at a place.
    Published(&'a dyn PublishedPack),
}

/// The members of a verified pack, by their hashes.
pub struct PackStore<'a> {
    holder: PackHolder<'a>,
    members: DeclaredMembers,
    /// The places of those that have a hash, in the order of their hashes.
    order: Vec<usize>,
}

impl<'a> PackStore<'a> {
    /// Takes the members that a manifest declares.
    pub fn of(holder: PackHolder<'a>, members: DeclaredMembers) -> Self {
        let places = 0..members.len();
        let mut order: Vec<usize> = places.filter(|at| members.digest(*at).is_some()).collect();
        order.sort_by_key(|at| members.digest(*at));
        Self { holder, members, order }
    }

    /// Returns the path of the last member with that hash.
    fn path_of(&self, hash: &Digest) -> Option<&str> {
        let hash = Some(*hash);
        let end = self.order.partition_point(|at| self.members.digest(*at) <= hash);
        let at = *self.order[..end].last()?;
        (self.members.digest(at) == hash).then(|| self.members.get(at).path)
    }

    /// Returns whether a member has that hash.
    pub fn has(&self, hash: &Digest) -> bool {
        self.path_of(hash).is_some()
    }
}

impl Store for PackStore<'_> {
    fn name(&self) -> &'static str {
        "the pack"
    }

    fn contains(&self, hash: &Digest) -> Result<bool> {
        Ok(self.has(hash))
    }

    fn get(&self, hash: &Digest, take: Take<'_>) -> Result<bool> {
        let Some(path) = self.path_of(hash) else {
            return Ok(false);
        };
        match self.holder {
            PackHolder::Directory(root) => match open_regular(&root.join(path)) {
                Ok(opened) => checked(self.name(), hash, &mut &opened.file, take).map(|()| true),
                // The file has vanished since the pack was verified.
                Err(Refusal::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(other) => Err(other),
            },
            PackHolder::Published(pack) => {
                let mut taken = None;
                let read = pack.member(path, &mut |content, _| {
                    let took = checked(self.name(), hash, content, take);
                    let is_taken = took.is_ok();
                    taken = Some(took);
                    ended(is_taken)
                });
                match taken {
                    Some(Err(refused)) => Err(refused),
                    Some(Ok(())) => read.map(|()| true),
                    None => read.map(|()| false),
                }
            }
        }
    }

    fn get_each(&self, hashes: &[Digest], take: TakeEach<'_>) -> Result<Vec<bool>> {
        let PackHolder::Published(pack) = self.holder else {
            let places: Vec<usize> = (0..hashes.len()).collect();
            return workers::map(
                &places,
                || Ok(()),
                |(), at| self.get(&hashes[*at], &mut |content| take(*at, content)),
            );
        };
        // The holder knows in which order its members are read best.
        let mut wanted: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, hash) in hashes.iter().enumerate() {
            if let Some(path) = self.path_of(hash) {
                wanted.entry(path).or_default().push(at);
            }
        }
        let paths: Vec<&str> = wanted.keys().copied().collect();
        let (found, refused) = (Mutex::new(vec![false; hashes.len()]), Mutex::new(None));
        let unread = pack.each_member(&paths, &|path, content, _| {
            let Some((first, others)) = wanted.get(path).and_then(|all| all.split_first()) else {
                return Ok(());
            };
            if lock(&refused).is_some() {
                return ended(false);
            }
            let hash = &hashes[*first];
            let took = checked(self.name(), hash, content, &mut |content| take(*first, content));
            // A content that is wanted again is read again.
            let again = |at: &usize| self.get(hash, &mut |content| take(*at, content)).map(drop);
            match took.and_then(|()| others.iter().try_for_each(again)) {
                Ok(()) => {
                    for at in std::iter::once(first).chain(others) {
                        lock(&found)[*at] = true;
                    }
                    Ok(())
                }
                Err(why) => {
                    lock(&refused).get_or_insert(why);
                    ended(false)
                }
            }
        })?;
        if let Some(refused) = lock(&refused).take() {
            return Err(refused);
        }
        if let Some((path, why)) = unread.into_iter().next() {
            return Err(Refusal::io("reading", path.as_ref())(io::Error::other(why)));
        }
        Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Ends the reading of a member. Why it failed is told in another way.
fn ended(well: bool) -> io::Result<()> {
    match well {
        true => Ok(()),
        false => Err(io::Error::other("it was not taken")),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
