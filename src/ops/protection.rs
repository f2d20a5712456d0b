//! Decides which entries of a tree a pack holds in the clear, and which it seals.

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

/// The findings in the contents of a tree's entries.
pub struct PackJudge {
    traits: HashMap<ObjectId, Traits>,
    mode: Mode,
}

impl PackJudge {
    /// Examines the contents of entries, to judge them for a pack of this mode.
    pub fn of(repo: &Repository, entries: &[TreeEntry], mode: Mode) -> Result<Self> {
        let traits = traits_of(repo, blobs(entries))?;
        Ok(Self { traits, mode })
    }

    /// Makes a judge from findings that are known already.
    pub fn told(traits: HashMap<ObjectId, Traits>, mode: Mode) -> Self {
        Self { traits, mode }
    }

    /// Judges an entry by path and content: returns the findings in it, and why it may not be in the clear.
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

/// Keeps the entries that a pack of this mode holds in the clear; returns those that it seals.
pub fn retain_plain(
    repo: &Repository,
    registry: &Registry,
    entries: &mut Vec<TreeEntry>,
    mode: Mode,
) -> Result<Vec<SealedFile>> {
    let judge = PackJudge::of(repo, entries, mode)?;
    let mut sealed = Vec::new();
    entries.retain(|entry| match judge.judge(registry, entry).1 {
        // A file that only claims to be sealed is no artifact: a pack with it is refused.
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
