//! The notes of a clone about its remotes, on disk.

use std::path::{Path, PathBuf};

use crate::adapters::files::{self, Durability, create_private_dir};
use crate::format::refusal::Result;
use crate::format::remote_notes::RemoteNotes;

/// The largest file that is read: some hundred thousand refs.
const MAX_BYTES: u64 = 32 << 20;

/// Reads the notes below a repository's common directory. Without them, or with damaged ones, nothing is known.
pub fn load(common_dir: &Path) -> RemoteNotes {
    let bytes = files::read_optional(&place(common_dir), MAX_BYTES).ok().flatten();
    bytes.and_then(|bytes| RemoteNotes::parse(&bytes)).unwrap_or_default()
}

/// Writes the notes below a repository's common directory; refuses to write through a link.
pub fn save(common_dir: &Path, notes: &RemoteNotes) -> Result<()> {
    let place = place(common_dir);
    create_private_dir(files::parent(&place))?;
    if files::exists(&place) {
        files::open_regular(&place)?;
    }
    files::write_whole(&place, &notes.to_bytes(), 0o600, Durability::Disposable)
}

fn place(common_dir: &Path) -> PathBuf {
    common_dir.join("gitpack").join("remotes")
}
