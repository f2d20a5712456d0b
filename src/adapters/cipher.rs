//! The cipher: age v1 (age-encryption.org/v1), by the `age` crate and nothing else.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::str::FromStr;

use age::secrecy::ExposeSecret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::format::digest::{Digest, Hashing};
use crate::format::refusal::{Refusal, Result};
use crate::format::sealed::{SealHeader, is_chunked};

/// The most bytes an age header may have here: some thousand recipients. Parsing a longer one would take too long.
pub const MAX_HEADER: usize = 512 << 10;

/// A set of recipients: their order and repetitions do not matter.
pub struct Recipients {
    keys: Vec<age::x25519::Recipient>,
    names: Vec<String>,
}

impl Recipients {
    /// Parses recipients (`age1…`); the offending one and the reason if one is none.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, (String, String)> {
        let mut names: Vec<String> = Vec::new();
        for text in texts {
            let key = parse_recipient(text).map_err(|why| (text.to_owned(), why))?;
            names.push(key.to_string());
        }
        names.sort();
        names.dedup();
        let keys = names
            .iter()
            .map(|name| parse_recipient(name).map_err(|why| (name.clone(), why)))
            .collect::<Result<_, _>>()?;
        Ok(Self { keys, names })
    }

    /// Returns the recipients as text, sorted, without duplicates.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

fn parse_recipient(text: &str) -> Result<age::x25519::Recipient, String> {
    if text.starts_with("AGE-SECRET-KEY-") {
        return Err("this is a secret key, not a recipient".into());
    }
    age::x25519::Recipient::from_str(text).map_err(|why| format!("expected an age recipient (age1…): {why}"))
}

/// What came of encrypting a plaintext.
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
pub enum EncryptError {
    /// The plaintext could not be read.
    Reading(io::Error),
    /// The ciphertext could not be written.
    Writing(io::Error),
    /// The cipher itself failed.
    Cipher(String),
}

/// Encrypts `plain` to `recipients` into `output`, reading it once.
pub fn encrypt(recipients: &Recipients, plain: &mut dyn Read, output: impl Write) -> Result<Encrypted, EncryptError> {
    let keys = recipients.keys.iter().map(|key| key as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(keys).map_err(|e| EncryptError::Cipher(e.to_string()))?;
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

/// Reads the header of an age file without a key: its stanza types, payload nonce and length, or why it has none.
///
/// Whether the header is authentic cannot be seen without a key.
pub fn header(input: impl Read) -> Result<SealHeader, String> {
    let mut counted = Tail {
        inner: BufReader::new(input.take(MAX_HEADER as u64)),
        count: 0,
        last: [0; 16],
    };
    let decryptor = age::Decryptor::new_buffered(&mut counted)
        .map_err(|e| format!("it is not an age file: {e}").replace('\n', " "))?;
    let recorder = Recorder::default();
    // No identity unwraps anything, so this always fails, after every stanza was shown to the recorder.
    drop(decryptor.decrypt(std::iter::once(&recorder as &dyn age::Identity)));
    Ok(SealHeader {
        stanzas: recorder.0.into_inner(),
        nonce: STANDARD_NO_PAD.encode(counted.last),
        bytes: counted.count,
    })
}

/// Returns whether bytes begin with the whole header of an age file, armoured or not.
pub fn has_header(head: &[u8]) -> bool {
    header(age::armor::ArmoredReader::new(head)).is_ok()
}

/// Reads an age file to its end, armoured or not, and tells whether header, stanzas and payload length are those of one:
/// why not, if they are not.
///
/// An error is one of reading. Whether it is authentic cannot be seen without a key.
pub fn examine_seal(input: &mut dyn Read) -> io::Result<Result<(), String>> {
    let mut source = Source {
        inner: input,
        failed: None,
    };
    let verdict = {
        let mut plain = age::armor::ArmoredReader::new(&mut source);
        let mut counted = Counted {
            inner: &mut plain,
            count: 0,
        };
        match header(&mut counted) {
            Err(why) => Err(why),
            Ok(seal) => match io::copy(&mut counted, &mut io::sink()) {
                Err(e) => Err(e.to_string()),
                Ok(_) => match is_chunked(counted.count.saturating_sub(seal.bytes)) {
                    true => Ok(()),
                    false => Err("no payload has this length".into()),
                },
            },
        }
    };
    // Whatever the cipher made of it: what could not be read was not judged, and the stream is read to its end.
    let drained = io::copy(&mut source, &mut io::sink());
    match source.failed {
        Some(e) => Err(e),
        None => drained.map(|_| verdict),
    }
}

/// Remembers an error of reading, which the cipher would take for one of format.
struct Source<'a> {
    inner: &'a mut dyn Read,
    failed: Option<io::Error>,
}

impl Read for Source<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(e) = &self.failed {
            return Err(io::Error::new(e.kind(), e.to_string()));
        }
        self.inner.read(buf).inspect_err(|e| {
            if e.kind() != io::ErrorKind::Interrupted {
                self.failed = Some(io::Error::new(e.kind(), e.to_string()));
            }
        })
    }
}

/// Counts what is read.
struct Counted<'a, R> {
    inner: &'a mut R,
    count: u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.count += n as u64;
        Ok(n)
    }
}

/// An identity that opens nothing and remembers which stanzas it was shown.
#[derive(Default)]
struct Recorder(std::cell::RefCell<Vec<String>>);

impl age::Identity for Recorder {
    fn unwrap_stanza(
        &self,
        stanza: &age_core::format::Stanza,
    ) -> Option<Result<age_core::format::FileKey, age::DecryptError>> {
        self.0.borrow_mut().push(stanza.tag.clone());
        None
    }
}

/// Counts what is consumed and keeps the last 16 bytes: the decryptor stops right behind the payload nonce.
struct Tail<R> {
    inner: BufReader<R>,
    count: u64,
    last: [u8; 16],
}

impl<R: Read> Read for Tail<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let n = available.len().min(buf.len());
        buf[..n].copy_from_slice(&available[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: Read> BufRead for Tail<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.count += n as u64;
        let consumed = &self.inner.buffer()[..n];
        let kept = n.min(self.last.len());
        self.last.rotate_left(kept);
        self.last[16 - kept..].copy_from_slice(&consumed[n - kept..]);
        self.inner.consume(n);
    }
}

/// Why an age file was not opened.
#[derive(Debug)]
pub enum DecryptError {
    /// None of the identities is meant.
    NotFor(String),
    /// It is no age file, or a damaged one, or what it holds could not be written.
    Broken(String),
}

impl std::fmt::Display for DecryptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFor(why) | Self::Broken(why) => f.write_str(why),
        }
    }
}

/// Decrypts an age file, armoured or not, with the X25519 identities in the text of an identity file.
///
/// What was written to `output` before an error was found is not to be used.
pub fn decrypt(identity_file: &str, input: impl Read, output: &mut dyn Write) -> Result<(), DecryptError> {
    let lines = identity_file
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'));
    let identities: Vec<age::x25519::Identity> = lines
        .filter_map(|line| age::x25519::Identity::from_str(line).ok())
        .collect();
    let broken = |why: String| DecryptError::Broken(why.replace('\n', " "));
    let input = age::armor::ArmoredReader::new(input);
    let decryptor = age::Decryptor::new(input).map_err(|e| broken(format!("it is not an age file: {e}")))?;
    let mut plain = decryptor
        .decrypt(identities.iter().map(|identity| identity as &dyn age::Identity))
        .map_err(|e| match e {
            age::DecryptError::NoMatchingKeys => DecryptError::NotFor(e.to_string()),
            other => broken(other.to_string()),
        })?;
    let mut buffer = Zeroizing::new(vec![0; 64 << 10]);
    loop {
        match plain.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => output.write_all(&buffer[..n]).map_err(|e| broken(e.to_string()))?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(broken(e.to_string())),
        }
    }
}

/// A new identity: the text of its file, and its recipient.
pub struct NewIdentity {
    /// What an age identity file holds.
    pub file: Zeroizing<String>,
    /// The recipient, `age1…`.
    pub recipient: String,
}

/// Makes a new X25519 identity; `created` stands in the file's comment as `age-keygen` writes it.
pub fn generate_identity(created: &str) -> NewIdentity {
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let secret = identity.to_string();
    let file = Zeroizing::new(format!(
        "# created: {created}\n# public key: {recipient}\n{}\n",
        secret.expose_secret()
    ));
    NewIdentity { file, recipient }
}

/// Returns the recipient of the first X25519 identity in the text of an identity file.
pub fn recipient_of(identity_file: &str) -> Option<String> {
    identity_file
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| age::x25519::Identity::from_str(line).ok())
        .map(|identity| identity.to_public().to_string())
}

impl EncryptError {
    /// Says what failed; the paths are those of the plaintext and of the ciphertext.
    pub fn refusal(self, plain: &std::path::Path, sealed: &std::path::Path) -> Refusal {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sealed::chunk_bytes;

    fn sealed(plain: &[u8]) -> (String, Vec<u8>, Encrypted) {
        let identity = generate_identity("2026-01-15T10:30:00Z");
        let recipients = Recipients::parse([identity.recipient.as_str()]).unwrap();
        let mut out = Vec::new();
        let encrypted = encrypt(&recipients, &mut &plain[..], &mut out).ok().unwrap();
        (identity.file.to_string(), out, encrypted)
    }

    #[test]
    fn what_was_encrypted_opens_with_its_identity() {
        for size in [0, 1, 65_535, 65_536, 65_537, 200_000] {
            let plain = vec![7; size];
            let (identity, bytes, encrypted) = sealed(&plain);
            assert_eq!(encrypted.plain_hash, Digest::of(&plain));
            assert_eq!(encrypted.sealed_hash, Digest::of(&bytes));
            assert_eq!(
                (encrypted.plain_bytes, encrypted.sealed_bytes),
                (size as u64, bytes.len() as u64)
            );
            let key = identity.lines().last().unwrap();
            let key = age::x25519::Identity::from_str(key).unwrap();
            let decryptor = age::Decryptor::new(&bytes[..]).unwrap();
            let mut opened = Vec::new();
            decryptor
                .decrypt(std::iter::once(&key as &dyn age::Identity))
                .unwrap()
                .read_to_end(&mut opened)
                .unwrap();
            assert_eq!(opened, plain);
        }
    }

    #[test]
    fn the_header_tells_stanzas_nonce_and_length() {
        let (_, bytes, _) = sealed(&[1; 70_000]);
        let header = header(&bytes[..]).unwrap();
        assert_eq!(header.stanzas[0], "X25519");
        assert_eq!(header.bytes + chunk_bytes(70_000), bytes.len() as u64);
        let nonce = &bytes[header.bytes as usize - 16..header.bytes as usize];
        assert_eq!(header.nonce, STANDARD_NO_PAD.encode(nonce));
    }

    #[test]
    fn what_is_not_an_age_file_has_no_header() {
        let (_, bytes, _) = sealed(b"x");
        for wrong in [&b""[..], b"age-encryption.org/v1\n", b"plaintext", &bytes[..60]] {
            assert!(header(wrong).is_err());
        }
        let endless = io::repeat(b'a');
        assert!(header((&b"age-encryption.org/v1\n-> X25519 "[..]).chain(endless)).is_err());
    }

    #[test]
    fn recipients_are_a_set_and_secrets_are_no_recipients() {
        let (a, b) = (generate_identity("").recipient, generate_identity("").recipient);
        let one = Recipients::parse([a.as_str(), b.as_str(), a.as_str()]).unwrap();
        let two = Recipients::parse([b.as_str(), a.as_str()]).unwrap();
        assert_eq!(one.names(), two.names());
        let identity = generate_identity("");
        let secret = identity.file.lines().last().unwrap();
        let (_, why) = Recipients::parse([secret]).err().unwrap();
        assert!(why.contains("secret key"), "{why}");
        assert!(Recipients::parse(["age1nonsense"]).is_err());
        assert_eq!(recipient_of(&identity.file), Some(identity.recipient));
    }
}
