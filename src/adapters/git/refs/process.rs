//! Refs that only git reads, such as those in a reftable. Each question starts one git, however many refs it is about.

use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use gix::bstr::{BString, ByteSlice};

use super::{Change, HeadRef, Ref, RefFault, Unresolved};
use crate::adapters::git::Repository;
use crate::format::object_id::ObjectId;
use crate::format::reflog::Reflog;

/// What git says about a revision that names nothing.
const NOT_ONE: &str = "Needed a single revision";

/// What git says while another process changes refs.
const LOCKED: &str = "cannot lock ref";

/// How often a change is tried while another process changes refs.
const TRIES: u32 = 40;

/// How long to wait before the next try.
const PAUSE: Duration = Duration::from_millis(50);

const HEAD: &str = "HEAD";

pub(super) fn below(repo: &Repository, storage: &str, prefix: &str) -> Result<Vec<Ref>, RefFault> {
    // A name with a wildcard would be a pattern. Such a name is not valid.
    if <&gix::refs::PartialNameRef>::try_from(prefix.trim_end_matches('/')).is_err() {
        return Ok(Vec::new());
    }
    let found = listed(repo, storage, &[prefix])?;
    Ok(found
        .into_iter()
        .filter(|found| found.name.starts_with_str(prefix))
        .collect())
}

pub(super) fn named(repo: &Repository, storage: &str, names: &[String]) -> Result<Vec<Ref>, RefFault> {
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| is_full(name)).collect();
    // Without a pattern, git lists all refs.
    if names.is_empty() {
        return Ok(Vec::new());
    }
    // A pattern also matches the refs below it.
    let found = listed(repo, storage, &names)?;
    let mut found: HashMap<BString, Ref> = found.into_iter().map(|found| (found.name.clone(), found)).collect();
    Ok(names
        .iter()
        .filter_map(|name| found.remove(name.as_bytes().as_bstr()))
        .collect())
}

fn listed(repo: &Repository, storage: &str, patterns: &[&str]) -> Result<Vec<Ref>, RefFault> {
    let mut git = git(repo);
    git.args([
        "for-each-ref",
        "--format=%(refname)%00%(symref)%00%(objectname)",
        "--stdin",
    ]);
    let said = said_well(ask(git, storage, lines(patterns).as_bytes())?, storage)?;
    let parse = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == 0);
        let (name, symbolic, id) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Ref {
            name: name.into(),
            symbolic: (!symbolic.is_empty()).then(|| symbolic.to_str_lossy().into_owned()),
            id: Some(ObjectId::parse(id.to_str().ok()?)?),
        })
    };
    let read = |line| parse(line).ok_or_else(|| unclear(storage, line));
    said.lines().map(read).collect()
}

pub(super) fn head(repo: &Repository, storage: &str) -> Result<HeadRef, RefFault> {
    let branch = branch(repo, storage)?;
    let is_born = match resolve(repo, storage, HEAD) {
        Ok(_) => true,
        Err(Unresolved::NotFound) if branch.is_some() => false,
        Err(Unresolved::Fault(fault)) => return Err(fault),
        Err(_) => return Err(unclear(storage, HEAD.as_bytes())),
    };
    Ok(HeadRef { branch, is_born })
}

/// Returns the full name of the current branch.
fn branch(repo: &Repository, storage: &str) -> Result<Option<String>, RefFault> {
    let mut git = git(repo);
    git.args(["symbolic-ref", "--quiet", "--no-recurse", HEAD]);
    let output = ask(git, storage, b"")?;
    match output.status.code() {
        Some(1) => Ok(None),
        _ => Ok(Some(said_well(output, storage)?.trim().to_str_lossy().into_owned())),
    }
}

pub(super) fn resolve(repo: &Repository, storage: &str, rev: &str) -> Result<ObjectId, Unresolved> {
    if rev.contains('\0') {
        return Err(Unresolved::NotFound);
    }
    let mut git = git(repo);
    git.args(["rev-parse", "--verify", "--end-of-options", rev]);
    let output = ask(git, storage, b"").map_err(Unresolved::Fault)?;
    if output.status.success() {
        let id = output.stdout.strip_suffix(b"\n").and_then(|text| text.to_str().ok());
        // git also takes an exclusion.
        let id = id.and_then(ObjectId::parse).ok_or(Unresolved::Several)?;
        return match repo.has(&id) {
            true => Ok(id),
            // git takes every id in full, also that of an object that is not there.
            false if ObjectId::parse(&rev.to_ascii_lowercase()) == Some(id) => Err(Unresolved::NotFound),
            false => Err(Unresolved::Missing(id)),
        };
    }
    if !output.stdout.is_empty() {
        return Err(Unresolved::Several);
    }
    let said = first_words(&output.stderr);
    match said == NOT_ONE || said.is_empty() {
        true => Err(Unresolved::NotFound),
        // If git cannot even say what `HEAD` is, the revision is not the cause.
        false => match branch(repo, storage) {
            Ok(_) => Err(Unresolved::Said(said)),
            Err(fault) => Err(Unresolved::Fault(fault)),
        },
    }
}

pub(super) fn change(repo: &Repository, storage: &str, changes: &[Change]) -> Result<(), RefFault> {
    let names: Vec<String> = changes.iter().map(|change| change.name.clone()).collect();
    let now = named(repo, storage, &names)?;
    let now: HashMap<&[u8], &Ref> = now.iter().map(|found| (found.name.as_slice(), found)).collect();
    let mut input = Vec::new();
    for Change { name, id } in changes {
        // As with refs in files, another process may have changed the ref meanwhile.
        let line = match (id, now.get(name.as_bytes())) {
            (Some(id), _) => format!("option no-deref\0update {name}\0{id}\0\0"),
            (None, Some(_)) => format!("option no-deref\0delete {name}\0\0"),
            (None, None) => continue,
        };
        input.extend(line.into_bytes());
    }
    let attempt = || {
        let mut git = git(repo);
        // Without a sync, a power cut could undo the change.
        git.args(["-c", "core.fsync=reference"])
            .args(["update-ref", "--stdin", "-z"]);
        ask(git, storage, &input)
    };
    // The lock is for all refs, and not every version of git waits for it.
    for _ in 1..TRIES {
        let output = attempt()?;
        if output.status.success() || !first_words(&output.stderr).contains(LOCKED) {
            return said_well(output, storage).map(drop);
        }
        std::thread::sleep(PAUSE);
    }
    said_well(attempt()?, storage).map(drop)
}

pub(super) fn reflogs(repo: &Repository, storage: &str, names: &[String]) -> Result<Vec<Option<Reflog>>, RefFault> {
    let existing = named(repo, storage, names)?;
    let existing: Vec<&str> = existing.iter().filter_map(|found| found.name.to_str().ok()).collect();
    if existing.is_empty() {
        return Ok(vec![None; names.len()]);
    }
    let mut git = git(repo);
    // The configuration may name a program that verifies signatures, and other things that cost time.
    git.args(["--no-pager", "-c", "log.showSignature=false", "log", "--walk-reflogs"])
        .args([
            "--no-show-signature",
            "--no-patch",
            "--no-decorate",
            "--no-notes",
            "--no-mailmap",
            "--no-color",
            "--encoding=UTF-8",
        ])
        .args(["--format=%gD%x00%H%x00%gs", "--stdin"]);
    let said = said_well(ask(git, storage, lines(&existing).as_bytes())?, storage)?;
    let mut logs: HashMap<&str, Log<'_>> = HashMap::new();
    for line in said.lines() {
        let (name, index, entry) = entry(line).ok_or_else(|| unclear(storage, line))?;
        // The newest entry comes first.
        let log = logs.entry(name).or_insert(Log {
            newest: entry,
            oldest: entry,
            last_index: index,
        });
        (log.oldest, log.last_index) = (entry, index);
    }
    let ends = |name: &String| match logs.get(name.as_str()) {
        Some(log) => Ok(Some(Reflog {
            before: before(repo, storage, name, log)?,
            first: log.oldest.1.to_str_lossy().into_owned(),
            now: log.newest.0,
            last: log.newest.1.to_str_lossy().into_owned(),
        })),
        None => Ok(None),
    };
    names.iter().map(ends).collect()
}

/// The id and the message of an entry.
type Entry<'a> = (ObjectId, &'a [u8]);

struct Log<'a> {
    newest: Entry<'a>,
    oldest: Entry<'a>,
    /// Index of the oldest entry.
    last_index: u64,
}

/// Returns the name of the ref, the index of the entry, and the entry.
fn entry(line: &[u8]) -> Option<(&str, u64, Entry<'_>)> {
    let mut fields = line.splitn(3, |byte| *byte == 0);
    let (selector, id, message) = (
        fields.next()?.to_str().ok()?,
        fields.next()?.to_str().ok()?,
        fields.next()?,
    );
    let (name, index) = selector.strip_suffix('}')?.rsplit_once("@{")?;
    Some((name, index.parse().ok()?, (ObjectId::parse(id)?, message)))
}

/// Returns the id before the oldest entry.
fn before(repo: &Repository, storage: &str, name: &str, log: &Log<'_>) -> Result<Option<ObjectId>, RefFault> {
    match resolve(repo, storage, &format!("{name}@{{{}}}", log.last_index + 1)) {
        Ok(id) | Err(Unresolved::Missing(id)) => Ok(Some(id)),
        Err(Unresolved::Fault(fault)) => Err(fault),
        // Other than in files, a clone logs the tracking refs that it makes, without a message.
        Err(Unresolved::NotFound | Unresolved::Several | Unresolved::Said(_)) => {
            Ok(log.oldest.1.is_empty().then_some(log.oldest.0))
        }
    }
}

/// Returns a git that says the same in every language and does not follow grafts.
fn git(repo: &Repository) -> Command {
    let mut git = repo.git();
    git.args(["-c", "advice.graftFileDeprecated=false"])
        .env("GIT_GRAFT_FILE", "/dev/null")
        .env("LC_ALL", "C")
        .env("GIT_COMMITTER_NAME", "git-pack")
        .env("GIT_COMMITTER_EMAIL", "");
    git
}

fn ask(mut git: Command, storage: &str, input: &[u8]) -> Result<Output, RefFault> {
    let failed = |e: std::io::Error| fault(storage, &format!("git could not be run: {e}"));
    let child = git
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(failed)?;
    let mut pipe = child.stdin.take().expect("stdin was asked to be a pipe");
    std::thread::scope(|scope| {
        // git may answer before it has read everything. If it exits early, its status tells what happened.
        scope.spawn(move || drop(pipe.write_all(input)));
        child.wait_with_output()
    })
    .map_err(failed)
}

/// Returns what git wrote, if it succeeded.
fn said_well(output: Output, storage: &str) -> Result<Vec<u8>, RefFault> {
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(fault(storage, &format!("git says: {}", first_words(&output.stderr)))),
    }
}

/// Returns the first line of what git complains about.
fn first_words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let mut lines = text
        .lines()
        .filter(|line| !line.starts_with("hint:") && !line.starts_with("warning:"));
    let first = lines.next().unwrap_or_default();
    ["fatal: ", "error: "]
        .iter()
        .find_map(|start| first.strip_prefix(start))
        .unwrap_or(first)
        .to_owned()
}

fn is_full(name: &str) -> bool {
    name.starts_with("refs/") && <&gix::refs::FullNameRef>::try_from(name).is_ok()
}

fn lines(of: &[&str]) -> String {
    of.iter().map(|line| format!("{line}\n")).collect()
}

fn unclear(storage: &str, what: &[u8]) -> RefFault {
    fault(storage, &format!("git says something unclear: {:?}", what.as_bstr()))
}

fn fault(storage: &str, said: &str) -> RefFault {
    RefFault::Git {
        storage: storage.to_owned(),
        said: said.to_owned(),
    }
}
