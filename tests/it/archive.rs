//! `git pack archive`: a pack in one file, the same bytes each time, which the commands take in place of a directory.

mod attached;
mod hostile;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use gitpack::adapters::archive::ArchivedPack;
use gitpack::adapters::published::PublishedPack;
use gitpack::format::canonical_json::to_document;
use gitpack::format::digest::Digest;
use gitpack::refusal::Refusal;

use crate::common::packs::copy_tree;
use crate::common::{GIT_PACK, Place, Repo, noise, snapshot, write};

const CREATED: [&str; 2] = ["--created", "2026-01-15T10:30:00Z"];

/// Makes the evidence pack `pack` of these files.
fn sealed(place: &Place, files: &[(&str, Vec<u8>)]) -> PathBuf {
    for (path, content) in files {
        write(&place.path().join("files").join(path), content);
    }
    let args = [&["seal", "files", "-o", "pack"][..], &CREATED[..]].concat();
    place.pack_in(place.path(), &args).ok();
    place.path().join("pack")
}

/// Archives `pack` in a directory, and returns the bytes.
#[track_caller]
fn archived(place: &Place, directory: &Path, pack: &str, output: &str) -> Vec<u8> {
    let done = place.pack_in(directory, &["archive", pack, "-o", output]).ok();
    let out = done.out();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("ARCHIVED sha256:"), "{out}");
    assert!(
        lines.len() == 2 && lines[1].ends_with(output.trim_start_matches("../")),
        "{out}"
    );
    fs::read(directory.join(output)).unwrap()
}

/// The files of a pack by their paths.
fn contents(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = snapshot(root).into_iter();
    let files = files.filter(|(_, mode, _)| mode & 0o170000 == 0o100000);
    files.map(|(path, _, bytes)| (path, bytes)).collect()
}

/// Paths that a ustar header holds, holds in two parts, and does not hold.
fn long_paths() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for (n, length) in [70, 78, 79, 120, 170, 231, 232, 300, 900].into_iter().enumerate() {
        let mut path = format!("{n}");
        while path.len() + 50 < length {
            path.push_str(&format!("/{}", "d".repeat(40)));
        }
        path.push('/');
        path.push_str(&"é".repeat((length - path.len()) / 2));
        files.push((path, noise(n as u64, n)));
    }
    files.push((format!("z/{}", "n".repeat(120)), b"no slash to split at".to_vec()));
    files
}

#[test]
fn an_archive_has_the_same_bytes_each_time_and_tar_unpacks_it() {
    let place = Place::new();
    let root = place.path();
    let mut files = vec![
        ("empty", Vec::new()),
        ("block", noise(1, 512)),
        ("dir/b.txt", b"b\n".repeat(3000)),
        ("dir/ü \"x\"", b"odd".to_vec()),
        ("large", noise(2, 9 << 20)),
        ("zeros", vec![0; 5 << 20]),
    ];
    let many: Vec<String> = (0..300).map(|n| format!("many/{n}")).collect();
    files.extend(many.iter().map(|path| (path.as_str(), noise(3, 20_000))));
    let long = long_paths();
    files.extend(long.iter().map(|(path, content)| (path.as_str(), content.clone())));
    let pack = sealed(&place, &files);
    let bytes = archived(&place, root, "pack", "one.tar.zst");
    assert_eq!(archived(&place, root, "pack", "two.tar.zst"), bytes);
    // Neither times nor permissions of the files count, nor the kind of the source.
    copy_tree(&pack, &root.join("copy"));
    for (path, _) in contents(&root.join("copy")) {
        fs::set_permissions(root.join("copy").join(path), fs::Permissions::from_mode(0o700)).unwrap();
    }
    assert_eq!(archived(&place, root, "copy", "three.tar.zst"), bytes);
    assert_eq!(archived(&place, root, "one.tar.zst", "four.tar.zst"), bytes);
    fs::create_dir(root.join("tar")).unwrap();
    place
        .run(root, "tar", &["--zstd", "-xf", "one.tar.zst", "-C", "tar"])
        .ok();
    let unpacked = fs::read_dir(root.join("tar")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(contents(&unpacked), contents(&pack));
    place.pack_in(&unpacked, &["verify", "."]).ok();
    let listed = place
        .run(root, "sh", &["-c", "zstd -dc one.tar.zst | tar -tv"])
        .ok()
        .out();
    assert_eq!(listed.lines().count(), contents(&pack).len());
    let first = listed.lines().next().unwrap();
    assert!(
        first.starts_with("-rw-r--r-- 0/0 ") && first.ends_with("/manifest.json"),
        "{first}"
    );
    // Members are found from where their frames begin, in any order.
    let archive = ArchivedPack::at(&root.join("one.tar.zst")).unwrap().unwrap();
    for (path, content) in files.iter().rev() {
        let mut read = Vec::new();
        let path = format!("files/{path}");
        archive
            .member(&path, &mut |member, size| {
                assert_eq!(size, content.len() as u64);
                member.read_to_end(&mut read).map(drop)
            })
            .unwrap();
        assert!(read == *content, "{path}");
    }
    place.pack_in(root, &["verify", "one.tar.zst"]).ok();
    place.pack_in(root, &["pull", "./one.tar.zst", "-o", "pulled"]).ok();
    assert_eq!(contents(&root.join("pulled")), contents(&pack));
}

/// Makes a repository with a tree pack `../tree`, which has sealed and internal members.
fn scene(mode: &str) -> Repo {
    let repo = Repo::set_up();
    repo.write("src/main.rs", "fn main() {}\n");
    repo.commit("files");
    repo.write("embeddings/a.vec", noise(1, 70_000));
    repo.write("embeddings/b.vec", noise(2, 100));
    repo.seal(&["--attach", "embeddings", "--mode", mode, "-o", "../tree"]);
    repo
}

#[test]
fn commands_say_the_same_of_an_archive_as_of_its_directory() {
    for mode in ["public", "internal"] {
        let repo = scene(mode);
        archived(&repo.place, &repo.root, "../tree", "../tree.tar.zst");
        for (args, more) in [
            (&["verify"][..], &[][..]),
            (&["verify", "--json"], &[]),
            (&["verify", "--rev", "HEAD"], &[]),
            (&["inspect"], &[]),
            (&["inspect", "--json"], &[]),
            (&["diff", "../tree"], &[]),
            (&["open"], &["--stdout", "embeddings/a.vec"]),
        ] {
            let of = |pack: &str| repo.pack(&[args, &[pack][..], more].concat()).ok();
            let [directory, archive] = [of("../tree"), of("../tree.tar.zst")];
            assert!(directory.stdout == archive.stdout, "{args:?}\n{}", archive.out());
        }
        repo.pack(&["open", "../tree.tar.zst", "-o", "../opened"]).ok();
        assert_eq!(
            fs::read(repo.path("../opened/embeddings/a.vec")).unwrap(),
            noise(1, 70_000)
        );
        for args in [
            &["archive", "../tree"][..],
            &["report", "../tree"],
            &["seal"],
            &["open", "../tree"],
        ] {
            repo.pack(&[args, &["-o", "-"]].concat()).refused("E_USAGE");
        }
        assert!(!repo.path("-").exists());
        for name in ["../tree.zip", "../tree.tar.GZ", "../tree.tar"] {
            let refused = repo.pack(&["archive", "../tree", "-o", name]);
            assert!(refused.stderr.contains("name it .tar.zst"), "{}", refused.stderr);
            refused.refused("E_USAGE");
            assert!(!repo.path(name).exists());
        }
        repo.pack(&["pull", "../tree.tar.zst", "-o", "../pulled"]).ok();
        assert_eq!(contents(&repo.path("../pulled")), contents(&repo.path("../tree")));
        let args = ["pull", "../tree.tar.zst", "-o", "../part", "--only", "repo/src/*"];
        let done = repo.pack(&args).ok();
        assert!(done.stderr.contains(" 1 of "), "{}", done.stderr);
    }
}

#[test]
fn an_archive_is_written_whole_and_only_where_it_harms_nothing() {
    let place = Place::new();
    let root = place.path();
    let pack = sealed(&place, &[("a.txt", b"a".to_vec())]);
    let bytes = archived(&place, root, "pack", "one.tar.zst");
    let before = snapshot(root);
    let archive = |args: &[&str]| place.pack_in(root, &[&["archive"], args].concat());
    let refused = archive(&["pack", "-o", "one.tar.zst"]).refused("E_IO");
    assert_eq!(
        refused["refusal"]["next_command"],
        "git pack archive pack -o one.tar.zst --replace"
    );
    archive(&["pack", "-o", "files/a.txt", "--replace"]).refused("E_IO");
    archive(&["pack", "-o", "pack/x.tar.zst"]).refused("E_USAGE");
    archive(&["files", "-o", "x.tar.zst"]).refused("E_BAD_PACK");
    archive(&["nowhere", "-o", "x.tar.zst"]).refused("E_BAD_PACK");
    archive(&["pack", "-o", "nowhere/x.tar.zst"]).refused("E_IO");
    assert_eq!(snapshot(root), before);
    symlink("target", root.join("link")).unwrap();
    archive(&["pack", "-o", "link", "--replace"]).refused("E_IO");
    assert!(!root.join("target").exists());
    // The user may name an archive by a link.
    symlink("one.tar.zst", root.join("named")).unwrap();
    place.pack_in(root, &["verify", "named"]).ok();
    archive(&["pack", "-o", "one.tar.zst", "--replace"]).ok();
    assert_eq!(fs::read(root.join("one.tar.zst")).unwrap(), bytes);
    write(&pack.join("files/a.txt"), "b");
    archive(&["pack", "-o", "x.tar.zst"]).refused("E_BAD_PACK");
    assert!(!root.join("x.tar.zst").exists());
    let done = place.pack_in(root, &["verify", "files/a.txt"]);
    assert!(
        done.stderr.contains("neither a directory nor an archive"),
        "{}",
        done.stderr
    );
    assert_eq!(done.code, 2);
    place
        .pack_in(root, &["pull", "one.tar.zst", "--from", "file:///x", "-o", "y"])
        .refused("E_USAGE");
}

#[test]
fn a_kill_leaves_no_part_of_an_archive() {
    let place = Place::new();
    let files: Vec<(String, Vec<u8>)> = (0..20).map(|n| (format!("{n}"), noise(n, 1 << 20))).collect();
    let files: Vec<(&str, Vec<u8>)> = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), bytes.clone()))
        .collect();
    sealed(&place, &files);
    let started = Instant::now();
    let whole = archived(&place, place.path(), "pack", "whole.tar.zst");
    let longest = started.elapsed();
    let before = snapshot(place.path());
    let mut killed = 0;
    for n in 1..=12 {
        let mut command = place.command(GIT_PACK, place.path());
        let mut child = command
            .args(["archive", "pack", "-o", "new.tar.zst"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(longest.mul_f64(f64::from(n) / 12.0).min(Duration::from_secs(20)));
        child.kill().unwrap();
        child.wait().unwrap();
        let new = place.path().join("new.tar.zst");
        match fs::read(&new) {
            Ok(bytes) => assert!(bytes == whole),
            Err(_) => killed += 1,
        }
        drop(fs::remove_file(new));
        assert_eq!(snapshot(place.path()).len(), before.len());
    }
    assert!(killed > 0, "nothing was killed in the middle");
}

#[test]
fn an_archive_that_changes_while_it_is_read_is_refused() {
    let place = Place::new();
    sealed(&place, &[("a.txt", b"a".to_vec())]);
    let bytes = archived(&place, place.path(), "pack", "a.tar.zst");
    let path = place.path().join("a.tar.zst");
    let archive = ArchivedPack::at(&path).unwrap().unwrap();
    let read = || archive.member("files/a.txt", &mut |_, _| Ok(()));
    read().unwrap();
    // The same bytes at another time may have been others in between.
    std::thread::sleep(Duration::from_millis(20));
    fs::write(&path, bytes).unwrap();
    assert!(matches!(read(), Err(Refusal::ChangedWhileRead { .. })));
    let each = archive.each_member(&["files/a.txt"], &|_, _, _| Ok(()));
    assert!(matches!(each, Err(Refusal::ChangedWhileRead { .. })));
}

#[test]
fn a_path_that_no_header_of_an_archive_holds_is_refused() {
    let place = Place::new();
    // Such a path is on no disk, but a manifest at a place may have it.
    let path = ["d/".repeat(33_000), "f".into()].concat();
    let mut manifest = serde_json::json!({
        "version": "pack.v0", "pack_id": "", "created": "2026-01-15T10:30:00Z", "tool_version": "0.1.0", "member_count": 1,
        "members": [{ "path": path, "type": "other", "bytes_hash": Digest::of(b"x").to_string() }],
    });
    let mut canonical = to_document(&manifest);
    canonical.pop();
    let id = Digest::of(&canonical);
    manifest["pack_id"] = id.to_string().into();
    let store = place.path().join("store");
    write(
        &store.join(format!("packs/{}/manifest.json", id.hex())),
        to_document(&manifest),
    );
    write(&store.join(format!("blobs/{}", Digest::of(b"x").hex())), "x");
    let url = format!("file://{}", store.canonicalize().unwrap().display());
    let refused = place
        .pack_in(place.path(), &["archive", &url, "-o", "x.tar.zst"])
        .refused("E_LIMIT");
    assert_eq!(refused["refusal"]["detail"]["found"], path.len());
    let left: Vec<_> = fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        !left.iter().any(|name| name.to_string_lossy().contains("tar")),
        "{left:?}"
    );
}

#[test]
fn another_file_than_an_archive_is_told_what_to_do() {
    let place = Place::new();
    sealed(&place, &[("a", b"a".to_vec())]);
    place.run(place.path(), "tar", &["-cf", "p.tar", "pack"]).ok();
    let refused = place.pack_in(place.path(), &["verify", "p.tar"]);
    assert!(
        refused.stderr.contains("a plain tar file") && refused.stderr.contains("tar -xf"),
        "{}",
        refused.stderr
    );
    archived(&place, place.path(), "pack", "p.tar.zst");
    let refused = place.pack_in(place.path(), &["rekey", "p.tar.zst", "-o", "new"]);
    assert!(refused.stderr.contains("git pack pull p.tar.zst"), "{}", refused.stderr);
    refused.refused("E_BAD_PACK");
    let inspected = place.pack_in(place.path(), &["inspect", "pack"]).ok();
    assert!(
        inspected.stderr.contains("git pack verify checks"),
        "{}",
        inspected.stderr
    );
}
