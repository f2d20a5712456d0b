//! The lines of `git pack status` about the hooks and the drivers.

use crate::cli::output::sheet::Sheet;
use crate::cli::output::words::{BLOCKS, LOOK, PROVEN, paint};
use crate::ops::guard::drivers::DriversState;
use crate::ops::guard::install::Present;
use crate::ops::guard::status::StatusReport;
use crate::ops::guard::status::doctor::CanaryOutcome;
use crate::refusal::shown::harmless;

/// Prints which hooks are installed, and which are missing.
pub(super) fn installed(sheet: &mut Sheet<'_>, report: &StatusReport) {
    sheet.label("guard");
    let there = report.hooks.iter().filter_map(|(hook, how)| {
        let how = match (*how)? {
            Present::Ours | Present::Absent => "",
            Present::Called => " (called by another hook)",
            Present::ToldNothing => {
                " (called by another hook, in which git lfs reads the list of pushed refs first: call git pack before it)"
            }
            Present::Configured => " (in git's configuration)",
        };
        Some(format!("{hook}{how}"))
    });
    let there: Vec<String> = there.collect();
    let missing = report.hooks.iter().filter(|(_, how)| how.is_none());
    let missing: Vec<&str> = missing.map(|(hook, _)| *hook).collect();
    if !there.is_empty() {
        let text = format!("{}: installed", there.join(", "));
        sheet.advised(&text, "git pack status --doctor");
    }
    if !missing.is_empty() {
        let install = match report.dirty {
            Some(_) => setting_up(report),
            None => "git pack init --server",
        };
        let text = format!("{}: {}", missing.join(", "), paint(BLOCKS, "NOT GUARDED"));
        sheet.advised(&text, install);
    }
}

/// Returns the command that installs the hooks and sets the drivers. In a new repository, it does more.
fn setting_up(report: &StatusReport) -> &'static str {
    match report.configured {
        true => "git pack install",
        false => "git pack init",
    }
}

/// Prints how each hook answered a canary.
pub(super) fn proven(sheet: &mut Sheet<'_>, proofs: &[(&'static str, CanaryOutcome)]) {
    sheet.label("guard");
    for (hook, proof) in proofs {
        let what = match proof {
            CanaryOutcome::Blocked => paint(PROVEN, "firing (just blocked a canary)"),
            CanaryOutcome::BlockedAlone => format!(
                "{}, but its hook manager tells it only one ref of a push",
                paint(PROVEN, "firing (just blocked a canary)")
            ),
            CanaryOutcome::NotGuarded => format!("{} (let a canary pass)", paint(BLOCKS, "NOT GUARDED")),
            CanaryOutcome::FailedOtherwise(why) => {
                format!(
                    "{} it failed before git-pack checked: {}",
                    paint(LOOK, "unknown:"),
                    harmless(why)
                )
            }
        };
        sheet.line(&format!("{hook}: {what}"));
    }
}

/// Prints what the clone has of the drivers, and what to do about it.
pub(super) fn drivers(sheet: &mut Sheet<'_>, report: &StatusReport, state: DriversState) {
    match state {
        DriversState::Set { can_open: true } => {
            sheet.line("set: git compares and merges sealed twins by their plaintext")
        }
        DriversState::Set { can_open: false } => {
            sheet.line("set, but there is no identity here: git shows twins as sealed and merges none")
        }
        DriversState::Different => sheet.advised("set by another program or by hand", "git pack install"),
        DriversState::NotSet => sheet.advised("not set: git takes sealed twins for binary files", setting_up(report)),
        DriversState::Off => sheet.line("off: git config gitpack.drivers is false"),
    };
}
