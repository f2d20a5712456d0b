//! The summary of a store.

use std::fs;

use super::{Store, cycles};
use crate::common::Repo;

#[test]
fn a_store_is_summarised() {
    let store = Store::new();
    let done = store.agent(&["info"]).ok();
    assert_eq!(done.out(), "");
    assert!(done.stderr.contains("has no public packs"), "{}", done.stderr);
    let done = store.agent(&["info", "--store", "absent", "--json"]);
    done.refused("E_IO");
    store.append(200, &cycles(0, 4)).ok();
    assert_eq!(
        store.agent(&["info"]).ok().out(),
        "shard 00   2 packs   4 cycles   352 bytes   next 4   snapshot zeros\n"
    );
    let given: Vec<u8> = (1..97).collect();
    fs::write(store.top().join("given"), given).unwrap();
    store.fed(&["append", "ff", "--snapshot", "given"], &cycles(0, 1)).ok();
    assert_eq!(
        store.agent(&["info"]).ok().out(),
        "shard 00   2 packs   4 cycles   352 bytes   next 4   snapshot zeros\n\
         shard ff   1 pack    1 cycle    152 bytes   next 1   snapshot 010203040506…\n\
         all        3 packs   5 cycles   504 bytes\n"
    );
    fs::remove_file(store.pack(0)).unwrap();
    let out = store.agent(&["info"]).ok().out();
    assert!(out.ends_with("1 fault   → git pack agent verify\n"), "{out}");
}

#[test]
fn private_files_are_counted_by_what_protects_them() {
    let store = Store::new();
    let write = |path: &str, bytes: &[u8]| {
        let path = store.top().join("agents/00").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let header = |magic: &[u8], version: u8| [magic, &[version, 0, 128, 0][..], &[0; 120][..]].concat();
    write("a/g3_information/format.json.enc", &header(b"GYR3", 3));
    let line = "private files   1 encrypted\n";
    assert_eq!(store.agent(&["info"]).ok().out(), line);
    write("a/g5_information/session.json.enc", &header(b"GYR5", 2));
    write("b/g4_information/curriculum.json.enc", &header(b"GYR4", 2));
    write("b/g3_information/format.json", b"{}");
    write("b/g3_information/format.json.enc", b"{}");
    write("b/g3_information/other.json", b"{}");
    let line = "private files   1 encrypted; 2 of version 2, readable by anyone; 1 in plaintext; 1 that cannot be recognised   \
                → git pack agent migrate\n";
    assert_eq!(store.agent(&["info"]).ok().out(), line);
}

#[test]
fn status_shows_the_store_of_the_work_tree() {
    let repo = Repo::set_up();
    let told = |repo: &Repo| {
        let out = repo.pack(&["status"]).shown().out();
        let lines = out.lines().skip_while(|line| !line.starts_with("agent "));
        let lines = lines.take_while(|line| line.starts_with("agent ") || line.starts_with(' '));
        lines
            .map(|line| line.trim_start_matches("agent").trim().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&repo), [""; 0]);
    // A directory of this name may be about anything.
    repo.write("agents/readme.txt", "x");
    assert_eq!(told(&repo), [""; 0]);
    super::store(&repo.root);
    assert_eq!(told(&repo), ["2 shards, 9 cycles in 3 packs"]);
    super::put(&repo.root, "00", 9, 1);
    repo.write("agents/00/0000/g3_information/format.json", "{}");
    assert_eq!(
        told(&repo),
        [
            "2 shards, 10 cycles in 4 packs",
            "1 fault   → git pack agent verify",
            "private files: 1 in plaintext   → git pack agent migrate",
        ]
    );
}
