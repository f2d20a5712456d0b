//! Judges public packs: their headers and names, and whether the packs of a directory follow one another.

use std::collections::BTreeMap;

use crate::format::agent::HEADER;
use crate::format::agent::genome::{GenomeHeader, cycles_in, start_of, torn_bytes};
use crate::refusal::agent::GenomeFault;

/// A pack, as far as judging needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPack {
    /// Its path, with `/` between its parts.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its first 128 bytes, or all of it if it is shorter.
    pub start_of_file: Vec<u8>,
}

impl SeenPack {
    /// Returns the first cycle by the name of the file. `None` if it is not the name of a pack.
    pub fn start(&self) -> Option<u64> {
        start_of(self.parts().1)
    }

    /// Returns how many whole cycles it has.
    pub fn cycles(&self) -> u64 {
        cycles_in(self.size)
    }

    /// Returns the directory and the name of the file.
    fn parts(&self) -> (&str, &str) {
        self.path.rsplit_once('/').unwrap_or(("", &self.path))
    }

    /// Returns the faults that it has by itself.
    fn own_faults(&self) -> Vec<GenomeFault> {
        let start = self.start();
        let mut faults = match GenomeHeader::parse(&self.start_of_file) {
            Err(faults) => faults,
            Ok(header) => match start {
                Some(name) if name != u64::from(header.start) => vec![GenomeFault::StartIndex {
                    name,
                    header: header.start,
                }],
                _ => Vec::new(),
            },
        };
        if start.is_none() {
            faults.push(GenomeFault::Name);
        }
        let torn = torn_bytes(self.size);
        if self.size >= HEADER as u64 && torn > 0 {
            faults.push(GenomeFault::Torn { bytes: torn });
        }
        faults
    }
}

/// Where the packs of a directory begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// With cycle 0: they are all packs of a shard.
    Zero,
    /// Anywhere: they may be some of the packs of a shard.
    Anywhere,
}

/// Returns the faults of all packs of a shard, each with the path of its pack.
pub fn faults_of_shard(packs: &[SeenPack]) -> Vec<(String, GenomeFault)> {
    faults(&packs.iter().collect::<Vec<_>>(), Beginning::Zero)
}

/// Returns the faults of members that are packs of cycles, each with the path of its member. Members of one directory must
/// follow one another, from any cycle on.
pub fn faults_of_members(packs: &[SeenPack]) -> Vec<(String, GenomeFault)> {
    let mut directories: BTreeMap<&str, Vec<&SeenPack>> = BTreeMap::new();
    for pack in packs {
        directories.entry(pack.parts().0).or_default().push(pack);
    }
    let found = directories.values();
    found.flat_map(|packs| faults(packs, Beginning::Anywhere)).collect()
}

fn faults(packs: &[&SeenPack], beginning: Beginning) -> Vec<(String, GenomeFault)> {
    let mut found = Vec::new();
    let mut named = Vec::new();
    for pack in packs {
        found.extend(pack.own_faults().into_iter().map(|fault| (pack.path.clone(), fault)));
        named.extend(pack.start().map(|start| (start, *pack)));
    }
    named.sort_by_key(|(start, pack)| (*start, &pack.path));
    let mut next = match (beginning, named.first()) {
        (Beginning::Anywhere, Some((start, _))) => *start,
        _ => 0,
    };
    for (start, pack) in named {
        let end = start.saturating_add(pack.cycles());
        if start > next {
            let count = start - next;
            found.push((pack.path.clone(), GenomeFault::Gap { first: next, count }));
        }
        if start < next {
            let count = end.clamp(start + 1, next) - start;
            found.push((pack.path.clone(), GenomeFault::Overlap { first: start, count }));
        }
        next = next.max(end);
    }
    // Stable: what a pack has by itself comes before what it has beside others.
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::agent::genome::{byte_of, name_of};
    use crate::format::agent::{SALT, SNAPSHOT};

    fn pack(start: u32, cycles: u64) -> SeenPack {
        let header = GenomeHeader {
            start,
            snapshot: [1; SNAPSHOT],
            salt: [2; SALT],
        };
        SeenPack {
            path: format!("a/00/{}", name_of(start)),
            size: byte_of(cycles),
            start_of_file: header.to_bytes().to_vec(),
        }
    }

    fn shard(packs: &[SeenPack]) -> Vec<(String, GenomeFault)> {
        faults_of_shard(packs)
    }

    #[test]
    fn packs_follow_one_another_from_cycle_0_on() {
        assert_eq!(shard(&[]), []);
        assert_eq!(shard(&[pack(0, 0)]), []);
        assert_eq!(shard(&[pack(5, 2), pack(0, 5), pack(7, 0)]), []);
        let at = |start: u32| format!("a/00/{}", name_of(start));
        for (packs, path, fault) in [
            (vec![pack(1, 5)], at(1), GenomeFault::Gap { first: 0, count: 1 }),
            (
                vec![pack(0, 5), pack(9, 1)],
                at(9),
                GenomeFault::Gap { first: 5, count: 4 },
            ),
            (
                vec![pack(0, 5), pack(4, 3)],
                at(4),
                GenomeFault::Overlap { first: 4, count: 1 },
            ),
            (
                vec![pack(0, 9), pack(4, 3), pack(9, 1)],
                at(4),
                GenomeFault::Overlap { first: 4, count: 3 },
            ),
            (
                vec![pack(0, 9), pack(4, 0), pack(9, 1)],
                at(4),
                GenomeFault::Overlap { first: 4, count: 1 },
            ),
        ] {
            assert_eq!(shard(&packs), [(path, fault)]);
        }
    }

    #[test]
    fn members_of_a_directory_may_begin_anywhere() {
        let other = SeenPack {
            path: "b/00/genome_000000000005.dat".into(),
            ..pack(5, 1)
        };
        assert_eq!(faults_of_members(&[pack(7, 2), other.clone(), pack(9, 2)]), []);
        let gap = faults_of_members(&[pack(7, 2), other, pack(10, 2)]);
        assert_eq!(gap.len(), 1);
        assert_eq!(gap[0].1, GenomeFault::Gap { first: 9, count: 1 });
    }

    #[test]
    fn what_a_pack_has_by_itself_is_told() {
        let renamed = SeenPack {
            path: "a/00/genome_000000000000.dat".into(),
            ..pack(3, 1)
        };
        assert_eq!(shard(&[renamed])[0].1, GenomeFault::StartIndex { name: 0, header: 3 });
        let misnamed = SeenPack {
            path: "a/00/genome_0.dat".into(),
            ..pack(0, 1)
        };
        assert_eq!(shard(&[misnamed])[0].1, GenomeFault::Name);
        let torn = SeenPack {
            size: byte_of(1) + 23,
            ..pack(0, 1)
        };
        assert_eq!(shard(&[torn])[0].1, GenomeFault::Torn { bytes: 23 });
        let short = SeenPack {
            size: 127,
            start_of_file: vec![0; 127],
            ..pack(0, 1)
        };
        assert_eq!(shard(&[short])[0].1, GenomeFault::Short { bytes: 127 });
    }
}
