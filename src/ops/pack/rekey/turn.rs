//! One ciphertext, turned into one for other recipients.

use std::io::{self, Read, Seek, Write};
use std::path::Path;

use crate::adapters::cipher::{self, DecryptError, EncryptError, RewrapError};
use crate::adapters::files::{self, Opened};
use crate::format::digest::{Digest, Hashing};
use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::ops::keys::identity;
use crate::ops::pack::rekey::Change;
use crate::refusal::{Refusal, Result};

/// A ciphertext to be turned.
pub struct Job<'a> {
    /// The open file.
    pub source: &'a Opened,
    /// Where that is.
    pub path: &'a Path,
    /// What is sealed in it, as it is called in an error.
    pub name: &'a str,
    /// Where the new one is written.
    pub target: &'a Path,
}

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
    /// Reads a ciphertext once, and writes one for the new recipients to `output`.
    pub fn turn(&self, job: &Job<'_>, output: impl Write) -> Result<Turned> {
        let mut old = Observed {
            inner: Hashing::new(&job.source.file),
            blob: self
                .repo
                .as_ref()
                .map(|repo| ObjectHasher::new(&repo.zero_id(), "blob", job.source.size)),
        };
        let (hash, bytes) = match self.reencrypt {
            true => self.encrypt_anew(job, &mut old, output)?,
            false => self.wrap_anew(job, &mut old, output)?,
        };
        job.source.ensure_unchanged()?;
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
    fn wrap_anew(&self, job: &Job<'_>, old: &mut Observed<impl Read>, output: impl Write) -> Result<(Digest, u64)> {
        let mut file = &job.source.file;
        let length = cipher::header(file)
            .map_err(|reason| job.crypto("opening", reason))?
            .bytes;
        file.rewind().map_err(Refusal::io("reading", job.path))?;
        // Whoever rekeys vouches for the payload: it is opened once, to nowhere, and must be whole.
        cipher::decrypt(&self.identities, file, &mut io::sink()).map_err(|why| self.not_opened(why, job))?;
        file.rewind().map_err(Refusal::io("reading", job.path))?;
        // What is wrapped anew are the bytes that were hashed, whatever else the file may say when it is read again.
        let mut head = Vec::new();
        let read = old.take(length).read_to_end(&mut head);
        read.map_err(Refusal::io("reading", job.path))?;
        let new = cipher::rewrap(&self.identities, &head[..], &self.recipients).map_err(|why| match why {
            RewrapError::Opening(why) => self.not_opened(why, job),
            RewrapError::Sealing(why) => job.not_sealed(why),
        })?;
        let mut output = Hashing::new(output);
        let written = output.write_all(&new.header);
        written.map_err(Refusal::io("writing", job.target))?;
        files::copy(old, job.path, &mut output, job.target)?;
        let (_, hash, bytes) = output.finish();
        Ok((hash, bytes))
    }

    /// Decrypts, and encrypts under a new file key; padding is a part of what is encrypted, and stays.
    fn encrypt_anew(&self, job: &Job<'_>, old: &mut Observed<impl Read>, output: impl Write) -> Result<(Digest, u64)> {
        let mut plain = cipher::open(&self.identities, &mut *old).map_err(|why| self.not_opened(why, job))?;
        let encrypted = cipher::encrypt(&self.recipients, &mut plain, output).map_err(|why| match why {
            EncryptError::Reading(e) => self.not_opened(DecryptError::of_reading(e), job),
            why => job.not_sealed(why),
        })?;
        drop(plain);
        // Behind armour there may be blank space.
        files::copy(old, job.path, io::sink(), job.target)?;
        Ok((encrypted.sealed_hash, encrypted.sealed_bytes))
    }

    fn not_opened(&self, why: DecryptError, job: &Job<'_>) -> Refusal {
        match why {
            DecryptError::Reading(e) => Refusal::io("reading", job.path)(e),
            why => identity::not_opened(why, job.name, &self.identities),
        }
    }
}

impl Job<'_> {
    fn not_sealed(&self, why: EncryptError) -> Refusal {
        match why {
            EncryptError::Cipher(reason) => self.crypto("sealing", reason),
            why => why.refusal(self.path, self.target),
        }
    }

    fn crypto(&self, deed: &'static str, reason: String) -> Refusal {
        Refusal::Crypto {
            deed,
            subject: self.name.to_owned(),
            reason,
        }
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
