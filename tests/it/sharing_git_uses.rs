//! What commands do with packs at a git remote besides pushing and pulling them: listing, and restoring from them.

use std::fs;

use serde_json::Value;

use crate::common::{Done, GIT_PACK, noise, snapshot};
use crate::sharing_git::world;

fn listed(done: &Done) -> Value {
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn the_packs_at_a_remote_are_listed_as_those_in_a_directory_are() {
    let repo = world("sha1");
    let (first, _) = repo.seal(&["--created", "2026-01-01T00:00:00Z"]);
    repo.write("README.md", "next\n");
    repo.commit("two");
    let (second, pack) = repo.seal(&["--created", "2026-01-02T00:00:00Z"]);
    let empty = repo.pack(&["list", "git:origin"]).ok();
    assert_eq!(empty.out(), "");
    assert!(empty.stderr.contains("git:origin holds no packs"), "{}", empty.stderr);
    for entry in fs::read_dir(repo.path("_PACK_RUN")).unwrap() {
        let pack = entry.unwrap().path();
        repo.pack(&["push", pack.to_str().unwrap(), "git:origin"]).ok();
    }
    let (here, there) = (
        listed(&repo.pack(&["list", "--json"]).ok()),
        listed(&repo.pack(&["list", "--json", "git:origin"]).ok()),
    );
    assert_eq!(there["place"], "git:origin");
    assert_eq!(here["place"], Value::Null);
    let without_names = |list: &Value| -> Vec<Value> {
        let mut packs = list["packs"].as_array().unwrap().clone();
        for pack in &mut packs {
            pack.as_object_mut().unwrap().remove("name");
        }
        packs
    };
    assert_eq!(without_names(&here), without_names(&there));
    assert_eq!(there["packs"][0]["name"], second.as_str());
    assert_eq!(there["packs"][1]["pack_id"], first.as_str());
    let out = repo.pack(&["list", "git:origin"]).ok().out();
    assert!(
        out.starts_with(&second) && out.contains("2026-01-01T00:00:00Z"),
        "{out}"
    );
    let one = listed(&repo.pack(&["list", "--json", &format!("git:origin#{first}")]).ok());
    assert_eq!(one["packs"].as_array().unwrap().len(), 1);
    // A remote that names one pack by the id of another, and one that holds no pack under an id.
    let server = repo.place.path().join("server.git");
    let name = |id: &str| format!("refs/gitpack/packs/{}", id.strip_prefix("sha256:").unwrap());
    let wrong = format!("sha256:{}", "a".repeat(64));
    for args in [
        ["update-ref", &name(&first), &name(&second)],
        ["update-ref", &name(&wrong), "HEAD"],
    ] {
        repo.git(&["push", "-q", "origin", "main"]).ok();
        repo.place.run(&server, "git", &args).ok();
    }
    let done = repo.pack(&["list", "--json", "git:origin"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    let packs = listed(&done)["packs"].as_array().unwrap().clone();
    assert_eq!(packs.len(), 3);
    assert_eq!(packs[0]["pack_id"], second.as_str());
    assert!(packs[1..].iter().all(|pack| pack["refusal"].is_object()), "{packs:?}");
    assert!(
        done.stderr.contains("another pack") || done.stderr.contains(&first),
        "{}",
        done.stderr
    );
    assert!(pack.exists());
}

#[test]
fn contents_that_a_clone_lacks_are_restored_from_a_place() {
    let repo = world("sha1");
    for n in 0..5 {
        repo.write(&format!("more/{n}"), noise(n, 3000));
    }
    repo.commit("more");
    repo.seal(&["--emit", "repo,lite", "-o", "../whole"]);
    repo.seal(&["--emit", "lite", "-o", "../lite"]);
    repo.pack(&["push", "../whole", "git:origin"]).ok();
    let expected = repo.pack(&["restore", "../lite", "-o", "../expected"]).ok().out();
    let place = repo.place.path();
    // A repository that has neither the commit nor a store.
    repo.place
        .run(place, "git", &["init", "-q", "-b", "main", "empty"])
        .ok();
    let pack = |args: &[&str]| repo.place.pack_in(&place.join("empty"), args);
    pack(&["restore", "../lite", "-o", "../restored"]).refused("E_MISSING_OBJECT");
    let restored = pack(&["restore", "../lite", "--from", "git:../server.git", "-o", "../restored"]).ok();
    assert_eq!(restored.out(), expected);
    let files = |name: &str| {
        let all = snapshot(&place.join(name)).into_iter();
        all.map(|(path, _, bytes)| (path, bytes)).collect::<Vec<_>>()
    };
    assert!(files("restored") == files("expected"));
    // A place that lacks a content, or has other bytes in its place, restores nothing.
    let server = place.join("server.git");
    let script =
        "set -eu; ref=$(git for-each-ref --format='%(refname)'); blob=$(echo forged | git hash-object -w --stdin)
        git ls-tree -r $ref | sed \"s/^100644 blob [0-9a-f]*\\t\\(.*README.md\\)/100644 blob $blob\\t\\1/\" >list
        GIT_INDEX_FILE=forged git update-index --index-info <list
        git update-ref $ref $(GIT_INDEX_FILE=forged git write-tree)";
    repo.place.run(&server, "sh", &["-c", script]).ok();
    repo.place
        .run(place, "git", &["init", "-q", "-b", "main", "other"])
        .ok();
    let args = ["restore", "../lite", "--from", "git:../server.git", "-o", "../forged"];
    let refused = repo.place.pack_in(&place.join("other"), &args);
    assert_eq!(refused.code, 2, "{}{}", refused.out(), refused.stderr);
    assert!(!place.join("forged").exists());
}

#[test]
fn a_list_fetches_all_packs_at_once_and_what_they_share_once() {
    let repo = world("sha1");
    repo.write("large.bin", noise(5, 400_000));
    for n in 0..4 {
        repo.write("README.md", format!("{n}\n"));
        repo.commit("next");
        let (_, pack) = repo.seal(&["--emit", "repo"]);
        repo.pack(&["push", pack.to_str().unwrap(), "git:origin"]).ok();
    }
    let place = &repo.place;
    let clone = place.path().join("fresh");
    // A clone of the branch alone does not have the packs.
    place
        .run(
            place.path(),
            "git",
            &["clone", "-q", "--bare", "--no-local", "server.git", "fresh"],
        )
        .ok();
    let size = || {
        let counted = place.run(&clone, "git", &["count-objects", "-v"]).ok().out();
        let of = |key: &str| -> u64 {
            let line = counted.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap().trim().parse().unwrap()
        };
        of("size:") + of("size-pack:")
    };
    let before = size();
    let trace = place.path().join("trace");
    let list = || {
        let mut list = place.command(GIT_PACK, &clone);
        list.env("GIT_TRACE", &trace).args(["list", "git:origin"]);
        let done = Done::from(list.output().unwrap()).ok();
        assert_eq!(done.out().matches("sha256:").count() % 4, 0, "{}", done.out());
        let trace = fs::read_to_string(&trace).unwrap();
        trace
            .lines()
            .filter(|line| line.contains("built-in: git fetch "))
            .count()
    };
    assert_eq!(list(), 1);
    let fetched = size() - before;
    assert!(fetched < 800, "{fetched} KiB");
    // The second time, nothing is fetched.
    assert_eq!(list(), 1);
}

#[test]
fn a_dry_run_leaves_nothing_of_a_remote_in_the_clone() {
    for format in ["sha1", "sha256"] {
        let repo = world(format);
        repo.write("data/untracked.vec", "another secret\n");
        let (id, _) = repo.seal(&["--attach", "data/untracked.vec", "-o", "../pack"]);
        repo.pack(&["push", "../pack", "git:origin"]).ok();
        let place = repo.place.path();
        let option = format!("--object-format={format}");
        let (reader, temp) = (place.join("reader"), place.join("a:temp"));
        repo.place.run(place, "git", &["init", "-q", &option, "reader"]).ok();
        fs::create_dir(&temp).unwrap();
        let source = format!("git:../server.git#{id}");
        let run = |args: &[&str]| {
            let mut command = repo.place.command(GIT_PACK, &reader);
            command.env("TMPDIR", &temp).args(args);
            let done = Done::from(command.output().unwrap()).ok();
            assert_eq!(fs::read_dir(&temp).unwrap().count(), 0, "{args:?}");
            done
        };
        let before = snapshot(&reader);
        let dry = run(&["pull", "-n", &source, "-o", "../back"]);
        for args in [
            &["restore", "-n", &source][..],
            &["archive", "-n", &source, "-o", "../x.tar.zst"],
            &["open", "-n", &source, "-o", "../opened"],
            &["report", "-n", &source, "-o", "../x.html"],
            &["report", "-n", &source, "--against", &source, "-o", "../x.html"],
        ] {
            run(args);
        }
        assert!(snapshot(&reader) == before, "{format}");
        assert!(!place.join("back").exists());
        // The real one fetches as much as was told, and keeps it.
        let pulled = run(&["pull", &source, "-o", "../back"]);
        let size = |done: &Done| {
            done.stderr
                .split(" members, ")
                .nth(1)
                .map(|rest| rest.split_once(" fetched").unwrap_or((rest, "")).0.to_owned())
        };
        assert!(
            size(&pulled).is_some() && dry.stderr.contains(&size(&pulled).unwrap()),
            "{}\n{}",
            dry.stderr,
            pulled.stderr
        );
        assert!(snapshot(&reader) != before);
    }
}
