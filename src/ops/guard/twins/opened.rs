//! A twin that is opened in memory, for what git compares or merges.

use std::io::{self, Read, Write};

use zeroize::Zeroizing;

use crate::adapters::cipher::{self, DecryptError, Identities};
use crate::format::digest::{Digest, Hashing};

/// The longest text that is shown or merged, in bytes.
pub(super) const MAX_TEXT: usize = 64 << 20;

/// The plaintext of a twin.
pub(super) struct OpenedTwin {
    /// SHA-256 of the plaintext.
    pub(super) hash: Digest,
    /// Size of the plaintext in bytes.
    pub(super) bytes: u64,
    /// Its text, if it is one.
    pub(super) content: TwinContent,
}

/// What a plaintext is.
pub(super) enum TwinContent {
    /// A text.
    Text(Zeroizing<Vec<u8>>),
    /// It has a NUL, which no text has.
    Binary,
    /// It has more than [`MAX_TEXT`] bytes.
    TooLong,
}

/// Why a twin is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhySealed {
    /// There is no identity here, or it is for other keys.
    NoIdentity,
    /// The identity needs a passphrase or a plugin, and git waits.
    LockedIdentity,
    /// Its line ends were converted.
    LineEnds,
    /// It is damaged.
    Damaged,
}

impl WhySealed {
    /// Explains why `identities`, of which those that work without a person were used, did not open a twin.
    pub(super) fn of(error: &DecryptError, identities: &Identities) -> Self {
        match error {
            DecryptError::NotFor { .. } if identities.unattended().tried() != identities.tried() => {
                Self::LockedIdentity
            }
            DecryptError::NotFor { .. } => Self::NoIdentity,
            DecryptError::Locked { .. } => Self::LockedIdentity,
            DecryptError::LineEnds | DecryptError::LostReturns => Self::LineEnds,
            DecryptError::Broken(_) | DecryptError::Reading(_) | DecryptError::Writing(_) => Self::Damaged,
        }
    }
}

/// Opens a twin. Reads all of it, but keeps no more than a text.
pub(super) fn open_twin(identities: &Identities, input: impl Read) -> Result<OpenedTwin, DecryptError> {
    let mut hashing = Hashing::new(Text(TwinContent::Text(Zeroizing::default())));
    cipher::decrypt(identities, input, &mut hashing)?;
    let (Text(content), hash, bytes) = hashing.finish();
    Ok(OpenedTwin { hash, bytes, content })
}

/// Reads a plaintext like [`open_twin`].
pub(super) fn read_plain(mut input: impl Read) -> io::Result<OpenedTwin> {
    let mut hashing = Hashing::new(Text(TwinContent::Text(Zeroizing::default())));
    io::copy(&mut input, &mut hashing)?;
    let (Text(content), hash, bytes) = hashing.finish();
    Ok(OpenedTwin { hash, bytes, content })
}

/// Keeps what is written, as long as it is a text.
struct Text(TwinContent);

impl Text {
    fn take(&mut self, bytes: &[u8]) {
        let TwinContent::Text(text) = &mut self.0 else { return };
        if bytes.contains(&0) {
            self.0 = TwinContent::Binary;
        } else if text.len() + bytes.len() > MAX_TEXT {
            self.0 = TwinContent::TooLong;
        } else {
            text.extend_from_slice(bytes);
        }
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the beginning of a file, enough to see whether it is sealed.
pub(super) fn head_of(input: impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    // Armour makes a header a third longer.
    input.take(2 * cipher::MAX_HEADER as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Returns whether a file that begins with `head` is sealed, or was before something damaged it.
pub(super) fn is_sealed(head: &[u8]) -> bool {
    let starts = [&b"age-encryption.org/"[..], b"-----BEGIN AGE ENCRYPTED FILE-----"];
    starts.iter().any(|start| head.trim_ascii_start().starts_with(start))
}
