//! What of git-pack remains in and around a clone when its hooks are removed, and the removal of the clone's part.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::adapters::store::disk::Hold;
use crate::format::config::FILE_NAME;
use crate::format::path_bytes::path_below;
use crate::format::repo_path::RepoPath;
use crate::format::run_record::RunId;
use crate::ops::Context;
use crate::ops::keys::identity;
use crate::refusal::{Refusal, Result};
use crate::rules::protect::OUTPUT_DIRECTORY;
use crate::rules::twins::{OUTPUTS_IGNORED, ignore_line, is_attribute_line, plain_of};

/// The section of git's configuration that is about git-pack.
const SECTION: &str = "gitpack";

/// The largest file that is searched for lines of git-pack.
const MAX_LINES: u64 = 1 << 20;

/// What remains.
#[derive(Debug)]
pub struct Leftovers {
    /// What the clone keeps in its git directory, and its size in bytes.
    pub state: Option<(PathBuf, u64)>,
    /// The runs whose commits a ref keeps.
    pub runs: Vec<RunId>,
    /// The keys of the clone's own git configuration.
    pub settings: Vec<String>,
    /// What is in the work tree.
    pub files: Vec<&'static str>,
    /// The files at the top of the work tree that have lines of git-pack.
    pub lines: Vec<&'static str>,
    /// Number of tracked sealed twins.
    pub twins: usize,
    /// Whether packs were pushed from this clone. They stay at their places.
    pub has_published: bool,
    /// The key that authenticates what all clones of the user remember.
    pub memory_key: Option<PathBuf>,
    /// The identity files. They are never removed.
    pub identities: Vec<PathBuf>,
    /// The witness ledger, which other repositories share.
    pub ledger: Option<PathBuf>,
}

impl Leftovers {
    /// Returns whether there is something that [`purge`] removes.
    pub fn has_own(&self) -> bool {
        self.state.is_some() || !self.runs.is_empty() || !self.settings.is_empty()
    }
}

/// Returns what remains of git-pack.
pub fn leftovers(ctx: &Context) -> Result<Leftovers> {
    let repo = ctx.repository()?;
    let own = repo.private().directory().to_owned();
    let size = || -> u64 {
        let walked = files::walk(&own, |_| true).into_iter();
        let sizes = walked.filter_map(|(path, _)| files::regular_size(&own, path_below(&path).to_str()?));
        sizes.sum()
    };
    let in_tree = |root: PathBuf| -> Vec<&str> {
        let names = [FILE_NAME, OUTPUT_DIRECTORY].into_iter();
        names.filter(|name| files::exists(&root.join(name))).collect()
    };
    Ok(Leftovers {
        state: files::exists(&own).then(|| (own.clone(), size())),
        runs: repo.runs_with_refs()?,
        settings: repo.settings_of(SECTION)?,
        files: repo.work_tree().map(in_tree).unwrap_or_default(),
        lines: lines(&repo)?,
        twins: twins(&repo)?.len(),
        has_published: repo.private().publications().has_any(),
        memory_key: ctx
            .surroundings
            .memory
            .file()
            .filter(|key| files::exists(key))
            .map(Path::to_owned),
        identities: identities(ctx, &repo)?,
        ledger: ctx.ledger.clone().filter(|ledger| files::exists(ledger)),
    })
}

/// Removes what git-pack keeps in the clone: its directory, the refs of runs, and its settings. Leaves what is in the work
/// tree and outside of the clone, and every identity. Returns what was there.
pub fn purge(ctx: &Context) -> Result<Leftovers> {
    let found = leftovers(ctx)?;
    let repo = ctx.repository()?;
    if found.state.is_some() {
        let store = repo.private().store();
        let _nobody_stores = store.lock(Hold::Exclusive)?;
        repo.release_commits(&found.runs)?;
        repo.private().remove(&found.identities)?;
    } else {
        repo.release_commits(&found.runs)?;
    }
    if !found.settings.is_empty() {
        repo.remove_settings_of(SECTION)?;
    }
    Ok(found)
}

/// Returns the tracked sealed twins.
fn twins(repo: &Repository) -> Result<Vec<RepoPath>> {
    if repo.work_tree().is_none() {
        return Ok(Vec::new());
    }
    let tracked = repo.tracked_paths()?.into_iter();
    Ok(tracked.filter(|path| plain_of(path.as_bytes()).is_some()).collect())
}

/// Returns the files at the top of the work tree that have lines of git-pack.
fn lines(repo: &Repository) -> Result<Vec<&'static str>> {
    let Some(root) = repo.work_tree() else {
        return Ok(Vec::new());
    };
    let twins = twins(repo)?;
    let plain = twins.iter().filter_map(|twin| ignore_line(plain_of(twin.as_bytes())?));
    let ignored: BTreeSet<Vec<u8>> = plain.chain([OUTPUTS_IGNORED.to_owned()]).collect();
    let has = |name: &str, is_ours: &dyn Fn(&[u8]) -> bool| {
        let text = files::read_optional(&root.join(name), MAX_LINES).ok().flatten();
        text.is_some_and(|text| {
            text.split(|byte| *byte == b'\n')
                .any(|line| is_ours(line.trim_ascii_end()))
        })
    };
    let found = [
        (".gitignore", has(".gitignore", &|line| ignored.contains(line))),
        (".gitattributes", has(".gitattributes", &is_attribute_line)),
    ];
    Ok(found
        .into_iter()
        .filter(|(_, has)| *has)
        .map(|(name, _)| name)
        .collect())
}

/// Returns the identity files that are there, wherever they were named.
fn identities(ctx: &Context, repo: &Repository) -> Result<Vec<PathBuf>> {
    let places = match identity::places(ctx, Some(repo)) {
        Err(Refusal::Usage(_)) => return Ok(Vec::new()),
        other => other?,
    };
    let named = places.into_iter().filter_map(|(_, path)| path);
    let there = named.filter(|path| files::exists(path));
    Ok(there.map(|path| files::canonical(&path).unwrap_or(path)).collect())
}
