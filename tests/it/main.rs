//! The tests of the whole program: they run the binary, and use the library as its users do. They are one binary,
//! because every test binary links all dependencies again. Each area has a module; `common` holds what several areas
//! share.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accepting;
mod age_testkit;
mod architecture;
mod archive;
mod attached;
mod attack;
mod cipher;
mod common;
mod conflicts;
mod describe;
mod determinism;
mod drivers;
mod emit;
mod examples;
mod faults;
mod forgery;
mod gc;
mod guard;
mod hooks;
mod interop;
mod keys;
mod line_ends;
mod lying;
mod managers;
mod models;
mod odd_repositories;
mod open;
mod open_keys;
mod privacy;
mod publication;
mod reftable;
mod refusals;
mod regression;
mod rekey;
mod restore;
mod scan;
mod seal;
mod sealing;
mod shared_hooks;
mod sharing;
mod sharing_git;
mod sharing_git_uses;
mod sharing_objects;
mod signing;
mod stable_seals;
mod state;
mod store;
mod templates;
mod twins;
mod vectors;
mod witness;
mod work_tree;
