//! Many processes append to one shard at once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::Store;
use crate::common::{Done, GIT_PACK, number, snapshot};

/// Cycles per pack: so few that packs roll over all the time.
const SIZE: u64 = 128 + 5 * 24;

/// Returns a cycle that says who wrote it.
fn tagged(writer: u32, sequence: u32) -> Vec<u8> {
    [&writer.to_le_bytes()[..], &sequence.to_le_bytes(), &[0xc5; 16]].concat()
}

/// Asserts that all cycles are there once and whole, those of one writer in its order.
#[track_caller]
fn assert_complete(cycles: &[u8], expected: &BTreeMap<u32, u32>) {
    let mut next: BTreeMap<u32, u32> = BTreeMap::new();
    for cycle in cycles.chunks(24) {
        let writer = u32::from_le_bytes(cycle[..4].try_into().unwrap());
        let sequence = next.entry(writer).or_default();
        assert_eq!(cycle, tagged(writer, *sequence), "writer {writer}");
        *sequence += 1;
    }
    assert_eq!(&next, expected);
}

/// Appends all cycles of a writer, in calls of one to seven cycles. Returns how many it has.
fn write_all(store: &Store, writer: u32, calls: u32) -> u32 {
    let mut done = 0;
    for call in 0..calls {
        let count = 1 + (writer + call) % 7;
        let cycles: Vec<u8> = (done..done + count)
            .flat_map(|sequence| tagged(writer, sequence))
            .collect();
        let out = store.append(SIZE, &cycles).ok();
        assert!(
            ["", "  note shard 00 is new\n"].contains(&&*out.stderr),
            "{}",
            out.stderr
        );
        done += count;
    }
    done
}

#[test]
fn many_processes_append_every_cycle_once_whole_and_in_order() {
    let store = Store::new();
    let (writers, calls) = (32, number("GITPACK_CALLS", 4) as u32);
    let expected: BTreeMap<u32, u32> = std::thread::scope(|scope| {
        let store = &store;
        let threads: Vec<_> = (0..writers)
            .map(|writer| scope.spawn(move || (writer, write_all(store, writer, calls))))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_complete(&store.audited(SIZE), &expected);
}

#[test]
fn a_writer_that_locks_only_the_pack_loses_and_tears_nothing() {
    let store = Store::new();
    store.append(SIZE, &tagged(0, 0)).ok();
    let count = number("GITPACK_CALLS", 4) as u32 * 10;
    let shard = store.shard("00");
    let foreign = |writer: u32| {
        let script = include_str!("writer.py");
        let mut command = store.place.command("python3", store.place.path());
        command.args(["-c", script, shard.to_str().unwrap(), &SIZE.to_string()]);
        command.args([writer.to_string(), count.to_string()]);
        command.spawn().unwrap()
    };
    let mut expected = BTreeMap::from([(0, 1), (100, count), (101, count), (102, count)]);
    std::thread::scope(|scope| {
        let store = &store;
        let ours: Vec<_> = (1..5)
            .map(|writer| scope.spawn(move || (writer, write_all(store, writer, count / 4))))
            .collect();
        let theirs: Vec<_> = (100..103).map(foreign).collect();
        for mut child in theirs {
            assert!(child.wait().unwrap().success());
        }
        expected.extend(ours.into_iter().map(|thread| thread.join().unwrap()));
    });
    assert_complete(&store.audited(SIZE), &expected);
}

#[test]
fn a_reader_sees_whole_cycles_while_others_append() {
    let store = Store::new();
    store.append(SIZE, &tagged(1, 0)).ok();
    std::thread::scope(|scope| {
        let store = &store;
        let writing = scope.spawn(move || {
            for sequence in 1..30 {
                store.append(SIZE, &tagged(1, sequence)).ok();
            }
        });
        let mut before = 0;
        while !writing.is_finished() {
            let cycles = store.agent(&["cat"]).ok().stdout;
            assert!(cycles.len() >= before);
            before = cycles.len();
            let count = (cycles.len() / 24) as u32;
            assert_complete(&cycles, &BTreeMap::from([(1, count)]));
        }
        writing.join().unwrap();
    });
}

/// Starts `git pack agent`, and asserts that it waits.
#[track_caller]
fn waits(store: &Store, args: &[&str], input: &[u8]) -> Child {
    let mut command = store.place.command(GIT_PACK, &store.top());
    command.arg("agent").args(args).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it did not wait");
    child
}

#[test]
fn an_append_waits_for_a_writer_that_locks_the_pack_and_sees_what_it_made() {
    let store = Store::new();
    let five: Vec<u8> = (0..5).flat_map(|sequence| tagged(1, sequence)).collect();
    store.append(SIZE, &five).ok();
    let held = File::open(store.pack(0)).unwrap();
    held.lock().unwrap();
    let size = SIZE.to_string();
    let child = waits(&store, &["append", "00", "--pack-size", &size], &tagged(1, 6));
    // The other writer begins a new pack before it lets go of the one that is full.
    let mut new = std::fs::read(store.pack(0)).unwrap()[..128].to_vec();
    new[8] = 5;
    new[108] ^= 1;
    new.extend(tagged(1, 5));
    std::fs::write(store.pack(5), new).unwrap();
    drop(held);
    assert!(child.wait_with_output().unwrap().status.success());
    assert_complete(&store.audited(SIZE), &BTreeMap::from([(1, 7)]));
}

#[test]
fn an_input_that_changes_before_it_is_written_is_taken_back() {
    let store = Store::new();
    store.append(SIZE, &tagged(1, 0)).ok();
    let before = snapshot(&store.shard("00"));
    let input = store.place.path().join("in");
    let size = SIZE.to_string();
    for length in [0, 24, 24 * 8, 24 * 9, 24 * 10 + 1] {
        std::fs::write(&input, [7; 24 * 10]).unwrap();
        let held = File::open(store.shard("00")).unwrap();
        held.lock().unwrap();
        let child = waits(&store, &["append", "00", "../in", "--json", "--pack-size", &size], b"");
        std::fs::write(&input, vec![8; length]).unwrap();
        drop(held);
        let value = Done::from(child.wait_with_output().unwrap()).refused("E_IO");
        let message = value["refusal"]["message"].as_str().unwrap();
        assert!(message.contains("changed while it was read"), "{message}");
        assert!(snapshot(&store.shard("00")) == before, "{length}");
    }
}

#[test]
fn a_reader_waits_for_both_kinds_of_writers() {
    let store = Store::new();
    store.append(SIZE, &tagged(1, 0)).ok();
    for place in [store.shard("00"), store.pack(0)] {
        let held = File::open(place).unwrap();
        held.lock().unwrap();
        let child = waits(&store, &["cat"], b"");
        drop(held);
        assert!(child.wait_with_output().unwrap().stdout == tagged(1, 0));
    }
    // Readers do not wait for one another, and no lock is held while the cycles are read.
    let held = File::open(store.shard("00")).unwrap();
    held.lock_shared().unwrap();
    store.agent(&["cat"]).ok();
}

#[test]
fn a_signal_ends_waiting_for_the_lock() {
    let store = Store::new();
    store.append(SIZE, &tagged(1, 0)).ok();
    let held = File::open(store.shard("00")).unwrap();
    held.lock().unwrap();
    for signal in ["INT", "TERM"] {
        let mut child = waits(&store, &["append", "00"], &tagged(1, 1));
        let kill = ["-s", signal, &child.id().to_string()];
        store.place.run(&store.top(), "kill", &kill).ok();
        assert!(!child.wait().unwrap().success());
    }
    drop(held);
    assert!(store.audited(SIZE) == tagged(1, 0));
}
