//! The page about a commit: its state, and what a public pack of it would seal.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::checking;
use super::page::{Banner, Section, whole};
use super::sizes::{self, Content, Sized};
use super::tables::{Column, ROWS, canon, copied, facts, left_out, name, scope, sentence, share, table};
use crate::cli::commands::scan::leaks::leak_row;
use crate::cli::output::words::{count, size};
use crate::format::repo_state::EntryKind;
use crate::ops::pack::report::{ReportedCommit, ReportedFile};
use crate::rules::scan::{Leak, LeakCode};

/// The most files that get a row each.
const FILES: usize = 1000;

/// What a public pack does with a file.
fn content(file: &ReportedFile) -> Content {
    match (&file.leak, file.sealed) {
        (Some(_), _) => Content::ToSeal,
        (None, true) => Content::Sealed,
        (None, false) => Content::Clear,
    }
}

/// Returns whether a file keeps a pack from being made.
fn is_refused(leak: &Leak) -> bool {
    leak.code == LeakCode::FakeSeal
}

/// Returns the page.
pub(super) fn page(report: &ReportedCommit) -> Vec<u8> {
    let leaks: Vec<(&ReportedFile, &Leak)> = report
        .files
        .iter()
        .filter_map(|file| Some((file, file.leak.as_ref()?)))
        .collect();
    let refused = leaks.iter().filter(|(_, leak)| is_refused(leak)).count() as u64;
    let seals = leaks.len() as u64 - refused;
    let files = count(report.files.len() as u64, "file");
    let sentence = match (seals, refused) {
        (0, 0) => format!("A public pack of this commit holds its {files} as they are."),
        (_, 0) => format!("A public pack of this commit seals {seals} of its {files}."),
        _ => format!(
            "A pack of this commit is refused: {} named like a sealed file without being one.",
            match refused {
                1 => "1 file is".to_owned(),
                _ => format!("{refused} files are"),
            }
        ),
    };
    let commit = report.state.commit.short();
    let banner = Banner {
        class: if refused > 0 { "bad" } else { "plain" },
        word: commit.clone(),
        sentence,
    };
    let sections = [
        Section::new("identity", "Identity", identity(report)),
        Section::new("sealing", "What a public pack seals", sealing(report, &leaks)),
        Section::new("sizes", "Sizes", sizes_of(report)),
        Section::new("files", "Files", files_of(report)),
        Section::new("checking", "Check it yourself", checking::of_commit(report)),
    ];
    whole(&format!("Commit report: {commit}"), "Commit report", &banner, &sections)
}

fn identity(report: &ReportedCommit) -> Markup {
    let state = &report.state;
    let mut rows = vec![
        ("State digest", copied(&state.digest.to_string())),
        ("Commit", copied(&state.commit.hex())),
        ("Tree", copied(&state.tree.hex())),
        ("Scope", scope(&state.scope, &report.title)),
    ];
    rows.extend(canon(&state.canon_version));
    rows.extend([
        ("Files", html! { (state.entries) ", " (size(state.bytes)) }),
        (
            "Recipients",
            match &report.recipients {
                Ok(0) => html! { "none, so that nothing can be sealed" },
                Ok(number) => html! { (number) " in the configuration of the commit" },
                Err(why) => html! { (sentence(&why.to_string())) },
            },
        ),
    ]);
    facts(rows)
}

fn sealing(report: &ReportedCommit, leaks: &[(&ReportedFile, &Leak)]) -> Markup {
    if leaks.is_empty() {
        return html! { p { "No rule of this commit protects any of its files." } };
    }
    let bytes = leaks.iter().fold(0_u64, |sum, (file, _)| sum.saturating_add(file.size));
    html! {
        p {
            "Rules of this commit protect " (count(leaks.len() as u64, "file")) ", " (size(bytes))
            ". Who can read the repository can read them as they are."
            @if matches!(report.recipients, Ok(0)) { " There are no recipients to seal them for." }
        }
        (table(
            "leaks",
            "Files that a public pack does not hold in the clear",
            [Column::Text("File"), Column::Text("What it is"), Column::Text("Why"), Column::Number("Size")],
            leaks.iter().take(ROWS).map(|(file, leak)| {
                let [_, what, why] = leak_row(leak);
                [
                    name(file.path.as_bytes()),
                    html! { (sentence(&what)) @if is_refused(leak) { "; a pack with it is refused" } },
                    html! { (sentence(&why)) },
                    html! { (size(file.size)) },
                ]
            }),
        ))
        (left_out(leaks.len(), ROWS, "git pack scan --rev prints more."))
    }
}

fn sizes_of(report: &ReportedCommit) -> Markup {
    let files = report.files.iter().map(|file| Sized {
        path: file.path.as_bytes(),
        bytes: file.size,
        content: content(file),
    });
    sizes::section(files.collect(), "commit")
}

fn files_of(report: &ReportedCommit) -> Markup {
    let mut listed: Vec<&ReportedFile> = report.files.iter().collect();
    let all = listed.len();
    let caption = match all > FILES {
        true => {
            listed.sort_by_key(|file| (Reverse(file.size), file.path.as_bytes()));
            listed.truncate(FILES);
            format!("The {FILES} largest of {all} files")
        }
        false => "All files".to_owned(),
    };
    html! {
        (table(
            "file-rows",
            &caption,
            [Column::Text("File"), Column::Text("Kind"), Column::Text("Content"), Column::Number("Size"), Column::Number("Share")],
            listed.into_iter().map(|file| [
                name(file.path.as_bytes()),
                html! { (kind(file.kind)) },
                html! { (content(file).words()) },
                html! { (size(file.size)) },
                html! { (share(file.size, report.state.bytes)) },
            ]),
        ))
        @if all > FILES {
            p.note { "git pack state --files prints all files." }
        }
    }
}

fn kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Regular => "file",
        EntryKind::Executable => "program",
        EntryKind::Symlink => "link",
        EntryKind::Submodule => "submodule",
    }
}
