//! What was restored, as people read it.

use crate::cli::output::Output;
use crate::cli::output::human::{aligned, path_from};
use crate::cli::output::words::{count, size};
use crate::format::repo_path::shown;
use crate::ops::Context;
use crate::ops::restore::RestoreReport;

/// So many entries that are not there are named.
const NAMED: usize = 10;

pub(crate) fn restored(output: &mut Output, ctx: &Context, report: &RestoreReport) {
    output.line(&format!("RESTORED {}", report.files));
    output.line(&report.digest.to_string());
    let commit: String = report.commit.chars().take(7).collect();
    let from = match &report.pack_id {
        Some(_) => format!("as the pack of {commit} has them"),
        None => format!("as the file says that {commit} has them"),
    };
    output.err(&format!(
        "  {} in {}/, {} · {from}\n",
        count(report.files, "text"),
        path_from(&ctx.cwd, &report.output),
        size(report.bytes),
    ));
    if report.missing.is_empty() {
        output.err(&format!("  nothing is missing: this is the state {}\n", report.state));
        return;
    }
    output.err(&format!(
        "  {} no text, and not there; with what is listed of them, this is the state {}\n",
        match report.missing.len() {
            1 => "1 entry is".to_owned(),
            n => format!("{n} entries are"),
        },
        report.state,
    ));
    let rows: Vec<[String; 3]> = report
        .missing
        .iter()
        .take(NAMED)
        .map(|entry| {
            let kind = entry.kind.as_str().to_owned();
            [shown(entry.path.as_bytes()), kind, size(entry.size)]
        })
        .collect();
    output.err(&aligned(&rows, "    "));
    if report.missing.len() > NAMED {
        output.err(&format!("    and {} more\n", report.missing.len() - NAMED));
    }
}
