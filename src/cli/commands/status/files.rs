//! The lines of `git pack status` about protected files.

use crate::cli::commands::protect::standing;
use crate::cli::env::at_top;
use crate::cli::output::sheet::Sheet;
use crate::cli::output::words::{BLOCKS, argument, arrow, count, paint};
use crate::ops::guard::status::StatusReport;
use crate::ops::guard::status::protected::PlainFile;
use crate::refusal::shown::visible;

/// The most files of a kind that are named.
const NAMED: usize = 10;

/// The most files that a command names.
const IN_A_COMMAND: usize = 3;

/// Prints how many files there are, and names the first of each kind, those that are wrong first.
pub(super) fn protected(sheet: &mut Sheet<'_>, report: &StatusReport) {
    let files = &report.files;
    let of_kind =
        |wanted: &dyn Fn(&PlainFile) -> bool| files.plain.iter().filter(|file| wanted(file)).collect::<Vec<_>>();
    let exposed = of_kind(&PlainFile::is_exposed);
    let internal = of_kind(&|file| file.is_tracked && !file.is_exposed());
    let untracked = of_kind(&|file| !file.is_tracked);
    let parts = [
        (files.twins.len(), "sealed"),
        (exposed.len(), "tracked in plaintext"),
        (internal.len(), "internal and tracked"),
        (untracked.len(), "in plaintext and untracked"),
        (files.released, "released by an exception"),
    ];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, what)| format!("{number} {what}")).collect();
    let total = files.twins.len() + files.plain.len() + files.released;
    match total {
        0 => sheet.line("no files, by their names"),
        total => sheet.line(&format!(
            "{} by name: {}",
            count(total as u64, "file"),
            parts.join(", ")
        )),
    };
    twins(sheet, report);
    plain(sheet, report, &exposed);
    plain(sheet, report, &internal);
    plain(sheet, report, &untracked);
    sheet.advised("their content was not looked at", "git pack scan --worktree");
}

fn twins(sheet: &mut Sheet<'_>, report: &StatusReport) {
    let (mut pairs, sound): (Vec<_>, Vec<_>) = report.files.twins.iter().partition(|pair| pair.is_wrong());
    pairs.extend(sound);
    let rows = pairs.iter().take(NAMED).map(|pair| {
        let (about, command) = standing(pair);
        [visible(pair.path.as_bytes()), about, command]
    });
    let rows: Vec<_> = rows.collect();
    sheet.rows(&rows);
    more(sheet, pairs.len());
}

fn plain(sheet: &mut Sheet<'_>, report: &StatusReport, files: &[&PlainFile]) {
    let rows = files.iter().take(NAMED).map(|file| {
        let path = file.path.as_bytes();
        let about = match (file.is_exposed(), file.is_tracked) {
            (true, _) => paint(BLOCKS, "tracked in plaintext"),
            (false, true) => "internal: for private remotes only".to_owned(),
            (false, false) => "untracked".to_owned(),
        };
        let about = match (report.outputs.sealing.get(&file.path), file.is_tracked) {
            (Some(pack), _) => format!("{about}, sealed in {}", visible(pack.as_bytes())),
            (None, false) => format!("{about}, not sealed"),
            (None, true) => about,
        };
        let command = match file.is_exposed() {
            true => arrow(&at_top(&format!("git pack protect {}", argument(path)))),
            false => String::new(),
        };
        [visible(path), about, command]
    });
    let rows: Vec<_> = rows.collect();
    sheet.rows(&rows);
    more(sheet, files.len());
}

fn more(sheet: &mut Sheet<'_>, number: usize) {
    if number > NAMED {
        let text = format!("and {} more", number - NAMED);
        sheet.advised(&text, "git pack status --json");
    }
}

/// Returns the command that seals the files that are tracked in plaintext.
pub(super) fn protecting(report: &StatusReport) -> String {
    let exposed = report.files.plain.iter().filter(|file| file.is_exposed());
    let paths: Vec<String> = exposed.map(|file| argument(file.path.as_bytes())).collect();
    let more = if paths.len() > IN_A_COMMAND { " …" } else { "" };
    let named = paths.iter().take(IN_A_COMMAND).cloned().collect::<Vec<_>>().join(" ");
    match (report.recipients.is_empty(), report.configured) {
        (true, false) => at_top(&format!("git pack init && git pack protect {named}{more}")),
        (true, true) => at_top(&format!(
            "git pack recipients add age1…, then git pack protect {named}{more}"
        )),
        (false, _) => at_top(&format!("git pack protect {named}{more}")),
    }
}
