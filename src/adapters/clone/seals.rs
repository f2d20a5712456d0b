//! Receipts and ciphertexts of earlier sealings, private to the clone. They keep the bytes of a sealed artifact stable.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::adapters::files::{self, Durability, create_private_dir, open_regular, write_whole};
use crate::format::canonical_json::{parse_strict_into, to_document};
use crate::format::digest::{Digest, Hashing};
use crate::format::path_bytes::path_below;
use crate::format::receipt::{Receipt, ReceiptSubject, VERSION};
use crate::refusal::corrupt::Corrupt;
use crate::refusal::{Refusal, Result};

/// The store of one clone, shared by its worktrees.
pub struct SealStore {
    directory: PathBuf,
}

/// Temporary files in the store. Nobody else writes there until this is dropped.
#[derive(Debug, Default)]
#[must_use = "the lock ends when this is dropped"]
pub struct UnfinishedSeals {
    /// Their paths.
    pub paths: Vec<PathBuf>,
    _lock: Option<File>,
}

impl SealStore {
    /// Names the store. It is created when something is first stored.
    pub(super) fn of(own: &Path) -> Self {
        Self {
            directory: own.join("seals"),
        }
    }

    /// Waits until no other process seals here, and blocks other processes until the returned file is dropped.
    ///
    /// Two processes that seal the same artifact at once must end up with the same ciphertext.
    #[must_use = "the lock ends when this is dropped"]
    pub fn lock(&self) -> Result<File> {
        create_private_dir(&self.directory)?;
        let path = self.directory.join("lock");
        let file = files::open_own(&path)?;
        file.lock().map_err(Refusal::io("locking", &path))?;
        Ok(file)
    }

    /// Returns the receipt of an earlier sealing of exactly this subject.
    ///
    /// A receipt that cannot be read, or is for another subject, is `E_CORRUPT`: sealing again silently would change
    /// the id of a pack that should not have changed.
    pub fn find(&self, subject: &ReceiptSubject) -> Result<Option<Receipt>> {
        let path = self.receipt_path(subject);
        let Some(bytes) = files::read_optional(&path, 1 << 20)? else {
            return Ok(None);
        };
        parse_strict_into::<Receipt>(&bytes)
            .ok()
            .filter(|receipt| receipt.version == VERSION && receipt.subject == *subject)
            .map(Some)
            .ok_or_else(|| corrupt(&path))
    }

    /// Copies the ciphertext of `receipt` into `output` and checks it against the receipt.
    pub fn copy_into(&self, receipt: &Receipt, mut output: impl Write, target: &Path) -> Result<()> {
        let path = self.ciphertext_path(receipt);
        let opened = match open_regular(&path) {
            Err(Refusal::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(corrupt(&self.receipt_path(&receipt.subject)));
            }
            other => other?,
        };
        let mut reader = Hashing::new(&opened.file);
        files::copy(&mut reader, &path, &mut output, target)?;
        let (_, hash, bytes) = reader.finish();
        if (hash, bytes) != (receipt.sealed_hash, receipt.sealed_bytes) {
            return Err(corrupt(&self.receipt_path(&receipt.subject)));
        }
        Ok(())
    }

    /// Stores the ciphertext at `sealed` with its receipt, and removes the ciphertext of an earlier one.
    ///
    /// Writes the ciphertext before the receipt, so that a receipt never lacks its ciphertext. The stored file is a
    /// copy: editing the pack's file in place must not change it.
    pub fn put(&self, receipt: &Receipt, sealed: &Path) -> Result<()> {
        let target = self.ciphertext_path(receipt);
        create_private_dir(files::parent(&target))?;
        let before = self.find(&receipt.subject).ok().flatten();
        files::clone_whole(sealed, &target, 0o600)?;
        write_whole(
            &self.receipt_path(&receipt.subject),
            &to_document(receipt),
            0o600,
            Durability::Durable,
        )?;
        match before.filter(|before| before.sealed_hash != receipt.sealed_hash) {
            Some(before) => files::remove(&self.ciphertext_path(&before)),
            None => Ok(()),
        }
    }

    /// Lists the temporary files that killed processes left. Lists none if another process seals here now.
    pub fn unfinished(&self) -> Result<UnfinishedSeals> {
        let path = self.directory.join("lock");
        let Ok(opened) = open_regular(&path) else {
            return Ok(UnfinishedSeals::default());
        };
        match opened.file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(UnfinishedSeals::default()),
            locked => locked.map_err(|e| Refusal::io("locking", &path)(e.into()))?,
        }
        let unfinished = files::walk(&self.directory, |_| true).into_iter().filter(|(path, _)| {
            let name = path.rsplit(|byte| *byte == b'/').next();
            name.is_some_and(|name| name.starts_with(files::TEMPORARY.as_bytes()))
        });
        let unfinished = unfinished.map(|(path, _)| self.directory.join(path_below(&path)));
        Ok(UnfinishedSeals {
            paths: unfinished.collect(),
            _lock: Some(opened.file),
        })
    }

    /// Returns the paths of all artifacts with a receipt. Skips receipts that cannot be read.
    pub fn artifacts(&self) -> Result<BTreeSet<String>> {
        let receipts = files::walk(&self.directory, |_| true).into_iter();
        let receipts = receipts.filter(|(path, _)| path.ends_with(b".json"));
        let paths = receipts.filter_map(|(path, _)| {
            let path = self.directory.join(path_below(&path));
            let bytes = files::read(&path, 1 << 20).ok()?;
            Some(parse_strict_into::<Receipt>(&bytes).ok()?.subject.path)
        });
        Ok(paths.collect())
    }

    /// Returns the number of stored ciphertexts whose hash is in `sealed`, and the directory of the store.
    pub fn holding(&self, sealed: &BTreeSet<Digest>) -> (usize, &Path) {
        let marks: BTreeSet<String> = sealed.iter().map(short_of).collect();
        let kept = files::walk(&self.directory, |_| true).into_iter().filter(|(path, _)| {
            // The name of a ciphertext contains the beginning of its hash.
            let name = std::str::from_utf8(path)
                .ok()
                .and_then(|path| path.strip_suffix(".age"));
            let mark = name.and_then(|name| name.rsplit('.').next());
            mark.is_some_and(|mark| marks.contains(mark))
        });
        (kept.count(), &self.directory)
    }

    fn receipt_path(&self, subject: &ReceiptSubject) -> PathBuf {
        self.path(subject, "json")
    }

    /// Returns the path of a ciphertext. It contains the hash, so that a new ciphertext never overwrites an old one.
    fn ciphertext_path(&self, receipt: &Receipt) -> PathBuf {
        let sealed = short_of(&receipt.sealed_hash);
        self.path(&receipt.subject, &format!("{sealed}.age"))
    }

    fn path(&self, subject: &ReceiptSubject, extension: &str) -> PathBuf {
        let hex = subject.key().hex();
        self.directory
            .join(&hex[..2])
            .join(format!("{}.{extension}", &hex[2..]))
    }
}

/// Returns the part of a ciphertext's hash that its file name contains.
fn short_of(sealed: &Digest) -> String {
    sealed.hex()[..16].to_owned()
}

fn corrupt(path: &Path) -> Refusal {
    Refusal::Corrupt(Corrupt::Sealing { path: path.to_owned() })
}
