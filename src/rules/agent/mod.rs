//! Judges the agent store.

pub mod genome;
