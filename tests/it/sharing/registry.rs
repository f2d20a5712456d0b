//! Packs in a real registry, and what other clients make of them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::Value;

use super::server::RegistryServer;
use super::{files, pulled, sealed, text};
use crate::common::packs::copy_tree;
use crate::common::{Place, Repo, snapshot, write};

/// Returns a Python that has the packages of `tests/run`.
fn python() -> String {
    let tools = std::env::var("GITPACK_SHARING").expect("GITPACK_SHARING names the tools: tests/run installs them");
    format!("{tools}/bin/python")
}

#[test]
fn a_pack_comes_back_as_it_was_sent() {
    let (place, server) = (Place::new(), RegistryServer::start());
    let (id, pack) = sealed(&place, "pack", &files());
    let at = server.address("team/packs");
    let done = place.pack_in(place.path(), &["push", "pack", &format!("{at}:v1")]).ok();
    assert_eq!(done.out(), format!("PUBLISHED {id}\n"));
    assert!(done.stderr.contains("3 members, sent 4 contents"), "{}", done.stderr);
    for (n, source) in [format!("{at}:v1"), format!("{at}#{id}"), at.clone()]
        .iter()
        .enumerate()
    {
        let done = place
            .pack_in(place.path(), &["pull", source, "-o", &format!("back-{n}")])
            .ok();
        assert_eq!(done.out(), format!("FETCHED {id}\nback-{n}/\n"));
        assert_eq!(snapshot(&place.path().join(format!("back-{n}"))), snapshot(&pack));
    }
    place
        .pack_in(place.path(), &["pull", &id, "--from", &at, "--out", "by-id"])
        .ok();
    place.pack_in(place.path(), &["verify", "by-id"]).ok();
}

#[test]
fn a_second_push_sends_nothing_and_packs_share_what_they_have_in_common() {
    let (place, server) = (Place::new(), RegistryServer::start());
    let at = server.address("p");
    sealed(&place, "one", &files());
    let mut changed = files();
    changed[0].1 = b"other\n".to_vec();
    sealed(&place, "two", &changed);
    place.pack_in(place.path(), &["push", "one", &at]).ok();
    let uploads = server.requests("POST", "/blobs/uploads/");
    let done = place.pack_in(place.path(), &["push", "one", &at]).ok();
    assert!(done.stderr.contains("everything was there already"), "{}", done.stderr);
    assert_eq!(server.requests("POST", "/blobs/uploads/"), uploads);
    assert_eq!(server.requests("PUT", "/manifests/"), 1);
    let done = place.pack_in(place.path(), &["push", "two", &at]).ok();
    // The changed file and the manifest.
    assert!(done.stderr.contains("sent 2 contents"), "{}", done.stderr);
}

#[test]
fn sixteen_pushes_at_once_all_arrive() {
    let (place, server) = (Place::new(), RegistryServer::start());
    let at = server.address("p");
    let shared = crate::common::noise(9, 2 << 20);
    let ids: Vec<String> = (0..16)
        .map(|n| {
            let own = format!("{n}\n").into_bytes();
            let files = [("shared", shared.clone()), ("own", own), ("pair", vec![n / 2])];
            sealed(&place, &format!("pack-{n}"), &files).0
        })
        .collect();
    std::thread::scope(|scope| {
        for n in 0..16 {
            let (place, at) = (&place, &at);
            scope.spawn(move || place.pack_in(place.path(), &["push", &format!("pack-{n}"), at]).ok());
        }
    });
    for id in &ids {
        let done = place.pack_in(place.path(), &["verify", &format!("{at}#{id}")]).ok();
        assert!(done.out().contains("pack verify: OK"), "{}", done.out());
    }
}

#[test]
fn what_a_command_does_not_need_is_not_fetched() {
    let (place, server) = (Place::new(), RegistryServer::start());
    let at = server.address("p");
    let (_, pack) = sealed(&place, "pack", &files());
    place.pack_in(place.path(), &["push", "pack", &at]).ok();
    let before = server.requests("GET", "/blobs/");
    let done = place.pack_in(place.path(), &["inspect", &at]).ok();
    assert!(done.out().contains("big.bin"), "{}", done.out());
    place.pack_in(place.path(), &["diff", text(&pack), &at]).ok();
    // The manifest, once for each.
    assert_eq!(server.requests("GET", "/blobs/") - before, 2);
    let before = server.requests("GET", "/blobs/");
    let done = place
        .pack_in(place.path(), &["pull", &at, "--only", "*.txt", "-o", "some"])
        .ok();
    assert!(done.stderr.contains("2 of 3 members"), "{}", done.stderr);
    assert_eq!(server.requests("GET", "/blobs/") - before, 3);
    assert!(!place.path().join("some/big.bin").exists());
    let mistyped = ["pull", &at, "--only", "*.txt", "--only", "*.tx", "-o", "none"];
    let refused = place.pack_in(place.path(), &mistyped);
    let why = "--only \"*.tx\" matches no member";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    refused.refused("E_USAGE");
    assert!(!place.path().join("none").exists());
    let done = place.pack_in(place.path(), &["verify", "some"]);
    assert_eq!(done.code, 1, "{}", done.out());
    let done = place.pack_in(place.path(), &["verify", "--partial", "some"]).ok();
    assert!(done.out().starts_with("pack verify: PARTIAL\n"), "{}", done.out());
    assert!(done.out().contains("2 of 3 members seen"), "{}", done.out());
}

#[test]
fn sealed_members_open_from_the_registry() {
    let (repo, server) = (Repo::set_up(), RegistryServer::start());
    repo.write("data/x.vec", b"a secret vector");
    repo.pack(&["seal", "data", "--output", "../pack"]).ok();
    let at = server.address("p");
    repo.pack(&["push", "../pack", &at]).ok();
    let done = repo.pack(&["open", &at, "--stdout"]).ok();
    assert_eq!(done.stdout, b"a secret vector");
    let identity = repo.identity();
    let done = repo.pack(&["verify", &at, "-i", text(&identity)]).ok();
    assert!(done.out().contains("all could be opened"), "{}", done.out());
}

#[test]
fn other_clients_read_and_copy_what_was_pushed() {
    let (place, server) = (Place::new(), RegistryServer::start());
    let (id, pack) = sealed(&place, "pack", &files()[..2]);
    let at = server.address("p");
    place.pack_in(place.path(), &["push", "pack", &format!("{at}:v1")]).ok();
    let from = format!("docker://{}/p:v1", server.host());
    let to = format!("docker://{}/copy:v2", server.host());
    let copy = [
        "copy",
        "--quiet",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        &from,
        &to,
    ];
    place.run(place.path(), "skopeo", &copy).ok();
    assert_eq!(
        snapshot(&pulled(&place, &format!("{}:v2", server.address("copy")), "copied")),
        snapshot(&pack)
    );
    let script = format!(
        "import oras.client as c; c.OrasClient(insecure=True, hostname='{0}').pull(target='{0}/p:v1', outdir='by-oras')",
        server.host()
    );
    place.run(place.path(), &python(), &["-c", &script]).ok();
    let done = place.pack_in(place.path(), &["verify", "by-oras"]).ok();
    assert!(done.out().contains(&id), "{}", done.out());
}

#[test]
fn a_registry_with_passwords_gets_the_one_of_the_docker_configuration() {
    let place = Place::new();
    // The user `u` with the password `hunter2`, as bcrypt.
    write(
        &place.path().join("passwords"),
        "u:$2b$05$CCCCCCCCCCCCCCCCCCCCC.COREUz9E34cVXl2vPeVtA6zdO4Kt.1q\n",
    );
    let server = RegistryServer::with_passwords(&place.path().join("passwords"));
    sealed(&place, "pack", &files());
    let at = server.address("p");
    let push = || place.pack_in(place.path(), &["push", "pack", &at]);
    let done = push();
    assert!(done.stderr.contains("docker login"), "{}", done.stderr);
    done.refused("E_TRANSPORT");
    let config = place.home().join(".docker/config.json");
    let login = |auth: &str| {
        write(
            &config,
            format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, server.host()),
        )
    };
    login("dTp3cm9uZw==");
    let refused = push().refused("E_TRANSPORT");
    assert!(!refused.to_string().contains("wrong"), "{refused}");
    login("dTpodW50ZXIy");
    let done = push().ok();
    assert!(!format!("{}{}", done.out(), done.stderr).contains("hunter2"));
    pulled(&place, &at, "back");
}

#[test]
fn an_internal_pack_goes_only_to_a_place_that_is_called_private() {
    let (repo, server) = (Repo::set_up(), RegistryServer::start());
    repo.commit("first");
    repo.write("notes.txt", "for insiders\n");
    repo.pack(&["seal", "notes.txt", "--mode", "internal", "--output", "../pack"])
        .ok();
    let at = server.address("team/p");
    repo.pack(&["push", "../pack", &at]).refused("E_PLAINTEXT_LEAK");
    assert_eq!(server.requests("POST", "/"), 0);
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let line = format!("private_remotes = [\"oci://{}/team/*\"]\n", server.host());
    repo.write(
        ".gitpack.toml",
        config.replacen("version = 1\n", &format!("version = 1\n{line}"), 1),
    );
    // What is not committed does not count.
    repo.pack(&["push", "../pack", &at]).refused("E_PLAINTEXT_LEAK");
    repo.commit("private");
    repo.pack(&["push", "../pack", &at]).ok();
}

#[test]
fn a_pack_that_does_not_verify_is_not_sent() {
    let (place, server) = (Place::new(), RegistryServer::start());
    let (_, pack) = sealed(&place, "pack", &files());
    fs::write(pack.join("a.txt"), "changed\n").unwrap();
    place
        .pack_in(place.path(), &["push", "pack", &server.address("p")])
        .refused("E_BAD_PACK");
    assert_eq!(
        server.requests("GET", "/") + server.requests("POST", "/") + server.requests("HEAD", "/"),
        0
    );
}

#[test]
fn a_pack_that_is_not_there_is_a_clear_refusal() {
    let (place, server) = (Place::new(), RegistryServer::start());
    let id = format!("sha256:{}", "ab".repeat(32));
    let at = server.address("p");
    for source in [
        at.clone(),
        format!("{at}:v1"),
        format!("{at}#{id}"),
        format!("{at}@{id}"),
    ] {
        place
            .pack_in(place.path(), &["pull", &source, "-o", "back"])
            .refused("E_TRANSPORT");
        place.pack_in(place.path(), &["verify", &source]);
    }
    assert!(!place.path().join("back").exists());
    assert_eq!(left_beside(place.path()), [] as [String; 0]);
    // Most of the time is spent in waits before other attempts.
    std::thread::scope(|scope| {
        for (bad, output) in [("oci://127.0.0.1:1/x", "one"), ("oci://[::1]:1/x", "two")] {
            let pull = ["pull", bad, "-o", output];
            let place = &place;
            scope.spawn(move || place.pack_in(place.path(), &pull).refused("E_TRANSPORT"));
        }
    });
    for bad in ["oci://u:hunter2@h/x", "ftp://h/x", "oci://h/x#y"] {
        let done = place.pack_in(place.path(), &["push", "pack", bad]);
        assert_eq!(done.code, 2);
        assert!(
            !format!("{}{}", done.out(), done.stderr).contains("hunter2"),
            "{}",
            done.stderr
        );
    }
}

/// Returns the names in a directory that a command may have left.
fn left_beside(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name.starts_with(".git-pack") || name == "back")
        .collect()
}

#[test]
fn an_interrupted_pull_goes_on_where_it_was() {
    let (place, server) = (Place::new(), RegistryServer::start());
    let (id, pack) = sealed(&place, "pack", &files());
    let at = server.address("p");
    place.pack_in(place.path(), &["push", "pack", &at]).ok();
    // What a killed process leaves: a member that is whole, one that is cut, and one that is damaged.
    let staging = place.path().join(".git-pack-staging-dead");
    fs::create_dir_all(&staging).unwrap();
    fs::set_permissions(&staging, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(staging.join("purpose"), &id).unwrap();
    copy_tree(&pack, &staging.join("pack"));
    fs::write(staging.join("pack/a.txt"), "").unwrap();
    fs::write(staging.join("pack/d ü/x?y#z%41.txt"), "damaged").unwrap();
    let before = server.requests("GET", "/blobs/");
    let done = place.pack_in(place.path(), &["pull", &at, "-o", "back"]).ok();
    assert!(
        done.stderr.contains("1 member left from an interrupted call"),
        "{}",
        done.stderr
    );
    // The manifest and two members.
    assert_eq!(server.requests("GET", "/blobs/") - before, 3);
    assert_eq!(snapshot(&place.path().join("back")), snapshot(&pack));
    assert_eq!(left_beside(place.path()), ["back"]);
}

/// Gain: a pull into a directory that somebody prepared writes files elsewhere.
#[test]
fn a_planted_staging_directory_is_not_written_through() {
    let (place, server) = (Place::new(), RegistryServer::start());
    let (id, pack) = sealed(&place, "pack", &files());
    let at = server.address("p");
    place.pack_in(place.path(), &["push", "pack", &at]).ok();
    let outside = place.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let staging = place.path().join(".git-pack-staging-planted");
    fs::create_dir_all(staging.join("pack")).unwrap();
    fs::set_permissions(&staging, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(staging.join("purpose"), &id).unwrap();
    symlink(&outside, staging.join("pack/d ü")).unwrap();
    place.pack_in(place.path(), &["pull", &at, "-o", "back"]).ok();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert_eq!(snapshot(&place.path().join("back")), snapshot(&pack));
}

#[test]
fn both_commands_are_recorded() {
    let (place, server) = (Place::new(), RegistryServer::start());
    let (id, _) = sealed(&place, "pack", &files());
    let at = server.address("p");
    place.pack_in(place.path(), &["push", "pack", &at]).ok();
    pulled(&place, &at, "back");
    let done = place.pack_in(place.path(), &["witness", "query", "--json"]).ok();
    let records: Value = serde_json::from_slice(&done.stdout).unwrap();
    let text = records.to_string();
    for outcome in ["PUBLISHED", "FETCHED"] {
        assert!(text.contains(outcome), "{text}");
    }
    assert!(text.matches(&id).count() >= 2, "{text}");
}

#[test]
fn the_packs_of_a_repository_are_listed() {
    let (place, server) = (Place::new(), RegistryServer::start());
    let at = server.address("p");
    let mut ids = Vec::new();
    for name in ["one", "two"] {
        ids.push(sealed(&place, name, &[("a.txt", name.as_bytes().to_vec())]).0);
        place
            .pack_in(place.path(), &["push", name, &format!("{at}:{name}")])
            .ok();
    }
    let listed = |place_name: &str| -> Value {
        let done = place.pack_in(place.path(), &["list", place_name, "--json"]).ok();
        serde_json::from_slice(&done.stdout).unwrap()
    };
    let document = listed(&at);
    let mut found: Vec<_> = document["packs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pack| pack["pack_id"].as_str().unwrap().to_owned())
        .collect();
    found.sort();
    ids.sort();
    assert_eq!(found, ids);
    assert_eq!(document["packs"][0]["members"], 1);
    assert_eq!(listed(&server.address("other"))["packs"], serde_json::json!([]));
}
