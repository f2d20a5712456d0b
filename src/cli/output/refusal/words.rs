//! The message of a refusal as a person reads it, with the flag or command that it is about.

use crate::cli::output::refusal::{keys, usage};
use crate::refusal::Refusal;
use crate::refusal::hook_manager::HookManager;
use crate::refusal::leak::PublicText;
use crate::refusal::shown::{shown, shown_path};
use crate::refusal::twin::TwinConflict;
use crate::refusal::work_tree::WorkTreeUse;

/// Why a new key is not written to a file that exists.
pub(super) const KEY_EXISTS: &str =
    "the file already exists, and git pack never overwrites a key; choose another path with --output";

/// Returns what, where and why on one line, with the flag where there is one.
pub(super) fn message(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Usage(misuse) => usage::problem(misuse),
        Refusal::NoWorkTree { action } => {
            let command = command_of(*action);
            format!("{command} needs a work tree, but this repository is bare")
        }
        Refusal::KeyInPublicText { text } => {
            let flag = match text {
                PublicText::Note => "--note",
                PublicText::Predicate => "--predicate",
                PublicText::PredicateType => "--type",
            };
            format!("{flag}: {refusal}")
        }
        Refusal::KeyExists { path } => format!("writing {}: {KEY_EXISTS}", shown_path(path)),
        Refusal::TwinDiffers { path, conflict, .. } => {
            let why = why_not_overwritten(*conflict);
            format!("{} would be overwritten, but {why}", shown_path(path))
        }
        Refusal::BadConfig { origin, line, fault } => {
            let place = line.map(|line| format!(", line {line}")).unwrap_or_default();
            format!("{origin}{place}: {}", keys::config(fault))
        }
        Refusal::NoIdentity { path, fault } => {
            let why = keys::identity(fault);
            format!("the identity {} cannot be used: {why}", shown_path(path))
        }
        Refusal::Locked { subject, file, fault } => {
            let why = keys::locked(file.as_deref(), fault);
            format!("cannot open {}: {why}", shown(subject.as_bytes()))
        }
        Refusal::Crypto { deed, subject, fault } => format!("{deed} {subject}: {}", keys::cipher(fault)),
        other => other.to_string(),
    }
}

/// Returns the command or flag that needs a work tree.
pub(super) fn command_of(action: WorkTreeUse) -> String {
    match action {
        WorkTreeUse::Recipients => "git pack recipients".into(),
        WorkTreeUse::Init => "git pack init".into(),
        WorkTreeUse::Protect => "git pack protect".into(),
        WorkTreeUse::Reveal => "git pack reveal".into(),
        WorkTreeUse::Scan => "git pack scan --worktree".into(),
        WorkTreeUse::Staged => "a scan of what is staged (git pack scan --all scans the history)".into(),
        WorkTreeUse::Allow => "git pack scan --write-allow".into(),
        WorkTreeUse::Attach => "--attach".into(),
        WorkTreeUse::Merge | WorkTreeUse::Twin | WorkTreeUse::Staging | WorkTreeUse::ListingFiles => action.to_string(),
    }
}

/// Returns why a file is not overwritten and, where that is known, what to do instead.
pub(super) fn why_not_overwritten(conflict: TwinConflict) -> String {
    match conflict {
        TwinConflict::SealedChanged => format!("{conflict}: reveal it instead"),
        TwinConflict::PlainChanged => format!("{conflict}: protect it, or move it away"),
        TwinConflict::SealedDiffers
        | TwinConflict::SealedUnknown
        | TwinConflict::PlainDiffers
        | TwinConflict::PlainUnknown => conflict.to_string(),
    }
}

/// Returns what to do with the lines that make a hook manager run git-pack's hooks.
pub(super) fn adding(manager: HookManager) -> &'static str {
    match manager {
        HookManager::Husky => "run this beside .husky",
        HookManager::Lefthook => "add this to lefthook.yml, then run lefthook install",
        HookManager::PreCommit => {
            "add this below repos in .pre-commit-config.yaml, indented like the other entries, git add it, then run \
             pre-commit install -t pre-commit -t pre-merge-commit -t pre-push"
        }
        HookManager::Prek => {
            "add this below repos in .pre-commit-config.yaml, indented like the other entries, git add it, then run \
             prek install -t pre-commit -t pre-merge-commit -t pre-push"
        }
    }
}
