//! The agent store on disk.

pub mod input;
pub mod look;
pub mod look_private;
pub mod pack;
pub mod private;
pub mod salt;
pub mod shard;
