//! SSH signatures, made and checked by `ssh-keygen` as git does it: keys in files, agents and hardware, certificates and
//! revocation work as people know them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::adapters::files::{self, Durability};
use crate::adapters::interruption::{self, Temporary};
use crate::adapters::program;
use crate::format::sshsig::NAMESPACE;
use crate::format::timestamp::Timestamp;
use crate::refusal::signing::SigningFault;
use crate::refusal::{Refusal, Result};

/// The program, if git's configuration does not name another one.
const PROGRAM: &str = "ssh-keygen";

/// How long checking a signature may take.
const TO_CHECK: Duration = Duration::from_secs(60);

/// How long signing may take. A person may have to type a passphrase, or to touch a key.
const TO_SIGN: Duration = Duration::from_secs(300);

/// The most characters of the program's messages that are repeated.
const MAX_SAID: usize = 400;

/// `ssh-keygen`, or the program that stands in for it.
#[derive(Clone, Debug)]
pub struct SshKeygen {
    program: OsString,
}

impl Default for SshKeygen {
    fn default() -> Self {
        Self::of(None)
    }
}

/// The key to sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SigningKey {
    /// A private key in a file, or its public key, whose private key an agent holds.
    File(PathBuf),
    /// A public key as it stands in an `.pub` file. An agent holds its private key.
    InAgent(String),
}

/// What the check of a signature found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SshAnswer {
    /// It is good. Holds what the program said, such as the fingerprint of the key.
    Good(String),
    /// It is not, for this reason.
    Bad(String),
}

impl SshKeygen {
    /// Returns the program that git's configuration names, or else `ssh-keygen`.
    pub fn of(configured: Option<&OsStr>) -> Self {
        Self {
            program: configured.unwrap_or(OsStr::new(PROGRAM)).to_owned(),
        }
    }

    /// Signs `content`. Returns the signature in armour.
    pub fn sign(&self, key: &SigningKey, content: Arc<[u8]>) -> Result<Vec<u8>> {
        let directory = private_directory()?;
        let mut command = self.command(["-Y", "sign", "-n", NAMESPACE]);
        match key {
            SigningKey::File(path) => command.arg("-f").arg(path),
            SigningKey::InAgent(public) => {
                let path = directory.path().join("key.pub");
                let line = format!("{}\n", public.trim_end());
                files::write_whole(&path, line.as_bytes(), 0o600, Durability::Disposable)?;
                command.arg("-U").arg("-f").arg(path)
            }
        };
        let (answer, said) = self.run(command, content, TO_SIGN)?;
        match answer.success {
            true => Ok(answer.text.to_vec()),
            false => Err(self.refused(SigningFault::NotSigned { said: line(&said) })),
        }
    }

    fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args);
        command
    }

    fn run(
        &self,
        mut command: Command,
        input: Arc<[u8]>,
        patience: Duration,
    ) -> Result<(program::ProgramAnswer, String)> {
        let failed = |said| self.refused(SigningFault::Program { said });
        program::consult(&mut command, input, patience).map_err(failed)
    }

    fn refused(&self, fault: SigningFault) -> Refusal {
        Refusal::Signing {
            path: self.program.clone().into(),
            fault,
        }
    }
}

/// Checks signatures over one content.
pub struct SignatureChecks {
    program: SshKeygen,
    content: Arc<[u8]>,
    directory: Temporary<TempDir>,
    /// When the signers must have been valid, as `ssh-keygen` reads it.
    time: String,
    has_revoked: bool,
}

impl SignatureChecks {
    /// Prepares checks against `signers`, an allowed signers file, and `revoked`, a key revocation list or a list of public
    /// keys. The signers must have been valid at `time`.
    pub fn of(
        program: SshKeygen,
        content: Arc<[u8]>,
        time: Timestamp,
        signers: &[u8],
        revoked: Option<&[u8]>,
    ) -> Result<Self> {
        let directory = private_directory()?;
        let checks = Self {
            program,
            content,
            time: verify_time(time),
            has_revoked: revoked.is_some(),
            directory,
        };
        // Every check reads the same copy, whatever happens to the file.
        checks.write(SIGNERS, signers)?;
        if let Some(revoked) = revoked {
            checks.write(REVOKED, revoked)?;
        }
        Ok(checks)
    }

    /// Checks that a signature fits the content and the key in it, whoever's key that is.
    pub fn integrity(&self, signature: &[u8]) -> Result<SshAnswer> {
        self.write(SIGNATURE, signature)?;
        let command = self.command("check-novalidate", &[], false);
        let (answer, said) = self.program.run(command, Arc::clone(&self.content), TO_CHECK)?;
        Ok(match answer.success {
            true => SshAnswer::Good(line(&String::from_utf8_lossy(&answer.text))),
            false => SshAnswer::Bad(line(&said)),
        })
    }

    /// Returns the principals in the allowed signers file whose key made a signature that was checked before, or why there
    /// are none.
    pub fn principals(&self) -> Result<Result<Vec<String>, String>> {
        let command = self.command("find-principals", &["-f", SIGNERS], true);
        let (answer, said) = self.program.run(command, Arc::default(), TO_CHECK)?;
        let text = String::from_utf8_lossy(&answer.text);
        let names = text.lines().filter(|name| !name.is_empty()).map(str::to_owned);
        Ok(match answer.success {
            true => Ok(names.collect()),
            false => Err(line(&said)),
        })
    }

    /// Checks that a principal made the signature that was checked before. `heeds_revoked` tells whether a revoked key is
    /// refused.
    pub fn by(&self, principal: &str, heeds_revoked: bool) -> Result<SshAnswer> {
        let mut more = vec!["-f", SIGNERS, "-I", principal];
        if heeds_revoked && self.has_revoked {
            more.extend(["-r", REVOKED]);
        }
        let command = self.command("verify", &more, true);
        let (answer, said) = self.program.run(command, Arc::clone(&self.content), TO_CHECK)?;
        Ok(match answer.success {
            true => SshAnswer::Good(line(&String::from_utf8_lossy(&answer.text))),
            false => SshAnswer::Bad(line(&said)),
        })
    }

    /// Returns whether there is a list of revoked keys.
    pub fn has_revoked(&self) -> bool {
        self.has_revoked
    }

    fn command(&self, what: &str, more: &[&str], at_time: bool) -> Command {
        let mut command = self.program.command(["-Y", what, "-n", NAMESPACE, "-s", SIGNATURE]);
        if at_time {
            command.arg(format!("-Overify-time={}", self.time));
        }
        // Times without a zone mean the same everywhere.
        command.args(more).current_dir(self.directory.path()).env("TZ", "UTC");
        command
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        files::write_whole(&self.directory.path().join(name), bytes, 0o600, Durability::Disposable)
    }
}

/// Returns a time as `ssh-keygen` reads it. It refuses the first second of 1970 and what was before.
fn verify_time(time: Timestamp) -> String {
    let text = match time > Timestamp::EPOCH {
        true => time.to_string(),
        false => "1970-01-01T00:00:01Z".to_owned(),
    };
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Names of files in the directory of checks.
const SIGNATURE: &str = "signature";
const SIGNERS: &str = "signers";
const REVOKED: &str = "revoked";

fn private_directory() -> Result<Temporary<TempDir>> {
    let failed = Refusal::io("making files for ssh-keygen in", Path::new("a temporary directory"));
    let made = interruption::temporary(|| tempfile::Builder::new().prefix("git-pack-ssh-").tempdir());
    made.map_err(failed)
}

/// Returns messages as one line, of which a person reads the beginning.
fn line(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("; ").chars().take(MAX_SAID).collect()
}
