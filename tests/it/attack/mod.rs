//! Attacks on the guard, the clone and the verifier, with the real git and the installed hooks. Each row or test starts
//! with `Gain:`, which says what the attacker, or a mishap, would achieve if it failed. `No gain:` marks honest use
//! that must stay possible.

mod bombs;
mod costly_packs;
mod evidence;
mod foreign_hooks;
mod forge;
mod keys;
mod known;
mod layers;
mod lfs;
mod links;
mod memory;
mod owner;
mod planted;
mod remotes;
mod second_remote;
mod sent;
mod store;
mod twins;
mod unpacking;
mod verify_memory;
