//! Files that could not be examined whole, in words.

use crate::cli::output::words::{LOOK, paint};
use crate::refusal::shown::harmless;
use crate::rules::scan::InPart;

/// Returns the sentence about a file that could not be examined whole.
pub(crate) fn examined_in_part(path: &str, why: &[InPart]) -> String {
    let why: Vec<String> = why.iter().map(InPart::to_string).collect();
    format!("{path}: {}", why.join("; "))
}

/// Returns the line about a file that could not be examined whole.
pub(crate) fn in_part_notice(path: &str, why: &[InPart]) -> String {
    let what = harmless(&examined_in_part(path, why));
    format!("  {}   {what}\n", paint(LOOK, "EXAMINED_IN_PART"))
}
