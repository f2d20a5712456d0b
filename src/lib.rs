//! git-pack publishes a repository, or a pack of it, without giving away what it must not.
//!
//! * A *state* is one digest over what a commit's tree holds; every clone gives the same: [`state`].
//! * A *pack* is a directory whose id covers every byte in it, with protected files sealed: [`seal`], [`verify`], [`open`].
//! * The *guard* stops protected files at commit and at push: [`scan`].
//!
//! A use case is a function of [`Context`], which says all that it may know of its surroundings, and of a request. It
//! returns a report, or a [`Refusal`] where something could not be judged or done.
//!
//! ```
//! use std::process::Command;
//!
//! use gitpack::{Context, StateRequest, Timestamp, state};
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
//! | [`state`] | computes the state of a commit | `state_of_a_commit` |
//! | [`verify`] | judges a pack | `verify_a_pack` |
//! | [`scan`] | looks for leaks | `scan_a_range` |
//! | [`seal`] | makes a pack | `seal_and_open` |
//! | [`open`] | opens what is sealed in a pack | `seal_and_open` |
//!
//! What these functions take and return is here as well. The feature `internals` makes everything else public for the tests of this
//! crate; it changes without notice.

// Five layers, one direction; `tests/it/architecture.rs` holds the table. Every layer may import the ground, `refusal`.
//
// | layer | owns | may import |
// |---|---|---|
// | `refusal` | the reasons for refusing | nothing |
// | `format` | what is on disk and on the wire | nothing else |
// | `rules` | what is judged | `format` |
// | `adapters` | git, the cipher, the disk | `format` |
// | `ops` | one use case a file | `format`, `rules`, `adapters` |
// | `cli` | arguments, environment, clock, terminal | `format`, `rules`, `ops` |

#[cfg(feature = "internals")]
pub mod adapters;
#[cfg(feature = "internals")]
pub mod cli;
#[cfg(feature = "internals")]
pub mod format;
#[cfg(feature = "internals")]
pub mod ops;
#[cfg(feature = "internals")]
pub mod refusal;
#[cfg(feature = "internals")]
pub mod rules;

#[cfg(not(feature = "internals"))]
mod adapters;
#[cfg(not(feature = "internals"))]
mod cli;
#[cfg(not(feature = "internals"))]
mod format;
#[cfg(not(feature = "internals"))]
mod ops;
#[cfg(not(feature = "internals"))]
mod refusal;
#[cfg(not(feature = "internals"))]
mod rules;

#[doc(hidden)]
pub use cli::run;
pub use format::digest::Digest;
pub use format::object_id::ObjectId;
pub use format::only::Only;
pub use format::repo_path::RepoPath;
pub use format::repo_state::{Mode, StateEntry};
pub use format::timestamp::Timestamp;
pub use format::tree_meta::Part;
pub use ops::guard::scan::ScanReport;
pub use ops::guard::scan::surfaces::{Surface, scan};
pub use ops::pack::open::{OpenReport, OpenRequest, open};
pub use ops::pack::seal::{Privacy, SealNotice, SealReport, SealRequest, seal};
pub use ops::pack::signatures::{SignaturesReport, SignerRequest};
pub use ops::pack::verify::{VerifyReport, VerifyRequest, verify};
pub use ops::state::{State, StateRequest, state};
pub use ops::{Ask, Asker, Context, CredentialPlaces, Silence, Surroundings};
pub use refusal::code::Code;
pub use refusal::{Refusal, Result};
pub use rules::pack::verdict::Verdict;
pub use rules::scan::{Leak, LeakCode};
