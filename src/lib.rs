//! git-pack publishes a repository, or a pack of it, without giving away what it must not.
//!
//! * A *state* is one digest over what a commit's tree holds; every clone gives the same: [`ops::state`].
//! * A *pack* is a directory whose id covers every byte in it, with protected files sealed: [`ops::pack`].
//! * The *guard* stops protected files at commit and at push: [`ops::guard`].
//! * The *store* keeps what is needed to build packs again: [`ops::store`].
//!
//! A use case is a function of [`ops::Context`], which says all that it may know of its surroundings, and of a request. It
//! returns a report, or a [`refusal::Refusal`] where something could not be judged or done.
//!
//! ```
//! use std::process::Command;
//!
//! use gitpack::format::timestamp::Timestamp;
//! use gitpack::ops::Context;
//! use gitpack::ops::state::{StateRequest, state};
//!
//! let repository = tempfile::tempdir().unwrap();
//! let git = |args: &[&str]| {
//!     let mut git = Command::new("git");
//!     git.current_dir(repository.path()).args(["-c", "user.name=A", "-c", "user.email=a@example.org"]);
//! #   git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
//!     assert!(git.args(args).status().unwrap().success());
//! };
//! git(&["init", "-q"]);
//! std::fs::write(repository.path().join("README.md"), "hello\n").unwrap();
//! git(&["add", "README.md"]);
//! git(&["commit", "-q", "-m", "first"]);
//!
//! let ctx = Context::new(repository.path(), Timestamp::from_seconds(0).unwrap());
//! let state = state(&ctx, &StateRequest::default()).unwrap();
//! assert_eq!(state.entries.len(), 1);
//! assert_eq!(
//!     state.digest().to_string(),
//!     "sha256:c949a812dfff7900e8edccc74a5f3d85624169bff49e002ce50ba976ef404b02"
//! );
//! ```
//!
//! # For other programs
//!
//! | function | does | program in `examples/` |
//! |---|---|---|
//! | [`state`](ops::state::state) | computes the state of a commit | `state_of_a_commit` |
//! | [`verify`](ops::pack::verify::verify) | judges a pack | `verify_a_pack` |
//! | [`scan`](ops::guard::scan::surfaces::scan) | looks for leaks | `scan_a_range` |
//! | [`seal`](ops::pack::seal::seal) | makes a pack | `seal_and_open` |
//! | [`open`](ops::pack::open::open) | opens what is sealed in a pack | `seal_and_open` |
//!
//! These functions, their requests, their reports and [`ops::Context`] are meant for other programs. Everything else is public for the
//! tests of this crate, and changes without notice.
//!
//! # Map
//!
//! Five layers, one direction; `tests/it/architecture.rs` holds the table. Every layer may import the ground, [`refusal`].
//!
//! | layer | owns | may import |
//! |---|---|---|
//! | [`refusal`] | the reasons for refusing | nothing |
//! | [`mod@format`] | what is on disk and on the wire | nothing else |
//! | [`rules`] | what is judged | `format` |
//! | [`adapters`] | git, the cipher, the disk | `format` |
//! | [`ops`] | one use case a file | `format`, `rules`, `adapters` |
//! | [`cli`] | arguments, environment, clock, terminal | `format`, `rules`, `ops` |

pub mod adapters;
pub mod cli;
pub mod format;
pub mod ops;
pub mod refusal;
pub mod rules;
