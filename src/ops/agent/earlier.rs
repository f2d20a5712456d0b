//! The earlier state that a store is compared with: a store, or a sealed pack of one.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::adapters::{files, workers};
use crate::format::agent::genome::{Shard, byte_of, cycles_in, is_meant_as_pack, start_of};
use crate::format::destination::PlaceAddress;
use crate::format::digest::Digest;
use crate::format::member_path::MANIFEST;
use crate::ops::Context;
use crate::ops::agent::exactly::hash_of;
use crate::ops::agent::named::{NamedPacks, place_of};
use crate::ops::pack::given::GivenPack;
use crate::ops::pack::sealed_pack::ensure_sound;
use crate::ops::pack::verify::verify_source;
use crate::refusal::agent::{AgentFault, CyclesFault, GenomeFault};
use crate::refusal::{Refusal, Result};
use crate::rules::agent::genome::SeenPack;
use crate::rules::pack::places::in_sealed;

/// An earlier state of public packs.
pub(super) struct Earlier {
    holder: Holder,
    /// Its packs.
    pub(super) packs: Vec<EarlierPack>,
}

/// What holds the packs.
enum Holder {
    /// A directory.
    Directory(PathBuf),
    /// A sealed pack.
    Sealed(GivenPack),
}

/// A pack of an earlier state.
pub(super) struct EarlierPack {
    /// Its shard. `None` if the directory that it is in is not named like one.
    pub(super) shard: Option<Shard>,
    /// Its path in what holds it.
    pub(super) path: String,
    /// Its first cycle, by its name.
    pub(super) start: u64,
    /// Its size in bytes, without a part of a cycle at its end.
    pub(super) size: u64,
    /// SHA-256 of so many bytes.
    pub(super) hash: Digest,
}

impl Earlier {
    /// Reads the earlier state at `path`. A sealed pack must verify, and packs of cycles must be valid, but for a part of a
    /// cycle at the end of the last one.
    pub(super) fn read(ctx: &Context, path: &Path) -> Result<Self> {
        let earlier = match is_sealed_pack(ctx, path)? {
            true => Self::of_pack(ctx, path)?,
            false => Self::of_store(&real(ctx, path)?)?,
        };
        match earlier.packs.is_empty() {
            true => Err(Refusal::cycles(path, CyclesFault::NothingEarlier)),
            false => earlier.without_doubles(path),
        }
    }

    fn of_store(path: &Path) -> Result<Self> {
        let named = NamedPacks::at(path)?;
        let is_torn = |fault: &GenomeFault| matches!(fault, GenomeFault::Torn { .. });
        if let Some((fault_of, fault)) = named.faults.iter().find(|(_, fault)| !is_torn(fault)) {
            return Err(Refusal::Agent {
                path: named.base.join(fault_of),
                fault: AgentFault::Genome(fault.clone()),
            });
        }
        let all: Vec<(&Option<Shard>, &SeenPack)> = named
            .shards
            .iter()
            .flat_map(|shard| shard.packs.iter().map(move |pack| (&shard.shard, pack)))
            .collect();
        let packs = workers::map(
            &all,
            || Ok(()),
            |(), (shard, pack)| {
                let Some(start) = pack.start() else { return Ok(None) };
                let size = byte_of(pack.cycles());
                let file = named.base.join(&pack.path);
                let hash = hash_of(&mut *files::open_range(&file, 0, size)?, size);
                Ok::<_, Refusal>(Some(EarlierPack {
                    shard: (*shard).clone(),
                    path: pack.path.clone(),
                    start,
                    size,
                    hash: hash.map_err(Refusal::io("reading", &file))?,
                }))
            },
        )?;
        let packs = packs.into_iter().flatten().collect();
        Ok(Self {
            holder: Holder::Directory(named.base),
            packs,
        })
    }

    fn of_pack(ctx: &Context, path: &Path) -> Result<Self> {
        let given = GivenPack::of(ctx, path)?;
        let source = given.source();
        ensure_sound(&verify_source(&source)?, path)?;
        let mut packs = Vec::new();
        let manifest = source.manifest()?;
        for member in manifest.members.iter() {
            // What is sealed cannot be compared, and leaving it out would prove too much.
            if in_sealed(member.path) && place_of(member.path.trim_end_matches(".age")).is_some() {
                let sealed = member.path.to_owned();
                return Err(Refusal::cycles(path, CyclesFault::SealedEarlier { path: sealed }));
            }
            let Some((shard, name)) = place_of(member.path) else {
                continue;
            };
            let Some(start) = start_of(name) else { continue };
            let mut read = None;
            source.member(member.path, &mut |content, stated| {
                let size = byte_of(cycles_in(stated));
                read = Some((size, hash_of(content, size)?));
                io::copy(content, &mut io::sink()).map(drop)
            })?;
            if let Some((size, hash)) = read {
                packs.push(EarlierPack {
                    shard,
                    path: member.path.to_owned(),
                    start,
                    size,
                    hash,
                });
            }
        }
        Ok(Self {
            holder: Holder::Sealed(given),
            packs,
        })
    }

    /// Refuses if two packs could be the earlier state of one.
    fn without_doubles(mut self, path: &Path) -> Result<Self> {
        self.packs
            .sort_by(|one, other| (&one.shard, one.start).cmp(&(&other.shard, other.start)));
        let same = |pair: &&[EarlierPack]| (&pair[0].shard, pair[0].start) == (&pair[1].shard, pair[1].start);
        match self.packs.windows(2).find(same) {
            Some([one, other]) => Err(Refusal::cycles(
                path,
                CyclesFault::TwoEarlier {
                    paths: [one.path.clone(), other.path.clone()],
                },
            )),
            _ => Ok(self),
        }
    }

    /// Returns a reader of a pack.
    pub(super) fn reader(&self, pack: &EarlierPack) -> Result<Box<dyn Read + Send>> {
        match &self.holder {
            Holder::Directory(base) => files::open_range(&base.join(&pack.path), 0, pack.size),
            Holder::Sealed(given) => given.source().range(&pack.path, 0, pack.size),
        }
    }
}

/// Returns the place that a path leads to. The user named it, so links are followed.
fn real(ctx: &Context, path: &Path) -> Result<PathBuf> {
    files::canonical(&ctx.cwd.join(path))
}

/// Returns whether `path` stands for a sealed pack, not for a store or one of its packs.
fn is_sealed_pack(ctx: &Context, path: &Path) -> Result<bool> {
    if path.to_str().is_some_and(PlaceAddress::is_address) {
        return Ok(true);
    }
    let place = real(ctx, path)?;
    if files::is_directory(&place) {
        return Ok(files::exists(&place.join(MANIFEST)));
    }
    let meant_as_pack = place
        .file_name()
        .is_some_and(|name| is_meant_as_pack(&name.to_string_lossy()));
    Ok(!meant_as_pack && files::exists(&place))
}
