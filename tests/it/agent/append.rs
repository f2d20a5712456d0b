//! Appending: names, layout and roll-over, and what is refused without a change.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{Store, cycles};
use crate::common::{Done, GIT_PACK, Repo, is_root, snapshot};

#[test]
fn packs_are_named_laid_out_and_rolled_over_as_the_contract_says() {
    // 152 bytes hold one cycle, 199 two, and 200 three.
    for size in [152, 199, 200, 1000, 64_000_000] {
        let store = Store::new();
        let mut all = Vec::new();
        for count in [1, 2, 5, 1, 11, 3] {
            let more = cycles(all.len() as u64 / 24, count);
            let done = store.append(size, &more).ok();
            let first = all.len() as u64 / 24;
            let note = if first == 0 { "  note shard 00 is new\n" } else { "" };
            assert_eq!(done.stderr, note);
            let numbers = match count {
                1 => format!("APPENDED 1 cycle to shard 00: {first}\n"),
                _ => format!(
                    "APPENDED {count} cycles to shard 00: {first} to {}\n",
                    first + count - 1
                ),
            };
            assert!(done.out().starts_with(&numbers), "{}", done.out());
            all.extend(more);
            assert!(store.audited(size) == all, "packs of {size} bytes");
        }
        let packs = fs::read_dir(store.shard("00")).unwrap().count() as u64;
        assert_eq!(packs, 23_u64.div_ceil((size - 128) / 24), "packs of {size} bytes");
    }
}

#[test]
fn a_file_and_standard_input_give_the_same_packs_and_tell_them() {
    let store = Store::new();
    fs::write(store.top().join("in"), cycles(0, 5)).unwrap();
    let done = store.agent(&["append", "AB12cd", "in", "--pack-size", "200"]).ok();
    let expected = "APPENDED 5 cycles to shard ab: 0 to 4\nagency/g1_information/ab/genome_000000000000.dat\n\
                    agency/g1_information/ab/genome_000000000003.dat\n";
    assert_eq!(done.out(), expected);
    store
        .fed(&["append", "ab", "-", "--pack-size=176B"], &cycles(5, 1))
        .ok();
    let (first, second) = (store.shard("ab"), store.shard("00"));
    assert!(!second.exists());
    assert_eq!(fs::read_dir(&first).unwrap().count(), 3);
    assert_eq!(
        fs::metadata(first.join("genome_000000000005.dat")).unwrap().len(),
        128 + 24
    );
    let mode = fs::metadata(first.join("genome_000000000000.dat"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o644);
    // A pipe in place of a file.
    let script = "head -c 24 in | git-pack agent append cd /dev/stdin --store .";
    store.place.run(&store.top(), "sh", &["-c", script]).ok();
    assert!(store.shard("cd").join("genome_000000000000.dat").exists());
}

#[test]
fn a_call_from_a_directory_below_appends_at_the_top_of_the_work_tree() {
    let repo = Repo::empty();
    repo.write("below/in", cycles(0, 1));
    let below = repo.path("below");
    let run = |args: &[&str]| repo.place.pack_in(&below, args);
    run(&["agent", "append", "00", "in"]).ok();
    assert!(repo.path("agency/g1_information/00/genome_000000000000.dat").is_file());
    run(&["agent", "append", "00", "in", "--store", "."]).ok();
    assert!(below.join("agency/g1_information/00/genome_000000000000.dat").is_file());
}

/// Asserts that a call is refused with a code and a text, and changes nothing.
#[track_caller]
fn refused(store: &Store, code: &str, text: &str, run: impl FnOnce() -> Done) {
    let before = snapshot(store.place.path());
    let value = run().refused(code);
    let message = value["refusal"]["message"].as_str().unwrap();
    assert!(message.contains(text), "{message}");
    assert!(snapshot(store.place.path()) == before, "{message}");
}

#[test]
fn a_part_of_a_cycle_is_refused_and_nothing_is_written() {
    let store = Store::new();
    for bytes in [1, 23, 25, 47] {
        let input = vec![1; bytes];
        let text = format!("it has {bytes} bytes");
        refused(&store, "E_USAGE", &text, || {
            store.fed(&["append", "00", "--json"], &input)
        });
        fs::write(store.top().join("in"), input).unwrap();
        refused(&store, "E_USAGE", &text, || {
            store.agent(&["append", "00", "in", "--json"])
        });
    }
    store.append(1000, &cycles(0, 2)).ok();
    refused(&store, "E_USAGE", "it has 23 bytes", || {
        store.fed(&["append", "00", "--json"], &[0; 23])
    });
    // A pack is not an input: its header is not a number of cycles.
    let own = store.pack(0);
    refused(&store, "E_USAGE", "not a multiple of 24", || {
        store.agent(&["append", "00", own.to_str().unwrap(), "--json"])
    });
}

#[test]
fn no_input_makes_nothing() {
    let store = Store::new();
    let done = store.agent(&["append", "00"]).ok();
    assert_eq!(done.out(), "NOTHING TO APPEND\n");
    assert_eq!(fs::read_dir(store.top()).unwrap().count(), 0);
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let store = Store::new();
    for args in [
        &["append", "0"][..],
        &["append", "../00"],
        &["append", "xy"],
        &["append", "00", "--pack-size", "151"],
        &["append", "00", "--pack-size", "-1"],
        &["append", "00", "--pack-size", "many"],
        &["append", "00", "--store", "absent"],
        &["append", "00", "absent"],
        &["append", "00", "."],
        &["append", "00", "--snapshot", "absent"],
    ] {
        let before = snapshot(store.place.path());
        let done = store.fed(args, &cycles(0, 1));
        assert_eq!(done.code, 2, "{args:?}");
        assert!(done.stderr.starts_with("git-pack: "), "{}", done.stderr);
        assert!(snapshot(store.place.path()) == before, "{args:?}");
    }
}

#[test]
fn a_shard_keeps_one_snapshot() {
    let store = Store::new();
    let given: Vec<u8> = (0..96).collect();
    fs::write(store.top().join("given"), &given).unwrap();
    fs::write(store.top().join("other"), [7; 96]).unwrap();
    fs::write(store.top().join("short"), [7; 95]).unwrap();
    fs::write(store.top().join("long"), [7; 97]).unwrap();
    let append = |snapshot: &str| {
        let args = ["append", "00", "--json", "--pack-size", "152", "--snapshot", snapshot];
        store.fed(&args, &cycles(0, 2))
    };
    refused(&store, "E_USAGE", "this file has 95", || append("short"));
    refused(&store, "E_USAGE", "this file has 97", || append("long"));
    append("given").ok();
    refused(&store, "E_USAGE", "other: it is not the snapshot of the shard", || {
        append("other")
    });
    append("given").ok();
    store.append(152, &cycles(0, 1)).ok();
    for start in 0..5 {
        assert_eq!(fs::read(store.pack(start)).unwrap()[12..108], given);
    }
    // Another shard has its own, and zeros by default.
    store.fed(&["append", "01"], &cycles(0, 1)).ok();
    let other = fs::read(store.shard("01").join("genome_000000000000.dat")).unwrap();
    assert_eq!(other[12..108], [0; 96]);
}

#[test]
fn a_torn_tail_is_cut_back_with_a_notice() {
    for torn in 1..24 {
        let store = Store::new();
        let mut all = cycles(0, 4);
        store.append(200, &all).ok();
        let pack = store.pack(3);
        let mut bytes = fs::read(&pack).unwrap();
        bytes.extend(vec![0xaa; torn]);
        fs::write(&pack, bytes).unwrap();
        let more = cycles(4, 3);
        let done = store.append(200, &more).ok();
        all.extend(more);
        let expected = format!(
            "git-pack: agency/g1_information/00/genome_000000000003.dat ended inside a cycle, after a write that did not \
             finish; cut off {torn} byte{}\n",
            if torn == 1 { "" } else { "s" }
        );
        assert_eq!(done.stderr, expected);
        assert!(store.audited(200) == all);
    }
}

#[test]
fn a_damaged_shard_is_never_written_to() {
    type Damage = fn(&Store);
    let damage: [(&str, Damage); 9] = [
        ("cycles 3 to 5 are missing", |store| {
            fs::remove_file(store.pack(3)).unwrap()
        }),
        ("cut short: 5 of 24 bytes", |store| {
            let file = fs::OpenOptions::new().append(true).open(store.pack(3)).unwrap();
            file.write_all_at(&[1; 5], 200).unwrap();
        }),
        ("also has cycle 5", |store| {
            fs::rename(store.pack(6), store.pack(5)).unwrap()
        }),
        ("it begins with", |store| patch(store, 0, b"X")),
        ("it has version 3", |store| patch(store, 4, &[3])),
        ("reserved bytes", |store| patch(store, 127, &[1])),
        ("its header says cycle 7", |store| patch(store, 8, &[7])),
        ("its name is not", |store| {
            fs::write(store.shard("00").join("genome_9.dat"), "").unwrap()
        }),
        ("a directory is among the packs", |store| {
            fs::create_dir(store.pack(99)).unwrap()
        }),
    ];
    for (text, damage) in damage {
        let store = Store::new();
        store.append(200, &cycles(0, 8)).ok();
        damage(&store);
        refused(&store, "E_CORRUPT", text, || {
            store.fed(&["append", "00", "--json"], &cycles(0, 1))
        });
    }
}

/// Overwrites bytes of the last pack of a shard of eight cycles.
fn patch(store: &Store, at: u64, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(store.pack(6)).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

#[test]
fn a_last_pack_without_a_whole_header_is_refused() {
    for size in [0, 1, 127] {
        let store = Store::new();
        store.append(200, &cycles(0, 8)).ok();
        let file = fs::OpenOptions::new().write(true).open(store.pack(6)).unwrap();
        file.set_len(size).unwrap();
        let text = format!("it has {size} bytes, and a header has 128");
        refused(&store, "E_CORRUPT", &text, || {
            store.fed(&["append", "00", "--json"], &cycles(0, 1))
        });
    }
}

#[test]
fn files_that_are_not_packs_stop_nobody() {
    let store = Store::new();
    store.append(200, &cycles(0, 1)).ok();
    for name in ["notes.txt", "genome_000000000000.dat.bak", "genome_"] {
        fs::write(store.shard("00").join(name), "x").unwrap();
    }
    store.append(200, &cycles(1, 4)).ok();
    assert_eq!(fs::metadata(store.pack(3)).unwrap().len(), 128 + 48);
}

/// Gain: the author of a clone has the victim write to a file of the victim.
#[test]
fn nothing_is_written_through_a_link_or_into_a_file_with_another_name() {
    let links = ["agency", "agency/g1_information", "agency/g1_information/00"];
    for link in links {
        let store = Store::new();
        let away = store.place.path().join("away");
        fs::create_dir_all(away.join("g1_information/00")).unwrap();
        fs::create_dir_all(away.join("00")).unwrap();
        let place = store.top().join(link);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        symlink(&away, &place).unwrap();
        let done = || store.fed(&["append", "00", "--json"], &cycles(0, 1));
        refused(&store, "E_IO", "is a link to", done);
    }
    let store = Store::new();
    store.append(200, &cycles(0, 1)).ok();
    let append = || store.fed(&["append", "00", "--json"], &cycles(0, 1));
    let mine = store.place.path().join("mine.dat");
    fs::rename(store.pack(0), &mine).unwrap();
    symlink(&mine, store.pack(0)).unwrap();
    refused(&store, "E_CORRUPT", "a symbolic link is among the packs", append);
    fs::remove_file(store.pack(0)).unwrap();
    fs::hard_link(&mine, store.pack(0)).unwrap();
    refused(&store, "E_UNSUPPORTED", "it has other names", append);
    fs::remove_file(store.pack(0)).unwrap();
    store
        .place
        .run(&store.shard("00"), "mkfifo", &["genome_000000000000.dat"])
        .ok();
    refused(&store, "E_CORRUPT", "a FIFO is among the packs", append);
}

/// Gain: the author of a commit has the victim write outside of the work tree.
#[test]
fn a_store_that_a_link_of_the_repository_moves_away_is_refused() {
    let repo = Repo::empty();
    let away = repo.place.path().join("away");
    fs::create_dir(&away).unwrap();
    symlink("../away", repo.path("out")).unwrap();
    repo.write("in", cycles(0, 1));
    let done = repo.pack(&["agent", "append", "00", "in", "--store", "out", "--json"]);
    done.refused("E_IO");
    assert_eq!(fs::read_dir(&away).unwrap().count(), 0);
}

/// Gain: the author of a commit has a file of the victim published as cycles.
#[test]
fn an_input_that_a_link_of_the_repository_fetches_from_outside_is_refused() {
    let repo = Repo::empty();
    let secret = repo.place.path().join("secret");
    fs::write(&secret, cycles(0, 1)).unwrap();
    repo.write("mine", cycles(0, 1));
    symlink("../secret", repo.path("in")).unwrap();
    symlink("mine", repo.path("own")).unwrap();
    let append = |input| repo.pack(&["agent", "append", "00", input, "--json"]);
    let value = append("in").refused("E_IO");
    assert!(value.to_string().contains("it is a symbolic link"), "{value}");
    assert!(!repo.path("agency").exists());
    append("own").ok();
}

#[test]
fn a_directory_that_cannot_be_written_to_is_refused_and_stays() {
    if is_root() {
        eprintln!("root can write to every directory");
        return;
    }
    let store = Store::new();
    let bits = |bits| fs::set_permissions(store.top(), fs::Permissions::from_mode(bits)).unwrap();
    bits(0o555);
    refused(&store, "E_IO", "permission denied", || {
        store.fed(&["append", "00", "--json"], &cycles(0, 1))
    });
    bits(0o755);
}

#[test]
fn numbers_have_32_bits() {
    let store = Store::new();
    store.append(1000, &cycles(0, 1)).ok();
    // A pack that is almost all a hole.
    let most = 1_u64 << 32;
    let file = fs::OpenOptions::new().write(true).open(store.pack(0)).unwrap();
    file.set_len(128 + (most - 2) * 24).unwrap();
    refused(&store, "E_LIMIT", "the 4294967294 that are there", || {
        store.fed(&["append", "00", "--json"], &cycles(0, 3))
    });
    // One goes into a new pack, one behind it.
    let done = store.append(1000, &cycles(0, 1)).ok();
    assert!(done.out().contains(": 4294967294\n"), "{}", done.out());
    store.append(1000, &cycles(7, 1)).ok();
    assert_eq!(fs::metadata(store.pack(most - 2)).unwrap().len(), 128 + 48);
    assert_eq!(fs::read(store.pack(most - 2)).unwrap()[8..12], [0xfe, 0xff, 0xff, 0xff]);
    refused(&store, "E_LIMIT", "does not fit behind the 4294967296", || {
        store.fed(&["append", "00", "--json"], &cycles(0, 1))
    });
    let done = store
        .agent(&["cat", "--from", "4294967295", "--count", "1", "--hex"])
        .ok();
    assert_eq!(done.out(), format!("{:016x}{}{}\n", 7, "11".repeat(8), "ee".repeat(8)));
}

#[test]
fn a_large_input_is_not_held_in_memory() {
    let store = Store::new();
    let script = "ulimit -v 400000; head -c 480000000 /dev/zero | git-pack agent append 00 --store .";
    let done = store.place.run(&store.top(), "sh", &["-c", script]).ok();
    assert!(
        done.out()
            .starts_with("APPENDED 20000000 cycles to shard 00: 0 to 19999999\n")
    );
    // 2,666,661 cycles fit into a pack.
    assert_eq!(done.out().lines().count(), 1 + 8);
    assert_eq!(fs::metadata(store.pack(0)).unwrap().len(), 128 + 2_666_661 * 24);
    assert_eq!(fs::read_dir(store.top()).unwrap().count(), 1);
}

#[test]
fn a_slow_input_keeps_nobody_waiting() {
    let store = Store::new();
    store.append(1000, &cycles(0, 1)).ok();
    let mut command = store.place.command(GIT_PACK, &store.top());
    command.args(["agent", "append", "00"]).stdin(Stdio::piped());
    let mut slow = command.stdout(Stdio::null()).spawn().unwrap();
    // It waits for its input.
    std::thread::sleep(Duration::from_millis(200));
    let began = Instant::now();
    store.append(1000, &cycles(1, 1)).ok();
    assert!(began.elapsed() < Duration::from_secs(20));
    drop(slow.stdin.take());
    assert!(slow.wait().unwrap().success());
}

#[test]
fn a_result_that_cannot_be_printed_is_not_a_yes() {
    let store = Store::new();
    fs::write(store.top().join("in"), cycles(0, 1)).unwrap();
    let script = "git-pack agent append 00 in --store . >/dev/full";
    assert_eq!(store.place.run(&store.top(), "sh", &["-c", script]).code, 2);
}
