//! What is on disk and on the wire: bytes to values and back, without any I/O.

pub mod budget;
pub mod canonical_json;
pub mod config;
pub mod digest;
pub mod digest_table;
pub mod dump;
pub mod layers;
pub mod lite;
pub mod manifest;
pub mod member_path;
pub mod object_id;
pub mod padding;
pub mod protected;
pub mod push_line;
pub mod receipt;
pub mod refusal;
pub mod repo_path;
pub mod repo_state;
pub mod run_record;
pub mod sealed;
pub mod timestamp;
pub mod tokens;
pub mod tree_meta;
pub mod twin;
pub mod verdict_log;
pub mod witness;
