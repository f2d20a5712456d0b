//! Leaks for people that are too many for a line each: grouped by directory and rule.

use std::collections::BTreeSet;

use super::rows::{NAMED, leak_row, look_alikes, unnamed};
use crate::cli::output::table::aligned;
use crate::cli::output::words::count;
use crate::format::object_id::ObjectId;
use crate::format::protected::{Origin, Policy};
use crate::ops::guard::scan::FoundLeak;
use crate::refusal::shown::{brief, harmless, visible};
use crate::rules::protect::Cause;
use crate::rules::scan::groups::by_directory;
use crate::rules::scan::{Leak, LeakCode};

/// The most files of a group that are named.
const EXAMPLES: usize = 3;

/// What the leaks of a group have in common beside their directory.
type Kind<'a> = (&'a str, LeakCode, Policy, bool, String);

/// Returns two lines for each group of leaks, or a line for each leak of a small group. `still` says why a file that is
/// deleted again is a leak.
pub(super) fn grouped(leaks: &[FoundLeak], still: &str) -> String {
    let groups = by_directory(
        leaks,
        |found| found.leak.entry.path.as_bytes(),
        |found| kind(&found.leak),
    );
    let mut rows = Vec::new();
    let mut below = Vec::new();
    let mut named = 0;
    for ((directory, kind), group) in groups.iter().take(NAMED) {
        named += group.len();
        match group.len() > EXAMPLES {
            true => {
                rows.push(group_row(directory, kind, group));
                below.push(about_group(directory, group, still));
            }
            false => {
                for found in group {
                    let commit = found.leak.entry.commit.map(|id| id.short()).unwrap_or_default();
                    let [path, class, rule] = leak_row(&found.leak);
                    rows.push([commit, path, class, rule, found.leak.entry.id.hex()[..12].to_owned()]);
                    below.push(deleted_again(found.deleted_in, still));
                }
            }
        }
    }
    let lines = match rows.iter().all(|row| row[0].is_empty()) {
        true => aligned(
            &rows.into_iter().map(|[_, a, b, c, d]| [a, b, c, d]).collect::<Vec<_>>(),
            "  ",
        ),
        false => aligned(&rows, "  "),
    };
    let mut text: String = lines
        .lines()
        .zip(below)
        .map(|(line, below)| format!("{line}\n{below}"))
        .collect();
    text.push_str(&look_alikes(leaks.iter().map(|found| found.leak.entry.path.as_bytes())));
    text.push_str(&unnamed(leaks.len(), named));
    text
}

/// Returns the line below a file that a later commit deletes.
pub(super) fn deleted_again(commit: Option<ObjectId>, still: &str) -> String {
    match commit {
        Some(commit) => format!("            deleted again in {}, but {still}\n", commit.short()),
        None => String::new(),
    }
}

fn kind(leak: &Leak) -> Kind<'_> {
    let cause = match &leak.cause {
        Cause::Glob(glob) => format!("rule {glob}"),
        Cause::Content(_) | Cause::InPart => leak.cause.to_string(),
        Cause::Twin(_) => "sealed twins are tracked".into(),
        Cause::Known { .. } => "parts of files that this clone protected".into(),
    };
    (
        &leak.class,
        leak.code,
        leak.policy,
        leak.origin == Origin::BuiltIn,
        cause,
    )
}

fn group_row(directory: &[u8], kind: &Kind<'_>, group: &[&FoundLeak]) -> [String; 5] {
    let first = &group[0].leak;
    let commits: BTreeSet<ObjectId> = group.iter().filter_map(|found| found.leak.entry.commit).collect();
    let commits = match commits.len() {
        0 => String::new(),
        1 => commits.iter().map(ObjectId::short).collect(),
        n => count(n as u64, "commit"),
    };
    let (_, _, _, is_built_in, cause) = kind;
    let origin = match (&first.cause, is_built_in) {
        (Cause::Twin(_) | Cause::Known { .. }, _) => "",
        (_, true) => "   (built in)",
        (_, false) => "   (.gitpack.toml)",
    };
    let cause = match group.iter().all(|found| found.leak.cause == first.cause) {
        true if origin.is_empty() => &first.cause.to_string(),
        _ => cause,
    };
    let paths = paths(group);
    let [only, class, _] = leak_row(first);
    let place = match directory {
        _ if paths.len() == 1 => only,
        b"" => "./".to_owned(),
        directory => brief(&visible(directory)),
    };
    let files = paths.len();
    let files = match files == group.len() {
        true => count(files as u64, "file"),
        false => format!(
            "{} in {}",
            count(group.len() as u64, "blob"),
            count(files as u64, "file")
        ),
    };
    [commits, place, class, harmless(&format!("{cause}{origin}")), files]
}

/// Names the first files of a group.
fn about_group(directory: &[u8], group: &[&FoundLeak], still: &str) -> String {
    let paths = paths(group);
    let names: Vec<String> = paths
        .iter()
        .take(EXAMPLES)
        .map(|path| brief(&visible(path.strip_prefix(directory).unwrap_or(path))))
        .collect();
    let more = match paths.len().saturating_sub(EXAMPLES) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let mut text = match paths.len() {
        1 => String::new(),
        _ => format!("            {}{more}\n", names.join(", ")),
    };
    let deleted = group.iter().filter(|found| found.deleted_in.is_some()).count();
    if deleted > 0 {
        text.push_str(&format!("            {deleted} of them deleted again, but {still}\n"));
    }
    text
}

fn paths<'a>(group: &[&'a FoundLeak]) -> BTreeSet<&'a [u8]> {
    group.iter().map(|found| found.leak.entry.path.as_bytes()).collect()
}
