//! Appends cycles to the last pack of a shard, and begins new packs where one is full.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::top;
use crate::adapters::agent_store::input::CyclesInput;
use crate::adapters::agent_store::pack::{PackFile, PackLock, make};
use crate::adapters::agent_store::salt::random_salt;
use crate::adapters::agent_store::shard::ShardDirectory;
use crate::adapters::files::{ensure_stays_in_tree, read_any, remove};
use crate::format::agent::SNAPSHOT;
use crate::format::agent::chain::{ChainLink, PackChain};
use crate::format::agent::genome::{CYCLE, GenomeHeader, MAX_CYCLES, ROOT, Shard, cycles_in, torn_bytes};
use crate::ops::Context;
use crate::refusal::agent::{AgentFault, CyclesFault, GenomeFault};
use crate::refusal::shown::shown_path;
use crate::refusal::{Refusal, Result};

/// How often appending is tried while another program seems to be making a pack.
const TRIES: u32 = 50;
/// The time between two tries.
const BETWEEN: Duration = Duration::from_millis(10);

/// Bytes that are read of a file that should be a snapshot.
const MAX_SNAPSHOT: u64 = 1 << 20;

/// What to append, and where.
pub struct AppendRequest<'a> {
    /// The top of the store. `None` for the default.
    pub store: Option<PathBuf>,
    /// The shard.
    pub shard: Shard,
    /// Where the cycles come from.
    pub cycles: CyclesFrom<'a>,
    /// The largest size of a pack in bytes.
    pub pack_size: u64,
    /// A file with the snapshot of new packs. `None` for that of the shard.
    pub snapshot: Option<PathBuf>,
    /// Whether to write nothing.
    pub dry_run: bool,
}

/// Where cycles come from.
pub enum CyclesFrom<'a> {
    /// A file.
    File(PathBuf),
    /// A stream, to its end.
    Stream(&'a mut dyn Read),
}

/// What was appended.
#[derive(Debug)]
pub struct AppendReport {
    /// The shard.
    pub shard: Shard,
    /// The number of the first cycle that was appended, or would have been.
    pub first: Option<u64>,
    /// How many cycles were appended.
    pub cycles: u64,
    /// The packs that were written to.
    pub packs: Vec<PathBuf>,
}

/// A part of a cycle at the end of a shard, which a process left that was killed. It was cut off.
pub struct TornTail {
    /// The pack.
    pub pack: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Appends whole cycles. They are on the disk when this returns.
///
/// Nothing is locked before the input has been read. If writing fails, the shard is as it was before. `told` hears of a
/// part of a cycle at once, because it stays cut off whatever happens then.
pub fn append(ctx: &Context, request: AppendRequest, told: &mut dyn FnMut(&TornTail)) -> Result<AppendReport> {
    let top = top(ctx, request.store.as_deref())?;
    ensure_stays_in_tree(&top)?;
    let snapshot = request.snapshot.map(|file| GivenSnapshot::read(ctx.cwd.join(file)));
    let snapshot = snapshot.transpose()?;
    let beside = top.join(ROOT.split('/').next().unwrap_or(ROOT));
    let most = MAX_CYCLES * CYCLE;
    let input = match request.cycles {
        CyclesFrom::File(file) => CyclesInput::of_file(&ctx.cwd.join(file), most, &beside)?,
        CyclesFrom::Stream(stream) => CyclesInput::of_stream(stream, Path::new("standard input"), most, &beside)?,
    };
    if !input.bytes.is_multiple_of(CYCLE) && input.bytes < most {
        let bytes = input.bytes;
        return Err(Refusal::cycles(&input.name, CyclesFault::PartialCycle { bytes }));
    }
    let cycles = input.bytes.div_ceil(CYCLE);
    if cycles == 0 {
        return Ok(AppendReport {
            shard: request.shard,
            first: None,
            cycles,
            packs: Vec::new(),
        });
    }
    let work = Work {
        input,
        cycles,
        capacity: cycles_in(request.pack_size),
        snapshot,
    };
    if request.dry_run {
        return Ok(AppendReport {
            first: Some(work.planned(&top, &request.shard)?),
            shard: request.shard,
            cycles,
            packs: Vec::new(),
        });
    }
    let mut tries = 1;
    loop {
        let shard = ShardDirectory::to_append(&top, &request.shard)?;
        match work.under_lock(&shard, told) {
            Ok((first, packs)) => {
                return Ok(AppendReport {
                    shard: request.shard,
                    first: Some(first),
                    cycles,
                    packs,
                });
            }
            Err(refused) => {
                shard.remove_made();
                if tries == TRIES || !may_pass(&refused) {
                    return Err(refused);
                }
            }
        }
        tries += 1;
        std::thread::sleep(BETWEEN);
    }
}

/// Returns whether a refusal may come from a program that is making a pack and does not lock the directory.
fn may_pass(refused: &Refusal) -> bool {
    matches!(
        refused,
        Refusal::Agent {
            fault: AgentFault::Genome(GenomeFault::Short { .. }) | AgentFault::Cycles(CyclesFault::Contended),
            ..
        }
    )
}

/// A snapshot that the user gives.
struct GivenSnapshot {
    file: PathBuf,
    bytes: [u8; SNAPSHOT],
}

impl GivenSnapshot {
    fn read(file: PathBuf) -> Result<Self> {
        let bytes = read_any(&file, MAX_SNAPSHOT)?;
        let length = CyclesFault::SnapshotLength {
            bytes: bytes.len() as u64,
        };
        match bytes.try_into() {
            Ok(bytes) => Ok(Self { file, bytes }),
            Err(_) => Err(Refusal::cycles(&file, length)),
        }
    }
}

/// The input, ready to be written.
struct Work {
    input: CyclesInput,
    cycles: u64,
    /// How many cycles fit into a pack.
    capacity: u64,
    snapshot: Option<GivenSnapshot>,
}

impl Work {
    /// Returns the number of the first new cycle, and writes nothing.
    fn planned(&self, top: &Path, shard: &Shard) -> Result<u64> {
        let Some(shard) = ShardDirectory::to_read(top, shard)? else {
            return self.snapshot_of(None).map(|_| 0);
        };
        let chain = chain_of(&shard, shard.links()?)?;
        let last = |link: ChainLink| -> Result<LastPack> {
            let pack = PackFile::to_read(shard.pack(link.start))?;
            let header = header_of(&pack, link.start)?;
            Ok(LastPack { pack, link, header })
        };
        let last = chain.last().map(last).transpose()?;
        self.ensure_numbers(&shard, chain.cycles())?;
        self.snapshot_of(last.as_ref())?;
        Ok(chain.cycles())
    }

    /// Refuses if there are not enough numbers after `next` for the cycles.
    fn ensure_numbers(&self, shard: &ShardDirectory, next: u64) -> Result<()> {
        match self.cycles > MAX_CYCLES.saturating_sub(next) {
            true => Err(Refusal::cycles(&shard.path, CyclesFault::NoNumbers { next })),
            false => Ok(()),
        }
    }

    /// Appends to a locked shard. Returns the number of the first new cycle, and the packs that were written to.
    fn under_lock(&self, shard: &ShardDirectory, told: &mut dyn FnMut(&TornTail)) -> Result<(u64, Vec<PathBuf>)> {
        let (chain, mut last) = settled(shard)?;
        let next = chain.cycles();
        self.ensure_numbers(shard, next)?;
        let snapshot = self.snapshot_of(last.as_ref())?;
        if let Some(last) = &last {
            let bytes = torn_bytes(last.link.size);
            if bytes > 0 {
                last.pack.cut(last.link.whole())?;
                let pack = last.pack.path.clone();
                told(&TornTail { pack, bytes });
            }
        }
        let mut written = Written::default();
        match self.write(shard, last.as_mut(), next, &snapshot, &mut written) {
            Ok(()) => Ok((next, written.packs)),
            Err(failed) => match written.take_back(shard, last.as_ref()) {
                Ok(()) => Err(failed),
                Err(refused) => {
                    let fault = CyclesFault::NotTakenBack {
                        failed: failed.to_string(),
                        said: refused.to_string(),
                    };
                    Err(Refusal::cycles(&shard.path, fault))
                }
            },
        }
    }

    /// Returns the snapshot of new packs.
    fn snapshot_of(&self, last: Option<&LastPack>) -> Result<[u8; SNAPSHOT]> {
        match (&self.snapshot, last) {
            (Some(given), Some(last)) if given.bytes != last.header.snapshot => {
                let pack = shown_path(&last.pack.path);
                Err(Refusal::cycles(&given.file, CyclesFault::OtherSnapshot { pack }))
            }
            (_, Some(last)) => Ok(last.header.snapshot),
            (Some(given), None) => Ok(given.bytes),
            (None, None) => Ok([0; SNAPSHOT]),
        }
    }

    /// Fills the last pack, then makes new ones. Notes what was written as soon as anything may be.
    fn write(
        &self,
        shard: &ShardDirectory,
        last: Option<&mut LastPack>,
        next: u64,
        snapshot: &[u8; SNAPSHOT],
        written: &mut Written,
    ) -> Result<()> {
        let mut done = 0;
        if let Some(last) = last {
            let room = self.capacity.saturating_sub(last.link.cycles());
            done = room.min(self.cycles);
            if done > 0 {
                written.to_last = true;
                written.packs.push(last.pack.path.clone());
                last.pack.append(&self.input, 0, done)?;
            }
        }
        while done < self.cycles {
            let start = next + done;
            let count = self.capacity.min(self.cycles - done);
            let path = shard.pack(start);
            let header = GenomeHeader {
                start: u32::try_from(start)
                    .map_err(|_| Refusal::cycles(&shard.path, CyclesFault::NoNumbers { next }))?,
                snapshot: *snapshot,
                salt: random_salt()?,
            };
            written.lock = make(&path, &header, &self.input, done, count)?;
            written.packs.push(path);
            done += count;
        }
        self.input.ensure_unchanged()
    }
}

/// What a call has written so far.
#[derive(Default)]
struct Written {
    /// Whether something was appended to the pack that was the last one.
    to_last: bool,
    /// All packs that were written to.
    packs: Vec<PathBuf>,
    /// The lock on the newest pack.
    lock: Option<PackLock>,
}

impl Written {
    /// Takes it back: the newest first, so that the packs follow one another whenever this stops.
    fn take_back(&self, shard: &ShardDirectory, last: Option<&LastPack>) -> Result<()> {
        let made = &self.packs[usize::from(self.to_last)..];
        for path in made.iter().rev() {
            remove(path)?;
        }
        if !made.is_empty() {
            shard.sync()?;
        }
        match last.filter(|_| self.to_last) {
            Some(last) => last.pack.cut(last.link.whole()),
            None => Ok(()),
        }
    }
}

/// The last pack of a shard, locked.
struct LastPack {
    pack: PackFile,
    link: ChainLink,
    header: GenomeHeader,
}

/// Returns the packs of a locked shard, and the last of them, locked as well.
fn settled(shard: &ShardDirectory) -> Result<(PackChain, Option<LastPack>)> {
    let mut links = shard.links()?;
    loop {
        let Some(newest) = links.iter().max().copied() else {
            return Ok((PackChain::default(), None));
        };
        let pack = PackFile::to_append(shard.pack(newest.start))?;
        links = shard.links()?;
        if links.iter().max().is_none_or(|link| link.start != newest.start) {
            continue;
        }
        let chain = chain_of(shard, links)?;
        let header = header_of(&pack, newest.start)?;
        let last = chain.last().map(|link| LastPack { pack, link, header });
        return Ok((chain, last));
    }
}

/// Puts the packs of a shard in order.
pub(super) fn chain_of(shard: &ShardDirectory, links: Vec<ChainLink>) -> Result<PackChain> {
    PackChain::of(links).map_err(|(start, fault)| Refusal::genome(&shard.pack(start), fault))
}

/// Reads the header of a pack that begins with the cycle `start` by its name.
pub(super) fn header_of(pack: &PackFile, start: u64) -> Result<GenomeHeader> {
    let refused = |fault| Refusal::genome(&pack.path, fault);
    let parsed = GenomeHeader::parse(&pack.header()?);
    let header = parsed.map_err(|faults| refused(faults.into_iter().next().unwrap_or(GenomeFault::Reserved)))?;
    match u64::from(header.start) == start {
        true => Ok(header),
        false => Err(refused(GenomeFault::StartIndex {
            name: start,
            header: header.start,
        })),
    }
}
