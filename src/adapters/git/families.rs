//! Reads many packed objects by their delta families: an object that others are made of is inflated once, and held while
//! they are made.
//!
//! In the order of a pack, the versions of a file lie far apart, and a cache of bases has dropped what is needed again.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use gix::zlib::Inflate;

use crate::adapters::git::pack_order::{Pack, PlacedObject};
use crate::adapters::git::{Repository, delta};
use crate::adapters::workers;
use crate::format::budget::Bound;
use crate::refusal::Result;

/// For fewer objects, finding their families is not worth it.
const WORTH_A_LOOK: usize = 64;

/// The largest object that is made here, in bytes.
const MAX_OBJECT: u64 = 4 << 20;

/// Most bytes of bases that one thread holds.
const MAX_HELD: usize = 4 << 20;

/// A family of more objects than this is divided among threads.
const MAX_UNIT: u32 = 1024;

/// The longest chain of bases above a unit that is followed.
const MAX_ABOVE: usize = 4096;

/// Most buffers that a thread keeps, and most bytes of each.
const MAX_SPARE: usize = 4;
const MAX_SPARE_BYTES: usize = 1 << 20;

/// No object.
const NONE: u32 = u32::MAX;

/// An object that was made from its pack, and what it was made of.
pub(super) struct PackedObject<'a, N> {
    pub(super) kind: gix::object::Kind,
    pub(super) bytes: &'a [u8],
    /// The object that it was made of, if there is one: its bytes, and what was noted of it.
    pub(super) base: Option<(&'a [u8], &'a N)>,
    /// Where the bytes are not one piece of the base: what was inserted, and the seams of what was copied, which are empty.
    pub(super) fresh: &'a [Range<usize>],
}

/// Does something with an object, and returns a note for those that are made of it. Gets no bytes of an object that is
/// loose, large or damaged, and reads that itself.
type Visit<'a, N> = &'a mut dyn FnMut(&PlacedObject, Option<PackedObject<'_, N>>) -> Result<N>;

/// What one thread does in one go.
enum Unit<'a> {
    /// The objects of a family from this node down.
    Family(&'a Families<'a>, u32),
    /// Objects that are in no family.
    Single(&'a [PlacedObject]),
}

impl Repository {
    /// Passes each object of `order` to `each`, on all cores. Returns the results by the index of each object.
    ///
    /// `each` gets no bytes of an object that is loose, large or damaged, and reads that itself. It also returns a note for
    /// those that are made of the object. Of an object that only others are made of, there is the default note.
    pub(super) fn by_families<S, R: Send, N: Default>(
        &self,
        order: &[PlacedObject],
        state: impl Fn() -> Result<S> + Sync,
        each: impl Fn(&mut S, &PlacedObject, Option<PackedObject<'_, N>>) -> Result<(R, N)> + Sync,
    ) -> Result<Vec<R>> {
        let (packed, loose) = match order.len() < WORTH_A_LOOK {
            true => order.split_at(0),
            false => order.split_at(order.partition_point(|job| !job.is_loose())),
        };
        let packs = packed.chunk_by(|a, b| a.pack() == b.pack());
        let families: Vec<Families<'_>> = packs.map(|jobs| Families::of(self.pack_of(&jobs[0]), jobs)).collect();
        let mut units = Vec::new();
        for family in &families {
            units.extend(family.units().map(|root| Unit::Family(family, root)));
        }
        let few = (loose.len() / (workers::threads() * 16)).clamp(1, 256);
        units.extend(loose.chunks(few).map(Unit::Single));
        let results = Mutex::new(order.iter().map(|_| None).collect::<Vec<Option<R>>>());
        workers::map_in_runs(
            workers::threads(),
            1,
            &units,
            || Ok((state()?, Maker::new())),
            |(state, maker), unit| {
                let mut done = Vec::new();
                let visit: Visit<'_, N> = &mut |job, object| {
                    let (result, note) = each(state, job, object)?;
                    done.push((job.index(), result));
                    Ok(note)
                };
                match unit {
                    Unit::Single(jobs) => jobs.iter().try_for_each(|job| visit(job, None).map(drop))?,
                    Unit::Family(families, root) => families.visit(self, maker, *root, visit)?,
                }
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                for (index, result) in done {
                    results[index] = Some(result);
                }
                Ok(())
            },
        )?;
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        let results = results.into_iter();
        Ok(results
            .map(|result| result.expect("each object is in one unit"))
            .collect())
    }
}

/// An object of a pack: one that is wanted, or one that such an object is made of.
struct Node {
    /// Its place in the pack.
    offset: u64,
    /// The node that it is made of. [`NONE`] if it is stored whole, or its base is not in the pack.
    base: u32,
    /// The first of the jobs that want it. [`NONE`] if it is only a base.
    job: u32,
}

/// The wanted objects of one pack and their bases, as trees.
struct Families<'a> {
    pack: &'a Pack,
    jobs: &'a [PlacedObject],
    nodes: Vec<Node>,
    /// What is made of each node: a range of `children` from here to the next node's.
    starts: Vec<u32>,
    children: Vec<u32>,
    /// For each node, whether a unit begins at it.
    is_unit: Vec<bool>,
}

impl<'a> Families<'a> {
    /// Finds the families of `jobs`, which are in the order of their pack.
    fn of(pack: &'a Pack, jobs: &'a [PlacedObject]) -> Self {
        let mut nodes: Vec<Node> = Vec::with_capacity(jobs.len());
        for (job, number) in jobs.iter().zip(0..) {
            if nodes.last().is_none_or(|last| last.offset != job.offset()) {
                nodes.push(Node {
                    offset: job.offset(),
                    base: NONE,
                    job: number,
                });
            }
        }
        let wanted = nodes.len();
        let mut others: HashMap<u64, u32> = HashMap::new();
        let mut at = 0;
        while at < nodes.len() {
            if let Some(offset) = pack.base_of(nodes[at].offset) {
                let found = nodes[..wanted].binary_search_by_key(&offset, |node| node.offset).ok();
                let found = found.map(|found| found as u32);
                nodes[at].base = found.or_else(|| others.get(&offset).copied()).unwrap_or_else(|| {
                    let number = nodes.len() as u32;
                    others.insert(offset, number);
                    nodes.push(Node {
                        offset,
                        base: NONE,
                        job: NONE,
                    });
                    number
                });
            }
            at += 1;
        }
        let mut families = Self {
            pack,
            jobs,
            nodes,
            starts: Vec::new(),
            children: Vec::new(),
            is_unit: Vec::new(),
        };
        families.link();
        families
    }

    /// Finds out what is made of each node, and where the units begin.
    fn link(&mut self) {
        let count = self.nodes.len();
        let mut starts = vec![0_u32; count + 1];
        for node in self.nodes.iter().filter(|node| node.base != NONE) {
            starts[node.base as usize] += 1;
        }
        let mut end = 0;
        for start in &mut starts {
            end += *start;
            *start = end;
        }
        let mut children = vec![0_u32; end as usize];
        for (number, node) in self.nodes.iter().enumerate().rev() {
            if node.base != NONE {
                starts[node.base as usize] -= 1;
                children[starts[node.base as usize] as usize] = number as u32;
            }
        }
        (self.starts, self.children) = (starts, children);
        let mut downwards: Vec<u32> = (0..count as u32)
            .filter(|at| self.nodes[*at as usize].base == NONE)
            .collect();
        let mut at = 0;
        while at < downwards.len() {
            downwards.extend_from_slice(&self.children[self.below(downwards[at])]);
            at += 1;
        }
        self.is_unit = self.nodes.iter().map(|node| node.base == NONE).collect();
        let mut sizes = vec![0_u32; count];
        for number in downwards.iter().rev().map(|number| *number as usize) {
            sizes[number] += 1;
            self.is_unit[number] |= sizes[number] >= MAX_UNIT;
            if !self.is_unit[number] {
                sizes[self.nodes[number].base as usize] += sizes[number];
            }
        }
        for number in 0..count as u32 {
            // A node at or below a circle of bases was not met. Nobody can make it.
            if sizes[number as usize] == 0 {
                self.is_unit[number as usize] = true;
                self.nodes[number as usize].base = NONE;
            }
            // The largest part comes last. Then its base is not needed any more.
            let below = self.below(number);
            self.children[below].sort_unstable_by_key(|child| sizes[*child as usize]);
        }
    }

    /// Returns the nodes at which units begin.
    fn units(&self) -> impl Iterator<Item = u32> {
        (0..self.nodes.len() as u32).filter(|number| self.is_unit[*number as usize])
    }

    /// Returns where in `children` those of a node are.
    fn below(&self, number: u32) -> Range<usize> {
        let number = number as usize;
        self.starts[number] as usize..self.starts[number + 1] as usize
    }

    /// Returns what is made of a node in the same unit, the smallest part first.
    fn made_of(&self, number: u32) -> impl DoubleEndedIterator<Item = u32> {
        let children = self.children[self.below(number)].iter().copied();
        children.filter(|child| !self.is_unit[*child as usize])
    }

    /// Returns the jobs that want a node.
    fn jobs_of(&self, number: u32) -> &'a [PlacedObject] {
        let Node { offset, job, .. } = self.nodes[number as usize];
        let jobs = self.jobs.get(job as usize..).unwrap_or_default();
        &jobs[..jobs.iter().take_while(|job| job.offset() == offset).count()]
    }

    /// Passes the wanted objects of a unit to `visit`.
    fn visit<N: Default>(&self, repo: &Repository, maker: &mut Maker<N>, root: u32, visit: Visit<'_, N>) -> Result<()> {
        let mut above = Vec::new();
        let mut next = self.nodes[root as usize].base;
        while next != NONE {
            above.push(next);
            next = self.nodes[next as usize].base;
            if above.len() > MAX_ABOVE {
                return self.singly(root, visit);
            }
        }
        let mut base = None;
        for number in above.into_iter().rev() {
            let Some(made) = maker.make(self.pack, &self.nodes[number as usize], base.as_deref()) else {
                return self.singly(root, visit);
            };
            let below = maker.hold(made);
            maker.release(base.replace(below));
        }
        let mut waiting = vec![(root, base)];
        while let Some((number, base)) = waiting.pop() {
            let Some(mut made) = maker.make(self.pack, &self.nodes[number as usize], base.as_deref()) else {
                self.singly(number, visit)?;
                continue;
            };
            repo.hold(Bound::ObjectBytes, made.bytes.len() as u64)?;
            for job in self.jobs_of(number) {
                let object = PackedObject {
                    kind: made.kind,
                    bytes: &made.bytes,
                    base: base.as_deref().map(|base| (&base.bytes[..], &base.note)),
                    fresh: &maker.fresh,
                };
                made.note = visit(job, Some(object))?;
            }
            // The last that is made of a base gives its memory back.
            maker.release(base);
            if self.made_of(number).next().is_none() {
                maker.spare(made.bytes);
            } else if maker.has_room_for(&made) {
                let base = maker.hold(made);
                waiting.extend(self.made_of(number).rev().map(|child| (child, Some(Rc::clone(&base)))));
            } else {
                self.made_of(number).try_for_each(|child| self.singly(child, visit))?;
            }
        }
        Ok(())
    }

    /// Passes the wanted objects from a node down to `visit`, without their bytes.
    fn singly<N>(&self, number: u32, visit: Visit<'_, N>) -> Result<()> {
        let mut waiting = vec![number];
        while let Some(number) = waiting.pop() {
            self.jobs_of(number)
                .iter()
                .try_for_each(|job| visit(job, None).map(drop))?;
            waiting.extend(self.made_of(number));
        }
        Ok(())
    }
}

/// An object that was made, and that others may be made of.
struct Made<N> {
    kind: gix::object::Kind,
    bytes: Vec<u8>,
    note: N,
}

/// Makes objects for one thread.
struct Maker<N> {
    inflate: Inflate,
    /// The instructions of the delta that is applied.
    delta: Vec<u8>,
    /// Where what was made last is not one piece of its base.
    fresh: Vec<Range<usize>>,
    /// Bytes of all bases that are held.
    held: usize,
    /// Buffers for reuse.
    spare: Vec<Vec<u8>>,
    of: PhantomData<N>,
}

impl<N: Default> Maker<N> {
    fn new() -> Self {
        Self {
            inflate: Inflate::default(),
            delta: Vec::new(),
            fresh: Vec::new(),
            held: 0,
            spare: Vec::new(),
            of: PhantomData,
        }
    }

    /// Makes the object of a node, of its base if it has one. `None` if it is large or damaged.
    fn make(&mut self, pack: &Pack, node: &Node, base: Option<&Made<N>>) -> Option<Made<N>> {
        let data = pack.data()?;
        let entry = data.entry(node.offset).ok()?;
        let size = Some(entry.decompressed_size).filter(|size| *size <= MAX_OBJECT)? as usize;
        let mut bytes = self.spare.pop().unwrap_or_default();
        self.fresh.clear();
        let kind = match (entry.header.as_kind(), base) {
            (Some(kind), None) => {
                bytes.resize(size, 0);
                data.decompress_entry(&entry, &mut self.inflate, &mut bytes).ok()?;
                kind
            }
            (None, Some(base)) => {
                self.delta.resize(size, 0);
                data.decompress_entry(&entry, &mut self.inflate, &mut self.delta).ok()?;
                let is_small = delta::size_of_result(&self.delta)? <= MAX_OBJECT;
                if !is_small || !delta::apply(&base.bytes, &self.delta, &mut bytes, &mut self.fresh) {
                    return None;
                }
                base.kind
            }
            _ => return None,
        };
        Some(Made {
            kind,
            bytes,
            note: N::default(),
        })
    }

    fn has_room_for(&self, made: &Made<N>) -> bool {
        self.held + made.bytes.len() <= MAX_HELD
    }

    fn hold(&mut self, made: Made<N>) -> Rc<Made<N>> {
        self.held += made.bytes.len();
        Rc::new(made)
    }

    /// Gives a base back, unless others are still to be made of it.
    fn release(&mut self, base: Option<Rc<Made<N>>>) {
        if let Some(base) = base.and_then(Rc::into_inner) {
            self.held -= base.bytes.len();
            self.spare(base.bytes);
        }
    }

    fn spare(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < MAX_SPARE && buffer.capacity() <= MAX_SPARE_BYTES {
            self.spare.push(buffer);
        }
    }
}
