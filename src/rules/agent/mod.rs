//! Judges the agent store.

pub mod genome;
pub mod migration;
