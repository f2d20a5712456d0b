//! Recognises other repositories in the work tree. git does not list the files in them.

use std::path::Path;

use gix::discover::repository::Kind;

use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::format::path_bytes::bytes_of_path;

/// The largest `HEAD` that is read.
const MAX_HEAD: u64 = 1 << 16;

impl Repository {
    /// Returns whether git takes `directory` as the top of another repository.
    ///
    /// The library accepts a `HEAD` with any content, and git does not. Files that git lists must not go unseen, so the
    /// `HEAD` is checked besides.
    pub(super) fn is_another_at(&self, directory: &Path) -> bool {
        let dot_git = directory.join(".git");
        let is_directory = std::fs::metadata(&dot_git).is_ok_and(|meta| meta.is_dir());
        if is_directory && !has_head(&dot_git) {
            return false;
        }
        let has_head = match gix::discover::is_git(&dot_git) {
            Ok(
                Kind::WorkTree {
                    linked_git_dir: Some(git_dir),
                }
                | Kind::Submodule { git_dir },
            ) => has_head(&git_dir),
            Ok(_) => is_directory,
            Err(_) => false,
        };
        // With `core.worktree`, this repository's own directory may be in a directory of the work tree.
        has_head && files::canonical(&dot_git).ok() != files::canonical(self.shared.refs.git_dir()).ok()
    }
}

/// Returns whether git accepts the `HEAD` of a git directory.
fn has_head(git_dir: &Path) -> bool {
    let head = git_dir.join("HEAD");
    if let Ok(target) = std::fs::read_link(&head) {
        return bytes_of_path(&target).starts_with(b"refs/");
    }
    let Ok(bytes) = files::read(&head, MAX_HEAD) else {
        return false;
    };
    match bytes.strip_prefix(b"ref:") {
        Some(name) => name.trim_ascii_start().starts_with(b"refs/"),
        None => bytes.len() >= 40 && bytes[..40].iter().all(u8::is_ascii_hexdigit),
    }
}
