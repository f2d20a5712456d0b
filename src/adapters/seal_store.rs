//! Receipts and ciphertexts of earlier sealings, private to the clone: what keeps a sealed artifact's bytes stable.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::adapters::files::{self, Durability, create_private_dir, open_regular, write_whole, write_whole_from};
use crate::format::canonical_json::{parse_strict_into, to_document};
use crate::format::digest::{Digest, Hashing};
use crate::format::receipt::{Receipt, VERSION, key};
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

    /// Returns the receipt of an earlier sealing of this plaintext for exactly these recipients.
    ///
    /// A receipt that cannot be read or is not what its name says is `E_CORRUPT`: sealing anew without a word would change
    /// the id of a pack that should not have changed.
    pub fn find(&self, plain_hash: &Digest, recipients: &[String]) -> Result<Option<Receipt>> {
        let path = self.path(&key(plain_hash, recipients), "json");
        let Some(bytes) = files::read_optional(&path, 1 << 20)? else {
            return Ok(None);
        };
        parse_strict_into::<Receipt>(&bytes)
            .ok()
            .filter(|receipt| {
                receipt.version == VERSION && receipt.plain_hash == *plain_hash && receipt.recipients == recipients
            })
            .map(Some)
            .ok_or_else(|| corrupt(&path))
    }

    /// Copies the ciphertext of `receipt` into `output`, checking that it is the one of the receipt.
    pub fn copy_into(&self, receipt: &Receipt, mut output: impl Write, target: &Path) -> Result<()> {
        let path = self.path(&key(&receipt.plain_hash, &receipt.recipients), "age");
        let opened = open_regular(&path)?;
        let mut reader = Hashing::new(&opened.file);
        io::copy(&mut reader, &mut output).map_err(Refusal::io("writing", target))?;
        let (_, hash, bytes) = reader.finish();
        if (hash, bytes) != (receipt.sealed_hash, receipt.sealed_bytes) {
            return Err(corrupt(&path));
        }
        Ok(())
    }

    /// Keeps the ciphertext at `sealed` under its receipt: first the ciphertext, then, when it stands, the receipt.
    pub fn put(&self, receipt: &Receipt, sealed: &Path) -> Result<()> {
        let name = key(&receipt.plain_hash, &receipt.recipients);
        let target = self.path(&name, "age");
        create_private_dir(files::parent(&target))?;
        let mut source = File::open(sealed).map_err(Refusal::io("reading", sealed))?;
        write_whole_from(&target, &mut source, 0o600, Durability::Durable)?;
        write_whole(
            &self.path(&name, "json"),
            &to_document(receipt),
            0o600,
            Durability::Durable,
        )
    }

    fn path(&self, key: &Digest, extension: &str) -> PathBuf {
        let hex = key.hex();
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
            "rm {0}.json {0}.age    (the artifact is then encrypted anew)",
            stem.display()
        ),
    }
}
