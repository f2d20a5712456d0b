//! What `git diff`, `git log -p` and `git show` print.

use std::fs;

use super::{LINE, SECRET, branches, git_keeps_nothing, locked, sealed, text, with_identity, without_identity};
use crate::common::{GIT_PACK, Repo, noise};

/// The commands that show the change of the last commit.
const SHOWN: [&[&str]; 4] = [
    &["diff", "HEAD^"],
    &["diff", "--cached", "HEAD^"],
    &["log", "-p", "-1"],
    &["show"],
];

fn changed() -> Repo {
    let repo = Repo::set_up();
    sealed(&repo, &text(&[]));
    sealed(&repo, &text(&[(4, "new")]));
    repo
}

#[test]
fn whoever_has_the_identity_sees_the_change_of_the_plaintext() {
    let repo = changed();
    for command in SHOWN {
        let shown = repo.git(command).ok();
        for line in [
            format!("-{SECRET} 4: base"),
            format!("+{SECRET} 4: new"),
            format!(" {SECRET} 3: base"),
        ] {
            assert!(shown.out().contains(&line), "{command:?}: {}", shown.out());
        }
        assert!(!shown.out().contains("age-encryption.org"), "{command:?}");
        assert_eq!(shown.stderr, "", "{command:?}");
    }
    let blame = repo.git(&["blame", "a.txt.age"]).ok().out();
    assert_eq!(blame.matches(SECRET).count(), 10, "{blame}");
    git_keeps_nothing(&repo);
}

#[test]
fn others_see_that_the_twin_changed() {
    let repo = changed();
    without_identity(&repo);
    for command in SHOWN {
        let shown = repo.git(command).ok();
        let lines: Vec<String> = shown.out().lines().map(str::to_owned).collect();
        for sign in ["-sealed, sha256:", "+sealed, sha256:"] {
            let line = lines.iter().find(|line| line.starts_with(sign));
            let line = line.unwrap_or_else(|| panic!("{command:?}: {lines:?}"));
            assert!(line.ends_with(": no identity here opens it"), "{line}");
        }
        assert!(!shown.out().contains(SECRET), "{command:?}");
        // It says the same each time.
        assert_eq!(shown.out(), repo.git(command).ok().out());
    }
}

#[test]
fn another_ciphertext_of_one_plaintext_is_no_change() {
    let repo = Repo::set_up();
    sealed(&repo, &text(&[]));
    fs::remove_file(repo.path("a.txt.age")).unwrap();
    sealed(&repo, &text(&[]));
    let shown = repo.git(&["diff", "HEAD^"]).ok().out();
    assert!(!shown.contains("\n@@"), "{shown}");
    without_identity(&repo);
    let shown = repo.git(&["diff", "HEAD^"]).ok().out();
    assert!(shown.contains("+sealed, sha256:"), "{shown}");
}

#[test]
fn binary_plaintext_is_described_and_not_printed() {
    let repo = Repo::set_up();
    for seed in [1, 2] {
        repo.write("a.txt", [&noise(seed, 5000)[..], &[0]].concat());
        repo.pack(&["protect", "a.txt"]).ok();
        repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    }
    let shown = repo.git(&["diff", "HEAD^"]).ok().out();
    assert!(shown.contains("-sealed, binary, 5001 bytes, content "), "{shown}");
    assert!(shown.contains("+sealed, binary, 5001 bytes, content "), "{shown}");
    // The mark is not the digest of the plaintext.
    let digest = gitpack::format::digest::Digest::of(&fs::read(repo.path("a.txt")).unwrap());
    assert!(!shown.contains(&digest.hex()[..12]), "{shown}");
}

#[test]
fn damage_is_said_and_git_goes_on() {
    let repo = changed();
    let twin = fs::read(repo.path("a.txt.age")).unwrap();
    let flipped = [&twin[..twin.len() - 1], &[twin[twin.len() - 1] ^ 1]].concat();
    let converted = twin.iter().flat_map(|byte| match byte {
        b'\n' => vec![b'\r', b'\n'],
        byte => vec![*byte],
    });
    for (content, said) in [
        (flipped, "it is damaged"),
        (b"age-encryption.org/v1\n".to_vec(), "it is damaged"),
        (converted.collect(), "its line ends were converted"),
        (Vec::new(), "deleted"),
    ] {
        fs::write(repo.path("a.txt.age"), &content).unwrap();
        let shown = repo.git(&["diff"]).ok().out();
        let is_said = shown.contains(&format!(": {said}\n")) || said == "deleted" && shown.contains("@@ -1,10 +0,0 @@");
        assert!(is_said, "{said}: {shown}");
    }
}

#[test]
fn a_locked_identity_is_not_asked_for() {
    let repo = changed();
    let locked = locked(&repo);
    let mut command = repo.place.command("git", &repo.root);
    command.args(["diff", "HEAD^"]).env("GIT_PACK_IDENTITY", &locked);
    let shown = crate::common::Done::from(command.output().unwrap()).ok();
    assert!(
        shown.out().contains(": the identity needs a passphrase or a plugin\n"),
        "{}",
        shown.out()
    );
}

/// Gain: a commit that names the driver for other files hides their changes, or makes git fail.
#[test]
fn files_that_are_not_sealed_are_compared_as_they_are() {
    let repo = Repo::set_up();
    repo.write(".gitattributes", "* diff=gitpack\n");
    repo.write("plain", "one\n");
    repo.write("-odd name", "one\n");
    repo.write("binary", noise(1, 3000));
    repo.commit("files");
    repo.write("plain", "two\n");
    repo.write("-odd name", "two\n");
    repo.write("empty", "");
    repo.commit("changed");
    let shown = repo.git(&["show"]).ok();
    assert_eq!(shown.out().matches("-one\n+two\n").count(), 2, "{}", shown.out());
    assert_eq!(shown.stderr, "");
    repo.write("-odd name", "three\n");
    assert!(repo.git(&["diff"]).ok().out().contains("-two\n+three\n"));
}

/// Gain: a repository or a machine is set up so that git keeps what a diff driver prints, in `refs/notes/textconv`.
#[test]
fn git_is_never_given_a_plaintext_to_keep() {
    let repo = changed();
    let own = repo
        .git(&["config", "--local", "--get", "diff.gitpack.cachetextconv"])
        .ok();
    assert_eq!(own.out(), "false\n");
    // The user's configuration has no say against that of the clone, but the command line has.
    for key in ["diff.gitpack.cachetextconv=true", "diff.gitpack.cacheTextconv"] {
        let shown = repo.git(&["-c", key, "log", "-p"]).ok().out();
        assert!(
            shown.contains("cachetextconv would keep the plaintext in .git\n"),
            "{shown}"
        );
        assert!(!shown.contains(SECRET));
    }
    repo.git(&["config", "--local", "diff.gitpack.cachetextconv", "true"])
        .ok();
    assert!(!repo.git(&["log", "-p"]).ok().out().contains(SECRET));
    git_keeps_nothing(&repo);
    // Setting up again repairs it.
    repo.pack(&["install"]).ok();
    assert!(repo.git(&["log", "-p"]).ok().out().contains(SECRET));
    git_keeps_nothing(&repo);
}

/// `git commit -v` writes the changes below the message, into a file in `.git` that stays there.
#[test]
fn the_message_of_a_commit_never_gets_a_plaintext() {
    let repo = changed();
    repo.write("a.txt", text(&[(7, "again")]));
    repo.pack(&["protect", "a.txt"]).ok();
    let mut command = repo.place.command("git", &repo.root);
    command.args(["commit", "-v"]).env("GIT_EDITOR", "sed -i 1s/^/message/");
    crate::common::Done::from(command.output().unwrap()).ok();
    let message = fs::read_to_string(repo.path(".git/COMMIT_EDITMSG")).unwrap();
    assert!(message.contains("+sealed, sha256:"), "{message}");
    assert!(
        message.contains("because git writes this into a file in .git"),
        "{message}"
    );
    git_keeps_nothing(&repo);
    // In a linked worktree, the message is in another directory of git's.
    repo.git(&["worktree", "add", "-q", "-b", "linked", "../linked", "HEAD^"])
        .ok();
    let linked = repo.place.path().join("linked");
    repo.place.pack_in(&linked, &["reveal"]).ok();
    fs::write(linked.join("a.txt"), text(&[(2, "linked")])).unwrap();
    repo.place.pack_in(&linked, &["protect", "a.txt"]).ok();
    assert!(
        repo.place
            .run(&linked, "git", &["diff", "--cached"])
            .ok()
            .out()
            .contains(SECRET)
    );
    let mut command = repo.place.command("git", &linked);
    command.args(["commit", "-v"]).env("GIT_EDITOR", "sed -i 1s/^/message/");
    crate::common::Done::from(command.output().unwrap()).ok();
    git_keeps_nothing(&repo);
}

#[test]
fn git_goes_on_without_the_program() {
    let repo = changed();
    let moved = repo.place.path().join("moved");
    repo.place.copy_binary(&moved);
    repo.place.run(&repo.root, moved.to_str().unwrap(), &["install"]).ok();
    assert!(repo.git(&["show"]).ok().out().contains(SECRET));
    fs::remove_file(&moved).unwrap();
    // The program on the path takes its place.
    assert!(repo.git(&["show"]).ok().out().contains(SECRET));
    let mut command = repo.place.command("git", &repo.root);
    let path = std::env::var("PATH").unwrap();
    command.arg("show").env("PATH", &path);
    let shown = crate::common::Done::from(command.output().unwrap()).ok();
    assert!(shown.out().contains("+sealed, blob "), "{}", shown.out());
    assert!(shown.out().contains(": git-pack cannot be run\n"), "{}", shown.out());
    assert!(!path.contains(std::path::Path::new(GIT_PACK).parent().unwrap().to_str().unwrap()));
}

#[test]
fn patches_for_others_have_no_plaintext() {
    let repo = changed();
    let patch = repo.git(&["format-patch", "--stdout", "-1"]).ok();
    assert!(!patch.out().contains(SECRET));
    let archive = repo.git(&["archive", "HEAD"]).ok();
    assert!(memchr::memmem::find(&archive.stdout, SECRET.as_bytes()).is_none());
}

#[test]
fn a_clone_shows_plaintext_once_it_is_set_up() {
    let repo = branches(&text(&[]), &text(&[(1, "ours")]), &text(&[(8, "theirs")]));
    assert!(fs::read_to_string(repo.path(".gitattributes")).unwrap().contains(LINE));
    repo.place
        .run(repo.place.path(), "git", &["clone", "-q", "repo", "clone"])
        .ok();
    let clone = repo.place.path().join("clone");
    let show = |words: &[&str]| repo.place.run(&clone, "git", words).ok().out();
    assert!(!show(&["log", "-p"]).contains(SECRET));
    repo.place.pack_in(&clone, &["install"]).ok();
    assert!(show(&["log", "-p"]).contains(SECRET));
    without_identity(&repo);
    assert!(!show(&["log", "-p"]).contains(SECRET));
    with_identity(&repo);
}
