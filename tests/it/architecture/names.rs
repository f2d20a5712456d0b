//! Checks that no two types have the same name if other files can use them.
//!
//! Types of the command line are exempt: they are named after the commands, and only `cli/` can see them. So are those of one system
//! that stand for those of another.

use std::collections::BTreeMap;

use super::sources::{files, named, parse};

/// The system whose types have the names of another system's.
const TWIN: &str = "adapters/files/platform/windows/";

/// Returns each name that several types have, with their files.
fn shared(files: &BTreeMap<String, String>) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (path, text) in files
        .iter()
        .filter(|(path, _)| !path.starts_with("cli/") && !path.starts_with(TWIN))
    {
        for item in parse(text).items {
            let (visibility, name) = match item {
                syn::Item::Enum(item) => (item.vis, item.ident),
                syn::Item::Struct(item) => (item.vis, item.ident),
                syn::Item::Trait(item) => (item.vis, item.ident),
                syn::Item::Type(item) => (item.vis, item.ident),
                _ => continue,
            };
            if !matches!(visibility, syn::Visibility::Inherited) {
                places.entry(name.to_string()).or_default().push(path);
            }
        }
    }
    let shared = places.into_iter().filter(|(_, places)| places.len() > 1);
    shared
        .map(|(name, places)| format!("{name}: {}", places.join(", ")))
        .collect()
}

#[test]
fn no_two_public_types_have_one_name() {
    let found = shared(&files());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_planted_name_is_found() {
    for there in [
        "pub struct A;",
        "pub(super) enum A {}",
        "pub(crate) type A = u8;",
        "pub trait A {}",
    ] {
        let files = named([("a.rs", there), ("b/c.rs", "pub struct A(u8);")]);
        assert_eq!(shared(&files), ["A: a.rs, b/c.rs"], "{there}");
    }
}

#[test]
fn other_names_are_not_found() {
    for there in [
        "struct A;",
        "pub struct B;",
        "pub fn A() {}",
        "pub use b::A;",
        "#[cfg(test)] mod tests { pub struct A; }",
        "#[cfg(test)] pub struct A;",
    ] {
        let files = named([("a.rs", there), ("b.rs", "pub struct A(u8);")]);
        assert_eq!(shared(&files), [] as [String; 0], "{there}");
    }
    let files = named([("cli/a.rs", "pub struct A;"), ("b.rs", "pub struct A(u8);")]);
    assert_eq!(shared(&files), [] as [String; 0]);
}
