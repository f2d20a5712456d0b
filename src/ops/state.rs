//! `git pack state`: the digest of the content of a commit's tree.

use std::collections::BTreeSet;

use crate::adapters::clone::digests::DigestCache;
use crate::adapters::git::{Commit, Repository};
use crate::format::digest::Digest;
use crate::format::dump::layout::Layout;
use crate::format::object_id::ObjectId;
use crate::format::only::Only;
use crate::format::repo_state::{
    Counts, EntryKind, GRAMMAR_VERSION, Mode, StateEntry, StateReport, TreeEntry, canon_version, manifest_digest,
};
use crate::format::state_lines::{EntryLines, LineChange};
use crate::ops::Context;
use crate::ops::configuration::{self, Loaded};
use crate::ops::protection::retain_plain;
use crate::refusal::config::ConfigFault;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::commit::SealedFile;
use crate::rules::protect::Registry;
use crate::rules::scope::{Narrowing, Selection};

/// The state to compute.
#[derive(Clone, Debug, Default)]
pub struct StateRequest {
    /// The revision; none means `HEAD`.
    pub rev: Option<String>,
    /// The scope; none means the default one.
    pub scope: Option<String>,
    /// Globs that narrow the scope.
    pub only: Option<Only>,
    /// Leaves out what a pack of this mode seals.
    pub mode: Option<Mode>,
    /// Whether to neither read nor write the digest cache.
    pub no_cache: bool,
}

/// A commit's state.
pub struct State {
    /// The commit.
    pub commit: Commit,
    /// The scope's key.
    pub scope: String,
    /// The scope's title.
    pub title: String,
    /// How packs of the scope are laid out.
    pub layout: Layout,
    /// The globs of the scope: included and excluded.
    pub globs: [Vec<String>; 2],
    /// The mode whose sealed entries were left out.
    pub mode: Option<Mode>,
    /// Globs that narrow the scope.
    pub only: Option<Only>,
    /// The canon version in the commit.
    pub canon_version: String,
    /// The commit's protected registry, as a document.
    pub registry: Vec<u8>,
    /// The entries that were left out because a pack of that mode seals them.
    pub sealed: Vec<SealedFile>,
    /// The entries covered, sorted bytewise by path.
    pub entries: Vec<StateEntry>,
}

impl State {
    /// Returns the manifest digest.
    pub fn digest(&self) -> Digest {
        manifest_digest(&self.entries)
    }

    /// Returns the report that `--json` prints.
    pub fn report(&self) -> StateReport {
        StateReport {
            version: "pack.state.v0",
            digest: self.digest(),
            scope: self.scope.clone(),
            mode: self.mode,
            only: self.only.clone(),
            commit: self.commit.id,
            tree: self.commit.tree,
            canon_version: self.canon_version.clone(),
            grammar_version: GRAMMAR_VERSION,
            entries: self.entries.len() as u64,
            counts: Counts::of(&self.entries),
            bytes: self.entries.iter().map(|entry| entry.size).sum(),
        }
    }
}

/// The digest of a commit's state.
pub struct StateDigest {
    /// The commit.
    pub commit: ObjectId,
    /// The manifest digest.
    pub digest: Digest,
}

/// Computes the state digest of a commit of the repository at the context's directory.
///
/// What the clone remembers of this tree or of a similar one is used, unless the request forbids it.
pub fn state_digest(ctx: &Context, request: &StateRequest) -> Result<StateDigest> {
    let repo = ctx.repository_to_read()?;
    if request.no_cache || request.mode.is_some() {
        let state = state_in(&repo, request)?;
        return Ok(StateDigest {
            commit: state.commit.id,
            digest: state.digest(),
        });
    }
    let commit = repo.commit(request.rev.as_deref().unwrap_or("HEAD"))?;
    let loaded = configuration::in_commit(&repo, &commit)?;
    let selection = loaded.scope(request.scope.as_deref())?;
    let registry = loaded.registry()?;
    let narrowing = request.only.as_ref().map(filter).transpose()?;
    canon(&repo, &commit, &loaded)?;
    let covers = |path: &[u8]| selection.contains(path) && narrowing.as_ref().is_none_or(|only| only.contains(path));
    let settings = settings_of(&selection, request.only.as_ref());
    let subject = Digest::of(&[settings.as_bytes(), commit.tree.as_bytes()].concat());
    let states = repo.private().states();
    let id = commit.id;
    let answer = |digest| StateDigest { commit: id, digest };
    if let Some(digest) = states.digest(&subject) {
        return Ok(answer(digest));
    }
    let digest = match similar(&repo, &commit, &registry, &settings, &covers) {
        Some(digest) => digest,
        None => {
            // Of this very commit: the branch may have moved meanwhile.
            let state = state_of(&repo, commit, loaded, request)?;
            states.keep_lines(&settings, state.commit.tree, EntryLines::of(&state.entries));
            state.digest()
        }
    };
    states.keep_digest(&subject, &digest);
    Ok(answer(digest))
}

/// Returns what stands for everything, besides the tree, that lines depend on.
fn settings_of(selection: &Selection, only: Option<&Only>) -> Digest {
    let settings = (env!("CARGO_PKG_VERSION"), GRAMMAR_VERSION, &selection.globs, only);
    let is_whole = selection.is_whole();
    Digest::of(&serde_json::to_vec(&(settings, is_whole)).expect("texts and lists of them are JSON"))
}

/// The most changes for which remembered lines are used, and how many make it worth to remember the new ones.
const MANY: usize = 20_000;
const WORTH: usize = 1_000;

/// Computes the digest of a tree from the remembered lines of a similar one. Returns `None` if no lines are remembered, or if
/// something fails. The caller then reads the whole tree, and tells what is wrong with it.
fn similar(
    repo: &Repository,
    commit: &Commit,
    registry: &Registry,
    settings: &Digest,
    covers: &dyn Fn(&[u8]) -> bool,
) -> Option<Digest> {
    let states = repo.private().states();
    let lines = states.lines(settings)?;
    let mut changes = repo.tree_changes(&commit.tree, lines.tree(), MANY).ok().flatten()?;
    changes.introduced.retain(|entry| covers(entry.path.as_bytes()));
    let count = changes.introduced.len() + changes.deleted.len();
    let off = DigestCache::off();
    let cache = match are_little(repo, &changes.introduced) {
        true => &off,
        false => repo.private().digests(),
    };
    let entries = hash(repo, registry, changes.introduced, cache).ok()?;
    let deleted = changes.deleted.iter().map(|path| (path.as_bytes().to_vec(), None));
    let introduced = entries
        .into_iter()
        .map(|entry| (entry.entry.path.as_bytes().to_vec(), Some(entry)));
    let changes: Vec<LineChange> = deleted.chain(introduced).collect();
    if count > WORTH {
        let lines = states.lines(settings).filter(|same| same.tree() == lines.tree())?;
        states.keep_lines(settings, commit.tree, lines.changed(changes.clone()));
    }
    lines.changed(changes).digest()
}

/// Returns whether hashing these blobs takes less time than reading what is remembered of all blobs.
fn are_little(repo: &Repository, entries: &[TreeEntry]) -> bool {
    const FEW: usize = 64;
    const BYTES: u64 = 1 << 20;
    let blobs = entries.iter().filter(|entry| entry.kind != EntryKind::Submodule);
    let sizes = || blobs.map(|entry| repo.blob_size(&entry.id).unwrap_or(u64::MAX));
    entries.len() <= FEW && sizes().fold(0, u64::saturating_add) <= BYTES
}

/// Computes the state of a commit of the repository at the context's directory.
pub fn state(ctx: &Context, request: &StateRequest) -> Result<State> {
    state_in(&ctx.repository_to_read()?, request)
}

/// Computes the state of a commit of a repository.
pub fn state_in(repo: &Repository, request: &StateRequest) -> Result<State> {
    let commit = repo.commit(request.rev.as_deref().unwrap_or("HEAD"))?;
    let loaded = configuration::in_commit(repo, &commit)?;
    state_of(repo, commit, loaded, request)
}

/// Computes the state of this commit, whatever the request names. `loaded` is its configuration.
fn state_of(repo: &Repository, commit: Commit, loaded: Loaded, request: &StateRequest) -> Result<State> {
    let selection = loaded.scope(request.scope.as_deref())?;
    let mut entries = select(repo, &commit, &selection)?;
    let registry = loaded.registry()?;
    let mut sealed = match request.mode {
        Some(mode) => retain_plain(repo, &registry, &mut entries, mode)?,
        None => Vec::new(),
    };
    if let Some(only) = &request.only {
        let filter = filter(only)?;
        entries.retain(|entry| filter.contains(entry.path.as_bytes()));
        sealed.retain(|file| filter.contains(file.path.as_bytes()));
    }
    let off = DigestCache::off();
    let cache = match request.no_cache {
        true => &off,
        false => repo.private().digests(),
    };
    Ok(State {
        canon_version: canon(repo, &commit, &loaded)?,
        entries: hash(repo, &registry, entries, cache)?,
        registry: registry.to_document(),
        sealed,
        scope: selection.key,
        title: selection.title,
        layout: selection.layout,
        globs: selection.globs,
        mode: request.mode,
        only: request.only.clone(),
        commit,
    })
}

/// Compiles the globs that narrow a scope for one pack.
pub fn filter(only: &Only) -> Result<Narrowing> {
    Narrowing::of(only).map_err(|bad| Refusal::Usage(Misuse::BadFilter { problem: bad.reason }))
}

/// Returns the entries of a commit that are in a scope.
pub fn select(repo: &Repository, commit: &Commit, selection: &Selection) -> Result<Vec<TreeEntry>> {
    let mut entries = repo.tree_entries(&commit.tree)?;
    entries.retain(|entry| selection.contains(entry.path.as_bytes()));
    Ok(entries)
}

/// The largest file that a canon version is read from.
const MAX_CANON: u64 = 1 << 20;

/// Returns the canon version in a commit, from the file that its configuration names.
pub fn canon(repo: &Repository, commit: &Commit, loaded: &Loaded) -> Result<String> {
    let Some(path) = &loaded.config.canon_version_file else {
        return Ok(canon_version(b""));
    };
    match repo.file_in_tree(&commit.tree, path, MAX_CANON) {
        Ok(text) => Ok(canon_version(&text.unwrap_or_default())),
        Err(Refusal::NotRegular { kind, .. }) => Err(Refusal::BadConfig {
            origin: loaded.origin.clone(),
            line: None,
            fault: ConfigFault::CanonNotRegular {
                path: path.to_string(),
                kind,
            },
        }),
        Err(other) => Err(other),
    }
}

/// Adds digest and size to each entry: from the cache if it has them, else from the object database.
pub fn hash(
    repo: &Repository,
    registry: &Registry,
    entries: Vec<TreeEntry>,
    cache: &DigestCache,
) -> Result<Vec<StateEntry>> {
    let parts = entries
        .iter()
        .map(|entry| (entry.path.as_bytes(), entry.kind, &entry.id));
    let hashed = digests(repo, registry, parts, cache)?;
    let entries = entries.into_iter().zip(hashed);
    Ok(entries
        .map(|(entry, (hash, size))| StateEntry { entry, hash, size })
        .collect())
}

/// Returns digest and size of each entry in the same way. An entry is its path, its kind, and its id.
pub fn digests<'a>(
    repo: &Repository,
    registry: &Registry,
    entries: impl Iterator<Item = (&'a [u8], EntryKind, &'a ObjectId)> + Clone,
    cache: &DigestCache,
) -> Result<Vec<(Digest, u64)>> {
    let mut known = cache.get_all(entries.clone().map(|(_, _, id)| id));
    for ((_, kind, id), known) in entries.clone().zip(&mut known) {
        if kind == EntryKind::Submodule {
            let content = id.hex();
            *known = Some((Digest::of(content.as_bytes()), content.len() as u64));
        }
    }
    let unknown = entries.clone().zip(&known).filter(|(_, known)| known.is_none());
    let unknown = unknown.map(|(entry, _)| entry);
    let mut ids: Vec<ObjectId> = unknown.clone().map(|(_, _, id)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    let hashed: Vec<(ObjectId, Digest, u64)> = repo
        .hash_blobs(&ids)?
        .into_iter()
        .zip(&ids)
        .map(|((hash, size), id)| (*id, hash, size))
        .collect();
    drop(ids);
    let protected: BTreeSet<ObjectId> = unknown
        .filter(|(path, ..)| registry.judge(path).is_some())
        .map(|(_, _, id)| *id)
        .collect();
    cache.keep(&hashed, |id| protected.contains(id));
    let look_up = |id: &ObjectId| {
        let at = hashed.binary_search_by_key(id, |record| record.0);
        let record = &hashed[at.expect("every blob that the cache does not know was hashed")];
        (record.1, record.2)
    };
    let known = known.into_iter().zip(entries);
    Ok(known
        .map(|(known, (_, _, id))| known.unwrap_or_else(|| look_up(id)))
        .collect())
}
