//! Decrypts age files.

use std::cell::RefCell;
use std::io::{self, BufReader, Cursor, Read, Write};

use age_core::format::{FileKey, Stanza};
use zeroize::Zeroizing;

use super::armour::dearmoured;
use super::structure::{Counted, Head, HeadError};
use super::{Identities, one_line};
use crate::format::sealed::is_grease;
use crate::refusal::keys::{CipherFault, LockFault};

/// Why an age file was not opened.
#[derive(Debug)]
pub enum DecryptError {
    /// No identity matches a recipient of the file.
    NotFor {
        /// The types of the file's stanzas, sorted, without duplicates and without grease.
        stanzas: Vec<String>,
    },
    /// An identity that may match could not be tried: its passphrase is missing or wrong, or its plugin failed.
    Locked {
        /// The identity file. `None` if the file itself is sealed with a passphrase.
        file: Option<String>,
        /// Why it was not unlocked.
        fault: LockFault,
    },
    /// The line ends of the input were converted to CRLF.
    LineEnds,
    /// The input has lost its carriage returns before newlines.
    LostReturns,
    /// The input is not an age file, or it is damaged.
    Broken(String),
    /// The input could not be read.
    Reading(io::Error),
    /// The plaintext could not be written.
    Writing(io::Error),
}

impl DecryptError {
    /// Returns the error for a header that no identity matches.
    pub(super) fn not_for(stanzas: &[Stanza]) -> Self {
        let kinds = stanzas.iter().map(|stanza| stanza.tag.clone());
        let mut stanzas: Vec<String> = kinds.filter(|kind| !is_grease(kind)).collect();
        stanzas.sort();
        stanzas.dedup();
        Self::NotFor { stanzas }
    }

    /// Converts an error of the reader that [`open`] returns: either the file is damaged, or it could not be read.
    pub fn of_reading(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => {
                Self::Broken(one_line(&e))
            }
            _ => Self::Reading(e),
        }
    }
}

impl From<HeadError> for DecryptError {
    fn from(e: HeadError) -> Self {
        match e {
            HeadError::Io(e) => Self::Reading(e),
            HeadError::LineEnds => Self::LineEnds,
            HeadError::Broken(why) => Self::Broken(why),
        }
    }
}

impl std::fmt::Display for DecryptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFor { stanzas } => write!(f, "it is sealed for other keys ({})", stanzas.join(", ")),
            Self::Locked { fault, .. } => write!(f, "{fault}"),
            Self::LineEnds => CipherFault::LineEnds.fmt(f),
            Self::LostReturns => CipherFault::LostReturns.fmt(f),
            Self::Broken(why) => f.write_str(why),
            Self::Reading(e) | Self::Writing(e) => write!(f, "{e}"),
        }
    }
}

/// Opens an age file, armoured or not. Returns a reader of the plaintext; each chunk is authenticated before it is
/// returned.
///
/// If the reader fails, discard what was read before: it is not the whole plaintext. Asks for the passphrase if the
/// file is sealed with one.
pub fn open<R: Read>(identities: &Identities, input: R) -> Result<impl Read + use<R>, DecryptError> {
    let mut input = BufReader::new(dearmoured(input));
    let head = Head::read(&mut input)?;
    let opener = Opener::of(identities);
    let whole = Cursor::new(head.bytes).chain(input);
    opener.open(|opener| age::Decryptor::new_buffered(whole)?.decrypt(std::iter::once(opener)))
}

/// What is said of a short file that cannot be decrypted and has no carriage return before a newline.
const MAYBE_LOST: &str = "its line ends may have been converted to LF: it has no CRLF, as fewer than one in 1000 intact \
    files of its length";

/// Decrypts an age file, armoured or not.
///
/// If this fails, discard what was written to `output`: it is not the whole plaintext.
pub fn decrypt(identities: &Identities, input: impl Read, output: &mut dyn Write) -> Result<(), DecryptError> {
    let mut counted = Counted::of(input);
    match decrypt_all(identities, &mut counted, output) {
        Err(DecryptError::Broken(why)) => Err(match counted.read_to_its_end() {
            Ok(counted) if counted.lost_returns() => DecryptError::LostReturns,
            Ok(counted) if counted.may_have_lost_returns() => DecryptError::Broken(format!("{why}; {MAYBE_LOST}")),
            _ => DecryptError::Broken(why),
        }),
        done => done,
    }
}

fn decrypt_all(identities: &Identities, input: impl Read, output: &mut dyn Write) -> Result<(), DecryptError> {
    let mut plain = open(identities, input)?;
    let mut buffer = Zeroizing::new(vec![0; 64 << 10]);
    loop {
        match plain.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => output.write_all(&buffer[..n]).map_err(DecryptError::Writing)?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(DecryptError::of_reading(e)),
        }
    }
}

/// Presents all identities to the crate as one. Remembers why they failed, and the unwrapped file key.
pub(super) struct Opener<'a> {
    identities: &'a Identities,
    failed: RefCell<Option<DecryptError>>,
    key: RefCell<Option<FileKey>>,
}

impl<'a> Opener<'a> {
    pub(super) fn of(identities: &'a Identities) -> Self {
        Self {
            identities,
            failed: RefCell::default(),
            key: RefCell::default(),
        }
    }

    /// Calls `open` with this identity and converts its error.
    pub(super) fn open<T>(
        &self,
        open: impl FnOnce(&dyn age::Identity) -> Result<T, age::DecryptError>,
    ) -> Result<T, DecryptError> {
        open(self).map_err(|e| match (self.failed.take(), e) {
            (Some(failed), _) => failed,
            (None, age::DecryptError::Io(e)) => DecryptError::of_reading(e),
            (None, e) => DecryptError::Broken(one_line(&e)),
        })
    }

    /// Returns the file key that was unwrapped, if any.
    pub(super) fn file_key(self) -> Option<FileKey> {
        self.key.into_inner()
    }
}

impl age::Identity for Opener<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        self.unwrap_stanzas(std::slice::from_ref(stanza))
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, age::DecryptError>> {
        Some(match self.identities.unwrap(stanzas) {
            Ok(key) => {
                self.key.replace(Some(copy_of(&key)));
                Ok(key)
            }
            Err(why) => {
                self.failed.replace(Some(why));
                // The crate only passes this error on; `open` returns the one kept above.
                Err(age::DecryptError::NoMatchingKeys)
            }
        })
    }
}

/// Copies a file key without leaving a copy in unprotected memory.
pub(super) fn copy_of(key: &FileKey) -> FileKey {
    use age::secrecy::ExposeSecret;
    FileKey::init_with_mut(|copy| copy.copy_from_slice(key.expose_secret()))
}
