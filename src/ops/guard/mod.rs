//! The guard: what the hooks and `scan` judge, the twins that it protects, and what it is installed by.

pub mod hook;
pub mod init;
pub mod install;
pub mod known;
pub mod remotes;
pub mod scan;
pub mod status;
pub mod twins;
