//! `git pack agent verify`: checks public packs, hashes them, and compares them with an earlier state.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::adapters::{files, workers};
use crate::format::agent::HEADER;
use crate::format::agent::genome::{CYCLE, ROOT, Shard, byte_of, cycles_in};
use crate::format::digest::{Digest, Hasher};
use crate::ops::Context;
use crate::ops::agent::earlier::{Earlier, EarlierPack};
use crate::ops::agent::exactly::hash_next;
use crate::ops::agent::named::{NamedPacks, NamedShard, PacksExtent};
use crate::ops::agent::top;
use crate::refusal::agent::{CyclesFault, GenomeFault};
use crate::refusal::{Refusal, Result};
use crate::rules::agent::genome::SeenPack;

/// The packs to check.
#[derive(Clone, Debug, Default)]
pub struct VerifyStoreRequest {
    /// A store, a shard or a pack; by default the store at the top of the work tree.
    pub path: Option<PathBuf>,
    /// An earlier store, or a sealed pack of it, that the packs must continue.
    pub against: Option<PathBuf>,
}

/// The result of checking packs.
#[derive(Debug)]
pub struct StoreReport {
    /// The shards, sorted.
    pub shards: Vec<ShardReport>,
    /// The faults, each with its path, sorted by path.
    pub faults: Vec<(String, GenomeFault)>,
    /// SHA-256 of what `sha256sum` prints for all packs, sorted by path.
    pub digest: Digest,
    /// Number of cycles of the earlier state, if there is one to compare with.
    pub earlier_cycles: Option<u64>,
}

/// The result of checking a shard.
#[derive(Debug)]
pub struct ShardReport {
    /// The shard. `None` if its directory is not named like one.
    pub shard: Option<Shard>,
    /// Its packs, in the order of their names.
    pub packs: Vec<PackReport>,
}

/// A pack that was read.
#[derive(Debug)]
pub struct PackReport {
    /// Its path.
    pub path: String,
    /// Its first cycle, by its name.
    pub start: Option<u64>,
    /// How many whole cycles it has.
    pub cycles: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of the file. `None` if it could not be read.
    pub hash: Option<Digest>,
}

/// Checks public packs. Reads all of them, and changes nothing.
///
/// While cycles are appended, what was there in the beginning is checked.
pub fn verify_store(ctx: &Context, request: &VerifyStoreRequest) -> Result<StoreReport> {
    let path = match &request.path {
        Some(path) => ctx.cwd.join(path),
        None => top(ctx, None)?,
    };
    let named = NamedPacks::at(&path)?;
    let earlier = match &request.against {
        Some(against) => Some(Earlier::read(ctx, against)?),
        None => None,
    };
    let comparison = compared(&named, &earlier, request)?;
    // Where nothing was checked, the answer is not yes. Against an earlier state, everything is missing then.
    if named.is_empty() && comparison.is_none() {
        return Err(Refusal::cycles(&path, CyclesFault::NoShards));
    }
    let mut faults = named.faults.clone();
    let mut differing: Vec<Differing> = Vec::new();
    let mut shards = Vec::new();
    for shard in &named.shards {
        let read = workers::map(
            &shard.packs,
            || Ok(()),
            |(), pack| {
                let before = comparison
                    .as_ref()
                    .and_then(|comparison| comparison.before.get(pack.path.as_str()));
                let before = before.copied().zip(earlier.as_ref());
                Ok::<_, Refusal>(read(&named.base.join(&pack.path), pack, before))
            },
        )?;
        let mut packs = Vec::new();
        for (pack, read) in shard.packs.iter().zip(read) {
            let path = || pack.path.clone();
            let hash = match read {
                Ok((hash, None)) => Some(hash),
                Ok((hash, Some((cycle, fault)))) => {
                    differing.push((shard.shard.clone(), cycle, path(), fault));
                    Some(hash)
                }
                Err(refused) => {
                    let said = refused.to_string();
                    faults.push((path(), GenomeFault::Unreadable { said }));
                    None
                }
            };
            packs.push(PackReport {
                path: path(),
                start: pack.start(),
                cycles: pack.cycles(),
                bytes: pack.size,
                hash,
            });
        }
        shards.push(ShardReport {
            shard: shard.shard.clone(),
            packs,
        });
    }
    if let Some(comparison) = &comparison {
        differing.extend(comparison.lost.iter().map(|before| lost(before, named.extent)));
    }
    // Behind the first difference of a shard, everything may differ because of it.
    differing.sort();
    differing.dedup_by(|next, first| next.0 == first.0);
    faults.extend(differing.into_iter().map(|(_, _, path, fault)| (path, fault)));
    faults.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(StoreReport {
        digest: digest_of(&shards),
        shards,
        faults,
        earlier_cycles: comparison.map(|comparison| comparison.cycles),
    })
}

/// Finds what is compared with what. Refuses if nothing would be.
fn compared<'a>(
    named: &'a NamedPacks,
    earlier: &'a Option<Earlier>,
    request: &VerifyStoreRequest,
) -> Result<Option<Comparison<'a>>> {
    let (Some(earlier), Some(against)) = (earlier, &request.against) else {
        return Ok(None);
    };
    let refused = |fault| Refusal::cycles(against, fault);
    let comparison = Comparison::of(named, earlier).map_err(refused)?;
    match comparison.is_empty() {
        true => Err(refused(CyclesFault::NothingEarlier)),
        false => Ok(Some(comparison)),
    }
}

/// The first difference of a pack: its shard, the cycle, the path, and what differs.
type Differing = (Option<Shard>, u64, String, GenomeFault);

fn lost(before: &EarlierPack, extent: PacksExtent) -> Differing {
    let fault = GenomeFault::Lost {
        first: before.start,
        count: cycles_in(before.size),
    };
    let name = before.path.rsplit('/').next().unwrap_or_default();
    let path = match (&before.shard, extent) {
        (Some(shard), PacksExtent::Store) => format!("{ROOT}/{}/{name}", shard.as_str()),
        _ => before.path.clone(),
    };
    (before.shard.clone(), before.start, path, fault)
}

/// Which earlier packs are compared.
struct Comparison<'a> {
    /// The earlier state of packs that are there, by their paths.
    before: BTreeMap<&'a str, &'a EarlierPack>,
    /// The earlier packs that are not there any more.
    lost: Vec<&'a EarlierPack>,
    /// Number of cycles in all of them.
    cycles: u64,
}

impl<'a> Comparison<'a> {
    /// Finds the earlier state of everything that was named. Earlier packs of other shards do not count.
    fn of(named: &'a NamedPacks, earlier: &'a Earlier) -> Result<Self, CyclesFault> {
        let alone = match &named.shards[..] {
            [alone] => Some(alone),
            _ => None,
        };
        // A pack may have been sealed without the directory that names its shard.
        let is_any =
            |alone: &NamedShard| alone.shard.is_none() || earlier.packs.iter().all(|pack| pack.shard.is_none());
        let any_shard = alone.is_some_and(is_any);
        let loose = earlier.packs.iter().find(|pack| pack.shard.is_none());
        if let Some(loose) = loose.filter(|_| !any_shard) {
            return Err(CyclesFault::WhichShard {
                path: loose.path.clone(),
            });
        }
        let key = |shard: &'a Option<Shard>, start| (shard.as_ref().filter(|_| !any_shard), start);
        let ours: BTreeMap<_, &SeenPack> = named
            .shards
            .iter()
            .flat_map(|shard| shard.packs.iter().map(move |pack| (shard, pack)))
            .filter_map(|(shard, pack)| Some((key(&shard.shard, pack.start()?), pack)))
            .collect();
        let mut found = Self {
            before: BTreeMap::new(),
            lost: Vec::new(),
            cycles: 0,
        };
        for before in &earlier.packs {
            let key = key(&before.shard, before.start);
            let counts = match named.extent {
                PacksExtent::Store => true,
                PacksExtent::Shard => any_shard || alone.is_some_and(|alone| alone.shard == before.shard),
                PacksExtent::Pack => ours.contains_key(&key),
            };
            if !counts {
                continue;
            }
            found.cycles += cycles_in(before.size);
            match ours.get(&key) {
                Some(pack) => drop(found.before.insert(&pack.path, before)),
                None => found.lost.push(before),
            }
        }
        Ok(found)
    }

    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.lost.is_empty()
    }
}

/// Hashes a pack, and finds the first cycle that differs from its earlier state, with what differs.
fn read(
    file: &Path,
    pack: &SeenPack,
    before: Option<(&EarlierPack, &Earlier)>,
) -> Result<(Digest, Option<(u64, GenomeFault)>)> {
    let reading = |e| Refusal::io("reading", file)(e);
    let shared = before.map_or(0, |(before, _)| before.size.min(byte_of(pack.cycles())));
    let mut opened = files::open_range(file, 0, pack.size)?;
    let mut hasher = Hasher::default();
    hash_next(&mut hasher, &mut *opened, shared).map_err(reading)?;
    let prefix = hasher.clone().finish();
    hash_next(&mut hasher, &mut *opened, pack.size - shared).map_err(reading)?;
    let hash = hasher.finish();
    let Some((before, earlier)) = before else {
        return Ok((hash, None));
    };
    if shared == before.size && prefix == before.hash {
        return Ok((hash, None));
    }
    let mut ours = files::open_range(file, 0, shared)?;
    let differs = first_difference(&mut *ours, &mut *earlier.reader(before)?, shared).map_err(reading)?;
    Ok((hash, Some(difference(before, shared, differs))))
}

/// Returns the first cycle that differs, with what differs. `at` is the first byte that does, of the `shared` ones.
fn difference(before: &EarlierPack, shared: u64, at: Option<u64>) -> (u64, GenomeFault) {
    match at {
        Some(at) if at < HEADER as u64 => (before.start, GenomeFault::HeaderDiffers),
        Some(at) => {
            let cycle = before.start + (at - HEADER as u64) / CYCLE;
            (cycle, GenomeFault::Differs { cycle })
        }
        None => {
            let first = before.start + cycles_in(shared);
            let count = cycles_in(before.size) - cycles_in(shared);
            (first, GenomeFault::Lost { first, count })
        }
    }
}

/// Returns the first of `size` bytes in which two readers differ.
fn first_difference(one: &mut dyn Read, other: &mut dyn Read, size: u64) -> io::Result<Option<u64>> {
    let mut buffers = [vec![0; 128 << 10], vec![0; 128 << 10]];
    let mut at = 0;
    while at < size {
        let most = usize::try_from(size - at).unwrap_or(usize::MAX).min(buffers[0].len());
        let [ours, theirs] = &mut buffers;
        one.read_exact(&mut ours[..most])?;
        other.read_exact(&mut theirs[..most])?;
        if let Some(differs) = ours[..most]
            .iter()
            .zip(&theirs[..most])
            .position(|(one, other)| one != other)
        {
            return Ok(Some(at + differs as u64));
        }
        at += most as u64;
    }
    Ok(None)
}

/// Returns SHA-256 of the lines that `sha256sum` prints for the packs.
fn digest_of(shards: &[ShardReport]) -> Digest {
    let mut hasher = Hasher::default();
    for pack in shards.iter().flat_map(|shard| &shard.packs) {
        if let Some(hash) = pack.hash {
            hasher.update(format!("{}  {}\n", hash.hex(), pack.path).as_bytes());
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_a_cycle_or_the_header() {
        let before = EarlierPack {
            shard: None,
            path: "x".into(),
            start: 10,
            size: byte_of(4),
            hash: Digest::of(b""),
        };
        for (shared, at, cycle, fault) in [
            (4, Some(0), 10, GenomeFault::HeaderDiffers),
            (4, Some(127), 10, GenomeFault::HeaderDiffers),
            (4, Some(128), 10, GenomeFault::Differs { cycle: 10 }),
            (4, Some(128 + 23), 10, GenomeFault::Differs { cycle: 10 }),
            (4, Some(128 + 24), 11, GenomeFault::Differs { cycle: 11 }),
            (3, None, 13, GenomeFault::Lost { first: 13, count: 1 }),
            (0, None, 10, GenomeFault::Lost { first: 10, count: 4 }),
        ] {
            assert_eq!(difference(&before, byte_of(shared), at), (cycle, fault));
        }
    }

    #[test]
    fn readers_are_compared_across_buffers() {
        let one = vec![7; 300_000];
        for at in [0, 131_071, 131_072, 299_999] {
            let mut other = one.clone();
            other[at] = 8;
            let found = first_difference(&mut &one[..], &mut &other[..], 300_000).unwrap();
            assert_eq!(found, Some(at as u64));
        }
        assert_eq!(first_difference(&mut &one[..], &mut &one[..], 300_000).unwrap(), None);
        assert!(first_difference(&mut &one[..], &mut &one[..9], 10).is_err());
    }
}
