//! What the named artifacts have on disk, and a pack does not keep: executable bits and empty directories.

use std::collections::BTreeSet;
use std::path::Path;

use crate::adapters::files;
use crate::ops::pack::seal::SealNotice;
use crate::refusal::unsupported::{Unkept, Unsupported};
use crate::refusal::{Refusal, Result};

/// The paths of what is not kept, by kind.
#[derive(Default)]
pub(super) struct UnkeptPaths {
    executable: BTreeSet<String>,
    empty: BTreeSet<String>,
}

impl UnkeptPaths {
    /// Looks at a file on disk.
    pub(super) fn look_at(&mut self, file: &Path, shown: impl FnOnce() -> String) -> Result<()> {
        if files::permission_bits(file)? & 0o111 != 0 {
            self.executable(shown());
        }
        Ok(())
    }

    /// Adds a file with an executable bit.
    pub(super) fn executable(&mut self, path: String) {
        self.executable.insert(path);
    }

    /// Adds a directory with nothing in it.
    pub(super) fn empty_directory(&mut self, path: String) {
        self.empty.insert(path);
    }

    /// Returns a notice for each kind. Refuses instead if `strict` is true.
    pub(super) fn notices(self, strict: bool) -> Result<Vec<SealNotice>> {
        let mut notices = Vec::new();
        for (what, paths) in [
            (Unkept::ExecutableBit, self.executable),
            (Unkept::EmptyDirectory, self.empty),
        ] {
            if paths.is_empty() {
                continue;
            }
            let paths = paths.into_iter().collect();
            if strict {
                return Err(Refusal::Unsupported(Unsupported::NotKept { what, paths }));
            }
            notices.push(SealNotice::NotKept { what, paths });
        }
        Ok(notices)
    }
}
