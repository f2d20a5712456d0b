//! Attacks: what somebody hostile tries against the guard, the clone and the verifier, with the real git and the installed
//! hooks. Each row or test says in one line what the attacker gains if it fails.

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
mod sent;
mod store;
mod twins;
mod unpacking;
mod verify_memory;
