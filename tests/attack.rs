//! Attacks: what somebody would do who has read the sources. Each test says in its first line what they gain if it fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

#[path = "attack/bombs.rs"]
mod bombs;
#[path = "attack/forge.rs"]
mod forge;
#[path = "attack/sent.rs"]
mod sent;
