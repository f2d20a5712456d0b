//! The findings of a scan, for people.

use std::time::Duration;

use super::leaks::{LISTED, NAMED, argument, commit_advice, examined, is_sealable, leak_lines, names_of, notices};
use crate::cli::env;
use crate::cli::output::Output;
use crate::cli::output::table::advise;
use crate::cli::output::words::{BLOCKS, PROVEN, paint};
use crate::ops::guard::scan::surfaces::Surface;
use crate::ops::guard::scan::{FoundLeak, ScanReport};
use crate::rules::scan::LeakCode;

/// Where the findings of a scan are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// On stdout.
    Here,
    /// On stderr, because stdout holds a document for machines.
    Beside,
}

/// Prints the findings of a scan, a line each, advice, and what was examined.
pub(super) fn print(output: &mut Output, surface: &Surface, report: &ScanReport, told: Told, time: Duration) {
    let named = match told {
        Told::Here => LISTED,
        Told::Beside => NAMED,
    };
    let mut lines = leak_lines(&report.leaks, "history still holds it", named);
    let outcome = match report.is_clean() {
        true => paint(PROVEN, "CLEAN"),
        false => paint(BLOCKS, "LEAK"),
    };
    lines.push_str(&format!("pack scan: {outcome}\n"));
    match told {
        Told::Here => lines.lines().for_each(|line| output.line(line)),
        Told::Beside => output.err(&lines),
    }
    if !report.leaks.is_empty() {
        let paths =
            |wanted: &dyn Fn(&FoundLeak) -> bool, name: &dyn Fn(&[u8]) -> String| names_of(&report.leaks, wanted, name);
        let mut advice = Vec::new();
        match surface {
            Surface::Staged => advice = commit_advice(&report.leaks),
            Surface::WorkTree { .. } | Surface::Revision(_) => {
                let sealable = paths(&is_sealable, &argument);
                if !sealable.is_empty() {
                    advice.push(("seal instead", format!("{} pack protect{sealable}", env::git_at_top())));
                }
                advice.push((
                    "or change the rules",
                    "[[protect]] and [[allow]] in .gitpack.toml".into(),
                ));
            }
            Surface::Range(_) | Surface::All => {
                advice.push(("rewrite unpushed commits", "git rebase -i, or git filter-repo".into()));
                advice.push(("what is already pushed", "is public: replace any keys in it".into()));
                if report
                    .leaks
                    .iter()
                    .any(|found| found.leak.code != LeakCode::TrackedRunOutput)
                {
                    advice.push(("or allow single blobs", "git pack scan --all --write-allow".into()));
                }
            }
        }
        output.err(&advise(&advice));
    }
    notices(output, report);
    output.err(&format!("  {}\n", examined(&report.examined, Some(time))));
}

/// Prints how many entries were added to the configuration.
pub(super) fn allowed(output: &mut Output, added: usize) {
    let what = match added {
        1 => "1 [[allow]] entry".to_owned(),
        n => format!("{n} [[allow]] entries"),
    };
    output.err(&format!(
        "  added {what} to .gitpack.toml; each releases one blob: review them, and delete those that must not be public\n"
    ));
}
