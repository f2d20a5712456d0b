//! The agent store on disk.

pub mod look;
