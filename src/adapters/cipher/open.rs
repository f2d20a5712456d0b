//! Opening what was encrypted.

use std::cell::RefCell;
use std::io::{self, BufReader, Cursor, Read, Write};

use age_core::format::{FileKey, Stanza};
use zeroize::Zeroizing;

use super::armour::dearmoured;
use super::structure::{Head, HeadError, is_grease};
use super::{Identities, one_line};

/// Why an age file was not opened.
#[derive(Debug)]
pub enum DecryptError {
    /// None of the identities is meant.
    NotFor {
        /// The types of its stanzas, sorted, each once, grease left out.
        stanzas: Vec<String>,
    },
    /// An identity that may be meant could not be tried: a passphrase is missing or wrong, or a plugin failed.
    Locked(String),
    /// It is no age file, or a damaged one.
    Broken(String),
    /// It could not be read.
    Reading(io::Error),
    /// What it holds could not be written.
    Writing(io::Error),
}

impl DecryptError {
    /// Says that none of the identities is meant.
    pub(super) fn not_for(stanzas: &[Stanza]) -> Self {
        let kinds = stanzas.iter().map(|stanza| stanza.tag.clone());
        let mut stanzas: Vec<String> = kinds.filter(|kind| !is_grease(kind)).collect();
        stanzas.sort();
        stanzas.dedup();
        Self::NotFor { stanzas }
    }

    /// Says that a part of it is not what it should be, or could not be read: what the reader of [`open`] fails with.
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
            HeadError::Broken(why) => Self::Broken(why),
        }
    }
}

impl std::fmt::Display for DecryptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFor { stanzas } => write!(f, "it is sealed for other keys ({})", stanzas.join(", ")),
            Self::Locked(why) | Self::Broken(why) => f.write_str(why),
            Self::Reading(e) | Self::Writing(e) => write!(f, "{e}"),
        }
    }
}

/// Opens an age file, armoured or not; what comes out of the reader was authenticated, chunk by chunk.
///
/// What was read before an error is not the whole plaintext, and so not to be used. A file that is sealed with a passphrase
/// is opened by asking for it.
pub fn open<R: Read>(identities: &Identities, input: R) -> Result<impl Read + use<R>, DecryptError> {
    let mut input = BufReader::new(dearmoured(input));
    let head = Head::read(&mut input)?;
    let opener = Opener::of(identities);
    let whole = Cursor::new(head.bytes).chain(input);
    opener.open(|opener| age::Decryptor::new_buffered(whole)?.decrypt(std::iter::once(opener)))
}

/// Decrypts an age file, armoured or not.
///
/// What was written to `output` before an error was found is not to be used.
pub fn decrypt(identities: &Identities, input: impl Read, output: &mut dyn Write) -> Result<(), DecryptError> {
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

/// All identities as the one that the crate asks. It keeps why they failed, and the file key.
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

    /// Has the crate open something with this identity, and returns what it opened.
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

    /// Returns the file key, once something was opened.
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
                Err(age::DecryptError::NoMatchingKeys)
            }
        })
    }
}

/// Copies a file key from one protected place to another.
pub(super) fn copy_of(key: &FileKey) -> FileKey {
    use age::secrecy::ExposeSecret;
    FileKey::init_with_mut(|copy| copy.copy_from_slice(key.expose_secret()))
}
