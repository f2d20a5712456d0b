//! Judgements: is a file protected, a push a leak, a pack valid? Values to verdicts, without any I/O.

pub mod accepted;
pub mod agent;
pub mod audit;
pub mod audited_entries;
pub mod content;
pub mod diff;
pub mod globs;
pub mod health;
pub mod hook_config;
pub mod hook_script;
pub mod identity_file;
pub mod known;
pub mod main_branches;
pub mod managers;
pub mod member_type;
pub mod pack;
pub mod protect;
pub mod push;
pub mod restore;
pub mod retention;
pub mod rewriting;
pub mod scan;
pub mod scope;
pub mod similar;
pub mod twins;
pub mod weakening;
