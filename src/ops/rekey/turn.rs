//! One ciphertext, turned into one for other recipients.

use std::io::{self, Read, Seek, Write};
use std::path::Path;

use crate::adapters::cipher::{self, DecryptError, EncryptError, RewrapError};
use crate::adapters::files::{self, Opened};
use crate::format::digest::{Digest, Hashing};
use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::format::refusal::{Refusal, Result};
use crate::ops::identity;
use crate::ops::rekey::Change;

/// What a ciphertext was before, and what it is now.
pub struct Turned {
    /// The ciphertext before.
    pub old: Ciphertext,
    /// SHA-256 of the new one.
    pub hash: Digest,
    /// Bytes of the new one.
    pub bytes: u64,
}

/// A ciphertext, by what it can be found by.
#[derive(Clone, Copy)]
pub struct Ciphertext {
    /// Its SHA-256.
    pub hash: Digest,
    /// Its bytes.
    pub bytes: u64,
    /// The id that git gives it in the repository here.
    pub blob: Option<ObjectId>,
}

impl Change {
    /// Reads the ciphertext in `source` once, and writes one for the new recipients to `output`, which is at `target`.
    ///
    /// `name` is what it is called in an error.
    pub fn turn(&self, source: &Opened, name: &Path, target: &Path, output: impl Write) -> Result<Turned> {
        let mut old = Observed {
            inner: Hashing::new(&source.file),
            blob: self
                .repo
                .as_ref()
                .map(|repo| ObjectHasher::new(&repo.zero_id(), "blob", source.size)),
        };
        let (hash, bytes) = match self.reencrypt {
            true => self.encrypt_anew(&mut old, name, target, output)?,
            false => self.wrap_anew(source, &mut old, name, target, output)?,
        };
        source.ensure_unchanged()?;
        let (_, old_hash, old_bytes) = old.inner.finish();
        Ok(Turned {
            old: Ciphertext {
                hash: old_hash,
                bytes: old_bytes,
                blob: old.blob.map(ObjectHasher::finish),
            },
            hash,
            bytes,
        })
    }

    /// Writes a new header and, behind it, the payload as it is.
    fn wrap_anew(
        &self,
        source: &Opened,
        old: &mut Observed<impl Read>,
        name: &Path,
        target: &Path,
        output: impl Write,
    ) -> Result<(Digest, u64)> {
        let crypto = |deed, reason| Refusal::Crypto {
            deed,
            subject: name.display().to_string(),
            reason,
        };
        let reading = || Refusal::io("reading", name);
        let length = cipher::header(&source.file)
            .map_err(|reason| crypto("opening", reason))?
            .bytes;
        (&source.file).rewind().map_err(reading())?;
        // What is wrapped anew are the bytes that were hashed, whatever else the file may say when it is read again.
        let mut head = Vec::new();
        old.take(length).read_to_end(&mut head).map_err(reading())?;
        let new = cipher::rewrap(&self.identities, &head[..], &self.recipients).map_err(|why| match why {
            RewrapError::Opening(why) => self.not_opened(why, name),
            RewrapError::Sealing(EncryptError::Cipher(reason)) => crypto("sealing", reason),
            RewrapError::Sealing(why) => why.refusal(name, target),
        })?;
        let mut output = Hashing::new(output);
        output.write_all(&new.header).map_err(Refusal::io("writing", target))?;
        files::copy(old, name, &mut output, target)?;
        let (_, hash, bytes) = output.finish();
        Ok((hash, bytes))
    }

    /// Decrypts, and encrypts under a new file key; padding is a part of what is encrypted, and stays.
    fn encrypt_anew(
        &self,
        old: &mut Observed<impl Read>,
        name: &Path,
        target: &Path,
        output: impl Write,
    ) -> Result<(Digest, u64)> {
        let mut plain = cipher::open(&self.identities, &mut *old).map_err(|why| self.not_opened(why, name))?;
        let encrypted = cipher::encrypt(&self.recipients, &mut plain, output).map_err(|why| match why {
            EncryptError::Reading(e) => self.not_opened(DecryptError::of_reading(e), name),
            why => why.refusal(name, target),
        })?;
        drop(plain);
        // Behind armour there may be blank space.
        files::copy(old, name, io::sink(), target)?;
        Ok((encrypted.sealed_hash, encrypted.sealed_bytes))
    }

    fn not_opened(&self, why: DecryptError, name: &Path) -> Refusal {
        identity::not_opened(why, &name.display().to_string(), &self.identities)
    }
}

/// Hashes what is read, as we do and as git does.
struct Observed<R> {
    inner: Hashing<R>,
    blob: Option<ObjectHasher>,
}

impl<R: Read> Read for Observed<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        if let Some(blob) = &mut self.blob {
            blob.update(&buf[..n]);
        }
        Ok(n)
    }
}
