//! Message authentication with keyed BLAKE3. It tells what git-pack stored in a clone from what others wrote there.

use highway::{HighwayHash, HighwayHasher, Key};

/// Size of a key and of a code in bytes.
pub const LENGTH: usize = 32;

/// Size in bytes of the code of one block among many: 128 bits.
pub const SHORT: usize = 16;

/// A secret key, for one purpose.
#[derive(Clone)]
pub struct MacKey([u8; LENGTH]);

impl MacKey {
    /// Wraps the bytes of a key.
    pub fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }

    /// Derives the key for `purpose`. A code for one purpose is not valid for another, so a file cannot be passed off
    /// as one of another kind.
    pub fn derive(&self, purpose: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("git-pack 2026 memory of a clone");
        hasher.update(&self.0);
        hasher.update(purpose.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// Returns the code of `bytes`.
    pub fn of(&self, bytes: &[u8]) -> [u8; LENGTH] {
        *blake3::keyed_hash(&self.0, bytes).as_bytes()
    }

    /// Derives a key for codes of many short messages.
    pub fn fast(&self) -> FastMacKey {
        let inner = self.derive("inner").0;
        let number = |at: usize| u64::from_le_bytes(inner[8 * at..8 * at + 8].try_into().expect("eight bytes"));
        FastMacKey {
            inner: [number(0), number(1), number(2), number(3)],
            outer: self.derive("outer"),
        }
    }

    /// Returns a hasher for the code of a message that comes in pieces.
    pub fn hasher(&self) -> MacHasher {
        MacHasher(blake3::Hasher::new_keyed(&self.0))
    }

    /// Returns whether `code` is the code of `bytes`, in constant time.
    pub fn proves(&self, bytes: &[u8], code: &[u8]) -> bool {
        let code: Result<[u8; LENGTH], _> = code.try_into();
        code.is_ok_and(|code| blake3::keyed_hash(&self.0, bytes) == blake3::Hash::from_bytes(code))
    }

    /// Returns the short code of block number `number` with these bytes.
    pub fn of_block(&self, number: u64, bytes: &[u8]) -> [u8; SHORT] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&number.to_le_bytes());
        hasher.update(bytes);
        let mut code = [0; SHORT];
        code.copy_from_slice(&hasher.finalize().as_bytes()[..SHORT]);
        code
    }

    /// Returns `bytes` followed by their code.
    pub fn seal(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let code = self.of(&bytes);
        bytes.extend_from_slice(&code);
        bytes
    }

    /// Returns the bytes that were given to [`MacKey::seal`]. `None` if the code is wrong.
    pub fn open<'a>(&self, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let (bytes, code) = sealed.split_at_checked(sealed.len().checked_sub(LENGTH)?)?;
        self.proves(bytes, code).then_some(bytes)
    }
}

/// A key for codes of many short messages.
///
/// A code is the keyed BLAKE3 of a keyed HighwayHash of the message and of its length. For a few kilobytes, HighwayHash
/// is several times as fast as BLAKE3. BLAKE3 on top keeps the HighwayHash values secret.
#[derive(Clone)]
pub struct FastMacKey {
    inner: [u64; 4],
    outer: MacKey,
}

impl FastMacKey {
    /// Returns the code of `bytes`.
    pub fn of(&self, bytes: &[u8]) -> [u8; LENGTH] {
        let hash = HighwayHasher::new(Key(self.inner)).hash256(bytes);
        let mut message = [0; LENGTH + 8];
        for (part, number) in message
            .chunks_exact_mut(8)
            .zip(hash.iter().chain([&(bytes.len() as u64)]))
        {
            part.copy_from_slice(&number.to_le_bytes());
        }
        self.outer.of(&message)
    }
}

/// A running code.
pub struct MacHasher(blake3::Hasher);

impl MacHasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the code of all bytes.
    pub fn finish(self) -> [u8; LENGTH] {
        *self.0.finalize().as_bytes()
    }
}

impl std::fmt::Debug for MacKey {
    /// Never shows the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_and_purpose_that_sealed_open() {
        let key = MacKey::from_bytes([7; LENGTH]);
        let sealed = key.derive("a").seal(b"content".to_vec());
        assert_eq!(key.derive("a").open(&sealed), Some(&b"content"[..]));
        assert_eq!(key.derive("b").open(&sealed), None);
        assert_eq!(MacKey::from_bytes([8; LENGTH]).derive("a").open(&sealed), None);
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert_eq!(key.derive("a").open(&flipped), None, "byte {at}");
            assert_eq!(key.derive("a").open(&sealed[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn a_fast_code_depends_on_every_byte_the_length_and_the_key() {
        let key = MacKey::from_bytes([7; LENGTH]).fast();
        let bytes: Vec<u8> = (0..200u8).collect();
        let code = key.of(&bytes);
        assert_eq!(code, key.clone().of(&bytes));
        assert_ne!(code, MacKey::from_bytes([8; LENGTH]).fast().of(&bytes));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert_ne!(key.of(&flipped), code, "byte {at}");
            assert_ne!(key.of(&bytes[..at]), code, "cut at {at}");
        }
        assert_ne!(key.of(&[0; 31]), key.of(&[0; 32]));
    }

    #[test]
    fn a_block_counts_in_its_own_place_only() {
        let key = MacKey::from_bytes([7; LENGTH]);
        assert_ne!(key.of_block(0, b"x"), key.of_block(1, b"x"));
        assert_ne!(key.of_block(0, b"x"), key.of_block(0, b"y"));
    }
}
