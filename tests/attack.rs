//! What an attacker tries, with the real git: each test says in one line what the attacker gains if it fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

#[path = "attack/bombs.rs"]
mod bombs;
#[path = "attack/keys.rs"]
mod keys;
#[path = "attack/layers.rs"]
mod layers;
#[path = "attack/lfs.rs"]
mod lfs;
