//! `git pack push PACK git:REMOTE` with the hooks of the clone: a pack with files that the rules of today release passes, and
//! nothing that the pack brings along releases anything.

use std::fs;

use crate::common::{Done, Repo, noise};

/// Makes a repository with the guard, whose bare remote has its commits: `rules` and a few files.
fn world(rules: &str, files: &[(&str, &[u8])]) -> Repo {
    let repo = Repo::set_up();
    let remote = ["init", "-q", "--bare", "-b", "main", "remote.git"];
    repo.place.run(repo.place.path(), "git", &remote).ok();
    repo.git(&["remote", "add", "origin", "../remote.git"]).ok();
    set_rules(&repo, rules);
    repo.commit("rules");
    repo.git(&["push", "-q", "-u", "origin", "main"]).ok();
    for (path, content) in files {
        repo.write(path, content);
        repo.git(&["add", "-f", path]).ok();
    }
    repo.commit("files");
    repo.git(&["push", "-q", "origin", "main"]).ok();
    repo
}

fn set_rules(repo: &Repo, rules: &str) {
    let own = repo.pack(&["recipients", "list"]).ok().out();
    let text = format!("version = 1\n[seal]\nrecipients = [\"{}\"]\n{rules}", own.trim());
    repo.write(".gitpack.toml", text);
}

fn push(repo: &Repo, pack: &std::path::Path) -> Done {
    repo.pack(&["push", pack.to_str().unwrap(), "git:origin"])
}

const RELEASED: &str = "[[protect]]\nclass = \"fixture\"\npaths = [\"fixtures/**\"]\npolicy = \"allowed\"\n";

#[track_caller]
fn assert_blocked(done: &Done, path: &str) {
    assert_eq!(done.code, 2, "{}\n{}", done.out(), done.stderr);
    assert!(
        done.stderr.contains("blocked") && done.stderr.contains(path),
        "{}",
        done.stderr
    );
}

#[test]
fn a_pack_with_released_files_passes_by_the_rules_of_today() {
    let demo = noise(7, 300);
    let probe = Repo::empty();
    probe.write("demo.vec", &demo);
    let blob = probe.git(&["hash-object", "demo.vec"]).ok().out();
    let rules = format!("{RELEASED}[[allow]]\nblob = \"{}\"\nreason = \"a demo\"\n", blob.trim());
    let repo = world(&rules, &[("fixtures/a.vec", b"fixture"), ("src/demo.vec", &demo)]);
    let (_, pack) = repo.seal(&[]);
    assert!(pack.join("repo/fixtures/a.vec").exists() && pack.join("repo/src/demo.vec").exists());
    push(&repo, &pack).ok();
    // A rule that is withdrawn counts at once, although the pack still says otherwise.
    set_rules(&repo, "");
    repo.git(&["rm", "-q", "fixtures/a.vec", "src/demo.vec"]).ok();
    repo.commit("withdrawn");
    let (_, again) = repo.seal(&["--rev", "HEAD~1", "-o", "../again", "--created", "2026-02-01T00:00:00Z"]);
    let done = push(&repo, &again);
    assert_blocked(&done, "repo/fixtures/a.vec");
    assert!(done.stderr.contains("today's rules"), "{}", done.stderr);
}

/// Gain: whoever prepares a pack brings the rules that release its files along.
#[test]
fn what_a_pack_brings_along_releases_nothing() {
    // A pack that is sound by its own rules, sealed in a repository that releases everything.
    let theirs = world(
        RELEASED,
        &[
            ("fixtures/a.vec", b"fixture"),
            ("fixtures/.gitpack.toml", b"version = 1\n"),
        ],
    );
    let (_, pack) = theirs.seal(&[]);
    let ours = world("", &[]);
    let done = push(&ours, &pack);
    assert_blocked(&done, "repo/fixtures/a.vec");
    // The same with its rules at the top of the tree that the ref leads to.
    let copy = ours.place.path().join("copy");
    ours.place
        .run(ours.place.path(), "cp", &["-r", pack.to_str().unwrap(), "copy"])
        .ok();
    fs::copy(pack.join("repo/.gitpack.toml"), copy.join(".gitpack.toml")).unwrap();
    let tree = "GIT_INDEX_FILE=../index git --work-tree=../copy add -A -f . && GIT_INDEX_FILE=../index git write-tree";
    let tree = ours.place.run(&ours.root, "sh", &["-c", tree]).ok().out();
    let done = ours.git(&[
        "push",
        "origin",
        &format!("{}:refs/gitpack/packs/{}", tree.trim(), "a".repeat(64)),
    ]);
    assert_ne!(done.code, 0, "{}", done.stderr);
    assert!(done.stderr.contains("repo/fixtures/a.vec"), "{}", done.stderr);
    // Rules that are committed here, and that the remote does not have yet.
    set_rules(&ours, RELEASED);
    ours.commit("released");
    let done = push(&ours, &pack);
    assert_blocked(&done, "repo/fixtures/a.vec");
    ours.git(&["push", "-q", "origin", "main"]).ok();
    push(&ours, &pack).ok();
}

/// Gain: a rule protects a path from the top, and the pack has its copy below `repo/`.
#[test]
fn copies_are_judged_by_the_paths_of_their_entries_too() {
    let theirs = world("", &[("private/notes.txt", b"confidential")]);
    let (_, pack) = theirs.seal(&[]);
    let ours = world("[[protect]]\nclass = \"notes\"\npaths = [\"private/**\"]\n", &[]);
    assert_blocked(&push(&ours, &pack), "repo/private/notes.txt");
    // A rule about a directory that is called like the one of copies.
    let ours = world("[[protect]]\nclass = \"notes\"\npaths = [\"repo/**\"]\n", &[]);
    assert_blocked(&push(&ours, &pack), "repo/private/notes.txt");
    let ours = world("", &[]);
    push(&ours, &pack).ok();
}

/// Gain: a tree is made to look like a pack, so that its files are judged by other paths.
#[test]
fn a_tree_that_only_looks_like_a_pack_is_judged_as_it_is() {
    let repo = world(RELEASED, &[("fixtures/a.vec", b"fixture")]);
    let (_, pack) = repo.seal(&[]);
    let copy = repo.place.path().join("copy");
    repo.place
        .run(repo.place.path(), "cp", &["-r", pack.to_str().unwrap(), "copy"])
        .ok();
    fs::write(copy.join("repo/fixtures/more.vec"), "not in the manifest").unwrap();
    let tree = "GIT_INDEX_FILE=../index git --work-tree=../copy add -A -f . && GIT_INDEX_FILE=../index git write-tree";
    let tree = repo.place.run(&repo.root, "sh", &["-c", tree]).ok().out();
    let done = repo.git(&[
        "push",
        "origin",
        &format!("{}:refs/gitpack/packs/{}", tree.trim(), "b".repeat(64)),
    ]);
    assert_ne!(done.code, 0, "{}", done.stderr);
    assert!(done.stderr.contains("repo/fixtures/more.vec"), "{}", done.stderr);
    assert!(done.stderr.contains("PACK_INVALID"), "{}", done.stderr);
}
