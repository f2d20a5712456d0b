//! The parts of which lists of leaks are made: the row of a leak, a note on look-alikes, and how many are not listed.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::output::words::composed;
use crate::format::protected::{Origin, Policy};
use crate::refusal::shown::{harmless, visible};
use crate::rules::protect::Cause;
use crate::rules::scan::{Leak, LeakCode};

/// The most groups, notices or problems that a message lists.
pub(in crate::cli::commands) const NAMED: usize = 50;

/// The most paths that are told apart from look-alikes.
const ALIKE: usize = 10;

/// Returns a note for each path that looks like one before it and has other bytes. Unicode spells many letters in two
/// ways (NFC and NFD), and a terminal shows both alike.
pub(in crate::cli::commands) fn look_alikes<'a>(paths: impl Iterator<Item = &'a [u8]>) -> String {
    let mut first_of: BTreeMap<String, &str> = BTreeMap::new();
    let mut told = BTreeSet::new();
    let mut text = String::new();
    for path in paths.filter_map(|path| std::str::from_utf8(path).ok()) {
        let first = *first_of.entry(composed(path)).or_insert(path);
        if first != path && told.len() < ALIKE && told.insert(path) {
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

pub(in crate::cli::commands) fn leak_row(leak: &Leak) -> [String; 3] {
    let policy = match (leak.code, leak.policy) {
        (LeakCode::FakeSeal, _) => "named like a sealed file, but not sealed".to_owned(),
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
        path => visible(path),
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
