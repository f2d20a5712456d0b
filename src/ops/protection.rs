//! Which entries of a tree stand in the clear in a pack, and which are sealed.

use std::collections::HashMap;

use crate::adapters::git::Repository;
use crate::format::object_id::ObjectId;
use crate::format::repo_state::{EntryKind, Mode, TreeEntry};
use crate::ops::contents::traits_of;
use crate::refusal::Result;
use crate::rules::pack::commit::SealedFile;
use crate::rules::pack::plain::{PlainMember, judge_at};
use crate::rules::protect::Registry;
use crate::rules::scan::{Leak, LeakCode, Traits};

/// What there is to be said of the contents of a tree's entries.
pub struct Judge {
    traits: HashMap<ObjectId, Traits>,
    mode: Mode,
}

impl Judge {
    /// Looks into the contents of entries that are to be judged for a pack of that mode.
    pub fn of(repo: &Repository, entries: &[TreeEntry], mode: Mode) -> Result<Self> {
        let traits = traits_of(repo, blobs(entries))?;
        Ok(Self { traits, mode })
    }

    /// Makes a judge who was told by somebody else what there is to be said of the blobs of entries.
    pub fn told(traits: HashMap<ObjectId, Traits>, mode: Mode) -> Self {
        Self { traits, mode }
    }

    /// Judges one of them by path and content: what was seen in it, and why it may not stand in the clear.
    pub fn judge(&self, registry: &Registry, entry: &TreeEntry) -> (PlainMember, Option<Leak>) {
        let seen = PlainMember {
            kind: entry.kind,
            traits: self.traits.get(&entry.id).cloned().unwrap_or_default(),
            blob: Some(entry.id),
        };
        let leak = judge_at(registry, entry.path.as_bytes(), &seen, self.mode);
        (seen, leak)
    }
}

/// Returns the blobs of entries.
pub fn blobs(entries: &[TreeEntry]) -> impl Iterator<Item = ObjectId> {
    let blobs = entries.iter().filter(|entry| entry.kind != EntryKind::Submodule);
    blobs.map(|entry| entry.id)
}

/// Leaves the entries that stand in the clear in a pack of that mode; returns those that it seals.
pub fn retain_plain(
    repo: &Repository,
    registry: &Registry,
    entries: &mut Vec<TreeEntry>,
    mode: Mode,
) -> Result<Vec<SealedFile>> {
    let judge = Judge::of(repo, entries, mode)?;
    let mut sealed = Vec::new();
    entries.retain(|entry| match judge.judge(registry, entry).1 {
        // What only claims to be sealed is no artifact: a pack with it is refused.
        Some(leak) if leak.code != LeakCode::FakeSeal => {
            sealed.push(SealedFile {
                path: entry.path.clone(),
                class: leak.class,
                policy: leak.policy,
            });
            false
        }
        _ => true,
    });
    Ok(sealed)
}
