//! For whom a merged twin is sealed: only for recipients that the work tree and both sides of the merge name.

use crate::adapters::cipher::Recipients;
use crate::adapters::git::{Commit, Repository};
use crate::format::object_id::ObjectId;
use crate::ops::keys::recipients;
use crate::ops::{Context, configuration};
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};
use crate::rules::twins::MergeSide;

/// What is known about a side of a merge.
pub(super) struct SideAt<'a> {
    /// The side.
    pub(super) side: MergeSide,
    /// git's label of the side, which often begins with the name of a commit.
    pub(super) label: Option<&'a str>,
    /// The blob of its twin.
    pub(super) blob: ObjectId,
}

/// The recipients of a merged twin.
pub(super) enum Agreed {
    /// They may be used.
    For {
        /// The recipients of the work tree.
        recipients: Recipients,
        /// Whether both sides were compared with them.
        compared: bool,
    },
    /// A side names others.
    Differ(OtherNames),
    /// The configuration names no recipients.
    Unnamed,
}

/// How the recipients of a side differ from those of the work tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherNames {
    /// The side.
    pub side: MergeSide,
    /// Those that only the side names.
    pub only_there: Vec<String>,
    /// Those that only the work tree names.
    pub only_here: Vec<String>,
}

/// Compares the recipients of both sides with those of the work tree. A side without a configuration does not count.
///
/// Whoever a side lets in or leaves out is for a person to decide: a merge must not do it in silence.
pub(super) fn agreed(ctx: &Context, repo: &Repository, path: &str, sides: &[SideAt<'_>]) -> Result<Agreed> {
    let action = WorkTreeUse::Merge;
    let root = repo.work_tree().ok_or(Refusal::NoWorkTree { action })?;
    let recipients = recipients::of_config(ctx, &configuration::on_disk(&root)?)?;
    if recipients.names().is_empty() {
        return Ok(Agreed::Unnamed);
    }
    let mut compared = true;
    for side in sides {
        let Some(commit) = commit_of(repo, path, side) else {
            compared = false;
            continue;
        };
        let loaded = configuration::in_commit(repo, &commit)?;
        if !loaded.is_present() {
            continue;
        }
        let theirs = recipients::of_config(ctx, &loaded)?;
        if theirs.names() != recipients.names() {
            return Ok(Agreed::Differ(OtherNames {
                side: side.side,
                only_there: without(theirs.names(), recipients.names()),
                only_here: without(recipients.names(), theirs.names()),
            }));
        }
    }
    Ok(Agreed::For { recipients, compared })
}

fn without(names: &[String], others: &[String]) -> Vec<String> {
    names.iter().filter(|name| !others.contains(name)).cloned().collect()
}

/// Returns the commit of a side. `None` if it cannot be told, as for a patch or a stash.
///
/// git tells no driver which commits it merges. A label may also be a word of a message, and a name may mean another commit
/// than it did for git, so a commit counts only if it has the twin.
fn commit_of(repo: &Repository, path: &str, side: &SideAt<'_>) -> Option<Commit> {
    let label = side.label.unwrap_or_default();
    let (label, parent) = match label.strip_prefix("parent of ") {
        Some(label) => (label, "^"),
        None => (label, ""),
    };
    let name = label.split([' ', ':']).next().unwrap_or_default();
    // Where a side renamed the twin, git adds the name there to the label.
    let path = match label.split_once(':') {
        Some((before, path)) if before == name => path,
        _ => path,
    };
    let standing = match side.side {
        MergeSide::Ours => "HEAD",
        MergeSide::Theirs => "REBASE_HEAD",
    };
    let named = (!name.is_empty()).then(|| format!("{name}{parent}"));
    named.into_iter().chain([standing.to_owned()]).find_map(|rev| {
        let commit = repo.commit(&rev).ok()?;
        // A tag may be named like the digits of another commit.
        let is_id = |name: &str| name.len() >= 7 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if parent.is_empty() && is_id(&rev) && !commit.id.hex().starts_with(&rev) {
            return None;
        }
        let blob = repo.blob_in_tree(&commit.tree, path).ok().flatten();
        (blob == Some(side.blob)).then_some(commit)
    })
}
