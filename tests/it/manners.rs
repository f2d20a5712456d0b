//! How the commands treat the person who types them: warnings, advice, dry runs, and what is left behind.

use std::fs;

use crate::common::{Repo, noise, snapshot};

/// Everything in the repository, its git directory included.
fn everything(repo: &Repo) -> Vec<(std::path::PathBuf, u32, Vec<u8>)> {
    snapshot(&repo.root)
}

#[test]
fn removing_your_own_key_is_told() {
    let repo = Repo::set_up();
    let own = repo.pack(&["recipients", "list"]).ok().out().trim().to_owned();
    let other = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    repo.pack(&["recipients", "add", other]).ok();
    let removed = repo.pack(&["recipients", "remove", other]).ok();
    assert!(!removed.stderr.contains("your own key"), "{}", removed.stderr);
    let removed = repo.pack(&["recipients", "remove", &own]).ok();
    assert!(removed.stderr.contains("this is your own key"), "{}", removed.stderr);
}

#[test]
fn a_missing_identity_is_asked_for_by_its_flag() {
    let repo = Repo::set_up();
    repo.write("a.vec", noise(1, 100));
    let (_, pack) = repo.seal(&["--attach", "a.vec"]);
    fs::remove_file(repo.identity()).unwrap();
    let refused = repo.pack(&["open", pack.to_str().unwrap()]);
    assert!(refused.stderr.contains("-i FILE"), "{}", refused.stderr);
    refused.refused("E_NO_IDENTITY");
    let places = repo.pack(&["key", "list"]).ok().out();
    assert!(!places.contains("in use"), "{places}");
}

#[test]
fn a_blocked_key_is_not_released_by_a_rule() {
    let repo = Repo::set_up();
    let key = repo.place.path().join("key");
    let args = ["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()];
    repo.place.run(&repo.root, "ssh-keygen", &args).ok();
    fs::copy(&key, repo.path("deploy")).unwrap();
    repo.git(&["add", "deploy"]).ok();
    let blocked = repo.git(&["commit", "-q", "-m", "key"]);
    assert_eq!(blocked.code, 1);
    assert!(
        blocked.stderr.contains("no [[protect]] rule releases a key"),
        "{}",
        blocked.stderr
    );
    assert!(!blocked.stderr.contains("or change the rules"), "{}", blocked.stderr);
}

#[test]
fn what_is_no_pack_is_not_to_be_sealed_again() {
    let repo = Repo::set_up();
    for name in ["nope", "README.md/", "."] {
        let refused = repo.pack(&["verify", name]);
        assert_eq!(refused.code, 2, "{name}");
        assert!(!refused.stderr.contains("seal it again"), "{name}: {}", refused.stderr);
    }
    let refused = repo.pack(&["verify", "nope"]);
    assert!(refused.stderr.contains("git pack list"), "{}", refused.stderr);
}

#[test]
fn the_same_pack_at_a_named_output_is_no_mistake() {
    let repo = Repo::set_up();
    let first = repo.pack(&["seal", "-o", "../pack"]).ok();
    let again = repo.pack(&["seal", "-o", "../pack"]).ok();
    assert_eq!(first.out(), again.out());
    assert!(again.stderr.contains("already existed"), "{}", again.stderr);
    repo.write("README.md", "other\n");
    repo.commit("other");
    let before = snapshot(&repo.path("../pack"));
    repo.pack(&["seal", "-o", "../pack"]).refused("E_IO");
    assert_eq!(snapshot(&repo.path("../pack")), before);
    let names = fs::read_dir(repo.place.path()).unwrap().count();
    assert_eq!(names, 3, "home, repo and pack");
}

#[test]
fn uninstall_says_what_remains_and_purge_removes_the_clones_part() {
    let repo = Repo::set_up();
    repo.write("a.vec", noise(2, 100));
    repo.seal(&["--emit", "lite", "--attach", "a.vec"]);
    repo.git(&["config", "gitpack.maxRefs", "1000"]).ok();
    let told = repo.pack(&["uninstall"]).ok();
    for what in [
        ".git/gitpack/",
        "refs/gitpack/runs/",
        "gitpack.maxrefs",
        ".gitpack.toml",
        "_PACK_RUN",
        "identity.txt",
    ] {
        assert!(told.out().contains(what), "{what}: {}", told.out());
    }
    assert!(told.stderr.contains("git pack uninstall --purge"), "{}", told.stderr);
    assert!(repo.path(".git/gitpack/cas").exists());
    // An identity in the directory stays, and so does what others put there.
    let hidden = repo.path(".git/gitpack/my-key.txt");
    fs::copy(repo.identity(), &hidden).unwrap();
    repo.git(&["config", "gitpack.identity", hidden.to_str().unwrap()]).ok();
    repo.pack(&["uninstall", "--purge"]).ok();
    let left: Vec<_> = fs::read_dir(repo.path(".git/gitpack"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["my-key.txt"]);
    assert_eq!(repo.git(&["for-each-ref", "refs/gitpack"]).ok().out(), "");
    assert_eq!(repo.git(&["config", "--get-regexp", "^gitpack"]).out(), "");
    assert!(repo.identity().exists() && repo.path(".gitpack.toml").exists());
    fs::remove_file(&hidden).unwrap();
    let again = repo.pack(&["uninstall", "--purge"]).ok();
    assert!(!repo.path(".git/gitpack").exists() || fs::read_dir(repo.path(".git/gitpack")).unwrap().count() == 0);
    assert!(!again.out().contains("refs/gitpack"), "{}", again.out());
}

#[test]
fn a_dry_run_changes_nothing() {
    let repo = Repo::empty();
    repo.write("README.md", "hello\n");
    let other = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    let unchanged = |args: &[&str]| {
        let (before, home) = (everything(&repo), snapshot(&repo.place.home()));
        let done = repo.pack(args).ok();
        assert!(
            everything(&repo) == before && snapshot(&repo.place.home()) == home,
            "{args:?}"
        );
        let said = format!("{}{}", done.out(), done.stderr);
        assert!(
            said.contains("would be") || said.contains("dry run: nothing was changed"),
            "{args:?}: {said}"
        );
    };
    unchanged(&["init", "--dry-run"]);
    unchanged(&["install", "--dry-run"]);
    repo.pack(&["init"]).ok();
    repo.commit("first");
    let own = repo.pack(&["recipients", "list"]).ok().out();
    unchanged(&["init", "-n"]);
    unchanged(&["recipients", "add", other, "--dry-run"]);
    unchanged(&["recipients", "remove", own.trim(), "--dry-run"]);
    unchanged(&["uninstall", "--dry-run"]);
    unchanged(&["uninstall", "--purge", "--dry-run"]);
}
