//! What was restored, as people read it.

use crate::cli::output::Output;
use crate::cli::output::human::path_from;
use crate::cli::output::table::aligned;
use crate::cli::output::words::{count, size};
use crate::format::dump::OtherEntry;
use crate::ops::Context;
use crate::ops::pack::restore::{Entries, RestoreReport, Restored};
use crate::refusal::shown::shown;
use crate::refusal::{Refusal, Result};

/// So many entries that are not there are named.
const NAMED: usize = 10;

pub(crate) fn restored(output: &mut Output, ctx: &Context, report: &RestoreReport) -> Result<()> {
    let outcome = if report.output.is_some() {
        "RESTORED"
    } else {
        "RESTORABLE"
    };
    output.line(&format!("{outcome} {}", report.files));
    let opened = matches!(&report.what, Restored::Entries(entries) if entries.opened > 0);
    match opened {
        // A hash over what was sealed is for whoever opened it, and not for the ledger.
        true => writeln!(output.unrecorded(), "{}", report.digest)
            .map_err(Refusal::io("writing", std::path::Path::new("standard output")))?,
        false => output.line(&report.digest.to_string()),
    }
    let commit: String = report.commit.chars().take(7).collect();
    let (noun, from) = match (&report.what, &report.pack_id) {
        (Restored::Texts { .. }, Some(_)) => ("text", format!("as the pack of {commit} has them")),
        (Restored::Texts { .. }, None) => ("text", format!("as the file says that {commit} has them")),
        (Restored::Entries(_), Some(_)) => ("file", format!("as the pack of {commit} has them")),
        (Restored::Entries(_), None) => ("file", format!("as the manifest says that {commit} has them")),
    };
    let (files, bytes) = (count(report.files, noun), size(report.bytes));
    output.err(&match &report.output {
        Some(directory) => {
            let eyes = if opened {
                " · for your eyes only (mode 700)"
            } else {
                ""
            };
            format!(
                "  {files} in {}/, {bytes} · {from}{eyes}\n",
                path_from(&ctx.cwd, directory)
            )
        }
        None => format!("  {files}, {bytes}, could be restored, {from}; nothing was written\n"),
    });
    match &report.what {
        Restored::Texts { state, missing } => texts(output, &state.to_string(), missing),
        Restored::Entries(entries) => self::entries(output, entries),
    }
    Ok(())
}

fn entries(output: &mut Output, entries: &Entries) {
    let state = match entries.state {
        Some(state) if state == entries.plain => format!("the pack's state {state}"),
        _ => format!("the state {}", entries.plain),
    };
    let (sealed, opened) = (entries.ciphertexts, entries.opened);
    output.err(&match (sealed, opened) {
        (0, 0) => format!("  nothing is sealed: this is {state}\n"),
        (0, 1) => format!("  1 was sealed, and the digest is over what is in it; without it, this is {state}\n"),
        (0, _) => {
            format!("  {opened} were sealed, and the digest is over what is in them; without them, this is {state}\n")
        }
        (1, _) => format!("  1 is still sealed (.age), without which this is {state}\n"),
        _ => format!("  {sealed} are still sealed (.age), without which this is {state}\n"),
    });
    let as_files = |n: u64, what: &str, holds: &str| match n {
        1 => format!("1 {what} is a file here, which holds {holds}"),
        n => format!("{n} {what}s are files here, each of which holds {holds}"),
    };
    if entries.links > 0 {
        output.err(&format!("  {}\n", as_files(entries.links, "link", "its target")));
    }
    if entries.submodules > 0 {
        output.err(&format!(
            "  {}\n",
            as_files(entries.submodules, "submodule", "the id of its commit")
        ));
    }
    if !entries.kinds_known {
        output
            .err("  which of them are executable, links or submodules is not known: the commit is not in this clone\n");
    }
}

fn texts(output: &mut Output, state: &str, missing: &[OtherEntry]) {
    if missing.is_empty() {
        output.err(&format!("  nothing is missing: this is the state {state}\n"));
        return;
    }
    output.err(&format!(
        "  {} no text, and not there; with what is listed of them, this is the state {state}\n",
        match missing.len() {
            1 => "1 entry is".to_owned(),
            n => format!("{n} entries are"),
        },
    ));
    let rows: Vec<[String; 3]> = missing
        .iter()
        .take(NAMED)
        .map(|entry| {
            let kind = entry.kind.as_str().to_owned();
            [shown(entry.path.as_bytes()), kind, size(entry.size)]
        })
        .collect();
    output.err(&aligned(&rows, "    "));
    if missing.len() > NAMED {
        output.err(&format!("    and {} more\n", missing.len() - NAMED));
    }
}
