//! The advice of refusals: it is true, and its commands can be typed as they stand.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::common::{Done, GIT_PACK, Place, Repo, write};

/// Runs a command as it was advised.
fn typed(repo: &Repo, command: &str) -> Done {
    repo.place.run(&repo.root, "sh", &["-c", command])
}

fn next(refused: &Value) -> &str {
    refused["refusal"]["next_command"].as_str().unwrap()
}

#[test]
fn a_commit_from_before_the_configuration_is_sealed_for_the_recipients_of_today() {
    let repo = Repo::empty();
    repo.write("a.vec", "x");
    repo.commit("before");
    repo.pack(&["init"]).ok();
    // The configuration is not committed, so committing it helps.
    for args in [&["seal"][..], &["seal", "--rev", "HEAD", "a.vec"]] {
        let refused = repo.pack(args).refused("E_NO_RECIPIENTS");
        assert!(next(&refused).starts_with("git add .gitpack.toml"), "{refused}");
    }
    repo.git(&["rm", "-q", "--cached", "a.vec"]).ok();
    repo.git(&["add", ".gitpack.toml"]).ok();
    repo.git(&["commit", "-q", "-m", "configured"]).ok();
    for args in [&["seal", "--rev", "HEAD~1"][..], &["seal", "--rev", "HEAD~1", "a.vec"]] {
        let refused = repo.pack(args).refused("E_NO_RECIPIENTS");
        let sealed = typed(&repo, next(&refused)).ok();
        assert!(sealed.out().starts_with("PACK_CREATED "), "{}", sealed.out());
    }
}

#[test]
fn a_place_with_two_packs_is_listed() {
    let repo = Repo::set_up();
    let url = format!("file://{}", repo.place.path().join("store").display());
    fs::create_dir(repo.place.path().join("store")).unwrap();
    let mut ids = Vec::new();
    for note in ["one", "two"] {
        let to = format!("../{note}");
        ids.push(repo.seal(&["--note", note, "-o", &to]).0);
        repo.pack(&["push", &to, &url]).ok();
    }
    let refused = repo.pack(&["pull", &url, "-o", "../back"]).refused("E_USAGE");
    assert_eq!(next(&refused), format!("git pack list {url}"));
    let listed = typed(&repo, next(&refused)).ok().out();
    assert!(ids.iter().all(|id| listed.contains(id)), "{listed}");
    // Outside of a repository there is no list of packs.
    let place = Place::new();
    let done = place.pack_in(place.path(), &["verify", "nothing"]);
    assert!(
        done.stderr.contains("in a repository, git pack list"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_missing_identity_is_told_with_who_named_it() {
    let repo = Repo::set_up();
    repo.write("a.vec", "x");
    repo.seal(&["--attach", "a.vec", "-o", "../pack"]);
    let open = ["open", "../pack", "-o", "../opened"];
    let mut named = repo.place.command(GIT_PACK, &repo.root);
    let done = Done::from(named.args(open).env("GIT_PACK_IDENTITY", "/absent").output().unwrap());
    assert!(done.stderr.contains("unset GIT_PACK_IDENTITY"), "{}", done.stderr);
    let refused = done.refused("E_NO_IDENTITY");
    let message = refused["refusal"]["message"].as_str().unwrap();
    assert!(
        message.contains("/absent") && message.contains("GIT_PACK_IDENTITY names it"),
        "{message}"
    );

    repo.git(&["config", "gitpack.identity", "/absent"]).ok();
    let done = repo.pack(&open);
    assert!(
        done.stderr.contains("gitpack.identity in git's configuration names it"),
        "{}",
        done.stderr
    );
    typed(&repo, "git config --unset gitpack.identity").ok();

    // What is no identity is not to be closed to others.
    fs::set_permissions(repo.path("README.md"), fs::Permissions::from_mode(0o644)).unwrap();
    let done = repo.pack(&[&open[..], &["-i", "README.md"]].concat());
    assert!(
        !done.stderr.contains("chmod") && done.stderr.contains("line 1: expected an identity"),
        "{}",
        done.stderr
    );
    done.refused("E_NO_IDENTITY");

    fs::rename(repo.identity(), repo.place.path().join("key")).unwrap();
    let refused = repo.pack(&open).refused("E_NO_IDENTITY");
    assert!(repo.pack(&["key", "list"]).stderr.contains("git pack key generate"));
    assert!(repo.pack(&["status"]).out().contains("git pack key generate"));
    typed(&repo, next(&refused)).ok();
    assert!(repo.identity().exists());
    assert!(!repo.pack(&["key", "list"]).stderr.contains("git pack key generate"));
}

#[test]
fn hooks_without_a_configuration_and_an_empty_path_of_hooks_can_be_mended() {
    let repo = Repo::empty();
    repo.git(&["config", "core.hooksPath", ""]).ok();
    let done = repo.pack(&["install"]);
    let hint = done.stderr.lines().find_map(|line| line.strip_prefix("  try        "));
    typed(&repo, hint.unwrap()).ok();
    repo.pack(&["install"]).ok();
    repo.write("a.vec", "x");
    repo.git(&["add", "-f", "a.vec"]).ok();
    let status = repo.pack(&["status"]).shown().out();
    let advised = status.lines().find_map(|line| line.strip_prefix("next         "));
    typed(&repo, advised.unwrap()).ok();
    assert!(repo.path("a.vec.age").exists(), "{status}");
}

#[test]
fn the_next_command_has_no_words_for_people() {
    let place = Place::new();
    write(&place.path().join("x"), "x");
    let refused = place.pack_in(place.path(), &["seal", "x", "--pad"]).refused("E_USAGE");
    assert_eq!(next(&refused), "git pack init");
    let repo = Repo::set_up();
    let refused = repo
        .place
        .pack_in(repo.place.path(), &["seal", "repo/README.md"])
        .refused("E_USAGE");
    let command = format!("{} && git pack seal README.md -o ../pack", next(&refused));
    repo.place.run(repo.place.path(), "sh", &["-c", &command]).ok();

    repo.seal(&[]);
    fs::remove_dir_all(repo.path(".git/gitpack/cas")).unwrap();
    let done = repo.pack(&["seal"]);
    let said = done.stderr.clone();
    let again = said.split("to seal again: ").nth(1).map(str::trim);
    assert_eq!(typed(&repo, next(&done.refused("E_AUDIT"))).code, 1);
    typed(&repo, again.unwrap()).ok();
}
