//! The user's key, which authenticates everything that git-pack remembers in a clone.
//!
//! The key lies outside of every clone. So an attacker who can write to a clone, or prepared it, cannot forge what is
//! remembered there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use zeroize::Zeroizing;

use crate::adapters::files::platform::is_private;
use crate::adapters::files::{self, create_private_dir, write_new_private};
use crate::adapters::random;
use crate::format::mac::{LENGTH, MacKey};

/// The user's key, read or generated when it is first needed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Memory {
    file: Option<PathBuf>,
    key: Arc<OnceLock<MacKey>>,
}

impl Memory {
    /// Names the key file below `state_home`, the user's `XDG_STATE_HOME`. Without it, nothing is remembered.
    pub fn of(state_home: Option<&Path>) -> Self {
        Self {
            file: state_home.map(|home| home.join("git-pack").join("memory.key")),
            key: Arc::default(),
        }
    }

    /// Returns a memory without a key: it accepts nothing stored and stores nothing.
    pub fn none() -> Self {
        Self::of(None)
    }

    /// Returns the place of the key file. `None` if nothing is remembered.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Returns the key to verify what was stored for `purpose`. `None` if there is no key, so nothing was stored.
    pub fn to_read(&self, purpose: &str) -> Option<MacKey> {
        self.key(read).map(|key| key.derive(purpose))
    }

    /// Returns the key to authenticate what is stored for `purpose`, and generates the user's key if it is missing.
    /// `None` if the key cannot be stored.
    pub fn to_write(&self, purpose: &str) -> Option<MacKey> {
        self.key(|file| read(file).or_else(|| make(file)))
            .map(|key| key.derive(purpose))
    }

    fn key(&self, get: impl FnOnce(&Path) -> Option<MacKey>) -> Option<MacKey> {
        if let Some(key) = self.key.get() {
            return Some(key.clone());
        }
        let key = get(self.file.as_deref()?)?;
        Some(self.key.get_or_init(|| key).clone())
    }
}

/// Reads the key. `None` unless the user owns the file and nobody else has access to it: a key that others know or
/// wrote proves nothing.
fn read(file: &Path) -> Option<MacKey> {
    let opened = files::open_regular(file).ok()?;
    let meta = opened.file.metadata().ok()?;
    if !is_private(&meta, file) {
        return None;
    }
    let bytes = Zeroizing::new(files::read(file, LENGTH as u64).ok()?);
    Some(MacKey::from_bytes(bytes.as_slice().try_into().ok()?))
}

/// Generates and stores a key, then reads it back. If another process was faster, its key stays and is the one read.
fn make(file: &Path) -> Option<MacKey> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    random::fill(bytes.as_mut_slice()).ok()?;
    create_private_dir(files::parent(file)).ok()?;
    write_new_private(file, bytes.as_slice()).ok()?;
    read(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::files::platform::{set_mode_at, symlink};

    #[test]
    fn a_key_is_made_when_something_is_kept_and_stays() {
        let temp = tempfile::tempdir().unwrap();
        let memory = || Memory::of(Some(temp.path()));
        assert!(memory().to_read("x").is_none());
        let code = memory().to_write("x").unwrap().of(b"content");
        assert!(memory().to_read("x").unwrap().proves(b"content", &code));
        assert!(!memory().to_read("y").unwrap().proves(b"content", &code));
        assert!(Memory::none().to_write("x").is_none());
    }

    #[test]
    #[cfg(unix)]
    fn a_key_that_others_can_read_is_not_used() {
        let temp = tempfile::tempdir().unwrap();
        let memory = || Memory::of(Some(temp.path()));
        memory().to_write("x").unwrap();
        let file = temp.path().join("git-pack/memory.key");
        set_mode_at(&file, 0o644).unwrap();
        assert!(memory().to_read("x").is_none() && memory().to_write("x").is_none());
        // A link is not followed, not even to a key that could be used.
        let elsewhere = file.with_extension("elsewhere");
        set_mode_at(&file, 0o600).unwrap();
        std::fs::rename(&file, &elsewhere).unwrap();
        symlink(&elsewhere, &file).unwrap();
        assert!(memory().to_read("x").is_none() && memory().to_write("x").is_none());
    }
}
