//! Public packs as members of sealed packs: their type, and what `git pack verify` checks of them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{file, pack, put, store};
use crate::common::Repo;

/// Returns the types of the members whose names end in `.dat`, by path.
fn types(pack: &Path) -> Vec<(String, String)> {
    let manifest: Value = serde_json::from_slice(&fs::read(pack.join("manifest.json")).unwrap()).unwrap();
    let members = manifest["members"].as_array().unwrap().iter();
    let packs = members.filter(|member| member["path"].as_str().unwrap().ends_with(".dat"));
    let typed = packs.map(|member| {
        let version = member["artifact_version"].as_str().unwrap_or("-");
        let kind = format!("{} {version}", member["type"].as_str().unwrap());
        (member["path"].as_str().unwrap().to_owned(), kind)
    });
    typed.collect()
}

#[test]
fn a_store_goes_into_packs_in_the_clear_and_comes_out_again() {
    let repo = Repo::set_up();
    store(&repo.root);
    // A pack may be larger than what other types may have.
    fs::write(repo.path(&file("a7", 4)), pack(4, 800_000)).unwrap();
    repo.commit("store");
    let (_, tree) = repo.seal(&["-o", "../tree"]);
    let (_, evidence) = repo.seal(&["agency", "-o", "../evidence"]);
    for sealed in [&tree, &evidence] {
        let types = types(sealed);
        assert_eq!(types.len(), 4);
        assert!(types.iter().all(|(_, kind)| kind == "genome 2"), "{types:?}");
        repo.pack(&["verify", sealed.to_str().unwrap()]).ok();
    }
    let rebuilt = repo.place.path().join("rebuilt");
    repo.pack(&["restore", tree.to_str().unwrap(), "-o", rebuilt.to_str().unwrap()])
        .ok();
    for (shard, start) in [("00", 0), ("00", 3), ("a7", 0), ("a7", 4)] {
        let path = file(shard, start);
        assert!(
            fs::read(rebuilt.join(&path)).unwrap() == fs::read(repo.path(&path)).unwrap(),
            "{path}"
        );
    }
}

#[test]
fn a_damaged_store_is_sealed_as_it_is_and_seal_says_so() {
    let repo = Repo::set_up();
    store(&repo.root);
    put(&repo.root, "00", 9, 1);
    let mut torn = pack(0, 4);
    torn.pop();
    fs::create_dir_all(repo.path(&file("b0", 0)).parent().unwrap()).unwrap();
    fs::write(repo.path(&file("b0", 0)), torn).unwrap();
    let done = repo.pack(&["seal", "agency", "-o", "../damaged"]).ok();
    let note = "genome_000000000009.dat is not a valid pack of cycles, and sealed as it is: cycles 5 to 8 are missing \
                before it; 2 faults in all";
    assert!(done.stderr.contains(note), "{}", done.stderr);
    let damaged = repo.place.path().join("damaged");
    for (path, kind) in types(&damaged) {
        let expected = if path.contains("/a7/") { "genome 2" } else { "other -" };
        assert_eq!(kind, expected, "{path}");
    }
    repo.pack(&["verify", damaged.to_str().unwrap()]).ok();
}

#[test]
fn part_of_a_store_may_be_sealed() {
    let repo = Repo::set_up();
    store(&repo.root);
    repo.commit("store");
    let one = file("00", 3);
    let (_, alone) = repo.seal(&[&one, "-o", "../alone"]);
    assert_eq!(types(&alone)[0].1, "genome 2");
    let (_, narrowed) = repo.seal(&["--include", "**/00/*", "-o", "../narrowed"]);
    assert_eq!(types(&narrowed).len(), 2);
    for sealed in [alone, narrowed] {
        repo.pack(&["verify", sealed.to_str().unwrap()]).ok();
    }
}

#[test]
fn the_note_names_the_file_at_fault() {
    let repo = Repo::set_up();
    store(&repo.root);
    let broken = file("00", 0);
    let mut bytes = pack(0, 3);
    bytes[0] = b'X';
    fs::write(repo.path(&broken), bytes).unwrap();
    let done = repo.pack(&["seal", "agency", "-o", "../broken"]).ok();
    let note =
        format!("{broken} is not a valid pack of cycles, and sealed as it is: it begins with XYRO, not with GYRO");
    assert!(done.stderr.contains(&note), "{}", done.stderr);
}
