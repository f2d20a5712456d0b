//! Changes who can open an age file without touching its payload: wraps the same file key in a new header.

use std::collections::HashSet;
use std::io::{BufReader, Cursor, Read};

use age::secrecy::ExposeSecret;
use age_core::format::{FileKey, Stanza};
use age_core::primitives::hkdf;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::open::{Opener, copy_of};
use super::structure::Head;
use super::{DecryptError, EncryptError, Identities, Recipients};
use crate::format::digest::hmac_sha256;
use crate::refusal::keys::CipherFault;

/// Why a new header could not be made.
#[derive(Debug)]
pub enum RewrapError {
    /// The old header could not be opened.
    Opening(DecryptError),
    /// The new header could not be encrypted.
    Sealing(EncryptError),
}

/// Unwraps the file key of an age file without armour and wraps it for `recipients`. Returns the new header, followed by the
/// nonce of the payload.
///
/// This revokes nothing: a former recipient may know the file key, which still opens every copy of the payload.
pub fn rewrap(identities: &Identities, input: impl Read, recipients: &Recipients) -> Result<Vec<u8>, RewrapError> {
    let old = Head::read(&mut BufReader::new(input)).map_err(|e| RewrapError::Opening(e.into()))?;
    let opener = Opener::of(identities);
    opener
        .open(|opener| age::Decryptor::new_buffered(Cursor::new(&old.bytes))?.decrypt(std::iter::once(opener)))
        .map_err(RewrapError::Opening)?;
    let key = opener.file_key().expect("what was opened has a file key");
    let header = header_for(&key, recipients, old.nonce()).map_err(RewrapError::Sealing)?;
    prove(&header, &key).map_err(|why| RewrapError::Sealing(EncryptError::Cipher(CipherFault::Said(why))))?;
    Ok(header)
}

/// Lets the crate make a header whose stanzas wrap `key`, and replaces its MAC by the one under `key`.
fn header_for(key: &FileKey, recipients: &Recipients, nonce: &[u8]) -> Result<Vec<u8>, EncryptError> {
    let encryptor = recipients.with_each(|each| {
        let wrapping: Vec<Wrapping> = each.map(|recipient| Wrapping { recipient, key }).collect();
        age::Encryptor::with_recipients(wrapping.iter().map(|each| each as &dyn age::Recipient))
    })?;
    let mut made = Vec::new();
    drop(encryptor.wrap_output(&mut made).map_err(EncryptError::Writing)?);
    let head = Head::read(&mut made.as_slice()).map_err(|_| {
        let said = "the new header cannot be read back";
        EncryptError::Cipher(CipherFault::Said(said.into()))
    })?;
    made.truncate(head.authenticated);
    let mac_key = Zeroizing::new(hkdf(&[], b"header", key.expose_secret()));
    let mac = hmac_sha256(mac_key.as_slice(), &made);
    made.extend_from_slice(format!(" {}\n", STANDARD_NO_PAD.encode(mac)).as_bytes());
    made.extend_from_slice(nonce);
    Ok(made)
}

/// Checks that the crate accepts `header` and that its MAC is the one under `key`.
fn prove(header: &[u8], key: &FileKey) -> Result<(), String> {
    let wrong = |why: String| format!("the new header is invalid: {why}");
    Head::read(&mut &header[..]).map_err(|_| wrong("it cannot be read back".into()))?;
    age::Decryptor::new_buffered(header)
        .and_then(|decryptor| decryptor.decrypt(std::iter::once(&Known(key) as &dyn age::Identity)))
        .map(drop)
        .map_err(|e| wrong(super::one_line(&e)))
}

/// A recipient that wraps a given file key instead of the one that the crate generated.
struct Wrapping<'a> {
    recipient: &'a dyn age::Recipient,
    key: &'a FileKey,
}

impl age::Recipient for Wrapping<'_> {
    fn wrap_file_key(&self, _: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        self.recipient.wrap_file_key(self.key)
    }
}

/// An identity that returns a given file key.
struct Known<'a>(&'a FileKey);

impl age::Identity for Known<'_> {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        Some(Ok(copy_of(self.0)))
    }
}
