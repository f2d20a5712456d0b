//! Leaks for people: a line for each, and advice. A scan and the hooks share them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use unicode_normalization::UnicodeNormalization;

use crate::cli::env;
use crate::cli::output::Output;
use crate::cli::output::in_part::in_part_notice;
use crate::cli::output::table::aligned;
use crate::cli::output::words::{LOOK, count, duration, paint, quoted, size};
use crate::format::object_id::ObjectId;
use crate::format::protected::{Origin, Policy};
use crate::format::repo_state::EntryKind;
use crate::ops::guard::scan::{Examined, FoundLeak, ScanReport};
use crate::refusal::shown::{harmless, shown};
use crate::rules::protect::Cause;
use crate::rules::scan::{Leak, LeakCode};

/// The most leaks that a hook's message names.
pub(in crate::cli::commands) const NAMED: usize = 50;

/// The most leaks that are listed with their commits. `--json` lists all.
pub(in crate::cli::commands) const LISTED: usize = 10_000;

/// The most paths in a command to be typed.
const TYPED: usize = 12;

pub(in crate::cli::commands) fn commit_advice(leaks: &[FoundLeak]) -> Vec<(&'static str, String)> {
    let names = |wanted: &dyn Fn(&FoundLeak) -> bool, name: &dyn Fn(&[u8]) -> String| names_of(leaks, wanted, name);
    let git = env::git_at_top();
    let mut advice = Vec::new();
    let sealable = names(&is_sealable, &argument);
    if !sealable.is_empty() {
        advice.push(("seal instead", format!("{git} pack protect{sealable}")));
    }
    if leaks.iter().any(|found| found.is_added) {
        let added = names(&|found| found.is_added, &pathspec);
        advice.push(("leave out of the commit", format!("{git} restore --staged --{added}")));
    }
    if leaks.iter().any(|found| !found.is_added) {
        let others = names(&|found| !found.is_added, &pathspec);
        advice.push(("stop tracking, keep on disk", format!("{git} rm --cached --{others}")));
    }
    if leaks.iter().any(|found| found.leak.code != LeakCode::TrackedRunOutput) {
        advice.push((
            "or change the rules",
            "[[protect]] and [[allow]] in .gitpack.toml".into(),
        ));
    }
    advice
}

/// Returns the paths of the wanted leaks as arguments, or a placeholder if they are too many to be typed.
pub(in crate::cli::commands) fn names_of(
    leaks: &[FoundLeak],
    wanted: &dyn Fn(&FoundLeak) -> bool,
    name: &dyn Fn(&[u8]) -> String,
) -> String {
    let mut paths: Vec<&[u8]> = Vec::new();
    for found in leaks.iter().filter(|found| wanted(found)) {
        let path = found.leak.entry.path.as_bytes();
        if paths.last() != Some(&path) {
            paths.push(path);
        }
    }
    match paths.len() {
        0..=TYPED => paths.iter().map(|path| format!(" {}", name(path))).collect(),
        n => format!(" <each of the {n} files>"),
    }
}

pub(in crate::cli::commands) fn leak_lines(leaks: &[FoundLeak], still: &str, named: usize) -> String {
    let rows: Vec<_> = leaks
        .iter()
        .take(named)
        .map(|found| {
            let commit = found.leak.entry.commit.map(|id| id.short()).unwrap_or_default();
            let [path, class, rule] = leak_row(&found.leak);
            [commit, path, class, rule, found.leak.entry.id.hex()[..12].to_owned()]
        })
        .collect();
    let without_commits = rows.iter().all(|row| row[0].is_empty());
    let mut text = String::new();
    let lines = match without_commits {
        true => aligned(
            &rows.into_iter().map(|[_, a, b, c, d]| [a, b, c, d]).collect::<Vec<_>>(),
            "  ",
        ),
        false => aligned(&rows, "  "),
    };
    for (line, found) in lines.lines().zip(leaks) {
        text.push_str(line);
        text.push('\n');
        if let Some(deleted) = found.deleted_in {
            text.push_str(&format!(
                "            deleted again in {}, but {still}\n",
                ObjectId::short(&deleted)
            ));
        }
    }
    let listed = leaks.iter().take(named).map(|found| found.leak.entry.path.as_bytes());
    text.push_str(&look_alikes(listed));
    text.push_str(&unnamed(leaks.len(), named));
    text
}

/// Returns a note for each path that looks like one before it and has other bytes. Unicode spells many letters in two
/// ways (NFC and NFD), and a terminal shows both alike.
pub(in crate::cli::commands) fn look_alikes<'a>(paths: impl Iterator<Item = &'a [u8]>) -> String {
    let mut first_of: BTreeMap<String, &str> = BTreeMap::new();
    let mut told = BTreeSet::new();
    let mut text = String::new();
    for path in paths.filter_map(|path| std::str::from_utf8(path).ok()) {
        let first = *first_of.entry(path.nfc().collect()).or_insert(path);
        if first != path && told.insert(path) {
            let (first, path) = (in_octal(first), in_octal(path));
            text.push_str(&format!(
                "            two of these paths look the same and are two files: {first} and {path}\n"
            ));
        }
    }
    text
}

/// Returns a path as git quotes it: bytes beyond ASCII in octal.
fn in_octal(path: &str) -> String {
    let mut text = String::from("\"");
    for byte in path.bytes() {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text.push('"');
    text
}

/// Returns what a code stands for, in a few words.
pub(super) fn about(code: LeakCode) -> &'static str {
    match code {
        LeakCode::TrackedRunOutput => "a run output, which must not be tracked",
        LeakCode::PlaintextProtected => "protected plaintext",
        LeakCode::FakeSeal => "a file named .age that is not an age file",
        LeakCode::BrokenSeal => "a damaged age file, which no identity can open",
        LeakCode::LfsPointer => "a Git LFS pointer to protected plaintext",
        LeakCode::PrivateKey => "a private key",
        LeakCode::KnownPlaintext => "a copy of plaintext that this clone protected",
        LeakCode::ExaminedInPart => "a file that could not be examined completely",
    }
}

pub(in crate::cli::commands) fn leak_row(leak: &Leak) -> [String; 3] {
    let policy = match (leak.code, leak.policy) {
        (LeakCode::FakeSeal, _) => "named .age, but not an age file".to_owned(),
        (LeakCode::LfsPointer, _) => format!("{}, but LFS would publish the plaintext", leak.class),
        (LeakCode::ExaminedInPart, _) => "could not be examined completely".to_owned(),
        (LeakCode::BrokenSeal, _) => "a damaged age file, which no identity can open".to_owned(),
        (_, Policy::Internal) => format!("{}, not on a public remote", leak.class),
        (_, Policy::Never | Policy::Allowed) => format!("{}, never in plaintext", leak.class),
    };
    let origin = match leak.origin {
        Origin::BuiltIn => "(built in)",
        Origin::Config => "(.gitpack.toml)",
    };
    let detail = leak
        .detail
        .as_ref()
        .map(|detail| format!(", {}", harmless(detail)))
        .unwrap_or_default();
    let path = match leak.entry.path.as_bytes() {
        b"" => format!("blob {}", leak.entry.id.short()),
        path => shown(path),
    };
    let cause = match &leak.cause {
        Cause::Glob(glob) => format!("rule {glob}{detail}   {origin}"),
        Cause::Content(_) | Cause::InPart => format!("{}{detail}   {origin}", leak.cause),
        Cause::Twin(_) | Cause::Known { .. } => format!("{}{detail}", leak.cause),
    };
    [path, harmless(&policy), harmless(&cause)]
}

pub(in crate::cli::commands) fn unnamed(all: usize, named: usize) -> String {
    match all.saturating_sub(named) {
        0 => String::new(),
        n => format!("  and {n} more\n"),
    }
}

pub(in crate::cli::commands) fn notices(output: &mut Output, report: &ScanReport) {
    for file in report.in_part.iter().take(NAMED) {
        output.err(&in_part_notice(&file.path.to_string(), &file.why));
    }
    output.err(&unnamed(report.in_part.len(), NAMED));
    for what in report.weakened.iter().take(NAMED) {
        let what = harmless(what);
        output.err(&format!(
            "  {}   {what}; the earlier rules still apply to this change\n",
            paint(LOOK, "POLICY_WEAKENED")
        ));
    }
    output.err(&unnamed(report.weakened.len(), NAMED));
}

/// Returns the sentence about what was examined.
pub(in crate::cli::commands) fn examined(examined: &Examined, time: Option<Duration>) -> String {
    if examined == &Examined::default() {
        return "found nothing to examine".into();
    }
    let mut parts = Vec::new();
    let remembered = |n: u64| match n {
        0 => String::new(),
        n => format!(" ({n} more known to be clean)"),
    };
    if examined.commits + examined.remembered_commits > 0 {
        let more = remembered(examined.remembered_commits);
        parts.push(format!("{}{more}", count(examined.commits, "commit")));
    }
    let more = remembered(examined.remembered_blobs);
    parts.push(format!("{}{more}", count(examined.blobs, "blob")));
    parts.push(size(examined.bytes));
    let time = time.map(|time| format!(" in {}", duration(time))).unwrap_or_default();
    format!("examined {}{time}", parts.join(", "))
}

pub(in crate::cli::commands) fn is_sealable(found: &FoundLeak) -> bool {
    let path = found.leak.entry.path.as_bytes();
    let is_file = matches!(found.leak.entry.kind, EntryKind::Regular | EntryKind::Executable);
    let has_name = !path.is_empty() && !path.contains(&b'\n') && !path.contains(&b'\r');
    is_file && has_name && matches!(found.leak.code, LeakCode::PlaintextProtected | LeakCode::PrivateKey)
}

/// Returns the pathspec that matches this path only.
fn pathspec(path: &[u8]) -> String {
    let magic = path.starts_with(b":") || path.iter().any(|b| b"*?[\\".contains(b));
    match magic {
        true => quoted(&[b":(literal)", path].concat()),
        false => quoted(path),
    }
}

/// Returns a path as an argument that is not taken for a flag.
pub(in crate::cli::commands) fn argument(path: &[u8]) -> String {
    match path.starts_with(b"-") {
        true => quoted(&[b"./", path].concat()),
        false => quoted(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_look_the_same_are_told_apart() {
        let (nfc, nfd) = ("caf\u{e9}.vec".as_bytes(), "cafe\u{301}.vec".as_bytes());
        let text = look_alikes([nfc, b"a.vec", nfd, nfd, b"\xff"].into_iter());
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains(r#""caf\303\251.vec" and "cafe\314\201.vec""#), "{text}");
        assert_eq!(look_alikes([nfc, nfc, b"cafe.vec"].into_iter()), "");
    }
}
