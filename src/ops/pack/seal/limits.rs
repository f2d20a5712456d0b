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
pub fn ensure<'a>(
    repo: &Repository,
    registry: &Registry,
    scope: &str,
    limits: &Limits,
    entries: impl Iterator<Item = &'a TreeEntry> + Clone,
) -> Result<()> {
    let exceeded = |limit: &'static str, allowed: u64, found: u64, largest: Vec<(String, u64)>| Refusal::Limit {
        scope: scope.to_owned(),
        exceeded: Exceeded { limit, allowed, found },
        largest,
    };
    if let Some(allowed) = limits.max_entries {
        let found = entries.clone().count() as u64;
        if found > allowed {
            return Err(exceeded("max_entries", allowed, found, Vec::new()));
        }
    }
    if limits.max_total_bytes.is_none() && limits.max_entry_bytes.is_none() {
        return Ok(());
    }
    let mut sized: Vec<(String, u64)> =
        state::hash(repo, registry, entries.cloned().collect(), repo.private().digests())?
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
