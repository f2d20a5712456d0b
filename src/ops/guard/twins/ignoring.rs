//! The lines of `.gitignore` that keep plaintexts beside their twins out of git.

use std::collections::BTreeSet;

use crate::format::repo_path::RepoPath;
use crate::ops::guard::twins::root_file::RootFile;
use crate::ops::guard::twins::{Pair, Place};
use crate::refusal::path::PathFault;
use crate::refusal::{Refusal, Result};
use crate::rules::twins::{OUTPUTS_IGNORED, ignore_line, with_line};

const GITIGNORE: &str = ".gitignore";

/// What became of the plaintexts that a command is about to write.
#[derive(Debug, Default)]
pub struct Ignoring {
    /// The plaintexts that git ignores since this command added a line for them.
    pub added: Vec<RepoPath>,
    /// The plaintexts that git still does not ignore, because a deeper `.gitignore` includes them again.
    pub not_ignored: Vec<RepoPath>,
}

impl Ignoring {
    /// Makes git ignore the plaintexts, before they are written. A twin that was renamed has another plaintext than the one
    /// for which `.gitignore` has a line.
    pub(super) fn apply(place: &Place, pairs: &[&Pair]) -> Result<Self> {
        let mut found = Self::default();
        let mut missing = Vec::new();
        for pair in pairs {
            if !place.repo.is_ignored(&pair.plain)? {
                missing.push(pair.plain.clone());
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        plan(place, missing.iter())?.write()?;
        for path in missing {
            match place.repo.is_ignored(&path)? {
                true => found.added.push(path),
                false => found.not_ignored.push(path),
            }
        }
        Ok(found)
    }
}

/// Plans the `.gitignore` that makes git ignore the plaintexts.
pub(super) fn plan<'a>(place: &Place, plaintexts: impl Iterator<Item = &'a RepoPath>) -> Result<RootFile> {
    let index = place.repo.index()?;
    let twins = index.files_named(|path| path.ends_with(b".age")).into_iter();
    let plaintexts: Vec<&RepoPath> = plaintexts.collect();
    // Those of this call count too: an earlier one may have ended before it staged their twins.
    let own = plaintexts.iter().filter_map(|plain| ignore_line(plain.as_bytes()));
    let lines: BTreeSet<Vec<u8>> = twins
        .filter_map(|twin| ignore_line(twin.path.as_bytes().strip_suffix(b".age")?))
        .chain(own)
        .collect();
    let ours = |line: &[u8]| line == OUTPUTS_IGNORED || lines.contains(line);
    RootFile::plan(place, GITIGNORE, ours, |mut text| {
        for plain in plaintexts {
            if place.repo.is_ignored(plain)? {
                continue;
            }
            let line = ignore_line(plain.as_bytes()).ok_or_else(|| Refusal::UnsafePath {
                path: plain.to_string(),
                fault: PathFault::NotIgnorable,
            })?;
            text = with_line(text, &line);
        }
        Ok(text)
    })
}
