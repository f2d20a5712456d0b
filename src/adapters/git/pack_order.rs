//! Orders objects by their position in git's packs, so that reading them goes through each file once, forward.

use std::path::Path;

use gix::odb::pack::index;

use crate::adapters::git::{Repository, to_gix};
use crate::format::object_id::ObjectId;

/// The pack number of loose objects.
const LOOSE: u32 = u32::MAX;

/// An object to be read.
pub(super) struct PlacedObject {
    /// Number of its pack, and its offset in bytes there.
    place: (u32, u64),
    /// Index of the object in the list to be ordered.
    pub(super) index: usize,
}

impl PlacedObject {
    /// Returns whether the object is in none of the packs that existed when the indices were read.
    pub(super) fn is_loose(&self) -> bool {
        self.place.0 == LOOSE
    }
}

/// The indices of all packs that a repository reads from.
pub(super) struct PackIndices(Vec<index::File>);

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
        Self(files)
    }

    /// Returns the number of the pack that has an object, and the offset of the object in it.
    fn find(&self, id: &gix::oid) -> Option<(u32, u64)> {
        self.0.iter().zip(0..).find_map(|(file, number)| {
            let at = file.lookup(id)?;
            Some((number, file.pack_offset_at_index(at)))
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
    /// Orders `ids` by their position in the packs, loose objects last.
    ///
    /// Reads the indices itself: the library reports a position only after inflating the object, and a large object may
    /// not fit into memory.
    pub(super) fn pack_order(&self, ids: &[ObjectId]) -> Vec<PlacedObject> {
        let indices = self.packs.get_or_init(|| PackIndices::of(&self.local()));
        let mut order: Vec<PlacedObject> = ids
            .iter()
            .enumerate()
            .map(|(index, id)| PlacedObject {
                place: indices.find(&to_gix(id)).unwrap_or((LOOSE, 0)),
                index,
            })
            .collect();
        order.sort_unstable_by_key(|job| (job.place, job.index));
        order
    }
}
