//! Checks the limits of a scope against its entries before anything is written.

use crate::adapters::git::Repository;
use crate::format::config::Limits;
use crate::format::repo_state::TreeEntry;
use crate::ops::state;
use crate::refusal::{Exceeded, Refusal, Result};
use crate::rules::protect::Registry;

/// The number of largest entries that a refusal names.
const NAMED: usize = 5;

/// Refuses entries that are too many or too large for the limits of their scope. Sealed entries count, too.
pub fn ensure(
    repo: &Repository,
    registry: &Registry,
    scope: &str,
    limits: &Limits,
    entries: &[TreeEntry],
) -> Result<()> {
    let exceeded = |limit: &'static str, allowed: u64, found: u64, largest: Vec<(String, u64)>| Refusal::Limit {
        scope: scope.to_owned(),
        exceeded: Exceeded { limit, allowed, found },
        largest,
    };
    if let Some(allowed) = limits.max_entries
        && entries.len() as u64 > allowed
    {
        return Err(exceeded("max_entries", allowed, entries.len() as u64, Vec::new()));
    }
    if limits.max_total_bytes.is_none() && limits.max_entry_bytes.is_none() {
        return Ok(());
    }
    let mut sized: Vec<(String, u64)> = state::hash(repo, registry, entries.to_vec(), repo.private().digests())?
        .into_iter()
        .map(|entry| (entry.entry.path.to_string(), entry.size))
        .collect();
    let total = sized.iter().map(|(_, size)| size).sum();
    sized.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let largest = sized.first().map_or(0, |(_, size)| *size);
    sized.truncate(NAMED);
    if let Some(allowed) = limits.max_entry_bytes.filter(|allowed| largest > *allowed) {
        sized.retain(|(_, size)| *size > allowed);
        return Err(exceeded("max_entry_bytes", allowed, largest, sized));
    }
    match limits.max_total_bytes.filter(|allowed| total > *allowed) {
        Some(allowed) => Err(exceeded("max_total_bytes", allowed, total, sized)),
        None => Ok(()),
    }
}
