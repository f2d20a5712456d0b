//! What is wrong with the public packs and the private files of agents.

use std::fmt;
use std::path::Path;

use crate::refusal::Refusal;
use crate::refusal::private_file::PrivateFault;
use crate::refusal::shown::shown;

/// A fault of a public pack, or of a directory of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GenomeFault {
    /// The file is shorter than its header.
    Short {
        /// Its size in bytes.
        bytes: u64,
    },
    /// It begins with other bytes.
    Magic([u8; 4]),
    /// It has another version.
    Version(u8),
    /// It has flags.
    Flags(u8),
    /// It states another length of its header, in bytes.
    HeaderSize(u16),
    /// Reserved bytes are not zero.
    Reserved,
    /// Its name is not that of a pack.
    Name,
    /// Its header states another first cycle than its name.
    StartIndex {
        /// The cycle in the name.
        name: u64,
        /// The cycle in the header.
        header: u32,
    },
    /// Cycles are missing before it.
    Gap {
        /// The first missing cycle.
        first: u64,
        /// How many are missing.
        count: u64,
    },
    /// It begins with cycles that the pack before it has already.
    Overlap {
        /// The first cycle that is there twice.
        first: u64,
        /// How many are there twice.
        count: u64,
    },
    /// Behind its last whole cycle is a part of one.
    Torn {
        /// Length of that part in bytes.
        bytes: u64,
    },
    /// Something that is not a pack is among the packs.
    Foreign {
        /// What it is.
        kind: &'static str,
    },
    /// It cannot be read.
    Unreadable {
        /// Why not.
        said: String,
    },
    /// Its header is not the one that the earlier pack has.
    HeaderDiffers,
    /// A cycle is not the one that the earlier pack has.
    Differs {
        /// The first such cycle.
        cycle: u64,
    },
    /// Cycles are missing that the earlier pack has.
    Lost {
        /// The first missing cycle.
        first: u64,
        /// How many are missing.
        count: u64,
    },
}

impl GenomeFault {
    /// Returns the code of the fault, for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Short { .. } => "GENOME_HEADER_SHORT",
            Self::Magic(_) => "GENOME_MAGIC",
            Self::Version(_) => "GENOME_VERSION",
            Self::Flags(_) => "GENOME_FLAGS",
            Self::HeaderSize(_) => "GENOME_HEADER_SIZE",
            Self::Reserved => "GENOME_RESERVED",
            Self::Name => "GENOME_NAME",
            Self::StartIndex { .. } => "GENOME_START_INDEX",
            Self::Gap { .. } => "GENOME_GAP",
            Self::Overlap { .. } => "GENOME_OVERLAP",
            Self::Torn { .. } => "GENOME_TORN",
            Self::Foreign { .. } => "GENOME_FOREIGN",
            Self::Unreadable { .. } => "GENOME_UNREADABLE",
            Self::HeaderDiffers => "GENOME_HEADER_DIFFERS",
            Self::Differs { .. } => "GENOME_DIFFERS",
            Self::Lost { .. } => "GENOME_LOST",
        }
    }
}

impl fmt::Display for GenomeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { bytes } => write!(f, "it has {bytes} bytes, and a header has 128"),
            Self::Magic(magic) => write!(f, "it begins with {}, not with GYRO", shown(magic)),
            Self::Version(version) => write!(f, "it has version {version}, and packs have version 2"),
            Self::Flags(flags) => write!(f, "it has the flags {flags:#04x}, and packs have none"),
            Self::HeaderSize(size) => write!(f, "it states a header of {size} bytes, and a header has 128"),
            Self::Reserved => f.write_str("its reserved bytes (120 to 127) are not zero"),
            Self::Name => f.write_str("its name is not genome_ and the first cycle in 12 lowercase hexadecimal digits"),
            Self::StartIndex { name, header } => write!(
                f,
                "its name says that it begins with cycle {name}, and its header says cycle {header}"
            ),
            Self::Gap { first, count: 1 } => write!(f, "cycle {first} is missing before it"),
            Self::Gap { first, count } => write!(f, "{} are missing before it", cycles(*first, *count)),
            Self::Overlap { first, count } => {
                write!(f, "the pack before it also has {}", cycles(*first, *count))
            }
            Self::Torn { bytes } => write!(f, "its last cycle is cut short: {bytes} of 24 bytes are there"),
            Self::Foreign { kind } => write!(f, "{kind} is among the packs"),
            Self::Unreadable { said } => write!(f, "it cannot be read: {said}"),
            Self::HeaderDiffers => f.write_str("its header differs from that of the earlier pack"),
            Self::Differs { cycle } => write!(f, "cycle {cycle} is the first that differs from the earlier pack"),
            Self::Lost { count: 0, .. } => f.write_str("an earlier pack without cycles is missing"),
            Self::Lost { first, count: 1 } => write!(f, "cycle {first} of the earlier state is missing"),
            Self::Lost { first, count } => write!(f, "{} of the earlier state are missing", cycles(*first, *count)),
        }
    }
}

/// Names cycles by their numbers.
fn cycles(first: u64, count: u64) -> String {
    match count {
        1 => format!("cycle {first}"),
        _ => format!("cycles {first} to {}", first + count - 1),
    }
}

/// Why something was not done in the agent store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentFault {
    /// A pack, or a directory of packs, is not valid.
    Genome(GenomeFault),
    /// Cycles cannot be appended or read.
    Cycles(CyclesFault),
    /// A private file cannot be made, opened or migrated.
    Private(PrivateFault),
}

/// Why cycles cannot be appended or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CyclesFault {
    /// The input does not consist of whole cycles.
    PartialCycle {
        /// Its length in bytes.
        bytes: u64,
    },
    /// There are no packs of cycles to compare with.
    NothingEarlier,
    /// A pack of cycles is encrypted, so that it cannot be compared.
    SealedEarlier {
        /// Its path.
        path: String,
    },
    /// Nothing tells the shard of a pack of cycles.
    WhichShard {
        /// Its path.
        path: String,
    },
    /// Two packs of cycles could be meant.
    TwoEarlier {
        /// Their paths.
        paths: [String; 2],
    },
    /// The shard has no numbers left for so many cycles.
    NoNumbers {
        /// The number that the first one would have.
        next: u64,
    },
    /// The snapshot has another length.
    SnapshotLength {
        /// Its length in bytes.
        bytes: u64,
    },
    /// The shard has another snapshot.
    OtherSnapshot {
        /// The pack that states it, made safe to show.
        pack: String,
    },
    /// The pack has other names, so that they would change with it.
    OtherNames,
    /// It is a link, and the cycles behind it may be somebody else's file.
    Link,
    /// The file system cannot lock a directory or a file.
    NoLock {
        /// What the system said.
        said: String,
    },
    /// Cycles were written and could not be taken back, after writing others had failed.
    NotTakenBack {
        /// Why writing failed.
        failed: String,
        /// Why they could not be taken back.
        said: String,
    },
    /// Other programs make packs there without waiting for their turn.
    Contended,
    /// There are no public packs.
    NoShards,
    /// There is no such shard.
    NoSuchShard,
    /// There are several shards, and one is needed.
    ManyShards {
        /// How many.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// The shard does not have all the cycles that are asked for.
    OutOfRange {
        /// The first that is asked for.
        from: u64,
        /// How many are asked for. `None` for all that follow.
        count: Option<u64>,
        /// How many it has.
        has: u64,
    },
}

impl Refusal {
    /// Makes the refusal for a pack, or a directory of packs, that is not valid.
    pub fn genome(path: &Path, fault: GenomeFault) -> Self {
        Self::Agent {
            path: path.to_owned(),
            fault: AgentFault::Genome(fault),
        }
    }

    /// Makes the refusal for cycles that cannot be appended or read.
    pub fn cycles(path: &Path, fault: CyclesFault) -> Self {
        Self::Agent {
            path: path.to_owned(),
            fault: AgentFault::Cycles(fault),
        }
    }
}

impl fmt::Display for AgentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Genome(fault) => fault.fmt(f),
            Self::Cycles(fault) => fault.fmt(f),
            Self::Private(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for CyclesFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PartialCycle { bytes } => write!(f, "it has {bytes} bytes, which is not a multiple of 24"),
            Self::NothingEarlier => f.write_str("it has no packs of cycles to compare with"),
            Self::SealedEarlier { path } => write!(
                f,
                "{} is sealed in it, and what is encrypted cannot be compared",
                shown(path.as_bytes())
            ),
            Self::WhichShard { path } => write!(
                f,
                "nothing tells to which shard {} in it belongs",
                shown(path.as_bytes())
            ),
            Self::TwoEarlier { paths: [one, other] } => write!(
                f,
                "it has two packs of the same cycles: {} and {}",
                shown(one.as_bytes()),
                shown(other.as_bytes())
            ),
            Self::NoNumbers { next } => write!(
                f,
                "a shard has the cycles 0 to 4294967295, and the input does not fit behind the {next} that are there"
            ),
            Self::SnapshotLength { bytes } => write!(f, "a snapshot has 96 bytes, and this file has {bytes}"),
            Self::OtherSnapshot { pack } => {
                write!(f, "it is not the snapshot of the shard, which is in {pack}")
            }
            Self::OtherNames => {
                f.write_str("it has other names (hard links), and appending would change those files too")
            }
            Self::Link => f.write_str("it is a symbolic link; cycles are not read through links of a repository"),
            Self::NoLock { said } => write!(f, "it cannot be locked: {said}"),
            Self::NotTakenBack { failed, said } => write!(
                f,
                "writing failed ({failed}), and cycles that were already written stay, because they cannot be removed: {said}"
            ),
            Self::Contended => f.write_str("other programs make packs in it without locking the last one"),
            Self::NoShards => f.write_str("there are no public packs of cycles in it"),
            Self::NoSuchShard => f.write_str("the store does not have this shard"),
            Self::ManyShards { count, first } => {
                write!(f, "it has {count} shards, {first} and others, so one must be named")
            }
            Self::OutOfRange { from, count, has } => {
                match count {
                    Some(count) => write!(f, "{count} cycles from cycle {from} on are asked for")?,
                    None => write!(f, "the cycles from {from} on are asked for")?,
                }
                write!(f, ", and the shard has {has}")
            }
        }
    }
}
