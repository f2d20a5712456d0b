//! The tests of the whole program: they run the binary, and use the library as its users do. They are one binary,
//! because every test binary links all dependencies again. Each area has a module; `common` holds what several areas
//! share.
//!
//! Most of them need a shell, links, modes, or names that are not UTF-8, and run on Unix only.

#![cfg_attr(not(unix), allow(dead_code))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[cfg(unix)]
mod accepting;
#[cfg(unix)]
mod advice;
#[cfg(unix)]
mod age_testkit;
#[cfg(unix)]
mod agent;
#[cfg(unix)]
mod architecture;
#[cfg(unix)]
mod archive;
#[cfg(unix)]
mod attached;
#[cfg(unix)]
mod attack;
#[cfg(unix)]
mod attesting;
#[cfg(unix)]
mod cipher;
mod common;
#[cfg(unix)]
mod conflicts;
#[cfg(unix)]
mod describe;
#[cfg(unix)]
mod determinism;
#[cfg(unix)]
mod drivers;
#[cfg(unix)]
mod emit;
#[cfg(unix)]
mod examples;
#[cfg(unix)]
mod faults;
#[cfg(unix)]
mod forgery;
#[cfg(unix)]
mod gc;
#[cfg(unix)]
mod guard;
#[cfg(unix)]
mod help;
#[cfg(unix)]
mod hooks;
#[cfg(unix)]
mod interop;
#[cfg(unix)]
mod judged_before;
#[cfg(unix)]
mod keys;
#[cfg(unix)]
mod line_ends;
#[cfg(unix)]
mod lying;
#[cfg(unix)]
mod managers;
#[cfg(unix)]
mod manners;
#[cfg(unix)]
mod models;
#[cfg(unix)]
mod odd_repositories;
#[cfg(unix)]
mod open;
#[cfg(unix)]
mod open_keys;
#[cfg(unix)]
mod privacy;
#[cfg(unix)]
mod publication;
#[cfg(unix)]
mod pushed_packs;
#[cfg(unix)]
mod reftable;
#[cfg(unix)]
mod refusals;
#[cfg(unix)]
mod regression;
#[cfg(unix)]
mod rekey;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod restore;
#[cfg(unix)]
mod scan;
#[cfg(unix)]
mod seal;
#[cfg(unix)]
mod sealing;
#[cfg(unix)]
mod second;
#[cfg(unix)]
mod shared_hooks;
#[cfg(unix)]
mod sharing;
#[cfg(unix)]
mod sharing_git;
#[cfg(unix)]
mod sharing_git_uses;
#[cfg(unix)]
mod sharing_objects;
#[cfg(unix)]
mod signing;
#[cfg(unix)]
mod stable_seals;
#[cfg(unix)]
mod state;
#[cfg(unix)]
mod status;
#[cfg(unix)]
mod store;
#[cfg(unix)]
mod templates;
#[cfg(unix)]
mod terminals;
#[cfg(unix)]
mod tour;
#[cfg(unix)]
mod twins;
mod vectors;
#[cfg(unix)]
mod walks;
#[cfg(unix)]
mod way_out;
#[cfg(unix)]
mod witness;
#[cfg(unix)]
mod work_tree;
