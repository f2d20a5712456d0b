//! Rules and names that are put together at random.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::Scene;
use crate::common::{Repo, snapshot};
use gitpack::adapters::git::{Repository, Surroundings};
use gitpack::format::repo_path::RepoPath;

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
fn a_path_is_ignored_if_git_says_so() {
    let repo = Repo::empty();
    let mut choice = Choice(1_234_567);
    for at in 0..8 {
        choice.fill(&repo.path(&format!("{at}")));
    }
    symlink("0", repo.path("link")).unwrap();
    let library = Repository::discover(&repo.root, &Surroundings::default()).unwrap();
    let mut count = 0;
    for (path, _, _) in snapshot(&repo.root) {
        if path.starts_with(".git") {
            continue;
        }
        for path in [path.join("missing"), path] {
            let mut git = repo.place.command("git", &repo.root);
            git.args(["check-ignore", "-q", "--no-index", "--"]).arg(&path);
            let says = git.status().unwrap().success();
            let bytes = RepoPath::new(path.as_os_str().as_bytes());
            assert_eq!(library.is_ignored(&bytes).unwrap(), says, "{path:?}");
            count += usize::from(says);
        }
    }
    assert!(count > 20);
}
