//! A record of packs on disk that were verified and whose files have not changed in size, time or inode since.

use std::path::{Path, PathBuf};

use crate::adapters::clone::Memory;
use crate::adapters::files::platform::change_print;
use crate::adapters::files::{self, Durability, Walked, create_private_dir, write_own};
use crate::format::digest::{Digest, Hasher};
use crate::format::path_bytes::path_below;

/// The record of one clone: a small file for each pack, named by the hash of its directory.
pub struct VerifiedPacks {
    directory: PathBuf,
    memory: Memory,
}

impl VerifiedPacks {
    /// Names the directory. It is created when something is first stored.
    pub(super) fn of(own: &Path, memory: Memory) -> Self {
        Self {
            directory: own.join("verified"),
            memory,
        }
    }

    /// Returns a digest of the metadata of a pack's files. `None` if the pack holds anything but readable regular
    /// files, or the system does not tell about every change.
    pub fn print(pack: &Path) -> Option<Digest> {
        let mut hasher = Hasher::default();
        hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
        for (path, walked) in files::walk(pack, |_| true) {
            if !matches!(walked, Walked::File) {
                return None;
            }
            let meta = std::fs::symlink_metadata(pack.join(path_below(&path))).ok()?;
            hasher.update(&(path.len() as u64).to_le_bytes());
            hasher.update(&path);
            for number in change_print(&meta)? {
                hasher.update(&number.to_le_bytes());
            }
        }
        Some(hasher.finish())
    }

    /// Returns whether the pack is unchanged since it was recorded as verified.
    pub fn knows(&self, pack: &Path) -> bool {
        let Some(key) = self.memory.to_read(&purpose(pack)) else {
            return false;
        };
        let kept = files::read_optional(&self.place(pack), 1 << 10).ok().flatten();
        kept.is_some_and(|code| Self::print(pack).is_some_and(|print| key.proves(print.as_bytes(), &code)))
    }

    /// Records that the pack was verified when its metadata had this digest. Ignores write errors: the pack is only
    /// verified again.
    pub fn keep(&self, pack: &Path, print: Option<Digest>) {
        let (Some(print), Some(key)) = (print, self.memory.to_write(&purpose(pack))) else {
            return;
        };
        if create_private_dir(&self.directory).is_ok() {
            let code = key.of(print.as_bytes());
            drop(write_own(&self.place(pack), &mut &code[..], Durability::Disposable));
        }
    }

    fn place(&self, pack: &Path) -> PathBuf {
        self.directory
            .join(Digest::of(pack.as_os_str().as_encoded_bytes()).hex())
    }
}

/// Returns the purpose of a record. It names the directory, so that a record copied for another pack is not accepted.
fn purpose(pack: &Path) -> String {
    format!("verified pack {}", Digest::of(pack.as_os_str().as_encoded_bytes()))
}
