//! The commits whose rules apply where nothing was pushed before: those of the main branches, here and at remotes.

use std::collections::{BTreeSet, HashSet};

use crate::adapters::git::{Peeled, Repository};
use crate::format::object_id::ObjectId;
use crate::ops::configuration::Rules;
use crate::refusal::{Refusal, Result};
use crate::rules::main_branches::{MainNames, RemoteBranches, main_names, of_remote};

/// Where tracking refs lie.
const TRACKING: &str = "refs/remotes/";

/// The most branches of a remote whose rules are looked up.
const MAX_BRANCHES: usize = 1000;

/// Returns `HEAD`, and the tips of the main branches.
pub fn main_commits(repo: &Repository) -> Result<Vec<ObjectId>> {
    let main = main_names(repo.config_text("init.defaultBranch"));
    let names = MainNames {
        main: main.iter().map(String::as_str).collect(),
        always: HashSet::new(),
    };
    let mut found = here(repo, &main)?;
    for remote in branches_of_remotes(repo, &names)? {
        found.extend(commits(repo, &remote.main)?);
    }
    Ok(found.into_iter().collect())
}

/// The commits whose rules apply to new refs of a remote that has no rules yet.
pub struct WithRules {
    /// `HEAD` and the main branches of this clone.
    pub here: BTreeSet<ObjectId>,
    /// The branches of remotes.
    pub elsewhere: BTreeSet<ObjectId>,
}

/// Returns the commits whose rules apply to new refs called `pushed`.
///
/// Of each remote, these are the main branches and those with the names of `pushed`. If its default branch is not known
/// and none of these has rules, they are all of its branches that have some.
pub fn commits_with_rules(repo: &Repository, pushed: &[&str]) -> Result<WithRules> {
    let main = main_names(repo.config_text("init.defaultBranch"));
    let names = MainNames {
        main: main.iter().map(String::as_str).collect(),
        always: pushed
            .iter()
            .filter_map(|name| name.strip_prefix("refs/heads/"))
            .collect(),
    };
    let rules = Rules::of(repo);
    let has_rules = |id: &ObjectId| Ok::<_, Refusal>(rules.in_commit_or_none(id)?.is_present());
    let mut elsewhere = BTreeSet::new();
    for RemoteBranches { main, others } in branches_of_remotes(repo, &names)? {
        let main = commits(repo, &main)?;
        let others = commits(repo, others.iter().take(MAX_BRANCHES))?;
        let mut have_rules = false;
        for id in &main {
            have_rules = have_rules || has_rules(id)?;
        }
        for id in others.into_iter().filter(|_| !have_rules) {
            if has_rules(&id)? {
                elsewhere.insert(id);
            }
        }
        elsewhere.extend(main);
    }
    let here = here(repo, &main)?;
    Ok(WithRules { here, elsewhere })
}

/// Returns `HEAD` and the tips of the main branches of this clone.
fn here(repo: &Repository, main: &[String]) -> Result<BTreeSet<ObjectId>> {
    let names: Vec<String> = main.iter().map(|name| format!("refs/heads/{name}")).collect();
    let mut found: BTreeSet<ObjectId> = repo.commits_at(&names)?.into_iter().collect();
    if repo.has_commit()? {
        found.insert(repo.commit("HEAD")?.id);
    }
    Ok(found)
}

fn branches_of_remotes(repo: &Repository, names: &MainNames<'_>) -> Result<Vec<RemoteBranches>> {
    let remotes = repo.remotes();
    if remotes.is_empty() {
        return Ok(Vec::new());
    }
    let tracked = repo.refs(TRACKING)?;
    let is_here = |id: &ObjectId| repo.has(id);
    let of = |remote: &String| of_remote(remote, &tracked, names, is_here);
    Ok(remotes.iter().map(of).collect())
}

/// Returns the commits that these objects lead to.
fn commits<'a>(repo: &Repository, ids: impl IntoIterator<Item = &'a ObjectId>) -> Result<Vec<ObjectId>> {
    let mut found = Vec::new();
    for id in ids {
        if let Peeled::Commit(id) = repo.peel(id)? {
            found.push(id);
        }
    }
    Ok(found)
}
