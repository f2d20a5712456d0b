//! Sealing and verifying end to end, with the real git, and with the `age` command to open the seals.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::common;
use crate::common::packs::{codes, copy_tree, opened, unprivileged};
use crate::common::{Place, Repo, noise, snapshot};
use gitpack::ops::pack::verify::verify_directory;

/// Makes a repository with an untracked vector.
fn with_vector() -> (Repo, Vec<u8>) {
    let repo = Repo::set_up();
    let secret = noise(7, 100_000);
    repo.write("embeddings/index.vec", &secret);
    (repo, secret)
}

/// Rewrites the manifest and index of a pack after a member was changed, as a clever forger would.
fn forge(pack: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    use gitpack::format::canonical_json::to_document;
    use gitpack::format::digest::Digest;
    let path = pack.join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    let mut index = Vec::new();
    for member in manifest["members"].as_array_mut().unwrap() {
        let file = pack.join(member["path"].as_str().unwrap());
        if let Ok(bytes) = fs::read(&file) {
            let hash = Digest::of(&bytes);
            member["bytes_hash"] = hash.to_string().into();
            index.push(serde_json::json!({"path": member["path"], "hash": hash.hex(), "size": bytes.len()}));
        }
    }
    index.retain(|file| file["path"] != "meta/FILE_INDEX.json");
    let listing = to_document(&serde_json::json!({ "files": index }));
    if pack.join("meta/FILE_INDEX.json").exists() {
        fs::write(pack.join("meta/FILE_INDEX.json"), &listing).unwrap();
        for member in manifest["members"].as_array_mut().unwrap() {
            if member["path"] == "meta/FILE_INDEX.json" {
                member["bytes_hash"] = Digest::of(&listing).to_string().into();
            }
        }
    }
    manifest["member_count"] = manifest["members"].as_array().unwrap().len().into();
    manifest["pack_id"] = "".into();
    let mut canonical = to_document(&manifest);
    canonical.pop();
    manifest["pack_id"] = Digest::of(&canonical).to_string().into();
    fs::write(path, to_document(&manifest)).unwrap();
}

#[test]
fn an_attached_vector_is_sealed_verified_opened_and_stable() {
    let (repo, secret) = with_vector();
    let (id, pack) = repo.seal(&["--attach", "embeddings/index.vec"]);
    let done = repo
        .place
        .pack_in(repo.place.path(), &["verify", pack.to_str().unwrap()])
        .ok();
    assert!(done.out().starts_with("pack verify: OK\n"), "{}", done.out());
    assert!(done.out().contains(&id));
    repo.pack(&["verify", pack.to_str().unwrap(), "--rev", "HEAD"]).ok();
    assert_eq!(opened(&repo, &pack.join("sealed/embeddings/index.vec.age")), secret);

    let before = snapshot(&pack);
    let again = repo.seal(&["--attach", "embeddings/index.vec"]);
    assert_eq!(again, (id.clone(), pack.clone()));
    assert_eq!(snapshot(&pack), before);
    // A new pack in another place has the same bytes.
    let (elsewhere_id, elsewhere) = repo.seal(&["--attach", "embeddings/index.vec", "--output", "../elsewhere"]);
    assert_eq!(elsewhere_id, id);
    assert_eq!(snapshot(&elsewhere), before);
    // The vector stays untracked, and only the ignored output is new in the work tree.
    let status = repo.git(&["status", "--porcelain", "--ignored"]).ok().out();
    assert_eq!(status, "?? embeddings/\n!! _PACK_RUN/\n");
}

#[test]
fn a_pack_holds_no_plaintext_and_no_hash_of_it() {
    let (repo, secret) = with_vector();
    let (_, pack) = repo.seal(&["--attach", "embeddings"]);
    let hash = gitpack::format::digest::Digest::of(&secret).hex();
    let git = snapshot(&repo.path(".git"));
    for (path, _, bytes) in snapshot(&pack).into_iter().chain(git) {
        let receipt = path.starts_with("gitpack");
        for at in (0..secret.len() - 32).step_by(997) {
            let run = &secret[at..at + 32];
            assert!(!bytes.windows(32).any(|w| w == run), "plaintext in {}", path.display());
            if at > 5_000 {
                break;
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            receipt || !text.contains(&hash),
            "a hash of the plaintext in {}",
            path.display()
        );
    }
}

#[test]
fn the_tree_pack_has_its_documents_and_the_blobs_bytes() {
    let repo = Repo::empty();
    repo.write("crlf.txt", "a\r\nb\r\n");
    repo.write(".gitattributes", "*.txt text\n");
    repo.write("run.sh", "#!/bin/sh\n");
    fs::set_permissions(repo.path("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    repo.write("a b/ü\n.txt", "odd name");
    repo.write("lock.json", "{\"version\":\"lock.v0\"}");
    symlink("run.sh", repo.path("link")).unwrap();
    repo.git(&["add", "-A"]).ok();
    repo.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{},sub", "b".repeat(40)),
    ])
    .ok();
    repo.git(&["commit", "-q", "-m", "one"]).ok();
    let (_, pack) = repo.seal(&["--note", "a note"]);
    let names: Vec<String> = snapshot(&pack)
        .into_iter()
        .filter(|(_, mode, _)| mode & 0o170000 == 0o100000)
        .map(|(path, _, _)| path.to_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "SEALED_ARTIFACTS.json",
            "manifest.json",
            "meta/FILE_INDEX.json",
            "meta/FILE_TREE.txt",
            "meta/PACK_INFO.json",
            "meta/PROTECTED.json",
            "meta/PROVENANCE.json",
            "meta/REPO_STATE.json",
            "repo/.gitattributes",
            "repo/a b/ü\n.txt",
            "repo/crlf.txt",
            "repo/link",
            "repo/lock.json",
            "repo/run.sh",
            "repo/sub",
        ]
    );
    for path in ["crlf.txt", "run.sh", "lock.json"] {
        let blob = repo.git(&["cat-file", "blob", &format!("HEAD:{path}")]).ok().stdout;
        assert_eq!(fs::read(pack.join("repo").join(path)).unwrap(), blob, "{path}");
    }
    assert_eq!(fs::read(pack.join("repo/link")).unwrap(), b"run.sh");
    assert_eq!(fs::read(pack.join("repo/sub")).unwrap(), "b".repeat(40).as_bytes());
    let read =
        |path: &str| -> serde_json::Value { serde_json::from_slice(&fs::read(pack.join(path)).unwrap()).unwrap() };
    let state = read("meta/REPO_STATE.json");
    let modes: Vec<_> = state["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|f| f["mode"].as_str())
        .collect();
    assert_eq!(modes, ["120000", "100755", "160000"]);
    let info = read("meta/PACK_INFO.json");
    assert_eq!(info["commit"], repo.rev("HEAD"));
    assert_eq!(info["mode"], "public");
    let digest = repo.pack(&["state"]).ok().out();
    assert_eq!(info["stamp"].as_str().unwrap(), &digest["sha256:".len()..][..12]);
    assert!(pack.ends_with(format!("_PACK_RUN/llm-pack-repo-{}", info["stamp"].as_str().unwrap())));
    let manifest = read("manifest.json");
    assert_eq!(manifest["created"], "2026-01-15T10:30:00Z");
    assert_eq!(manifest["note"], "a note");
    let lock = manifest["members"]
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["path"] == "repo/lock.json")
        .unwrap();
    assert_eq!(
        (&lock["type"], &lock["artifact_version"]),
        (&"lockfile".into(), &"lock.v0".into())
    );
    assert_eq!(codes(&pack), []);
}

#[test]
fn one_commit_gives_one_pack_from_every_clone() {
    let repo = Repo::set_up();
    repo.write("src/a.rs", "fn main() {}\n");
    repo.commit("two");
    let (id, pack) = repo.seal(&[]);
    let url = format!("file://{}", repo.root.display());
    for args in [&["--depth=1"][..], &[]] {
        let name = format!("clone{}", args.len());
        repo.place
            .run(
                repo.place.path(),
                "git",
                &[&["clone", "-q"], args, &[&url, &name]].concat(),
            )
            .ok();
        let clone = repo.place.path().join(&name);
        common::write(&clone.join("dirty"), "x");
        let done = repo.place.pack_in(&clone, &["seal"]).ok();
        assert!(done.out().contains(&id), "{args:?}: {}", done.out());
    }
    repo.git(&["worktree", "add", "-q", "--detach", "../linked"]).ok();
    let linked = repo.place.path().join("linked");
    let output = repo
        .place
        .command("sh", &linked.join("src"))
        .args(["-c", "umask 077; exec git pack seal"])
        .env("TZ", "Pacific/Auckland")
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains(&id));
    // A bare clone has no default output.
    repo.place
        .run(repo.place.path(), "git", &["clone", "-q", "--bare", &url, "bare"])
        .ok();
    let bare = repo.place.path().join("bare");
    repo.place.pack_in(&bare, &["seal"]).refused("E_USAGE");
    assert!(
        repo.place
            .pack_in(&bare, &["seal", "-o", "../out"])
            .ok()
            .out()
            .contains(&id)
    );
    assert_eq!(snapshot(&repo.place.path().join("out")), snapshot(&pack));
}

#[test]
fn evidence_is_copied_typed_and_dated() {
    let place = Place::new();
    let root = place.path().join("work");
    common::write(&root.join("nov.lock.json"), "{\"version\":\"lock.v0\",\"rows\":[1,2]}");
    common::write(&root.join("reports/rvl.json"), "{\"version\":\"rvl.v0\"}");
    common::write(&root.join("reports/deep/notes.txt"), "notes");
    let args = [
        "seal",
        "nov.lock.json",
        "reports",
        "--created",
        "2026-01-15T12:30:00+02:00",
        "--note",
        "Nov→Dec",
    ];
    let done = place.pack_in(&root, &args).ok();
    let out = done.out();
    let id = out.lines().next().unwrap().strip_prefix("PACK_CREATED ").unwrap();
    assert_eq!(out.lines().nth(1).unwrap(), format!("pack/{id}/"));
    let pack = root.join("pack").join(id);
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(pack.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["created"], "2026-01-15T10:30:00Z");
    let members: Vec<_> = manifest["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["path"].as_str().unwrap(), m["type"].as_str().unwrap()))
        .collect();
    assert_eq!(
        members,
        [
            ("nov.lock.json", "lockfile"),
            ("reports/deep/notes.txt", "other"),
            ("reports/rvl.json", "report")
        ]
    );
    place.pack_in(&root, &["verify", pack.to_str().unwrap()]).ok();
    assert!(place.pack_in(&root, &args).ok().stderr.contains("already"));
    let epoch = place
        .command(common::GIT_PACK, &root)
        .args(["seal", "reports", "-o", "e"])
        .env("SOURCE_DATE_EPOCH", "0")
        .output()
        .unwrap();
    assert!(epoch.status.success());
    assert!(
        fs::read_to_string(root.join("e/manifest.json"))
            .unwrap()
            .contains("1970-01-01T00:00:00Z")
    );
    place
        .pack_in(&root, &["seal", "reports", "--created", "soon"])
        .refused("E_USAGE");
}

#[test]
fn evidence_in_a_governed_repository_is_sealed_elsewhere_it_is_warned_about() {
    let (repo, secret) = with_vector();
    let (_, pack) = repo.seal(&["embeddings/index.vec", "README.md", "-o", "../evidence"]);
    assert!(pack.join("README.md").exists() && !pack.join("index.vec").exists());
    assert_eq!(opened(&repo, &pack.join("sealed/index.vec.age")), secret);
    assert_eq!(codes(&pack), []);

    let place = Place::new();
    common::write(&place.path().join("index.vec"), "x");
    let done = place.pack_in(place.path(), &["seal", "index.vec"]).ok();
    assert!(
        done.stderr.contains("index.vec") && done.stderr.contains("in plaintext"),
        "{}",
        done.stderr
    );
}

#[test]
fn tracked_protected_entries_are_sealed_and_left_out_of_the_state() {
    let repo = Repo::set_up();
    repo.write("model.gguf", noise(3, 70_000));
    repo.git(&["add", "-f", "."]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "tracked"]).ok();
    let (id, pack) = repo.seal(&[]);
    assert!(!pack.join("repo/model.gguf").exists());
    assert_eq!(opened(&repo, &pack.join("sealed/model.gguf.age")), noise(3, 70_000));
    let public = repo.pack(&["state", "--mode", "public"]).ok().out();
    assert!(pack.ends_with(format!("_PACK_RUN/llm-pack-repo-{}", &public["sha256:".len()..][..12])));
    assert_ne!(public, repo.pack(&["state"]).ok().out());
    repo.pack(&["verify", pack.to_str().unwrap(), "--rev", "HEAD"]).ok();
    // With a warm digest cache the ciphertext is found without reading the blob.
    assert_eq!(repo.seal(&["-o", "../again"]).0, id);
}

#[test]
fn configured_attachments_are_sealed_into_every_tree_pack() {
    let (repo, _) = with_vector();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(
        ".gitpack.toml",
        format!("{config}\n[pack]\nattach = [\"embeddings/*.vec\", \"none/*\"]\n"),
    );
    repo.git(&["commit", "-qam", "attach"]).ok();
    // A glob that matches nothing is taken for a typing error.
    let value = repo.pack(&["seal"]).refused("E_BAD_CONFIG");
    assert!(value["refusal"]["detail"]["line"].is_u64(), "{value}");
    let problem = value["refusal"]["detail"]["problem"].as_str().unwrap();
    assert!(problem.contains("\"none/*\" matches nothing"), "{value}");
    repo.write("none/more.bin", "more");
    let done = repo.pack(&["seal"]).ok();
    let pack = repo.root.join(done.out().lines().nth(1).unwrap());
    assert!(pack.join("sealed/embeddings/index.vec.age").exists());
}

#[test]
fn recipients_are_a_set_and_change_the_ciphertext() {
    let (repo, _) = with_vector();
    let own = repo.pack(&["recipients", "list"]).ok().out().trim().to_owned();
    let other = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";
    let attach = ["--attach", "embeddings/index.vec"];
    let seal = |recipients: &[&str], output: &str| {
        let flags: Vec<&str> = recipients.iter().flat_map(|r| ["--recipient", *r]).collect();
        repo.seal(&[&attach[..], &flags, &["-o", output]].concat()).0
    };
    let one = seal(&[&own], "../1");
    assert_eq!(seal(&[], "../2"), one);
    let both = seal(&[&own, other], "../3");
    assert_ne!(both, one);
    assert_eq!(seal(&[other, &own, other], "../4"), both);
    repo.pack(&["seal", "--attach", "embeddings/index.vec", "--recipient", "age1x"])
        .refused("E_USAGE");

    repo.pack(&["recipients", "add", other]).ok();
    repo.pack(&["recipients", "add", other]).ok();
    assert_eq!(
        repo.pack(&["recipients", "list"]).ok().out(),
        format!("{own}\n{other}\n")
    );
    repo.pack(&["recipients", "remove", other]).ok();
    repo.pack(&["recipients", "remove", other]).refused("E_USAGE");
    repo.pack(&["recipients", "add", "nonsense"]).refused("E_USAGE");
    assert_eq!(repo.git(&["status", "--porcelain", ".gitpack.toml"]).ok().out(), "");
    let identity = fs::read_to_string(repo.identity()).unwrap();
    let secret = identity.lines().last().unwrap();
    let done = repo.pack(&["recipients", "add", secret]);
    assert!(!done.out().contains(&secret[20..]) && !done.stderr.contains(&secret[20..]));
    done.refused("E_USAGE");
}

#[test]
fn any_flipped_byte_of_any_file_is_caught() {
    let repo = Repo::set_up();
    repo.write("s.vec", "tiny secret");
    let (_, pack) = repo.seal(&["--attach", "s.vec"]);
    let every_bit = std::env::var_os("GITPACK_SOAK").is_some();
    for (path, mode, bytes) in snapshot(&pack) {
        if mode & 0o170000 == 0o040000 {
            continue;
        }
        let file = pack.join(&path);
        for at in 0..bytes.len() {
            // All bits take turns: 0, 3, 6, 1, …
            let bits = if every_bit { 0..8 } else { at * 3 % 8..at * 3 % 8 + 1 };
            for bit in bits {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                fs::write(&file, &flipped).unwrap();
                match verify_directory(&pack) {
                    Ok(report) => assert!(!report.findings.is_empty(), "{} byte {at} bit {bit}", path.display()),
                    // A manifest that no longer parses cannot be judged.
                    Err(_) => assert_eq!(path, Path::new("manifest.json")),
                }
            }
        }
        fs::write(&file, &bytes).unwrap();
    }
    assert_eq!(codes(&pack), []);
    // Once through the binary, to see the exit status.
    let sealed = pack.join("sealed/s.vec.age");
    let mut bytes = fs::read(&sealed).unwrap();
    let at = bytes.len() - 30;
    bytes[at] ^= 1;
    fs::write(&sealed, bytes).unwrap();
    let done = repo.pack(&["verify", pack.to_str().unwrap()]);
    assert_eq!(done.code, 1);
    assert!(
        done.out().contains("SEAL_TAMPERED") && done.out().contains("HASH_MISMATCH"),
        "{}",
        done.out()
    );
}

#[test]
fn a_forger_who_recomputes_the_manifest_is_caught_by_the_seals() {
    let (repo, secret) = with_vector();
    repo.write("other.vec", noise(8, 5_000));
    let (_, pack) = repo.seal(&["--attach", "embeddings/index.vec", "--attach", "other.vec"]);
    let sealed = "sealed/embeddings/index.vec.age";
    let other = "sealed/other.vec.age";
    let drop_member = |manifest: &mut serde_json::Value, path: &str| {
        manifest["members"]
            .as_array_mut()
            .unwrap()
            .retain(|m| m["path"] != path);
    };
    let add_member = |manifest: &mut serde_json::Value, path: &str| {
        let members = manifest["members"].as_array_mut().unwrap();
        members.push(serde_json::json!({"path": path, "type": "other", "bytes_hash": ""}));
        members.sort_by(|a, b| a["path"].as_str().cmp(&b["path"].as_str()));
    };
    type Forgery<'a> = Box<dyn Fn(&Path) + 'a>;
    let cases: [(&str, &str, Forgery); 8] = [
        (
            "a byte of the payload",
            "SEAL_TAMPERED",
            Box::new(|pack| {
                let mut bytes = fs::read(pack.join(sealed)).unwrap();
                let at = bytes.len() - 5;
                bytes[at] ^= 1;
                fs::write(pack.join(sealed), bytes).unwrap();
                forge(pack, |_| {});
            }),
        ),
        (
            "swapped seals",
            "SEAL_TAMPERED",
            Box::new(|pack| {
                let one = fs::read(pack.join(sealed)).unwrap();
                fs::copy(pack.join(other), pack.join(sealed)).unwrap();
                fs::write(pack.join(other), one).unwrap();
                forge(pack, |_| {});
            }),
        ),
        (
            "a seal left out",
            "SEAL_MISSING",
            Box::new(|pack| {
                fs::remove_file(pack.join(other)).unwrap();
                forge(pack, |m| drop_member(m, other));
            }),
        ),
        (
            "the document left out",
            "SEAL_UNDECLARED",
            Box::new(|pack| {
                fs::remove_file(pack.join("SEALED_ARTIFACTS.json")).unwrap();
                forge(pack, |m| drop_member(m, "SEALED_ARTIFACTS.json"));
            }),
        ),
        (
            "plaintext added under its own name",
            "PLAINTEXT_LEAK",
            Box::new(|pack| {
                fs::create_dir_all(pack.join("repo/embeddings")).unwrap();
                fs::write(pack.join("repo/embeddings/index.vec"), &secret).unwrap();
                forge(pack, |m| add_member(m, "repo/embeddings/index.vec"));
            }),
        ),
        (
            "a seal added",
            "SEAL_UNDECLARED",
            Box::new(|pack| {
                fs::copy(pack.join(other), pack.join("sealed/more.vec.age")).unwrap();
                forge(pack, |m| add_member(m, "sealed/more.vec.age"));
            }),
        ),
        (
            "the registry weakened",
            "SCHEMA_VIOLATION",
            Box::new(|pack| {
                fs::write(
                    pack.join("meta/PROTECTED.json"),
                    "{\"rule_sets\":[{\"rules\":[]}],\"version\":\"pack.protected.v0\"}\n",
                )
                .unwrap();
                forge(pack, |_| {});
            }),
        ),
        (
            "a fake age file",
            "SEAL_TAMPERED",
            Box::new(|pack| {
                let size = fs::metadata(pack.join(other)).unwrap().len() as usize;
                fs::write(pack.join(other), noise(1, size)).unwrap();
                forge(pack, |_| {});
            }),
        ),
    ];
    for (what, code, forgery) in cases {
        let copy = repo.place.path().join("forged");
        drop(fs::remove_dir_all(&copy));
        copy_tree(&pack, &copy);
        assert_eq!(codes(&copy), [], "{what}: the copy differs before the forgery");
        forgery(&copy);
        let found = codes(&copy);
        assert!(found.iter().any(|(_, c)| *c == code), "{what}: {found:?}");
        assert!(
            !found
                .iter()
                .any(|(_, c)| *c == "HASH_MISMATCH" || *c == "PACK_ID_MISMATCH"),
            "{what}: {found:?}"
        );
    }
}

#[test]
fn whatever_else_is_done_to_a_pack_is_found() {
    let (repo, _) = with_vector();
    let (_, pack) = repo.seal(&["--attach", "embeddings/index.vec"]);
    type Change = fn(&Path);
    let cases: [(&str, &str, Change); 9] = [
        ("README.md", "MISSING_MEMBER", |pack| {
            fs::remove_file(pack.join("repo/README.md")).unwrap()
        }),
        ("extra", "EXTRA_MEMBER", |pack| {
            fs::write(pack.join("extra"), "x").unwrap()
        }),
        ("empty/", "EXTRA_MEMBER", |pack| {
            fs::create_dir(pack.join("empty")).unwrap()
        }),
        ("README.md", "NON_REGULAR_MEMBER", |pack| {
            fs::rename(pack.join("repo/README.md"), pack.parent().unwrap().join("r")).unwrap();
            symlink("../../r", pack.join("repo/README.md")).unwrap();
        }),
        ("README.md", "NON_REGULAR_MEMBER", |pack| {
            fs::remove_file(pack.join("repo/README.md")).unwrap();
            let status = std::process::Command::new("mkfifo")
                .arg(pack.join("repo/README.md"))
                .status()
                .unwrap();
            assert!(status.success());
        }),
        ("README.md", "NON_REGULAR_MEMBER", |pack| {
            fs::remove_file(pack.join("repo/README.md")).unwrap();
            fs::create_dir(pack.join("repo/README.md")).unwrap();
        }),
        ("repo", "NON_REGULAR_MEMBER", |pack| {
            fs::rename(pack.join("repo"), pack.parent().unwrap().join("moved")).unwrap();
            symlink("../moved", pack.join("repo")).unwrap();
        }),
        ("index.vec.age", "SEAL_TAMPERED", |pack| {
            let path = pack.join("sealed/embeddings/index.vec.age");
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        }),
        ("repo", "MISSING_MEMBER", |pack| {
            fs::remove_dir_all(pack.join("repo")).unwrap()
        }),
    ];
    for (path, code, change) in cases {
        let copy = repo.place.path().join("changed/pack");
        drop(fs::remove_dir_all(copy.parent().unwrap()));
        copy_tree(&pack, &copy);
        change(&copy);
        let found = codes(&copy);
        assert!(
            found.iter().any(|(p, c)| p.contains(path) && *c == code),
            "{path} {code}: {found:?}"
        );
        assert_eq!(
            repo.place.pack_in(&repo.root, &["verify", copy.to_str().unwrap()]).code,
            1
        );
    }
}

#[test]
fn another_commit_is_named_path_by_path() {
    let repo = Repo::set_up();
    repo.write("same", "x");
    repo.write("gone", "x");
    repo.write("ends.txt", "one\r\ntwo\n");
    repo.commit("one");
    let (_, pack) = repo.seal(&[]);
    repo.write("README.md", "changed\n");
    repo.write("ends.txt", "one\ntwo\r\n");
    repo.write("new", "x");
    repo.git(&["rm", "-q", "gone"]).ok();
    repo.commit("two");
    let pack = pack.to_str().unwrap();
    repo.pack(&["verify", pack, "--rev", "HEAD~1"]).ok();
    let done = repo.pack(&["verify", pack, "--rev", "HEAD", "--json"]);
    assert_eq!(done.code, 1);
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let paths: Vec<_> = report["invalid"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["README.md", "ends.txt", "gone", "new"]);
    let reasons: Vec<&str> = report["invalid"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["detail"].as_str().unwrap().split(':').next().unwrap())
        .collect();
    assert_eq!(reasons, ["changed", "changed in line endings only", "extra", "missing"]);
    assert_eq!(report["outcome"], "INVALID");
    assert_eq!(report["repo_state"]["matches"], false);
    assert_eq!(repo.pack(&["verify", pack, "--rev", "nope", "--json"]).code, 2);
}

#[test]
fn what_is_no_pack_is_refused() {
    let place = Place::new();
    let write = |name: &str, text: &str| {
        common::write(&place.path().join(name).join("manifest.json"), text);
    };
    write("text", "not json");
    write("shape", "{}");
    write("twice", "{\"version\":\"pack.v0\",\"version\":\"pack.v0\"}");
    write("deep", &"[".repeat(1_000_000));
    fs::create_dir_all(place.path().join("none")).unwrap();
    fs::create_dir_all(place.path().join("dir/manifest.json")).unwrap();
    fs::create_dir_all(place.path().join("link")).unwrap();
    symlink("../text/manifest.json", place.path().join("link/manifest.json")).unwrap();
    fs::create_dir_all(place.path().join("fifo")).unwrap();
    place.run(place.path(), "mkfifo", &["fifo/manifest.json"]).ok();
    for name in [
        "text",
        "shape",
        "twice",
        "deep",
        "none",
        "dir",
        "link",
        "fifo",
        "text/manifest.json",
    ] {
        let done = place.pack_in(place.path(), &["verify", name, "--json"]);
        assert_eq!(done.code, 2, "{name}");
        let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(
            (&report["outcome"], &report["refusal"]["code"]),
            (&"REFUSAL".into(), &"E_BAD_PACK".into()),
            "{name}"
        );
        let human = place.pack_in(place.path(), &["verify", name]);
        assert_eq!((human.code, human.out().as_str()), (2, "pack verify: REFUSAL\n"));
    }
    for args in [
        &["verify", "absent", "--json"][..],
        &["open", "absent"],
        &["inspect", "absent", "--json"],
    ] {
        let done = place.pack_in(place.path(), args);
        assert_eq!(done.code, 2, "{args:?}");
        assert!(done.out().contains("E_BAD_PACK"), "{args:?} {}", done.out());
    }
    for args in [["diff", "absent", "text"], ["diff", "text", "absent"]] {
        place
            .pack_in(place.path(), &[&args[..], &["--json"]].concat())
            .refused("E_BAD_PACK");
    }
}

/// Runs `git pack` with these arguments and asserts that it refuses and leaves everything as it was.
#[track_caller]
fn assert_refused_cleanly(repo: &Repo, args: &[&str], code: &str) {
    let before = snapshot(repo.place.path());
    repo.pack(args).refused(code);
    let after = snapshot(repo.place.path());
    let names = |s: &[(PathBuf, u32, Vec<u8>)]| s.iter().map(|(p, ..)| p.clone()).collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after), "{args:?} left something behind");
    assert_eq!(before, after, "{args:?} changed something");
}

#[test]
fn bad_input_is_refused_and_leaves_nothing() {
    let (repo, _) = with_vector();
    repo.git(&["config", "core.fsmonitor", "false"]).ok();
    symlink("README.md", repo.path("link")).unwrap();
    repo.place.run(&repo.root, "mkfifo", &["fifo"]).ok();
    repo.write("d1/same", "1");
    repo.write("d2/same", "2");
    repo.write("x/manifest.json", "{}");
    repo.write("y/a", "file a");
    repo.write("z/a/b", "dir a");
    repo.write("full/of/work", "mine");
    repo.write("sealed/x.age", "x");
    let outside = repo.place.path().join("outside");
    common::write(&outside, "x");
    let outside = outside.to_str().unwrap();
    let matching = format!("{outside}*");
    for (args, code) in [
        (&["seal", "--rev", "nope"][..], "E_BAD_REVISION"),
        (&["seal", "absent"], "E_IO"),
        (&["seal", "link"], "E_IO"),
        (&["seal", "fifo"], "E_IO"),
        (&["seal", "--attach", "link"], "E_IO"),
        (&["seal", "--attach", "absent.vec"], "E_IO"),
        (&["seal", "--attach", outside], "E_USAGE"),
        (&["seal", "--attach", "*.none"], "E_USAGE"),
        (&["seal", "--attach", "none/*.vec"], "E_USAGE"),
        (&["seal", "--attach", &matching], "E_USAGE"),
        (&["seal", "--attach", "[z-a]*"], "E_USAGE"),
        (&["seal", "d1/same", "d2/same"], "E_DUPLICATE"),
        (&["seal", "x/manifest.json"], "E_DUPLICATE"),
        (&["seal", "y/a", "z/a"], "E_DUPLICATE"),
        (&["seal", "sealed"], "E_DUPLICATE"),
        (&["seal", "--output", "full"], "E_IO"),
        (&["seal", "--output", "full", "--replace"], "E_IO"),
        (&["seal", "--output", "README.md"], "E_IO"),
        (&["seal", "--rev", "HEAD", "absent"], "E_IO"),
        (&["seal", "--rev", "HEAD", "."], "E_IO"),
        (&["seal", "--scope", "repo", "README.md"], "E_USAGE"),
        (
            &["seal", "--recipient", "age1nobody", "--attach", "embeddings"],
            "E_USAGE",
        ),
        (&["seal", "--scope", "none"], "E_USAGE"),
        (&["seal", "--no-such-flag"], "E_USAGE"),
    ] {
        assert_refused_cleanly(&repo, args, code);
    }
}

#[test]
fn nobody_to_seal_to_is_refused() {
    let repo = Repo::empty();
    repo.write("README.md", "x");
    repo.commit("one");
    repo.write("a.vec", "secret");
    let value = repo.pack(&["seal", "--attach", "a.vec"]).refused("E_NO_RECIPIENTS");
    assert_eq!(value["refusal"]["detail"]["artifacts"][0], "a.vec");
    assert!(!repo.path("_PACK_RUN").exists());
    // A tree pack ignores a configuration that is not committed, and the refusal says so.
    repo.pack(&["init"]).ok();
    let value = repo.pack(&["seal", "--attach", "a.vec"]).refused("E_NO_RECIPIENTS");
    assert!(
        value["refusal"]["next_command"]
            .as_str()
            .unwrap()
            .contains("git add .gitpack.toml")
    );
    assert!(!repo.path("_PACK_RUN").exists());
}

#[test]
fn without_a_repository_or_commit_there_is_nothing_to_seal() {
    let place = Place::new();
    place.pack_in(place.path(), &["seal"]).refused("E_EMPTY");
    place
        .pack_in(place.path(), &["seal", "--rev", "HEAD"])
        .refused("E_NOT_A_REPOSITORY");
    place.pack_in(place.path(), &["init"]).refused("E_NOT_A_REPOSITORY");
    place
        .pack_in(place.path(), &["recipients", "list"])
        .refused("E_NOT_A_REPOSITORY");
    fs::create_dir(place.path().join("empty")).unwrap();
    place.pack_in(place.path(), &["seal", "empty"]).refused("E_EMPTY");
    let repo = Repo::empty();
    repo.pack(&["seal"]).refused("E_BAD_REVISION");
    assert!(!repo.path("_PACK_RUN").exists());
}

#[test]
fn unreadable_input_is_refused_and_leaves_nothing() {
    assert!(
        !common::is_root() || run_as_nobody_works(),
        "this test needs a user who cannot read everything"
    );
    let place = Place::new();
    let root = place.path().join("work");
    for (name, path, code) in [("file", "file", 0o000), ("directory", "d", 0o000)] {
        drop(fs::remove_dir_all(&root));
        common::write(&root.join("file"), "x");
        common::write(&root.join("d/inner"), "x");
        common::write(&root.join("fine"), "x");
        let target = root.join(path);
        open_up(place.path());
        fs::set_permissions(&target, fs::Permissions::from_mode(code)).unwrap();
        let output = unprivileged(&place, &root, &["seal", "file", "d", "fine", "-o", "out"]);
        let text = output.out();
        assert_eq!(output.code, 2, "{name}: {text}");
        assert!(
            text.contains("E_IO") && text.contains("ermission denied"),
            "{name}: {text}"
        );
        fs::set_permissions(&target, fs::Permissions::from_mode(0o755)).unwrap();
        let mut names: Vec<_> = fs::read_dir(&root).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["d", "file", "fine"], "{name}");
    }
    // The same in a pack: an unreadable file is a finding, never a pass.
    let pack = root.join("out");
    place.pack_in(&root, &["seal", "file", "d", "-o", "out"]).ok();
    open_up(place.path());
    for path in ["out/file", "out/d"] {
        let target = root.join(path);
        let mode = fs::metadata(&target).unwrap().permissions();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o000)).unwrap();
        let output = unprivileged(&place, &root, &["verify", pack.to_str().unwrap()]);
        let text = output.out();
        assert_eq!(output.code, 1, "{text}");
        assert!(text.contains("UNREADABLE_MEMBER"), "{text}");
        fs::set_permissions(&target, mode).unwrap();
    }
}

fn run_as_nobody_works() -> bool {
    let place = Place::new();
    open_up(place.path());
    unprivileged(&place, place.path(), &["--version"]).code == 0
}

fn open_up(root: &Path) {
    fs::set_permissions(root, fs::Permissions::from_mode(0o777)).unwrap();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            open_up(&path);
        }
    }
}

#[test]
fn what_stands_at_the_output_is_kept_unless_replacing_was_asked_for() {
    let repo = Repo::set_up();
    let (first, pack) = repo.seal(&[]);
    // The note makes this another pack of the same state.
    let value = repo.pack(&["seal", "--note", "n"]).refused("E_IO");
    let next = value["refusal"]["next_command"].as_str().unwrap();
    assert_eq!(next, "git pack seal --note n --replace");
    let (second, same) = repo.seal(&["--note", "n", "--replace"]);
    assert_eq!(same, pack);
    assert_ne!(first, second);
    assert_eq!(codes(&pack), []);
    // A damaged pack with the right id does not count as present.
    fs::write(pack.join("repo/README.md"), "damaged").unwrap();
    repo.pack(&["seal", "--note", "n"]).refused("E_IO");
    assert_eq!(fs::read_dir(repo.path("_PACK_RUN")).unwrap().count(), 1);
    // An empty directory may be the output.
    fs::create_dir(repo.path("_PACK_RUN/empty")).unwrap();
    repo.seal(&["-o", "_PACK_RUN/empty"]);
}

#[test]
fn plaintext_under_another_name_stops_the_seal() {
    let (repo, secret) = with_vector();
    repo.write("assets/logo.bin", &secret);
    repo.commit_only("assets/logo.bin");
    let value = repo
        .pack(&["seal", "--attach", "embeddings/index.vec"])
        .refused("E_PLAINTEXT_LEAK");
    let message = value["refusal"]["message"].as_str().unwrap();
    assert!(
        message.contains("assets/logo.bin") && message.contains("embeddings/index.vec"),
        "{message}"
    );
    assert!(!repo.path("_PACK_RUN").exists());
}

#[test]
fn a_corrupt_ciphertext_in_the_store_is_refused_by_name() {
    let (repo, _) = with_vector();
    repo.seal(&["--attach", "embeddings/index.vec", "-o", "../one"]);
    let store = repo.path(".git/gitpack/seals");
    let (path, _, bytes) = snapshot(&store)
        .into_iter()
        .find(|(p, ..)| p.extension().is_some_and(|e| e == "age"))
        .unwrap();
    let mut flipped = bytes.clone();
    flipped[300] ^= 1;
    fs::remove_file(store.join(&path)).unwrap();
    fs::write(store.join(&path), flipped).unwrap();
    let done = repo.pack(&["seal", "--attach", "embeddings/index.vec", "-o", "../two"]);
    let receipt = path.with_extension("").with_extension("");
    assert!(done.stderr.contains(receipt.to_str().unwrap()), "{}", done.stderr);
    done.refused("E_CORRUPT");
    assert!(!repo.place.path().join("two").exists());
    // The suggested command repairs it.
    repo.seal(&["--attach", "embeddings/index.vec", "--fresh", "-o", "../two"]);
    let again = repo.seal(&["--attach", "embeddings/index.vec", "-o", "../three"]);
    assert_eq!(
        repo.seal(&["--attach", "embeddings/index.vec", "-o", "../four"]).0,
        again.0
    );
}

#[test]
fn a_loose_identity_is_refused_and_a_good_one_is_kept() {
    let repo = Repo::empty();
    repo.pack(&["init"]).ok();
    let identity = repo.identity();
    assert_eq!(fs::metadata(&identity).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = fs::read(&identity).unwrap();
    let second = Repo::empty();
    fs::set_permissions(&identity, fs::Permissions::from_mode(0o644)).unwrap();
    let run = |repo: &Repo, identity: &Path| {
        let output = repo
            .place
            .command(common::GIT_PACK, &repo.root)
            .arg("init")
            .env("GIT_PACK_IDENTITY", identity)
            .output();
        output.unwrap()
    };
    let output = run(&second, &identity);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("E_NO_IDENTITY"));
    assert!(!second.path(".gitpack.toml").exists());
    fs::set_permissions(&identity, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(run(&second, &identity).status.success());
    assert_eq!(fs::read(&identity).unwrap(), bytes);
    let config = fs::read_to_string(second.path(".gitpack.toml")).unwrap();
    let key = String::from_utf8(bytes)
        .unwrap()
        .lines()
        .nth(1)
        .unwrap()
        .replace("# public key: ", "");
    assert!(config.contains(&key));
    assert!(!config.contains("AGE-SECRET"));
    // A second run changes nothing.
    let before = snapshot(&second.root);
    assert!(run(&second, &identity).status.success());
    assert_eq!(snapshot(&second.root), before);
}

#[test]
fn a_full_disk_leaves_nothing() {
    let repo = Repo::set_up();
    repo.write("big.bin", noise(1, 3_000_000));
    repo.commit("big");
    // `ulimit -f` stands in for a full disk. The signal is ignored, so that the write fails instead.
    let script = "trap '' XFSZ; ulimit -f 1000; exec git-pack seal -o ../out";
    let done = repo.place.run(&repo.root, "sh", &["-c", script]);
    let value = done.refused("E_IO");
    assert!(
        value["refusal"]["message"].as_str().unwrap().starts_with("writing "),
        "{value}"
    );
    let mut names: Vec<_> = fs::read_dir(repo.place.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["home", "repo"]);
}

#[test]
fn a_kill_at_any_moment_leaves_the_pack_whole_or_not_there() {
    let repo = Repo::set_up();
    // With GITPACK_SOAK=1: 200 kills of a seal of 200 MB, at moments spread over its whole run.
    let soak = std::env::var_os("GITPACK_SOAK").is_some();
    let (kills, size) = if soak { (200, 10_000_000) } else { (25, 500_000) };
    for n in 0..20 {
        repo.write(&format!("data/{n}.bin"), noise(n, size));
    }
    repo.write("s.vec", noise(99, 2_000_000));
    repo.commit_only("data");
    let started = std::time::Instant::now();
    repo.seal(&["--attach", "s.vec", "-o", "../timed"]);
    let whole = started.elapsed();
    for kill in 0..kills {
        let mut child = repo
            .place
            .command(common::GIT_PACK, &repo.root)
            .args(["seal", "--attach", "s.vec", "-o", "../out/pack"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * kill / kills);
        drop(child.kill());
        child.wait().unwrap();
        let out = repo.place.path().join("out/pack");
        if out.exists() {
            assert_eq!(codes(&out), [], "kill {kill}");
            fs::remove_dir_all(&out).unwrap();
        }
    }
    repo.seal(&["--attach", "s.vec", "-o", "../out/pack"]);
    let names: Vec<_> = fs::read_dir(repo.place.path().join("out"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["pack"], "the next run did not clean up after the killed ones");
}

#[test]
fn a_rule_that_matches_our_own_documents_or_the_copies_directory_does_not_spoil_the_pack() {
    let repo = Repo::set_up();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let rule = "[[protect]]\nclass = \"d\"\npaths = [\"*.json\", \"/repo/\", \"private/**\"]\n";
    repo.write(".gitpack.toml", format!("{config}\n{rule}"));
    repo.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{},private/sub", "c".repeat(40)),
    ])
    .ok();
    repo.git(&["add", ".gitpack.toml"]).ok();
    repo.git(&["commit", "-q", "-m", "rule"]).ok();
    let (_, pack) = repo.seal(&[]);
    assert_eq!(codes(&pack), []);
    assert!(pack.join("sealed/private/sub.age").exists() && !pack.join("repo/private").exists());
    let pack = pack.to_str().unwrap();
    repo.pack(&["verify", pack, "--rev", "HEAD"]).ok();
}

#[test]
fn a_document_too_long_to_be_read_is_a_finding() {
    let (repo, _) = with_vector();
    let (_, pack) = repo.seal(&["--attach", "embeddings/index.vec"]);
    for document in ["meta/PROTECTED.json", "meta/REPO_STATE.json"] {
        let path = pack.join(document);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [vec![b' '; (64 << 20) + 1], whole.clone()].concat()).unwrap();
        forge(&pack, |_| {});
        let found = codes(&pack);
        assert!(found.contains(&(document.to_owned(), "SCHEMA_VIOLATION")), "{found:?}");
        fs::write(&path, whole).unwrap();
        forge(&pack, |_| {});
    }
}

#[test]
fn a_directory_that_cannot_be_listed_is_not_taken_for_one_without_artifacts() {
    let (repo, _) = with_vector();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(
        ".gitpack.toml",
        format!("{config}\n[pack]\nattach = [\"data/*.bin\"]\n"),
    );
    repo.git(&["commit", "-qam", "attach"]).ok();
    repo.write("data/x.bin", "secret");
    open_up(repo.place.path());
    if common::is_root() {
        repo.place
            .run(repo.place.path(), "chown", &["-R", "65534:65534", "."])
            .ok();
    }
    fs::set_permissions(repo.path("data"), fs::Permissions::from_mode(0o000)).unwrap();
    let output = unprivileged(&repo.place, &repo.root, &["seal"]);
    fs::set_permissions(repo.path("data"), fs::Permissions::from_mode(0o755)).unwrap();
    let text = output.out();
    assert_eq!(output.code, 2, "{text}");
    assert!(text.contains("E_IO") && text.contains("data"), "{text}");
    assert!(!repo.path("_PACK_RUN").exists());
}

#[test]
fn evidence_can_be_taken_from_a_commit_and_is_bound_to_it() {
    let (repo, secret) = with_vector();
    repo.write("reports/a/rvl.json", "{\"version\":\"rvl.v0\"}");
    repo.write("reports/b.txt", "b");
    repo.git(&["add", "-f", "."]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "tracked"]).ok();
    // With `--rev`, files on disk are not read.
    repo.write("reports/b.txt", "changed on disk");
    let created = ["--created", "2026-01-15T10:30:00Z"];
    let args = ["--rev", "HEAD", "reports", "README.md", "embeddings/index.vec"];
    let (id, pack) = repo.seal(&[&args[..], &created].concat());
    assert_eq!(fs::read(pack.join("reports/b.txt")).unwrap(), b"b");
    assert!(pack.join("README.md").exists() && pack.join("reports/a/rvl.json").exists());
    assert_eq!(opened(&repo, &pack.join("sealed/index.vec.age")), secret);
    assert_eq!(codes(&pack), []);
    let state = fs::read_to_string(pack.join("meta/REPO_STATE.json")).unwrap();
    assert!(
        state.contains("reports/b.txt") && !state.contains("index.vec"),
        "{state}"
    );
    repo.pack(&["verify", pack.to_str().unwrap(), "--rev", "HEAD"]).ok();
    assert_eq!(
        repo.pack(&["verify", pack.to_str().unwrap(), "--rev", "HEAD~1"]).code,
        1
    );
    assert_eq!(repo.seal(&[&args[..], &created, &["-o", "../again"]].concat()).0, id);

    symlink("README.md", repo.path("link")).unwrap();
    repo.git(&["add", "link"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "link"]).ok();
    repo.pack(&["seal", "--rev", "HEAD", "link"]).refused("E_IO");
}

#[test]
fn types_are_decided_from_content() {
    let place = Place::new();
    let root = place.path().join("in");
    common::write(&root.join("profile.txt"), "schema_version: 2\nprofile_id: p\n");
    common::write(&root.join("reg/registry.json"), "{\"tables\":[]}");
    common::write(&root.join("reg/tables/a.csv"), "x,y\n");
    common::write(&root.join("reg/lock.json"), "{\"version\":\"lock.v0\"}");
    common::write(
        &root.join("rules.json"),
        "{\"version\":\"verify.rules.v0\",\"rules\":[]}",
    );
    common::write(&root.join("noise.bin"), noise(1, 1000));
    place.pack_in(place.path(), &["seal", "in", "-o", "out"]).ok();
    let text = fs::read_to_string(place.path().join("out/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let found: Vec<_> = manifest["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| {
            (
                m["path"].as_str().unwrap(),
                m["type"].as_str().unwrap(),
                m["artifact_version"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("in/noise.bin", "other", None),
            ("in/profile.txt", "profile", Some("2")),
            ("in/reg/lock.json", "lockfile", Some("lock.v0")),
            ("in/reg/registry.json", "registry", None),
            ("in/reg/tables/a.csv", "registry", None),
            ("in/rules.json", "rules", Some("verify.rules.v0")),
        ]
    );
    let out = place.path().join("out");
    assert_eq!(codes(&out), []);
    // A forged version that differs from the content's own is found.
    forge(&out, |m| m["members"][2]["artifact_version"] = "rvl.v0".into());
    assert_eq!(codes(&out), [("in/reg/lock.json".to_owned(), "SCHEMA_VIOLATION")]);
}

#[test]
fn a_tree_pack_without_its_documents_is_none() {
    let (repo, secret) = with_vector();
    let (_, pack) = repo.seal(&["--attach", "embeddings/index.vec"]);
    let drop_all = |copy: &Path, paths: &[&str]| {
        for path in paths {
            fs::remove_file(copy.join(path)).unwrap();
        }
        fs::write(copy.join("repo/y.vec"), &secret).unwrap();
        forge(copy, |m| {
            let members = m["members"].as_array_mut().unwrap();
            members.retain(|m| !paths.contains(&m["path"].as_str().unwrap()));
            members.push(serde_json::json!({"path": "repo/y.vec", "type": "other", "bytes_hash": ""}));
            members.sort_by(|a, b| a["path"].as_str().cmp(&b["path"].as_str()));
        });
    };
    let sealed = ["SEALED_ARTIFACTS.json", "sealed/embeddings/index.vec.age"];
    for documents in [
        &["meta/PACK_INFO.json"][..],
        &["meta/PROTECTED.json", sealed[0], sealed[1]],
        &[
            "meta/FILE_TREE.txt",
            "meta/FILE_INDEX.json",
            "meta/PACK_INFO.json",
            "meta/PROVENANCE.json",
        ],
        &["meta/REPO_STATE.json"],
    ] {
        let copy = repo.place.path().join("forged");
        drop(fs::remove_dir_all(&copy));
        copy_tree(&pack, &copy);
        drop_all(&copy, documents);
        let found = codes(&copy);
        for document in documents.iter().filter(|path| path.starts_with("meta/")) {
            assert!(
                found.contains(&((*document).to_owned(), "SCHEMA_VIOLATION")),
                "{document}: {found:?}"
            );
        }
    }
}

#[test]
fn a_weakened_registry_shows() {
    let (repo, _) = with_vector();
    let (_, pack) = repo.seal(&["--attach", "embeddings/index.vec"]);
    let path = pack.join("meta/PROTECTED.json");
    let text = fs::read_to_string(&path).unwrap();
    let allow = r#",{"class":"all","origin":"config","paths":["**"],"policy":"allowed"}]}],"version""#;
    // The pack alone cannot show that a rule was added; the commit can.
    for (weak, rev) in [
        (text.replace("]}],\"version\"", allow), true),
        (text.replace("\"**/*.vec\",", ""), false),
    ] {
        assert_ne!(weak, text);
        fs::write(&path, &weak).unwrap();
        let hash = gitpack::format::digest::Digest::of(weak.as_bytes()).to_string();
        let sealed = pack.join("SEALED_ARTIFACTS.json");
        let whole = fs::read(&sealed).unwrap();
        let mut document: gitpack::format::sealed::SealedArtifacts = serde_json::from_slice(&whole).unwrap();
        document.registry_hash = gitpack::format::digest::Digest::parse_ref(&hash).unwrap();
        document.sealed_digest = document.computed_digest().to_string();
        fs::write(&sealed, document.to_bytes()).unwrap();
        forge(&pack, |_| {});
        let args = ["verify", pack.to_str().unwrap(), "--rev", "HEAD"];
        let done = repo.pack(&args[..if rev { 4 } else { 2 }]);
        assert_eq!(done.code, 1, "{}", done.out());
        assert!(done.out().contains("meta/PROTECTED.json"), "{}", done.out());
    }
}

#[test]
fn several_at_once_come_to_one_identity_and_one_ciphertext() {
    let place = Place::new();
    let roots: Vec<PathBuf> = (0..6).map(|n| place.path().join(format!("r{n}"))).collect();
    for root in &roots {
        fs::create_dir(root).unwrap();
        place.run(root, "git", &["init", "-q"]).ok();
    }
    let run_all = |commands: Vec<std::process::Command>| -> Vec<std::process::Output> {
        let children: Vec<_> = commands
            .into_iter()
            .map(|mut c| {
                c.stdout(std::process::Stdio::piped())
                    .stderr(std::process::Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        children.into_iter().map(|c| c.wait_with_output().unwrap()).collect()
    };
    let command = |root: &Path, args: &[&str]| {
        let mut command = place.command(common::GIT_PACK, root);
        command.args(args);
        command
    };
    for output in run_all(roots.iter().map(|root| command(root, &["init"])).collect()) {
        assert!(output.status.success());
    }
    let identity = fs::read_to_string(place.home().join(".config/git-pack/identity.txt")).unwrap();
    let recipient = identity.lines().nth(1).unwrap().replace("# public key: ", "");
    for root in &roots {
        assert!(
            fs::read_to_string(root.join(".gitpack.toml"))
                .unwrap()
                .contains(&recipient)
        );
    }
    let root = &roots[0];
    place.run(root, "git", &["add", "."]).ok();
    place.run(root, "git", &["commit", "-q", "-m", "x"]).ok();
    common::write(&root.join("big.vec"), noise(4, 3_000_000));
    let args = ["seal", "--attach", "big.vec"];
    let ids: std::collections::BTreeSet<Vec<u8>> = run_all((0..6).map(|_| command(root, &args)).collect())
        .into_iter()
        .map(|output| {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        })
        .collect();
    assert_eq!(ids.len(), 1);
    place.pack_in(root, &args).ok();
}

#[test]
fn an_identity_is_not_put_where_git_could_track_it() {
    let repo = Repo::empty();
    let run = |key: &str, value: &str| {
        let output = repo
            .place
            .command(common::GIT_PACK, &repo.root)
            .arg("init")
            .env(key, value)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let before = snapshot(&repo.root);
    let (code, text) = run("GIT_PACK_IDENTITY", "id.txt");
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("E_NO_IDENTITY"), "{text}");
    assert_eq!(snapshot(&repo.root), before);
    // A relative XDG path is ignored.
    assert_eq!(run("XDG_CONFIG_HOME", "conf").0, Some(0));
    assert!(!repo.path("conf").exists() && repo.identity().exists());
}

#[test]
fn the_sample_artifacts_have_their_types() {
    let place = Place::new();
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/artifacts");
    copy_tree(Path::new(samples), &place.path().join("artifacts"));
    place.pack_in(place.path(), &["seal", "artifacts", "-o", "out"]).ok();
    let text = fs::read_to_string(place.path().join("out/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let types: Vec<(&str, &str)> = manifest["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| {
            (
                m["path"].as_str().unwrap().strip_prefix("artifacts/").unwrap(),
                m["type"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("duplicate/a/notes.txt", "other"),
        ("duplicate/b/notes.txt", "other"),
        ("loans.assess.json", "artifact"),
        ("loans.canon.json", "artifact"),
        ("loans.lock.json", "lockfile"),
        ("loans.profile.yaml", "profile"),
        ("notes.txt", "other"),
        ("registry/registry.json", "registry"),
        ("registry/tables/currencies.csv", "registry"),
        ("reports/compare.report.json", "report"),
        ("reports/rvl.report.json", "report"),
        ("reports/shape.report.json", "report"),
        ("reports/verify.report.json", "report"),
        ("rules.json", "rules"),
    ];
    assert_eq!(types, expected);
    assert_eq!(codes(&place.path().join("out")), []);
    let both = [
        format!("{samples}/duplicate/a/notes.txt"),
        format!("{samples}/duplicate/b/notes.txt"),
    ];
    place
        .pack_in(place.path(), &["seal", &both[0], &both[1]])
        .refused("E_DUPLICATE");
}

#[test]
fn names_that_are_one_elsewhere_are_warned_about() {
    let place = Place::new();
    // The file system of the tests may be such a one, so the names lie apart.
    for name in ["a/in/Readme", "b/in/README", "a/in/caf\u{e9}", "b/in/cafe\u{301}"] {
        common::write(&place.path().join(name), name);
    }
    let done = place.pack_in(place.path(), &["seal", "a/in", "b/in"]).ok();
    assert_eq!(
        done.stderr.matches("are the same file on file systems").count(),
        2,
        "{}",
        done.stderr
    );
}

#[test]
fn a_file_that_changes_while_it_is_read_is_no_version_of_itself() {
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering};
    let place = Place::new();
    let root = place.path().join("in");
    common::write(&root.join("growing"), noise(1, 40_000_000));
    place.pack_in(place.path(), &["seal", "in", "-o", "whole"]).ok();
    for (what, file) in [
        ("seal", root.join("growing")),
        ("verify", place.path().join("whole/in/growing")),
    ] {
        let done = AtomicBool::new(false);
        let answer = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut file = fs::OpenOptions::new().append(true).open(&file).unwrap();
                while !done.load(Ordering::Relaxed) {
                    file.write_all(b"x").unwrap();
                }
            });
            let answer = match what {
                "seal" => place.pack_in(place.path(), &["seal", "in", "-o", "out"]),
                _ => place.pack_in(place.path(), &["verify", "whole"]),
            };
            done.store(true, Ordering::Relaxed);
            answer
        });
        if what == "seal" {
            let value = answer.refused("E_IO");
            assert!(
                value["refusal"]["message"]
                    .as_str()
                    .unwrap()
                    .contains("changed while it was read"),
                "{value}"
            );
            assert!(!place.path().join("out").exists());
        } else {
            assert_eq!(answer.code, 1);
            assert!(answer.out().contains("UNREADABLE_MEMBER"), "{}", answer.out());
        }
    }
}

#[test]
fn what_is_sealed_verifies_whatever_the_content_claims_to_be() {
    let place = Place::new();
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vectors");
    let mut args: Vec<String> = ["seal", "in", "-o", "out"].map(str::to_owned).into();
    for (path, mode, bytes) in snapshot(Path::new(vectors)) {
        if mode & 0o170000 == 0o100000 {
            let text = String::from_utf8_lossy(&bytes);
            // Some fixtures are broken seals and keys, on purpose.
            if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("age"))
                || text.contains("SECRET-KEY")
                || text.contains("PRIVATE KEY")
            {
                args.extend(["--plaintext".to_owned(), format!("in/{}", path.display())]);
            }
            common::write(&place.path().join("in").join(path), bytes);
        }
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    place.pack_in(place.path(), &args[..4]).refused("E_PLAINTEXT_LEAK");
    place.pack_in(place.path(), &args).ok();
    assert_eq!(codes(&place.path().join("out")), []);
}

#[test]
fn replacing_takes_nothing_that_is_not_of_the_old_pack() {
    let place = Place::new();
    common::write(&place.path().join("a"), "a");
    common::write(&place.path().join("b"), "b");
    place.pack_in(place.path(), &["seal", "a", "-o", "p"]).ok();
    let value = place
        .pack_in(place.path(), &["seal", "-o", "p", "--", "b"])
        .refused("E_IO");
    assert_eq!(value["refusal"]["next_command"], "git pack seal -o p --replace -- b");
    common::write(&place.path().join("p/mine.txt"), "mine");
    let value = place
        .pack_in(place.path(), &["seal", "b", "-o", "p", "--replace"])
        .refused("E_IO");
    assert_eq!(value["refusal"]["next_command"], serde_json::Value::Null);
    assert!(place.path().join("p/mine.txt").exists());
    fs::remove_file(place.path().join("p/mine.txt")).unwrap();
    place.pack_in(place.path(), &["seal", "b", "-o", "p", "--replace"]).ok();
}

#[test]
fn odd_artifacts_are_refused_by_name() {
    let place = Place::new();
    common::write(&place.path().join("manifest.json/k"), "k");
    common::write(&place.path().join("d/f"), "f");
    symlink("d", place.path().join("link")).unwrap();
    place
        .pack_in(place.path(), &["seal", "manifest.json"])
        .refused("E_DUPLICATE");
    for link in ["link", "link/", "link/."] {
        place.pack_in(place.path(), &["seal", link]).refused("E_IO");
    }
    place
        .pack_in(&place.path().join("d"), &["seal", ".", "-o", "../out"])
        .ok();
    assert!(place.path().join("out/d/f").exists());
    // A check that was not made is not reported as passed.
    common::write(&place.path().join("lock.json"), "{\"version\":\"lock.v0\"}");
    place.pack_in(place.path(), &["seal", "lock.json", "-o", "typed"]).ok();
    fs::remove_file(place.path().join("typed/lock.json")).unwrap();
    let done = place.pack_in(place.path(), &["verify", "typed", "--json"]);
    assert!(
        done.out().contains("\"schema_validation\":\"skipped\""),
        "{}",
        done.out()
    );
}

#[test]
fn seals_of_another_pack_are_not_dropped_unawares() {
    let repo = Repo::set_up();
    repo.write("notes.txt", "private\n");
    let (with, _) = repo.seal(&["--attach", "notes.txt"]);
    let refused = repo.pack(&["seal"]);
    for said in [
        "sealed/notes.txt.age",
        "--output <another directory>",
        "same --attach",
        "--replace would drop",
    ] {
        assert!(refused.stderr.contains(said), "{said}: {}", refused.stderr);
    }
    let value = refused.refused("E_IO");
    assert_eq!(value["refusal"]["next_command"], serde_json::Value::Null);
    assert_eq!(repo.seal(&["--attach", "notes.txt"]).0, with);
    let (without, pack) = repo.seal(&["--replace"]);
    assert!(without != with && !pack.join("sealed").exists());
    // Nothing is lost here, so this is the usual advice.
    let refused = repo.pack(&["seal", "--attach", "notes.txt"]).refused("E_IO");
    let next = refused["refusal"]["next_command"].as_str().unwrap();
    assert!(next.ends_with("--replace"), "{next}");
}

#[test]
fn a_person_is_told_who_opens_a_seal_and_what_git_ignores() {
    let repo = Repo::set_up();
    repo.write("a.vec", noise(4, 100));
    let done = repo.pack(&["seal", "a.vec"]).ok();
    for said in ["only your own key opens", "git does not ignore this pack"] {
        assert!(done.stderr.contains(said), "{said}: {}", done.stderr);
    }
    assert!(!done.stderr.contains("0 files"), "{}", done.stderr);
    repo.write(".gitignore", "_PACK_RUN/\npack/\n");
    let other = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    let done = repo.pack(&["seal", "a.vec", "-r", other]).ok();
    for said in ["only your own key", "does not ignore"] {
        assert!(!done.stderr.contains(said), "{said}: {}", done.stderr);
    }
    repo.pack(&["recipients", "add", other]).ok();
    repo.git(&["add", ".gitpack.toml"]).ok();
    repo.git(&["commit", "-q", "-m", "both"]).ok();
    let done = repo.pack(&["seal", "--attach", "a.vec"]).ok();
    assert!(!done.stderr.contains("only your own key"), "{}", done.stderr);
}

#[test]
fn outputs_are_named_as_they_were_given() {
    let repo = Repo::set_up();
    let last = |args: &[&str]| {
        let done = repo.pack(args).ok();
        done.out().lines().last().unwrap().to_owned()
    };
    assert_eq!(last(&["seal", "-o", "../pack"]), "../pack/");
    assert_eq!(last(&["archive", "../pack", "-o", "../p.tar.zst"]), "../p.tar.zst");
    assert_eq!(last(&["pull", "../p.tar.zst", "-o", "../again/"]), "../again/");
    assert_eq!(last(&["report", "../pack", "-o", "../page.html"]), "../page.html");
    let here = repo.path("out");
    assert_eq!(last(&["seal", "-o", here.to_str().unwrap()]), "out/");
    let refused = repo.pack(&["archive", "../pack", "-o", "../p.tar.zst"]);
    assert!(
        refused.stderr.starts_with("git-pack: ../p.tar.zst exists"),
        "{}",
        refused.stderr
    );
    let refused = repo.pack(&["verify", "../absent"]);
    assert!(
        refused.stderr.starts_with("git-pack: the pack ../absent"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_commit_with_the_same_state_is_told_apart() {
    let repo = Repo::set_up();
    let (_, pack) = repo.seal(&[]);
    let first = repo.rev("HEAD");
    let same = repo
        .pack(&["verify", pack.to_str().unwrap(), "--rev", "HEAD"])
        .ok()
        .out();
    assert!(!same.contains("was made of"), "{same}");
    repo.commit("nothing else");
    let other = repo
        .pack(&["verify", pack.to_str().unwrap(), "--rev", "HEAD"])
        .ok()
        .out();
    let said = format!(
        "state matches commit {}; the pack was made of commit {}, which has the same state",
        &repo.rev("HEAD")[..7],
        &first[..7]
    );
    assert!(other.contains(&said), "{other}");
}
