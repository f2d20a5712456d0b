//! The agent store: public packs, and the private files of agents.

mod verify;
