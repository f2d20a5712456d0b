//! History: what a range of commits introduces, also when a later commit deletes it again.

use std::collections::{BTreeSet, HashMap, HashSet};

use gix::objs::TreeRefIter;
use gix::objs::tree::EntryKind as GitKind;

use crate::adapters::git::tree::entry_kind;
use crate::adapters::git::{Repository, corrupt_object, explain, from_gix, object_error, to_gix};
use crate::format::object_id::ObjectId;
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::TreeEntry;

/// An entry and the commit of a range that introduced it.
#[derive(Clone, Debug)]
pub struct Introduced {
    /// The entry.
    pub entry: TreeEntry,
    /// The commit.
    pub commit: ObjectId,
}

/// What a range of commits does to paths.
#[derive(Debug, Default)]
pub struct Range {
    /// Every entry that some commit has and none of its parents, oldest commits first.
    pub introduced: Vec<Introduced>,
    /// For each path that some commit deletes and no later one brings back, the last such commit.
    pub deleted: HashMap<RepoPath, ObjectId>,
    /// The commits right below the range: parents of its commits that are known already.
    pub boundary: BTreeSet<ObjectId>,
    /// The commits of the range that have no parents.
    pub roots: HashSet<ObjectId>,
    /// Number of commits looked at.
    pub commits: u64,
}

/// What an object id to be pushed turned out to be.
enum Tip {
    Commit(gix::ObjectId),
    Other(gix::object::Kind),
}

impl Repository {
    /// Returns the remote-tracking refs of `remote`: the name below it, and the id that it points to.
    pub fn tracking_refs(&self, remote: &str) -> Result<Vec<(String, ObjectId)>> {
        let repo = self.local();
        let failed = |e: &gix::Error| Refusal::Unsupported {
            what: format!("the refs of {remote} cannot be read: {}", explain(e)),
            remedy: "git for-each-ref    (git itself may say more)".into(),
        };
        let platform = repo.references().map_err(|e| failed(&e))?;
        let prefix = format!("refs/remotes/{remote}/");
        let Ok(refs) = platform.prefixed(prefix.as_str()) else {
            // A URL or another name that no ref can have: nothing is known of that remote.
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for reference in refs {
            let mut reference = reference.map_err(|e| failed(&e))?;
            let name = reference.name().as_bstr().to_string();
            if let Ok(id) = reference.peel_to_id() {
                let name = name.strip_prefix(&prefix).unwrap_or(&name).to_owned();
                found.push((name, from_gix(&id)));
            }
        }
        Ok(found)
    }

    /// Returns what `tips` have that `known` do not: commits reachable from a known one are left out.
    ///
    /// A known id that is not in this clone says nothing and is passed over. Tags are peeled; a tip that is no commit has
    /// no paths, and is refused.
    pub fn introduced(&self, tips: &[ObjectId], known: &[ObjectId]) -> Result<Range> {
        let repo = self.local();
        let mut range = Range::default();
        let mut starts = Vec::new();
        for tip in tips {
            match peel(&repo, to_gix(tip))? {
                Tip::Commit(id) => starts.push(id),
                Tip::Other(kind) => {
                    return Err(Refusal::Unsupported {
                        what: format!("{tip} leads to a {kind} without a commit, so there is no path to judge it by"),
                        remedy: "push a commit, or, if everybody may have it, push that ref with --no-verify".into(),
                    });
                }
            }
        }
        let mut hidden = Vec::new();
        for id in known {
            let id = to_gix(id);
            if repo.has_object(id)
                && let Tip::Commit(id) = peel(&repo, id)?
            {
                hidden.push(id);
            }
        }
        let mut commits = Vec::new();
        if !starts.is_empty() {
            let failed = |e: &gix::Error| match e.is_not_found() {
                true => Refusal::MissingObject {
                    count: 1,
                    example: explain(e),
                },
                false => Refusal::Corrupt {
                    what: format!("history cannot be read: {}", explain(e)),
                    remedy: "git fsck".into(),
                },
            };
            for info in repo
                .rev_walk(starts)
                .with_hidden(hidden)
                .all()
                .map_err(|e| failed(&e))?
            {
                commits.push(info.map_err(|e| failed(&e))?.id);
            }
        }
        range.commits = commits.len() as u64;
        let shallow: HashSet<gix::ObjectId> = repo
            .shallow_commits()
            .map_err(|e| Refusal::Unsupported {
                what: explain(&e),
                remedy: "git fetch --unshallow".into(),
            })?
            .map(|commits| commits.iter().copied().collect())
            .unwrap_or_default();
        let within: HashSet<gix::ObjectId> = commits.iter().copied().collect();
        let mut seen = HashSet::new();
        for id in commits.into_iter().rev() {
            let parents = changes_of(&repo, id, shallow.contains(&id), &mut seen, &mut range)?;
            let below = parents.iter().filter(|parent| !within.contains(*parent));
            range.boundary.extend(below.map(|parent| from_gix(parent)));
        }
        Ok(range)
    }
}

fn peel(repo: &gix::Repository, id: gix::ObjectId) -> Result<Tip> {
    let object = repo.find_object(id).map_err(|e| object_error(id, &e))?;
    let object = object.peel_tags_to_end().map_err(|e| object_error(id, &e))?;
    Ok(match object.kind {
        gix::object::Kind::Commit => Tip::Commit(object.id),
        kind => Tip::Other(kind),
    })
}

/// Adds what one commit has and none of its parents, for what equals a parent's was introduced there; returns the parents.
fn changes_of(
    repo: &gix::Repository,
    id: gix::ObjectId,
    shallow: bool,
    seen: &mut HashSet<(RepoPath, ObjectId)>,
    range: &mut Range,
) -> Result<Vec<gix::ObjectId>> {
    let commit = repo.find_commit(id).map_err(|e| object_error(id, &e))?;
    let tree = tree_of(&commit)?;
    let ids: Vec<gix::ObjectId> = match shallow {
        true => Vec::new(),
        false => commit.parent_ids().map(|id| id.detach()).collect(),
    };
    let mut parents = Vec::new();
    for id in &ids {
        let parent = repo.find_commit(*id).map_err(|e| object_error(*id, &e))?;
        parents.push(tree_of(&parent)?);
    }
    if parents.is_empty() {
        range.roots.insert(from_gix(&id));
    }
    let mut changes = diff(repo, parents.first().copied(), tree)?;
    for parent in parents.iter().skip(1) {
        let other: HashSet<(RepoPath, ObjectId)> = diff(repo, Some(*parent), tree)?
            .introduced
            .into_iter()
            .map(|entry| (entry.path, entry.id))
            .collect();
        changes
            .introduced
            .retain(|entry| other.contains(&(entry.path.clone(), entry.id)));
    }
    let commit = from_gix(&id);
    for entry in changes.introduced {
        range.deleted.remove(&entry.path);
        if seen.insert((entry.path.clone(), entry.id)) {
            range.introduced.push(Introduced { entry, commit });
        }
    }
    for path in changes.deleted {
        range.deleted.insert(path, from_gix(&id));
    }
    Ok(ids)
}

fn tree_of(commit: &gix::Commit<'_>) -> Result<gix::ObjectId> {
    commit
        .tree_id()
        .map(|id| id.detach())
        .map_err(|e| object_error(commit.id, &e))
}

struct Changes {
    introduced: Vec<TreeEntry>,
    deleted: Vec<RepoPath>,
}

fn diff(repo: &gix::Repository, old: Option<gix::ObjectId>, new: gix::ObjectId) -> Result<Changes> {
    let mut changes = Changes {
        introduced: Vec::new(),
        deleted: Vec::new(),
    };
    if old == Some(new) {
        return Ok(changes);
    }
    let read = |id: gix::ObjectId| -> Result<Vec<u8>> {
        let tree = repo.find_tree(id).map_err(|e| object_error(id, &e))?;
        Ok(tree.detach().data)
    };
    let old_bytes = old.map(read).transpose()?.unwrap_or_default();
    let new_bytes = read(new)?;
    let mut recorder = gix::diff::tree::Recorder::default();
    gix::diff::tree(
        TreeRefIter::from_bytes(&old_bytes, new.kind()),
        TreeRefIter::from_bytes(&new_bytes, new.kind()),
        gix::diff::tree::State::default(),
        &repo.objects,
        &mut recorder,
    )
    .map_err(|e| tree_diff_error(new, &e))?;
    let add = |kind: GitKind, id: gix::ObjectId, path: &[u8], changes: &mut Changes| {
        if let Some(kind) = entry_kind(kind) {
            changes.introduced.push(TreeEntry {
                path: RepoPath::new(path),
                kind,
                id: from_gix(&id),
            });
        }
    };
    for change in recorder.records {
        use gix::diff::tree::recorder::Change::{Addition, Deletion, Modification};
        match change {
            Addition {
                entry_mode, oid, path, ..
            } => add(entry_mode.kind(), oid, &path, &mut changes),
            Modification {
                entry_mode, oid, path, ..
            } => add(entry_mode.kind(), oid, &path, &mut changes),
            Deletion { entry_mode, path, .. } => {
                if entry_kind(entry_mode.kind()).is_some() {
                    changes.deleted.push(RepoPath::new(&path));
                }
            }
        }
    }
    Ok(changes)
}

fn tree_diff_error(id: gix::ObjectId, error: &(dyn std::error::Error + 'static)) -> Refusal {
    let why = explain(error);
    if why.contains("not found") || why.contains("could not be found") {
        Refusal::MissingObject { count: 1, example: why }
    } else {
        corrupt_object(id, &why)
    }
}
