//! Faults during sealing: each is refused, leaves nothing, and the next seal gives the same pack as without the fault.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common::packs::{assert_same, codes, give_away, standing, unprivileged};
use crate::common::{Done, GIT_PACK, Repo, noise};

/// Makes a repository with a tracked artifact, an untracked artifact, and a plain file.
fn scene() -> Repo {
    let repo = Repo::set_up();
    repo.write("model.gguf", noise(1, 70_000));
    repo.write("data.bin", noise(2, 40_000));
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "tracked"]).ok();
    repo.write("index.vec", noise(3, 100_000));
    repo
}

const TREE: [&str; 3] = ["seal", "--attach", "index.vec"];
const EVIDENCE: [&str; 6] = [
    "seal",
    "index.vec",
    "model.gguf",
    "data.bin",
    "--created",
    "2026-01-15T10:30:00Z",
];

fn id(done: &Done) -> String {
    let out = done.out();
    out.lines()
        .next()
        .unwrap()
        .strip_prefix("PACK_CREATED ")
        .unwrap()
        .to_owned()
}

/// Seals to `../<name>` and returns the id.
#[track_caller]
fn seal(repo: &Repo, args: &[&str], name: &str) -> String {
    let output = format!("../{name}");
    let done = repo.pack(&[args, &["-o", &output]].concat()).ok();
    assert_eq!(codes(&repo.place.path().join(name)), []);
    id(&done)
}

#[test]
fn without_fit_recipients_nothing_is_sealed_until_there_are() {
    let repo = scene();
    let tree = seal(&repo, &TREE, "tree");
    let evidence = seal(&repo, &EVIDENCE, "evidence");
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let own = repo.pack(&["recipients", "list"]).ok().out();
    let own = own.trim();
    repo.write("no-recipients", "# nobody\n");
    repo.write("bad-recipients", format!("{own}\nage1nobody\n"));
    let refused = |args: &[&str], code: &str| {
        let before = standing(repo.place.path());
        for flags in [
            &[][..],
            &["--fresh"],
            &["--opaque-names", "--pad"],
            &["--mode", "internal"],
        ] {
            let value = repo.pack(&[args, flags, &["-o", "../new/pack"]].concat()).refused(code);
            let message = value["refusal"]["message"].as_str().unwrap().to_owned();
            assert!(!message.is_empty());
            assert_same(&before, &standing(repo.place.path()), &message);
        }
    };
    for args in [&TREE[..], &EVIDENCE] {
        refused(&[args, &["-r", "age1nobody"]].concat(), "E_USAGE");
        // A valid recipient does not excuse an invalid one.
        refused(&[args, &["-r", own, "-r", "age1nobody"]].concat(), "E_USAGE");
        refused(&[args, &["-R", "bad-recipients"]].concat(), "E_BAD_CONFIG");
        refused(&[args, &["-R", "no-recipients"]].concat(), "E_BAD_CONFIG");
        refused(&[args, &["-R", "absent"]].concat(), "E_IO");
    }
    let put = |text: &str| {
        repo.write(".gitpack.toml", text);
        repo.git(&[
            "commit",
            "-q",
            "--no-verify",
            "--allow-empty",
            "-m",
            "config",
            "--",
            ".gitpack.toml",
        ])
        .ok();
    };
    for (text, code) in [
        (config.replace(own, "age1nobody"), "E_BAD_CONFIG"),
        ("version = 1\n".to_owned(), "E_NO_RECIPIENTS"),
    ] {
        assert_ne!(text, config);
        put(&text);
        refused(&TREE, code);
        refused(&EVIDENCE, code);
    }
    repo.git(&["reset", "-q", "--hard", "HEAD~2"]).ok();
    assert_eq!(fs::read_to_string(repo.path(".gitpack.toml")).unwrap(), config);
    assert_eq!(seal(&repo, &TREE, "tree-again"), tree);
    assert_eq!(seal(&repo, &EVIDENCE, "evidence-again"), evidence);
}

#[test]
fn an_artifact_that_cannot_be_read_stops_the_seal() {
    let repo = scene();
    repo.write("run/deep/other.vec", noise(4, 300));
    give_away(&repo.place);
    let run = |args: &[&str], name: &str| {
        let output = format!("../{name}");
        unprivileged(&repo.place, &repo.root, &[args, &["-o", &output]].concat())
    };
    let tree = [&TREE[..], &["--attach", "run"]].concat();
    let evidence = [&EVIDENCE[..2], &["run"], &EVIDENCE[2..]].concat();
    let first = [id(&run(&tree, "tree").ok()), id(&run(&evidence, "evidence").ok())];
    for path in ["index.vec", "run/deep/other.vec", "run/deep", "run"] {
        let target = repo.path(path);
        let mode = fs::metadata(&target).unwrap().permissions();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o000)).unwrap();
        let before = standing(repo.place.path());
        for args in [&tree, &evidence] {
            for flags in [&[][..], &["--fresh"], &["--opaque-names", "--pad"]] {
                let value = run(&[&args[..], flags].concat(), "new/pack").refused("E_IO");
                let message = value["refusal"]["message"].as_str().unwrap();
                assert!(
                    message.contains(path) && message.contains("ermission denied"),
                    "{message}"
                );
                assert_same(&before, &standing(repo.place.path()), path);
            }
        }
        fs::set_permissions(&target, mode).unwrap();
    }
    assert_eq!(id(&run(&tree, "tree-again").ok()), first[0]);
    assert_eq!(id(&run(&evidence, "evidence-again").ok()), first[1]);
}

#[test]
fn a_store_or_an_output_that_cannot_be_written_stops_the_seal() {
    let repo = scene();
    fs::create_dir(repo.place.path().join("closed")).unwrap();
    give_away(&repo.place);
    let run = |output: &str| unprivileged(&repo.place, &repo.root, &[&TREE[..], &["-o", output]].concat());
    unprivileged(&repo.place, &repo.root, &["--version"]).ok();
    // The store has only its directory and its lock.
    let first = fs::canonicalize(repo.path(".git")).unwrap().join("gitpack/seals");
    fs::create_dir_all(&first).unwrap();
    fs::write(first.join("lock"), "").unwrap();
    give_away(&repo.place);
    for closed in [first, repo.place.path().join("closed")] {
        let mode = fs::metadata(&closed).unwrap().permissions();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
        let before = standing(repo.place.path());
        let output = if closed.ends_with("closed") {
            "../closed/pack"
        } else {
            "../new/pack"
        };
        let value = run(output).refused("E_IO");
        assert!(
            value["refusal"]["message"].as_str().unwrap().contains("denied"),
            "{value}"
        );
        assert_same(&before, &standing(repo.place.path()), output);
        fs::set_permissions(&closed, mode).unwrap();
    }
    let one = id(&run("../one").ok());
    assert_eq!(id(&run("../two").ok()), one);
}

/// Waits until `bytes` bytes of a ciphertext are staged; returns none if the process ended first.
fn staged(directory: &Path, bytes: u64, child: &mut std::process::Child) -> Option<PathBuf> {
    loop {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if !name.starts_with(".git-pack-staging-") {
                continue;
            }
            let sealed = entry.path().join("pack/sealed/big.vec.age");
            if fs::metadata(&sealed).is_ok_and(|meta| meta.len() >= bytes) {
                return Some(sealed);
            }
        }
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        std::thread::yield_now();
    }
}

#[test]
fn an_artifact_that_changes_while_it_is_encrypted_is_not_sealed() {
    const SIZE: usize = 8_000_000;
    let repo = Repo::set_up();
    let content = noise(1, SIZE);
    let big = repo.path("big.vec");
    type Change = fn(&mut fs::File);
    let changes: [(&str, Change); 3] = [
        ("appended", |file| {
            file.seek(SeekFrom::End(0)).unwrap();
            file.write_all(b"more").unwrap();
        }),
        ("written over where it was read", |file| {
            file.write_all(b"other").unwrap();
        }),
        ("cut short", |file| file.set_len(SIZE as u64 - 1).unwrap()),
    ];
    fs::write(&big, &content).unwrap();
    let created = ["--created", "2026-01-15T10:30:00Z"];
    let attach = ["seal", "--attach", "big.vec"];
    let evidence = [&["seal", "big.vec"][..], &created].concat();
    let first = [seal(&repo, &attach, "tree"), seal(&repo, &evidence, "evidence")];
    for (what, change) in changes {
        for (args, sealed) in [&attach[..], &evidence].into_iter().zip(&first) {
            // On a busy machine, a change can come after the last byte was read. Then the content as it was is sealed.
            let refused = (0..20).any(|_| {
                fs::write(&big, &content).unwrap();
                let before = standing(repo.place.path());
                let mut child = repo
                    .place
                    .command(GIT_PACK, &repo.root)
                    .args(args)
                    .args(["-o", "../new"])
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap();
                let midway = staged(repo.place.path(), 1_000_000, &mut child).is_some();
                let mut file = fs::OpenOptions::new().read(true).write(true).open(&big).unwrap();
                change(&mut file);
                drop(file);
                let output = child.wait_with_output().unwrap();
                let done = Done {
                    code: output.status.code().unwrap_or(-1),
                    stdout: output.stdout,
                    stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
                };
                if done.code == 0 {
                    assert_eq!(&id(&done), sealed, "{what}");
                    fs::remove_dir_all(repo.place.path().join("new")).unwrap();
                    return false;
                }
                assert!(midway, "{what}: {}", done.stderr);
                let value = done.refused("E_IO");
                let message = value["refusal"]["message"].as_str().unwrap();
                assert!(message.contains("changed while it was read"), "{what}: {message}");
                fs::write(&big, &content).unwrap();
                assert_same(&before, &standing(repo.place.path()), what);
                true
            });
            assert!(refused, "{what}: no change came in the middle of a run");
        }
    }
    assert_eq!(seal(&repo, &attach, "tree-again"), first[0]);
    assert_eq!(seal(&repo, &evidence, "evidence-again"), first[1]);
}

/// Runs seals with increasing limits on file size, which stand in for a full disk, until one succeeds. Returns the
/// files that could not be written.
fn fill_up(repo: &Repo, args: &[&str], limits: impl Iterator<Item = usize>) -> BTreeSet<String> {
    let before = standing(repo.place.path());
    let mut failed = BTreeSet::new();
    for limit in limits {
        let script = format!(
            "trap '' XFSZ; ulimit -f {limit}; exec git-pack {} -o ../new/pack",
            args.join(" ")
        );
        let done = repo.place.run(&repo.root, "sh", &["-c", &script]);
        if done.code == 0 {
            assert_eq!(codes(&repo.place.path().join("new/pack")), []);
            fs::remove_dir_all(repo.place.path().join("new")).unwrap();
            return failed;
        }
        let value = done.refused("E_IO");
        let message = value["refusal"]["message"].as_str().unwrap();
        assert!(message.starts_with("writing "), "{message}");
        // The path inside the staging directory, whose own name is random.
        let path = message["writing ".len()..].split(": ").next().unwrap();
        let path = path.split_once(".git-pack-staging-").map_or(path, |(_, rest)| rest);
        failed.insert(path.split_once('/').map_or(path, |(_, rest)| rest).to_owned());
        assert_same(&before, &standing(repo.place.path()), &script);
    }
    panic!("no limit was high enough for a seal to succeed");
}

#[test]
fn a_disk_that_is_full_at_any_document_leaves_nothing() {
    let repo = Repo::set_up();
    // Enough long names to make each document longer than the one before, and a short artifact.
    for n in 0..40 {
        repo.write(&format!("plain/a-file-with-a-name-of-some-length-{n}"), n.to_string());
    }
    repo.commit_only("plain");
    repo.write("s.vec", "tiny");
    let args = ["seal", "--attach", "s.vec"];
    let id = seal(&repo, &args, "first");
    let failed = fill_up(&repo, &args, 0..60);
    for stage in [".gitignore", "pack/meta/REPO_STATE.json", "pack/manifest.json"] {
        assert!(failed.contains(stage), "{stage}: {failed:?}");
    }
    assert_eq!(seal(&repo, &args, "again"), id);
    // With many short artifacts, their declarations are the longest document.
    for n in 0..20 {
        repo.write(&format!("many/{n}.vec"), n.to_string());
    }
    let args = ["seal", "many", "--created", "2026-01-15T10:30:00Z"];
    let id = seal(&repo, &args, "evidence");
    let failed = fill_up(&repo, &args, 0..60);
    for stage in ["pack/meta/PROTECTED.json", "pack/SEALED_ARTIFACTS.json"] {
        assert!(failed.contains(stage), "{stage}: {failed:?}");
    }
    assert_eq!(seal(&repo, &args, "evidence-again"), id);
}

#[test]
fn a_disk_that_is_full_at_any_point_of_a_ciphertext_leaves_nothing() {
    for flags in [&[][..], &["--pad", "--opaque-names"], &["--fresh"]] {
        let repo = Repo::set_up();
        repo.write("big.vec", noise(1, 150_000));
        repo.write("copied.txt", "x".repeat(300_000));
        repo.commit_only("copied.txt");
        let args = [&["seal", "--attach", "big.vec"], flags].concat();
        // With `--fresh` every pack differs, so there is no id to compare.
        let id = (!flags.contains(&"--fresh")).then(|| seal(&repo, &args, "first"));
        let limits = [0, 1, 40, 128, 129, 130, 200, 260, 294, 320, 500, 585, 700];
        let failed = fill_up(&repo, &args, limits.into_iter());
        let sealed = failed.iter().any(|path| path.starts_with("pack/sealed/"));
        assert!(sealed && failed.contains("pack/repo/copied.txt"), "{failed:?}");
        if let Some(id) = id {
            assert_eq!(seal(&repo, &args, "again"), id);
        }
    }
}

#[test]
fn after_a_first_seal_that_failed_two_more_give_one_pack() {
    let repo = scene();
    for args in [&TREE[..], &EVIDENCE] {
        let before = standing(repo.place.path());
        let script = format!(
            "trap '' XFSZ; ulimit -f 100; exec git-pack {} -o ../new",
            args.join(" ")
        );
        repo.place.run(&repo.root, "sh", &["-c", &script]).refused("E_IO");
        assert_same(&before, &standing(repo.place.path()), "refused");
        let one = seal(&repo, args, "one");
        assert_eq!(seal(&repo, args, "two"), one);
        for name in ["one", "two"] {
            fs::remove_dir_all(repo.place.path().join(name)).unwrap();
        }
    }
}
