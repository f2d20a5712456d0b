//! Where objects lie: reading them in the order of the packs goes forward through each file once.

use std::path::Path;

use gix::odb::pack::index;

use crate::adapters::git::blobs::Proof;
use crate::adapters::git::{Repository, to_gix};
use crate::format::object_id::ObjectId;

/// The place of what lies in no pack.
const LOOSE: u32 = u32::MAX;

/// An object to be read.
pub(super) struct Job {
    /// Its pack, and where it begins there.
    place: (u32, u64),
    /// Where it stands in what was to be ordered.
    pub(super) index: usize,
}

impl Job {
    /// Returns whether the content of the object must be held against its id.
    pub(super) fn needs_its_id(&self, proof: Proof) -> bool {
        proof == Proof::Id || self.is_loose()
    }

    /// Returns whether it lies in no pack that was there when this was found out.
    pub(super) fn is_loose(&self) -> bool {
        self.place.0 == LOOSE
    }
}

/// The indices of all packs that a repository reads from.
pub(super) struct PackIndices(Vec<index::File>);

impl PackIndices {
    /// Opens them. One that cannot be read is left out: whether an object is missing is found out when it is read.
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

    /// Returns the number of the pack that has an object, and where it begins there.
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
    /// Orders `ids` as they lie in the packs, loose ones last.
    ///
    /// The library tells the place of an object too, and inflates it for that: a large one does not fit the memory.
    pub(super) fn pack_order(&self, ids: &[ObjectId]) -> Vec<Job> {
        let indices = self.packs.get_or_init(|| PackIndices::of(&self.local()));
        let mut order: Vec<Job> = ids
            .iter()
            .enumerate()
            .map(|(index, id)| Job {
                place: indices.find(&to_gix(id)).unwrap_or((LOOSE, 0)),
                index,
            })
            .collect();
        order.sort_unstable_by_key(|job| (job.place, job.index));
        order
    }
}
