//! A throwaway directory with a home of its own, where lines are run by a shell as a person would type them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::adapters::files::platform::place_program;
use crate::adapters::interruption::{self, Temporary};
use crate::refusal::{Refusal, Result};

/// The longest answer that is kept, in bytes.
const MAX_ANSWER: u64 = 1 << 20;

/// The file of git's configuration in the home.
const CONFIG: &str = "[user]\n\tname = You\n\temail = you@example.org\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n";

/// Starts a shell with an environment of its own. Of this process's it takes where programs and temporary files are, and the
/// language. The shell of git for Windows needs paths in its own form.
const START: &str = r#"bin=$(cygpath -u "$1" 2>/dev/null) || bin=$1
exec env -i ${TMPDIR:+"TMPDIR=$TMPDIR"} ${LANG:+"LANG=$LANG"} ${LC_ALL:+"LC_ALL=$LC_ALL"} \
PATH="$bin${PATH:+:$PATH}" HOME="$2" GIT_CONFIG_NOSYSTEM=1 CLICOLOR_FORCE=1 sh -c "$3""#;

/// A directory that is removed when dropped.
#[must_use = "the directory is removed when this is dropped"]
pub struct Throwaway {
    directory: Temporary<tempfile::TempDir>,
}

/// What a line answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its exit status, or `None` if a signal ended it.
    pub status: Option<i32>,
    /// What it wrote to standard output and standard error, in their order.
    pub words: String,
}

impl Throwaway {
    /// Makes a directory with a home, and with `program` as `git-pack` on its `PATH`.
    pub fn new(program: &Path) -> Result<Self> {
        let directory = interruption::temporary(|| tempfile::Builder::new().prefix("git-pack-tour-").tempdir())
            .map_err(Refusal::io("making", Path::new("a temporary directory")))?;
        let throwaway = Self { directory };
        for name in ["bin", "home", "work"] {
            let made = throwaway.path().join(name);
            std::fs::create_dir(&made).map_err(Refusal::io("creating", &made))?;
        }
        let bin = throwaway.path().join("bin");
        place_program(program, &bin, "git-pack").map_err(Refusal::io("filling", &bin))?;
        let config = throwaway.path().join("home/.gitconfig");
        std::fs::write(&config, CONFIG).map_err(Refusal::io("writing", &config))?;
        Ok(throwaway)
    }

    /// Returns the directory that holds everything.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs a line in the directory `at`, below the one in which the work is done. Nobody's configuration reaches it.
    pub fn run(&self, at: &str, line: &str) -> Result<Heard> {
        let running = |e| Refusal::io("running", Path::new("sh"))(e);
        let (answer, writer) = std::io::pipe().map_err(running)?;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", START, "sh"])
            .args([self.path().join("bin"), self.path().join("home")])
            .arg(line)
            .current_dir(self.path().join("work").join(at))
            .stdin(Stdio::null())
            .stdout(writer.try_clone().map_err(running)?)
            .stderr(writer);
        let mut child = shell.spawn().map_err(running)?;
        // It holds the ends of the pipe into which the line writes.
        drop(shell);
        let mut words = Vec::new();
        let mut kept = answer.take(MAX_ANSWER);
        kept.read_to_end(&mut words).map_err(running)?;
        drop(kept);
        let status = child.wait().map_err(running)?;
        Ok(Heard {
            status: status.code(),
            words: String::from_utf8_lossy(&words).into_owned(),
        })
    }

    /// Keeps the directory, and returns it.
    pub fn keep(self) -> PathBuf {
        self.directory.into_parts().0.keep()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_answers_with_both_outputs_and_its_status() {
        let place = Throwaway::new(Path::new("/nonexistent")).unwrap();
        let heard = place.run(".", "echo one; echo two >&2; echo three; exit 3").unwrap();
        assert_eq!(heard.status, Some(3));
        assert_eq!(heard.words, "one\ntwo\nthree\n");
        assert_eq!(place.run(".", "kill -9 $$").unwrap().status, None);
    }

    #[test]
    fn nobodys_configuration_reaches_a_line() {
        let place = Throwaway::new(Path::new("/nonexistent")).unwrap();
        let heard = place.run(".", "env | cut -d= -f1 | sort | tr '\\n' ' '").unwrap();
        let allowed = "PATH HOME PWD OLDPWD SHLVL _ GIT_CONFIG_NOSYSTEM CLICOLOR_FORCE TMPDIR LANG LC_ALL";
        let strange = |name: &&str| !allowed.split(' ').any(|one| one == *name);
        assert_eq!(heard.words.split_whitespace().find(strange), None, "{}", heard.words);
        let home = place.run(".", "cd && pwd -P").unwrap().words;
        assert!(
            home.trim_end().ends_with("/home") && home.contains("git-pack-tour-"),
            "{home}"
        );
    }

    #[test]
    fn nothing_is_left_unless_it_is_kept() {
        let place = Throwaway::new(Path::new("/nonexistent")).unwrap();
        let path = place.path().to_owned();
        drop(place);
        assert!(!path.exists());
        let kept = Throwaway::new(Path::new("/nonexistent")).unwrap().keep();
        assert!(kept.join("home/.gitconfig").exists());
        std::fs::remove_dir_all(kept).unwrap();
    }
}
