//! Configurations: the one on disk, those in commits and in the index, and the registry that some of them make.

use std::path::Path;

use crate::adapters::files;
use crate::adapters::git::index::Index;
use crate::adapters::git::{Commit, Repository};
use crate::format::config::{Config, ConfigError, FILE_NAME};
use crate::format::refusal::{Refusal, Result, io_reason};
use crate::format::repo_state::EntryKind;
use crate::rules::protect::Registry;
use crate::rules::scope::{BadScope, Selection};

/// The largest configuration that is read.
pub const MAX_BYTES: u64 = 1 << 20;

/// A configuration and where it comes from, for messages.
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file, with the revision it stands in.
    pub origin: String,
    /// The bytes it was parsed from; none if there is no file.
    pub bytes: Option<Vec<u8>>,
    /// The file that it names for recipients; none if it names none, or it cannot be read from where this comes.
    pub listed: Option<Listed>,
}

/// A recipients file that a configuration names.
pub struct Listed {
    /// The file, with the revision it stands in.
    pub origin: String,
    /// Its bytes, or why there are none; it is only missed where somebody is sealed to.
    pub bytes: Result<Vec<u8>, String>,
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
            listed: None,
        };
        // A rule that cannot be compiled is reported here, where its file is known.
        loaded.registry()?;
        Ok(loaded)
    }

    /// Returns what holds where there is no configuration at all.
    pub fn none() -> Self {
        Self {
            config: Config::default(),
            origin: FILE_NAME.into(),
            bytes: None,
            listed: None,
        }
    }

    /// Reads the file that the configuration names for recipients, if it does.
    fn with_listed(mut self, revision: &str, read: impl FnOnce(&str) -> Result<Option<Vec<u8>>>) -> Self {
        self.listed = self.config.recipients_file.as_ref().map(|named| {
            let path = named.value.as_str();
            let bytes = match read(path) {
                Ok(Some(bytes)) if bytes.len() as u64 > MAX_BYTES => Err(format!("it has more than {MAX_BYTES} bytes")),
                Ok(Some(bytes)) => Ok(bytes),
                Ok(None) => Err("it is not there".to_owned()),
                Err(Refusal::Io { source, .. }) => Err(io_reason(&source)),
                Err(Refusal::NotRegular { kind, .. }) => Err(format!("expected a regular file, found {kind}")),
                Err(_) => Err("it cannot be read".to_owned()),
            };
            let origin = format!("{path}{revision}");
            Listed { origin, bytes }
        });
        self
    }

    /// Returns whether it names anybody to seal to.
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
            BadScope::Unknown(names) => Refusal::usage(format!(
                "there is no scope {:?} in {}; there is {}",
                key.unwrap_or_default(),
                self.origin,
                names.join(", ")
            )),
        })
    }
}

/// Blames a configuration's origin for an error in it.
pub fn bad(origin: &str, error: ConfigError) -> Refusal {
    Refusal::BadConfig {
        origin: origin.to_owned(),
        line: error.line,
        problem: error.problem,
    }
}

/// Returns the configuration in the work tree whose top is `root`.
pub fn on_disk(root: &Path) -> Result<Loaded> {
    let path = root.join(FILE_NAME);
    let bytes = match files::read_optional(&path, MAX_BYTES) {
        Err(Refusal::NotRegular { kind, .. }) => return Err(not_a_file(FILE_NAME, kind)),
        other => other?,
    };
    let loaded = Loaded::parse(bytes, FILE_NAME.into())?;
    Ok(loaded.with_listed("", |path| files::read_optional(&root.join(path), MAX_BYTES)))
}

/// Returns the configuration on disk or, in a bare repository, that of `HEAD`.
pub fn here(repo: &Repository) -> Result<Loaded> {
    match repo.work_tree() {
        Some(root) => on_disk(&root),
        None if repo.has_commit() => in_commit(repo, &repo.commit("HEAD")?),
        None => Ok(Loaded::none()),
    }
}

/// Returns the configuration in a commit.
pub fn in_commit(repo: &Repository, commit: &Commit) -> Result<Loaded> {
    let revision = format!(" in {}", commit.id.short());
    let origin = format!("{FILE_NAME}{revision}");
    let bytes = match repo.file_in_tree(&commit.tree, FILE_NAME) {
        Err(Refusal::NotRegular { kind, .. }) => return Err(not_a_file(&origin, kind)),
        other => other?,
    };
    let loaded = Loaded::parse(bytes, origin)?;
    Ok(loaded.with_listed(&revision, |path| repo.file_in_tree(&commit.tree, path)))
}

/// Returns the configuration in a commit that a change builds on; a broken one counts as none, or the change that mends it
/// could never be made.
pub fn in_commit_or_none(repo: &Repository, commit: &Commit) -> Result<Loaded> {
    match in_commit(repo, commit) {
        Err(Refusal::BadConfig { origin, .. }) => Ok(Loaded {
            config: Config::default(),
            origin,
            bytes: None,
            listed: None,
        }),
        other => other,
    }
}

/// Returns the configuration in the index.
pub fn in_index(repo: &Repository, index: &Index<'_>) -> Result<Loaded> {
    let origin = format!("{FILE_NAME} in the index");
    let bytes = match index.at(FILE_NAME)? {
        None => None,
        Some(entry) if entry.path.as_bytes() != FILE_NAME.as_bytes() => {
            return Err(not_a_file(&origin, "a directory"));
        }
        Some(entry) => match entry.kind {
            EntryKind::Regular | EntryKind::Executable => Some(repo.blob(&entry.id)?),
            EntryKind::Symlink => return Err(not_a_file(&origin, "a symbolic link")),
            EntryKind::Submodule => return Err(not_a_file(&origin, "a submodule")),
        },
    };
    Loaded::parse(bytes, origin)
}

fn not_a_file(origin: &str, kind: &str) -> Refusal {
    Refusal::BadConfig {
        origin: origin.to_owned(),
        line: None,
        problem: format!("expected a regular file, found {kind}"),
    }
}

/// Returns the registry in which every one of `loaded` has its say.
pub fn registry(loaded: &[&Loaded]) -> Result<Registry> {
    let configs: Vec<&Config> = loaded.iter().map(|loaded| &loaded.config).collect();
    Registry::of(&configs).map_err(|e| bad(FILE_NAME, e))
}
