//! Entries of the work tree that are not plain files, and trees that cannot be listed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::{Scene, touch};
use crate::common::{Place, Repo, is_root, write};

#[test]
fn other_repositories_are_not_entered() {
    let repo = Repo::empty();
    let scene = Scene::of(&repo);
    let inner = |path: &str| {
        repo.git(&["init", "-q", path]).ok();
        repo.write(&format!("{path}/f"), "");
    };
    for path in ["nested", "deep/er/nested", "holds", "module", "ignored/nested"] {
        inner(path);
    }
    repo.write(".gitignore", "ignored/\n");
    // Something in it is tracked here, so it is entered.
    repo.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("100644,{},holds/g", blob(&repo)),
    ])
    .ok();
    repo.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{},module", "1".repeat(40)),
    ])
    .ok();
    // A work tree whose repository is elsewhere.
    let [real, gone] = [repo.path("nested/.git").display().to_string(), "/nowhere".to_owned()];
    repo.write("linked/.git", format!("gitdir: {real}\n"));
    repo.write("astray/.git", format!("gitdir: {gone}\n"));
    repo.write("no-link/.git", "something else\n");
    symlink(&real, repo.path("nested/.git.link")).unwrap();
    for (at, head) in [
        "",
        "garbage",
        "ref: refs/heads/x\n",
        "ref:refs/x",
        "ref: \t\nrefs/x",
        "ref: heads/x",
        "refs/heads/x",
        "1111111111111111111111111111111111111111",
        "111111111111111111111111111111111111111",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA and more",
    ]
    .iter()
    .enumerate()
    {
        for part in ["objects", "refs"] {
            fs::create_dir_all(repo.path(&format!("made-{at}/.git/{part}"))).unwrap();
        }
        repo.write(&format!("made-{at}/.git/HEAD"), head);
        repo.write(&format!("without-refs-{at}/.git/HEAD"), head);
        fs::create_dir_all(repo.path(&format!("without-refs-{at}/.git/objects"))).unwrap();
    }
    for (path, target) in [("points", "refs/heads/x"), ("astray-too", "heads/x")] {
        for part in ["objects", "refs"] {
            fs::create_dir_all(repo.path(&format!("{path}/.git/{part}"))).unwrap();
        }
        repo.write(&format!("{path}/.git/{target}"), "1".repeat(40));
        symlink(target, repo.path(&format!("{path}/.git/HEAD"))).unwrap();
    }
    let entries = fs::read_dir(&repo.root).unwrap();
    for path in entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() && !path.ends_with(".git"))
    {
        touch(&path, &["f"]);
    }
    let seen = [
        "holds/f",
        "astray/f",
        "no-link/f",
        "made-0/f",
        "made-1/f",
        "made-8/f",
        "astray-too/f",
    ];
    let unseen = [
        "nested/f",
        "deep/er/nested/f",
        "module/f",
        "linked/f",
        "made-2/f",
        "made-7/f",
        "points/f",
    ];
    scene.lists(&[&seen[..], &unseen].concat(), &seen);
}

/// Stores an empty blob and returns its id.
fn blob(repo: &Repo) -> String {
    let done = repo
        .place
        .run(&repo.root, "sh", &["-c", "git hash-object -w --stdin </dev/null"]);
    done.ok().out().trim().to_owned()
}

#[test]
fn odd_entries_are_listed_as_git_lists_them() {
    let repo = Repo::empty();
    let scene = Scene::of(&repo);
    touch(&repo.root, &["file", "directory/f", "conflict", "gone", "other/f"]);
    repo.commit("one");
    // A file and a directory that swap.
    fs::remove_file(repo.path("file")).unwrap();
    touch(&repo.root, &["file/inner"]);
    fs::remove_dir_all(repo.path("directory")).unwrap();
    touch(&repo.root, &["directory", "intended"]);
    fs::remove_file(repo.path("gone")).unwrap();
    repo.git(&["add", "-N", "intended"]).ok();
    let id = blob(&repo);
    for stage in 1..=3 {
        let line = format!("100644 {id} {stage}\tconflict\n");
        let command = format!("printf '{line}' | git update-index --index-info");
        repo.place.run(&repo.root, "sh", &["-c", &command]).ok();
    }
    symlink("other", repo.path("link")).unwrap();
    symlink("nowhere", repo.path("dangling")).unwrap();
    symlink("..", repo.path("other/up")).unwrap();
    repo.place.run(&repo.root, "mkfifo", &["pipe"]).ok();
    repo.write_bytes(b"\xff\xfe/\xff", b"");
    repo.write_bytes(b"line\nbreak", b"");
    let deep = "d/".repeat(300);
    repo.write(&format!("{deep}f"), "");
    repo.write(".GIT/f", "");
    let files = [
        "file/inner",
        "directory",
        "directory/f",
        "intended",
        "conflict",
        "gone",
        "link",
        "dangling",
        "pipe",
        ".GIT/f",
    ];
    scene.lists(
        &files,
        &[
            "file/inner",
            "directory",
            "intended",
            "conflict",
            "link",
            "dangling",
            ".GIT/f",
        ],
    );
    assert!(scene.agrees().contains(&format!("{deep}f")));
    repo.git(&["config", "core.ignoreCase", "true"]).ok();
    touch(&repo.root, &["INTENDED", "OTHER/G"]);
    scene.lists(&[".GIT/f", "INTENDED", "OTHER/G"], &["OTHER/G"]);
}

#[test]
fn rules_that_a_sparse_checkout_leaves_out_count() {
    let repo = Repo::empty();
    touch(&repo.root, &["in/f", "out/f"]);
    repo.write("out/.gitignore", "*.o\n");
    repo.commit("one");
    for how in ["--no-sparse-index", "--sparse-index"] {
        repo.git(&["sparse-checkout", "set", how, "in"]).ok();
        touch(&repo.root, &["out/a.o", "out/a.c"]);
        let scene = Scene::of(&repo);
        scene.lists(&["in/f", "out/f", "out/a.o", "out/a.c"], &["in/f", "out/a.c"]);
        fs::remove_dir_all(repo.path("out")).unwrap();
    }
}

#[test]
fn what_cannot_be_listed_is_refused() {
    let repo = Repo::empty();
    let mut scene = Scene::of(&repo);
    let home = repo.place.home();
    for (name, content) in [("directory/f", 0), ("large", 17 << 20)] {
        write(&home.join(name), "a".repeat(content));
    }
    repo.place.run(&home, "mkfifo", &["pipe"]).ok();
    for (path, what) in [
        ("~/pipe", "FIFO"),
        ("~/directory", "directory"),
        ("~/large", "more than"),
    ] {
        repo.git(&["config", "core.excludesFile", path]).ok();
        scene.is_refused("E_IO", what);
    }
    repo.git(&["config", "core.excludesFile", "~/nothing"]).ok();
    scene.agrees();
    scene.options = vec!["-c", "core.ignoreCase=perhaps"];
    scene.is_refused("E_UNSUPPORTED", "perhaps");
    scene.options.clear();
    fs::create_dir(repo.path("sub")).unwrap();
    repo.place.run(&repo.root, "mkfifo", &["sub/.gitignore"]).ok();
    scene.is_refused("E_IO", "FIFO");
    // Where the directory is ignored, nobody reads what is in it.
    repo.write(".gitignore", "sub/\n");
    scene.agrees();
    // Each file may be read, and all of them together are too much.
    for directory in ["a", "a/b", "a/b/c"] {
        repo.write(&format!("{directory}/.gitignore"), "#\n".repeat(3 << 20));
    }
    scene.is_refused("E_IO", "more than");
    fs::remove_dir_all(repo.path("a")).unwrap();
    // No path reaches the bottom.
    let dig = "for i in $(seq 30); do d=$(printf 'x%.0s' $(seq 200)); mkdir $d; cd -P $d; done";
    repo.place.run(&repo.root, "sh", &["-c", dig]).ok();
    scene.is_refused("E_IO", "listing");
    repo.place.run(&repo.root, "sh", &["-c", "rm -rf xxx*"]).ok();
    if !is_root() {
        fs::create_dir(repo.path("closed")).unwrap();
        let mode = |mode: u32| fs::set_permissions(repo.path("closed"), fs::Permissions::from_mode(mode)).unwrap();
        mode(0o000);
        scene.is_refused("E_IO", "permission denied");
        repo.write(".gitignore", "sub/\nclosed/\n");
        scene.agrees_with(&["--exclude-standard"], &[]);
        mode(0o755);
    }
}

#[test]
fn real_repositories_are_listed_as_git_lists_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = Place::new();
    let clone = ["clone", "-q", source.to_str().unwrap(), "clone"];
    if source.join(".git").exists() && place.run(place.path(), "git", &clone).code == 0 {
        let root = place.path().join("clone");
        // Looking into all the archives would take long.
        fs::remove_dir_all(root.join("fixtures")).unwrap();
        touch(
            &root,
            &["target/debug/x", "src/new.rs", "src/adapters/.#lock", "fuzz/corpus/a/b"],
        );
        assert!(
            Scene::at(&place, &root)
                .agrees_with(&["--exclude-standard"], &[])
                .contains("src/new.rs")
        );
    }
    let repo = Repo::empty();
    let scene = Scene::of(&repo);
    repo.write(".gitignore", "*.o\nbuild/\n!keep.o\n**/cache\n");
    for n in 0..3000 {
        let directory = ["src", "build", "lib/cache", "lib/build.d", "lib/x/y"][n % 5];
        let ending = ["c", "o", "h"][n % 3];
        touch(&repo.root, &[&format!("{directory}/{}/f{n}.{ending}", n % 7)]);
    }
    repo.git(&["add", "-f", "src", "build/1"]).ok();
    touch(&repo.root, &["build/1/new.c", "src/keep.o"]);
    scene.lists(
        &["build/1/new.c", "src/keep.o", "src/0/f0.c"],
        &["src/keep.o", "src/0/f0.c"],
    );
}
