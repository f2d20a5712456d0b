//! Packs at places, with the real servers and clients of each.

mod kills;
mod many;
mod partial;
mod registry;
pub mod schemas;
pub mod server;

use std::path::{Path, PathBuf};

use crate::common::{Place, noise, write};

/// Seals files into an evidence pack, `name` in `place`. Returns its id and its directory.
pub fn sealed(place: &Place, name: &str, files: &[(&str, Vec<u8>)]) -> (String, PathBuf) {
    let source = place.path().join(format!("{name}-files"));
    for (path, content) in files {
        write(&source.join(path), content);
    }
    let mut tops: Vec<&str> = files.iter().map(|(path, _)| path.split('/').next().unwrap()).collect();
    tops.dedup();
    let output = format!("../{name}");
    let seal = [&["--no-witness", "seal", "--output", &output], tops.as_slice()].concat();
    let done = place.pack_in(&source, &seal).ok();
    let id = done
        .out()
        .lines()
        .next()
        .unwrap()
        .strip_prefix("PACK_CREATED ")
        .unwrap()
        .to_owned();
    (id, place.path().join(name))
}

/// Returns a small file, a large one, and one in a directory whose name needs escapes in a URL.
pub fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a.txt", b"a\n".to_vec()),
        ("big.bin", noise(1, 3 << 20)),
        ("d ü/x?y#z%41.txt", b"named oddly\n".to_vec()),
    ]
}

/// Pulls a pack. Returns where it is.
pub fn pulled(place: &Place, source: &str, name: &str) -> PathBuf {
    place.pack_in(place.path(), &["pull", source, "--output", name]).ok();
    place.path().join(name)
}

/// Returns the path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
