//! `man`, which is asked where it finds a page.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::adapters::program;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns the file in which `man` finds a page, or `None` if it finds none. An error if there is no such program.
pub fn where_is(page: &str) -> Result<Option<PathBuf>, String> {
    let nothing: Arc<[u8]> = Arc::new([]);
    let (answer, _) = program::consult(Command::new("man").args(["-w", page]), nothing, PATIENCE)?;
    let text = String::from_utf8_lossy(&answer.text);
    let first = text.lines().next().filter(|line| answer.success && !line.is_empty());
    Ok(first.map(PathBuf::from))
}
