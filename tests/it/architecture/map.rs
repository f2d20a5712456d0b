//! Compares docs/architecture.md with the sources: its map names every directory, and its table every door.

use std::collections::BTreeSet;

use super::{DOORS, sources};

/// Returns the text of docs/architecture.md.
fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/architecture.md")).unwrap()
}

/// Returns the directories that a map names below `src/`, by its indentation.
fn mapped(document: &str) -> BTreeSet<String> {
    let map = document.split("\n```\nsrc/\n").nth(1).unwrap();
    let lines = map.lines().take_while(|line| line.starts_with("  "));
    let mut above: Vec<(usize, &str)> = Vec::new();
    let mut found = BTreeSet::new();
    for line in lines {
        let depth = line.len() - line.trim_start().len();
        let Some(name) = line.split_whitespace().next().and_then(|word| word.strip_suffix('/')) else {
            continue;
        };
        above.retain(|(other, _)| *other < depth);
        above.push((depth, name));
        found.insert(above.iter().map(|(_, name)| *name).collect::<Vec<_>>().join("/"));
    }
    found
}

/// Returns the crates and places that the table of doors lacks.
fn missing_doors(document: &str, doors: &[(&[&str], &[&str])]) -> Vec<String> {
    let rows: Vec<&str> = document.lines().filter(|line| line.starts_with("| `")).collect();
    let mut missing = Vec::new();
    for (needles, places) in doors {
        for name in needles.iter().filter_map(|needle| needle.strip_suffix("::")) {
            let row = rows.iter().find(|row| {
                let first = row.split('|').nth(1).unwrap_or_default();
                first.contains(&format!("`{name}`"))
            });
            let has = |place: &&&str| row.is_some_and(|row| row.contains(&format!("`{place}`")));
            missing.extend(
                places
                    .iter()
                    .filter(|place| !has(place))
                    .map(|place| format!("{name}: {place}")),
            );
        }
    }
    missing
}

#[test]
fn the_map_names_every_directory() {
    let directories: BTreeSet<String> = sources::files()
        .into_keys()
        .filter_map(|path| Some(path.rsplit_once('/')?.0.to_owned()))
        .collect();
    assert_eq!(mapped(&document()), directories);
}

#[test]
fn the_table_names_every_door() {
    let missing = missing_doors(&document(), DOORS);
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_a_document_lacks_is_found() {
    let map = "\n```\nsrc/\n  main.rs   x\n  a/   x\n    b/   x\n  c/   x\n```\n";
    assert_eq!(mapped(map), ["a", "a/b", "c"].map(str::to_owned).into());
    let table = "| `x`, `y` | `a/` |\n";
    let doors: &[(&[&str], &[&str])] = &[(&["x::", "y::"], &["a/"]), (&["z::"], &["a/"]), (&["x::"], &["b/"])];
    assert_eq!(missing_doors(table, doors), ["z: a/", "x: b/"]);
}
