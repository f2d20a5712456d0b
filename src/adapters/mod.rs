//! Git, the cipher and the disk: all the I/O, and no judgement.

pub mod agent_store;
pub mod archive;
pub mod attached_dir;
pub mod attesting;
pub mod cipher;
pub mod clone;
pub mod files;
pub mod git;
pub mod interruption;
pub mod ledger;
pub mod manual_program;
pub mod meter;
#[cfg(feature = "network")]
pub mod network;
pub mod open_files;
pub mod own_program;
pub mod pack_dir;
pub mod place;
mod program;
pub mod published;
pub mod random;
pub mod read_hashed;
pub mod received;
pub mod ssh_keygen;
pub mod staging;
pub mod store;
pub mod throwaway;
pub mod workers;
