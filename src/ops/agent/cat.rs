//! Reads a range of cycles of a shard.

use std::path::{Path, PathBuf};

use super::append::{chain_of, header_of};
use super::top_to_read;
use crate::adapters::agent_store::pack::PackFile;
use crate::adapters::agent_store::shard::{ShardDirectory, shards};
use crate::format::agent::HEADER;
use crate::format::agent::chain::PackChain;
use crate::format::agent::genome::{ROOT, Shard};
use crate::ops::Context;
use crate::refusal::agent::CyclesFault;
use crate::refusal::{Refusal, Result};

/// Which cycles to read.
pub struct CatRequest {
    /// The top of the store. `None` for the default.
    pub store: Option<PathBuf>,
    /// The shard. `None` for the only one.
    pub shard: Option<Shard>,
    /// The first cycle.
    pub from: u64,
    /// How many. `None` for all that follow.
    pub count: Option<u64>,
}

/// Passes cycles to `each`, whole ones and several at a time, until it returns false.
///
/// Reads the names and sizes of the packs, the headers of those that hold the cycles, and the cycles. If some of them are
/// not there, it passes none.
pub fn cat(ctx: &Context, request: &CatRequest, each: &mut dyn FnMut(&[u8]) -> bool) -> Result<()> {
    let top = top_to_read(ctx, request.store.as_deref())?;
    let shard = match &request.shard {
        Some(shard) => shard.clone(),
        None => only_shard(&top)?,
    };
    let none = || Refusal::cycles(&top.join(ROOT).join(shard.as_str()), CyclesFault::NoSuchShard);
    let directory = ShardDirectory::to_read(&top, &shard)?.ok_or_else(none)?;
    let chain = settled(&directory)?;
    let has = chain.cycles();
    let count = request.count.unwrap_or_else(|| has.saturating_sub(request.from));
    let stretches = chain.range(request.from, count).ok_or_else(|| {
        let (from, count) = (request.from, request.count);
        Refusal::cycles(&directory.path, CyclesFault::OutOfRange { from, count, has })
    })?;
    let open = |start| PackFile::to_read(directory.pack(start));
    for stretch in &stretches {
        header_of(&open(stretch.link.start)?, stretch.link.start)?;
    }
    // What is there now stays as it is, so nobody waits for the reader of the output.
    let packs = stretches.iter().map(|stretch| directory.pack(stretch.link.start));
    let packs: Vec<PathBuf> = packs.collect();
    drop(directory);
    for (stretch, path) in stretches.iter().zip(packs) {
        if !PackFile::to_read(path)?.read(stretch.skip, stretch.count, each)? {
            break;
        }
    }
    Ok(())
}

/// Returns the only shard of a store.
fn only_shard(top: &Path) -> Result<Shard> {
    let mut shards = shards(top)?;
    match (shards.len(), shards.pop()) {
        (1, Some(only)) => Ok(only),
        (count, Some(last)) => {
            let first = shards.first().unwrap_or(&last).as_str().to_owned();
            Err(Refusal::cycles(top, CyclesFault::ManyShards { count, first }))
        }
        (_, None) => Err(Refusal::cycles(top, CyclesFault::NoShards)),
    }
}

/// Returns the packs of a shard, while nothing is being appended to it.
fn settled(shard: &ShardDirectory) -> Result<PackChain> {
    let mut links = shard.links()?;
    while let Some(newest) = links.iter().max().copied() {
        let last = PackFile::to_read(shard.pack(newest.start))?;
        last.share();
        links = shard.links()?;
        if links.iter().max().is_some_and(|link| link.start == newest.start) {
            break;
        }
    }
    // Another program may be making the last pack, and then it has no cycle yet.
    let last = links.iter().max().copied();
    links.retain(|link| link.size >= HEADER as u64 || Some(*link) != last);
    chain_of(shard, links)
}
