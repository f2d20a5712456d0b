//! A full disk takes back everything that a call has written.

use std::fs;

use super::{Store, cycles};
use crate::common::snapshot;

#[test]
fn a_file_that_cannot_grow_leaves_the_store_as_it_was() {
    // `ulimit -f` stands in for a full disk. The signal is ignored, so that the write fails instead.
    for torn in [false, true] {
        let store = Store::new();
        let mut all = cycles(0, 10);
        store.append(400_000, &all).ok();
        if torn {
            let pack = store.pack(0);
            let bytes = [fs::read(&pack).unwrap(), vec![1; 23]].concat();
            fs::write(pack, bytes).unwrap();
        }
        fs::write(store.place.path().join("in"), cycles(10, 20_000)).unwrap();
        let mut before = snapshot(&store.top());
        for (attempt, limit) in [0, 1, 7, 100, 200, 500, 700].into_iter().enumerate() {
            let script = format!(
                "trap '' XFSZ; ulimit -f {limit}; exec git-pack agent append 00 ../in --store . --pack-size 400000 --json"
            );
            let done = store.place.run(&store.top(), "sh", &["-c", &script]);
            assert_eq!(done.stderr.contains("cut off 23 bytes"), torn && attempt == 0);
            assert_eq!(done.code, 2, "{limit}");
            let value: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
            assert_eq!(value["refusal"]["code"], "E_IO", "{limit}");
            if torn && attempt == 0 {
                before = snapshot(&store.top());
            }
            assert!(snapshot(&store.top()) == before, "{limit}");
        }
        store.agent(&["append", "00", "../in", "--pack-size", "400000"]).ok();
        all.extend(cycles(10, 20_000));
        assert!(store.audited(400_000) == all);
    }
}

#[test]
fn a_first_pack_that_cannot_be_written_leaves_no_directory() {
    let store = Store::new();
    fs::write(store.place.path().join("in"), cycles(0, 1)).unwrap();
    let script = "trap '' XFSZ; ulimit -f 0; exec git-pack agent append 00 ../in --store . --json";
    store.place.run(&store.top(), "sh", &["-c", script]).refused("E_IO");
    assert_eq!(fs::read_dir(store.top()).unwrap().count(), 0);
}

#[test]
fn a_disk_that_fills_up_after_several_packs_takes_them_all_back() {
    let store = Store::new();
    fs::write(store.place.path().join("in"), cycles(10, 30_000)).unwrap();
    fs::write(store.place.path().join("first"), cycles(0, 10)).unwrap();
    let script = "mount -t tmpfs -o size=512k tmpfs . 2>/dev/null && cd . || exit 77
        cd \"$PWD\"
        git-pack agent append 00 ../first --store . --pack-size 20000 >/dev/null || exit 3
        find . -type f -exec sha256sum {} + | sort >../before
        git-pack agent append 00 ../in --store . --pack-size 20000 && exit 4
        find . -type f -exec sha256sum {} + | sort | cmp - ../before || exit 5
        [ \"$(wc -l <../before)\" = 1 ] || exit 6
        git-pack agent append 00 ../first --store . --pack-size 20000";
    let done = store.place.run(&store.top(), "unshare", &["-m", "sh", "-c", script]);
    if done.code == 77 || done.stderr.starts_with("unshare:") {
        eprintln!("only root can mount a small file system");
        return;
    }
    assert!(
        done.stderr.contains("No space left") || done.stderr.contains("no space left"),
        "{}",
        done.stderr
    );
    done.ok();
}
