//! The index: what is really staged, from the file that git names.

use gix::index::entry::{Flags, Mode};

use crate::adapters::git::tree::entry_kind;
use crate::adapters::git::{Repository, explain, from_gix};
use crate::format::object_id::ObjectId;
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_path::{RepoPath, shown};
use crate::format::repo_state::TreeEntry;

impl Repository {
    /// Returns every entry of the index that a commit would take, in the order of the index; `GIT_INDEX_FILE` is heeded.
    ///
    /// Entries that are only intended to be added are not part of a commit. The directories of a sparse index are
    /// replaced by what they hold.
    pub fn staged(&self) -> Result<Vec<TreeEntry>> {
        let repo = self.local();
        let index = repo.index_or_empty().map_err(|e| Refusal::Unsupported {
            what: format!("the index cannot be read: {}", explain(&e)),
            remedy: "git status    (git itself may say more)".into(),
        })?;
        let mut entries = Vec::with_capacity(index.entries().len());
        for entry in index.entries() {
            if entry.flags.contains(Flags::INTENT_TO_ADD) {
                continue;
            }
            let path = entry.path(&index);
            let id = from_gix(&entry.id);
            if entry.mode == Mode::DIR {
                self.expand(path, &id, &mut entries)?;
                continue;
            }
            let kind = entry
                .mode
                .to_tree_entry_mode()
                .and_then(|mode| entry_kind(mode.kind()))
                .ok_or_else(|| Refusal::Unsupported {
                    what: format!("the index has {} with mode {:?}", shown(path), entry.mode),
                    remedy: "git status    (git itself may say more)".into(),
                })?;
            entries.push(TreeEntry {
                path: RepoPath::new(path),
                kind,
                id,
            });
        }
        Ok(entries)
    }

    fn expand(&self, directory: &[u8], tree: &ObjectId, entries: &mut Vec<TreeEntry>) -> Result<()> {
        for mut entry in self.tree_entries(tree)? {
            let directory = directory.strip_suffix(b"/").unwrap_or(directory);
            entry.path = RepoPath::new(&[directory, b"/", entry.path.as_bytes()].concat());
            entries.push(entry);
        }
        Ok(())
    }
}
