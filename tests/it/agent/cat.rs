//! Reading cycles.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::time::{Duration, Instant};

use super::{Store, cycles};
use crate::common::{Repo, is_root, snapshot};

#[test]
fn any_range_comes_as_it_was_appended() {
    let store = Store::new();
    let all = cycles(0, 10);
    store.append(200, &all).ok();
    for from in 0..=10_u64 {
        for count in 0..=10 - from {
            let numbers = [from.to_string(), count.to_string()];
            if (from + count) % 3 == 0 {
                let args = ["cat", "--from", &numbers[0], "--count", &numbers[1]];
                let bytes = store.agent(&args).ok().stdout;
                assert!(bytes == all[from as usize * 24..][..count as usize * 24]);
            }
        }
    }
    assert!(store.agent(&["cat"]).ok().stdout == all);
    let hex = store.agent(&["cat", "--from", "8", "--hex"]).ok().out();
    let line = |number: u64| format!("{number:016x}{}{}\n", "11".repeat(8), "ee".repeat(8));
    assert_eq!(hex, line(8) + &line(9));
}

#[test]
fn a_range_that_is_not_there_whole_is_refused_before_a_byte_is_printed() {
    let store = Store::new();
    store.append(200, &cycles(0, 10)).ok();
    for args in [
        &["--from", "11"][..],
        &["--from", "9", "--count", "2"],
        &["--count", "18446744073709551615"],
        &["--from", "18446744073709551615", "--count", "18446744073709551615"],
        &["--shard", "01"],
    ] {
        let done = store.agent(&[&["cat"], args].concat());
        assert_eq!((done.code, done.stdout.len()), (2, 0), "{args:?}");
    }
    // A pack in the range is not one.
    let file = fs::OpenOptions::new().write(true).open(store.pack(6)).unwrap();
    file.write_all_at(b"X", 0).unwrap();
    let done = store.agent(&["cat"]);
    assert_eq!((done.code, done.stdout.len()), (2, 0));
    assert!(store.agent(&["cat", "--count", "6"]).ok().stdout == cycles(0, 6));
}

#[test]
fn a_torn_cycle_is_not_there() {
    let store = Store::new();
    store.append(200, &cycles(0, 4)).ok();
    let file = fs::OpenOptions::new().write(true).open(store.pack(3)).unwrap();
    file.write_all_at(&[1; 23], 152).unwrap();
    let before = snapshot(&store.top());
    assert!(store.agent(&["cat"]).ok().stdout == cycles(0, 4));
    assert_eq!(store.agent(&["cat", "--from", "4", "--count", "1"]).code, 2);
    assert!(snapshot(&store.top()) == before);
}

#[test]
fn a_pack_that_another_program_is_making_has_no_cycle_yet() {
    let store = Store::new();
    store.append(200, &cycles(0, 6)).ok();
    for bytes in [0, 127] {
        fs::write(store.pack(6), vec![0; bytes]).unwrap();
        assert!(store.agent(&["cat"]).ok().stdout == cycles(0, 6));
    }
    fs::write(store.pack(3), "").unwrap();
    let done = store.agent(&["cat"]);
    assert_eq!((done.code, done.stdout.len()), (2, 0));
}

#[test]
fn one_shard_of_several_is_named() {
    let store = Store::new();
    assert!(
        store
            .agent(&["cat"])
            .stderr
            .contains("there are no public packs of cycles")
    );
    for shard in ["00", "7f"] {
        store.fed(&["append", shard], &cycles(5, 1)).ok();
    }
    let done = store.agent(&["cat"]);
    assert_eq!(done.code, 2);
    assert!(
        done.stderr.contains("it has 2 shards, 00 and others"),
        "{}",
        done.stderr
    );
    assert!(store.agent(&["cat", "--shard", "7F"]).ok().stdout == cycles(5, 1));
}

#[test]
fn a_range_of_a_huge_pack_is_read_at_once() {
    let store = Store::new();
    store.append(1000, &cycles(0, 1)).ok();
    let file = fs::OpenOptions::new().write(true).open(store.pack(0)).unwrap();
    // 72 GB, of which the disk holds almost nothing.
    let last = 3_000_000_000_u64;
    file.write_all_at(&cycles(9, 1), 128 + last * 24).unwrap();
    let began = Instant::now();
    let args = ["cat", "--from", &last.to_string()];
    assert!(store.agent(&args).ok().stdout == cycles(9, 1));
    store.agent(&["info"]).ok();
    assert!(began.elapsed() < Duration::from_secs(10));
}

/// Gain: the author of a clone has a file of the victim printed or published as cycles.
#[test]
fn nothing_is_read_through_a_link() {
    let store = Store::new();
    store.append(1000, &cycles(0, 1)).ok();
    let away = store.place.path().join("away");
    fs::rename(store.top().join("agency"), &away).unwrap();
    symlink(&away, store.top().join("agency")).unwrap();
    for args in [&["cat"][..], &["cat", "--shard", "00"], &["info"]] {
        let done = store.agent(args);
        assert_eq!((done.code, done.stdout.len()), (2, 0), "{args:?}");
        let text = "agency: it is a symbolic link; cycles are not read through links";
        assert!(done.stderr.contains(text), "{}", done.stderr);
    }
}

#[test]
fn a_reader_that_leaves_is_no_error_message_and_a_full_disk_is_one() {
    let store = Store::new();
    store.append(64_000_000, &cycles(0, 100_000)).ok();
    let run = |script: &str| store.place.run(&store.top(), "bash", &["-c", script]);
    let done = run("git-pack agent cat --store . | head -c 24 | od -An -tx1 -w24; exit ${PIPESTATUS[0]}");
    assert_eq!((done.code, done.stderr.as_str()), (2, ""));
    let done = run("git-pack agent cat --store . >/dev/full");
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("writing standard output"), "{}", done.stderr);
    let done = run("script -qec 'git-pack agent cat --store .' /dev/null </dev/null");
    assert!(done.out().contains("--hex"), "{}", done.out());
}

#[test]
fn a_store_that_cannot_be_written_to_is_read() {
    let store = Store::new();
    store.append(200, &cycles(0, 4)).ok();
    let script = "mount --bind . . 2>/dev/null && cd \"$PWD\" && mount -o remount,bind,ro . 2>/dev/null || exit 77
        git-pack agent cat --store . || exit 3
        git-pack agent info --store . >&2 || exit 4
        head -c 24 /dev/zero | git-pack agent append 00 --store . && exit 5
        exit 0";
    let done = store.place.run(&store.top(), "unshare", &["-m", "sh", "-c", script]);
    if done.code == 77 || done.stderr.starts_with("unshare:") {
        eprintln!("only root can make a read-only file system");
        return;
    }
    let done = done.ok();
    assert!(done.stdout == cycles(0, 4));
    assert!(done.stderr.contains("read-only file system"), "{}", done.stderr);
}

#[test]
fn the_store_of_another_user_is_read() {
    if !is_root() {
        eprintln!("only root can act as somebody else");
        return;
    }
    let repo = Repo::empty();
    repo.write("in", cycles(0, 4));
    repo.pack(&["agent", "append", "00", "in"]).ok();
    let stranger = ["-R", "54321", repo.root.to_str().unwrap()];
    repo.place.run(&repo.root, "chown", &stranger).ok();
    // The repository of a stranger is neither trusted nor written to.
    assert!(repo.pack(&["agent", "cat"]).ok().stdout == cycles(0, 4));
    repo.pack(&["agent", "info"]).ok();
    repo.pack(&["agent", "append", "00", "in", "--json"])
        .refused("E_UNSUPPORTED");
    // Everybody may take the lock of a reader.
    repo.place.copy_binary(&repo.place.path().join("git-pack"));
    for path in [repo.place.path(), &repo.place.home()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let program = repo.place.path().join("git-pack");
    let args = [
        "--reuid",
        "54322",
        "--clear-groups",
        program.to_str().unwrap(),
        "agent",
        "cat",
        "--store",
        ".",
    ];
    assert!(repo.place.run(&repo.root, "setpriv", &args).ok().stdout == cycles(0, 4));
}
