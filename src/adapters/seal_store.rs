//! Receipts and ciphertexts of earlier sealings, private to the clone: what keeps a sealed artifact's bytes stable.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::adapters::files::{self, Durability, create_private_dir, open_regular, write_whole, write_whole_from};
use crate::format::canonical_json::{parse_strict_into, to_document};
use crate::format::digest::Hashing;
use crate::format::receipt::{Receipt, Subject, VERSION};
use crate::format::refusal::{Refusal, Result};

/// The store of one clone, shared by its worktrees.
pub struct SealStore {
    directory: PathBuf,
}

impl SealStore {
    /// Opens the store below a repository's common directory; nothing is created until something is put.
    pub fn of(common_dir: &Path) -> Self {
        Self {
            directory: common_dir.join("gitpack").join("seals"),
        }
    }

    /// Waits until no other process seals here, and keeps others waiting until the returned file is dropped: two that seal
    /// one artifact at once must come to one ciphertext.
    #[must_use = "the lock ends when this is dropped"]
    pub fn lock(&self) -> Result<File> {
        create_private_dir(&self.directory)?;
        let path = self.directory.join("lock");
        let file = File::create(&path).map_err(Refusal::io("opening", &path))?;
        file.lock().map_err(Refusal::io("locking", &path))?;
        Ok(file)
    }

    /// Returns the receipt of an earlier sealing of exactly this.
    ///
    /// A receipt that cannot be read or is not what its name says is `E_CORRUPT`: sealing anew without a word would change
    /// the id of a pack that should not have changed.
    pub fn find(&self, subject: &Subject) -> Result<Option<Receipt>> {
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

    /// Copies the ciphertext of `receipt` into `output`, checking that it is the one of the receipt.
    pub fn copy_into(&self, receipt: &Receipt, mut output: impl Write, target: &Path) -> Result<()> {
        let path = self.ciphertext_path(receipt);
        let opened = match open_regular(&path) {
            Err(Refusal::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(corrupt(&self.receipt_path(&receipt.subject)));
            }
            other => other?,
        };
        let mut reader = Hashing::new(&opened.file);
        let mut buffer = vec![0; 128 << 10];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => output.write_all(&buffer[..n]).map_err(Refusal::io("writing", target))?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Refusal::io("reading", &path)(e)),
            }
        }
        let (_, hash, bytes) = reader.finish();
        if (hash, bytes) != (receipt.sealed_hash, receipt.sealed_bytes) {
            return Err(corrupt(&self.receipt_path(&receipt.subject)));
        }
        Ok(())
    }

    /// Keeps the ciphertext at `sealed` under its receipt: first the ciphertext, then, when it stands, the receipt, in place
    /// of an earlier one.
    ///
    /// The ciphertext is not copied where a second name for it will do: whatever happens to it under the first is noticed
    /// when it is used.
    pub fn put(&self, receipt: &Receipt, sealed: &Path) -> Result<()> {
        let target = self.ciphertext_path(receipt);
        create_private_dir(files::parent(&target))?;
        let before = self.find(&receipt.subject).ok().flatten();
        let mut source = File::open(sealed).map_err(Refusal::io("reading", sealed))?;
        files::remove(&target)?;
        match std::fs::hard_link(sealed, &target) {
            Ok(()) => source.sync_all().map_err(Refusal::io("syncing", sealed))?,
            Err(_) => write_whole_from(&target, &mut source, 0o600, Durability::Durable)?,
        }
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

    fn receipt_path(&self, subject: &Subject) -> PathBuf {
        self.path(subject, "json")
    }

    /// Named after its content too, so that a new one does not have to take the place of an old one.
    fn ciphertext_path(&self, receipt: &Receipt) -> PathBuf {
        let sealed = &receipt.sealed_hash.hex()[..16];
        self.path(&receipt.subject, &format!("{sealed}.age"))
    }

    fn path(&self, subject: &Subject, extension: &str) -> PathBuf {
        let hex = subject.key().hex();
        self.directory
            .join(&hex[..2])
            .join(format!("{}.{extension}", &hex[2..]))
    }
}

fn corrupt(path: &Path) -> Refusal {
    let stem = path.with_extension("");
    Refusal::Corrupt {
        what: format!("{}: it is not the sealing that its receipt names", path.display()),
        remedy: format!(
            "rm {0}.*    (the artifact is then encrypted anew), or seal with --fresh",
            stem.display()
        ),
    }
}
