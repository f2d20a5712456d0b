//! Attacks: what somebody hostile tries against the guard, the clone and the verifier, with the real git and the installed
//! hooks. Each row or test says in one line what the attacker gains if it fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, reason = "the tables of the guard have more than is needed here")]

mod common;

#[path = "attack/bombs.rs"]
mod bombs;
#[path = "attack/costly_packs.rs"]
mod costly_packs;
#[path = "attack/evidence.rs"]
mod evidence;
#[path = "attack/foreign_hooks.rs"]
mod foreign_hooks;
#[path = "attack/forge.rs"]
mod forge;
#[path = "attack/keys.rs"]
mod keys;
#[path = "attack/known.rs"]
mod known;
#[path = "attack/layers.rs"]
mod layers;
#[path = "attack/lfs.rs"]
mod lfs;
#[path = "attack/links.rs"]
mod links;
#[path = "attack/memory.rs"]
mod memory;
#[path = "attack/owner.rs"]
mod owner;
#[path = "attack/planted.rs"]
mod planted;
#[path = "attack/remotes.rs"]
mod remotes;
#[path = "attack/sent.rs"]
mod sent;
#[path = "attack/store.rs"]
mod store;
#[path = "guard/table.rs"]
mod table;
#[path = "attack/twins.rs"]
mod twins;
#[path = "attack/unpacking.rs"]
mod unpacking;
#[path = "attack/verify_memory.rs"]
mod verify_memory;
#[path = "guard/world.rs"]
mod world;
