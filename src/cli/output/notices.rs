//! What another maker of packs does otherwise, for people.

use crate::cli::output::Output;
use crate::cli::output::words::{LOOK, paint};
use crate::ops::pack::verify::VerifyReport;
use crate::refusal::shown::harmless;

/// So many notices are listed; a pack of another maker may have one for each member.
const NOTICES: usize = 10;

/// Tells what another maker of packs does otherwise.
pub(crate) fn of_pack(output: &mut Output, report: &VerifyReport) {
    let notices = report.verdict.findings.notices();
    let more = notices.len().saturating_sub(NOTICES);
    for notice in notices.take(NOTICES) {
        output.err(&format!(
            "  {} {}: {} {}\n",
            paint(LOOK, "note"),
            harmless(&notice.path),
            notice.kind.code(),
            harmless(notice.kind.detail())
        ));
    }
    if more > 0 {
        output.err(&format!("  {} {more} more, see --json\n", paint(LOOK, "note")));
    }
}
