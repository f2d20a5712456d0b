//! The message of a refusal on one line: what, where and why. It names no flag, and does not say what to do.

use std::error::Error;
use std::fmt;

use crate::refusal::keys::RecipientsElsewhere;
use crate::refusal::path::PathFault;
use crate::refusal::shown::{shown, shown_path};
use crate::refusal::transport::DestinationFault;
use crate::refusal::{Exceeded, Refusal, io_reason};

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { deed, path, source } => write!(f, "{deed} {}: {}", shown_path(path), io_reason(source)),
            Self::NotRegular { path, kind } => {
                write!(f, "{} is {kind}; expected a regular file", shown_path(path))
            }
            Self::ThroughLink { path, link, target } if path == link => {
                write!(
                    f,
                    "{} is a link to {}; git-pack does not write through links",
                    shown_path(link),
                    shown_path(target)
                )
            }
            Self::ThroughLink { path, link, target } => {
                let (path, link, target) = (shown_path(path), shown_path(link), shown_path(target));
                write!(f, "cannot write {path}: {link} is a link to {target}")
            }
            Self::ChangedWhileRead { path } => write!(f, "{} changed while it was read", shown_path(path)),
            Self::HasOtherSeals { path, first, more } => write!(
                f,
                "{} is another pack, and holds what this one lacks: {}",
                shown_path(path),
                first_of(first, *more)
            ),
            Self::OutputExists { path, .. } => write!(f, "{} exists already", shown_path(path)),
            Self::KeyExists { path } => write!(
                f,
                "writing {}: the file already exists; git-pack never overwrites a key",
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
            Self::Agent { path, fault } => write!(f, "{}: {fault}", shown_path(path)),
            Self::Signing { path, fault } => write!(f, "{}: {fault}", shown_path(path)),
            Self::Transport { place, fault } => write!(f, "{}: {fault}", shown(place.as_bytes())),
            Self::NoDestination => f.write_str("no place for packs is named or configured"),
            Self::BadDestination {
                text,
                fault: fault @ DestinationFault::TwoPlaces,
            } => write!(f, "{} {fault}", shown(text.as_bytes())),
            Self::BadDestination { text, fault } => {
                write!(f, "{} does not name a place for packs: {fault}", shown(text.as_bytes()))
            }
            Self::InternalPack { path, place } => write!(
                f,
                "{} is an internal pack, and {} is not known to be private",
                shown_path(path),
                shown(place.as_bytes())
            ),
            Self::Empty => f.write_str("there is nothing to seal"),
            Self::BadPack { path, fault } => write!(f, "the pack {} cannot be used: {fault}", shown_path(path)),
            Self::BadManifest { name, fault } => {
                write!(f, "the manifest {} cannot be restored: {fault}", shown(name.as_bytes()))
            }
            Self::NotSound { path, first, more, .. } => {
                write!(f, "{} does not verify: {}", shown_path(path), first_of(first, *more))
            }
            Self::Usage(misuse) => misuse.fmt(f),
            Self::NotARepository { path } => write!(f, "there is no git repository at {} or above", shown_path(path)),
            Self::NotYours { path, owner } => write!(
                f,
                "the repository at {} belongs to another user{}, so git-pack does not trust it",
                shown_path(path),
                owner.map(|owner| format!(" (uid {owner})")).unwrap_or_default()
            ),
            Self::Planted { path, kind } => write!(
                f,
                "{} is {kind}; only a directory or a regular file is safe there",
                shown_path(path)
            ),
            Self::NoWorkTree { action } => write!(f, "{action} needs a work tree, but this repository is bare"),
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
            Self::MissingObject { count: 1, example } => write!(f, "object {example} is not in this clone"),
            Self::MissingObject { count, example } => {
                write!(f, "{count} objects are not in this clone, such as {example}")
            }
            Self::MissingContent {
                count, sealed, example, ..
            } => {
                let example = shown(example.as_bytes());
                write!(f, "cannot find the {} here", missing(*count, *sealed, &example))
            }
            Self::NoManifest { manifest } => write!(f, "the content store of this clone has no manifest {manifest}"),
            Self::CutHistory { commit } => write!(
                f,
                "the history of this clone is cut off at {commit}, but the range needs older commits"
            ),
            Self::NoRecipients { artifacts, elsewhere } => {
                let noun = match artifacts.len() {
                    1 => "artifact is",
                    _ => "artifacts are",
                };
                let why = match elsewhere {
                    RecipientsElsewhere::Nowhere | RecipientsElsewhere::Unnamed => "no recipients are configured",
                    RecipientsElsewhere::Uncommitted | RecipientsElsewhere::OtherCommit => {
                        "that commit does not have the .gitpack.toml that names recipients"
                    }
                };
                write!(f, "{} {noun} protected, but {why}", artifacts.len())
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
                "{} is armoured; git-pack can replace only the header of a binary age file",
                shown_path(path)
            ),
            Self::Crypto { deed, subject, fault } => write!(f, "{deed} {subject}: {fault}"),
            Self::PlaintextLeak { plain, giveaway, .. } => {
                write!(f, "{} would be in plaintext, but {giveaway}", shown(plain.as_bytes()))
            }
            Self::KeyInPublicText { text } => write!(f, "{text} would be public, but it holds a private key"),
            Self::Limit { scope, exceeded, .. } => write!(f, "the scope {scope} has {exceeded}"),
            Self::TooLong { what, allowed, found } => write!(
                f,
                "{what} would have {found} bytes, {} more than are allowed",
                found - allowed
            ),
            Self::Budget { bound, allowed } => {
                let measure = bound.measure();
                match allowed {
                    Some(allowed) => write!(
                        f,
                        "judging this takes more than the {allowed} {measure} that are allowed here"
                    ),
                    None => write!(f, "judging this takes more {measure} than are allowed here"),
                }
            }
            Self::Corrupt(corrupt) => corrupt.fmt(f),
            Self::Unsupported(unsupported) => unsupported.fmt(f),
            Self::TwinDiffers { path, conflict, .. } => {
                write!(f, "{} would be overwritten, but {conflict}", shown_path(path))
            }
            Self::NotOneFile { path, fault } => f.write_str(&fault.about(&shown_path(path))),
            Self::Merge { plain, sealed, fault } => f.write_str(&fault.about(&shown(plain), &shown(sealed))),
            Self::HookManager { manager, directory } => write!(
                f,
                "{} belongs to {manager}, which would overwrite other hooks",
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
            "split.max_tokens" => {
                return write!(
                    f,
                    "a text whose headings alone need {found} tokens, but {limit} allows {allowed}"
                );
            }
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

/// Names missing contents, with one of them as an example.
fn missing(count: u64, sealed: u64, example: &str) -> String {
    match (count, sealed) {
        (1, 1) => format!("ciphertext of {example}"),
        (1, _) => format!("content of {example}"),
        (_, 0) => format!("contents of {count} entries, such as {example},"),
        (_, sealed) if sealed == count => format!("ciphertexts of {count} entries, such as {example},"),
        (_, sealed) => format!("contents of {count} entries ({sealed} sealed), such as {example},"),
    }
}
