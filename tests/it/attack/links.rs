//! Symbolic links that a repository tracks, and commands that would write through them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use crate::common::packs::{assert_same, standing};
use crate::common::{Done, Repo};

/// A repository, and a directory outside of it that no command may write to.
struct Scene {
    repo: Repo,
    away: PathBuf,
}

impl Scene {
    fn of(repo: Repo) -> Self {
        let away = repo.place.path().join("away");
        fs::create_dir(&away).unwrap();
        fs::write(away.join("victim"), "theirs\n").unwrap();
        Self { repo, away }
    }

    /// Makes the repository track a link.
    fn track(&self, link: &str, target: &str) {
        let path = self.repo.path(link);
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap();
        }
        drop(fs::remove_file(&path));
        symlink(target, path).unwrap();
        self.repo.git(&["add", "-f", link]).ok();
        self.repo.git(&["commit", "-q", "--no-verify", "-m", link]).ok();
    }

    /// Runs a command that must be refused because of the link, and must change nothing outside the repository or in
    /// its work tree.
    #[track_caller]
    fn refuses(&self, args: &[&str]) {
        let before = [standing(&self.away), standing(&self.repo.root)];
        let done = self.repo.pack(args);
        let words = done.stderr.clone();
        done.refused("E_IO");
        assert!(words.contains("link") && words.contains("try"), "{args:?}: {words}");
        let after = [standing(&self.away), standing(&self.repo.root)];
        for (before, after) in before.iter().zip(&after) {
            assert_same(before, after, &args.join(" "));
        }
    }
}

/// Tracks a sealed twin whose plaintext is not tracked.
fn with_twin(repo: &Repo, path: &str) {
    repo.write(path, "secret\n");
    repo.pack(&["protect", path]).ok();
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "-m", "twin"]).ok();
}

/// Gain: a cloned repository appends lines to a file that the attacker chooses, such as `~/.profile`.
#[test]
fn a_gitignore_that_is_a_link_is_not_written_through() {
    for target in ["../away/victim", "../away/new", "linked"] {
        let scene = Scene::of(Repo::empty());
        scene.repo.write("linked", "x\n");
        scene.track(".gitignore", target);
        scene.refuses(&["init"]);
        assert!(!scene.repo.path(".gitpack.toml").exists() && !scene.repo.path(".git/hooks/pre-commit").exists());
    }
    let scene = Scene::of(Repo::set_up());
    scene.track(".gitignore", "../away/victim");
    scene.repo.write("a.vec", "secret\n");
    scene.refuses(&["protect", "a.vec"]);
}

/// Gain: a cloned repository overwrites any file of the user with a configuration.
#[test]
fn a_configuration_that_is_a_link_is_not_written_through() {
    for target in ["../away/victim", "../away/new"] {
        let scene = Scene::of(Repo::set_up());
        fs::write(scene.away.join("victim"), "version = 1\n").unwrap();
        scene.repo.write("a.vec", "x");
        scene.repo.git(&["add", "-f", "a.vec"]).ok();
        scene.track(".gitpack.toml", target);
        let before = standing(&scene.away);
        let recipient = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";
        for args in [
            &["init"][..],
            &["recipients", "add", recipient],
            &["recipients", "remove", recipient],
            &["scan", "--all", "--write-allow"],
        ] {
            let done = scene.repo.pack(args);
            assert_eq!(done.code, 2, "{args:?} {}", done.stderr);
            assert_same(&before, &standing(&scene.away), &args.join(" "));
        }
    }
}

/// Returns what is in the work tree and in git's directory, without what the clone remembers of protected files.
fn without_memory(scene: &Scene) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut found = standing(&scene.repo.root);
    found.retain(|(path, ..)| !path.to_string_lossy().contains(".git/gitpack"));
    found
}

/// Gain: a scan in a cloned repository overwrites a file of the user, or plants one in git's directory.
#[test]
fn exceptions_are_not_written_through_a_link() {
    for (link, target, file) in [
        ("known.toml", "../away/victim", "known.toml"),
        ("known.toml", "../away/new", "known.toml"),
        ("known.toml", ".git/new", "known.toml"),
        ("dir", "../away", "dir/victim"),
        ("dir", "../away", "dir/new"),
        ("dir", ".git/hooks", "dir/post-checkout"),
    ] {
        for named in [false, true] {
            let scene = Scene::of(Repo::set_up());
            fs::write(scene.away.join("victim"), "").unwrap();
            scene.repo.write("a.vec", "x");
            if named {
                scene
                    .repo
                    .write(".gitpack.toml", format!("version = 1\nallow_file = \"{file}\"\n"));
            }
            scene.repo.git(&["add", "-f", "a.vec", ".gitpack.toml"]).ok();
            scene.track(link, target);
            let before = [standing(&scene.away), without_memory(&scene)];
            let args: &[&str] = match named {
                true => &["scan", "--rev", "HEAD~1", "--write-allow"],
                false => &["scan", "--rev", "HEAD~1", "--write-allow", file],
            };
            let done = scene.repo.pack(args);
            assert_eq!(done.code, 2, "{link} {named}: {}", done.stderr);
            let after = [standing(&scene.away), without_memory(&scene)];
            for (before, after) in before.iter().zip(&after) {
                assert_same(before, after, link);
            }
        }
    }
    let scene = Scene::of(Repo::set_up());
    scene.repo.write("a.vec", "x");
    scene.repo.git(&["add", "-f", "a.vec"]).ok();
    scene.repo.write("notes.toml", "title = \"mine\"\n");
    for file in [
        ".git/config",
        ".git/new",
        "../away/victim",
        "../away/new",
        "notes.toml",
        "README.md",
        ".",
    ] {
        let before = [standing(&scene.away), without_memory(&scene)];
        let done = scene.repo.pack(&["scan", "--write-allow", file]);
        assert_eq!(done.code, 2, "{file}: {}", done.stderr);
        let after = [standing(&scene.away), without_memory(&scene)];
        for (before, after) in before.iter().zip(&after) {
            assert_same(before, after, file);
        }
    }
}

/// Gain: whole packs, or opened plaintext, are written where the attacker's link points, such as a shared directory.
#[test]
fn default_outputs_are_not_written_through_a_link() {
    let scene = Scene::of(Repo::set_up());
    scene.repo.write("s.vec", "tiny secret");
    scene.repo.seal(&["--attach", "s.vec", "-o", "../pack"]);
    for (link, target) in [
        ("_PACK_RUN", "../away"),
        ("_PACK_RUN", "../nowhere"),
        ("pack", "../away"),
    ] {
        scene.track(link, target);
        match link {
            "pack" => scene.refuses(&["seal", "README.md"]),
            _ => {
                scene.refuses(&["seal"]);
                scene.refuses(&["open", "../pack"]);
            }
        }
    }
    fs::remove_file(scene.repo.path("_PACK_RUN")).unwrap();
    fs::create_dir(scene.repo.path("_PACK_RUN")).unwrap();
    symlink("../../away", scene.repo.path("_PACK_RUN/open")).unwrap();
    scene.refuses(&["open", "../pack"]);
}

/// Gain: a path that seems to be inside the work tree leads to `~/.ssh`, and a pack, a key or plaintext is written
/// there.
#[test]
fn outputs_in_the_work_tree_stay_in_it() {
    let scene = Scene::of(Repo::set_up());
    scene.repo.write("s.vec", "tiny secret");
    scene
        .repo
        .seal(&["--attach", "s.vec", "--emit", "repo,lite", "-o", "../pack"]);
    scene.track("out", "../away");
    scene.track("in", "out");
    scene.repo.write("twin.txt", "secret\n");
    scene.repo.pack(&["protect", "twin.txt"]).ok();
    let recipient = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";
    for place in ["out/new", "out/a/new", "in/new", "out/../new"] {
        scene.refuses(&["seal", "-o", place]);
        scene.refuses(&["seal", "README.md", "-o", place]);
        scene.refuses(&["open", "../pack", "-o", place]);
        scene.refuses(&["restore", "../pack", "-o", place]);
        scene.refuses(&["rekey", "../pack", "-o", place, "-r", recipient]);
        scene.refuses(&["rekey", "twin.txt.age", "-o", place, "-r", recipient]);
        scene.refuses(&["key", "generate", "-o", place]);
    }
    // A user who names the target directly may write there.
    scene.repo.pack(&["seal", "README.md", "-o", "../away/new"]).ok();
}

/// Gain: plaintext is decrypted to a place outside, or over a file there.
#[test]
fn twins_are_neither_sealed_nor_revealed_through_a_link() {
    let scene = Scene::of(Repo::set_up());
    with_twin(&scene.repo, "d/a.vec");
    fs::rename(scene.repo.path("d"), scene.away.join("d")).unwrap();
    fs::remove_file(scene.away.join("d/a.vec")).unwrap();
    symlink("../away/d", scene.repo.path("d")).unwrap();
    scene.refuses(&["reveal"]);
    assert_eq!(scene.repo.pack(&["reveal", "d/a.vec"]).code, 2);
    assert!(!scene.away.join("d/a.vec").exists());

    for (link, target) in [
        ("b.vec", "../away/victim"),
        ("b.vec", "../away/new"),
        ("b.vec.age", "../away/new"),
    ] {
        let scene = Scene::of(Repo::set_up());
        with_twin(&scene.repo, "b.vec");
        fs::remove_file(scene.repo.path("b.vec")).unwrap();
        if link.ends_with(".age") {
            scene.repo.write("b.vec", "other\n");
        }
        scene.track(link, target);
        let before = standing(&scene.away);
        for args in [
            &["reveal"][..],
            &["reveal", "--force"],
            &["protect", "--force", "b.vec"],
        ] {
            let done = scene.repo.pack(args);
            assert_eq!(done.code, 2, "{link} {args:?} {}", done.stderr);
            assert_same(&before, &standing(&scene.away), link);
        }
    }
}

fn install(repo: &Repo) -> Done {
    repo.place.git_says("2.53.0");
    repo.pack(&["install"])
}

/// Gain: `core.hooksPath` points into the work tree, and executable files are written where a tracked link leads.
#[test]
fn hooks_are_not_installed_through_a_link_in_the_work_tree() {
    for (hooks, link) in [("hooks", "hooks"), ("tools/hooks", "tools")] {
        let scene = Scene::of(Repo::empty());
        fs::create_dir(scene.away.join("hooks")).unwrap();
        scene.track(link, "../away");
        scene.repo.git(&["config", "core.hooksPath", hooks]).ok();
        scene.repo.place.git_says("2.53.0");
        scene.refuses(&["install"]);
        scene.refuses(&["init"]);
    }
    // Links in git's own directory, and in a place that the owner configured, belong to the owner.
    let scene = Scene::of(Repo::empty());
    drop(fs::remove_dir_all(scene.repo.path(".git/hooks")));
    symlink(&scene.away, scene.repo.path(".git/hooks")).unwrap();
    install(&scene.repo).ok();
    assert!(scene.away.join("pre-commit").exists());
}

/// Gain: setting up this repository overwrites the hook of another one.
#[test]
fn a_hook_that_is_a_link_is_replaced_and_not_written_through() {
    let scene = Scene::of(Repo::empty());
    let theirs = "#!/bin/sh\n# git-pack guard, shim 1, of another repository\nexit 0\n";
    fs::write(scene.away.join("hook"), theirs).unwrap();
    fs::set_permissions(scene.away.join("hook"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(scene.repo.path(".git/hooks")).unwrap();
    symlink(scene.away.join("hook"), scene.repo.path(".git/hooks/pre-commit")).unwrap();
    install(&scene.repo).ok();
    assert_eq!(fs::read_to_string(scene.away.join("hook")).unwrap(), theirs);
    assert!(!scene.repo.path(".git/hooks/pre-commit").is_symlink());
}
