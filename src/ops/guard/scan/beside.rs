//! The configurations that apply to a new ref beside its own, where nothing with rules was there before.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::adapters::git::{Peeled, Repository};
use crate::format::config::FILE_NAME;
use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::ops::configuration::{Loaded, Rules};
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// The most configurations that may apply beside each other in one push. The author of a push to an empty remote
/// decides how many there are, and each is compared with every tip.
const MAX_BESIDE: usize = 32;

/// Commits that many changes share.
pub type Commits = Arc<[ObjectId]>;

/// The configurations that apply beside each other, with a cache of what was looked up.
#[derive(Default)]
pub(super) struct Besides {
    /// The commits of the last request, and their configurations.
    of: Option<(Commits, Vec<Rc<Loaded>>)>,
    /// By path: the blob in each tree, for the configuration and the files that it names.
    in_tree: HashMap<String, HashMap<ObjectId, Option<ObjectId>>>,
}

/// The configurations of other commits, without that of the tip.
pub(super) struct Beside {
    /// Those that apply to the tip.
    pub(super) apply: Vec<Rc<Loaded>>,
    /// Those that the tip's own history had and replaced.
    pub(super) replaced: Vec<Rc<Loaded>>,
}

impl Besides {
    /// Returns the configurations of `commits` that apply to `tip`, if nothing that was there before has one.
    ///
    /// A commit without a configuration adds nothing. An older version of the tip's own configuration adds nothing
    /// either: its history replaced it, as if the tip were pushed alone. A tree has no history, so it has no tip.
    pub(super) fn of(
        &mut self,
        repo: &Repository,
        rules: &Rules<'_>,
        tip: Option<ObjectId>,
        new: &Rc<Loaded>,
        commits: &Commits,
    ) -> Result<Beside> {
        if !self.of.as_ref().is_some_and(|(of, _)| Arc::ptr_eq(of, commits)) {
            let mut all: Vec<Rc<Loaded>> = Vec::new();
            for id in commits.iter() {
                if let Some((_, loaded)) = old_side(repo, rules, id)?
                    && loaded.is_present()
                    && all.iter().all(|other| !same(other, &loaded))
                {
                    all.push(loaded);
                }
            }
            self.of = Some((Arc::clone(commits), all));
        }
        let all = self.of.iter().flat_map(|(_, all)| all);
        let mut apply: Vec<Rc<Loaded>> = all.filter(|loaded| !same(loaded, new)).map(Rc::clone).collect();
        let mut replaced = Vec::new();
        if let Some(tip) = tip {
            for loaded in std::mem::take(&mut apply) {
                match self.is_replaced(repo, &tip, &loaded)? {
                    true => replaced.push(loaded),
                    false => apply.push(loaded),
                }
            }
        }
        match apply.len() {
            0..=MAX_BESIDE => Ok(Beside { apply, replaced }),
            versions => Err(Refusal::Unsupported(Unsupported::ManyConfigurations { versions })),
        }
    }

    /// Returns whether the history of `tip` had this configuration and replaced it. One whose exceptions stand in another
    /// file counts only if the history had that file as well.
    fn is_replaced(&mut self, repo: &Repository, tip: &ObjectId, loaded: &Loaded) -> Result<bool> {
        let allow_file = loaded.config.allow_file.as_ref().map(|named| named.value.as_str());
        let parts = [
            (Some(FILE_NAME), loaded.bytes.as_deref()),
            (allow_file, loaded.allowed.as_deref()),
        ];
        for (path, bytes) in parts {
            let (Some(path), Some(bytes)) = (path, bytes) else {
                continue;
            };
            let known = self.in_tree.entry(path.to_owned()).or_default();
            let versions = repo.versions_of(tip, path, known)?;
            let mut hasher = ObjectHasher::new(tip, "blob", bytes.len() as u64);
            hasher.update(bytes);
            if !versions.contains(&hasher.finish()) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Returns those of the `replaced` configurations that stand at another remote, if no remote has the configuration that
/// replaces them, so that a change which is nowhere yet releases nothing.
pub(super) fn only_replaced_here(
    repo: &Repository,
    rules: &Rules<'_>,
    mut replaced: Vec<Rc<Loaded>>,
    new: &Rc<Loaded>,
    elsewhere: &Commits,
) -> Result<Vec<Rc<Loaded>>> {
    let mut there = Vec::new();
    for id in elsewhere.iter().filter(|_| !replaced.is_empty()) {
        let Some((_, loaded)) = old_side(repo, rules, id)? else {
            continue;
        };
        if same(&loaded, new) {
            return Ok(Vec::new());
        }
        there.push(loaded);
    }
    replaced.retain(|loaded| there.iter().any(|other| same(other, loaded)));
    Ok(replaced)
}

/// Returns the commit of an old side and its configuration; none if the commit is not here. What a remote has may
/// never have been fetched.
pub(super) fn old_side(repo: &Repository, rules: &Rules<'_>, id: &ObjectId) -> Result<Option<(ObjectId, Rc<Loaded>)>> {
    if !repo.has(id) {
        return Ok(None);
    }
    match repo.peel(id)? {
        Peeled::Commit(id) => Ok(Some((id, rules.in_commit_or_none(&id)?))),
        Peeled::Tree(_) | Peeled::Blob(_) => Ok(None),
    }
}

/// Returns whether two configurations have the same text, exceptions in another file included.
pub(super) fn same(a: &Rc<Loaded>, b: &Rc<Loaded>) -> bool {
    Rc::ptr_eq(a, b) || a.has_text_of(b)
}
