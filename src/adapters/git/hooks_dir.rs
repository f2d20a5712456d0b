//! The hooks directory that git will use here, and the files in it.

use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::adapters::files::{self, Durability, write_whole};
use crate::format::refusal::{Refusal, Result};

/// The largest hook that is looked into.
const MAX_HOOK: u64 = 16 << 20;

/// A hook of somebody else's is set aside under its name and this.
const CHAINED: &str = ".chained";

/// The directory in which git looks for hooks.
pub struct HooksDir {
    path: PathBuf,
}

impl HooksDir {
    /// Asks git itself, which knows of `core.hooksPath` and of worktrees, as it would be run in `directory`.
    pub fn of(directory: &Path) -> Result<Self> {
        let configured = ask(directory, &["config", "--get", "core.hooksPath"])?;
        if configured.status.success() && configured.stdout.trim_ascii().is_empty() {
            return Err(asking("core.hooksPath is empty, so git runs none"));
        }
        let output = ask(directory, &["rev-parse", "--git-path", "hooks"])?;
        if !output.status.success() {
            return Err(asking(
                &String::from_utf8_lossy(&output.stderr).trim().replace('\n', " "),
            ));
        }
        let mut bytes = output.stdout;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        let path = directory.join(PathBuf::from(std::ffi::OsString::from_vec(bytes)));
        // The directory need not exist yet; its parent does.
        let path = match (files::canonical(files::parent(&path)), path.file_name()) {
            (Ok(parent), Some(name)) => parent.join(name),
            _ => path,
        };
        Ok(Self { path })
    }

    /// Refuses if no hook could be written.
    pub fn ensure_writable(&self) -> Result<()> {
        files::ensure_writable(&self.path)
    }

    /// Returns the directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the hook of that name, if there is one.
    pub fn read(&self, hook: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path.join(hook);
        if !files::exists(&path) {
            return Ok(None);
        }
        // A hook may be a link, as those of some managers are; what it leads to is what git runs.
        files::read(&files::canonical(&path)?, MAX_HOOK).map(Some)
    }

    /// Writes an executable hook.
    pub fn write(&self, hook: &str, bytes: &[u8]) -> Result<()> {
        std::fs::create_dir_all(&self.path).map_err(Refusal::io("creating", &self.path))?;
        write_whole(&self.path.join(hook), bytes, 0o777, Durability::Durable)
    }

    /// Returns whether git would run the hook: one that is not executable is passed over.
    pub fn is_executable(&self, hook: &str) -> bool {
        files::permission_bits(&self.path.join(hook)).is_ok_and(|bits| bits & 0o111 != 0)
    }

    /// Returns whether somebody else's hook was set aside.
    pub fn has_chained(&self, hook: &str) -> bool {
        files::exists(&self.chained(hook))
    }

    /// Sets a hook aside as it is, links included, and writes `bytes` in its place; at every moment one of both runs.
    pub fn chain(&self, hook: &str, bytes: &[u8]) -> Result<()> {
        let place = self.path.join(hook);
        let aside = self.chained(hook);
        std::fs::hard_link(&place, &aside).map_err(Refusal::io("keeping the hook as", &aside))?;
        files::replace_link(&place, bytes, 0o777)
    }

    /// Takes our hook away and puts back what was set aside.
    pub fn restore(&self, hook: &str) -> Result<()> {
        let place = self.path.join(hook);
        match self.has_chained(hook) {
            true => std::fs::rename(self.chained(hook), &place).map_err(Refusal::io("putting back", &place)),
            false => files::remove(&place),
        }
    }

    fn chained(&self, hook: &str) -> PathBuf {
        self.path.join(format!("{hook}{CHAINED}"))
    }
}

/// Runs the hook that was set aside, if git would: with the same arguments and its own copy of `stdin`.
///
/// Returns its exit status where that is not success.
pub fn run_chained(hook: &Path, arguments: &[String], stdin: Option<&[u8]>) -> Result<Option<String>> {
    if !files::permission_bits(hook).is_ok_and(|bits| bits & 0o111 != 0) {
        return Ok(None);
    }
    let failed = |e: std::io::Error| Refusal::io("running", hook)(e);
    let mut command = Command::new(hook);
    command.args(arguments);
    if stdin.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().map_err(failed)?;
    if let (Some(mut pipe), Some(stdin)) = (child.stdin.take(), stdin) {
        // A hook need not read what it is given.
        drop(std::io::Write::write_all(&mut pipe, stdin));
    }
    let status = child.wait().map_err(failed)?;
    Ok((!status.success()).then(|| status.to_string()))
}

/// Hooks in git's configuration (`hook.<name>.command`), which git runs beside those in the directory since 2.54.
pub struct ConfiguredHooks {
    directory: PathBuf,
    supported: bool,
    /// The hooks of ours that are configured.
    ours: Vec<String>,
}

/// Every hook of ours has a name that begins so.
const CONFIGURED: &str = "git-pack-";

impl ConfiguredHooks {
    /// Reads git's version and configuration.
    pub fn of(directory: &Path) -> Result<Self> {
        let supported = version(directory).is_some_and(|version| version >= (2, 54));
        let pattern = format!("^hook\\.{CONFIGURED}.*\\.event$");
        let output = ask(directory, &["config", "--null", "--get-regexp", &pattern])?;
        let entries = output.stdout.split(|byte| *byte == 0);
        let ours = entries.filter_map(|entry| {
            let value = entry.splitn(2, |byte| *byte == b'\n').nth(1)?;
            Some(String::from_utf8_lossy(value).into_owned())
        });
        Ok(Self {
            directory: directory.to_owned(),
            supported,
            ours: ours.collect(),
        })
    }

    /// Returns whether this git runs such hooks.
    pub fn is_supported(&self) -> bool {
        self.supported
    }

    /// Returns whether ours is configured, whatever this git makes of it.
    pub fn is_set(&self, hook: &str) -> bool {
        self.ours.iter().any(|ours| ours == hook)
    }

    /// Returns whether git runs ours.
    pub fn runs(&self, hook: &str) -> bool {
        self.supported && self.is_set(hook)
    }

    /// Has git run `command` as `hook`.
    pub fn set(&self, hook: &str, command: &str) -> Result<()> {
        let name = format!("hook.{CONFIGURED}{hook}");
        self.config(&["--local", &format!("{name}.command"), command])?;
        self.config(&["--local", &format!("{name}.event"), hook])
    }

    /// Undoes that.
    pub fn unset(&self, hook: &str) -> Result<()> {
        self.config(&["--local", "--remove-section", &format!("hook.{CONFIGURED}{hook}")])
    }

    fn config(&self, args: &[&str]) -> Result<()> {
        let output = ask(&self.directory, &[&["config"], args].concat())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(Refusal::Unsupported {
                what: format!(
                    "git config: {}",
                    String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ")
                ),
                remedy: "git config --local --list    (git itself may say more)".into(),
            }),
        }
    }
}

/// Returns the version of git: major and minor.
fn version(directory: &Path) -> Option<(u32, u32)> {
    let output = ask(directory, &["--version"]).ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn ask(directory: &Path, args: &[&str]) -> Result<std::process::Output> {
    let mut git = Command::new("git");
    let output = git.args(args).current_dir(directory).stdin(Stdio::null()).output();
    output.map_err(|e| asking(&e.to_string()))
}

fn asking(why: &str) -> Refusal {
    Refusal::Unsupported {
        what: format!("git does not say where hooks are: {why}"),
        remedy: "git rev-parse --git-path hooks".into(),
    }
}
