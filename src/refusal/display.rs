//! The message of a refusal on one line: what, where and why. It names no flag, and does not say what to do.

use std::error::Error;
use std::fmt;

use crate::refusal::path::PathFault;
use crate::refusal::shown::{shown, shown_path};
use crate::refusal::{Exceeded, Refusal, io_reason};

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { deed, path, source } => write!(f, "{deed} {}: {}", shown_path(path), io_reason(source)),
            Self::NotRegular { path, kind } => {
                write!(
                    f,
                    "{} is {kind}, and only regular files can be read here",
                    shown_path(path)
                )
            }
            Self::ThroughLink { path, link, target } if path == link => {
                write!(
                    f,
                    "{} is a link to {}, and is not written through",
                    shown_path(link),
                    shown_path(target)
                )
            }
            Self::ThroughLink { path, link, target } => {
                let (path, link, target) = (shown_path(path), shown_path(link), shown_path(target));
                write!(f, "{path} is not written: {link} is a link to {target}")
            }
            Self::ChangedWhileRead { path } => write!(f, "{} changed while it was read", shown_path(path)),
            Self::OutputExists { path, .. } => write!(f, "{} exists and is not an empty directory", shown_path(path)),
            Self::KeyExists { path } => write!(
                f,
                "writing {}: it is there already, and a key is never written over",
                shown_path(path)
            ),
            Self::UnsafePath {
                path,
                fault: fault @ PathFault::NotIgnorable,
            } => write!(f, "{path} cannot be protected: {fault}"),
            Self::UnsafePath { path, fault } => write!(f, "{path} cannot be a member of a pack: {fault}"),
            Self::Duplicate { path, .. } => write!(f, "two sources for the member {}", shown(path.as_bytes())),
            Self::Collision { path, .. } => write!(f, "two entries would be restored to {}", shown(path.as_bytes())),
            Self::ReservedPath { path, source } => {
                write!(f, "{source} cannot be sealed as {path}: the pack itself uses that name")
            }
            Self::Empty => f.write_str("there is nothing to seal"),
            Self::BadPack { path, fault } => write!(f, "the pack {} cannot be used: {fault}", shown_path(path)),
            Self::BadManifest { name, fault } => {
                write!(f, "the manifest {} cannot be restored: {fault}", shown(name.as_bytes()))
            }
            Self::NotSound { path, first, more } => {
                write!(f, "{} does not verify: {}", shown_path(path), first_of(first, *more))
            }
            Self::Usage(misuse) => misuse.fmt(f),
            Self::NotARepository { path } => write!(f, "there is no git repository at {} or above", shown_path(path)),
            Self::NotYours { path, owner } => write!(
                f,
                "the repository at {} belongs to another user (number {owner}), so nothing in it is believed, run or written",
                shown_path(path)
            ),
            Self::Planted { path, kind } => write!(
                f,
                "{} is {kind}; only directories and files may stand there, or another file would be read or overwritten",
                shown_path(path)
            ),
            Self::NoWorkTree { action } => write!(f, "{action} needs a work tree, and this repository is bare"),
            Self::NoCommit => f.write_str("there is no commit yet"),
            Self::BadRevision { rev, fault } => {
                write!(f, "{} does not name a commit: {fault}", shown(rev.as_bytes()))
            }
            Self::BadConfig {
                origin,
                line: Some(line),
                fault,
            } => write!(f, "{origin}, line {line}: {fault}"),
            Self::BadConfig { origin, fault, .. } => write!(f, "{origin}: {fault}"),
            Self::MissingObject { count: 1, example } => write!(f, "an object is not in this clone: {example}"),
            Self::MissingObject { count, example } => {
                write!(f, "{count} objects are not in this clone, {example} among them")
            }
            Self::MissingContent {
                count, sealed, example, ..
            } => {
                let example_is = if *count == 1 { "that of" } else { "one is of" };
                let example = shown(example.as_bytes());
                write!(f, "{} nowhere here: {example_is} {example}", missing(*count, *sealed))
            }
            Self::NoManifest { manifest } => write!(f, "the content store of this clone has no manifest {manifest}"),
            Self::CutHistory { commit } => write!(
                f,
                "the history of this clone is cut off at {commit}, and the range goes on below it"
            ),
            Self::NoRecipients { artifacts, uncommitted } => {
                let noun = match artifacts.len() {
                    1 => "artifact is",
                    _ => "artifacts are",
                };
                let why = match uncommitted {
                    true => "the .gitpack.toml that names recipients is not in that commit",
                    false => "there is nobody to seal to",
                };
                write!(f, "{} {noun} protected, and {why}", artifacts.len())
            }
            Self::NoIdentity { path, fault } => {
                write!(f, "the identity {} cannot be used: {fault}", shown_path(path))
            }
            Self::NoneOpens { subject, .. } => write!(f, "no identity here opens {}", shown(subject.as_bytes())),
            Self::Locked { subject, file, fault } => {
                let subject = shown(subject.as_bytes());
                match file {
                    Some(file) => write!(f, "{subject} was not opened: {file}: {fault}"),
                    None => write!(f, "{subject} was not opened: {fault}"),
                }
            }
            Self::Armoured { path } => write!(
                f,
                "{} is armoured: a new header would not leave the text behind it as it is",
                shown_path(path)
            ),
            Self::Crypto { deed, subject, fault } => write!(f, "{deed} {subject}: {fault}"),
            Self::PlaintextLeak { plain, giveaway, .. } => {
                write!(
                    f,
                    "{} would stand in the clear, and {giveaway}",
                    shown(plain.as_bytes())
                )
            }
            Self::Limit { scope, exceeded, .. } => write!(f, "the scope {scope} has {exceeded}"),
            Self::TooLong { what, allowed, found } => write!(
                f,
                "{what} would have {found} bytes, {} more than a pack may have there",
                found - allowed
            ),
            Self::Budget { bound, allowed } => {
                let measure = bound.measure();
                match allowed {
                    Some(allowed) => write!(
                        f,
                        "judging this takes more than {allowed} {measure} that are allowed here"
                    ),
                    None => write!(f, "judging this takes more {measure} than are allowed here"),
                }
            }
            Self::Corrupt(corrupt) => corrupt.fmt(f),
            Self::Unsupported(unsupported) => unsupported.fmt(f),
            Self::TwinDiffers { path, conflict, .. } => {
                write!(f, "{} would be written over, and {conflict}", shown_path(path))
            }
            Self::HookManager { manager, directory } => write!(
                f,
                "{} belongs to {manager}, which would write over other hooks",
                shown_path(directory)
            ),
            Self::Audit { run, first, more, .. } => {
                write!(f, "the audit of run {run} failed: {}", first_of(first, *more))
            }
        }
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, allowed, found } = *self;
        match limit {
            "max_entries" => write!(f, "{found} entries")?,
            "max_entry_bytes" => write!(f, "an entry of {found} bytes")?,
            _ => write!(f, "{found} bytes")?,
        }
        write!(f, ", {} more than {limit} allows", found - allowed)
    }
}

/// Returns the first finding and the number of further ones.
fn first_of(first: &str, more: usize) -> String {
    let first = shown(first.as_bytes());
    match more {
        0 => first,
        more => format!("{first}, and {more} more"),
    }
}

/// Returns the subject and verb of the message about missing contents.
fn missing(count: u64, sealed: u64) -> String {
    match (count, sealed) {
        (1, 1) => "a ciphertext is".into(),
        (1, _) => "the content of an entry is".into(),
        (_, 0) => format!("the contents of {count} entries are"),
        (_, sealed) if sealed == count => format!("{count} ciphertexts are"),
        (_, 1) => format!("the contents of {count} entries are, a ciphertext among them,"),
        (_, sealed) => format!("the contents of {count} entries are, {sealed} ciphertexts among them,"),
    }
}
