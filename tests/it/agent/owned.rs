//! A store with a key, for tests of private files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{Done, GIT_PACK, Place, age_keygen};

/// A place with a key, and an agent's store in it.
pub struct Store {
    pub place: Place,
    pub recipient: String,
}

/// The directory of the only agent of a test.
pub const AGENT: &str = "s/agents/00/abcdef1234567890";

impl Store {
    pub fn new() -> Self {
        let place = Place::new();
        let recipient = new_key(&place, "home/.config/git-pack/identity.txt");
        fs::create_dir(place.path().join("s")).unwrap();
        Self { place, recipient }
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.place.path().join(path)
    }

    /// Writes a file, and makes the directories above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    pub fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.at(path)).unwrap()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(GIT_PACK, self.place.path());
        command.arg("agent").args(args);
        command
    }

    pub fn agent(&self, args: &[&str]) -> Done {
        Done::from(self.command(args).output().unwrap())
    }

    /// Adds the recipient to the arguments.
    pub fn to_own(&self, args: &[&str]) -> Done {
        Done::from(self.command(args).args(["-r", &self.recipient]).output().unwrap())
    }

    pub fn open(&self, path: &str) -> Vec<u8> {
        self.agent(&["open", path]).ok().stdout
    }

    /// Runs the script that writes old formats.
    pub fn old(&self, args: &[&str], input: &[u8]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/agent/old_store.py");
        let mut command = self.place.command("python3", self.place.path());
        command.arg(script).args(args).stdin(Stdio::piped());
        fed(command, input).ok();
    }

    /// Returns all files below the store, with their content.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        fn below(directory: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(directory).unwrap().flatten() {
                match entry.file_type().unwrap().is_dir() {
                    true => below(&entry.path(), found),
                    false => found.push(entry.path()),
                }
            }
        }
        let mut found = Vec::new();
        below(&self.at("s"), &mut found);
        found.sort();
        // Reading a FIFO would wait for ever.
        let content = |path: &PathBuf| match path.is_file() {
            true => fs::read(path).unwrap_or_default(),
            false => Vec::new(),
        };
        let name = |path: &PathBuf| path.strip_prefix(self.place.path()).unwrap().display().to_string();
        found.iter().map(|path| (name(path), content(path))).collect()
    }
}

/// Runs a command with this input.
pub fn fed(mut command: Command, input: &[u8]) -> Done {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses early does not read its input.
    drop(std::io::Write::write_all(&mut child.stdin.take().unwrap(), input));
    Done::from(child.wait_with_output().unwrap())
}

/// Makes a key of the real `age`, and returns its recipient.
pub fn new_key(place: &Place, path: &str) -> String {
    let path = place.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let made = place.run(place.path(), &age_keygen(), &["-o", path.to_str().unwrap()]);
    let recipient = made.ok().stderr;
    recipient.trim().rsplit(' ').next().unwrap().to_owned()
}
