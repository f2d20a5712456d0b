//! Attacks on the guard, with the real git and the installed hooks. Each row or test says what the attacker gains if it
//! fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, reason = "the tables of the guard have more than is needed here")]

mod common;

#[path = "attack/remotes.rs"]
mod remotes;
#[path = "guard/table.rs"]
mod table;
#[path = "guard/world.rs"]
mod world;
