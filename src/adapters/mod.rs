//! Git, the cipher and the disk: all the I/O, and no judgement.

pub mod cipher;
pub mod files;
pub mod git;
pub mod ledger;
pub mod pack_dir;
pub mod processor;
pub mod runs;
pub mod seal_store;
pub mod staging;
pub mod store;
pub mod twin_notes;
pub mod verdicts;
pub mod verified_packs;
pub mod workers;
