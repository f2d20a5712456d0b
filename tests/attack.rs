//! Attacks: what somebody does who wants to get past the guard, the clone or the verifier, each with one line that says what
//! they gain if the test fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

#[path = "attack/evidence.rs"]
mod evidence;
#[path = "attack/foreign_hooks.rs"]
mod foreign_hooks;
#[path = "attack/links.rs"]
mod links;
#[path = "attack/memory.rs"]
mod memory;
#[path = "attack/store.rs"]
mod store;
