//! Places that lie, break off, wait, or ask for credentials of another place. They are servers of these tests.

mod credentials;
mod fabric;
mod kills;
mod registry;
mod tls;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::registry::{FakeFabric, FakeRegistry};
use crate::common::server::{Asked, Reply, Server};
use crate::common::{Done, GIT_PACK, Place, noise, snapshot, write};

/// How long any command of these tests may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// A password that must never be seen.
const PASSWORD: &str = "open-sesame-4711";

/// A pack, and a directory to pull it into.
struct World {
    place: Place,
    id: String,
}

impl World {
    fn new() -> Self {
        let place = Place::new();
        // Too large for one request of an upload, and no multiple of three.
        write(&place.path().join("big.bin"), noise(7, (1 << 20) + 50_000));
        write(&place.path().join("r.json"), "{\"version\":\"rvl.v0\"}\n");
        let done = place
            .pack_in(place.path(), &["seal", "big.bin", "r.json", "--output", "p"])
            .ok();
        let id = done.out().lines().next().unwrap().replace("PACK_CREATED ", "");
        Self { place, id }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(GIT_PACK, self.place.path());
        command.args(args);
        command
    }

    fn push(&self, to: &str) -> Done {
        within(self.command(&["push", "p", to]), DEADLINE)
    }

    fn pull(&self, from: &str) -> Done {
        within(
            self.command(&["pull", &self.id, "--from", from, "--output", "q"]),
            DEADLINE,
        )
    }

    /// Asserts that the pack was pulled as it was pushed, and removes it.
    #[track_caller]
    fn arrived(&self, done: Done) {
        let done = done.ok();
        assert_eq!(done.out(), format!("FETCHED {}\nq/\n", self.id));
        assert!(snapshot(&self.place.path().join("q")) == snapshot(&self.place.path().join("p")));
        std::fs::remove_dir_all(self.place.path().join("q")).unwrap();
        self.nothing_left();
    }

    /// Asserts a refusal with one of these codes that leaves nothing behind.
    #[track_caller]
    fn refused(&self, done: Done, codes: &[&str], case: &str) -> String {
        assert_eq!(done.code, 2, "{case}: {}\n{}", done.out(), done.stderr);
        let value: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        let code = value["refusal"]["code"].as_str().unwrap();
        assert!(codes.contains(&code), "{case}: {value}");
        self.nothing_left();
        assert!(!done.stderr.contains("panicked"), "{case}: {}", done.stderr);
        done.stderr
    }

    #[track_caller]
    fn nothing_left(&self) {
        let entries = std::fs::read_dir(self.place.path()).unwrap();
        let names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !["bin", "big.bin", "home", "p", "r.json"].contains(&name.as_str()))
            .filter(|name| !name.starts_with("test-"))
            .collect();
        assert!(names.is_empty(), "left behind: {names:?}");
    }

    /// Asserts that the password is nowhere in the output and in the witness ledger.
    #[track_caller]
    fn kept_secret(&self, done: &Done) {
        let ledger = self.place.home().join(".epistemic/witness.jsonl");
        let ledger = std::fs::read_to_string(ledger).unwrap_or_default();
        for text in [done.out(), done.stderr.clone(), ledger] {
            assert!(!holds_secret(&text), "{text}");
        }
    }
}

/// Returns whether a text holds the password, plain or as of Basic.
fn holds_secret(text: &str) -> bool {
    // `user:` is a part of every Base64 form here, and "dXNlcj" of it.
    text.contains(PASSWORD) || text.contains("dXNlcj")
}

/// Runs a command, and fails if it does not end in time.
#[track_caller]
fn within(mut command: Command, deadline: Duration) -> Done {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > deadline {
            child.kill().unwrap();
            let done = Done::from(child.wait_with_output().unwrap());
            panic!("it hangs: {}\n{}", done.out(), done.stderr);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Done::from(child.wait_with_output().unwrap())
}

/// A registry that answers as `lie` says, and honestly where that says nothing.
fn registry(
    lie: impl Fn(&Asked, &FakeRegistry) -> Option<Reply> + Send + Sync + 'static,
) -> (Arc<FakeRegistry>, Server) {
    let held = Arc::new(FakeRegistry::default());
    let own = Arc::clone(&held);
    let server = Server::start(move |asked| lie(asked, &own).unwrap_or_else(|| own.answer(asked)));
    (held, server)
}

/// A data fabric that answers as `lie` says, and honestly where that says nothing.
fn fabric(lie: impl Fn(&Asked, &FakeFabric) -> Option<Reply> + Send + Sync + 'static) -> (Arc<FakeFabric>, Server) {
    let held = Arc::new(FakeFabric::default());
    let own = Arc::clone(&held);
    let server = Server::start(move |asked| lie(asked, &own).unwrap_or_else(|| own.answer(asked)));
    (held, server)
}

fn oci(server: &Server) -> String {
    format!("oci://127.0.0.1:{}/r", server.port)
}

/// Writes a program into `bin/`, by another process (see `Place::copy_binary`).
fn program(place: &Place, name: &str, script: &str) {
    let bin = place.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let mut written = place.command("sh", &bin);
    written.args(["-c", "printf %s \"$1\" >\"$2\" && chmod +x \"$2\"", "sh", script, name]);
    assert!(written.status().unwrap().success());
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
