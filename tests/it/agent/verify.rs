//! `git pack agent verify`: what a path stands for, the digest, and whether a store continues an earlier one.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::Value;

use super::{file, pack, put, store};
use crate::common::{Done, Place, Repo, is_root, write};

fn verify(place: &Place, args: &[&str]) -> Done {
    place.pack_in(place.path(), &[&["agent", "verify"], args].concat())
}

/// Returns the report, whose outcome must be this one.
#[track_caller]
fn report(place: &Place, args: &[&str], outcome: &str) -> Value {
    let done = verify(place, &[args, &["--json"]].concat());
    let report: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {}", done.stderr));
    assert_eq!(report["outcome"], outcome, "{report}");
    assert_eq!(done.code, i32::from(outcome == "INVALID"), "{}", done.stderr);
    report
}

/// Returns the codes and paths of the faults.
fn faults(report: &Value) -> Vec<(String, String)> {
    let text = |fault: &Value, field: &str| fault[field].as_str().unwrap().to_owned();
    let faults = report["invalid"].as_array().unwrap().iter();
    faults.map(|fault| (text(fault, "code"), text(fault, "path"))).collect()
}

#[test]
fn a_store_a_shard_or_a_pack_can_be_named() {
    let place = Place::new();
    let top = place.path().join("s");
    store(&top);
    for (path, packs) in [
        ("s", 3),
        ("s/agency", 3),
        ("s/agency/g1_information", 3),
        ("s/agency/g1_information/00", 2),
        ("s/agency/g1_information/00/", 2),
        ("s/agency/g1_information/00/genome_000000000003.dat", 1),
    ] {
        let report = report(&place, &[path], "OK");
        let shards = report["shards"].as_array().unwrap().iter();
        let found: usize = shards.map(|shard| shard["packs"].as_array().unwrap().len()).sum();
        assert_eq!(found, packs, "{path}");
    }
    let human = verify(&place, &["s"]).ok().out();
    assert!(
        human.starts_with("agent verify: OK\n  shard 00   2 packs   5 cycles"),
        "{human}"
    );
    // By default, it is the store of the work tree.
    let repo = Repo::set_up();
    store(&repo.root);
    repo.write("sub/x", "");
    repo.place.pack_in(&repo.path("sub"), &["agent", "verify"]).ok();
}

#[test]
fn where_nothing_can_be_checked_the_answer_is_not_yes() {
    let place = Place::new();
    fs::create_dir_all(place.path().join("empty/agency/g1_information")).unwrap();
    fs::create_dir_all(place.path().join("shard/00")).unwrap();
    fs::create_dir_all(place.path().join("other")).unwrap();
    for path in ["empty", "shard/00", "other", "absent", "."] {
        let done = verify(&place, &[path]);
        assert_eq!(done.code, 2, "{path}: {}", done.stderr);
        assert!(done.stdout.is_empty());
    }
    let refused = verify(&place, &["other", "--json"]).refused("E_USAGE");
    assert!(
        refused["refusal"]["message"]
            .as_str()
            .unwrap()
            .contains("no public packs"),
        "{refused}"
    );
}

#[test]
fn the_digest_is_what_sha256sum_says() {
    let place = Place::new();
    let top = place.path().join("s");
    store(&top);
    write(
        &top.join("agency/g2_information/g2_information.dat"),
        "another public file",
    );
    let listed = "LC_ALL=C find agency/g1_information -name '*.dat' | LC_ALL=C sort | xargs -r sha256sum | sha256sum | cut -c1-64";
    let expected = place.run(&top, "sh", &["-c", listed]).ok().out();
    let report = report(&place, &["s"], "OK");
    assert_eq!(report["digest"], format!("sha256:{}", expected.trim()));
}

#[test]
fn links_and_special_files_are_faults_and_are_not_read() {
    let place = Place::new();
    let top = place.path().join("s");
    store(&top);
    let shard = top.join("agency/g1_information/00");
    symlink("/etc/passwd", shard.join("genome_000000000005.dat")).unwrap();
    symlink("00", top.join("agency/g1_information/01")).unwrap();
    place.run(&shard, "mkfifo", &["genome_000000000006.dat"]).ok();
    fs::create_dir(shard.join("genome_000000000007.dat")).unwrap();
    let report = report(&place, &["s"], "INVALID");
    let foreign = |path: &str| ("GENOME_FOREIGN".to_owned(), format!("agency/g1_information/{path}"));
    assert_eq!(
        faults(&report),
        [
            foreign("00/genome_000000000005.dat"),
            foreign("00/genome_000000000006.dat"),
            foreign("00/genome_000000000007.dat"),
            foreign("01"),
        ]
    );
    // A link above the shards leads to a store that is not this one.
    let other = place.path().join("other");
    fs::create_dir(&other).unwrap();
    symlink(top.join("agency"), other.join("agency")).unwrap();
    assert_eq!(verify(&place, &["other"]).code, 2);
}

#[test]
fn a_pack_that_cannot_be_read_is_a_fault() {
    let place = Place::new();
    let top = place.path().join("s");
    store(&top);
    let unreadable = top.join(file("00", 3));
    fs::set_permissions(&unreadable, fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads everything, so somebody else must try.
    let bin = place.path().join("bin");
    fs::create_dir(&bin).unwrap();
    place.copy_binary(&bin.join("git-pack"));
    place.run(place.path(), "chmod", &["-R", "a+rX", ".", "bin"]).ok();
    fs::set_permissions(&unreadable, fs::Permissions::from_mode(0o000)).unwrap();
    let program = bin.join("git-pack");
    let call = [program.to_str().unwrap(), "agent", "verify", "s"];
    let done = match is_root() {
        true => {
            let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
            place.run(place.path(), "setpriv", &[&nobody[..], &call].concat())
        }
        false => place.run(place.path(), call[0], &call[1..]),
    };
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.out().contains("GENOME_UNREADABLE"), "{}", done.out());
}

#[test]
fn a_store_continues_a_sealed_pack_of_it() {
    let repo = Repo::set_up();
    store(&repo.root);
    repo.git(&["add", "."]).ok();
    repo.commit("store");
    let (_, tree) = repo.seal(&["-o", "../tree"]);
    let (_, evidence) = repo.seal(&["agency", "-o", "../evidence"]);
    let (_, shard) = repo.seal(&["agency/g1_information/00", "-o", "../shard"]);
    let one = file("00", 3);
    let (_, one) = repo.seal(&[&one, "-o", "../one"]);
    let archive = repo.place.path().join("tree.tar.zst");
    repo.pack(&["archive", tree.to_str().unwrap(), "-o", archive.to_str().unwrap()])
        .ok();
    let check = |path: &str, against: &Path, outcome: &str| {
        let against = against.to_str().unwrap();
        report(&repo.place, &[path, "--against", against], outcome)
    };
    let store = repo.root.to_str().unwrap();
    let longer = |from: u32, cycles| fs::write(repo.path(&file("00", from)), pack(from, cycles)).unwrap();
    longer(3, 5);
    longer(8, 1);
    for (against, cycles) in [(&tree, 9), (&evidence, 9), (&archive, 9), (&shard, 5), (&one, 2)] {
        let found = match against == &shard || against == &one {
            true => check(&format!("{store}/agency/g1_information/00"), against, "OK"),
            false => check(store, against, "OK"),
        };
        assert_eq!(found["earlier_cycles"], cycles, "{against:?}");
    }
    // The fifth cycle is changed, so the store is a fork.
    let mut fork = pack(3, 5);
    fork[128 + 24 + 7] ^= 1;
    fs::write(repo.path(&file("00", 3)), fork).unwrap();
    for against in [&tree, &evidence, &archive] {
        let report = check(store, against, "INVALID");
        let fault = &report["invalid"][0];
        assert_eq!(fault["code"], "GENOME_DIFFERS", "{report}");
        assert!(fault["detail"].as_str().unwrap().starts_with("cycle 4 "), "{report}");
    }
    // A pack that was changed proves nothing.
    longer(3, 5);
    let member = tree.join("repo").join(file("00", 0));
    let mut bytes = fs::read(&member).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&member, bytes).unwrap();
    let against = tree.to_str().unwrap();
    verify(&repo.place, &[store, "--against", against, "--json"]).refused("E_BAD_PACK");
}

#[test]
fn what_is_no_earlier_state_is_refused() {
    let repo = Repo::set_up();
    store(&repo.root);
    let (_, none) = repo.seal(&["README.md", "-o", "../none"]);
    let store_path = repo.root.to_str().unwrap();
    let refused = |args: &[&str], code: &str| {
        let args = [&[store_path], args, &["--json"]].concat();
        verify(&repo.place, &args).refused(code)
    };
    refused(&["--against", none.to_str().unwrap()], "E_USAGE");
    refused(&["--against", "home"], "E_USAGE");
    refused(&["--against", "absent"], "E_IO");
    // An earlier store that is not valid proves nothing.
    let gap = repo.place.path().join("gap");
    put(&gap, "00", 3, 2);
    refused(&["--against", "gap"], "E_CORRUPT");
    // Two stores in one pack.
    let two = Repo::set_up();
    store(&two.path("one"));
    store(&two.path("two"));
    let (_, both) = two.seal(&["one", "two", "-o", "../both"]);
    refused(&["--against", both.to_str().unwrap()], "E_USAGE");
}

#[test]
fn only_the_first_difference_of_a_shard_is_told() {
    let place = Place::new();
    store(&place.path().join("old"));
    let new = place.path().join("new");
    store(&new);
    for start in [0, 3] {
        let mut bytes = fs::read(new.join(file("00", start))).unwrap();
        bytes[108] ^= 1;
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(new.join(file("00", start)), bytes).unwrap();
    }
    fs::write(new.join(file("a7", 0)), pack(0, 3)).unwrap();
    let report = report(&place, &["new", "--against", "old"], "INVALID");
    assert_eq!(
        faults(&report),
        [
            ("GENOME_HEADER_DIFFERS".to_owned(), file("00", 0)),
            ("GENOME_LOST".to_owned(), file("a7", 0)),
        ]
    );
}

#[test]
fn what_cannot_be_compared_is_not_left_out_in_silence() {
    let repo = Repo::set_up();
    store(&repo.root);
    let sealed = "version = 1\n[[protect]]\nclass = \"x\"\npaths = [\"**/a7/**\"]\n";
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(".gitpack.toml", config.replacen("version = 1\n", sealed, 1));
    let (_, pack) = repo.seal(&["agency", "-o", "../sealed"]);
    let against = pack.to_str().unwrap();
    let top = repo.root.to_str().unwrap();
    let refused = verify(&repo.place, &[top, "--against", against, "--json"]).refused("E_USAGE");
    let message = refused["refusal"]["message"].as_str().unwrap();
    assert!(
        message.contains("a7/genome_000000000000.dat.age is sealed in it"),
        "{message}"
    );
    // A pack that does not tell its shard is compared only with a shard that is named.
    let alone = repo.place.path().join("alone");
    fs::create_dir(&alone).unwrap();
    fs::copy(repo.path(&file("00", 3)), alone.join("genome_000000000003.dat")).unwrap();
    let lone = alone.join("genome_000000000003.dat");
    let lone = lone.to_str().unwrap();
    verify(&repo.place, &[top, "--against", lone, "--json"]).refused("E_USAGE");
    let shard = format!("{top}/agency/g1_information/00");
    report(&repo.place, &[&shard, "--against", lone], "OK");
    // Of an empty store, everything is lost.
    fs::create_dir_all(repo.place.path().join("empty/agency/g1_information")).unwrap();
    let lost = report(&repo.place, &["empty", "--against", top], "INVALID");
    assert_eq!(faults(&lost).len(), 2);
}
