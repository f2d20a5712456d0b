//! The packs of a shard in their order, by their names and sizes alone.

use super::HEADER;
use super::genome::{byte_of, cycles_in, torn_bytes};
use crate::refusal::agent::GenomeFault;

/// A pack, by its name and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChainLink {
    /// The number of its first cycle, by its name.
    pub start: u64,
    /// Its size in bytes.
    pub size: u64,
}

impl ChainLink {
    /// Returns how many whole cycles it has.
    pub fn cycles(&self) -> u64 {
        cycles_in(self.size)
    }

    /// Returns the number of the cycle behind its last whole one.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.cycles())
    }

    /// Returns its length in bytes up to its last whole cycle.
    pub fn whole(&self) -> u64 {
        byte_of(self.cycles())
    }
}

/// The packs of a shard: the first begins with cycle 0, and each follows the one before it. Only the last may end with a
/// part of a cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackChain {
    links: Vec<ChainLink>,
}

/// A run of cycles in one pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The pack.
    pub link: ChainLink,
    /// How many cycles of the pack stand before it.
    pub skip: u64,
    /// How many cycles it has.
    pub count: u64,
}

impl PackChain {
    /// Puts packs in order. Fails with the first cycle of the pack that has a fault, and the fault.
    pub fn of(mut links: Vec<ChainLink>) -> Result<Self, (u64, GenomeFault)> {
        links.sort_unstable();
        let mut next = 0;
        for (at, link) in links.iter().enumerate() {
            let fault = if link.size < HEADER as u64 {
                Some(GenomeFault::Short { bytes: link.size })
            } else if link.start > next {
                let count = link.start - next;
                Some(GenomeFault::Gap { first: next, count })
            } else if link.start < next {
                let count = link.end().clamp(link.start + 1, next) - link.start;
                let first = link.start;
                Some(GenomeFault::Overlap { first, count })
            } else {
                let bytes = torn_bytes(link.size);
                (bytes > 0 && at + 1 < links.len()).then_some(GenomeFault::Torn { bytes })
            };
            if let Some(fault) = fault {
                return Err((link.start, fault));
            }
            next = link.end();
        }
        Ok(Self { links })
    }

    /// Returns the last pack.
    pub fn last(&self) -> Option<ChainLink> {
        self.links.last().copied()
    }

    /// Returns how many whole cycles there are. The next one gets this number.
    pub fn cycles(&self) -> u64 {
        self.last().map_or(0, |link| link.end())
    }

    /// Returns where `count` cycles from cycle `from` on are. `None` if some of them are not there.
    pub fn range(&self, from: u64, count: u64) -> Option<Vec<Stretch>> {
        let end = from.checked_add(count).filter(|end| *end <= self.cycles())?;
        let first = self.links.partition_point(|link| link.end() <= from);
        let touched = self.links[first..].iter().take_while(|link| link.start < end);
        let stretch = |link: &ChainLink| {
            let (begins, ends) = (from.max(link.start), end.min(link.end()));
            Stretch {
                link: *link,
                skip: begins - link.start,
                count: ends - begins,
            }
        };
        Some(touched.map(stretch).filter(|stretch| stretch.count > 0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(start: u64, cycles: u64) -> ChainLink {
        ChainLink {
            start,
            size: byte_of(cycles),
        }
    }

    #[test]
    fn packs_follow_one_another_and_only_the_last_may_be_torn() {
        assert_eq!(PackChain::of(vec![]).unwrap().cycles(), 0);
        assert_eq!(PackChain::of(vec![link(0, 0)]).unwrap().cycles(), 0);
        let torn = |start, cycles| ChainLink {
            size: byte_of(cycles) + 23,
            ..link(start, cycles)
        };
        let chain = PackChain::of(vec![torn(5, 2), link(0, 5)]).unwrap();
        assert_eq!((chain.cycles(), chain.last().unwrap().whole()), (7, byte_of(2)));
        for (links, at, fault) in [
            (vec![link(1, 5)], 1, GenomeFault::Gap { first: 0, count: 1 }),
            (vec![link(0, 5), link(9, 1)], 9, GenomeFault::Gap { first: 5, count: 4 }),
            (
                vec![link(0, 9), link(4, 3)],
                4,
                GenomeFault::Overlap { first: 4, count: 3 },
            ),
            (
                vec![link(0, 9), link(4, 0)],
                4,
                GenomeFault::Overlap { first: 4, count: 1 },
            ),
            (vec![torn(0, 2), link(2, 1)], 0, GenomeFault::Torn { bytes: 23 }),
            (
                vec![ChainLink { start: 0, size: 127 }],
                0,
                GenomeFault::Short { bytes: 127 },
            ),
        ] {
            assert_eq!(PackChain::of(links), Err((at, fault)));
        }
    }

    #[test]
    fn a_range_touches_only_the_packs_that_hold_it() {
        let chain = PackChain::of(vec![link(0, 3), link(3, 3), link(6, 3), link(9, 0)]).unwrap();
        let range = |from, count| {
            let stretches = chain.range(from, count)?;
            Some(
                stretches
                    .iter()
                    .map(|s| (s.link.start, s.skip, s.count))
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(range(0, 3), Some(vec![(0, 0, 3)]));
        assert_eq!(range(2, 2), Some(vec![(0, 2, 1), (3, 0, 1)]));
        assert_eq!(range(1, 7), Some(vec![(0, 1, 2), (3, 0, 3), (6, 0, 2)]));
        assert_eq!(range(8, 1), Some(vec![(6, 2, 1)]));
        for at in [0, 3, 4, 9] {
            assert_eq!(range(at, 0), Some(vec![]));
        }
        for (from, count) in [(8, 2), (9, 1), (10, 0), (u64::MAX, 1), (1, u64::MAX)] {
            assert_eq!(range(from, count), None);
        }
    }
}
