//! Orders objects by their position in git's packs, so that reading them goes through each file once, forward.

use std::path::Path;
use std::sync::OnceLock;

use gix::odb::pack::data::entry::Header;
use gix::odb::pack::{data, index};

use crate::adapters::git::{Repository, to_gix};
use crate::format::object_id::ObjectId;

/// The pack number of loose objects.
const LOOSE: u32 = u32::MAX;

/// For so few objects, reading the indices takes longer than the order saves.
const FEW: usize = 16;

/// An object to be read.
pub(super) struct PlacedObject {
    /// Number of its pack, and below, its offset in bytes there.
    pack: u32,
    /// Index of the object in the list to be ordered.
    number: u32,
    offset: u64,
}

impl PlacedObject {
    /// Returns whether the object is in none of the packs that existed when the indices were read, or was not looked up.
    pub(super) fn is_loose(&self) -> bool {
        self.pack == LOOSE
    }

    /// Returns the number of its pack.
    pub(super) fn pack(&self) -> u32 {
        self.pack
    }

    /// Returns its place in the pack.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the index of the object in the list that was ordered.
    pub(super) fn index(&self) -> usize {
        self.number as usize
    }
}

/// A pack that a repository reads from.
pub(super) struct Pack {
    index: index::File,
    /// Its objects, mapped when they are first needed. `None` if they cannot be.
    data: OnceLock<Option<data::File>>,
}

impl Pack {
    /// Returns its objects, if they can be read.
    pub(super) fn data(&self) -> Option<&data::File> {
        let open = || data::File::at(self.index.path().with_extension("pack"), self.index.object_hash()).ok();
        self.data.get_or_init(open).as_ref()
    }

    /// Returns the place of the object that the one at `offset` is a delta against, if it is one and that is in the pack.
    pub(super) fn base_of(&self, offset: u64) -> Option<u64> {
        let entry = self.data()?.entry(offset).ok()?;
        match entry.header {
            Header::OfsDelta { base_distance } => entry.checked_base_pack_offset(base_distance),
            Header::RefDelta { base_id } => {
                let at = self.index.lookup(base_id)?;
                Some(self.index.pack_offset_at_index(at))
            }
            _ => None,
        }
    }
}

/// The indices of all packs that a repository reads from.
pub(super) struct PackIndices(Vec<Pack>);

impl PackIndices {
    /// Opens the indices. Skips one that cannot be read: a missing object is noticed when it is read.
    fn of(repo: &gix::Repository) -> Self {
        let store = repo.objects.store_ref();
        let mut directories = vec![store.path().to_owned()];
        directories.extend(store.alternate_db_paths().unwrap_or_default());
        let mut files = Vec::new();
        for directory in directories {
            files.extend(indices_in(&directory.join("pack"), repo.object_hash()));
        }
        let packs = files.into_iter().map(|index| Pack {
            index,
            data: OnceLock::new(),
        });
        Self(packs.collect())
    }

    /// Returns the number of the pack that has an object, and the offset of the object in it.
    fn find(&self, id: &gix::oid) -> Option<(u32, u64)> {
        self.0.iter().zip(0..).find_map(|(Pack { index, .. }, number)| {
            let at = index.lookup(id)?;
            Some((number, index.pack_offset_at_index(at)))
        })
    }
}

fn indices_in(directory: &Path, hash: gix::hash::Kind) -> Vec<index::File> {
    let Ok(listing) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let paths = listing.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "idx"))
        .collect();
    paths.sort();
    paths
        .iter()
        .filter_map(|path| index::File::at(path, hash).ok())
        .collect()
}

impl Repository {
    /// Returns the pack of an object that is not loose.
    pub(super) fn pack_of(&self, object: &PlacedObject) -> &Pack {
        &self.pack_indices().0[object.pack() as usize]
    }

    fn pack_indices(&self) -> &PackIndices {
        self.packs.get_or_init(|| PackIndices::of(&self.local()))
    }

    /// Orders `ids` by their position in the packs, loose objects last. A few are left as they are, and count as loose.
    ///
    /// Reads the indices itself: the library reports a position only after inflating the object, and a large object may
    /// not fit into memory.
    pub(super) fn pack_order(&self, ids: &[ObjectId]) -> Vec<PlacedObject> {
        self.pack_order_of(ids.iter().copied())
    }

    /// Like [`Self::pack_order`], for ids that are in no list.
    pub(super) fn pack_order_of(&self, ids: impl ExactSizeIterator<Item = ObjectId>) -> Vec<PlacedObject> {
        let indices = match ids.len() < FEW {
            true => self.packs.get(),
            false => Some(self.pack_indices()),
        };
        assert!(
            u32::try_from(ids.len()).is_ok(),
            "a list has fewer than four thousand million ids"
        );
        let mut order: Vec<PlacedObject> = ids
            .zip(0..)
            .map(|(id, number)| {
                let found = indices.and_then(|indices| indices.find(&to_gix(&id)));
                let (pack, offset) = found.unwrap_or((LOOSE, 0));
                PlacedObject { pack, number, offset }
            })
            .collect();
        order.sort_unstable_by_key(|job| (job.pack, job.offset, job.number));
        order
    }
}
