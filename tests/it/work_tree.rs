//! A scan of the work tree looks at what `git ls-files --cached --others --exclude-standard` lists: no file less, no
//! file more.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::common::{Done, Place, Repo, is_root, write};
use gitpack::refusal::shown::shown;
use serde_json::Value;

/// Makes every file a finding, so that a scan names what it looked at.
const EVERYTHING: &str = "version = 1\n[[protect]]\nclass = \"any\"\npaths = [\"**\"]\n";

/// A place to scan, and what the commands are run with there.
struct Scene<'a> {
    place: &'a Place,
    root: PathBuf,
    env: Vec<(&'a str, String)>,
    /// Options of git before the command.
    options: Vec<&'a str>,
}

impl<'a> Scene<'a> {
    fn of(repo: &'a Repo) -> Self {
        Self::at(&repo.place, &repo.root)
    }

    fn at(place: &'a Place, root: &Path) -> Self {
        write(&root.join(".gitpack.toml"), EVERYTHING);
        Self {
            place,
            root: root.to_owned(),
            env: Vec::new(),
            options: Vec::new(),
        }
    }

    fn run(&self, args: &[&str]) -> Done {
        let mut command = self.place.command("git", &self.root);
        command.args(&self.options).args(args);
        command.envs(self.env.iter().map(|(name, value)| (*name, value)));
        Done::from(command.output().unwrap())
    }

    fn scan(&self, options: &[&str]) -> Done {
        self.run(&[&["pack", "scan", "--worktree", "--json"], options].concat())
    }

    /// Returns the files that a scan looked at, but for sealed ones, and how many it looked at.
    #[track_caller]
    fn looked_at(&self, options: &[&str]) -> (BTreeSet<String>, u64) {
        let done = self.scan(options);
        let value: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {done:?}"));
        assert_ne!(value["outcome"], "REFUSAL", "{value}");
        let findings = value["findings"].as_array().unwrap().iter();
        let paths: Vec<&str> = findings.map(|found| found["path"].as_str().unwrap()).collect();
        let unquoted = paths.iter().filter(|path| !path.starts_with('"'));
        assert!(unquoted.is_sorted());
        let set: BTreeSet<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        assert_eq!(set.len(), paths.len(), "a file was looked at twice: {paths:?}");
        (set, value["examined"]["blobs"].as_u64().unwrap())
    }

    /// Returns the files that git lists. A directory is a submodule or another repository.
    #[track_caller]
    fn listed(&self, options: &[&str]) -> BTreeSet<String> {
        let done = self
            .run(&[&["ls-files", "-z", "--cached", "--others"], options].concat())
            .ok();
        let paths = done.stdout.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        let is_file = |path: &&[u8]| {
            let meta = fs::symlink_metadata(self.root.join(OsStr::from_bytes(path)));
            meta.is_ok_and(|meta| !meta.is_dir())
        };
        paths.filter(is_file).map(shown).collect()
    }

    /// Asserts that both agree, with ignored files and without. Returns the files that are not ignored.
    #[track_caller]
    fn agrees(&self) -> BTreeSet<String> {
        self.agrees_with(&[], &["--no-ignore"]);
        self.agrees_with(&["--exclude-standard"], &[])
    }

    #[track_caller]
    fn agrees_with(&self, gits: &[&str], ours: &[&str]) -> BTreeSet<String> {
        let (listed, (looked_at, count)) = (self.listed(gits), self.looked_at(ours));
        let is_sealed = |path: &&String| {
            let content = fs::read(self.root.join(path.as_str())).unwrap_or_default();
            let content = content.trim_ascii_start();
            content.starts_with(b"age-encryption.org/v1\n") || content.starts_with(b"-----BEGIN AGE")
        };
        let missed: Vec<_> = listed.difference(&looked_at).filter(|path| !is_sealed(path)).collect();
        let more: Vec<_> = looked_at.difference(&listed).collect();
        assert!(missed.is_empty() && more.is_empty(), "missed {missed:?}, more {more:?}");
        assert_eq!(count, listed.len() as u64);
        listed
    }

    /// Asserts that both agree, and that of `candidates` they list `expected`.
    #[track_caller]
    fn lists(&self, candidates: &[&str], expected: &[&str]) {
        let listed = self.agrees();
        let found: Vec<&str> = candidates
            .iter()
            .filter(|path| listed.contains(**path))
            .copied()
            .collect();
        assert_eq!(found, expected, "{listed:?}");
    }

    /// Asserts that a scan is refused because of `what`.
    #[track_caller]
    fn is_refused(&self, code: &str, what: &str) {
        let value = self.scan(&[]).refused(code);
        let message = value["refusal"]["message"].as_str().unwrap();
        assert!(message.contains(what), "{message}");
    }
}

/// Writes empty files.
fn touch(root: &Path, paths: &[&str]) {
    for path in paths {
        write(&root.join(path), "");
    }
}

/// Bytes that mean something in rules, and names that they may be about.
const TOKENS: [&[u8]; 42] = [
    b"a",
    b"b",
    b"foo",
    b"bar",
    b"x",
    b"A",
    b"*",
    b"*",
    b"**",
    b"**",
    b"/",
    b"/",
    b"/",
    b"?",
    b"[a-c]",
    b"[!a]",
    b"[^b]",
    b"[[:alpha:]]",
    b"[[:upper:]]",
    b"[[:space:]]",
    b"[[:nope:]]",
    b"[]-]",
    b"[a-",
    b"[\\]]",
    b"[A-F]",
    b"[a\\-c]",
    b"[--0]",
    b"[A]",
    b"\\",
    b"!",
    b"#",
    b" ",
    b"{a,b}",
    b"\t",
    b"\r",
    b"\0",
    b"$",
    b"[",
    b"]",
    b"-",
    b"\xc3\xa9",
    b"\xff",
];

const NAMES: [&[u8]; 22] = [
    b"a",
    b"b",
    b"foo",
    b"bar",
    b"foobar",
    b"{a,b}",
    b"#x",
    b"!a",
    b"a b",
    b"a ",
    b"\t",
    b"\xc3\xa9",
    b"\xff",
    b"A",
    b"FOO",
    b"[x]",
    b"a*",
    b"\\b",
    b"$a",
    b"]",
    b"a\r",
    b"-",
];

/// Chooses the same every time.
struct Choice(u64);

impl Choice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    fn rules(&mut self) -> Vec<u8> {
        let mut rules = match self.below(12) {
            0 => b"\xef\xbb\xbf".to_vec(),
            1 => b"\xfe\xff".to_vec(),
            _ => Vec::new(),
        };
        for _ in 0..=self.below(5) {
            for (token, chance) in [(&b"!"[..], 3), (b"/", 3)] {
                if self.below(chance) == 0 {
                    rules.extend_from_slice(token);
                }
            }
            for _ in 0..=self.below(4) {
                rules.extend_from_slice(TOKENS[self.below(TOKENS.len())]);
            }
            for (token, chance) in [(&b"/"[..], 4), (b"\r", 8)] {
                if self.below(chance) == 0 {
                    rules.extend_from_slice(token);
                }
            }
            rules.push(b'\n');
        }
        if self.below(4) == 0 {
            rules.pop();
        }
        rules
    }

    /// Writes a directory with directories and files of all names, and with rules.
    fn fill(&mut self, directory: &Path) {
        let mut directories = vec![directory.to_owned()];
        for _ in 0..6 {
            let above = directories[self.below(directories.len())].clone();
            directories.push(above.join(OsStr::from_bytes(NAMES[self.below(NAMES.len())])));
        }
        for directory in &directories {
            fs::create_dir_all(directory).unwrap();
        }
        for directory in directories {
            for name in NAMES {
                let path = directory.join(OsStr::from_bytes(name));
                if self.below(3) == 0 && !path.exists() {
                    fs::write(path, "").unwrap();
                }
            }
            if self.below(5) < 2 {
                fs::write(directory.join(".gitignore"), self.rules()).unwrap();
            }
        }
    }
}

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
fn any_rules_mean_what_git_takes_them_for() {
    for (seed, folds) in [(1, "false"), (2, "true")] {
        let repo = Repo::empty();
        let scene = Scene::of(&repo);
        let mut choice = Choice(88_172_645_463_325_252 + seed);
        for at in 0..60 {
            choice.fill(&repo.path(&format!("{at}")));
        }
        repo.write(".git/info/exclude", choice.rules());
        // Tracked files are listed whatever the rules say.
        repo.git(&["add", "-f", "1*"]).ok();
        repo.git(&["config", "core.ignoreCase", folds]).ok();
        assert!(scene.agrees().len() > 1000);
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
        scene.agrees();
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
