//! Encrypting to recipients.

use std::io::{self, Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

use super::{Recipients, one_line};
use crate::format::digest::{Digest, Hashing};
use crate::format::refusal::Refusal;

/// What came of encrypting a plaintext.
#[derive(Debug)]
pub struct Encrypted {
    /// SHA-256 of the plaintext.
    pub plain_hash: Digest,
    /// Bytes of the plaintext.
    pub plain_bytes: u64,
    /// SHA-256 of the ciphertext.
    pub sealed_hash: Digest,
    /// Bytes of the ciphertext.
    pub sealed_bytes: u64,
}

/// Why encrypting failed.
#[derive(Debug)]
pub enum EncryptError {
    /// The plaintext could not be read.
    Reading(io::Error),
    /// The ciphertext could not be written.
    Writing(io::Error),
    /// The cipher itself failed.
    Cipher(String),
}

impl EncryptError {
    /// Says what failed; the paths are those of the plaintext and of the ciphertext.
    pub fn refusal(self, plain: &Path, sealed: &Path) -> Refusal {
        match self {
            Self::Reading(source) => Refusal::io("reading", plain)(source),
            Self::Writing(source) => Refusal::io("writing", sealed)(source),
            Self::Cipher(reason) => Refusal::Crypto {
                deed: "encrypting",
                subject: plain.display().to_string(),
                reason,
            },
        }
    }
}

/// Encrypts `plain` to `recipients` into `output`, reading it once.
pub fn encrypt(recipients: &Recipients, plain: &mut dyn Read, output: impl Write) -> Result<Encrypted, EncryptError> {
    let encryptor = recipients.with_each(|each| age::Encryptor::with_recipients(each))?;
    let mut writer = encryptor
        .wrap_output(Hashing::new(output))
        .map_err(EncryptError::Writing)?;
    let mut reader = Hashing::new(plain);
    let mut buffer = Zeroizing::new(vec![0; 64 << 10]);
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(EncryptError::Reading(e)),
        };
        writer.write_all(&buffer[..n]).map_err(EncryptError::Writing)?;
    }
    let mut sealed = writer.finish().map_err(EncryptError::Writing)?;
    sealed.flush().map_err(EncryptError::Writing)?;
    let (_, sealed_hash, sealed_bytes) = sealed.finish();
    let (_, plain_hash, plain_bytes) = reader.finish();
    Ok(Encrypted {
        plain_hash,
        plain_bytes,
        sealed_hash,
        sealed_bytes,
    })
}

/// Returns what the crate's error means here.
pub(super) fn said_of(error: &age::EncryptError) -> String {
    match error {
        age::EncryptError::IncompatibleRecipients { .. } => {
            "these recipients cannot be mixed: one sort of them, such as the post-quantum one, must stand alone, \
             or the others would undo what it is for"
                .into()
        }
        age::EncryptError::MissingRecipients => "there are no recipients".into(),
        age::EncryptError::PluginResolve(why) => missing_plugin(why),
        other => one_line(other),
    }
}

/// Says that a plugin is not there.
pub(super) fn missing_plugin(why: &age::plugin::ResolveError) -> String {
    match why {
        age::plugin::ResolveError::MissingPlugin { binary_name } => {
            format!("{binary_name} is not on PATH: install this age plugin")
        }
        other => one_line(other),
    }
}
