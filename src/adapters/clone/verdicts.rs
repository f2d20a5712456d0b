//! The verdict log of a clone on disk: one file for each registry, appended to under a lock.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::adapters::clone::Memory;
use crate::adapters::files::{self, Durability, create_private_dir};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::verdict_log::VerdictLog;

/// The largest log to read, in bytes: some ten million ids.
const MAX_BYTES: u64 = 256 << 20;

/// Most logs kept; the least recently written are removed. A clone uses few registries at a time.
const MAX_LOGS: usize = 8;

/// Most trees noted for one registry.
const MAX_TREES: usize = 16;

/// The log for one registry.
pub struct Verdicts {
    path: PathBuf,
    purpose: String,
    memory: Memory,
}

impl Verdicts {
    /// Names the log for `key`. Reads and creates nothing yet.
    pub(super) fn of(own: &Path, key: Digest, memory: Memory) -> Self {
        Self {
            path: own.join("verdicts").join(key.hex()),
            purpose: format!("verdicts {key}"),
            memory,
        }
    }

    /// Reads the log. One that is damaged, or not authenticated by the user's key, is removed and counts as empty.
    pub fn load(&self) -> VerdictLog {
        let (Some(key), Ok(Some(bytes))) = (
            self.memory.to_read(&self.purpose),
            files::read_optional(&self.path, MAX_BYTES),
        ) else {
            return VerdictLog::default();
        };
        VerdictLog::parse(&key, &bytes).unwrap_or_else(|| {
            // If the removal fails, the next read drops the file again.
            drop(std::fs::remove_file(&self.path));
            VerdictLog::default()
        })
    }

    /// Returns whether a tree is among the last few that were judged clean.
    pub fn knows_tree(&self, tree: &ObjectId) -> bool {
        self.trees().contains(tree)
    }

    /// Notes a tree that was judged clean, and keeps the last few others: each branch in use has its own.
    pub fn add_tree(&self, tree: &ObjectId) {
        let mut trees = self.trees();
        let Some(key) = self.memory.to_write(&self.purpose) else {
            return;
        };
        if trees.contains(tree) || create_private_dir(files::parent(&self.path)).is_err() {
            return;
        }
        trees.retain(|other| other != tree);
        trees.insert(0, *tree);
        trees.truncate(MAX_TREES);
        let bytes = VerdictLog::chunk(&key, &trees, &[]);
        drop(files::write_own(
            &self.tree_path(),
            &mut &bytes[..],
            Durability::Disposable,
        ));
    }

    fn trees(&self) -> Vec<ObjectId> {
        let bytes = files::read_optional(&self.tree_path(), 1 << 16).ok().flatten();
        let key = self.memory.to_read(&self.purpose);
        let log = key.zip(bytes).and_then(|(key, bytes)| VerdictLog::parse(&key, &bytes));
        log.map(|log| log.commits.iter().collect()).unwrap_or_default()
    }

    fn tree_path(&self) -> PathBuf {
        self.path.with_extension("trees")
    }

    /// Adds commits and blobs that were judged clean. Ignores write errors: without the log, later runs are only
    /// slower.
    pub fn add(&self, commits: &[ObjectId], blobs: &[ObjectId]) {
        if commits.is_empty() && blobs.is_empty() {
            return;
        }
        let Some(key) = self.memory.to_write(&self.purpose) else {
            return;
        };
        let directory = files::parent(&self.path);
        if create_private_dir(directory).is_err() {
            return;
        }
        let is_new = !files::exists(&self.path);
        let Ok(mut file) = files::open_own(&self.path) else {
            return;
        };
        let chunk = VerdictLog::chunk(&key, commits, blobs);
        let written = file.lock().and_then(|()| file.write_all(&chunk));
        if written.is_ok() && is_new {
            prune(directory);
        }
    }
}

/// Removes the least recently written logs above [`MAX_LOGS`].
fn prune(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    let mut logs: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            if entry.path().extension().is_some() {
                return None;
            }
            Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    logs.sort();
    let surplus = logs.len().saturating_sub(MAX_LOGS);
    for (_, path) in logs.into_iter().take(surplus) {
        drop(std::fs::remove_file(path.with_extension("trees")));
        drop(std::fs::remove_file(path));
    }
}
