//! May a member stand in the clear? Judged by its place, its content and its blob, against a registry.

use std::collections::BTreeMap;

use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::{EntryKind, Mode, RepoState};
use crate::format::sealed::MEMBER;
use crate::format::tree_meta::DOCUMENTS;
use crate::rules::pack::observed::{Facts, Observed, PlainMembers, hashed};
use crate::rules::pack::places::copied;
use crate::rules::protect::Registry;
use crate::rules::scan::{self, Candidate, Destination, Leak, Traits};

/// The longest target of a link, and more than the id of a submodule's commit.
const MAX_TARGET: u64 = 4096;

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

/// Members whose blobs are still to be observed.
pub struct BlobsAsked {
    /// An exception of the registry: the blobs are to be hashed as it was.
    pub like: ObjectId,
    /// The members.
    pub paths: Vec<String>,
}

/// Returns the members that leak unless the registry has an exception for their blobs; none where it has no exceptions.
pub fn blobs_asked(observed: &Observed) -> Option<BlobsAsked> {
    let documents = &observed.documents;
    let registry = documents.registry.as_ref()?.rules.as_ref().ok()?;
    let like = registry.exceptions().next()?;
    let clear = Clear::of(
        &observed.plain,
        &observed.facts,
        documents.state.as_ref(),
        observed.tree_pack,
    );
    let paths = observed.plain.members.iter().map(|(path, _)| path);
    let leaking = paths.filter(|path| clear.leak(registry, path, Mode::Public).is_some());
    Some(BlobsAsked {
        like,
        paths: leaking.cloned().collect(),
    })
}

/// The members in the clear, with all that is known of each.
pub(super) struct Clear<'a> {
    seen: &'a PlainMembers,
    facts: &'a Facts,
    /// The entries of the state that are no plain files.
    kinds: BTreeMap<&'a str, EntryKind>,
    tree_pack: bool,
}

impl<'a> Clear<'a> {
    /// Joins what was seen of the members with what the state says that they copy.
    pub(super) fn of(seen: &'a PlainMembers, facts: &'a Facts, state: Option<&'a RepoState>, tree_pack: bool) -> Self {
        let files = state.into_iter().flat_map(|state| &state.files);
        let special = files.filter(|file| tree_pack && file.kind() != EntryKind::Regular);
        Self {
            seen,
            facts,
            kinds: special.map(|file| (file.path.as_str(), file.kind())).collect(),
            tree_pack,
        }
    }

    /// Returns why a member may not stand in the clear in a pack of this mode.
    pub(super) fn leak(&self, registry: &Registry, path: &str, mode: Mode) -> Option<Leak> {
        judge_member(registry, path, self.member(path).as_ref(), self.tree_pack, mode)
    }

    /// Returns what was seen in a member; none if it was not looked into.
    fn member(&self, path: &str) -> Option<PlainMember> {
        let members = &self.seen.members;
        let at = members.binary_search_by(|(other, _)| other.as_str().cmp(path)).ok()?;
        Some(PlainMember {
            kind: self.kind(path).unwrap_or_default(),
            traits: members[at].1.as_deref().cloned().unwrap_or_default(),
            blob: self.seen.blobs.get(path).copied(),
        })
    }

    /// Returns what the state says that a member copies, where that is no plain file.
    fn kind(&self, path: &str) -> Option<EntryKind> {
        let kind = self.kinds.get(copied(path)?)?;
        let (_, size) = hashed(self.facts, path)?;
        // What a document calls a link must be able to be one.
        (size <= MAX_TARGET).then_some(*kind)
    }
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
