//! A hermetic place in which the real git and the built git-pack run: its own home, and no configuration of the
//! machine.

use std::ffi::OsStr;
use std::fs;
#[cfg(unix)]
use std::os::unix::ffi::OsStrExt;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[cfg(unix)]
pub mod packs;
#[cfg(unix)]
pub mod reference;
#[cfg(unix)]
pub mod registry;
#[cfg(unix)]
pub mod server;

/// The binary under test.
pub const GIT_PACK: &str = env!("CARGO_BIN_EXE_git-pack");

/// The `age` command: the value of `GITPACK_AGE`, else `age`. The script `tests/run` finds or installs one.
pub fn age() -> String {
    std::env::var("GITPACK_AGE").unwrap_or_else(|_| "age".into())
}

/// The key generator that belongs to the `age` command.
pub fn age_keygen() -> String {
    format!("{}-keygen", age())
}

/// Returns the number in a variable, else `default`.
pub fn number(variable: &str, default: u64) -> u64 {
    let named = std::env::var(variable).ok();
    named.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A temporary directory with a home in it; dropping the value removes it.
pub struct Place {
    temp: tempfile::TempDir,
}

/// A repository in a [`Place`].
pub struct Repo {
    pub place: Place,
    pub root: PathBuf,
}

/// The outcome of a command.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Done {
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.out(), self.stderr);
        self
    }

    /// Asserts that a report was shown, whether it says that something is wrong or not.
    #[track_caller]
    pub fn shown(self) -> Self {
        assert!(matches!(self.code, 0 | 1), "{}\n{}", self.out(), self.stderr);
        self
    }

    /// Asserts a refusal: exit 2, the code in the envelope, and one document on stdout.
    #[track_caller]
    pub fn refused(self, code: &str) -> serde_json::Value {
        assert_eq!(self.code, 2, "{}\n{}", self.out(), self.stderr);
        let value: serde_json::Value = serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|e| panic!("stdout is not one document: {e}\n{}\n{}", self.out(), self.stderr));
        assert_eq!(value["outcome"], "REFUSAL");
        assert_eq!(value["refusal"]["code"], code, "{value}\n{}", self.stderr);
        assert!(self.stderr.starts_with("git-pack: "), "{}", self.stderr);
        value
    }

    pub fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Place {
    pub fn new() -> Self {
        let temp = tempfile::Builder::new().prefix("git-pack-test-").tempdir().unwrap();
        fs::create_dir(temp.path().join("home")).unwrap();
        Self { temp }
    }

    pub fn path(&self) -> &Path {
        self.temp.path()
    }

    pub fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// Makes every command here find a git that reports this version and, like git 2.54 and later, lists configured
    /// hooks. Only a real git of such a version runs them.
    pub fn git_says(&self, version: &str) {
        let bin = self.path().join("bin");
        fs::create_dir_all(&bin).unwrap();
        drop(fs::remove_file(bin.join("git")));
        let real = self.run(self.path(), "sh", &["-c", "command -v git"]).ok().out();
        let script = format!(
            "#!/bin/sh\ncase \"$1 $2\" in\n--version*) echo git version {version}; exit ;;\n\"hook list\")\n\
             [ \"$({0} config hook.git-pack-$3.enabled)\" = false ] && exit 1\n\
             {0} config --get-regexp '^hook[.].*[.]event$' $3 | sed 's/^hook[.]\\(.*\\)[.]event .*/\\1/'; exit ;;\nesac\n\
             exec {0} \"$@\"\n",
            real.trim()
        );
        // Another process writes the script, for the reason that `copy_binary` gives.
        let mut written = self.command("sh", &bin);
        written.args(["-c", "printf %s \"$1\" >git && chmod +x git", "sh", &script]);
        assert!(written.status().unwrap().success());
    }

    /// Returns a command with a fixed environment. Of this process's environment it keeps only `PATH`, with `bin/` of
    /// this place first and git-pack second.
    pub fn command(&self, program: impl AsRef<OsStr>, directory: &Path) -> Command {
        let bin = Path::new(GIT_PACK).parent().unwrap();
        let first = self.path().join("bin");
        let inherited = std::env::var_os("PATH").unwrap();
        let rest = std::env::split_paths(&inherited);
        let path = std::env::join_paths([first, bin.to_owned()].into_iter().chain(rest)).unwrap();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.home())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "A")
            .env("GIT_AUTHOR_EMAIL", "a@example.org")
            .env("GIT_COMMITTER_NAME", "C")
            .env("GIT_COMMITTER_EMAIL", "c@example.org")
            .env("GIT_AUTHOR_DATE", "2026-01-15T10:30:00Z")
            .env("GIT_COMMITTER_DATE", "2026-01-15T10:30:00Z")
            .stdin(Stdio::null())
            .current_dir(directory);
        // Without it, no program of Windows starts.
        if let Some(root) = std::env::var_os("SystemRoot") {
            command.env("SystemRoot", root);
        }
        // All tests can be run on repositories that keep their refs in a reftable.
        if let Some(format) = std::env::var_os("GIT_DEFAULT_REF_FORMAT") {
            command.env("GIT_DEFAULT_REF_FORMAT", format);
        }
        command
    }

    pub fn run(&self, directory: &Path, program: &str, args: &[&str]) -> Done {
        Done::from(self.command(program, directory).args(args).output().unwrap())
    }

    /// Copies the binary by running `cp`. If this process wrote the file itself, another thread could fork while the
    /// file is open for writing, and the kernel would then refuse to execute it ("text file busy").
    pub fn copy_binary(&self, target: &Path) {
        self.run(self.path(), "cp", &[GIT_PACK, target.to_str().unwrap()]).ok();
    }

    pub fn pack_in(&self, directory: &Path, args: &[&str]) -> Done {
        self.run(directory, GIT_PACK, args)
    }
}

impl Repo {
    /// An empty repository.
    pub fn empty() -> Self {
        Self::with_format("sha1")
    }

    pub fn with_format(format: &str) -> Self {
        Self::made_with(&format!("--object-format={format}"))
    }

    fn made_with(option: &str) -> Self {
        let place = Place::new();
        let root = place.path().join("repo");
        fs::create_dir(&root).unwrap();
        place.run(&root, "git", &["init", "-q", "-b", "main", option]).ok();
        Self { place, root }
    }

    /// A repository that was set up and has one commit.
    pub fn set_up() -> Self {
        Self::empty().with_a_commit()
    }

    /// The same with refs in files, on whatever format the other tests run.
    pub fn set_up_in_files() -> Self {
        Self::made_with("--ref-format=files").with_a_commit()
    }

    fn with_a_commit(self) -> Self {
        let repo = self;
        repo.write("README.md", "hello\n");
        repo.pack(&["init"]).ok();
        repo.git(&["add", "."]).ok();
        repo.git(&["commit", "-q", "-m", "first"]).ok();
        repo
    }

    pub fn git(&self, args: &[&str]) -> Done {
        self.place.run(&self.root, "git", args)
    }

    pub fn pack(&self, args: &[&str]) -> Done {
        self.place.pack_in(&self.root, args)
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) {
        write(&self.root.join(relative), content);
    }

    #[cfg(unix)]
    pub fn write_bytes(&self, relative: &[u8], content: &[u8]) {
        write(&self.root.join(OsStr::from_bytes(relative)), content);
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "-A"]).ok();
        self.git(&["commit", "-q", "--allow-empty", "-m", message]).ok();
    }

    /// Commits one path and leaves all other changes uncommitted.
    pub fn commit_only(&self, path: &str) {
        self.git(&["add", path]).ok();
        self.git(&["commit", "-q", "-m", "only"]).ok();
    }

    pub fn rev(&self, rev: &str) -> String {
        self.git(&["rev-parse", rev]).ok().out().trim().to_owned()
    }

    /// The identity file that `init` made.
    pub fn identity(&self) -> PathBuf {
        self.place.home().join(".config/git-pack/identity.txt")
    }

    /// Seals, and returns the pack's id and directory.
    #[track_caller]
    pub fn seal(&self, args: &[&str]) -> (String, PathBuf) {
        let done = self.pack(&[&["seal"], args].concat()).ok();
        let out = done.out();
        let mut lines = out.lines();
        let id = lines.next().unwrap().strip_prefix("PACK_CREATED ").unwrap().to_owned();
        (id, self.root.join(lines.next().unwrap()))
    }
}

pub fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Returns bytes that look random and are the same for the same seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// Every file below a directory with its mode and bytes, links as their targets.
#[cfg(unix)]
pub fn snapshot(root: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    fn walk(root: &Path, directory: &Path, found: &mut Vec<(PathBuf, u32, Vec<u8>)>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let relative = path.strip_prefix(root).unwrap().to_owned();
            let of_every_command = [".epistemic", ".local/state/git-pack/program"];
            if of_every_command.iter().any(|name| relative.ends_with(name)) || relative == Path::new("git-pack") {
                // Every command writes to the witness ledger, and the first remembers the hash of the program. A copied binary
                // is large and not part of any test.
                continue;
            }
            let mode = meta.permissions().mode();
            if meta.is_dir() {
                found.push((relative, mode, Vec::new()));
                walk(root, &path, found);
            } else if meta.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                found.push((relative, mode, target.as_os_str().as_bytes().to_vec()));
            } else if meta.is_file() {
                found.push((relative, mode, fs::read(&path).unwrap_or_default()));
            } else {
                found.push((relative, mode, Vec::new()));
            }
        }
    }
    let mut found = Vec::new();
    walk(root, root, &mut found);
    found.sort();
    found
}

/// Returns whether this process can read files without permission. A test of unreadable files would then test nothing.
#[cfg(unix)]
pub fn is_root() -> bool {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("x");
    fs::write(&path, "x").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    fs::read(&path).is_ok()
}
