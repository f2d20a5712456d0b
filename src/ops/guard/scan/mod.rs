//! `git pack scan`, and what the hooks share with it: surfaces that yield entries, and what was found among them.

pub mod engine;
pub mod packs;
pub mod range;
pub mod surfaces;
pub mod twins;

use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::ops::pack::verify::VerifyReport;
use crate::rules::push::Doubt;
use crate::rules::scan::{InPart, Leak};
pub use engine::Examined;

/// What a look at a surface came to.
#[derive(Default)]
pub struct ScanReport {
    /// The leaks, in the order of the surface; oldest commit first in a range.
    pub leaks: Vec<Found>,
    /// How many more leaks there are, of which nothing is kept.
    pub more: u64,
    /// Packs that do not verify.
    pub packs: Vec<InvalidPack>,
    /// What the change under judgement takes away from the protection; it still applies to that change.
    pub weakened: Vec<String>,
    /// Files that could not be examined whole, unless that makes them leaks.
    pub in_part: Vec<PartlyExamined>,
    /// What was looked at.
    pub examined: Examined,
    /// Whether some commit of a leak is known to be on a remote already, though not on this one.
    pub is_elsewhere: bool,
    /// Where a push goes, if one was judged.
    pub pushed_to: Option<PushedTo>,
}

/// Where a push goes.
pub struct PushedTo {
    /// The URL; it may hold a password.
    pub url: String,
    /// Why tracking refs do not count, so that more was judged than is new since the last fetch.
    pub doubt: Option<Doubt>,
}

impl ScanReport {
    /// Returns whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.leaks.is_empty() && self.packs.is_empty()
    }
}

/// A file that could not be examined whole.
#[derive(Clone, Debug)]
pub struct PartlyExamined {
    /// Its path.
    pub path: RepoPath,
    /// Why.
    pub why: Vec<InPart>,
}

/// A leak, and what is known of it besides.
#[derive(Clone, Debug)]
pub struct Found {
    /// The leak.
    pub leak: Leak,
    /// The commit of the range that deletes the path again.
    pub deleted_in: Option<ObjectId>,
    /// Whether the commit that introduces it is the first of its history.
    pub is_root: bool,
    /// Whether `HEAD` has nothing under its path, so that unstaging leaves it out.
    pub is_added: bool,
    /// Whether the new rules alone would let it pass: the change itself weakens them.
    pub weakened: bool,
}

impl From<Leak> for Found {
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
    /// Its directory, from the top of the repository.
    pub path: String,
    /// The commit in which it stands, if it is tracked.
    pub commit: Option<ObjectId>,
    /// What is wrong: a line each.
    pub problems: Vec<String>,
}

impl InvalidPack {
    fn of(path: String, commit: Option<ObjectId>, report: &VerifyReport) -> Self {
        let problems = report.findings.iter().map(|finding| match &finding.path {
            path if path.is_empty() => finding.kind.code().to_owned(),
            path => format!("{} {path}", finding.kind.code()),
        });
        Self {
            path,
            commit,
            problems: problems.collect(),
        }
    }
}
