//! Judges whether a member may be in the clear, by its path, content and blob, against a registry.

use std::collections::BTreeMap;

use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::{EntryKind, Mode, RepoState};
use crate::format::sealed::MEMBER;
use crate::format::tree_meta::DOCUMENTS;
use crate::format::tree_name;
use crate::rules::pack::observed::{Facts, Observed, PlainMembers, hashed};
use crate::rules::pack::places::copied;
use crate::rules::protect::Registry;
use crate::rules::scan::{self, Candidate, Destination, Leak, Traits};

/// Maximum length of a link's target, in bytes. The commit id of a submodule is shorter.
const MAX_TARGET: u64 = 4096;

/// A member in the clear.
#[derive(Clone, Debug, Default)]
pub struct PlainMember {
    /// The kind of entry that it is a copy of.
    pub kind: EntryKind,
    /// The traits of its content.
    pub traits: Traits,
    /// Its blob id, if that affects the judgement.
    pub blob: Option<ObjectId>,
}

/// Members whose blob ids are needed.
pub struct BlobsAsked {
    /// An exception of the registry. The blob ids must use the same hash.
    pub like: ObjectId,
    /// Paths of the members.
    pub paths: Vec<String>,
}

/// Returns the members that leak unless the registry has an exception for their blobs. `None` if it has no exceptions.
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
    let found = observed.facts.iter().zip(&observed.plain.examined);
    let examined = found.filter(|(_, examined)| **examined);
    let paths = examined.filter_map(|((path, _), _)| std::str::from_utf8(path).ok());
    let leaking = paths.filter(|path| clear.leak(registry, path, Mode::Public).is_some());
    Some(BlobsAsked {
        like,
        paths: leaking.map(str::to_owned).collect(),
    })
}

/// The members in the clear, with all observations of each.
pub(super) struct Clear<'a> {
    seen: &'a PlainMembers,
    facts: &'a Facts,
    /// The entries of the state that are not regular files.
    kinds: BTreeMap<&'a str, EntryKind>,
    tree_pack: bool,
}

impl<'a> Clear<'a> {
    /// Combines the observations of the members with the kinds of entries in the state.
    pub(super) fn of(seen: &'a PlainMembers, facts: &'a Facts, state: Option<&'a RepoState>, tree_pack: bool) -> Self {
        let files = state.into_iter().flat_map(|state| &state.files);
        let special = files.filter(|file| tree_pack && file.kind() != EntryKind::Regular);
        Self {
            seen,
            facts,
            kinds: special.map(|file| (&*file.path, file.kind())).collect(),
            tree_pack,
        }
    }

    /// Returns why a member must not be in the clear in a pack of this mode, if it must not.
    pub(super) fn leak(&self, registry: &Registry, path: &str, mode: Mode) -> Option<Leak> {
        judge_member(registry, path, self.member(path).as_ref(), self.tree_pack, mode)
    }

    /// Returns the observations of a member. `None` if it was not examined.
    fn member(&self, path: &str) -> Option<PlainMember> {
        let at = self.facts.place(path.as_bytes())?;
        self.seen.examined.get(at).filter(|examined| **examined)?;
        Some(PlainMember {
            kind: self.kind(path).unwrap_or_default(),
            traits: self
                .seen
                .traits
                .get(path)
                .map(|traits| (**traits).clone())
                .unwrap_or_default(),
            blob: self.seen.blobs.get(path).copied(),
        })
    }

    /// Returns the kind of entry that a member is a copy of, if it is not a regular file.
    fn kind(&self, path: &str) -> Option<EntryKind> {
        let kind = self.kinds.get(copied(path)?)?;
        let (_, size) = hashed(self.facts, path)?;
        // The state may lie: a file longer than any link target is not a link.
        (size <= MAX_TARGET).then_some(*kind)
    }
}

/// Returns why a member must not be in the clear in a pack of this mode, if it must not.
///
/// In a tree pack, a member below `repo/` is judged by the path of its entry. The documents of the pack are never
/// leaks. A member that was not examined is judged by its path alone.
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
    let judged = tree_name::path_of(copied(path).filter(|_| tree_pack).unwrap_or(path));
    match seen {
        Some(seen) => judge_at(registry, &judged, seen, mode),
        None => scan::judge_path(registry, &entry(&judged, EntryKind::Regular, None), destination(mode)),
    }
}

/// Returns why a member must not be in the clear at this path in a pack of this mode, if it must not.
pub fn judge_at(registry: &Registry, path: &[u8], seen: &PlainMember, mode: Mode) -> Option<Leak> {
    let kind = match seen.kind {
        // The copy of a submodule publishes its content, as the copy of a link does.
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

/// Returns the most public destination of a pack with this mode.
fn destination(mode: Mode) -> Destination {
    match mode {
        Mode::Public => Destination::PublicRemote,
        Mode::Internal => Destination::PrivateRemote,
    }
}
