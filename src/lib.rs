//! git-pack: deterministic states of commits, sealed packs whose id proves their content, and a guard against leaks.
//!
//! Five layers, one direction; `tests/it/architecture.rs` holds the table.
//!
//! | layer | owns | may import |
//! |---|---|---|
//! | [`refusal`] | the reasons for refusing | nothing |
//! | [`mod@format`] | what is on disk and on the wire | `refusal` |
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
