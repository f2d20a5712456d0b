//! May a member stand in the clear? Judged by its place, its content and its blob, against a registry.

use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::{EntryKind, Mode};
use crate::format::sealed::MEMBER;
use crate::format::tree_meta::DOCUMENTS;
use crate::rules::pack::places::copied;
use crate::rules::protect::Registry;
use crate::rules::scan::{self, Candidate, Destination, Leak, Traits};

/// What was seen in the members in the clear: sorted by path; none of a plain file of which there is nothing to be said.
#[derive(Default)]
pub struct PlainMembers(pub Vec<(String, Option<Box<PlainMember>>)>);

impl PlainMembers {
    /// Returns what was seen in a member; none if it was not looked into.
    pub fn get(&self, path: &str) -> Option<PlainMember> {
        let at = self.0.binary_search_by(|(other, _)| other.as_str().cmp(path)).ok()?;
        Some(self.0[at].1.as_deref().cloned().unwrap_or_default())
    }
}

/// What was seen in a member in the clear.
#[derive(Clone, Debug, Default)]
pub struct PlainMember {
    /// What it copies.
    pub kind: EntryKind,
    /// What its content is.
    pub traits: Traits,
    /// Its blob, where that matters.
    pub blob: Option<ObjectId>,
}

/// Returns why a member may not stand in the clear in a pack of this mode.
///
/// In a tree pack, what lies under `repo/` is judged by the path of the entry that it copies. The documents of the pack
/// itself hold no artifact. Of a member that was not looked into, only the name is judged.
pub fn judge_member(
    registry: &Registry,
    path: &str,
    seen: Option<&PlainMember>,
    tree_pack: bool,
    mode: Mode,
) -> Option<Leak> {
    if DOCUMENTS.contains(&path) || path == MEMBER {
        return None;
    }
    let judged = copied(path).filter(|_| tree_pack).unwrap_or(path).as_bytes();
    match seen {
        Some(seen) => judge_at(registry, judged, seen, mode),
        None => scan::judge_path(registry, &entry(judged, EntryKind::Regular, None), destination(mode)),
    }
}

/// Returns why what was seen may not stand in the clear under a path, in a pack of this mode.
pub fn judge_at(registry: &Registry, path: &[u8], seen: &PlainMember, mode: Mode) -> Option<Leak> {
    let kind = match seen.kind {
        // A copy of a submodule is no submodule: it publishes what it holds, as a link does.
        EntryKind::Submodule => EntryKind::Symlink,
        kind => kind,
    };
    scan::judge(registry, &entry(path, kind, seen.blob), &seen.traits, destination(mode))
}

fn entry(path: &[u8], kind: EntryKind, blob: Option<ObjectId>) -> Candidate {
    Candidate {
        path: RepoPath::new(path),
        kind,
        id: blob.unwrap_or(ObjectId::NULL),
        commit: None,
    }
}

/// Returns where a pack of this mode may end up.
fn destination(mode: Mode) -> Destination {
    match mode {
        Mode::Public => Destination::PublicRemote,
        Mode::Internal => Destination::PrivateRemote,
    }
}
