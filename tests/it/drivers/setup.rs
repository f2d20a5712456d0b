//! Where the drivers are configured, and how they are left out.

use std::fs;

use super::{LINE, SECRET, sealed, text};
use crate::common::{Place, Repo};

fn configured(repo: &Repo) -> String {
    repo.git(&["config", "--local", "--get-regexp", "^(diff|merge)[.]gitpack[.]"])
        .out()
}

#[test]
fn init_and_protect_configure_the_clone_and_uninstall_removes_it() {
    let repo = Repo::empty();
    let init = repo.pack(&["init"]).ok().out();
    assert!(init.contains("drivers    git compares and merges"), "{init}");
    let whole = configured(&repo);
    for key in [
        "diff.gitpack.textconv",
        "diff.gitpack.cachetextconv false",
        "merge.gitpack.driver",
        "merge.gitpack.recursive binary",
    ] {
        assert!(whole.contains(key), "{whole}");
    }
    let again = repo.pack(&["install"]).ok().out();
    assert!(!again.contains("drivers"), "{again}");
    let removed = repo.pack(&["uninstall"]).ok().out();
    assert!(removed.contains("drivers"), "{removed}");
    assert_eq!(configured(&repo), "");
    assert!(
        !fs::read_to_string(repo.path(".git/config"))
            .unwrap()
            .contains("gitpack")
    );
    let removed = repo.pack(&["uninstall"]).ok().out();
    assert!(!removed.contains("drivers"), "{removed}");
    repo.write("a.txt", "secret");
    repo.pack(&["protect", "a.txt"]).ok();
    assert_eq!(configured(&repo), whole);
    // What somebody changed is repaired.
    repo.git(&["config", "--add", "diff.gitpack.cachetextconv", "true"])
        .ok();
    repo.git(&["config", "diff.gitpack.textconv", "cat"]).ok();
    repo.pack(&["install"]).ok();
    assert_eq!(configured(&repo), whole);
}

#[test]
fn a_server_gets_no_drivers() {
    let place = Place::new();
    place.run(place.path(), "git", &["init", "-q", "--bare", "bare"]).ok();
    let bare = place.path().join("bare");
    place.pack_in(&bare, &["init", "--server"]).ok();
    assert!(!fs::read_to_string(bare.join("config")).unwrap().contains("gitpack"));
}

#[test]
fn a_clone_may_do_without_the_drivers() {
    let repo = Repo::set_up();
    repo.git(&["config", "gitpack.drivers", "false"]).ok();
    repo.pack(&["install"]).ok();
    assert_eq!(configured(&repo), "");
    sealed(&repo, &text(&[]));
    sealed(&repo, &text(&[(1, "changed")]));
    assert_eq!(configured(&repo), "");
    assert_eq!(
        fs::read_to_string(repo.path(".gitattributes")).unwrap(),
        "*.age -text\n"
    );
    assert!(!repo.git(&["log", "-p"]).ok().out().contains(SECRET));
    repo.git(&["config", "gitpack.drivers", "true"]).ok();
    sealed(&repo, &text(&[(2, "changed")]));
    assert_eq!(
        fs::read_to_string(repo.path(".gitattributes")).unwrap(),
        format!("{LINE}\n")
    );
    assert!(repo.git(&["log", "-p"]).ok().out().contains(SECRET));
}

#[test]
fn a_path_with_odd_characters_works() {
    let repo = Repo::set_up();
    let odd = repo.place.path().join("it's 100%A here");
    fs::create_dir(&odd).unwrap();
    let program = odd.join("git-pack");
    repo.place.copy_binary(&program);
    super::sealed(&repo, &text(&[]));
    let program = program.to_str().unwrap();
    repo.place.run(&repo.root, program, &["install"]).ok();
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    for (branch, change) in [("other", (1, "theirs")), ("main", (8, "ours"))] {
        repo.git(&["checkout", "-q", branch]).ok();
        repo.pack(&["reveal"]).ok();
        repo.write("a.txt", text(&[change]));
        repo.place.run(&repo.root, program, &["protect", "a.txt"]).ok();
        repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    }
    let mut command = repo.place.command("git", &repo.root);
    // The program is found nowhere else, so the hooks are left out.
    command.args(["merge", "-q", "--no-verify", "-m", "merged", "other"]);
    command.env("PATH", std::env::var("PATH").unwrap());
    crate::common::Done::from(command.output().unwrap()).ok();
    assert_eq!(
        super::opened(&repo, "HEAD:a.txt.age"),
        text(&[(1, "theirs"), (8, "ours")])
    );
    assert!(repo.git(&["show", "other"]).ok().out().contains(SECRET));
}
