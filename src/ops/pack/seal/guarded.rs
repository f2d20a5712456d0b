//! What this clone must not publish, whatever the rules say: the plaintexts of sealed twins, and known plaintext.

use std::collections::HashMap;
use std::io::{self, Read};

use crate::adapters::git::Repository;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::ops::guard::known::{self, Finder};
use crate::ops::guard::main_commits::main_commits;
use crate::ops::guard::scan::twins;
use crate::refusal::Result;
use crate::refusal::leak::Giveaway;
use crate::rules::protect::{Cause, Registry};
use crate::rules::scan::{Leak, LeakCode, Traits};
use crate::rules::twins::{SealedTwins, plain_of};

/// The guarded content of a clone; by default none.
#[derive(Default)]
pub struct Guarded {
    finder: Option<Finder>,
    twins: SealedTwins,
}

impl Guarded {
    /// Collects the tracked twins beside one of `places` or beside a file that is known by content. Searches the index,
    /// `HEAD`, the main branches and the commit's tree `tree`, because the checkout may be older than the protection.
    pub(super) fn of(
        repo: &Repository,
        registry: &Registry,
        tree: Option<ObjectId>,
        places: Vec<RepoPath>,
    ) -> Result<Self> {
        let mut guarded = Self {
            finder: Finder::of(repo, registry),
            twins: SealedTwins::default(),
        };
        let originals = guarded.finder.iter().flat_map(Finder::originals);
        let places: Vec<RepoPath> = places.into_iter().chain(originals).collect();
        if places.is_empty() {
            return Ok(guarded);
        }
        let mut trees: Vec<ObjectId> = tree.into_iter().collect();
        trees.extend(twins::trees_of(repo, &main_commits(repo)?)?);
        twins::beside(repo, &trees, places.iter(), &mut guarded.twins)?;
        let staged = repo.index()?.files_named(|path| plain_of(path).is_some());
        twins::collect(repo, staged, &mut guarded.twins)?;
        Ok(guarded)
    }

    /// Returns a name for the state of the known content.
    pub(super) fn generation(&self) -> Option<&str> {
        self.finder.as_ref().map(Finder::generation)
    }

    /// Returns the twins.
    pub(super) fn twins(&self) -> &SealedTwins {
        &self.twins
    }

    /// Examines a file of `size` bytes.
    pub(super) fn look_into(&self, file: &mut dyn Read, size: u64) -> io::Result<Traits> {
        let mut traits = known::look_into_file(self.finder.as_ref(), file, size)?;
        self.name_twins(&mut traits);
        Ok(traits)
    }

    /// Examines blobs; blobs without a finding are left out.
    pub(super) fn traits_of(
        &self,
        repo: &Repository,
        ids: impl Iterator<Item = ObjectId>,
    ) -> Result<HashMap<ObjectId, Traits>> {
        let mut all = known::traits_of(repo, self.finder.as_ref(), ids)?;
        all.values_mut().for_each(|traits| self.name_twins(traits));
        Ok(all)
    }

    fn name_twins(&self, traits: &mut Traits) {
        for part in &mut traits.known {
            part.twin = self.twins.of(part.original.as_bytes()).cloned();
        }
    }
}

/// Returns why this clone, and no rule, forbids plaintext; none if a rule forbids it.
pub(super) fn why(leak: &Leak) -> Option<Giveaway> {
    match &leak.cause {
        Cause::Twin(twin) => Some(Giveaway::Twin { twin: twin.to_string() }),
        Cause::Known { percent, original } if leak.code == LeakCode::KnownPlaintext => Some(Giveaway::Part {
            percent: *percent,
            original: original.to_string(),
            within: leak.detail.clone(),
        }),
        _ => None,
    }
}
