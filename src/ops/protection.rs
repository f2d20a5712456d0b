//! Which entries of a tree stand in the clear in a pack, and which are sealed.

use crate::adapters::git::Repository;
use crate::format::refusal::Result;
use crate::format::repo_state::{EntryKind, Mode, TreeEntry};
use crate::ops::contents::traits_of;
use crate::rules::protect::Registry;
use crate::rules::scan::{Leak, LeakCode};
use crate::rules::seals::{PlainMember, SealedFile, judge_at};

/// Judges the entries of a tree by path and content, in their order: what was seen in each, and why it may not stand in the
/// clear in a pack of that mode.
pub fn judge_entries(
    repo: &Repository,
    registry: &Registry,
    entries: &[TreeEntry],
    mode: Mode,
) -> Result<Vec<(PlainMember, Option<Leak>)>> {
    let blobs = entries.iter().filter(|entry| entry.kind != EntryKind::Submodule);
    let traits = traits_of(repo, blobs.map(|entry| entry.id))?;
    let judged = entries.iter().map(|entry| {
        let seen = PlainMember {
            kind: entry.kind,
            traits: traits.get(&entry.id).cloned().unwrap_or_default(),
            blob: Some(entry.id),
        };
        let leak = judge_at(registry, entry.path.as_bytes(), &seen, mode);
        (seen, leak)
    });
    Ok(judged.collect())
}

/// Leaves the entries that stand in the clear in a pack of that mode; returns those that it seals.
pub fn retain_plain(
    repo: &Repository,
    registry: &Registry,
    entries: &mut Vec<TreeEntry>,
    mode: Mode,
) -> Result<Vec<SealedFile>> {
    let mut judged = judge_entries(repo, registry, entries, mode)?.into_iter();
    let mut sealed = Vec::new();
    entries.retain(|entry| match judged.next() {
        // What only claims to be sealed is no artifact: a pack with it is refused.
        Some((_, Some(leak))) if leak.code != LeakCode::FakeSeal => {
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
