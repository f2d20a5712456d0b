//! Turns a ciphertext into one for other recipients.

use std::io::{self, Read, Seek, Write};
use std::path::Path;

use crate::adapters::cipher::{self, DecryptError, EncryptError, RewrapError};
use crate::adapters::files::{self, OpenedFile};
use crate::format::digest::{Digest, Hashing};
use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::ops::keys::identity;
use crate::ops::pack::rekey::Change;
use crate::refusal::keys::CipherFault;
use crate::refusal::{Refusal, Result};

/// A ciphertext to turn.
pub struct TurnJob<'a> {
    /// The open file.
    pub source: &'a OpenedFile,
    /// The path of that file.
    pub path: &'a Path,
    /// The name of its content, for errors.
    pub name: &'a str,
    /// The path of the new ciphertext.
    pub target: &'a Path,
}

/// A ciphertext before and after.
pub struct Turned {
    /// The old ciphertext.
    pub old: Ciphertext,
    /// SHA-256 of the new ciphertext.
    pub hash: Digest,
    /// Size of the new ciphertext in bytes.
    pub bytes: u64,
}

/// The properties by which a ciphertext can be found.
#[derive(Clone, Copy)]
pub struct Ciphertext {
    /// Its SHA-256.
    pub hash: Digest,
    /// Its size in bytes.
    pub bytes: u64,
    /// The id that git gives it in this repository.
    pub blob: Option<ObjectId>,
}

impl Change {
    /// Reads a ciphertext once, and writes one for the new recipients to `output`.
    pub fn turn(&self, job: &TurnJob<'_>, output: impl Write) -> Result<Turned> {
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

    /// Writes a new header, followed by the payload unchanged.
    fn wrap_anew(&self, job: &TurnJob<'_>, old: &mut Observed<impl Read>, output: impl Write) -> Result<(Digest, u64)> {
        let mut file = &job.source.file;
        let length = cipher::header(file)
            .map_err(|fault| job.crypto("opening", fault))?
            .bytes;
        file.rewind().map_err(Refusal::io("reading", job.path))?;
        // The new seal vouches for the payload. So the payload is decrypted once, without keeping the plaintext, and
        // must be complete.
        cipher::decrypt(&self.identities, file, &mut io::sink()).map_err(|why| self.not_opened(why, job))?;
        file.rewind().map_err(Refusal::io("reading", job.path))?;
        // The header is taken from the bytes that were hashed, even if the file changes before it is read again.
        let mut head = Vec::new();
        let read = old.take(length).read_to_end(&mut head);
        read.map_err(Refusal::io("reading", job.path))?;
        let new = cipher::rewrap(&self.identities, &head[..], &self.recipients).map_err(|why| match why {
            RewrapError::Opening(why) => self.not_opened(why, job),
            RewrapError::Sealing(why) => job.not_sealed(why),
        })?;
        let mut output = Hashing::new(output);
        let written = output.write_all(&new);
        written.map_err(Refusal::io("writing", job.target))?;
        files::copy(old, job.path, &mut output, job.target)?;
        let (_, hash, bytes) = output.finish();
        Ok((hash, bytes))
    }

    /// Decrypts, and encrypts under a new file key. Padding is part of the plaintext, and stays.
    fn encrypt_anew(
        &self,
        job: &TurnJob<'_>,
        old: &mut Observed<impl Read>,
        output: impl Write,
    ) -> Result<(Digest, u64)> {
        let mut plain = cipher::open(&self.identities, &mut *old).map_err(|why| self.not_opened(why, job))?;
        let encrypted = cipher::encrypt(&self.recipients, &mut plain, output).map_err(|why| match why {
            EncryptError::Reading(e) => self.not_opened(self.cause_of(DecryptError::of_reading(e), job), job),
            why => job.not_sealed(why),
        })?;
        drop(plain);
        // White space may follow the armour.
        files::copy(old, job.path, io::sink(), job.target)?;
        Ok((encrypted.sealed_hash, encrypted.sealed_bytes))
    }

    /// Reads a damaged file once more, to its end, which may tell what has damaged it.
    fn cause_of(&self, why: DecryptError, job: &TurnJob<'_>) -> DecryptError {
        let mut file = &job.source.file;
        if !matches!(why, DecryptError::Broken(_)) || file.rewind().is_err() {
            return why;
        }
        cipher::decrypt(&self.identities, file, &mut io::sink())
            .err()
            .unwrap_or(why)
    }

    fn not_opened(&self, why: DecryptError, job: &TurnJob<'_>) -> Refusal {
        match why {
            DecryptError::Reading(e) => Refusal::io("reading", job.path)(e),
            why => identity::not_opened(why, job.name, &self.identities),
        }
    }
}

impl TurnJob<'_> {
    fn not_sealed(&self, why: EncryptError) -> Refusal {
        match why {
            EncryptError::Cipher(fault) => self.crypto("sealing", fault),
            why => why.refusal(self.path, self.target),
        }
    }

    fn crypto(&self, deed: &'static str, fault: CipherFault) -> Refusal {
        Refusal::Crypto {
            deed,
            subject: self.name.to_owned(),
            fault,
        }
    }
}

/// Computes the SHA-256 and the git hash of everything that is read.
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
