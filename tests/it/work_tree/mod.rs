//! A scan of the work tree looks at what `git ls-files --cached --others --exclude-standard` lists: no file less, no
//! file more.

mod any_rules;
mod entries;
mod rules;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::common::{Done, Place, Repo, write};
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
