//! The parts of a refusal, for machines.

use serde_json::{Value, json};

use crate::cli::output::refusal::{keys, usage, words};
use crate::refusal::shown::{shown, shown_path};
use crate::refusal::{Exceeded, Refusal, io_reason};

/// Returns the parts of a refusal.
pub(super) fn detail(refusal: &Refusal) -> Value {
    match refusal {
        Refusal::Io { deed, path, source } => {
            json!({ "deed": deed, "path": shown_path(path), "reason": io_reason(source) })
        }
        Refusal::NotRegular { path, kind } | Refusal::Planted { path, kind } => {
            json!({ "path": shown_path(path), "kind": kind })
        }
        Refusal::KeyExists { path } => {
            json!({ "deed": "writing", "path": shown_path(path), "reason": words::KEY_EXISTS })
        }
        Refusal::ChangedWhileRead { path }
        | Refusal::OutputExists { path, .. }
        | Refusal::HasOtherSeals { path, .. }
        | Refusal::NotARepository { path }
        | Refusal::Armoured { path } => json!({ "path": shown_path(path) }),
        Refusal::ThroughLink { path, link, target } => {
            json!({ "path": shown_path(path), "link": shown_path(link), "target": shown_path(target) })
        }
        Refusal::TwinDiffers { path, conflict, .. } => {
            json!({ "path": shown_path(path), "reason": words::why_not_overwritten(*conflict) })
        }
        Refusal::NotOneFile { path, .. } => json!({ "path": shown_path(path), "reason": refusal.to_string() }),
        Refusal::Merge { sealed, .. } => json!({ "path": shown(sealed), "reason": refusal.to_string() }),
        Refusal::UnsafePath { path, fault } => json!({ "path": path, "reason": fault.to_string() }),
        Refusal::Duplicate { path, sources } | Refusal::Collision { path, sources, .. } => {
            json!({ "path": path, "sources": sources })
        }
        Refusal::ReservedPath { path, source } => json!({ "path": path, "sources": [source] }),
        Refusal::Agent { path, fault } => json!({ "path": shown_path(path), "reason": fault.to_string() }),
        Refusal::Signing { path, fault } => json!({ "path": shown_path(path), "reason": fault.to_string() }),
        Refusal::Transport { place, fault } => json!({ "place": place, "reason": fault.to_string() }),
        Refusal::BadDestination { text, fault } => json!({ "place": text, "reason": fault.to_string() }),
        Refusal::InternalPack { path, place } => json!({ "path": shown_path(path), "place": place }),
        Refusal::Empty | Refusal::NoDestination => json!({}),
        Refusal::BadPack { path, fault } => json!({ "path": shown_path(path), "reason": fault.to_string() }),
        Refusal::NoIdentity { path, fault } => {
            json!({ "path": shown_path(path), "reason": keys::identity(fault) })
        }
        Refusal::BadManifest { name, fault } => json!({ "path": name, "reason": fault.to_string() }),
        Refusal::Audit { run, first, more, .. } => json!({ "run": run, "first": first, "more": more }),
        Refusal::NotSound { path, first, more, .. } => {
            json!({ "path": shown_path(path), "first": first, "more": more })
        }
        Refusal::Usage(misuse) => json!({ "problem": usage::problem(misuse) }),
        Refusal::NotYours { path, owner } => json!({ "path": shown_path(path), "owner": owner }),
        Refusal::NoWorkTree { action } => json!({ "what": words::command_of(*action) }),
        Refusal::NoCommit => json!({ "rev": "HEAD" }),
        Refusal::BadRevision { rev, fault } => json!({ "rev": rev, "reason": fault.to_string() }),
        Refusal::BadConfig { origin, line, fault } => {
            json!({ "file": origin, "line": line, "problem": keys::config(fault) })
        }
        Refusal::MissingObject { count, example } => json!({ "count": count, "example": example }),
        Refusal::MissingContent {
            count,
            sealed,
            example,
            content,
            ..
        } => json!({ "count": count, "sealed": sealed, "example": example, "content": content }),
        Refusal::NoManifest { manifest } => json!({ "count": 1, "example": manifest }),
        Refusal::CutHistory { commit } => json!({ "commit": commit }),
        Refusal::NoRecipients { artifacts, .. } => json!({ "artifacts": artifacts }),
        Refusal::NoneOpens {
            subject,
            stanzas,
            tried,
        } => json!({ "subject": subject, "stanzas": stanzas, "tried": tried }),
        Refusal::Locked { subject, file, fault } => {
            json!({ "subject": subject, "reason": keys::locked(file.as_deref(), fault) })
        }
        Refusal::Crypto { deed, subject, fault } => {
            json!({ "deed": deed, "subject": subject, "reason": keys::cipher(fault) })
        }
        Refusal::PlaintextLeak { plain, giveaway, .. } => json!({ "path": plain, "protected": giveaway.to_string() }),
        Refusal::KeyInPublicText { text } => json!({ "what": text.to_string() }),
        Refusal::Limit {
            scope,
            exceeded,
            largest,
        } => {
            let Exceeded { limit, allowed, found } = *exceeded;
            let entry = |(path, bytes): &(String, u64)| json!({ "path": path, "bytes": bytes });
            let largest: Vec<Value> = largest.iter().map(entry).collect();
            json!({ "scope": scope, "limit": limit, "allowed": allowed, "found": found, "largest": largest })
        }
        Refusal::TooLong { what, allowed, found } => json!({ "limit": what, "allowed": allowed, "found": found }),
        Refusal::Budget { bound, allowed } => json!({ "limit": bound.key(), "allowed": allowed }),
        Refusal::Corrupt(_) | Refusal::Unsupported(_) => json!({ "what": refusal.to_string() }),
        Refusal::HookManager { manager, directory } => {
            json!({ "manager": manager.to_string(), "directory": shown_path(directory), "lines": manager.lines() })
        }
    }
}
