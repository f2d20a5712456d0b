//! The canary of `status --doctor`: a protected file in a private index and commit, passed to a hook as git would pass
//! it.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::adapters::files::platform::canonicalize;
use crate::adapters::git::Repository;
use crate::adapters::interruption::{self, Temporary};
use crate::format::object_id::ObjectId;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// The canary's path. No configuration can release it.
pub const PATH: &str = "_PACK_RUN/git-pack-canary";

/// The ref to which the canary would be pushed. No local ref leads to its commit.
const REF: &str = "refs/heads/git-pack-canary";

/// The ref to which a harmless commit would be pushed before the canary.
const REF_BEFORE: &str = "refs/heads/git-pack-before-the-canary";

/// A canary in a temporary directory, removed when dropped. Nothing is written to the repository itself.
pub struct Canary {
    directory: Temporary<tempfile::TempDir>,
    cwd: PathBuf,
    objects: PathBuf,
    commit: ObjectId,
    /// A commit without the canary that no ref holds.
    harmless: ObjectId,
    zero: ObjectId,
}

/// What is pushed in a trial of pre-push.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// Only the canary.
    Alone,
    /// A harmless commit and then the canary. A hook that is told only the first ref lets it pass.
    Second,
}

/// The answer of a hook to the canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether the hook let the canary pass.
    pub passed: bool,
    /// What the hook wrote to standard error.
    pub words: String,
}

impl Canary {
    /// Creates the blob, index, tree and commit in a temporary object directory.
    pub fn plant(repo: &Repository, cwd: &Path) -> Result<Self> {
        let failed = |e: std::io::Error| Refusal::io("making a canary in", Path::new("a temporary directory"))(e);
        let directory = interruption::temporary(|| tempfile::Builder::new().prefix("git-pack-canary-").tempdir())
            .map_err(failed)?;
        for name in ["objects", "objects/info", "objects/pack"] {
            std::fs::create_dir(directory.path().join(name)).map_err(failed)?;
        }
        let objects = repo.common_dir().join("objects");
        let mut canary = Self {
            objects: canonicalize(&objects).unwrap_or(objects),
            cwd: repo.work_tree().unwrap_or_else(|| cwd.to_owned()),
            commit: repo.zero_id(),
            harmless: repo.zero_id(),
            zero: repo.zero_id(),
            directory,
        };
        let blob = canary.ask(&["hash-object", "-w", "--stdin"], b"a canary, not a secret\n")?;
        let head = repo.has_commit()?;
        if head {
            canary.ask(&["read-tree", "HEAD"], b"")?;
        }
        canary.harmless = canary.commit_index(head)?;
        let entry = format!("100644,{blob},{PATH}");
        canary.ask(&["update-index", "--add", "--cacheinfo", &entry], b"")?;
        canary.commit = canary.commit_index(head)?;
        if repo.work_tree().is_some() {
            canary.stage(repo, &entry)?;
        }
        Ok(canary)
    }

    /// Commits what is in the canary's index, on top of `HEAD` if there is one.
    fn commit_index(&self, head: bool) -> Result<ObjectId> {
        let tree = self.ask(&["write-tree"], b"")?;
        let mut arguments = vec!["commit-tree", "-m", "canary"];
        if head {
            arguments.extend(["-p", "HEAD"]);
        }
        arguments.push(&tree);
        let commit = self.ask(&arguments, b"")?;
        ObjectId::parse(&commit).ok_or_else(|| said(&commit))
    }

    /// Adds the canary to a copy of the index, so that the hook sees the staged files as at a commit.
    ///
    /// Marks the canary as not checked out: some hook managers stash unstaged changes, and a missing file would be such
    /// a change.
    fn stage(&self, repo: &Repository, entry: &str) -> Result<()> {
        let index = repo.index_path();
        let copy = self.directory.path().join("index");
        match std::fs::copy(&index, &copy) {
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => drop(std::fs::remove_file(&copy)),
            Err(e) => return Err(Refusal::io("copying", &index)(e)),
        }
        self.ask(&["update-index", "--add", "--cacheinfo", entry], b"")?;
        self.ask(&["update-index", "--skip-worktree", "--", PATH], b"")?;
        Ok(())
    }

    /// Runs pre-push on the canary, through `git hook run`. `remote` and `url` name where it would be pushed.
    pub fn push(&self, push: Push, remote: &str, url: &str) -> Result<Answer> {
        let (commit, harmless, zero) = (&self.commit, &self.harmless, &self.zero);
        let before = match push {
            Push::Alone => String::new(),
            Push::Second => format!("{harmless} {harmless} {REF_BEFORE} {zero}\n"),
        };
        self.run(
            "pre-push",
            &[remote, url],
            format!("{before}{commit} {commit} {REF} {zero}\n"),
        )
    }

    /// Runs any other hook on the canary.
    pub fn give_to(&self, hook: &str) -> Result<Answer> {
        let (commit, zero) = (&self.commit, &self.zero);
        let (arguments, stdin): (&[&str], String) = match hook {
            "pre-receive" => (&[], format!("{zero} {commit} {REF}\n")),
            "reference-transaction" => (&["prepared"], format!("{zero} {commit} {REF}\n")),
            _ => (&[], String::new()),
        };
        self.run(hook, arguments, stdin)
    }

    fn run(&self, hook: &str, arguments: &[&str], stdin: String) -> Result<Answer> {
        let input = self.directory.path().join("stdin");
        std::fs::write(&input, stdin).map_err(Refusal::io("writing", &input))?;
        let mut to_stdin = OsString::from("--to-stdin=");
        to_stdin.push(&input);
        let mut git = self.git();
        git.args(["hook", "run", "--ignore-missing"]).arg(to_stdin);
        git.arg(hook).arg("--").args(arguments);
        let output = git.output().map_err(|e| said(&e.to_string()))?;
        Ok(Answer {
            passed: output.status.success(),
            words: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn ask(&self, arguments: &[&str], stdin: &[u8]) -> Result<String> {
        let child = self
            .git()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|e| said(&e.to_string()))?;
        let mut pipe = child.stdin.take().expect("stdin was asked to be a pipe");
        // git may exit without reading its input. Its status then tells what happened.
        drop(pipe.write_all(stdin));
        drop(pipe);
        let output = child.wait_with_output().map_err(|e| said(&e.to_string()))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(said(String::from_utf8_lossy(&output.stderr).trim())),
        }
    }

    fn git(&self) -> Command {
        let place = self.directory.path();
        let mut git = Command::new("git");
        git.current_dir(&self.cwd)
            .env("GIT_INDEX_FILE", place.join("index"))
            .env("GIT_OBJECT_DIRECTORY", place.join("objects"))
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", &self.objects)
            .env("GIT_AUTHOR_NAME", "git-pack")
            .env("GIT_AUTHOR_EMAIL", "git-pack@localhost")
            .env("GIT_COMMITTER_NAME", "git-pack")
            .env("GIT_COMMITTER_EMAIL", "git-pack@localhost")
            .stdin(Stdio::null());
        git
    }
}

fn said(what: &str) -> Refusal {
    Refusal::Unsupported(Unsupported::Canary {
        said: what.replace('\n', " "),
    })
}
