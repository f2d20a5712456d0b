//! A directory as an object store.

use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::time::Duration;

use super::*;

/// A repository, and an empty directory to which packs go.
fn scene() -> (Repo, PathBuf, String) {
    let repo = Repo::set_up();
    let store = repo.place.path().join("store");
    fs::create_dir(&store).unwrap();
    let url = format!("file://{}", store.display());
    (repo, store, url)
}

/// Returns the names of all objects below a directory, sorted.
fn objects(store: &Path) -> Vec<String> {
    let all = crate::common::snapshot(store).into_iter();
    let files = all.filter(|(_, mode, _)| mode & 0o170000 != 0o040000);
    files.map(|(path, ..)| path.to_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_is_missing(verified: &Done) {
    assert_eq!(verified.code, 2, "{}{}", verified.out(), verified.stderr);
    assert!(
        verified.stderr.contains("it does not have the pack"),
        "{}",
        verified.stderr
    );
}

fn pull(repo: &Repo, id: &str, url: &str, to: &str) -> Done {
    repo.pack(&["pull", id, "--from", url, "-o", to])
}

#[test]
fn a_pack_goes_to_a_directory_and_comes_back() {
    let (repo, store, url) = scene();
    let (id, pack) = sealed(&repo, "a", &files());
    let sent = repo.pack(&["push", pack.to_str().unwrap(), &url]).ok();
    assert_eq!(sent.out(), format!("PUBLISHED {id}\n"));
    let first = objects(&store);
    assert!(
        first.contains(&format!("packs/{}/manifest.json", hex(&id))),
        "{first:?}"
    );
    // Nothing but objects is left, and each blob is what its name says.
    for name in &first {
        match name.strip_prefix("blobs/") {
            Some(hash) => {
                let content = fs::read(store.join(name)).unwrap();
                assert_eq!(gitpack::format::digest::Digest::of(&content).hex(), hash);
            }
            None => assert!(name.starts_with("packs/"), "{name}"),
        }
    }
    let done = pull(&repo, &id, &url, "../back").ok();
    assert!(done.out().starts_with(&format!("FETCHED {id}\n")), "{}", done.out());
    assert_eq!(bytes(&repo.place.path().join("back")), bytes(&pack));
    let again = repo.pack(&["push", pack.to_str().unwrap(), &url]).ok();
    assert!(
        again.stderr.contains("everything was there already"),
        "{}",
        again.stderr
    );
    assert_eq!(objects(&store), first);
    // A pack that differs in one file shares the others.
    let mut other = files();
    other[0].1 = b"other notes\n".to_vec();
    let (second, pack) = sealed(&repo, "b", &other);
    let sent = repo.pack(&["push", pack.to_str().unwrap(), &url]).ok();
    assert!(!sent.stderr.contains("sent 0"), "{}", sent.stderr);
    let both = objects(&store);
    let large = gitpack::format::digest::Digest::of(&other[2].1).hex();
    assert_eq!(both.iter().filter(|name| name.contains(&large)).count(), 1);
    assert_eq!(both.iter().filter(|name| name.starts_with("packs/")).count(), 2);
    repo.pack(&["verify", &format!("{url}#{second}")]).ok();
}

#[test]
fn a_damaged_object_is_found_and_healed_by_its_next_push() {
    let (repo, store, url) = scene();
    let (id, pack) = sealed(&repo, "a", &files());
    let push = || repo.pack(&["push", pack.to_str().unwrap(), &url]);
    push().ok();
    let content = &files()[2].1;
    let blob = store
        .join("blobs")
        .join(gitpack::format::digest::Digest::of(content).hex());
    let mut flipped = content.clone();
    flipped[1000] ^= 1;
    let longer = [&content[..], b"x"].concat();
    for (name, damaged) in [
        ("flipped", Some(&flipped[..])),
        ("short", Some(&content[..5000])),
        ("empty", Some(&b""[..])),
        ("long", Some(&longer[..])),
        ("gone", None),
    ] {
        fs::remove_file(&blob).unwrap();
        if let Some(damaged) = damaged {
            fs::write(&blob, damaged).unwrap();
        }
        let verified = repo.pack(&["verify", &format!("{url}#{id}")]);
        assert_eq!(verified.code, 1, "{name}: {}{}", verified.out(), verified.stderr);
        assert!(verified.out().contains("INVALID"), "{name}: {}", verified.out());
        let back = repo.place.path().join("back");
        let code = match name {
            "gone" => "E_TRANSPORT",
            _ => "E_BAD_PACK",
        };
        pull(&repo, &id, &url, "../back").refused(code);
        assert!(!back.exists(), "{name}");
        // A wrong content of the right size is not seen by its size.
        if name != "flipped" {
            push().ok();
        } else {
            fs::write(&blob, content).unwrap();
        }
        pull(&repo, &id, &url, "../back").ok();
        assert_eq!(bytes(&back), bytes(&pack), "{name}");
        fs::remove_dir_all(&back).unwrap();
    }
}

#[test]
fn an_interrupted_push_sends_only_what_is_missing() {
    let (repo, store, url) = scene();
    let (id, pack) = sealed(&repo, "a", &files());
    let push = || repo.pack(&["push", pack.to_str().unwrap(), &url]).ok();
    push();
    let content = &files()[0].1;
    fs::remove_file(store.join("packs").join(hex(&id)).join("manifest.json")).unwrap();
    fs::remove_file(
        store
            .join("blobs")
            .join(gitpack::format::digest::Digest::of(content).hex()),
    )
    .unwrap();
    assert_is_missing(&repo.pack(&["verify", &format!("{url}#{id}")]));
    assert!(
        push()
            .stderr
            .contains(&format!("sent 1 content, {} bytes", content.len()))
    );
    repo.pack(&["verify", &format!("{url}#{id}")]).ok();
}

#[test]
fn a_manifest_of_another_pack_or_with_a_path_out_of_it_is_refused() {
    let (repo, store, url) = scene();
    let (id, pack) = sealed(&repo, "a", &files());
    repo.pack(&["push", pack.to_str().unwrap(), &url]).ok();
    let place = store.join("packs").join(hex(&id)).join("manifest.json");
    let manifest = fs::read_to_string(&place).unwrap();
    let back = repo.place.path().join("back");
    let mut other = files();
    other[0].1 = b"other\n".to_vec();
    let (_, other) = sealed(&repo, "b", &other);
    let escape = manifest.replace("\"notes.txt\"", "\"../notes.txt\"");
    assert_ne!(escape, manifest);
    for (bad, code) in [
        (fs::read_to_string(other.join("manifest.json")).unwrap(), "E_BAD_PACK"),
        (escape, "E_BAD_PACK"),
        ("{}".to_owned(), "E_BAD_PACK"),
    ] {
        fs::write(&place, &bad).unwrap();
        pull(&repo, &id, &url, "../back").refused(code);
        assert!(!back.exists());
        // A pack is never replaced.
        let again = repo.pack(&["push", pack.to_str().unwrap(), &url]);
        again.refused("E_TRANSPORT");
        assert_eq!(fs::read_to_string(&place).unwrap(), bad);
    }
    assert!(!repo.place.path().join("notes.txt").exists());
}

#[test]
fn links_and_pipes_in_a_directory_are_not_followed() {
    let (repo, store, url) = scene();
    let (id, pack) = sealed(&repo, "a", &files());
    let push = || repo.pack(&["push", pack.to_str().unwrap(), &url]);
    push().ok();
    let away = repo.place.path().join("away");
    let whole = repo.place.path().join("whole");
    let keep = |name: &str| fs::rename(store.join(name), whole.join(name)).unwrap();
    let restore = |name: &str| {
        fs::remove_file(store.join(name)).unwrap();
        fs::rename(whole.join(name), store.join(name)).unwrap();
    };
    fs::create_dir(&whole).unwrap();
    for name in ["blobs", "packs"] {
        keep(name);
        fs::create_dir_all(&away).unwrap();
        symlink(&away, store.join(name)).unwrap();
        assert_eq!(push().code, 2);
        assert_eq!(pull(&repo, &id, &url, "../back").code, 2);
        assert_eq!(fs::read_dir(&away).unwrap().count(), 0, "{name}");
        restore(name);
    }
    // No process writes to this pipe, so opening it would wait forever.
    let blob = store
        .join("blobs")
        .join(gitpack::format::digest::Digest::of(&files()[2].1).hex());
    fs::remove_file(&blob).unwrap();
    repo.place.run(&store, "mkfifo", &[blob.to_str().unwrap()]).ok();
    assert_eq!(pull(&repo, &id, &url, "../back").code, 2);
    assert_ne!(repo.pack(&["verify", &format!("{url}#{id}")]).code, 0);
    assert_eq!(push().code, 2);
    assert!(!repo.place.path().join("back").exists());
    // Names of others in the directory are not packs.
    fs::create_dir(store.join("packs/..x")).unwrap();
    fs::create_dir(store.join("packs").join("ab".repeat(32))).unwrap();
    fs::remove_file(&blob).unwrap();
    push().ok();
    repo.pack(&["verify", &url]).ok();
}

#[test]
fn a_missing_directory_is_not_created() {
    let (repo, store, url) = scene();
    let (_, pack) = sealed(&repo, "a", &files());
    fs::remove_dir(&store).unwrap();
    repo.pack(&["push", pack.to_str().unwrap(), &url])
        .refused("E_TRANSPORT");
    assert!(!store.exists());
}

#[test]
fn a_killed_push_leaves_no_pack_that_does_not_verify() {
    let (repo, store, url) = scene();
    let mut all = files();
    // One that is larger than what is sent in one write.
    all.push(("large.txt", text(9, 20 << 20)));
    let (id, pack) = sealed(&repo, "a", &all);
    let count = std::env::var("GITPACK_KILLS").ok().and_then(|count| count.parse().ok());
    for round in 0..count.unwrap_or(20u64) {
        let mut push = repo.place.command(GIT_PACK, &repo.root);
        push.args(["push", pack.to_str().unwrap(), &url]);
        let mut running = push.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(noise(round, 1)[0].into()) * 4);
        running.kill().unwrap();
        running.wait().unwrap();
        let published = store.join("packs").join(hex(&id)).join("manifest.json").exists();
        let verified = repo.pack(&["verify", &format!("{url}#{id}")]);
        match published {
            true => drop(verified.ok()),
            false => assert_is_missing(&verified),
        }
        // What is there under a final name is whole.
        for name in objects(&store).iter().filter_map(|name| name.strip_prefix("blobs/")) {
            if name.len() == 64 {
                let content = fs::read(store.join("blobs").join(name)).unwrap();
                assert_eq!(gitpack::format::digest::Digest::of(&content).hex(), name);
            }
        }
        if published || round % 5 == 4 {
            fs::remove_dir_all(&store).unwrap();
            fs::create_dir(&store).unwrap();
        }
    }
    repo.pack(&["push", pack.to_str().unwrap(), &url]).ok();
    repo.pack(&["verify", &format!("{url}#{id}")]).ok();
}

/// Makes packs that share two files, and each has one of its own.
fn many(count: usize) {
    let (repo, store, url) = scene();
    let common = [("a.txt", text(1, 9000)), ("b.txt", text(2, 100))];
    let mut ids = Vec::new();
    for at in 0..count {
        let mut all = common.to_vec();
        all.push(("own.txt", format!("pack {at}\n").into_bytes()));
        let (id, pack) = sealed(&repo, "one", &all);
        repo.pack(&["push", pack.to_str().unwrap(), &url]).ok();
        fs::remove_dir_all(pack).unwrap();
        ids.push(id);
    }
    let found = objects(&store);
    assert_eq!(found.iter().filter(|name| name.starts_with("packs/")).count(), count);
    for (_, content) in &common {
        let hash = gitpack::format::digest::Digest::of(content).hex();
        assert_eq!(found.iter().filter(|name| name.ends_with(&hash)).count(), 1);
    }
    for id in ids.iter().step_by(10) {
        repo.pack(&["verify", &format!("{url}#{id}")]).ok();
    }
}

#[test]
fn packs_that_share_members_store_each_once() {
    many(8);
}

#[test]
#[ignore = "takes minutes"]
fn a_thousand_packs_that_share_members_store_each_once() {
    many(1000);
}

#[test]
fn sixteen_pushes_at_once_are_all_there() {
    let (repo, store, url) = scene();
    let packs: Vec<_> = (0..16)
        .map(|at| {
            let mut all = files();
            all[0].1 = format!("notes {}\n", at / 2).into_bytes();
            all.push(("large.txt", text(at as u64 % 4, 200_000)));
            sealed(&repo, &format!("p{at}"), &all)
        })
        .collect();
    std::thread::scope(|scope| {
        for (_, pack) in &packs {
            let (repo, url) = (&repo, &url);
            scope.spawn(move || repo.pack(&["push", pack.to_str().unwrap(), url]).ok());
        }
    });
    for (id, _) in &packs {
        repo.pack(&["verify", &format!("{url}#{id}")]).ok();
    }
    assert!(objects(&store).iter().all(|name| !name.contains(".git-pack-")));
}

#[test]
fn a_pack_that_a_place_lacks_is_looked_up_there() {
    let (repo, _, url) = scene();
    let id = format!("sha256:{}", "0".repeat(64));
    let refused = pull(&repo, &id, &url, "../back");
    assert!(
        refused.stderr.contains(&format!("git pack list {url}")),
        "{}",
        refused.stderr
    );
}
