//! Plans a garbage collection: which objects it keeps and why, and which it removes.

use crate::format::digest::Digest;
use crate::format::run_record::RunId;

/// An object of the content store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// SHA-256 of the content, which is also its name.
    pub hash: Digest,
    /// Size in bytes.
    pub bytes: u64,
    /// Modification time in seconds since the epoch.
    pub written: i64,
}

/// The input of a plan.
#[derive(Clone, Copy, Debug)]
pub struct ObservedStore<'a> {
    /// The objects, sorted by hash, without duplicates.
    pub objects: &'a [Object],
    /// All runs with their roots, without duplicates.
    pub runs: &'a [(RunId, Vec<Digest>)],
    /// Contents that a person has pinned.
    pub pins: &'a [Digest],
    /// The runs for which a ref keeps a commit.
    pub refs: &'a [RunId],
    /// The present time, in seconds since the epoch.
    pub now: i64,
    /// Age in seconds below which an unneeded object is kept.
    pub grace: i64,
}

/// The plan: the fate of each object, and the refs to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionPlan {
    /// The objects, sorted by hash.
    pub objects: Vec<JudgedObject>,
    /// The runs that no longer exist and whose refs are removed, sorted.
    pub released: Vec<RunId>,
}

/// An object and its fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedObject {
    /// SHA-256 of the content, which is also its name.
    pub hash: Digest,
    /// Size in bytes.
    pub bytes: u64,
    /// The fate of the object.
    pub fate: Fate,
}

/// What the collection does with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The object is kept.
    Keep(Reason),
    /// The object is removed.
    Remove,
}

/// Why an object is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A run needs it.
    Needed {
        /// The first run that needs it.
        run: RunId,
        /// Number of further runs that need it.
        others: u64,
    },
    /// A person has pinned it.
    Pinned,
    /// Nothing needs it, but it is young, and a run in progress may be about to need it.
    Young,
}

/// The refusal to remove objects when there are no roots at all: then the roots are lost, and the objects may still be
/// needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoots {
    /// Number of objects that would be removed.
    pub objects: u64,
}

/// Number and total size of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Number of objects.
    pub objects: u64,
    /// Total size in bytes.
    pub bytes: u64,
}

/// The number of objects with each fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Objects that runs need.
    pub needed: u64,
    /// Objects that only a pin keeps.
    pub pinned: u64,
    /// Objects that are kept because they are young.
    pub young: u64,
    /// Objects that are removed.
    pub removed: Sum,
}

/// Plans a collection. Refuses if objects would be removed and there are no roots at all.
pub fn plan(observed: &ObservedStore<'_>) -> Result<RetentionPlan, NoRoots> {
    let objects = observed.objects;
    let mut fates: Vec<Fate> = objects.iter().map(|object| unneeded(object, observed)).collect();
    let at = |hash: &Digest| objects.binary_search_by(|object| object.hash.cmp(hash)).ok();
    for at in observed.pins.iter().filter_map(at) {
        fates[at] = Fate::Keep(Reason::Pinned);
    }
    for (run, roots) in observed.runs {
        for at in roots.iter().filter_map(at) {
            match &mut fates[at] {
                Fate::Keep(Reason::Needed { others, .. }) => *others += 1,
                fate => {
                    let run = run.clone();
                    *fate = Fate::Keep(Reason::Needed { run, others: 0 });
                }
            }
        }
    }
    let judged = objects.iter().zip(fates).map(|(object, fate)| JudgedObject {
        hash: object.hash,
        bytes: object.bytes,
        fate,
    });
    let mut plan = RetentionPlan {
        objects: judged.collect(),
        released: Vec::new(),
    };
    // Pins count as roots only if no ref names a run that no longer exists.
    let has_runs = observed.runs.iter().any(|(_, roots)| !roots.is_empty());
    let is_rooted = has_runs || (!observed.pins.is_empty() && observed.refs.is_empty());
    match plan.tally().removed.objects {
        removed if removed > 0 && !is_rooted => return Err(NoRoots { objects: removed }),
        // Without roots, the refs may be all that is left of lost runs, so keep them.
        _ if !is_rooted && !objects.is_empty() => {}
        _ => plan.released = gone(observed),
    }
    Ok(plan)
}

/// Returns the fate of an object that no run and no pin names. An object from the future counts as young.
fn unneeded(object: &Object, observed: &ObservedStore<'_>) -> Fate {
    match observed.now.saturating_sub(object.written) < observed.grace.max(0) {
        true => Fate::Keep(Reason::Young),
        false => Fate::Remove,
    }
}

fn gone(observed: &ObservedStore<'_>) -> Vec<RunId> {
    let is_gone = |kept: &&RunId| observed.runs.iter().all(|(run, _)| run != *kept);
    let mut gone: Vec<RunId> = observed.refs.iter().filter(is_gone).cloned().collect();
    gone.sort_unstable();
    gone
}

impl RetentionPlan {
    /// Returns the objects to remove.
    pub fn removed(&self) -> impl Iterator<Item = &JudgedObject> {
        self.objects.iter().filter(|object| object.fate == Fate::Remove)
    }

    /// Returns the number of objects with each fate.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for object in &self.objects {
            match object.fate {
                Fate::Keep(Reason::Needed { .. }) => tally.needed += 1,
                Fate::Keep(Reason::Pinned) => tally.pinned += 1,
                Fate::Keep(Reason::Young) => tally.young += 1,
                Fate::Remove => {
                    tally.removed.objects += 1;
                    tally.removed.bytes += object.bytes;
                }
            }
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::{btree_map, btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    fn hash(n: u8) -> Digest {
        Digest::from_bytes([n; 32])
    }

    fn run(n: u8) -> RunId {
        RunId::of(&hash(n))
    }

    fn object(n: u8, written: i64) -> Object {
        let (hash, bytes) = (hash(n), u64::from(n));
        Object { hash, bytes, written }
    }

    fn fates(observed: &ObservedStore<'_>) -> Vec<Fate> {
        plan(observed).unwrap().objects.into_iter().map(|o| o.fate).collect()
    }

    fn needed(n: u8, others: u64) -> Fate {
        Fate::Keep(Reason::Needed { run: run(n), others })
    }

    #[test]
    fn each_object_has_its_reason() {
        let observed = ObservedStore {
            objects: &[object(1, 0), object(2, 0), object(3, 0), object(4, 91), object(5, 90)],
            runs: &[(run(1), vec![hash(1), hash(2), hash(9)]), (run(2), vec![hash(2)])],
            pins: &[hash(1), hash(3)],
            refs: &[run(3), run(1)],
            now: 100,
            grace: 10,
        };
        let young = Fate::Keep(Reason::Young);
        let pinned = Fate::Keep(Reason::Pinned);
        assert_eq!(
            fates(&observed),
            [needed(1, 0), needed(1, 1), pinned, young, Fate::Remove]
        );
        let plan = plan(&observed).unwrap();
        assert_eq!(plan.released, [run(3)]);
        let tally = Tally {
            needed: 2,
            pinned: 1,
            young: 1,
            removed: Sum { objects: 1, bytes: 5 },
        };
        assert_eq!(plan.tally(), tally);
    }

    #[test]
    fn what_is_of_the_future_is_young_however_short_the_grace_is() {
        let of = |written: i64, grace| {
            let observed = ObservedStore {
                objects: &[object(1, written)],
                runs: &[],
                pins: &[hash(2)],
                refs: &[],
                now: 100,
                grace,
            };
            fates(&observed).remove(0)
        };
        assert_eq!(of(100, 0), Fate::Remove);
        assert_eq!(of(100, 1), Fate::Keep(Reason::Young));
        for (written, grace) in [(101, 0), (101, 1), (i64::MAX, 0), (101, -5)] {
            assert_eq!(of(written, grace), Fate::Keep(Reason::Young), "{written} {grace}");
        }
        assert_eq!(of(i64::MIN, i64::MAX - 1), Fate::Remove);
    }

    #[test]
    fn without_any_root_nothing_goes() {
        let no_root = [(run(1), Vec::new())];
        for runs in [&[][..], &no_root] {
            let mut observed = ObservedStore {
                objects: &[object(1, 0), object(2, 0)],
                runs,
                pins: &[],
                refs: &[run(2)],
                now: 100,
                grace: 10,
            };
            assert_eq!(plan(&observed), Err(NoRoots { objects: 2 }));
            observed.grace = 1000;
            assert_eq!(plan(&observed).unwrap().released, []);
            observed.objects = &[];
            assert_eq!(plan(&observed).unwrap().released, [run(2)]);
            let pinned = ObservedStore {
                objects: &[object(1, 0)],
                pins: &[hash(7)],
                grace: 10,
                ..observed
            };
            // The ref names a lost run. Without the ref, the pins are the only roots.
            assert_eq!(plan(&pinned), Err(NoRoots { objects: 1 }));
            assert_eq!(fates(&ObservedStore { refs: &[], ..pinned }), [Fate::Remove]);
        }
    }

    proptest! {
        #[test]
        fn what_goes_is_the_rest_that_is_old_enough(
            objects in btree_map(0_u8..40, -20_i64..120, 0..40),
            runs in vec(btree_set(0_u8..60, 0..12), 0..5),
            pins in btree_set(0_u8..60, 0..6),
            refs in vec(0_u8..9, 0..6),
            grace in 0_i64..120,
        ) {
            let objects: Vec<Object> = objects.into_iter().map(|(n, written)| object(n, written)).collect();
            let hashes = |numbers: &BTreeSet<u8>| numbers.iter().map(|n| hash(*n)).collect::<Vec<_>>();
            let runs: Vec<(RunId, Vec<Digest>)> =
                runs.iter().enumerate().map(|(n, roots)| (run(n as u8), hashes(roots))).collect();
            let (pins, refs) = (hashes(&pins), refs.into_iter().map(run).collect::<Vec<_>>());
            let now = 100;
            let observed = ObservedStore { objects: &objects, runs: &runs, pins: &pins, refs: &refs, now, grace };
            let rooted: BTreeSet<Digest> =
                runs.iter().flat_map(|(_, roots)| roots).chain(&pins).copied().collect();
            let old = |object: &&Object| object.written <= now && now - object.written >= grace;
            let expected: BTreeSet<Digest> =
                objects.iter().filter(old).map(|object| object.hash).filter(|hash| !rooted.contains(hash)).collect();
            match plan(&observed) {
                Err(NoRoots { objects }) => {
                    let no_runs = runs.iter().all(|(_, roots)| roots.is_empty());
                    prop_assert!(no_runs && (pins.is_empty() || !refs.is_empty()));
                    prop_assert_eq!(objects, expected.len() as u64);
                    prop_assert!(objects > 0);
                }
                Ok(plan) => {
                    let removed: BTreeSet<Digest> = plan.removed().map(|object| object.hash).collect();
                    prop_assert!(removed.is_disjoint(&rooted));
                    prop_assert_eq!(removed, expected);
                    prop_assert!(plan.objects.iter().map(|judged| judged.hash).eq(objects.iter().map(|o| o.hash)));
                    for judged in &plan.objects {
                        match &judged.fate {
                            Fate::Keep(Reason::Needed { run, others }) => {
                                let users: Vec<&RunId> = runs
                                    .iter()
                                    .filter(|(_, roots)| roots.contains(&judged.hash))
                                    .map(|(run, _)| run)
                                    .collect();
                                prop_assert!(users[0] == run && users.len() as u64 == *others + 1);
                            }
                            Fate::Keep(Reason::Pinned) => prop_assert!(pins.contains(&judged.hash)),
                            Fate::Keep(Reason::Young) => prop_assert!(!rooted.contains(&judged.hash)),
                            Fate::Remove => {}
                        }
                    }
                    prop_assert!(plan.released.iter().all(|gone| runs.iter().all(|(run, _)| run != gone)));
                    prop_assert!(plan.released.iter().all(|gone| refs.contains(gone)));
                }
            }
        }
    }
}
