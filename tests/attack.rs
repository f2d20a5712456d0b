//! Attacks: what somebody hostile tries against the guard, the clone and the verifier. Each test says in one line what the
//! attacker gains if it fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

#[path = "attack/known.rs"]
mod known;
#[path = "attack/memory.rs"]
mod memory;
#[path = "attack/owner.rs"]
mod owner;
#[path = "attack/planted.rs"]
mod planted;
#[path = "attack/twins.rs"]
mod twins;
