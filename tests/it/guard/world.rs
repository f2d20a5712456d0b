//! The world of a row: a repository that is set up, its public remote, and the one command under test.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{Done, Place, Repo};

/// The first lines of every script of a row.
const PRELUDE: &str = r#"
set -eu
put() { mkdir -p -- "$(dirname -- "$1")"; printf '%s\n' "${2:-secret}" >"$1"; }
leak() { put "$1"; git add -f -- "$1"; git commit -q --no-verify -m "leak $1"; }
not() { if "$@"; then return 1; fi; }
quietly() { put "$1" "$1"; git add -- "$1"; git commit -q --no-verify -m "add $1"; }
clean() { put "$1" "$1"; git add -- "$1"; git commit -q -m "add $1"; }
drop() { git rm -q -- "$1"; git commit -q --no-verify -m "drop $1"; }
"#;

/// Each row gets a copy of one of these: a repository that `git pack init` set up, whose one commit is on `origin`.
#[derive(Default)]
pub struct Templates {
    sha1: OnceLock<Place>,
    sha256: OnceLock<Place>,
}

/// The surroundings of one row.
pub struct World {
    pub repo: Repo,
    hooks: bool,
    deeds: AtomicUsize,
}

/// The outcome of a row's command.
pub struct Outcome {
    pub done: Done,
    /// All refs of all repositories here, before and after.
    pub before: Refs,
    pub after: Refs,
    /// The hooks that git ran, by name, and their exit status.
    pub hooks: Vec<(String, i32)>,
    /// The reason why the row cannot run on this machine.
    pub skipped: Option<&'static str>,
}

pub type Refs = BTreeMap<PathBuf, Vec<u8>>;

/// A command under test that is not started yet.
pub struct Deed<'a> {
    world: &'a World,
    command: std::process::Command,
    stdin: Vec<u8>,
}

impl Templates {
    pub fn copy(&self, format: &'static str, hooks: bool) -> World {
        let cell = if format == "sha256" { &self.sha256 } else { &self.sha1 };
        let template = cell.get_or_init(|| make(format));
        let place = Place::new();
        // `cp` copies, for the reason that `Place::copy_binary` gives: the hooks must be executable.
        let from = format!("{}/.", template.path().display());
        let to = place.path().to_str().unwrap();
        place.run(place.path(), "cp", &["-a", &from, to]).ok();
        let root = place.path().join("repo");
        World {
            repo: Repo { place, root },
            hooks,
            deeds: AtomicUsize::new(0),
        }
    }
}

fn make(format: &str) -> Place {
    let repo = Repo::with_format(format);
    // Without fsync and background maintenance the template is made faster; without sample hooks it is copied faster.
    let script = format!(
        "quick() {{ git config core.fsync none; git config gc.auto 0; git config maintenance.auto false; }}
        quick; rm .git/hooks/*.sample; echo hello >README.md; git pack init; git add .; git commit -q -m first
        git init -q --bare -b main --object-format={format} ../remote.git; (cd ../remote.git; quick; rm hooks/*.sample)
        git remote add origin ../remote.git; git push -q -u origin main; git remote set-head origin main
        for d in .git ../remote.git; do (
            cd $d; git repack -adq; git prune-packed; git pack-refs --all; rm -rf logs branches description
            find objects refs -mindepth 1 -type d -empty ! -name heads ! -name tags -delete
        ); done"
    );
    repo.place
        .run(&repo.root, "sh", &["-c", &format!("{PRELUDE}{script}")])
        .ok();
    repo.place
}

impl World {
    /// Runs a script at the top of the repository, after [`PRELUDE`].
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        self.sh_in(&self.repo.root, script)
    }

    #[track_caller]
    pub fn sh_in(&self, directory: &Path, script: &str) -> String {
        let script = format!("{PRELUDE}{script}");
        let done = self.repo.place.run(directory, "sh", &["-c", &script]).ok();
        done.out().trim_end().to_owned()
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        self.repo.write(path, content);
    }

    /// Writes a file and stages it even if it is ignored.
    #[track_caller]
    pub fn stage(&self, path: &str, content: impl AsRef<[u8]>) {
        self.write(path, content);
        self.repo.git(&["add", "-f", "--", path]).ok();
    }

    /// Commits a file without running the hook.
    #[track_caller]
    pub fn smuggle(&self, path: &str, content: impl AsRef<[u8]>) {
        self.stage(path, content);
        self.repo.git(&["commit", "-q", "--no-verify", "-m", "smuggled"]).ok();
    }

    /// Commits and pushes a `.gitpack.toml` with these lines; keys of the top level come before tables.
    #[track_caller]
    pub fn rules(&self, rules: &str) {
        self.stage(".gitpack.toml", format!("version = 1\n{rules}"));
        self.sh("git commit -q -m rules; git push -q");
    }

    /// Writes an executable script, from another process: this one must not have it open for writing.
    #[track_caller]
    pub fn script(&self, path: &Path, text: &str) {
        let write = "mkdir -p \"$(dirname \"$0\")\"; printf '%s' \"$1\" >\"$0\"; chmod +x \"$0\"";
        let args = ["-c", write, path.to_str().unwrap(), text];
        self.repo.place.run(&self.repo.root, "sh", &args).ok();
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.repo.path(relative)
    }

    pub fn beside(&self, relative: &str) -> PathBuf {
        self.repo.place.path().join(relative)
    }

    /// The path of a loose object.
    pub fn loose(&self, id: &str) -> PathBuf {
        self.path(&format!(".git/objects/{}/{}", &id[..2], &id[2..]))
    }

    /// Gives `origin` an absolute URL, because only an absolute URL can be called private. Returns the configuration
    /// line that does so.
    #[track_caller]
    pub fn private(&self) -> String {
        let url = self.sh("cd ../remote.git; pwd -P");
        self.sh(&format!("git remote set-url origin '{url}'"));
        format!("private_remotes = [\"{url}\"]\n")
    }

    /// Installs the guard on the remote.
    #[track_caller]
    pub fn server(&self) {
        self.sh("cd ../remote.git; git pack init --server");
    }

    /// The age identity file that `git pack init` made.
    pub fn identity(&self) -> String {
        fs::read_to_string(self.repo.identity()).unwrap()
    }

    /// Seals with the `age` command, for this repository's recipient unless `args` name others.
    #[track_caller]
    pub fn age(&self, args: &[&str], plaintext: &[u8]) -> Vec<u8> {
        let program = std::env::var("GITPACK_AGE").unwrap_or_else(|_| "age".into());
        let identity = self.identity();
        let recipient = identity
            .split_whitespace()
            .find(|word| word.starts_with("age1"))
            .unwrap();
        let mut all = args.to_vec();
        if !args.contains(&"-R") {
            all.extend(["-r", recipient]);
        }
        fs::write(self.beside("plain"), plaintext).unwrap();
        all.extend(["-o", "../sealed", "../plain"]);
        fs::remove_file(self.beside("sealed")).ok();
        self.repo.place.run(&self.repo.root, &program, &all).ok();
        fs::read(self.beside("sealed")).unwrap()
    }

    /// Makes a private key with `ssh-keygen`; returns nothing if there is no such program.
    pub fn ssh_key(&self, args: &[&str]) -> Option<Vec<u8>> {
        let path = self.beside("ssh-key");
        let fixed = ["-q", "-N", "", "-C", "throw-away", "-f", path.to_str().unwrap()];
        let mut command = self.repo.place.command("ssh-keygen", &self.repo.root);
        command.args(fixed).args(args).status().ok()?;
        fs::read(path).ok()
    }

    /// Runs the command under test: git at the top of the repository.
    pub fn act(&self, args: &[&str]) -> Outcome {
        self.deed("git", args).go()
    }

    /// Runs git in another directory as the command under test.
    pub fn act_in(&self, directory: &Path, args: &[&str]) -> Outcome {
        self.deed("git", args).at(directory).go()
    }

    pub fn commit(&self) -> Outcome {
        self.act(&["commit", "-m", "x"])
    }

    pub fn push(&self) -> Outcome {
        self.act(&["push", "origin", "HEAD"])
    }

    pub fn deed(&self, program: &str, args: &[&str]) -> Deed<'_> {
        let mut command = self.repo.place.command(program, &self.repo.root);
        command.args(args);
        Deed {
            world: self,
            command,
            stdin: Vec::new(),
        }
    }

    /// Returns the outcome of a row that cannot run on this machine.
    pub fn skip(&self, why: &'static str) -> Outcome {
        let nothing = self.repo.place.run(self.repo.place.path(), "true", &[]);
        Outcome {
            done: nothing,
            before: Refs::new(),
            after: Refs::new(),
            hooks: Vec::new(),
            skipped: Some(why),
        }
    }

    /// Reads every ref of every repository here, as files. git lists those that a reftable holds.
    fn refs(&self) -> Refs {
        fn walk(place: &Place, directory: &Path, in_refs: bool, found: &mut Refs) {
            if directory.join("reftable").exists() {
                let listed = place.run(directory, "git", &["--git-dir=.", "for-each-ref"]).stdout;
                found.insert(directory.join("reftable"), listed);
            }
            let Ok(entries) = fs::read_dir(directory) else { return };
            for entry in entries {
                let entry = entry.unwrap();
                let (path, name) = (entry.path(), entry.file_name());
                if entry.file_type().unwrap().is_dir() {
                    if name != OsStr::new("objects") && name != OsStr::new("logs") {
                        walk(place, &path, in_refs || name == OsStr::new("refs"), found);
                    }
                } else if in_refs || name == OsStr::new("HEAD") || name == OsStr::new("packed-refs") {
                    let content = fs::read(&path).unwrap_or_default();
                    found.insert(path, content);
                }
            }
        }
        let mut found = Refs::new();
        walk(&self.repo.place, self.repo.place.path(), false, &mut found);
        found
    }
}

impl Outcome {
    /// Ignores what each `HEAD` points to.
    pub fn forget_heads(&mut self) {
        for refs in [&mut self.before, &mut self.after] {
            refs.retain(|path, _| !path.ends_with("HEAD"));
        }
    }
}

impl Deed<'_> {
    pub fn at(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = text.as_bytes().to_vec();
        self
    }

    /// Reduces `PATH` to the directories that git itself needs.
    pub fn bare_path(self) -> Self {
        let path = std::env::var_os("PATH").unwrap();
        let has_git = |directory: &PathBuf| directory.join("git").is_file();
        let git = std::env::split_paths(&path).find(has_git).unwrap();
        self.env("PATH", format!("{}:/usr/bin:/bin", git.display()))
    }

    /// Runs the command and records refs and hooks.
    pub fn go(mut self) -> Outcome {
        let world = self.world;
        let number = world.deeds.fetch_add(1, Ordering::Relaxed);
        let trace = world.beside(&format!("trace-{number}"));
        self.command.env("GIT_TRACE2_EVENT", &trace);
        if !world.hooks {
            // Switches off our hooks, those of the repository's own setting, and those at the other end of a push.
            let nowhere = "[core]\n\thooksPath = /nonexistent\n[safe]\n\tdirectory = *\n";
            fs::write(world.beside("no-hooks"), nowhere).unwrap();
            self.command
                .env("GIT_CONFIG_GLOBAL", world.beside("no-hooks"))
                .env("GIT_CONFIG_COUNT", "1")
                .env("GIT_CONFIG_KEY_0", "core.hooksPath")
                .env("GIT_CONFIG_VALUE_0", "/nonexistent");
        }
        let before = world.refs();
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        // A command that does not read its input may close the pipe, so an error here is ignored.
        child.stdin.take().unwrap().write_all(&self.stdin).ok();
        let output = child.wait_with_output().unwrap();
        Outcome {
            done: Done {
                code: output.status.code().unwrap_or(-1),
                stdout: output.stdout,
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            },
            before,
            after: world.refs(),
            hooks: hooks_in(&fs::read(&trace).unwrap_or_default()),
            skipped: None,
        }
    }
}

/// Reads the hooks that ran from git's own trace.
fn hooks_in(trace: &[u8]) -> Vec<(String, i32)> {
    let mut names = BTreeMap::new();
    let mut hooks = Vec::new();
    for line in trace.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Ok(event) = serde_json::from_slice::<serde_json::Value>(line) else {
            continue;
        };
        let child = (event["sid"].to_string(), event["child_id"].to_string());
        match event["event"].as_str() {
            Some("child_start") if event["child_class"] == "hook" => {
                names.insert(child, event["hook_name"].as_str().unwrap_or_default().to_owned());
            }
            Some("child_exit") => {
                if let Some(name) = names.remove(&child) {
                    hooks.push((name, event["code"].as_i64().map_or(-1, |code| code as i32)));
                }
            }
            _ => {}
        }
    }
    hooks
}
