//! Sharing packs: sending them to places, fetching them from there, and finding them.

pub mod archive;
pub mod attached;
pub mod list;
pub mod place;
pub mod publication;
pub mod pull;
pub mod push;
mod visibility;

pub use crate::adapters::place::Progress;
