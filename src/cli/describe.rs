//! The texts that describe the program: `--describe`, `--schema` and `--version`.

use std::borrow::Cow;
use std::ffi::OsString;

use crate::cli::commands::operator;

/// What `--schema` prints: the JSON Schema of `pack.v0`, with those of the reports under `$defs`.
const SCHEMA: &str = include_str!("../../schema.json");

/// What `--version` prints.
const VERSION: &str = concat!("pack ", env!("CARGO_PKG_VERSION"), "\n");

/// Returns the text that the first of these flags asks for. Flags after `--` and flags of a hook do not count.
pub(super) fn asked_for(arguments: &[OsString]) -> Option<Cow<'static, str>> {
    let mut arguments = arguments.iter().take_while(|a| *a != "--").peekable();
    if arguments.peek().is_some_and(|a| *a == "hook") {
        return None;
    }
    arguments.find_map(|a| match a.to_str() {
        Some("--describe") => Some(operator::manifest().into()),
        Some("--schema") => Some(SCHEMA.into()),
        Some("--version") => Some(VERSION.into()),
        _ => None,
    })
}
