//! The hooks directory that git will use here, and the files in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::adapters::files;
use crate::format::path_bytes::path_of_bytes;
use crate::refusal::unsupported::{SharedScope, Unsupported};
use crate::refusal::{Refusal, Result};

/// The largest hook to read, in bytes.
const MAX_HOOK: u64 = 16 << 20;

/// Suffix of the name under which a foreign hook is set aside.
const CHAINED: &str = ".chained";

/// Suffix of the name under which pre-commit and prek keep a hook that was there before them. They run it first.
const LEGACY: &str = ".legacy";

/// The directory in which git looks for hooks, with access to the hooks in it.
pub struct HooksDir {
    path: PathBuf,
    /// The same path as git reports it, with links unresolved.
    said: PathBuf,
    /// The configuration that has other repositories use the same directory, if one does.
    shared: Option<SharedScope>,
}

impl HooksDir {
    /// Asks git, run in `directory`, for its hooks directory. git takes `core.hooksPath` and worktrees into account.
    pub fn of(directory: &Path) -> Result<Self> {
        let configured = ask(directory, &["config", "--get", "core.hooksPath"])?;
        if configured.status.success() && configured.stdout.trim_ascii().is_empty() {
            return Err(Refusal::Unsupported(Unsupported::EmptyHooksPath {
                shared: shared_scope(directory)?,
            }));
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
        let said = path_of_bytes(&bytes).to_owned();
        // A relative path leads to a directory of this repository, whoever configured it.
        let shared = match configured.status.success() && said.is_absolute() {
            true => shared_scope(directory)?,
            false => None,
        };
        let said = directory.join(said);
        // The directory may not exist yet, so resolve its parent.
        let path = match (files::canonical(files::parent(&said)), said.file_name()) {
            (Ok(parent), Some(name)) => parent.join(name),
            _ => said.clone(),
        };
        Ok(Self { path, said, shared })
    }

    /// Refuses if the directory is not writable, or if a link in the work tree redirects it to a place outside.
    ///
    /// Links in git's own directory, and on a path outside of the work tree, belong to the owner and are allowed.
    pub fn ensure_writable(&self) -> Result<()> {
        files::ensure_stays_in_tree(&self.said)?;
        files::ensure_writable(&self.path)
    }

    /// Returns the configuration that has other repositories use the same directory, if one does.
    pub fn shared(&self) -> Option<SharedScope> {
        self.shared
    }

    /// Returns the path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the content of a hook. `None` if it does not exist.
    pub fn read(&self, hook: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path.join(hook);
        if !files::exists(&path) {
            return Ok(None);
        }
        // Some hook managers install hooks as links. git runs the target, so read that.
        files::read(&files::canonical(&path)?, MAX_HOOK).map(Some)
    }

    /// Writes an executable hook. A link in its place is replaced, not written through.
    pub fn write(&self, hook: &str, bytes: &[u8]) -> Result<()> {
        std::fs::create_dir_all(&self.path).map_err(Refusal::io("creating", &self.path))?;
        files::replace_link(&self.path.join(hook), bytes, 0o777)
    }

    /// Returns whether the hook is executable. git skips one that is not.
    pub fn is_executable(&self, hook: &str) -> bool {
        files::may_be_run(&self.path.join(hook)).unwrap_or(false)
    }

    /// Returns whether a foreign hook was set aside.
    pub fn has_chained(&self, hook: &str) -> bool {
        files::exists(&self.chained(hook))
    }

    /// Sets a hook aside unchanged, even a link, and writes `bytes` in its place. At every moment one of the two is in
    /// place.
    pub fn chain(&self, hook: &str, bytes: &[u8]) -> Result<()> {
        let place = self.path.join(hook);
        let aside = self.chained(hook);
        std::fs::hard_link(&place, &aside).map_err(Refusal::io("keeping the hook as", &aside))?;
        files::replace_link(&place, bytes, 0o777)
    }

    /// Reads the hook that a manager keeps aside and runs.
    pub fn read_legacy(&self, hook: &str) -> Result<Option<Vec<u8>>> {
        self.read(&format!("{hook}{LEGACY}"))
    }

    /// Reads the hook that git-pack set aside.
    pub fn read_set_aside(&self, hook: &str) -> Result<Option<Vec<u8>>> {
        self.read(&format!("{hook}{CHAINED}"))
    }

    /// Removes git-pack's hook that a manager keeps aside. Does `then` with the hook that git-pack had set aside before.
    pub fn remove_legacy(&self, hook: &str, then: SetAside) -> Result<()> {
        let legacy = self.path.join(format!("{hook}{LEGACY}"));
        match then {
            SetAside::Stays => files::remove(&legacy),
            SetAside::Goes => files::remove(&legacy).and_then(|()| files::remove(&self.chained(hook))),
            SetAside::TakesItsPlace => {
                std::fs::rename(self.chained(hook), &legacy).map_err(Refusal::io("putting back", &legacy))
            }
        }
    }

    /// Removes git-pack's hook and puts the hook that was set aside back in its place.
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

/// What happens to a hook that git-pack set aside, when its own is removed from where a manager keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetAside {
    /// It stays as it is, or does not exist.
    Stays,
    /// It is removed.
    Goes,
    /// The manager runs it instead.
    TakesItsPlace,
}

/// The program name (`$0`) with which a hook that was set aside runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramName {
    /// The path of its file.
    AsItsFile,
    /// The path that it had before. The hook must be a script for `sh`.
    AsBefore,
}

/// Reads the hook that was set aside. `None` if there is none that can be read.
pub fn read_chained(hook: &Path) -> Option<Vec<u8>> {
    files::read(&files::canonical(hook).ok()?, MAX_HOOK).ok()
}

/// Runs the hook that was set aside, if it is executable, with the same arguments and its own copy of `stdin`.
///
/// Returns its exit status if it failed.
pub fn run_chained(
    hook: &Path,
    named: ProgramName,
    arguments: &[String],
    stdin: Option<&[u8]>,
) -> Result<Option<String>> {
    if !files::may_be_run(hook).unwrap_or(false) {
        return Ok(None);
    }
    let failed = |e: std::io::Error| Refusal::io("running", hook)(e);
    let mut command = match (named, hook.to_str().and_then(|path| path.strip_suffix(CHAINED))) {
        (ProgramName::AsBefore, Some(before)) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!(". \"$0{CHAINED}\""), before]);
            shell
        }
        _ => Command::new(hook),
    };
    command.args(arguments);
    if stdin.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().map_err(failed)?;
    if let (Some(mut pipe), Some(stdin)) = (child.stdin.take(), stdin) {
        // A hook may exit without reading its input, so a failed write is no error.
        drop(std::io::Write::write_all(&mut pipe, stdin));
    }
    let status = child.wait().map_err(failed)?;
    Ok((!status.success()).then(|| status.to_string()))
}

/// Returns the names of the hooks in git's configuration, whoever configured them.
pub(super) fn configured(repo: &gix::Repository) -> BTreeSet<Vec<u8>> {
    let config = repo.config_snapshot();
    let sections = config.plumbing().sections_by_name("hook").into_iter().flatten();
    sections
        .filter_map(|section| section.header().subsection_name().map(|name| name.to_vec()))
        .collect()
}

/// Hooks in git's configuration (`hook.<name>.command`).
///
/// git runs them since 2.54, before the hook in the directory, with the same arguments and standard input, and each of
/// them whether or not the others fail.
pub struct ConfiguredHooks {
    directory: PathBuf,
    supported: bool,
    /// The git-pack hooks that this repository's configuration names, each with its command.
    ours: Vec<(String, Option<String>)>,
}

/// Prefix of the configured name of every git-pack hook.
const CONFIGURED: &str = "git-pack-";

impl ConfiguredHooks {
    /// Reads git's version and configuration.
    pub fn of(directory: &Path) -> Result<Self> {
        let supported = version(directory).is_some_and(|version| version >= (2, 54));
        let prefix = format!("hook.{CONFIGURED}");
        let pattern = format!("^hook\\.{CONFIGURED}");
        let output = ask(directory, &["config", "--local", "--null", "--get-regexp", &pattern])?;
        let mut ours: Vec<(String, Option<String>)> = Vec::new();
        for entry in output.stdout.split(|byte| *byte == 0) {
            let entry = String::from_utf8_lossy(entry);
            let (key, value) = entry.split_once('\n').unwrap_or((&entry, ""));
            let Some((hook, variable)) = key.strip_prefix(&prefix).and_then(|key| key.rsplit_once('.')) else {
                continue;
            };
            let at = ours.iter().position(|(other, _)| other == hook).unwrap_or(ours.len());
            if at == ours.len() {
                ours.push((hook.to_owned(), None));
            }
            if variable == "command" {
                ours[at].1 = Some(value.to_owned());
            }
        }
        Ok(Self {
            directory: directory.to_owned(),
            supported,
            ours,
        })
    }

    /// Returns whether this version of git runs configured hooks, and `hook` is not disabled.
    pub fn can_run(&self, hook: &str) -> Result<bool> {
        let key = format!("hook.{hook}.enabled");
        let enabled = || ask(&self.directory, &["config", "--type=bool", "--get", &key]);
        Ok(self.supported && enabled()?.stdout.trim_ascii() != b"false")
    }

    /// Returns whether git lists git-pack's hook among those it runs. A configured hook may be disabled.
    pub fn runs(&self, hook: &str) -> Result<bool> {
        if !self.supported {
            return Ok(false);
        }
        let output = ask(&self.directory, &["hook", "list", hook])?;
        let ours = format!("{CONFIGURED}{hook}");
        Ok(output
            .stdout
            .split(|byte| *byte == b'\n')
            .any(|line| line == ours.as_bytes()))
    }

    /// Returns whether this repository's configuration names git-pack's hook, even if this version of git ignores it.
    pub fn has(&self, hook: &str) -> bool {
        self.ours.iter().any(|(other, _)| other == hook)
    }

    /// Returns the command that this repository's configuration gives for git-pack's hook.
    pub fn command(&self, hook: &str) -> Option<&str> {
        let (_, command) = self.ours.iter().find(|(other, _)| other == hook)?;
        command.as_deref()
    }

    /// Configures git to run `command` as `hook`. Replaces an earlier configuration of git-pack's hook.
    pub fn set(&self, hook: &str, command: &str) -> Result<()> {
        if self.has(hook) {
            self.unset(hook)?;
        }
        let name = format!("hook.{CONFIGURED}{hook}");
        self.config(&["--local", &format!("{name}.command"), command])?;
        self.config(&["--local", &format!("{name}.event"), hook])
    }

    /// Removes git-pack's hook from the configuration.
    pub fn unset(&self, hook: &str) -> Result<()> {
        self.config(&["--local", "--remove-section", &format!("hook.{CONFIGURED}{hook}")])
    }

    fn config(&self, args: &[&str]) -> Result<()> {
        let output = ask(&self.directory, &[&["config"], args].concat())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(Refusal::Unsupported(Unsupported::GitConfig {
                said: String::from_utf8_lossy(&output.stderr).trim().replace('\n', " "),
            })),
        }
    }
}

/// Returns whether the user's or the machine's configuration sets `core.hooksPath` for the repository at `directory`.
fn shared_scope(directory: &Path) -> Result<Option<SharedScope>> {
    let output = ask(directory, &["config", "--show-scope", "--get", "core.hooksPath"])?;
    let scope = output.stdout.split(|byte| *byte == b'\t').next();
    Ok(match scope {
        Some(b"global") => Some(SharedScope::Global),
        Some(b"system") => Some(SharedScope::System),
        _ => None,
    })
}

/// Returns the major and minor version of git.
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
    Refusal::Unsupported(Unsupported::HooksDirectory { said: why.to_owned() })
}
