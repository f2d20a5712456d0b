//! `git pack agent migrate`: makes plaintexts and files of version 2 private files of version 3, in place.

mod find;
mod keys;
mod pair;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::adapters::cipher::{Identities, Recipients};
use crate::adapters::{files, workers};
use crate::format::agent::old::OldKey;
use crate::format::path_bytes::bytes_of_path;
use crate::format::repo_path::RepoPath;
use crate::ops::Context;
use crate::ops::agent::private::{NamedRecipients, identities_at_hand, recipients_for, repository_around};
use crate::ops::agent::top;
use crate::refusal::Result;
use crate::refusal::private_file::LeftReason;

use find::FoundPlace;

/// How many directories are migrated before their lines are told. Many wait for the disk at once.
const BATCH: usize = 64;

/// What to migrate.
#[derive(Clone, Debug, Default)]
pub struct MigrateRequest {
    /// A store, its directory of agents, or something below; if none, the store here.
    pub directory: Option<PathBuf>,
    /// Files with keys of version 2. Without one, all keystreams are tried.
    pub keys: Vec<PathBuf>,
    /// Who can open the new files.
    pub recipients: NamedRecipients,
    /// Identity files instead of the one in force, to compare with.
    pub identities: Vec<PathBuf>,
    /// Only tell what would be done.
    pub dry_run: bool,
}

/// What is done with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MigrationDeed {
    /// Its content is encrypted in it now.
    Encrypted,
    /// It was a plaintext, and is gone.
    Removed,
    /// It was left alone.
    Left(LeftReason),
}

/// A file, and what is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigratedFile {
    /// Its path.
    pub path: PathBuf,
    /// What is done with it.
    pub deed: MigrationDeed,
}

impl MigratedFile {
    fn left(path: &Path, why: LeftReason) -> Self {
        Self {
            path: path.to_owned(),
            deed: MigrationDeed::Left(why),
        }
    }
}

/// The outcome.
#[derive(Clone, Debug, Default)]
pub struct MigrateReport {
    /// How many files were encrypted.
    pub encrypted: u64,
    /// How many plaintexts were removed.
    pub removed: u64,
    /// How many files were left.
    pub left: u64,
    /// How many of the old files git tracks, so that its history keeps what they held.
    pub tracked: u64,
    /// The number of recipients.
    pub recipients: usize,
}

/// What all workers use.
struct Migration {
    recipients: Recipients,
    identities: Identities,
    unattended: Identities,
    keys: Vec<OldKey>,
    dry_run: bool,
}

/// Migrates every private file of an old format, and tells each that it changes or leaves.
pub fn migrate(ctx: &Context, request: &MigrateRequest, mut tell: impl FnMut(&MigratedFile)) -> Result<MigrateReport> {
    let directory = top(ctx, request.directory.as_deref())?;
    let root = find::root_of(&directory)?;
    let identities = identities_at_hand(ctx, &request.identities)?;
    let migration = Migration {
        recipients: recipients_for(ctx, &request.recipients, &root, &directory)?,
        unattended: identities.unattended(),
        identities,
        keys: keys::read(ctx, &request.keys)?,
        dry_run: request.dry_run,
    };
    let tracked = Tracked::around(ctx, &root)?;
    let mut report = MigrateReport {
        recipients: migration.recipients.names().len(),
        ..MigrateReport::default()
    };
    for batch in find::places(&root)?.chunks(BATCH) {
        let done = workers::map_on(
            workers::TRANSFERS,
            batch,
            || Ok(()),
            |(), place| -> Result<_> {
                Ok(match place {
                    FoundPlace::Information(directory) => pair::migrate(&migration, directory),
                    FoundPlace::Unfit(path, why) => vec![MigratedFile::left(path, why.clone())],
                })
            },
        )?;
        for file in done.iter().flatten() {
            report.count(file, &tracked);
            tell(file);
        }
    }
    Ok(report)
}

impl MigrateReport {
    fn count(&mut self, file: &MigratedFile, tracked: &Tracked) {
        match file.deed {
            MigrationDeed::Encrypted => self.encrypted += 1,
            MigrationDeed::Removed => self.removed += 1,
            MigrationDeed::Left(_) => self.left += 1,
        }
        if !matches!(file.deed, MigrationDeed::Left(_)) && tracked.has(&file.path) {
            self.tracked += 1;
        }
    }
}

/// The paths that git tracks.
#[derive(Default)]
struct Tracked {
    root: PathBuf,
    paths: HashSet<RepoPath>,
}

impl Tracked {
    fn around(ctx: &Context, place: &Path) -> Result<Self> {
        let Some(repo) = repository_around(ctx, place)? else {
            return Ok(Self::default());
        };
        let Some(root) = repo.work_tree() else {
            return Ok(Self::default());
        };
        Ok(Self {
            root: files::canonical(&root)?,
            paths: repo.tracked_paths()?.into_iter().collect(),
        })
    }

    fn has(&self, path: &Path) -> bool {
        let below = path.strip_prefix(&self.root);
        below.is_ok_and(|below| self.paths.contains(&RepoPath::new(&bytes_of_path(below))))
    }
}
