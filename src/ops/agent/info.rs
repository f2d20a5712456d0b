//! Shows what a store holds, by the sizes and headers of its files.

use std::path::{Path, PathBuf};

use super::top_to_read;
use crate::adapters::agent_store::look;
pub use crate::adapters::agent_store::look_private::PrivateCounts;
use crate::adapters::agent_store::look_private::count_private;
use crate::adapters::files;
use crate::format::agent::SNAPSHOT;
use crate::format::agent::genome::{GenomeHeader, Shard};
use crate::ops::Context;
use crate::ops::agent::named::seen_pack;
use crate::refusal::Result;
use crate::rules::agent::genome::{SeenPack, faults_of_shard};

/// What a store holds.
#[derive(Debug)]
pub struct InfoReport {
    /// The top of the store.
    pub top: PathBuf,
    /// Its shards, sorted.
    pub shards: Vec<ShardInfo>,
    /// How many things are among the shards and do not belong there.
    pub faults: u64,
    /// Its private files.
    pub private: PrivateCounts,
}

/// What a shard holds.
#[derive(Debug)]
pub struct ShardInfo {
    /// The shard.
    pub shard: Shard,
    /// How many packs.
    pub packs: u64,
    /// How many whole cycles.
    pub cycles: u64,
    /// The sizes of the packs together, in bytes.
    pub bytes: u64,
    /// The number of the next cycle.
    pub next: u64,
    /// The snapshot of the last pack. `None` if the shard has no packs, or the last header is not valid.
    pub snapshot: Option<[u8; SNAPSHOT]>,
    /// How many faults it has.
    pub faults: u64,
}

/// Summarises a store. Reads no cycles.
pub fn info(ctx: &Context, store: Option<PathBuf>) -> Result<InfoReport> {
    let top = top_to_read(ctx, store.as_deref())?;
    // A mistyped directory must not look like an empty store.
    files::canonical(&top)?;
    look_into(&top)
}

/// Summarises the store at this top.
pub fn look_into(top: &Path) -> Result<InfoReport> {
    let seen = look::store(top)?.unwrap_or_default();
    Ok(InfoReport {
        shards: seen.shards.into_iter().map(shard).collect(),
        faults: seen.faults.len() as u64,
        private: count_private(top)?,
        top: top.to_owned(),
    })
}

impl InfoReport {
    /// Returns whether there is nothing in the store.
    pub fn is_empty(&self) -> bool {
        self.shards.is_empty() && self.faults == 0 && self.private == PrivateCounts::default()
    }

    /// Returns the number of all faults.
    pub fn all_faults(&self) -> u64 {
        self.faults + sum(self.shards.iter().map(|shard| shard.faults))
    }
}

fn shard(seen: look::SeenShard) -> ShardInfo {
    let packs: Vec<SeenPack> = seen.files.into_iter().map(seen_pack).collect();
    let ends = packs
        .iter()
        .filter_map(|pack| Some(pack.start()?.saturating_add(pack.cycles())));
    let last = packs.last();
    let header = last.and_then(|last| GenomeHeader::parse(&last.start_of_file).ok());
    ShardInfo {
        packs: packs.len() as u64,
        cycles: sum(packs.iter().map(SeenPack::cycles)),
        bytes: sum(packs.iter().map(|pack| pack.size)),
        next: ends.max().unwrap_or(0),
        snapshot: header.map(|header| header.snapshot),
        faults: (seen.faults.len() + faults_of_shard(&packs).len()) as u64,
        shard: seen.shard,
    }
}

/// Adds up. A hole in a file costs nothing, so the sum may be as large as somebody likes.
pub fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}
