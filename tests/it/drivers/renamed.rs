//! Twins that git renamed, and twins for others than the configured recipients.

use std::fs;

use super::{sealed, text, with_identity, without_identity};
use crate::common::Repo;

/// Gain: `git mv` of a twin gives its plaintext a name that nothing ignores, and `git add -A` publishes it.
#[test]
fn a_plaintext_is_ignored_before_it_is_revealed() {
    let repo = Repo::set_up();
    sealed(&repo, &text(&[]));
    repo.git(&["mv", "a.txt.age", "b.txt.age"]).ok();
    let done = repo.pack(&["reveal", "b.txt"]).ok();
    for said in [
        "b.txt was not ignored; .gitignore has a line for it now",
        "a.txt is still on disk, and a.txt.age does not stand beside it any more",
    ] {
        assert!(done.stderr.contains(said), "{}", done.stderr);
    }
    assert!(
        fs::read_to_string(repo.path(".gitignore"))
            .unwrap()
            .contains("\n/b.txt\n")
    );
    let status = repo.git(&["status", "--porcelain", "-uall"]).ok().out();
    assert!(!status.contains("b.txt\n"), "{status}");
    // It is said once.
    let again = repo.pack(&["reveal", "b.txt"]).ok().stderr;
    assert!(!again.contains("b.txt"), "{again}");
    // Where a deeper file includes it again, only a person can help.
    fs::create_dir(repo.path("d")).unwrap();
    repo.write("d/.gitignore", "!c.txt\n");
    repo.git(&["mv", "b.txt.age", "d/c.txt.age"]).ok();
    let done = repo.pack(&["reveal", "d/c.txt"]).ok();
    assert!(done.stderr.contains("d/c.txt is not ignored"), "{}", done.stderr);
}

#[test]
fn a_twin_for_other_recipients_is_named() {
    let repo = Repo::set_up();
    sealed(&repo, &text(&[]));
    let own = repo.pack(&["recipients", "list"]).ok().out();
    let other = repo.place.path().join("other");
    let other = other.to_str().unwrap();
    repo.pack(&["key", "generate", "--output", other]).ok();
    let other = repo.pack(&["key", "public", other]).ok().out();
    let said = "for other recipients than .gitpack.toml names";
    repo.pack(&["recipients", "add", other.trim()]).ok();
    let check = repo.pack(&["protect", "--check"]);
    assert_eq!(check.code, 1);
    assert!(check.out().contains(said), "{}", check.out());
    assert!(repo.pack(&["status"]).shown().out().contains(said));
    // The header is enough, also without notes and without an identity.
    without_identity(&repo);
    fs::remove_dir_all(repo.path(".git/gitpack/twins")).unwrap();
    assert!(repo.pack(&["protect", "--check"]).out().contains(said));
    with_identity(&repo);
    let rekey = ["rekey", "a.txt.age", "-o", "a.txt.age", "--replace"];
    repo.pack(&rekey).ok();
    repo.git(&["add", "a.txt.age"]).ok();
    repo.pack(&["protect", "--check"]).ok();
    // Another recipient of the same kind: only the note of the clone that sealed it tells.
    repo.write("a.txt", text(&[(1, "changed")]));
    repo.pack(&["protect", "a.txt"]).ok();
    repo.pack(&["protect", "--check"]).ok();
    repo.pack(&["recipients", "remove", own.trim()]).ok();
    let third = repo.place.path().join("third");
    let third = third.to_str().unwrap();
    repo.pack(&["key", "generate", "--output", third]).ok();
    let third = repo.pack(&["key", "public", third]).ok().out();
    repo.pack(&["recipients", "add", third.trim()]).ok();
    let check = repo.pack(&["protect", "--check"]).out();
    assert!(check.contains(said), "{check}");
}

/// Loss: the list of recipients is sealed, and nobody can seal or open for them any more.
#[test]
fn files_that_git_pack_reads_are_not_sealed() {
    let repo = Repo::set_up();
    let own = repo.pack(&["recipients", "list"]).ok().out();
    repo.write("team.txt", own.as_str());
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(
        ".gitpack.toml",
        config.replace("[seal]\n", "[seal]\nrecipients_file = \"team.txt\"\n"),
    );
    repo.pack(&["recipients", "list"]).ok();
    for file in ["team.txt", ".gitpack.toml", ".gitattributes", ".gitignore"] {
        if !repo.path(file).exists() {
            repo.write(file, "x\n");
        }
        let refused = repo.pack(&["protect", file]).refused("E_USAGE").to_string();
        assert!(refused.contains("must stay in plaintext"), "{refused}");
        assert!(!repo.path(&format!("{file}.age")).exists());
    }
}

#[test]
fn status_tells_of_the_drivers() {
    let repo = Repo::set_up();
    let says = |words: &str| {
        let status = repo.pack(&["status"]).shown().out();
        let row = status.lines().find(|line| line.starts_with("drivers ")).unwrap();
        assert!(row.contains(words), "{row}");
    };
    says("set: git compares and merges sealed twins");
    without_identity(&repo);
    says("no identity here");
    repo.pack(&["uninstall"]).ok();
    says("not set");
    let install = repo.pack(&["install"]).ok().out();
    assert!(
        install.contains("drivers    set, but there is no identity here"),
        "{install}"
    );
    with_identity(&repo);
    repo.git(&["config", "diff.gitpack.textconv", "cat"]).ok();
    says("by another program or by hand");
    repo.git(&["config", "gitpack.drivers", "false"]).ok();
    says("off: git config gitpack.drivers is false");
}
