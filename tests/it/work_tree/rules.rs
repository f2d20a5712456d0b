//! Ignore rules: what they mean, and where git takes them from.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use super::{Scene, touch};
use crate::common::{Repo, write};
use gitpack::refusal::shown::shown;

#[test]
fn rules_mean_what_git_takes_them_for() {
    let files = [
        "a",
        "b",
        "a.o",
        "keep.o",
        "foobar",
        "foo/x/bar",
        "dir/a",
        "dir/keep",
        "sub/dir/a",
        "sub/a",
        "sub/a.o",
        "{a,b}",
        "#x",
        "!x",
        "end ",
        "end",
        "tab\t",
        "x\\y",
        "A",
        "deep/er/still/a",
        "deep/er/a",
        "[b]",
        "\u{e4}",
        "$a",
    ];
    let all_but_a: Vec<&str> = files[1..].to_vec();
    let every_a_and_b = ["a", "b", "dir/a", "sub/dir/a", "sub/a", "deep/er/still/a", "deep/er/a"];
    let cases = [
        ("*.o\n!keep.o\n", &["a.o", "sub/a.o"][..]),
        // What is in an ignored directory is not taken back.
        ("dir/\n!dir/keep\n", &["dir/a", "dir/keep", "sub/dir/a"]),
        ("dir/*\n!dir/keep\n", &["dir/a"]),
        ("/dir\n", &["dir/a", "dir/keep"]),
        ("a/\n", &[]),
        ("sub/dir\n", &["sub/dir/a"]),
        ("{a,b}\n", &["{a,b}"]),
        ("\\#x\n\\!x\n#a\n", &["#x", "!x"]),
        ("end \n", &["end"]),
        ("end\\ \n", &["end "]),
        ("tab\t\n", &["tab\t"]),
        ("a\r\nb", &every_a_and_b),
        ("*\n!a\r", &all_but_a),
        ("foo**/bar\n", &["foobar", "foo/x/bar"]),
        ("**/still/a\n", &["deep/er/still/a"]),
        ("deep/**\n", &["deep/er/a", "deep/er/still/a"]),
        ("deep/**/a\n", &["deep/er/a", "deep/er/still/a"]),
        ("\\[b]\n", &["[b]"]),
        ("x\\\\y\n", &["x\\y"]),
        ("$a\n", &["$a"]),
        ("\u{feff}$a\n", &["$a"]),
        ("\u{e4}\n", &["\u{e4}"]),
        ("[A-Z]\n", &["A"]),
        ("b\0c\n", &["b"]),
    ];
    let repo = Repo::empty();
    let scene = Scene::of(&repo);
    for (at, (rules, _)) in cases.iter().enumerate() {
        touch(&repo.path(&format!("{at}")), &files);
        repo.write(&format!("{at}/.gitignore"), rules);
    }
    let listed = scene.agrees();
    for (at, (rules, hidden)) in cases.iter().enumerate() {
        let is_hidden = |path: &&&str| !listed.contains(&shown(format!("{at}/{path}").as_bytes()));
        let found: BTreeSet<&str> = files.iter().filter(is_hidden).copied().collect();
        assert_eq!(found, hidden.iter().copied().collect(), "{rules:?}");
    }
}

#[test]
fn rules_come_from_where_git_takes_them() {
    let repo = Repo::empty();
    let files = ["a", "b", "c", "d", "sub/a", "sub/b"];
    touch(&repo.root, &files);
    // Other tools know these, and git does not. Rules above the repository are not its own.
    for name in [
        ".ignore",
        ".rgignore",
        "sub/.ignore",
        "../.gitignore",
        "../.ignore",
        ".git/.gitignore",
    ] {
        repo.write(name, "*\n");
    }
    let mut scene = Scene::of(&repo);
    let home = repo.place.home();
    let lists = |scene: &Scene<'_>, expected: &[&str]| scene.lists(&files, expected);
    lists(&scene, &files);
    repo.write(".git/info/exclude", "a\n");
    lists(&scene, &["b", "c", "d", "sub/b"]);
    // A rule of a directory is stronger than one for the whole work tree.
    repo.write("sub/.gitignore", "!a\nb\n");
    lists(&scene, &["b", "c", "d", "sub/a"]);
    write(&home.join(".config/git/ignore"), "b\n!a\n");
    lists(&scene, &["c", "d", "sub/a"]);
    write(&repo.place.path().join("xdg/git/ignore"), "c\n");
    scene.env = vec![("XDG_CONFIG_HOME", repo.place.path().join("xdg").display().to_string())];
    lists(&scene, &["b", "d", "sub/a"]);
    scene.env[0].1 = String::new();
    lists(&scene, &["c", "d", "sub/a"]);
    write(&home.join("mine"), "d\n");
    repo.git(&["config", "core.excludesFile", "~/mine"]).ok();
    lists(&scene, &["b", "c", "sub/a"]);
    scene.options = vec!["-c", "core.excludesFile="];
    lists(&scene, &["b", "c", "d", "sub/a"]);
    // A relative path is relative to the top.
    repo.write("sub/mine", "c\nd\n");
    scene.options = vec!["-c", "core.excludesFile=sub/mine"];
    lists(&scene, &["b", "sub/a"]);
    scene.options = vec!["-c", "core.excludesFile=/dev/null"];
    lists(&scene, &["b", "c", "d", "sub/a"]);
    scene.options.clear();
    repo.git(&["config", "--unset", "core.excludesFile"]).ok();
    let global = repo.place.path().join("global");
    write(&global, "[include]\n\tpath = included\n");
    write(&repo.place.path().join("included"), "[core]\n\texcludesFile = ~/mine\n");
    scene.env = vec![("GIT_CONFIG_GLOBAL", global.display().to_string())];
    lists(&scene, &["b", "c", "sub/a"]);
    // A file of rules that is a link counts outside of the work tree, and not in it.
    fs::rename(home.join("mine"), home.join("target")).unwrap();
    symlink("target", home.join("mine")).unwrap();
    fs::remove_file(repo.path("sub/.gitignore")).unwrap();
    symlink("mine", repo.path("sub/.gitignore")).unwrap();
    lists(&scene, &["b", "c", "sub/b"]);
}

#[test]
fn worktrees_share_the_rules_of_the_clone() {
    let repo = Repo::empty();
    touch(&repo.root, &["tracked"]);
    repo.commit("one");
    repo.git(&["worktree", "add", "-q", "../linked"]).ok();
    let linked = repo.place.path().join("linked");
    repo.write(".git/info/exclude", "a\n");
    repo.write(".git/worktrees/linked/info/exclude", "b\n");
    repo.git(&["config", "extensions.worktreeConfig", "true"]).ok();
    let config = ["config", "--worktree", "core.excludesFile", "../mine"];
    repo.place.run(&linked, "git", &config).ok();
    write(&repo.place.path().join("mine"), "c\n");
    let files = ["a", "b", "c", "tracked"];
    touch(&linked, &files[..3]);
    touch(&repo.root, &files[..3]);
    Scene::at(&repo.place, &linked).lists(&files, &["b", "tracked"]);
    Scene::of(&repo).lists(&files, &["b", "c", "tracked"]);
    let mut elsewhere = Scene::at(&repo.place, &repo.path("sub/elsewhere"));
    touch(&elsewhere.root, &files[..3]);
    let [git_dir, work_tree] = [repo.path(".git"), elsewhere.root.clone()].map(|path| path.display().to_string());
    elsewhere.env = vec![("GIT_DIR", git_dir), ("GIT_WORK_TREE", work_tree)];
    elsewhere.lists(&files, &["b", "c"]);
}
