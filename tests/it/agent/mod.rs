//! The agent store: public packs, and the private files of agents.

mod members;
mod verify;

use std::path::Path;

use crate::common::write;

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
