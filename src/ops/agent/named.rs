//! The public packs that a path stands for: all of a store, those of a shard, or one.

use std::path::{Path, PathBuf};

use crate::adapters::agent_store::look::{self, SeenFile, SeenShard};
use crate::adapters::files;
use crate::format::agent::genome::{ROOT, Shard, is_meant_as_pack};
use crate::refusal::agent::{CyclesFault, GenomeFault};
use crate::refusal::{Refusal, Result};
use crate::rules::agent::genome::{SeenPack, faults_of_members, faults_of_shard};

/// Public packs that a path stands for.
pub(super) struct NamedPacks {
    /// The directory below which they are.
    pub(super) base: PathBuf,
    /// The shards. A pack that is named alone is in a shard of its own.
    pub(super) shards: Vec<NamedShard>,
    /// The faults of everything that the path stands for, each with its path.
    pub(super) faults: Vec<(String, GenomeFault)>,
    /// What the path stands for.
    pub(super) extent: PacksExtent,
}

/// How many packs a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PacksExtent {
    /// All packs of a store.
    Store,
    /// All packs of a shard.
    Shard,
    /// One pack.
    Pack,
}

/// Packs of a shard.
pub(super) struct NamedShard {
    /// The shard. `None` if the directory of the packs is not named like one.
    pub(super) shard: Option<Shard>,
    /// Its packs, in the order of their names.
    pub(super) packs: Vec<SeenPack>,
}

impl NamedPacks {
    /// Finds the packs that `path` stands for: a store, its `agency`, the directory of all shards, a shard, or a pack.
    ///
    /// Looks at names, sizes and headers, and reads no cycles.
    pub(super) fn at(path: &Path) -> Result<Self> {
        let nothing = || Refusal::cycles(path, CyclesFault::NoShards);
        if !files::is_directory(path) {
            return Self::one(path);
        }
        for top in tops_of(path) {
            if let Some(store) = look::store(&top)? {
                let mut named = Self {
                    base: top,
                    shards: Vec::new(),
                    faults: store.faults,
                    extent: PacksExtent::Store,
                };
                store.shards.into_iter().for_each(|shard| named.add(shard));
                return Ok(named);
            }
        }
        let shard = path.file_name().and_then(|name| Shard::of_directory(name.to_str()?));
        let shard = shard.ok_or_else(nothing)?;
        let seen = look::look_at(path, shard, "")?;
        let mut named = Self {
            base: files::parent(path).to_owned(),
            shards: Vec::new(),
            faults: Vec::new(),
            extent: PacksExtent::Shard,
        };
        named.add(seen);
        Ok(named)
    }

    fn one(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let directory = files::parent(path);
        let shard = directory
            .file_name()
            .and_then(|name| Shard::of_directory(name.to_str()?));
        let packs = vec![seen_pack(look::look_at_file(path, name)?)];
        Ok(Self {
            base: directory.to_owned(),
            faults: faults_of_members(&packs),
            shards: vec![NamedShard { shard, packs }],
            extent: PacksExtent::Pack,
        })
    }

    /// Returns whether there is nothing to judge.
    pub(super) fn is_empty(&self) -> bool {
        self.faults.is_empty() && self.shards.iter().all(|shard| shard.packs.is_empty())
    }

    fn add(&mut self, seen: SeenShard) {
        let packs: Vec<SeenPack> = seen.files.into_iter().map(seen_pack).collect();
        self.faults.extend(seen.faults);
        self.faults.extend(faults_of_shard(&packs));
        self.shards.push(NamedShard {
            shard: Some(seen.shard),
            packs,
        });
    }
}

/// Takes what a look at a file found.
pub(super) fn seen_pack(file: SeenFile) -> SeenPack {
    SeenPack {
        path: file.path,
        size: file.size,
        start_of_file: file.start_of_file,
    }
}

/// Returns what could be the top of a store if `path` is that, its `agency`, or the directory of all shards.
fn tops_of(path: &Path) -> Vec<PathBuf> {
    let mut tops = vec![path.to_owned()];
    for (suffix, levels) in [(ROOT, 2), ("agency", 1)] {
        if path.ends_with(suffix) {
            tops.extend(path.ancestors().nth(levels).map(Path::to_owned));
        }
    }
    tops
}

/// Returns the shard and the name of a pack that is somewhere else at this path, such as in a sealed pack.
pub(super) fn place_of(path: &str) -> Option<(Option<Shard>, &str)> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let directory = directory.rsplit_once('/').map_or(directory, |(_, last)| last);
    is_meant_as_pack(name).then(|| (Shard::of_directory(directory), name))
}
