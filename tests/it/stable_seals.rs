//! How artifacts are sealed: ciphertexts stay the same until something changes, and names and sizes can be hidden.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common;
use crate::common::packs::{assert_same, ciphertexts, codes, declared_paths, document, opened, standing};
use crate::common::{Done, GIT_PACK, Repo, age_keygen, noise, snapshot};
use gitpack::format::padding::{is_padded, padded_bytes};
use gitpack::format::sealed::chunk_bytes;

/// A recipient whose key is not available here.
const OTHER: &str = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";

/// Makes a repository with a tracked and an untracked artifact; both have unmistakable names and more than one chunk.
fn scene() -> (Repo, BTreeMap<&'static str, Vec<u8>>) {
    let repo = Repo::set_up();
    let artifacts = BTreeMap::from([
        ("eland/quagga.gguf", noise(1, 70_000)),
        ("attached/zorilla.vec", noise(2, 66_000)),
        ("attached/numbat.bin", noise(3, 100)),
    ]);
    repo.write("eland/quagga.gguf", &artifacts["eland/quagga.gguf"]);
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "tracked"]).ok();
    for path in ["attached/zorilla.vec", "attached/numbat.bin"] {
        repo.write(path, &artifacts[path]);
    }
    (repo, artifacts)
}

fn seal(repo: &Repo, name: &str, flags: &[&str]) -> (String, PathBuf) {
    let output = format!("../{name}");
    repo.seal(&[&["--attach", "attached", "-o", &output], flags].concat())
}

/// Opens a pack and asserts that exactly these artifacts come out.
#[track_caller]
fn opens_to(repo: &Repo, pack: &Path, artifacts: &BTreeMap<&str, Vec<u8>>) {
    let output = repo.place.path().join("opened");
    drop(fs::remove_dir_all(&output));
    repo.pack(&["open", pack.to_str().unwrap(), "-o", "../opened"]).ok();
    let files = snapshot(&output)
        .into_iter()
        .filter(|(_, mode, _)| mode & 0o170000 == 0o100000);
    let found: BTreeMap<String, Vec<u8>> = files
        .map(|(path, _, bytes)| (path.to_str().unwrap().to_owned(), bytes))
        .collect();
    let expected: BTreeMap<String, Vec<u8>> = artifacts
        .iter()
        .map(|(path, bytes)| ((*path).to_owned(), bytes.clone()))
        .collect();
    assert!(found == expected, "{:?}", found.keys());
}

fn reused(done: &Done) -> usize {
    let before = done.stderr.split(" reused").next().unwrap();
    if before.len() == done.stderr.len() {
        return 0;
    }
    before.rsplit('(').next().unwrap().parse().unwrap()
}

#[test]
fn opaque_names_tell_neither_path_nor_rule_and_open_brings_them_back() {
    let (repo, artifacts) = scene();
    let (id, pack) = seal(&repo, "opaque", &["--opaque-names"]);
    assert_eq!(codes(&pack), []);
    repo.pack(&["verify", pack.to_str().unwrap(), "--rev", "HEAD"]).ok();
    for (path, _, bytes) in snapshot(&pack) {
        // This includes the names of directories, and the rule given for artifacts that no glob protects.
        for told in ["quagga", "zorilla", "numbat", "eland", "attached/", "--attach"] {
            assert!(!path.to_string_lossy().contains(told), "{}", path.display());
            let found = memchr::memmem::find(&bytes, told.as_bytes());
            assert!(found.is_none(), "{told} in {}", path.display());
        }
    }
    // The pack publishes its rules, but not which rule sealed which artifact.
    let told = fs::read_to_string(pack.join("SEALED_ARTIFACTS.json")).unwrap();
    for rule in ["rule", "*.vec", "*.gguf"] {
        assert!(!told.contains(rule), "{told}");
    }
    for name in ciphertexts(&pack).keys() {
        let name = name.to_str().unwrap();
        let stem = name.strip_suffix(".age").unwrap();
        let hex = stem.len() == 32 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(hex || name == "INDEX.age", "{name}");
    }
    assert_eq!(ciphertexts(&pack).len(), 4);
    let index = document(&pack, "SEALED_ARTIFACTS.json")["index"].clone();
    assert_eq!(
        (&index["sealed_path"], &index["padded"]),
        (&"sealed/INDEX.age".into(), &true.into())
    );
    opens_to(&repo, &pack, &artifacts);
    // A second pack is identical, including its names. A pack with plain names shares no ciphertext with it; a shared
    // one would give the names away.
    let (again, second) = seal(&repo, "opaque-again", &["--opaque-names"]);
    assert_eq!(again, id);
    assert_same(&snapshot(&pack), &snapshot(&second), "sealed again");
    let (_, named) = seal(&repo, "named", &[]);
    let named: Vec<String> = ciphertexts(&named).into_values().collect();
    let opaque: Vec<String> = ciphertexts(&pack).into_values().collect();
    assert!(!named.iter().any(|ciphertext| opaque.contains(ciphertext)));
    // The same for evidence.
    let (_, evidence) = repo.seal(&["attached/zorilla.vec", "--opaque-names", "-o", "../evidence"]);
    assert_eq!(codes(&evidence), []);
    for (path, _, bytes) in snapshot(&evidence) {
        assert!(memchr::memmem::find(&bytes, b"zorilla").is_none(), "{}", path.display());
    }
    opens_to(
        &repo,
        &evidence,
        &BTreeMap::from([("zorilla.vec", artifacts["attached/zorilla.vec"].clone())]),
    );
}

#[test]
fn padded_sizes_are_padme_sizes_and_the_exact_bytes_come_back() {
    let repo = Repo::set_up();
    let zeros = |content: &[u8], count: usize| [content, &vec![0; count]].concat();
    let artifacts: BTreeMap<&str, Vec<u8>> = BTreeMap::from([
        ("p/0.vec", Vec::new()),
        ("p/1.vec", vec![7]),
        ("p/1-zero.vec", vec![0]),
        ("p/65535.vec", noise(1, 65_535)),
        ("p/65536.vec", noise(2, 65_536)),
        ("p/65537.vec", noise(3, 65_537)),
        ("p/ends-in-zeros.vec", zeros(&noise(4, 1000), 300)),
        ("p/long-end-of-zeros.vec", zeros(&noise(5, 65_530), 70_000)),
        ("p/zeros.vec", zeros(b"", 5000)),
        ("p/trailer.vec", zeros(&8_u64.to_be_bytes(), 8)),
    ]);
    for (path, content) in &artifacts {
        repo.write(path, content);
    }
    let args = ["--attach", "p", "--pad", "-o"];
    let (id, pack) = repo.seal(&[&args[..], &["../padded"]].concat());
    assert_eq!(codes(&pack), []);
    let document = document(&pack, "SEALED_ARTIFACTS.json");
    for artifact in document["artifacts"].as_array().unwrap() {
        let path = artifact["path"].as_str().unwrap();
        let (bytes, content) = (artifact["plain_bytes"].as_u64().unwrap(), artifacts[path].len() as u64);
        assert_eq!(artifact["padded"], true, "{path}");
        assert_eq!(bytes, padded_bytes(content), "{path}");
        assert!(is_padded(bytes) && bytes >= content + 8, "{path}");
        let sealed = pack.join(artifact["sealed_path"].as_str().unwrap());
        let whole = fs::read(&sealed).unwrap();
        let header = gitpack::adapters::cipher::header(&whole[..]).unwrap();
        assert_eq!(whole.len() as u64, header.bytes + chunk_bytes(bytes), "{path}");
        let plain = opened(&repo, &sealed);
        assert_eq!(plain.len() as u64, bytes, "{path}");
        assert!(plain.starts_with(&artifacts[path]), "{path}");
    }
    opens_to(&repo, &pack, &artifacts);
    for (path, content) in &artifacts {
        let done = repo.pack(&["open", "../padded", path, "--stdout"]).ok();
        assert!(done.stdout == *content, "{path}");
    }
    let (again, second) = repo.seal(&[&args[..], &["../again"]].concat());
    assert_eq!(again, id);
    assert_same(&snapshot(&pack), &snapshot(&second), "sealed again");
    // The padded and the plain ciphertext are both kept.
    let (plain_id, plain) = repo.seal(&["--attach", "p", "-o", "../plain"]);
    assert_ne!(ciphertexts(&plain), ciphertexts(&pack));
    assert_eq!(repo.seal(&["--attach", "p", "-o", "../plain-again"]).0, plain_id);
    assert_eq!(
        ciphertexts(&repo.seal(&[&args[..], &["../third"]].concat()).1),
        ciphertexts(&pack)
    );
}

#[test]
fn opaque_and_padded_together_are_stable_and_open() {
    let (repo, artifacts) = scene();
    let flags = ["--opaque-names", "--pad"];
    let (id, pack) = seal(&repo, "one", &flags);
    let (again, second) = seal(&repo, "two", &flags);
    assert_eq!(again, id);
    assert_same(&snapshot(&pack), &snapshot(&second), "sealed again");
    assert_eq!(codes(&pack), []);
    let identity = repo.identity();
    let verify = [
        "verify",
        pack.to_str().unwrap(),
        "--identity",
        identity.to_str().unwrap(),
        "--rev",
        "HEAD",
    ];
    repo.pack(&verify).ok();
    opens_to(&repo, &pack, &artifacts);
}

#[test]
fn fresh_changes_every_ciphertext_and_the_next_seal_keeps_them() {
    for flags in [&[][..], &["--opaque-names", "--pad"]] {
        let (repo, artifacts) = scene();
        let (first_id, first) = seal(&repo, "first", flags);
        let (fresh_id, fresh) = seal(&repo, "fresh", &[&["--fresh"], flags].concat());
        assert_ne!(first_id, fresh_id);
        let earlier: Vec<String> = ciphertexts(&first).into_values().collect();
        for (path, ciphertext) in ciphertexts(&fresh) {
            assert!(!earlier.contains(&ciphertext), "{}", path.display());
        }
        let (next_id, next) = seal(&repo, "next", flags);
        assert_eq!(next_id, fresh_id);
        assert_same(&snapshot(&fresh), &snapshot(&next), "sealed again");
        opens_to(&repo, &next, &artifacts);
    }
}

#[test]
fn equal_contents_have_ciphertexts_that_do_not_tell_so() {
    let repo = Repo::set_up();
    for path in ["a.vec", "b.vec", "c/a.vec"] {
        repo.write(path, noise(1, 5000));
    }
    let attach = ["--attach", "a.vec", "--attach", "b.vec", "--attach", "c"];
    repo.seal(&[&attach[..2], &["-o", "../only-a"]].concat());
    let first = repo.seal(&[&attach[..], &["-o", "../all"]].concat()).1;
    let from_pack = repo.place.path().join("clone");
    repo.place
        .run(
            repo.place.path(),
            "git",
            &["clone", "-q", repo.root.to_str().unwrap(), "clone"],
        )
        .ok();
    for path in ["a.vec", "b.vec", "c/a.vec"] {
        common::write(&from_pack.join(path), noise(1, 5000));
    }
    let args = [&["seal"][..], &attach, &["--reuse", "../only-a", "-o", "../reused"]].concat();
    repo.place.pack_in(&from_pack, &args).ok();
    for (pack, flags) in [
        (first, &[][..]),
        (repo.place.path().join("reused"), &[]),
        (repo.place.path().join("opaque"), &["--opaque-names"]),
    ] {
        if !flags.is_empty() {
            repo.seal(&[&attach[..], flags, &["-o", "../opaque"]].concat());
        }
        let document = document(&pack, "SEALED_ARTIFACTS.json");
        for key in ["sealed_hash", "nonce", "sealed_path"] {
            let artifacts = document["artifacts"].as_array().unwrap();
            let distinct: std::collections::BTreeSet<&str> = artifacts
                .iter()
                .map(|artifact| artifact[key].as_str().unwrap())
                .collect();
            assert_eq!(distinct.len(), 3, "{key} in {}", pack.display());
        }
    }
}

/// Clones the repository without a store, and copies the untracked artifacts.
fn clone_of(repo: &Repo, name: &str) -> PathBuf {
    let url = format!("file://{}", repo.root.display());
    repo.place
        .run(repo.place.path(), "git", &["clone", "-q", &url, name])
        .ok();
    let clone = repo.place.path().join(name);
    common::packs::copy_tree(&repo.path("attached"), &clone.join("attached"));
    clone
}

#[test]
fn reuse_gives_another_clone_the_same_ciphertexts_and_so_the_same_pack() {
    for (n, flags) in [&[][..], &["--opaque-names"], &["--pad"], &["--opaque-names", "--pad"]]
        .into_iter()
        .enumerate()
    {
        let (repo, artifacts) = scene();
        let (id, pack) = seal(&repo, "first", flags);
        let clone = clone_of(&repo, "clone");
        let args = |more: &[&str]| {
            let base: Vec<String> = ["seal", "--attach", "attached"]
                .iter()
                .chain(flags)
                .chain(more)
                .map(|arg| (*arg).to_owned())
                .collect();
            base
        };
        let run = |more: &[&str]| {
            let owned = args(more);
            let args: Vec<&str> = owned.iter().map(String::as_str).collect();
            repo.place.pack_in(&clone, &args)
        };
        let done = run(&["--reuse", "../first", "-o", "../second"]).ok();
        assert!(done.out().contains(&id), "{flags:?}");
        let second = repo.place.path().join("second");
        assert_same(&snapshot(&pack), &snapshot(&second), "in another clone");
        assert_eq!(reused(&done), 3, "{}", done.stderr);
        // The clone does not know the recipients of these ciphertexts, so it does not reuse them for its own packs.
        assert!(!run(&["-o", "../third"]).ok().out().contains(&id), "{flags:?}");
        if n == 0 {
            // Without the old pack a clone makes other ciphertexts.
            let alone = clone_of(&repo, "alone");
            let done = repo
                .place
                .pack_in(&alone, &["seal", "--attach", "attached", "-o", "../fourth"])
                .ok();
            assert!(!done.out().contains(&id));
        }
        opens_to(&repo, &repo.place.path().join("second"), &artifacts);
    }
}

#[test]
fn reuse_keeps_what_is_unchanged_and_encrypts_anew_what_is_not() {
    let (repo, mut artifacts) = scene();
    let (_, pack) = seal(&repo, "first", &[]);
    let clone = clone_of(&repo, "clone");
    let changed = noise(9, 66_000);
    common::write(&clone.join("attached/zorilla.vec"), &changed);
    let args = ["seal", "--attach", "attached", "--reuse", "../first", "-o", "../second"];
    let done = repo.place.pack_in(&clone, &args).ok();
    assert_eq!(reused(&done), 2, "{}", done.stderr);
    let (before, after) = (ciphertexts(&pack), ciphertexts(&repo.place.path().join("second")));
    for (path, ciphertext) in &after {
        assert_eq!(
            *ciphertext == before[path],
            !path.ends_with("zorilla.vec.age"),
            "{}",
            path.display()
        );
    }
    artifacts.insert("attached/zorilla.vec", changed);
    opens_to(&repo, &repo.place.path().join("second"), &artifacts);
    // The same in the first clone.
    repo.write("attached/numbat.bin", "changed");
    let (_, third) = seal(&repo, "third", &[]);
    for (path, ciphertext) in ciphertexts(&third) {
        assert_eq!(
            ciphertext == before[&path],
            !path.ends_with("numbat.bin.age"),
            "{}",
            path.display()
        );
    }
}

#[test]
fn reuse_with_a_key_that_does_not_open_is_refused_and_with_fresh_it_makes_no_sense() {
    let (repo, _) = scene();
    seal(&repo, "first", &[]);
    seal(&repo, "opaque", &["--opaque-names"]);
    let clone = clone_of(&repo, "clone");
    let wrong = repo.place.path().join("wrong.txt");
    repo.place
        .run(repo.place.path(), &age_keygen(), &["-o", wrong.to_str().unwrap()])
        .ok();
    let before = standing(repo.place.path());
    for pack in ["../first", "../opaque"] {
        let args = ["seal", "--attach", "attached", "--reuse", pack, "-o", "../second"];
        let by_flag = [&args[..], &["-i", "../wrong.txt"]].concat();
        repo.place.pack_in(&clone, &by_flag).refused("E_NO_IDENTITY");
        let by_environment = repo
            .place
            .command(GIT_PACK, &clone)
            .args(args)
            .env("GIT_PACK_IDENTITY", &wrong)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&by_environment.stdout).into_owned();
        assert_eq!(by_environment.status.code(), Some(2));
        assert!(said.contains("E_NO_IDENTITY"), "{said}");
        let fresh = [&args[..], &["--fresh"]].concat();
        repo.place.pack_in(&clone, &fresh).refused("E_USAGE");
    }
    let none = ["seal", "--attach", "attached", "--reuse", "../none", "-o", "../second"];
    repo.place.pack_in(&clone, &none).refused("E_BAD_PACK");
    assert_same(&before, &standing(repo.place.path()), "refused");
}

#[test]
fn for_recipients_of_other_kinds_nothing_is_reused() {
    let (repo, _) = scene();
    let (_, pack) = seal(&repo, "first", &[]);
    let clone = clone_of(&repo, "clone");
    let key = repo.place.path().join("ssh");
    let make = ["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()];
    repo.place.run(repo.place.path(), "ssh-keygen", &make).ok();
    let ssh = fs::read_to_string(key.with_extension("pub")).unwrap();
    let own = repo.pack(&["recipients", "list"]).ok().out();
    for (n, recipients) in [&[ssh.trim()][..], &[own.trim(), ssh.trim()], &[own.trim(), OTHER]]
        .iter()
        .enumerate()
    {
        let output = format!("../other-{n}");
        let flags: Vec<&str> = recipients.iter().flat_map(|recipient| ["-r", *recipient]).collect();
        let args = [
            &["seal", "--attach", "attached", "--reuse", "../first", "-o", &output],
            &flags[..],
        ]
        .concat();
        let done = repo.place.pack_in(&clone, &args).ok();
        assert_eq!(reused(&done), 0, "{}", done.stderr);
        let earlier: Vec<String> = ciphertexts(&pack).into_values().collect();
        let found = ciphertexts(&clone.join(&output));
        assert!(found.values().all(|ciphertext| !earlier.contains(ciphertext)));
        assert_eq!(found.len(), 3);
    }
}

#[test]
fn recipients_that_are_put_back_bring_back_the_earlier_ciphertexts() {
    let (repo, _) = scene();
    let own = repo.pack(&["recipients", "list"]).ok().out();
    let commit = |message: &str| {
        repo.git(&["commit", "-q", "--no-verify", "-m", message, "--", ".gitpack.toml"])
            .ok();
    };
    let (id, first) = seal(&repo, "first", &[]);
    repo.pack(&["recipients", "add", OTHER]).ok();
    commit("another");
    let (_, both) = seal(&repo, "both", &[]);
    for (path, ciphertext) in ciphertexts(&both) {
        assert_ne!(ciphertext, ciphertexts(&first)[&path]);
        let bytes = fs::read(both.join("sealed").join(&path)).unwrap();
        let stanzas = gitpack::adapters::cipher::header(&bytes[..]).unwrap().stanzas;
        assert_eq!(stanzas.iter().filter(|kind| *kind == "X25519").count(), 2);
    }
    let flag = seal(&repo, "by-flag", &["-r", own.trim()]).1;
    assert_eq!(ciphertexts(&flag), ciphertexts(&first));
    repo.pack(&["recipients", "remove", OTHER]).ok();
    commit("put back");
    assert_eq!(ciphertexts(&seal(&repo, "back", &[]).1), ciphertexts(&first));
    // Sealing the first commit again gives the same pack.
    assert_eq!(seal(&repo, "first-again", &["--rev", "HEAD~2"]).0, id);
    assert_eq!(declared_paths(&first).len(), 3);
}
