//! The agent store: public packs, and the private files of agents.

mod append;
mod cat;
mod full;
mod info;
mod kills;
mod members;
mod migrate;
mod owned;
mod private;
mod verify;
mod writers;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common::{Done, GIT_PACK, Place, write};

/// Returns the bytes of a pack: its header by the contract, then cycles that tell their number.
fn pack(start: u32, cycles: u32) -> Vec<u8> {
    let mut bytes = b"GYRO\x02\x00\x80\x00".to_vec();
    bytes.extend(start.to_le_bytes());
    bytes.extend([0; 116]);
    for number in start..start + cycles {
        bytes.extend(number.to_le_bytes().repeat(6));
    }
    bytes
}

/// Returns the path of a pack below the top.
fn file(shard: &str, start: u32) -> String {
    format!("agency/g1_information/{shard}/genome_{start:012x}.dat")
}

/// Writes a pack of a shard below `top`.
fn put(top: &Path, shard: &str, start: u32, cycles: u32) {
    write(&top.join(file(shard, start)), pack(start, cycles));
}

/// Writes a store of two shards.
fn store(top: &Path) {
    put(top, "00", 0, 3);
    put(top, "00", 3, 2);
    put(top, "a7", 0, 4);
}

/// A store in a directory of its own, without a repository.
struct Store {
    place: Place,
}

impl Store {
    fn new() -> Self {
        let place = Place::new();
        fs::create_dir(place.path().join("store")).unwrap();
        Self { place }
    }

    fn top(&self) -> PathBuf {
        self.place.path().join("store")
    }

    /// The directory of a shard.
    fn shard(&self, shard: &str) -> PathBuf {
        self.top().join("agency/g1_information").join(shard)
    }

    /// The pack of the shard 00 that begins with `start`.
    fn pack(&self, start: u64) -> PathBuf {
        self.shard("00").join(format!("genome_{start:012x}.dat"))
    }

    /// Runs `git pack agent` in the store.
    fn agent(&self, args: &[&str]) -> Done {
        self.fed(args, b"")
    }

    /// Runs `git pack agent` in the store, with an input.
    fn fed(&self, args: &[&str], input: &[u8]) -> Done {
        let mut command = self.place.command(GIT_PACK, &self.top());
        command.arg("agent").args(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // A call that refuses its arguments does not read the input.
        let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let done = Done::from(child.wait_with_output().unwrap());
        feeding.join().unwrap();
        done
    }

    /// Appends cycles to the shard 00, in packs of at most `size` bytes.
    fn append(&self, size: u64, cycles: &[u8]) -> Done {
        self.fed(&["append", "00", "--pack-size", &size.to_string()], cycles)
    }

    /// Returns the cycles of the shard 00, as Python reads them by the contract.
    #[track_caller]
    fn audited(&self, size: u64) -> Vec<u8> {
        let script = include_str!("audit.py");
        let shard = self.shard("00");
        let args = ["-c", script, shard.to_str().unwrap(), &size.to_string()];
        self.place.run(self.place.path(), "python3", &args).ok().stdout
    }
}

/// Returns `count` cycles, each with its own number from `first` on.
fn cycles(first: u64, count: u64) -> Vec<u8> {
    let cycle = |number: u64| [number.to_be_bytes(), [0x11; 8], [0xee; 8]].concat();
    (first..first + count).flat_map(cycle).collect()
}
