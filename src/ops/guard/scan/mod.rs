//! `git pack scan`, and the parts that the hooks share with it: surfaces that yield entries, and the findings.

pub mod accept;
mod attached_packs;
pub mod beside;
pub mod engine;
mod no_commit;
pub mod packs;
pub mod range;
pub mod surfaces;
pub mod twins;

use crate::adapters::git::Commit;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::ops::guard::way_out::{ReleaseFirst, WayOut};
use crate::rules::pack::findings::Finding;
use crate::rules::pack::verdict::Verdict;
use crate::rules::push::Doubt;
use crate::rules::scan::{InPart, Leak};
use crate::rules::weakening::Weakening;
pub use engine::Examined;

/// The outcome of a scan.
#[derive(Default)]
pub struct ScanReport {
    /// The leaks, in the order of the surface; oldest commit first in a range.
    pub leaks: Vec<FoundLeak>,
    /// The leaks that a baseline lists. They do not count as found.
    pub known: Vec<FoundLeak>,
    /// How many of the private keys that were found the baseline lists. They still count as found.
    pub listed_keys: u64,
    /// How many of the run outputs that were found the baseline lists. They still count as found.
    pub listed_outputs: u64,
    /// How many more leaks there are, whose details are not kept.
    pub more: u64,
    /// Packs that do not verify.
    pub packs: Vec<InvalidPack>,
    /// The commits that name who may sign packs, if the packs of a push must be signed.
    pub signers: Option<Vec<Commit>>,
    /// The commits that may be the tip of a pushed branch only after a pack of them was published.
    pub demanded: Vec<ObjectId>,
    /// The branches whose tips are among these commits, and not published.
    pub unpublished: Vec<UnpublishedBranch>,
    /// The protection that the change under judgement removes; it still applies to that change.
    pub weakened: Vec<Weakening>,
    /// Files that could be examined only in part, unless that makes them leaks.
    pub in_part: Vec<PartlyExamined>,
    /// How much was examined.
    pub examined: Examined,
    /// Whether only others remember protected content of this clone, so that not every copy of it is recognised.
    pub forgets: bool,
    /// How many refs lead to a tree or a blob, and not to commits.
    pub without_commits: u64,
    /// Whether the remote has commits that this clone lacks, so that it cannot be told what is new there. git refuses such a
    /// push, unless it is forced.
    pub is_behind: bool,
    /// Whether a commit of a leak is known to be on another remote already.
    pub is_elsewhere: bool,
    /// How to take the leaks out of their commits, if the commits can be rewritten here.
    pub way_out: Option<WayOut>,
    /// The commit to push before the others, if the push itself changes the rules to release leaks.
    pub release_first: Option<ReleaseFirst>,
    /// The destination of the push, if one was judged.
    pub pushed_to: Option<PushedTo>,
}

/// The destination of a push.
pub struct PushedTo {
    /// The URL; it may hold a password.
    pub url: String,
    /// Why tracking refs do not count, so that more is judged than is new since the last fetch.
    pub doubt: Option<Doubt>,
}

impl ScanReport {
    /// Returns whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.leaks.is_empty() && self.packs.is_empty() && self.unpublished.is_empty()
    }
}

/// A branch that must not be pushed yet.
pub struct UnpublishedBranch {
    /// Its full name, or another name of its tip.
    pub name: String,
    /// Its tip.
    pub commit: ObjectId,
    /// Whether its tip is the commit of `HEAD`.
    pub is_head: bool,
    /// The place where a pack of it should be. `None` if the clone names no place.
    pub place: Option<String>,
}

/// A file that could be examined only in part.
#[derive(Clone, Debug)]
pub struct PartlyExamined {
    /// Its path.
    pub path: RepoPath,
    /// The reasons.
    pub why: Vec<InPart>,
}

/// A leak and its circumstances.
#[derive(Clone, Debug)]
pub struct FoundLeak {
    /// The leak.
    pub leak: Leak,
    /// The commit of the range that deletes the path again.
    pub deleted_in: Option<ObjectId>,
    /// Whether the commit that introduces it has no parent.
    pub is_root: bool,
    /// Whether `HEAD` has nothing at its path, so that unstaging removes it from the commit.
    pub is_added: bool,
    /// Whether the new rules alone would let it pass, because the change itself weakens them.
    pub weakened: bool,
}

impl From<Leak> for FoundLeak {
    fn from(leak: Leak) -> Self {
        Self {
            leak,
            deleted_in: None,
            is_root: false,
            is_added: false,
            weakened: false,
        }
    }
}

/// A pack that does not verify.
pub struct InvalidPack {
    /// Its directory, from the top of the repository, or the ref that leads to it.
    pub path: String,
    /// The commit that holds it, if it is tracked.
    pub commit: Option<ObjectId>,
    /// The problems, one line each.
    pub problems: Vec<String>,
}

impl InvalidPack {
    fn of(path: String, commit: Option<ObjectId>, verdict: &Verdict) -> Self {
        Self {
            path,
            commit,
            problems: verdict.findings.iter().map(problem).collect(),
        }
    }
}

/// Returns a finding as one line.
fn problem(finding: &Finding) -> String {
    let code = finding.kind.code();
    match (&finding.path, finding.kind.detail()) {
        (path, Some(detail)) if path.is_empty() => format!("{code} {detail}"),
        (path, _) => format!("{code} {path}").trim_end().to_owned(),
    }
}
