//! Appends that are killed at random moments: what was reported is there, and what is torn is cut at the next append.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{Store, cycles};
use crate::common::{GIT_PACK, number};

/// Returns the bytes behind the headers of all packs, as they lie there, and the length of the part of a cycle at the end.
fn lying(store: &Store) -> (Vec<u8>, usize) {
    let mut names: Vec<_> = fs::read_dir(store.shard("00"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    let mut all = Vec::new();
    let mut torn = 0;
    for name in names {
        let bytes = fs::read(&name).unwrap();
        assert_eq!(torn, 0, "a pack that is not the last is torn");
        assert!(bytes.len() > 128, "{} has no cycle", name.display());
        torn = (bytes.len() - 128) % 24;
        all.extend(&bytes[128..bytes.len() - torn]);
    }
    (all, torn)
}

/// Kills appends of `count` cycles to packs of `size` bytes. Returns how many were torn, and how many had written something
/// that they did not report.
fn kill_appends(kills: u64, count: u64, size: u64) -> (u64, u64) {
    let store = Store::new();
    let input = store.place.path().join("in");
    fs::write(&input, cycles(0, count)).unwrap();
    let given = cycles(0, count);
    let size_text = size.to_string();
    let args = [
        "agent",
        "append",
        "00",
        "../in",
        "--store",
        ".",
        "--pack-size",
        &size_text,
    ];
    let began = Instant::now();
    store.place.pack_in(&store.top(), &args).ok();
    let whole = began.elapsed();
    let mut known = given.clone();
    let (mut torn_ones, mut unreported) = (0, 0);
    for kill in 0..kills {
        let random = RandomState::new().build_hasher().finish() % 1100;
        let mut command = store.place.command(GIT_PACK, &store.top());
        let quiet = command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = quiet.spawn().unwrap();
        std::thread::sleep(whole * u32::try_from(random).unwrap() / 1000);
        drop(child.kill());
        let reported = child.wait().unwrap().success();
        let (found, torn) = lying(&store);
        let new = found.strip_prefix(&known[..]).expect("something is missing");
        assert!(given.starts_with(new), "kill {kill} left other cycles");
        assert!(
            !reported || new.len() == given.len(),
            "kill {kill} lost reported cycles"
        );
        unreported += u64::from(!reported && !new.is_empty());
        torn_ones += u64::from(torn > 0);
        let cycle = cycles(1_000_000_000 + kill, 1);
        let done = store.append(size, &cycle).ok();
        assert_eq!(done.stderr.contains(&format!("cut off {torn} byte")), torn > 0);
        assert_eq!(done.stderr.is_empty(), torn == 0, "{}", done.stderr);
        known = [found, cycle].concat();
        // Reading all of it each time would take longer and longer.
        if known.len() > 30_000_000 || kill + 1 == kills {
            assert!(store.audited(size) == known);
            fs::remove_dir_all(store.top().join("agency")).unwrap();
            known = cycles(5, 1);
            store.append(size, &known).ok();
        }
    }
    assert!(whole < Duration::from_secs(60));
    (torn_ones, unreported)
}

/// Appends are killed `GITPACK_KILLS` times, else 20 times.
#[test]
fn what_is_reported_survives_kills_and_a_torn_cycle_is_cut_and_told() {
    let kills = number("GITPACK_KILLS", 20);
    // Into few large packs, where a write is cut in the middle, and into many small ones.
    let large = kill_appends(kills.div_ceil(2), 200_000, 64_000_000);
    let small = kill_appends(kills / 2, 400, 400);
    println!("{kills} kills: {large:?} and {small:?} were torn, and had written something unreported");
}
