//! Refs of a remote: lists, fetches and pushes them with the real git, as its user configured it.

use std::process::Command;
use std::time::Duration;

use crate::adapters::git::Repository;
use crate::adapters::git::bounded_run::{Said, failed, messages, run};
use crate::format::object_id::ObjectId;
use crate::format::pack_refs::{THERE, lines_of};
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

/// What became of a push of several refs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushedRefs {
    /// The remote has all of the refs.
    There {
        /// Whether each of them is new there, in their order.
        new: Vec<bool>,
        /// Number of objects that were sent.
        objects: u64,
        /// Their size in bytes as it was sent.
        bytes: u64,
    },
    /// The remote has this ref, and it leads to something else.
    Other(String),
}

/// What git says of one ref of a push.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum OfRef {
    /// The remote had it already.
    There,
    /// The remote has it now.
    New,
    /// It was left out because of another ref of the same push.
    LeftOut(String),
    /// The remote has it, and it leads to something else.
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
        self.writing_new_objects(&mut git);
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

    /// Pushes objects to refs of a remote that do not exist there yet: all of them or none.
    ///
    /// A remote that cannot change several refs in one step gets them in their order. Then some can be there without the
    /// later ones.
    ///
    /// Runs the hooks that `git push` runs. They guard this push too, and whoever works in the clone runs them with
    /// every push. The hook of git-pack hears which refs are `there` already. Pushes again, a limited number of times, while
    /// somebody else changes refs at the remote.
    pub fn push_objects(
        &self,
        remote: &str,
        refs: &[(ObjectId, String)],
        there: &[(ObjectId, String)],
    ) -> Result<PushedRefs, TransportFault> {
        let mut in_one_step = refs.len() > 1;
        let mut tried = 1;
        loop {
            let mut git = self.push(remote, refs, in_one_step);
            let said = run(git.env(THERE, lines_of(there)), SILENCE_OF_HOOKS, None)?;
            if in_one_step && lacks_atomic(&said) {
                in_one_step = false;
                continue;
            }
            let of_refs: Option<Vec<OfRef>> = refs.iter().map(|(_, name)| of_ref(&said, name)).collect();
            // Without a word about every ref, git failed before it asked the remote.
            let Some(of_refs) = of_refs else {
                return Err(failed(&said));
            };
            match outcome(&said, refs, &of_refs)? {
                Tried::Ended(pushed) => return Ok(pushed),
                Tried::Refused { is_busy: true, .. } if tried < TRIES => {
                    std::thread::sleep(PAUSE * tried);
                    tried += 1;
                }
                Tried::Refused { said, .. } => {
                    let program = "git push";
                    return Err(TransportFault::Program { program, said });
                }
            }
        }
    }

    fn push(&self, remote: &str, refs: &[(ObjectId, String)], atomic: bool) -> Command {
        let mut git = self.git_to_remote(self.git_with_hooks());
        git.args(["push", "--porcelain", "--progress", "--no-follow-tags"])
            .args(["--recurse-submodules=no"])
            .args(atomic.then_some("--atomic"))
            .args(["--", remote])
            .args(refs.iter().map(|(id, name)| format!("{id}:{name}")));
        git
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

/// How one try of a push ended.
enum Tried {
    Ended(PushedRefs),
    Refused {
        /// What git and the remote said.
        said: String,
        /// Whether somebody else was changing refs.
        is_busy: bool,
    },
}

/// Returns what became of all refs of a push. If some were not accepted, the reason of the first one counts, and of those
/// that were left out only if there is no other.
fn outcome(said: &Said, refs: &[(ObjectId, String)], of_refs: &[OfRef]) -> Result<Tried, TransportFault> {
    let name_of = |wanted: fn(&OfRef) -> bool| {
        let at = of_refs.iter().position(wanted)?;
        Some((&refs[at].1, &of_refs[at]))
    };
    if let Some((name, _)) = name_of(|of| matches!(of, OfRef::Other)) {
        return Ok(Tried::Ended(PushedRefs::Other(name.clone())));
    }
    let refused = name_of(|of| matches!(of, OfRef::Refused(_)));
    match refused.or_else(|| name_of(|of| matches!(of, OfRef::LeftOut(_)))) {
        Some((_, OfRef::Refused(why) | OfRef::LeftOut(why))) => {
            // The hooks of the remote tell the reason in their messages.
            let more = messages(said);
            Ok(Tried::Refused {
                is_busy: is_busy(why) || (why.contains("(atomic transaction failed)") && is_busy(&more)),
                said: if more.is_empty() {
                    why.clone()
                } else {
                    format!("{why}; {more}")
                },
            })
        }
        _ if !said.status.success() => Err(failed(said)),
        _ => {
            let (objects, bytes) = sent(&said.stderr);
            let new = of_refs.iter().map(|of| *of == OfRef::New).collect();
            Ok(Tried::Ended(PushedRefs::There { new, objects, bytes }))
        }
    }
}

/// Returns whether a push failed because the remote, or the way to it, cannot change several refs in one step.
fn lacks_atomic(said: &Said) -> bool {
    let text = String::from_utf8_lossy(&said.stderr);
    let mut lines = text.lines();
    !said.status.success()
        && lines.any(|line| line.starts_with("fatal: ") && line.contains("not support") && line.contains("--atomic"))
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

/// Returns what `git push --porcelain` says of a ref. With several URLs, the worst of it.
fn of_ref(said: &Said, name: &str) -> Option<OfRef> {
    let text = String::from_utf8_lossy(&said.stdout);
    let of_ref = text.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        let (flag, refs, summary) = (fields.next()?, fields.next()?, fields.next()?);
        let is_it = refs.rsplit_once(':').is_some_and(|(_, to)| to == name);
        is_it.then_some(match flag {
            "=" => OfRef::There,
            "!" if summary.contains("(atomic push fail") => OfRef::LeftOut(summary.to_owned()),
            "!" if summary.starts_with("[rejected]") => OfRef::Other,
            "!" => OfRef::Refused(summary.to_owned()),
            _ => OfRef::New,
        })
    });
    of_ref.max()
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
    use super::*;
    use crate::adapters::files::platform::exited;

    fn said(stdout: &str, stderr: &str) -> Said {
        Said {
            status: exited(0),
            stdout: stdout.into(),
            stderr: stderr.into(),
        }
    }

    #[test]
    fn the_outcome_of_a_push_is_read() {
        for (line, expected) in [
            ("*\tabc:refs/p\t[new reference]", OfRef::New),
            ("=\tabc:refs/p\t[up to date]", OfRef::There),
            ("!\tabc:refs/p\t[rejected] (needs force)", OfRef::Other),
            (
                "!\tabc:refs/p\t[rejected] (atomic push failed)",
                OfRef::LeftOut("[rejected] (atomic push failed)".into()),
            ),
            (
                "!\tabc:refs/p\t[remote rejected] (atomic push failure)",
                OfRef::LeftOut("[remote rejected] (atomic push failure)".into()),
            ),
            (
                "!\tabc:refs/p\t[remote rejected] (pre-receive hook declined)",
                OfRef::Refused("[remote rejected] (pre-receive hook declined)".into()),
            ),
        ] {
            let said = said(&format!("To x\n{line}\nDone\n"), "");
            assert_eq!(of_ref(&said, "refs/p"), Some(expected), "{line}");
            assert_eq!(of_ref(&said, "refs/q"), None);
        }
        let both = "To x\n=\ta:refs/p\t[up to date]\nTo y\n!\ta:refs/p\t[rejected] (needs force)\n";
        assert_eq!(of_ref(&said(both, ""), "refs/p"), Some(OfRef::Other));
        let progress = "Writing objects:  50% (1/2)\rWriting objects: 100% (2/2), 1.50 KiB | 9 MiB/s, done.\nTotal 2\n";
        assert_eq!(sent(progress.as_bytes()), (2, 1536));
    }

    #[test]
    fn the_first_reason_of_a_push_that_failed_is_told() {
        let id = ObjectId::from_bytes(&[1; 20]).unwrap();
        let refs = ["refs/a", "refs/b"].map(|name| (id, name.to_owned()));
        let of = |text: &str, status: i32| {
            let status = exited(status);
            let said = Said {
                status,
                ..said(text, "remote: cannot lock ref\n")
            };
            let of_refs: Vec<OfRef> = refs.iter().map(|(_, name)| of_ref(&said, name).unwrap()).collect();
            match outcome(&said, &refs, &of_refs) {
                Ok(Tried::Ended(PushedRefs::There { new, .. })) => format!("{new:?}"),
                Ok(Tried::Ended(PushedRefs::Other(name))) => format!("other {name}"),
                Ok(Tried::Refused { said, is_busy }) => format!("{said}, {is_busy}"),
                Err(fault) => fault.to_string(),
            }
        };
        let left_out = "!\ta:refs/a\t[remote rejected] (atomic push failure)\n";
        assert_eq!(
            of(
                &format!("{left_out}!\ta:refs/b\t[remote rejected] (hook declined)\n"),
                1
            ),
            "[remote rejected] (hook declined); cannot lock ref, false"
        );
        let failed = "!\ta:refs/a\t[remote rejected] (atomic transaction failed)\n";
        assert!(of(&format!("{failed}{}", failed.replace("/a", "/b")), 1).ends_with(", true"));
        assert_eq!(
            of(&format!("{left_out}!\ta:refs/b\t[rejected] (needs force)\n"), 1),
            "other refs/b"
        );
        let here = "=\ta:refs/a\t[up to date]\n*\ta:refs/b\t[new reference]\n";
        assert_eq!(of(here, 0), "[false, true]");
        assert_eq!(of(here, 1), "git: cannot lock ref");
    }

    #[test]
    fn a_remote_that_changes_no_refs_together_is_recognised() {
        let of = |stderr: &str| {
            let status = exited(128);
            lacks_atomic(&Said {
                status,
                ..said("", stderr)
            })
        };
        assert!(of("fatal: the receiving end does not support --atomic push\n"));
        assert!(!of(
            "remote: fatal: the receiving end does not support --atomic push\nfatal: no\n"
        ));
    }
}
