//! The guard: the judgements of the hooks and of `scan`, sealed twins, known plaintext, and the installation.

pub mod drivers;
pub mod hook;
pub mod init;
pub mod install;
pub mod known;
pub mod leftovers;
pub mod main_commits;
mod program;
pub mod remotes;
pub mod scan;
mod shim;
pub mod status;
pub mod twins;
pub mod way_out;
