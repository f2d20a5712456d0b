//! Configurations: the one on disk, those in commits and in the index, and the registries made of them.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use crate::adapters::files;
use crate::adapters::git::index::Index;
use crate::adapters::git::{Commit, Repository};
use crate::format::budget::{Bound, EACH_CONFIG};
use crate::format::config::{Config, ConfigError, FILE_NAME, Located, parse_allow_file};
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::repo_state::EntryKind;
use crate::refusal::config::ConfigFault;
use crate::refusal::shown::shown;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result, io_reason};
use crate::rules::protect::Registry;
use crate::rules::scope::{BadScope, Selection};
use crate::rules::similar::similar;

/// The largest configuration that is read, and the largest file with exceptions.
pub const MAX_BYTES: u64 = 1 << 20;

/// What is said about a link where a file is expected.
const LINK: &str = "a symbolic link";

/// A configuration and its origin, for messages.
#[derive(Clone)]
pub struct Loaded {
    /// The configuration, with the exceptions of the file that its `allow_file` names.
    pub config: Config,
    /// The file, with the revision that holds it.
    pub origin: String,
    /// The bytes that it was parsed from; none if there is no file.
    pub bytes: Option<Vec<u8>>,
    /// The bytes of its `allow_file`; none if it names none, or if that file is broken on an old side.
    pub allowed: Option<Vec<u8>>,
    /// The recipients file that it names; none if it names none, or if this origin does not read such files.
    pub listed: Option<RecipientsFile>,
}

/// A recipients file that a configuration names.
#[derive(Clone)]
pub struct RecipientsFile {
    /// The file, with the revision that holds it.
    pub origin: String,
    /// Its bytes, or why they are missing. That is an error only when something is sealed.
    pub bytes: Result<Vec<u8>, ConfigFault>,
}

impl Loaded {
    fn parse(bytes: Option<Vec<u8>>, origin: String) -> Result<Self> {
        let config = match &bytes {
            Some(bytes) => Config::parse(bytes).map_err(|e| bad(&origin, e))?,
            None => Config::default(),
        };
        let loaded = Self {
            config,
            origin,
            bytes,
            allowed: None,
            listed: None,
        };
        // Reports a rule that cannot be compiled while its file is known.
        loaded.registry()?;
        Ok(loaded)
    }

    /// Returns the configuration of a repository without one.
    pub fn none() -> Self {
        Self {
            config: Config::default(),
            origin: FILE_NAME.into(),
            bytes: None,
            allowed: None,
            listed: None,
        }
    }

    /// Adds the exceptions of the `allow_file`, if the configuration names one. An error changes nothing.
    ///
    /// `read` gets its path and its name with `revision`, and must read from where the configuration comes from: an
    /// exception counts only for the change that its file belongs to.
    fn allow_more(&mut self, revision: &str, read: impl FnOnce(&str, &str) -> Result<Option<Vec<u8>>>) -> Result<()> {
        let Some(named) = &self.config.allow_file else {
            return Ok(());
        };
        let origin = format!("{}{revision}", shown(named.value.as_str().as_bytes()));
        let bytes = match read(named.value.as_str(), &origin) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(self.bad_allow_file(named, ConfigFault::Missing)),
            Err(Refusal::NotRegular { kind, .. }) => {
                return Err(self.bad_allow_file(named, ConfigFault::NotRegular { kind }));
            }
            Err(other) => return Err(other),
        };
        let more = parse_allow_file(&bytes).map_err(|e| bad(&origin, e))?;
        self.config.allow.extend(more);
        self.allowed = Some(bytes);
        Ok(())
    }

    /// Makes the refusal for an `allow_file` that cannot be read. It names the line of the configuration.
    fn bad_allow_file(&self, named: &Located<MemberPath>, fault: ConfigFault) -> Refusal {
        Refusal::BadConfig {
            origin: self.origin.clone(),
            line: Some(named.line),
            fault: ConfigFault::AllowFile {
                path: named.value.as_str().to_owned(),
                fault: Box::new(fault),
            },
        }
    }

    /// Returns whether two configurations have the same text, exceptions in another file included.
    pub fn has_text_of(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.allowed == other.allowed
    }

    /// Returns whether two configurations say the same, exceptions and recipients in other files included.
    pub fn is_that_of(&self, other: &Self) -> bool {
        let listed = |loaded: &Self| loaded.listed.as_ref().and_then(|listed| listed.bytes.clone().ok());
        self.has_text_of(other) && listed(self) == listed(other)
    }

    /// Reads the recipients file, if the configuration names one.
    fn with_listed(mut self, revision: &str, read: impl FnOnce(&str) -> Result<Option<Vec<u8>>>) -> Self {
        self.listed = self.config.recipients_file.as_ref().map(|named| {
            let path = named.value.as_str();
            let bytes = match read(path) {
                Ok(Some(bytes)) if bytes.len() as u64 > MAX_BYTES => Err(ConfigFault::TooLong { allowed: MAX_BYTES }),
                Ok(Some(bytes)) => Ok(bytes),
                Ok(None) => Err(ConfigFault::Missing),
                Err(Refusal::Io { source, .. }) => Err(ConfigFault::Said(io_reason(&source))),
                Err(Refusal::NotRegular { kind, .. }) => Err(ConfigFault::NotRegular { kind }),
                Err(_) => Err(ConfigFault::Unreadable),
            };
            let origin = format!("{path}{revision}");
            RecipientsFile { origin, bytes }
        });
        self
    }

    /// Returns whether it names any recipients.
    pub fn names_recipients(&self) -> bool {
        !self.config.recipients.is_empty() || self.config.recipients_file.is_some()
    }

    /// Returns whether the file is there.
    pub fn is_present(&self) -> bool {
        self.bytes.is_some()
    }

    /// Returns the registry of this configuration alone.
    pub fn registry(&self) -> Result<Registry> {
        Registry::of(&[&self.config]).map_err(|e| bad(&self.origin, e))
    }

    /// Returns the scope `key`, or the default scope.
    pub fn scope(&self, key: Option<&str>) -> Result<Selection> {
        Selection::of(&self.config, key).map_err(|e| match e {
            BadScope::Config(e) => bad(&self.origin, e),
            BadScope::Unknown(known) => Refusal::Usage(Misuse::UnknownScope {
                scope: key.unwrap_or_default().to_owned(),
                origin: self.origin.clone(),
                similar: similar(key.unwrap_or_default(), known.iter().map(String::as_str)).map(str::to_owned),
                known,
            }),
        })
    }
}

/// Makes the refusal for an error in a configuration, with its origin.
pub fn bad(origin: &str, error: ConfigError) -> Refusal {
    Refusal::BadConfig {
        origin: origin.to_owned(),
        line: error.line,
        fault: ConfigFault::Said(error.problem),
    }
}

/// Returns the configuration in the work tree whose top is `root`.
pub fn on_disk(root: &Path) -> Result<Loaded> {
    let path = root.join(FILE_NAME);
    let bytes = match files::read_optional(&path, MAX_BYTES) {
        Err(Refusal::NotRegular { kind, .. }) => return Err(not_a_file(FILE_NAME, kind)),
        other => other?,
    };
    let mut loaded = Loaded::parse(bytes, FILE_NAME.into())?;
    loaded.allow_more("", |path, _| {
        match files::ensure_no_link(root, Path::new(path)) {
            Err(Refusal::ThroughLink { path, .. }) => return Err(Refusal::NotRegular { path, kind: LINK }),
            other => other?,
        }
        files::read_optional(&root.join(path), MAX_BYTES)
    })?;
    Ok(loaded.with_listed("", |path| files::read_optional(&root.join(path), MAX_BYTES)))
}

/// Returns the configuration on disk or, in a bare repository, that of `HEAD`.
pub fn here(repo: &Repository) -> Result<Loaded> {
    match repo.work_tree() {
        Some(root) => on_disk(&root),
        None if repo.has_commit()? => in_commit(repo, &repo.commit("HEAD")?),
        None => Ok(Loaded::none()),
    }
}

/// Returns the configuration in a commit.
pub fn in_commit(repo: &Repository, commit: &Commit) -> Result<Loaded> {
    let mut loaded = without_allow_file(repo, commit)?;
    allow_in_tree(repo, &mut loaded, &commit.tree, &commit.id)?;
    Ok(loaded)
}

/// Returns the configuration in a commit without the exceptions of its `allow_file`.
fn without_allow_file(repo: &Repository, commit: &Commit) -> Result<Loaded> {
    let origin = origin_in(&commit.id);
    let blob = blob_in(repo, &commit.tree, &origin)?;
    let loaded = of_blob(repo, origin, blob)?;
    let revision = revision_of(&commit.id);
    Ok(loaded.with_listed(&revision, |path| repo.file_in_tree(&commit.tree, path, MAX_BYTES)))
}

/// Adds the exceptions of the `allow_file` in a tree. `id` is the commit or the tree, for messages.
fn allow_in_tree(repo: &Repository, loaded: &mut Loaded, tree: &ObjectId, id: &ObjectId) -> Result<()> {
    loaded.allow_more(&revision_of(id), |path, origin| {
        let Some(blob) = repo.blob_in_tree(tree, path)? else {
            return Ok(None);
        };
        let bytes = repo.document(&blob, origin, MAX_BYTES)?;
        repo.spend(Bound::ConfigBytes, bytes.len() as u64 + EACH_CONFIG)?;
        Ok(Some(bytes))
    })
}

fn revision_of(id: &ObjectId) -> String {
    format!(" in {}", id.short())
}

/// Returns the blob of the configuration in a tree.
fn blob_in(repo: &Repository, tree: &ObjectId, origin: &str) -> Result<Option<ObjectId>> {
    match repo.blob_in_tree(tree, FILE_NAME) {
        Err(Refusal::NotRegular { kind, .. }) => Err(not_a_file(origin, kind)),
        other => other,
    }
}

fn of_blob(repo: &Repository, origin: String, blob: Option<ObjectId>) -> Result<Loaded> {
    let bytes = match blob {
        Some(id) => Some(repo.document(&id, &origin, MAX_BYTES)?),
        None => None,
    };
    let size = bytes.as_ref().map_or(0, Vec::len) as u64;
    repo.spend(Bound::ConfigBytes, size + EACH_CONFIG)?;
    Loaded::parse(bytes, origin)
}

/// Names the configuration in a commit or a tree.
fn origin_in(id: &ObjectId) -> String {
    format!("{FILE_NAME} in {}", id.short())
}

/// The configurations of commits. Each is read and compiled once, however many commits share it. Recipients files are
/// not read.
pub struct Rules<'a> {
    repo: &'a Repository,
    /// By the blob of the configuration: without the exceptions of its `allow_file`.
    read: RefCell<HashMap<Option<ObjectId>, Rc<Loaded>>>,
    /// By the blobs of the configuration and of its `allow_file`.
    with_file: RefCell<HashMap<[ObjectId; 2], Rc<Loaded>>>,
    broken: RefCell<HashSet<ObjectId>>,
}

impl<'a> Rules<'a> {
    /// Makes an empty cache.
    pub fn of(repo: &'a Repository) -> Self {
        Self {
            repo,
            read: RefCell::default(),
            with_file: RefCell::default(),
            broken: RefCell::default(),
        }
    }

    /// Returns the configuration in a commit.
    pub fn in_commit(&self, id: &ObjectId) -> Result<Rc<Loaded>> {
        let commit = self.repo.commit_of(id)?;
        let loaded = self.read(&commit.tree, &commit.id)?;
        self.with_allow_file(&loaded, &commit.tree, &commit.id)
    }

    /// Returns the configuration in a tree without a commit.
    pub fn in_tree(&self, tree: &ObjectId) -> Result<Rc<Loaded>> {
        let loaded = self.read(tree, tree)?;
        self.with_allow_file(&loaded, tree, tree)
    }

    /// Returns the configuration in a tree without the exceptions of its `allow_file`.
    fn read(&self, tree: &ObjectId, id: &ObjectId) -> Result<Rc<Loaded>> {
        let origin = origin_in(id);
        let blob = blob_in(self.repo, tree, &origin)?;
        if let Some(loaded) = self.read.borrow().get(&blob) {
            return Ok(Rc::clone(loaded));
        }
        let loaded = of_blob(self.repo, origin, blob);
        if let (Err(Refusal::BadConfig { .. }), Some(blob)) = (&loaded, blob) {
            self.broken.borrow_mut().insert(blob);
        }
        let loaded = Rc::new(loaded?);
        self.read.borrow_mut().insert(blob, Rc::clone(&loaded));
        Ok(loaded)
    }

    /// Returns the configuration with the exceptions of its `allow_file` in the same tree.
    fn with_allow_file(&self, loaded: &Rc<Loaded>, tree: &ObjectId, id: &ObjectId) -> Result<Rc<Loaded>> {
        let Some(named) = &loaded.config.allow_file else {
            return Ok(Rc::clone(loaded));
        };
        // Links and missing files are reported below.
        let file = self.repo.blob_in_tree(tree, named.value.as_str()).ok().flatten();
        let key = match (self.repo.blob_in_tree(tree, FILE_NAME), file) {
            (Ok(Some(config)), Some(file)) => Some([config, file]),
            _ => None,
        };
        if let Some(known) = key.and_then(|key| self.with_file.borrow().get(&key).map(Rc::clone)) {
            return Ok(known);
        }
        let mut loaded = Loaded {
            origin: origin_in(id),
            ..Loaded::clone(loaded)
        };
        allow_in_tree(self.repo, &mut loaded, tree, id)?;
        let loaded = Rc::new(loaded);
        if let Some(key) = key {
            self.with_file.borrow_mut().insert(key, Rc::clone(&loaded));
        }
        Ok(loaded)
    }

    /// Returns the configuration in a commit that a change builds on. A broken one counts as none; otherwise the change
    /// that repairs it could never be made. If only its `allow_file` is broken, the exceptions in that file do not count.
    pub fn in_commit_or_none(&self, id: &ObjectId) -> Result<Rc<Loaded>> {
        let commit = self.repo.commit_of(id)?;
        let none = |origin: String| {
            Rc::new(Loaded {
                origin,
                ..Loaded::none()
            })
        };
        if let Ok(Some(blob)) = self.repo.blob_in_tree(&commit.tree, FILE_NAME)
            && self.broken.borrow().contains(&blob)
        {
            return Ok(none(origin_in(&commit.id)));
        }
        let loaded = match self.read(&commit.tree, &commit.id) {
            Err(Refusal::BadConfig { origin, .. }) => return Ok(none(origin)),
            other => other?,
        };
        match self.with_allow_file(&loaded, &commit.tree, &commit.id) {
            Err(Refusal::BadConfig { .. }) => Ok(loaded),
            other => other,
        }
    }
}

/// Returns the configuration in a commit that a change builds on. A broken one counts as none; otherwise the change
/// that repairs it could never be made. If only its `allow_file` is broken, the exceptions in that file do not count.
pub fn in_commit_or_none(repo: &Repository, commit: &Commit) -> Result<Loaded> {
    let mut loaded = match without_allow_file(repo, commit) {
        Err(Refusal::BadConfig { origin, .. }) => {
            return Ok(Loaded {
                origin,
                ..Loaded::none()
            });
        }
        other => other?,
    };
    match allow_in_tree(repo, &mut loaded, &commit.tree, &commit.id) {
        Ok(()) | Err(Refusal::BadConfig { .. }) => Ok(loaded),
        Err(other) => Err(other),
    }
}

/// Returns the configuration in the index.
pub fn in_index(repo: &Repository, index: &Index<'_>) -> Result<Loaded> {
    let origin = format!("{FILE_NAME}{IN_INDEX}");
    let bytes = match file_in_index(repo, index, FILE_NAME, &origin) {
        Err(Refusal::NotRegular { kind, .. }) => return Err(not_a_file(&origin, kind)),
        other => other?,
    };
    let mut loaded = Loaded::parse(bytes, origin)?;
    loaded.allow_more(IN_INDEX, |path, origin| file_in_index(repo, index, path, origin))?;
    Ok(loaded)
}

/// What names the index in messages.
const IN_INDEX: &str = " in the index";

/// Returns the content of the regular file at `path` in the index. `None` if the path does not exist.
fn file_in_index(repo: &Repository, index: &Index<'_>, path: &str, origin: &str) -> Result<Option<Vec<u8>>> {
    let Some(entry) = index.at(path)? else {
        // A sparse index may have one entry for the directory of the file.
        let Some((tree, below)) = index.collapsed(path) else {
            return Ok(None);
        };
        let blob = repo.blob_in_tree(&tree, below)?;
        return blob.map(|blob| repo.document(&blob, origin, MAX_BYTES)).transpose();
    };
    let kind = match entry.kind {
        _ if entry.path.as_bytes() != path.as_bytes() => "a directory",
        EntryKind::Regular | EntryKind::Executable => return repo.document(&entry.id, origin, MAX_BYTES).map(Some),
        EntryKind::Symlink => LINK,
        EntryKind::Submodule => "a submodule",
    };
    Err(Refusal::NotRegular {
        path: path.into(),
        kind,
    })
}

fn not_a_file(origin: &str, kind: &'static str) -> Refusal {
    Refusal::BadConfig {
        origin: origin.to_owned(),
        line: None,
        fault: ConfigFault::NotRegular { kind },
    }
}

/// Returns the registry of all of `loaded` together.
pub fn registry(loaded: &[&Loaded]) -> Result<Registry> {
    let configs: Vec<&Config> = loaded.iter().map(|loaded| &loaded.config).collect();
    Registry::of(&configs).map_err(|e| bad(FILE_NAME, e))
}

/// Returns the registry of `registry` and `loaded` together. Rules that both share are not compiled again.
pub fn and(registry: Registry, loaded: Option<&Loaded>) -> Result<Registry> {
    let config: Vec<&Config> = loaded.iter().map(|loaded| &loaded.config).collect();
    registry.and(&config).map_err(|e| bad(FILE_NAME, e))
}
