//! `git pack open`: which artifacts it opens, where it writes them and where not; and that it opens all of them or
//! none.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common;
use crate::common::packs::{assert_same, give_away, standing, unprivileged};
use crate::common::{GIT_PACK, Place, Repo, noise, snapshot, write};

fn artifacts() -> BTreeMap<&'static str, Vec<u8>> {
    BTreeMap::from([
        ("embeddings/a.vec", noise(1, 70_000)),
        ("embeddings/deep/b.vec", Vec::new()),
        ("embeddings.vec", b"\0binary\r\n\xff".to_vec()),
        ("other/c.vec", noise(2, 100)),
    ])
}

/// Makes a repository and its pack `../pack` of these artifacts, then removes them from the work tree.
fn scene() -> Repo {
    let repo = Repo::set_up();
    for (path, content) in artifacts() {
        repo.write(path, content);
    }
    let attach = [
        "--attach",
        "embeddings",
        "--attach",
        "embeddings.vec",
        "--attach",
        "other",
    ];
    repo.seal(&[&attach[..], &["-o", "../pack"]].concat());
    for path in ["embeddings", "other"] {
        fs::remove_dir_all(repo.path(path)).unwrap();
    }
    fs::remove_file(repo.path("embeddings.vec")).unwrap();
    repo
}

fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = snapshot(root)
        .into_iter()
        .filter(|(_, mode, _)| mode & 0o170000 == 0o100000);
    files
        .map(|(path, _, bytes)| (path.to_str().unwrap().to_owned(), bytes))
        .collect()
}

/// Asserts that exactly these artifacts are below `root`.
#[track_caller]
fn holds(root: &Path, paths: &[&str]) {
    let found = files(root);
    let all = artifacts();
    assert_eq!(found.keys().collect::<Vec<_>>(), paths);
    assert!(paths.iter().all(|path| found[*path] == all[path]));
}

/// Every path of the pack, sorted.
const ALL: [&str; 4] = [
    "embeddings.vec",
    "embeddings/a.vec",
    "embeddings/deep/b.vec",
    "other/c.vec",
];

#[test]
fn by_default_it_opens_for_its_owner_alone_where_git_ignores_it() {
    let repo = scene();
    let manifest = common::packs::document(&repo.place.path().join("pack"), "manifest.json");
    let id = manifest["pack_id"]
        .as_str()
        .unwrap()
        .strip_prefix("sha256:")
        .unwrap()
        .to_owned();
    let root = repo.path("_PACK_RUN/open").join(&id[..12]);
    // It also works from a subdirectory, and does not depend on the umask.
    fs::create_dir(repo.path("below")).unwrap();
    let done = repo.place.run(
        &repo.path("below"),
        "sh",
        &["-c", "umask 000; exec git-pack open ../../pack"],
    );
    let done = done.ok();
    let out = done.out();
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("OPENED 4"));
    let named = repo.path("below").join(lines.next().unwrap());
    assert_eq!(fs::canonicalize(named).unwrap(), fs::canonicalize(&root).unwrap());
    assert_eq!(lines.next(), None);
    holds(&root, &ALL);
    assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
    for (path, mode, _) in snapshot(&root) {
        let expected = if mode & 0o170000 == 0o040000 { 0o700 } else { 0o600 };
        assert_eq!(mode & 0o777, expected, "{}", path.display());
    }
    assert_eq!(repo.git(&["status", "--porcelain"]).ok().out(), "");
    // A second run would overwrite the first one's output.
    let before = snapshot(repo.place.path());
    repo.pack(&["open", "../pack"]).refused("E_IO");
    assert_same(&before, &snapshot(repo.place.path()), "opened again");
}

#[test]
fn where_nothing_is_ignored_yet_the_default_output_ignores_itself() {
    let repo = scene();
    repo.git(&["rm", "-q", "-f", ".gitignore"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "nothing is ignored"])
        .ok();
    repo.pack(&["open", "../pack"]).ok();
    let opened = fs::read_dir(repo.path("_PACK_RUN/open")).unwrap();
    let opened: Vec<PathBuf> = opened
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    holds(&opened[0], &ALL);
    assert_eq!(repo.git(&["status", "--porcelain", "-uall"]).ok().out(), "");
    repo.git(&["add", "-A"]).ok();
    assert_eq!(repo.git(&["diff", "--cached", "--name-only"]).ok().out(), "");
    // In another directory the user did not ask for an ignore file, so the output must be ignored already.
    repo.pack(&["open", "../pack", "-o", "mine"]).refused("E_USAGE");
    assert!(!repo.path("mine").exists());
}

#[test]
fn outside_of_a_repository_it_opens_below_the_directory() {
    let repo = scene();
    let outside = repo.place.path().join("outside");
    fs::create_dir(&outside).unwrap();
    repo.place.pack_in(&outside, &["open", "../pack"]).ok();
    let opened = fs::read_dir(outside.join("_PACK_RUN/open"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    holds(&opened.path(), &ALL);
}

#[test]
fn artifacts_are_chosen_by_path_and_by_directory() {
    let repo = scene();
    for (paths, expected) in [
        (&["embeddings"][..], &ALL[1..3]),
        (&["embeddings/"], &ALL[1..3]),
        (&["./embeddings/deep"], &ALL[2..3]),
        (&["embeddings/a.vec"], &ALL[1..2]),
        (&["embeddings/a.vec", "embeddings", "other/c.vec"], &ALL[1..]),
        (&["embeddings.vec", "embeddings.vec"], &ALL[..1]),
    ] {
        let output = repo.place.path().join("opened");
        let done = repo
            .pack(&[&["open", "../pack", "-o", "../opened"][..], paths].concat())
            .ok();
        assert!(
            done.out().starts_with(&format!("OPENED {}\n", expected.len())),
            "{}",
            done.out()
        );
        holds(&output, expected);
        fs::remove_dir_all(&output).unwrap();
    }
    let before = standing(repo.place.path());
    for path in [
        "embed",
        "a.vec",
        "embeddings/a",
        "../pack",
        "sealed/embeddings/a.vec.age",
        "EMBEDDINGS",
        "",
    ] {
        let args = ["open", "../pack", "other/c.vec", path, "-o", "../opened"];
        let value = repo.pack(&args).refused("E_USAGE");
        assert_eq!(value["refusal"]["next_command"], "git pack inspect ../pack", "{path}");
        repo.pack(&["open", "../pack", path, "--stdout"]).refused("E_USAGE");
    }
    assert_same(&before, &standing(repo.place.path()), "unknown paths");
    // A pack without sealed artifacts has nothing to open.
    repo.seal(&["-o", "../plain"]);
    repo.pack(&["open", "../plain"]).refused("E_USAGE");
}

#[test]
fn one_artifact_goes_to_standard_output_and_nothing_else_does() {
    let repo = scene();
    let before = standing(repo.place.path());
    for (path, content) in artifacts() {
        let done = repo.pack(&["open", "../pack", path, "--stdout"]).ok();
        assert!(done.stdout == content, "{path}");
    }
    // A directory with a single artifact selects one artifact.
    let done = repo.pack(&["open", "../pack", "other", "--stdout"]).ok();
    assert_eq!(done.stdout, artifacts()["other/c.vec"]);
    for args in [
        &["--stdout"][..],
        &["embeddings", "--stdout"],
        &["embeddings.vec", "other/c.vec", "--stdout"],
        &["other/c.vec", "--stdout", "-o", "../opened"],
    ] {
        repo.pack(&[&["open", "../pack"], args].concat()).refused("E_USAGE");
    }
    assert_same(&before, &standing(repo.place.path()), "--stdout");
    if Path::new("/dev/full").exists() {
        let script = "git-pack open ../pack embeddings/a.vec --stdout >/dev/full";
        let done = repo.place.run(&repo.root, "sh", &["-c", script]);
        assert_eq!(done.code, 2, "{}", done.stderr);
        assert!(done.stderr.contains("standard output"), "{}", done.stderr);
    }
}

#[test]
fn nothing_is_ever_written_over() {
    let repo = scene();
    let beside = |name: &str| repo.place.path().join(name);
    write(&beside("file"), "mine");
    write(&beside("full/mine"), "mine");
    fs::create_dir(beside("empty-elsewhere")).unwrap();
    symlink("full", beside("to-full")).unwrap();
    symlink("empty-elsewhere", beside("to-empty")).unwrap();
    symlink("file", beside("to-file")).unwrap();
    symlink("nowhere", beside("dangling")).unwrap();
    repo.place.run(repo.place.path(), "mkfifo", &["fifo"]).ok();
    let before = standing(repo.place.path());
    for output in [
        "file",
        "full",
        "to-full",
        "to-empty",
        "to-file",
        "dangling",
        "fifo",
        "to-empty/",
        "file/below",
    ] {
        let args = ["open", "../pack", "-o", &format!("../{output}")];
        repo.pack(&args).refused("E_IO");
        assert_same(&before, &standing(repo.place.path()), output);
    }
    for output in ["..", ".", "../x/..", "/", "../absent/../y"] {
        let done = repo.pack(&["open", "../pack", "-o", output]);
        assert_eq!(done.code, 2, "{output}: {}", done.out());
        assert_same(&before, &standing(repo.place.path()), output);
    }
    // An empty directory may be the output.
    fs::create_dir(beside("empty")).unwrap();
    repo.pack(&["open", "../pack", "-o", "../empty"]).ok();
    holds(&beside("empty"), &ALL);
    // A trailing slash makes no difference, and missing parents are created.
    repo.pack(&["open", "../pack", "-o", "../new/with/parents/"]).ok();
    holds(&beside("new/with/parents"), &ALL);
}

#[test]
fn it_refuses_to_write_where_git_could_track_and_writes_where_git_does_not() {
    let repo = scene();
    let parent = repo.place.path().to_owned();
    let run = |directory: &Path, args: &[&str]| repo.place.run(directory, "git", args).ok();
    repo.write(".gitignore", "_PACK_RUN/\nout/\nopen/*\n!open/seen\n");
    for path in ["out/x/tracked", "out/y/z/tracked"] {
        repo.write(path, "tracked although it is ignored");
        repo.git(&["add", "-f", path]).ok();
    }
    repo.git(&["add", ".gitignore"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "ignore"]).ok();
    fs::remove_dir_all(repo.path("out")).unwrap();
    fs::create_dir_all(repo.path("out/nested")).unwrap();
    run(&repo.path("out/nested"), &["init", "-q"]);
    fs::create_dir(parent.join("other")).unwrap();
    run(&parent.join("other"), &["init", "-q"]);
    write(&parent.join("other/.gitignore"), "ignored/\n");
    run(&parent, &["init", "-q", "--bare", "bare.git"]);
    run(&repo.root, &["worktree", "add", "-q", "--detach", "../linked"]);
    symlink("repo", parent.join("link")).unwrap();
    symlink(".git", repo.path("git-link")).unwrap();
    let before = standing(&parent);
    for output in [
        "opened",
        "sub/deep/opened",
        "open/seen",
        "../repo/opened",
        // Ignored paths; but git tracks a file there that is deleted on disk.
        "out/x",
        "out/y",
        "out/nested/opened",
        ".git/opened",
        ".git/gitpack/opened",
        "git-link/opened",
        "../link/opened",
        "../link/sub/opened",
        "../other/opened",
        "../other/.git/opened",
        "../linked/opened",
        "../bare.git/opened",
    ] {
        let value = repo.pack(&["open", "../pack", "-o", output]).refused("E_USAGE");
        let message = value["refusal"]["message"].as_str().unwrap();
        assert!(message.contains("git"), "{output}: {message}");
        assert_same(&before, &standing(&parent), output);
        // The result does not depend on the current directory.
        let absolute = repo.root.join(output);
        let args = ["open", "pack", "-o", absolute.to_str().unwrap()];
        repo.place.pack_in(&parent, &args).refused("E_USAGE");
        assert_same(&before, &standing(&parent), output);
    }
    for output in [
        "../opened",
        "_PACK_RUN/mine",
        "out/new",
        "out/y/other",
        "open/hidden",
        "../other/ignored/x",
        "../link/out/linked",
        "../linked/out/x2",
    ] {
        repo.pack(&["open", "../pack", "-o", output]).ok();
        holds(&repo.path(output), &ALL);
    }
    let new = |directory: &Path| {
        let status = repo
            .place
            .run(directory, "git", &["status", "--porcelain", "-uall"])
            .ok()
            .out();
        status.lines().filter(|line| line.contains(".vec")).count()
    };
    for directory in [&repo.root, &parent.join("other"), &parent.join("linked")] {
        assert_eq!(new(directory), 0, "{}", directory.display());
    }
}

/// Waits until `bytes` bytes are staged below `directory`; returns none if the process ended first.
fn staged(directory: &Path, bytes: u64, child: &mut std::process::Child) -> Option<PathBuf> {
    loop {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let file = entry.path().join("pack/big.vec");
            if name.starts_with(".git-pack-staging-") && fs::metadata(file).is_ok_and(|meta| meta.len() >= bytes) {
                return Some(entry.path());
            }
        }
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_kill_leaves_the_output_whole_or_absent_and_the_next_run_clears_up() {
    let repo = Repo::set_up();
    const SIZE: usize = 8_000_000;
    repo.write("big.vec", noise(1, SIZE));
    repo.seal(&["--attach", "big.vec", "-o", "../pack"]);
    fs::remove_file(repo.path("big.vec")).unwrap();
    let parent = repo.path("_PACK_RUN");
    fs::create_dir(&parent).unwrap();
    let (mut killed, mut whole) = (0, 0);
    for part in [0, 1, 3, 5, 7, 8] {
        let mut child = repo
            .place
            .command(GIT_PACK, &repo.root)
            .args(["open", "../pack", "-o", "_PACK_RUN/opened"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let staging = staged(&parent, (SIZE / 8 * part) as u64, &mut child);
        drop(child.kill());
        child.wait().unwrap();
        if parent.join("opened").exists() {
            assert!(files(&parent.join("opened"))["big.vec"] == noise(1, SIZE));
            fs::remove_dir_all(parent.join("opened")).unwrap();
            whole += 1;
        } else if let Some(left) = staging.filter(|left| left.exists()) {
            // A killed run leaves a directory that only its owner can read and that git does not see.
            assert_eq!(fs::metadata(&left).unwrap().permissions().mode() & 0o777, 0o700);
            assert_eq!(repo.git(&["status", "--porcelain", "-uall"]).ok().out(), "");
            killed += 1;
        }
    }
    assert!(
        killed >= 3 && killed + whole == 6,
        "{killed} killed in the middle, {whole} whole"
    );
    repo.pack(&["open", "../pack", "-o", "_PACK_RUN/opened"]).ok();
    assert!(files(&parent.join("opened"))["big.vec"] == noise(1, SIZE));
    let names: Vec<_> = fs::read_dir(&parent)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["opened"]);
}

#[test]
fn a_full_disk_leaves_nothing_of_it() {
    let repo = Repo::set_up();
    repo.write("a.vec", noise(1, 1000));
    repo.write("big.vec", noise(2, 900_000));
    repo.write("padded/big.vec", [noise(3, 100_000), vec![0; 800_000]].concat());
    repo.seal(&["--attach", "a.vec", "--attach", "big.vec", "-o", "../pack"]);
    repo.seal(&["--attach", "padded", "--pad", "--opaque-names", "-o", "../padded"]);
    let before = standing(repo.place.path());
    for (pack, blocks) in [
        ("pack", 0),
        ("pack", 1),
        ("pack", 500),
        ("pack", 1700),
        ("padded", 500),
        ("padded", 1700),
    ] {
        // The witness cannot be written either, and that error must not hide the refusal.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec git-pack open ../{pack} -o ../new/opened");
        let value = repo.place.run(&repo.root, "sh", &["-c", &script]).refused("E_IO");
        let message = value["refusal"]["message"].as_str().unwrap();
        assert!(message.starts_with("writing "), "{message}");
        assert_same(&before, &standing(repo.place.path()), &script);
    }
    repo.pack(&["open", "../pack", "-o", "../new/opened"]).ok();
}

#[test]
fn where_nothing_may_be_written_it_is_refused() {
    let repo = scene();
    let closed = repo.place.path().join("closed");
    fs::create_dir(&closed).unwrap();
    give_away(&repo.place);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    // The first run makes the copy of the binary that it may need.
    unprivileged(&repo.place, &repo.root, &["open", "../pack", "-o", "../first"]).ok();
    let before = standing(repo.place.path());
    for output in ["../closed/opened", "../closed/new/opened"] {
        let done = unprivileged(&repo.place, &repo.root, &["open", "../pack", "-o", output]);
        let value = done.refused("E_IO");
        assert!(
            value["refusal"]["message"].as_str().unwrap().contains("denied"),
            "{value}"
        );
        assert_same(&before, &standing(repo.place.path()), output);
    }
}

#[test]
fn places_without_a_repository_need_none() {
    let place = Place::new();
    common::write(&place.path().join("index.vec"), "x");
    place.pack_in(place.path(), &["seal", "index.vec", "-o", "pack"]).ok();
    // Outside of a repository the artifact is sealed in the clear, so there is nothing to open.
    place.pack_in(place.path(), &["open", "pack"]).refused("E_USAGE");
    place.pack_in(place.path(), &["open", "absent"]).refused("E_BAD_PACK");
}
