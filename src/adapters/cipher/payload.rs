//! The payload of an age file: chunks of 64 KiB, each encrypted by itself (c2sp.org/age, "Payload").
//!
//! The crate encrypts a copy of one chunk after the other. Here, chunks are encrypted where they were read, and another
//! thread may do that.

use std::io::{self, Read};

use age::secrecy::ExposeSecret;
use age_core::format::FileKey;
use age_core::primitives::hkdf;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::adapters::meter::passed;

/// Bytes of plaintext in a chunk. Only the last chunk is shorter, and only that of an empty payload is empty.
const CHUNK: usize = 64 << 10;

/// Bytes of the authentication tag behind each chunk.
const TAG: usize = 16;

/// The key of one payload.
#[derive(Clone)]
pub(super) struct PayloadKey(LessSafeKey);

impl PayloadKey {
    /// Derives the key from the file key and the payload's nonce.
    pub(super) fn of(file_key: &FileKey, nonce: &[u8]) -> Self {
        let key = Zeroizing::new(hkdf(nonce, b"payload", file_key.expose_secret()));
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*key).expect("the key has the length that the cipher takes");
        Self(LessSafeKey::new(key))
    }

    /// Encrypts the chunks of a batch in place.
    pub(super) fn encrypt(&self, batch: &mut PayloadBatch) {
        let (first, count) = (batch.first, batch.chunks());
        for at in 0..count {
            let is_last = batch.is_last && at + 1 == count;
            let start = at * (CHUNK + TAG);
            let length = CHUNK.min(batch.plain - at * CHUNK);
            let (plain, tag) = batch.bytes[start..start + length + TAG].split_at_mut(length);
            let made = self
                .0
                .seal_in_place_separate_tag(nonce(first + at as u64, is_last), Aad::empty(), plain);
            tag.copy_from_slice(made.expect("a chunk is short enough").as_ref());
        }
    }
}

/// Returns the nonce of a chunk: its number in 11 bytes, and 1 in the last byte if no other chunk follows.
fn nonce(number: u64, is_last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = is_last.into();
    Nonce::assume_unique_for_key(nonce)
}

/// Chunks that follow one another, with room for their tags.
pub(super) struct PayloadBatch {
    /// Number of chunks that it can hold.
    room: usize,
    /// Empty until something is read into it.
    bytes: Zeroizing<Vec<u8>>,
    /// Number of plaintext bytes that were read into it.
    plain: usize,
    /// The number of its first chunk in the payload.
    first: u64,
    /// Whether the payload ends with it.
    is_last: bool,
}

impl PayloadBatch {
    /// Returns an empty batch with room for this many chunks.
    pub(super) fn of(chunks: usize) -> Self {
        Self {
            room: chunks,
            bytes: Zeroizing::default(),
            plain: 0,
            first: 0,
            is_last: false,
        }
    }

    /// Returns the ciphertext, once it was encrypted.
    pub(super) fn ciphertext(&self) -> &[u8] {
        &self.bytes[..self.plain + self.chunks() * TAG]
    }

    fn chunks(&self) -> usize {
        match self.is_last {
            true => self.plain.div_ceil(CHUNK).max(1),
            false => self.plain.div_ceil(CHUNK),
        }
    }

    /// Reads until it is full. Returns false if the input ended first.
    fn fill(&mut self, input: &mut impl Read) -> io::Result<bool> {
        self.plain = 0;
        if self.bytes.is_empty() {
            *self.bytes = vec![0; self.room * (CHUNK + TAG)];
        }
        for slot in self.bytes.chunks_exact_mut(CHUNK + TAG) {
            let mut rest = &mut slot[..CHUNK];
            while !rest.is_empty() {
                match input.read(rest) {
                    Ok(0) => return Ok(false),
                    Ok(n) => {
                        self.plain += n;
                        rest = &mut rest[n..];
                    }
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(true)
    }
}

/// Cuts a plaintext into batches.
///
/// Reads one batch ahead, because the last chunk is encrypted in another way than the others.
pub(super) struct PayloadBatches<R> {
    input: R,
    /// The batch that was read last, unless the payload is complete.
    ahead: Option<PayloadBatch>,
    /// Number of chunks before the batch that is read next.
    chunks: u64,
    ended: bool,
}

impl<R: Read> PayloadBatches<R> {
    pub(super) fn of(input: R) -> Self {
        Self {
            input,
            ahead: None,
            chunks: 0,
            ended: false,
        }
    }

    /// Returns whether the input has ended, so that [`Self::last`] is what is left.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Reads into `free`. Returns the batch before it, if there is one and it is not the last.
    pub(super) fn read(&mut self, mut free: PayloadBatch) -> io::Result<Option<PayloadBatch>> {
        self.ended = !free.fill(&mut self.input)?;
        passed(free.plain);
        free.first = self.chunks;
        free.is_last = self.ended;
        self.chunks += (free.plain / CHUNK) as u64;
        match &mut self.ahead {
            // The input ended exactly behind the batch before.
            Some(ahead) if free.plain == 0 => {
                ahead.is_last = true;
                Ok(None)
            }
            ahead => Ok(ahead.replace(free)),
        }
    }

    /// Returns the input, and the last batch.
    pub(super) fn last(self) -> (R, Option<PayloadBatch>) {
        (self.input, self.ahead)
    }
}
