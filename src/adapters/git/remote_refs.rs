//! Single refs of a remote: lists, fetches and pushes them with the real git, as its user configured it.

use std::process::Command;
use std::time::Duration;

use crate::adapters::git::Repository;
use crate::adapters::git::bounded_run::{Said, failed, run};
use crate::format::object_id::ObjectId;
use crate::refusal::transport::TransportFault;

/// How long a remote may be silent. A git that lists refs says nothing before it has all of them; one that fetches
/// shows its progress.
const SILENCE: Duration = Duration::from_secs(120);

/// The same for a push, during which hooks run, here and at the remote.
const SILENCE_OF_HOOKS: Duration = Duration::from_secs(900);

/// The most bytes of memory for a git that lists refs, since it holds all that a remote sends.
const MEMORY: u64 = 1 << 30;

/// Settings that hold whatever the configuration says: bounded waits over HTTP, no program as a transport.
const SETTINGS: [&str; 4] = [
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
    "protocol.ext.allow=never",
    "advice.pushUpdateRejected=false",
];

/// How often a push is tried while others change refs at the remote.
const TRIES: u32 = 8;

/// How long to wait before the second try. Each further wait is longer by as much.
const PAUSE: Duration = Duration::from_millis(100);

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The remote has the ref now. Number of objects that were sent, and their size in bytes as it was sent.
    New(u64, u64),
    /// The remote had the ref already.
    There,
    /// The remote has the ref, and it points to something else.
    Other,
    /// The remote did not accept it, and why.
    Refused(String),
}

impl Repository {
    /// Returns the refs of a remote whose names match a pattern of `git ls-remote`.
    pub fn remote_refs(&self, remote: &str, pattern: &str) -> Result<Vec<(String, ObjectId)>, TransportFault> {
        let mut git = self.git_to_remote(self.git());
        git.args(["ls-remote", "--refs", "--quiet", "--", remote, pattern]);
        let said = run(&mut git, SILENCE, Some(MEMORY))?;
        if !said.status.success() {
            return Err(failed(&said));
        }
        let text = String::from_utf8_lossy(&said.stdout);
        text.lines()
            .map(|line| {
                let read = line
                    .split_once('\t')
                    .and_then(|(id, name)| Some((name.to_owned(), ObjectId::parse(id)?)));
                read.ok_or_else(|| TransportFault::Malformed {
                    what: "the list of refs",
                    said: line.chars().take(100).collect(),
                })
            })
            .collect()
    }

    /// Fetches what refs of a remote lead to, and writes no ref. git checks every object that it receives, and gets each
    /// once, however many of the refs lead to it.
    pub fn fetch_refs(&self, remote: &str, names: &[String]) -> Result<(), TransportFault> {
        let mut git = self.git_to_remote(self.git());
        for setting in [
            "transfer.fsckObjects=true",
            "fetch.fsckObjects=true",
            "fetch.writeCommitGraph=false",
        ] {
            git.args(["-c", setting]);
        }
        git.args([
            "fetch",
            "--progress",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-prune",
            "--refmap=",
        ])
        .args([
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--no-filter",
            "--",
            remote,
        ])
        .args(names);
        let said = run(&mut git, SILENCE, None)?;
        match said.status.success() {
            true => Ok(()),
            false => Err(failed(&said)),
        }
    }

    /// Pushes an object to a ref of a remote that does not exist there yet.
    ///
    /// Runs the hooks that `git push` runs. They guard this push too, and whoever works in the clone runs them with
    /// every push. Pushes again, a limited number of times, while somebody else changes refs at the remote.
    pub fn push_object(&self, remote: &str, id: &ObjectId, name: &str) -> Result<Pushed, TransportFault> {
        let mut tried = 1;
        loop {
            match self.push_once(remote, id, name)? {
                Pushed::Refused(why) if is_busy(&why) && tried < TRIES => {
                    std::thread::sleep(PAUSE * tried);
                    tried += 1;
                }
                pushed => return Ok(pushed),
            }
        }
    }

    fn push_once(&self, remote: &str, id: &ObjectId, name: &str) -> Result<Pushed, TransportFault> {
        let mut git = self.git_to_remote(self.git_with_hooks());
        git.args([
            "push",
            "--porcelain",
            "--progress",
            "--no-follow-tags",
            "--recurse-submodules=no",
            "--",
        ])
        .args([remote, &format!("{id}:{name}")]);
        let said = run(&mut git, SILENCE_OF_HOOKS, None)?;
        let status = pushed(&said, name);
        match (status, said.status.success()) {
            (Some(pushed), true) => Ok(pushed),
            (Some(pushed @ (Pushed::Other | Pushed::Refused(_))), false) => Ok(pushed),
            _ => Err(failed(&said)),
        }
    }

    /// Prepares a git that talks to a remote. As in a plain git, a relative path starts at the top of the work tree.
    fn git_to_remote(&self, mut git: Command) -> Command {
        let top = self.work_tree().unwrap_or_else(|| self.git_dir());
        git.current_dir(top)
            // Hooks and credential helpers keep their locale, but git's own messages are parsed.
            .env("LANGUAGE", "C");
        for setting in SETTINGS {
            git.args(["-c", setting]);
        }
        git
    }
}

/// Returns whether a remote refused a ref because somebody else was changing refs.
fn is_busy(why: &str) -> bool {
    [
        "failed to update ref",
        "cannot lock ref",
        "already exists",
        "Unable to create",
    ]
    .iter()
    .any(|words| why.contains(words))
}

/// Returns what `git push --porcelain` says of the ref. With several URLs, the worst of it.
fn pushed(said: &Said, name: &str) -> Option<Pushed> {
    let text = String::from_utf8_lossy(&said.stdout);
    let of_ref = text.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        let (flag, refs, summary) = (fields.next()?, fields.next()?, fields.next()?);
        let is_it = refs.rsplit_once(':').is_some_and(|(_, to)| to == name);
        is_it.then(|| (flag.to_owned(), summary.to_owned()))
    });
    let mut found = None;
    for (flag, summary) in of_ref {
        let now = match flag.as_str() {
            "=" => Pushed::There,
            "!" if summary.starts_with("[rejected]") => Pushed::Other,
            "!" => Pushed::Refused(summary),
            _ => {
                let (objects, bytes) = sent(&said.stderr);
                Pushed::New(objects, bytes)
            }
        };
        let rank = |pushed: &Pushed| match pushed {
            Pushed::There => 0,
            Pushed::New(..) => 1,
            Pushed::Other => 2,
            Pushed::Refused(_) => 3,
        };
        if found.as_ref().is_none_or(|other| rank(other) < rank(&now)) {
            found = Some(now);
        }
    }
    found
}

/// Returns how much was sent, by the last line of progress: `Writing objects: 100% (3/3), 1.20 MiB | …`.
fn sent(stderr: &[u8]) -> (u64, u64) {
    let text = String::from_utf8_lossy(stderr);
    let read = |line: &str| {
        let rest = line.strip_prefix("Writing objects: 100% (")?;
        let (count, rest) = rest.split_once('/')?;
        let (_, size) = rest.split_once("), ")?;
        let mut words = size.split([' ', ',']);
        let (number, unit) = (words.next()?.parse::<f64>().ok()?, words.next()?);
        let unit = match unit {
            "bytes" => 1.0,
            "KiB" => 1024.0,
            "MiB" => 1024.0 * 1024.0,
            "GiB" => 1024.0 * 1024.0 * 1024.0,
            _ => return None,
        };
        // The number has two decimals.
        Some((count.parse().ok()?, (number * unit) as u64))
    };
    text.split(['\n', '\r'])
        .filter_map(read)
        .next_back()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;
    use crate::adapters::files::platform::ExitStatusExt;

    fn said(stdout: &str, stderr: &str) -> Said {
        Said {
            status: ExitStatus::from_raw(0),
            stdout: stdout.into(),
            stderr: stderr.into(),
        }
    }

    #[test]
    fn the_outcome_of_a_push_is_read() {
        let progress = "Writing objects:  50% (1/2)\rWriting objects: 100% (2/2), 1.50 KiB | 9 MiB/s, done.\nTotal 2\n";
        for (line, expected) in [
            ("*\tabc:refs/p\t[new reference]", Pushed::New(2, 1536)),
            ("=\tabc:refs/p\t[up to date]", Pushed::There),
            ("!\tabc:refs/p\t[rejected] (needs force)", Pushed::Other),
            (
                "!\tabc:refs/p\t[remote rejected] (pre-receive hook declined)",
                Pushed::Refused("[remote rejected] (pre-receive hook declined)".into()),
            ),
        ] {
            let text = format!("To x\n{line}\nDone\n");
            assert_eq!(pushed(&said(&text, progress), "refs/p"), Some(expected), "{line}");
            assert_eq!(pushed(&said(&text, progress), "refs/q"), None);
        }
        let both = "To x\n=\ta:refs/p\t[up to date]\nTo y\n!\ta:refs/p\t[rejected] (needs force)\n";
        assert_eq!(pushed(&said(both, ""), "refs/p"), Some(Pushed::Other));
    }
}
