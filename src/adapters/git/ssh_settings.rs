//! What git's configuration says about SSH signatures (git-config(1), `gpg.ssh.*`).

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::adapters::program::{self, PATIENCE};
use crate::format::path_bytes::os_str_of_bytes;
use crate::refusal::signing::SigningFault;
use crate::refusal::{Refusal, Result};

/// The keys that are read.
const KEYS: &str = "^(gpg\\.format|gpg\\.ssh\\.(program|allowedsignersfile|revocationfile|defaultkeycommand)\
    |user\\.signingkey|gitpack\\.signingkey)$";

/// What git's configuration says about SSH signatures. Paths have `~` expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SshSettings {
    /// `gpg.ssh.program`, unless the repository itself names it: somebody else may have prepared the clone.
    pub program: Option<OsString>,
    /// `gpg.ssh.allowedSignersFile`.
    pub allowed_signers: Option<PathBuf>,
    /// `gpg.ssh.revocationFile`.
    pub revoked: Option<PathBuf>,
    /// `gitpack.signingKey`.
    pub pack_key: Option<OsString>,
    /// `user.signingKey`, if `gpg.format` is `ssh`.
    pub git_key: Option<OsString>,
    /// `gpg.ssh.defaultKeyCommand`, if `gpg.format` is `ssh`; not from the repository itself either.
    pub key_command: Option<OsString>,
}

impl SshSettings {
    /// Asks git, which also knows the configuration of the system, the user, and its command line. Outside of a repository,
    /// and in one of another user, only these count.
    pub fn of(directory: &Path) -> Result<Self> {
        let mut git = Command::new("git");
        git.args(["config", "--null", "--show-scope", "--type=path", "--get-regexp", KEYS])
            .current_dir(directory);
        let asked = program::consult(&mut git, [].into(), PATIENCE);
        let refused = |said: String| Refusal::Signing {
            path: "git config".into(),
            fault: SigningFault::Program { said },
        };
        let (answer, said) = asked.map_err(refused)?;
        // Nothing matches.
        if !answer.success && said.is_empty() {
            return Ok(Self::default());
        }
        if !answer.success {
            return Err(refused(said.trim().replace('\n', "; ")));
        }
        Ok(Self::read(&answer.text))
    }

    /// Reads what `git config` printed: a scope, and a key with its value, for each setting. The last one of a key counts.
    fn read(text: &[u8]) -> Self {
        let mut found = Self::default();
        let mut format = Vec::new();
        let mut fields = text.split(|byte| *byte == 0);
        while let (Some(scope), Some(setting)) = (fields.next(), fields.next()) {
            let at = setting.iter().position(|byte| *byte == b'\n').unwrap_or(setting.len());
            let (key, value) = (&setting[..at], setting.get(at + 1..).unwrap_or_default().to_vec());
            let is_of_clone = !matches!(scope, b"system" | b"global" | b"command");
            let text = (!value.is_empty()).then(|| os_str_of_bytes(&value).to_owned());
            match key {
                b"gpg.format" => format = value,
                b"gpg.ssh.program" if !is_of_clone => found.program = text,
                b"gpg.ssh.defaultkeycommand" if !is_of_clone => found.key_command = text,
                b"gpg.ssh.allowedsignersfile" => found.allowed_signers = text.map(PathBuf::from),
                b"gpg.ssh.revocationfile" => found.revoked = text.map(PathBuf::from),
                b"user.signingkey" => found.git_key = text,
                b"gitpack.signingkey" => found.pack_key = text,
                _ => {}
            }
        }
        if format != b"ssh" {
            (found.git_key, found.key_command) = (None, None);
        }
        found
    }
}

/// Returns the public key that `gpg.ssh.defaultKeyCommand` prints first, as git asks for it. `None` if it prints none.
pub fn default_key(command: &OsStr) -> Result<Option<String>> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    let asked = program::consult(&mut shell, [].into(), PATIENCE);
    let (answer, _) = asked.map_err(|said| Refusal::Signing {
        path: command.into(),
        fault: SigningFault::Program { said },
    })?;
    let text = String::from_utf8_lossy(&answer.text);
    let first = text.lines().next().filter(|_| answer.success).unwrap_or_default();
    let is_key = first.starts_with("ssh-") || first.starts_with("key::");
    Ok(is_key.then(|| first.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_setting_counts_and_a_clone_names_no_program() {
        let text = b"global\0gpg.format\nopenpgp\0global\0gpg.ssh.program\n/a\0local\0gpg.ssh.program\n/b\0\
            local\0gpg.format\nssh\0local\0user.signingkey\nkey::ssh-ed25519 AA\0local\0gpg.ssh.defaultkeycommand\nx\0\
            global\0gpg.ssh.allowedsignersfile\n/s\0worktree\0gpg.ssh.allowedsignersfile\n/t\0";
        let found = SshSettings::read(text);
        assert_eq!(found.program, Some("/a".into()));
        assert_eq!(found.git_key, Some("key::ssh-ed25519 AA".into()));
        assert_eq!(found.allowed_signers, Some("/t".into()));
        assert_eq!(found.key_command, None);
        let found = SshSettings::read(b"global\0user.signingkey\nABCD\0global\0gitpack.signingkey\nk\0");
        assert_eq!((found.git_key, found.pack_key), (None, Some("k".into())));
    }
}
