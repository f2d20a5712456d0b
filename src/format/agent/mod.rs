//! The agent store: public packs of cycles, and the private files of agents. `docs/agent-store.md` is the specification.

pub mod chain;
pub mod genome;
mod header;
pub mod json;
pub mod old;
pub mod private;

pub use header::{HEADER, RESERVED, SALT, SNAPSHOT, StoreHeader};
