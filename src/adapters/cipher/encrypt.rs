//! Encrypts to recipients.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc;

use age_core::format::{FileKey, Stanza};

use super::open::copy_of;
use super::payload::{PayloadBatch, PayloadBatches, PayloadKey};
use super::structure::NONCE;
use super::{Recipients, one_line};
use crate::format::digest::{Digest, Hashing};
use crate::refusal::Refusal;
use crate::refusal::keys::CipherFault;

/// The hashes and sizes of a plaintext and its ciphertext.
#[derive(Debug)]
pub struct Encrypted {
    /// SHA-256 of the plaintext.
    pub plain_hash: Digest,
    /// Size of the plaintext in bytes.
    pub plain_bytes: u64,
    /// SHA-256 of the ciphertext.
    pub sealed_hash: Digest,
    /// Size of the ciphertext in bytes.
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
    Cipher(CipherFault),
}

impl EncryptError {
    /// Returns the refusal for this error. `plain` and `sealed` are the paths of the plaintext and the ciphertext.
    pub fn refusal(self, plain: &Path, sealed: &Path) -> Refusal {
        match self {
            Self::Reading(source) => Refusal::io("reading", plain)(source),
            Self::Writing(source) => Refusal::io("writing", sealed)(source),
            Self::Cipher(fault) => Refusal::Crypto {
                deed: "encrypting",
                subject: plain.display().to_string(),
                fault,
            },
        }
    }
}

/// Number of chunks that one thread encrypts at a time: few enough to stay in its cache.
const FEW: usize = 2;

/// Number of chunks that threads hand over at a time, and how many such batches there are. Together they are the memory
/// that [`encrypt_large`] takes.
const MANY: usize = 4;
const BATCHES: usize = 5;

/// Encrypts `plain` to `recipients` and writes the ciphertext to `output`. Reads `plain` once.
pub fn encrypt(recipients: &Recipients, plain: &mut dyn Read, output: impl Write) -> Result<Encrypted, EncryptError> {
    one_by_one(begin(recipients)?, plain, output)
}

/// Like [`encrypt`], but reads and hashes the plaintext on this thread, encrypts it on another one, and hashes and writes
/// the ciphertext on a third one. The bytes are the same.
///
/// More threads would not help: a hash is one chain, and takes longer than encrypting.
pub fn encrypt_large(
    recipients: &Recipients,
    plain: &mut dyn Read,
    output: impl Write + Send,
) -> Result<Encrypted, EncryptError> {
    in_stages(begin(recipients)?, plain, output)
}

/// An age file without its payload.
struct Begun {
    /// The header, and the payload's nonce.
    header: Vec<u8>,
    key: PayloadKey,
}

fn one_by_one(begun: Begun, plain: &mut dyn Read, output: impl Write) -> Result<Encrypted, EncryptError> {
    let Begun { header, key } = begun;
    let mut output = Hashing::new(output);
    output.write_all(&header).map_err(EncryptError::Writing)?;
    let (used, free) = batches(2, FEW);
    let plain = pass_on(plain, &free, |mut batch| {
        key.encrypt(&mut batch);
        output.write_all(batch.ciphertext()).map_err(EncryptError::Writing)?;
        Ok(used.send(batch).is_ok())
    });
    let plain = plain?;
    output.flush().map_err(EncryptError::Writing)?;
    finished(plain, output)
}

fn in_stages(begun: Begun, plain: &mut dyn Read, output: impl Write + Send) -> Result<Encrypted, EncryptError> {
    let Begun { header, key } = begun;
    let (used, free) = batches(BATCHES, MANY);
    let (to_cipher, to_encrypt) = mpsc::sync_channel::<PayloadBatch>(1);
    let (to_output, to_write) = mpsc::sync_channel::<PayloadBatch>(1);
    // A thread ends when the one before it has closed their channel. After an error, also when the one behind it has.
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for mut batch in to_encrypt {
                key.encrypt(&mut batch);
                if to_output.send(batch).is_err() {
                    break;
                }
            }
        });
        let writer = scope.spawn(move || -> io::Result<_> {
            let mut output = Hashing::new(output);
            output.write_all(&header)?;
            for batch in to_write {
                output.write_all(batch.ciphertext())?;
                // At the end, nobody needs it any more.
                drop(used.send(batch));
            }
            output.flush()?;
            Ok(output)
        });
        let plain = pass_on(plain, &free, |batch| Ok(to_cipher.send(batch).is_ok()));
        drop(to_cipher);
        let output = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        finished(plain?, output.map_err(EncryptError::Writing)?)
    })
}

/// Lets the crate make a header and its keys.
fn begin(recipients: &Recipients) -> Result<Begun, EncryptError> {
    let noted = RefCell::new(None);
    let encryptor = recipients.with_each(|each| {
        let noting: Vec<Noting> = each.map(|recipient| Noting { recipient, key: &noted }).collect();
        age::Encryptor::with_recipients(noting.iter().map(|each| each as &dyn age::Recipient))
    })?;
    let mut header = Vec::new();
    drop(encryptor.wrap_output(&mut header).map_err(EncryptError::Writing)?);
    let file_key = noted
        .into_inner()
        .expect("the crate wraps the file key for a recipient");
    let nonce = &header[header.len() - NONCE..];
    let key = PayloadKey::of(&file_key, nonce);
    Ok(Begun { header, key })
}

/// A recipient that notes the file key that it is to wrap.
struct Noting<'a> {
    recipient: &'a dyn age::Recipient,
    key: &'a RefCell<Option<FileKey>>,
}

impl age::Recipient for Noting<'_> {
    fn wrap_file_key(&self, key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        self.key.replace(Some(copy_of(key)));
        self.recipient.wrap_file_key(key)
    }
}

/// Returns a channel of free batches, and the end at which they are given back.
fn batches(count: usize, chunks: usize) -> (mpsc::Sender<PayloadBatch>, mpsc::Receiver<PayloadBatch>) {
    let (used, free) = mpsc::channel();
    for _ in 0..count {
        used.send(PayloadBatch::of(chunks)).expect("its receiver is here");
    }
    (used, free)
}

/// Reads `plain` into free batches and passes these to `each`, until the end or until `each` returns false.
///
/// Returns the hashed plaintext. `None` if not all of it was passed on.
fn pass_on<'a>(
    plain: &'a mut dyn Read,
    free: &mpsc::Receiver<PayloadBatch>,
    mut each: impl FnMut(PayloadBatch) -> Result<bool, EncryptError>,
) -> Result<Option<Hashing<&'a mut dyn Read>>, EncryptError> {
    let mut batches = PayloadBatches::of(Hashing::new(plain));
    while !batches.ended() {
        let Ok(batch) = free.recv() else { return Ok(None) };
        if let Some(batch) = batches.read(batch).map_err(EncryptError::Reading)?
            && !each(batch)?
        {
            return Ok(None);
        }
    }
    let (plain, last) = batches.last();
    let Some(batch) = last else { return Ok(None) };
    Ok(each(batch)?.then_some(plain))
}

fn finished<R, W>(plain: Option<Hashing<R>>, output: Hashing<W>) -> Result<Encrypted, EncryptError> {
    let plain = plain.ok_or_else(|| EncryptError::Writing(io::Error::other("not all of it was encrypted")))?;
    let (_, sealed_hash, sealed_bytes) = output.finish();
    let (_, plain_hash, plain_bytes) = plain.finish();
    Ok(Encrypted {
        plain_hash,
        plain_bytes,
        sealed_hash,
        sealed_bytes,
    })
}

/// Describes an encryption error of the crate.
pub(super) fn fault_of(error: &age::EncryptError) -> CipherFault {
    match error {
        age::EncryptError::IncompatibleRecipients { .. } => CipherFault::MixedRecipients,
        age::EncryptError::MissingRecipients => CipherFault::NoRecipients,
        age::EncryptError::PluginResolve(why) => missing_plugin(why),
        other => CipherFault::Said(one_line(other)),
    }
}

/// Converts the error for a plugin that was not found.
pub(super) fn missing_plugin(why: &age::plugin::ResolveError) -> CipherFault {
    match why {
        age::plugin::ResolveError::MissingPlugin { binary_name } => CipherFault::MissingPlugin {
            program: binary_name.clone(),
        },
        other => CipherFault::Said(one_line(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::cipher::{Silence, generate_identity};

    /// Counts calls and fails at one of them.
    struct Faulty<T> {
        inner: T,
        calls: usize,
        errs_at: usize,
    }

    impl<T> Faulty<T> {
        fn new(inner: T, errs_at: usize) -> Self {
            Self {
                inner,
                calls: 0,
                errs_at,
            }
        }

        fn call(&mut self) -> io::Result<()> {
            self.calls += 1;
            match self.calls == self.errs_at {
                // The kind of the error must not matter. The crate uses this one for damaged ciphertexts.
                true => Err(io::Error::new(io::ErrorKind::InvalidData, "injected")),
                false => Ok(()),
            }
        }
    }

    impl<T: Write> Write for Faulty<T> {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.call()?;
            self.inner.write(buf)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.call()?;
            self.inner.flush()
        }
    }

    impl<T: Read> Read for Faulty<T> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.call()?;
            // Short reads make several calls necessary.
            let n = buf.len().min(10_000);
            self.inner.read(&mut buf[..n])
        }
    }

    fn recipients() -> Recipients {
        let recipient = generate_identity("now").recipient;
        Recipients::parse([recipient.as_str()], &Silence::asker()).unwrap()
    }

    /// Sizes around those of a chunk and of a batch: empty, one byte, whole ones, and more.
    const SIZES: [usize; 8] = [0, 1, 65_535, 65_536, 65_537, 131_072, 262_145, 1_500_000];

    #[test]
    fn any_number_of_threads_makes_the_bytes_that_the_crate_reads() {
        let identity = age::x25519::Identity::generate();
        let recipient = identity.to_public().to_string();
        let recipients = Recipients::parse([recipient.as_str()], &Silence::asker()).unwrap();
        for size in SIZES {
            let plain: Vec<u8> = (0..size).map(|at| (at / 251) as u8).collect();
            let begun = begin(&recipients).unwrap();
            let again = Begun {
                header: begun.header.clone(),
                key: begun.key.clone(),
            };
            let (mut alone, mut shared) = (Vec::new(), Vec::new());
            let one = one_by_one(begun, &mut &plain[..], &mut alone).unwrap();
            let other = in_stages(again, &mut &plain[..], &mut shared).unwrap();
            assert_eq!(alone, shared, "{size}");
            for made in [one, other] {
                assert_eq!((made.plain_hash, made.plain_bytes), (Digest::of(&plain), size as u64));
                assert_eq!(
                    (made.sealed_hash, made.sealed_bytes),
                    (Digest::of(&alone), alone.len() as u64)
                );
            }
            let reader = age::Decryptor::new_buffered(&alone[..]).unwrap();
            let mut reader = reader
                .decrypt(std::iter::once(&identity as &dyn age::Identity))
                .unwrap();
            let mut opened = Vec::new();
            reader.read_to_end(&mut opened).unwrap();
            assert_eq!(opened, plain, "{size}");
        }
    }

    type Way = fn(&Recipients, &mut dyn Read, &mut Faulty<Vec<u8>>) -> Result<Encrypted, EncryptError>;

    const WAYS: [Way; 2] = [
        |recipients, plain, output| encrypt(recipients, plain, output),
        |recipients, plain, output| encrypt_large(recipients, plain, output),
    ];

    #[test]
    fn an_error_at_any_write_is_an_error_of_writing() {
        let recipients = recipients();
        for (size, way) in SIZES.into_iter().flat_map(|size| WAYS.map(|way| (size, way))) {
            let plain = vec![7; size];
            let run = |errs_at| {
                let mut output = Faulty::new(Vec::new(), errs_at);
                let encrypted = way(&recipients, &mut &plain[..], &mut output);
                (encrypted, output)
            };
            let (whole, output) = run(usize::MAX);
            assert_eq!(whole.unwrap().sealed_bytes, output.inner.len() as u64);
            // The header, the chunks, and a flush.
            assert!(output.calls >= 3, "{size}: {} calls", output.calls);
            for errs_at in 1..=output.calls {
                match run(errs_at) {
                    (Err(EncryptError::Writing(e)), output) => {
                        assert_eq!(e.to_string(), "injected");
                        assert_eq!(output.calls, errs_at, "{size}: it went on after an error");
                    }
                    (other, _) => panic!("{size}, call {errs_at}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn an_error_at_any_read_is_an_error_of_reading() {
        let recipients = recipients();
        for (size, way) in SIZES[..7].iter().flat_map(|size| WAYS.map(|way| (*size, way))) {
            let plain = vec![7; size];
            let run = |errs_at| {
                let mut input = Faulty::new(&plain[..], errs_at);
                let encrypted = way(&recipients, &mut input, &mut Faulty::new(Vec::new(), usize::MAX));
                (encrypted, input.calls)
            };
            let (whole, calls) = run(usize::MAX);
            assert_eq!(whole.unwrap().plain_bytes, size as u64);
            assert!(calls > size / 10_000, "{size}: {calls} calls");
            for errs_at in 1..=calls {
                match run(errs_at) {
                    (Err(EncryptError::Reading(e)), calls) if e.to_string() == "injected" => {
                        assert_eq!(calls, errs_at, "{size}: it went on after an error");
                    }
                    (other, _) => panic!("{size}, read {errs_at}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn an_interrupted_read_is_tried_again() {
        struct Interrupted<'a>(&'a [u8], bool);
        impl Read for Interrupted<'_> {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.1 = !self.1;
                match self.1 {
                    true => Err(io::ErrorKind::Interrupted.into()),
                    false => self.0.read(buf),
                }
            }
        }
        let plain = vec![7; 70_000];
        let encrypted = encrypt(&recipients(), &mut Interrupted(&plain, false), io::sink()).unwrap();
        assert_eq!(
            (encrypted.plain_bytes, encrypted.plain_hash),
            (70_000, Digest::of(&plain))
        );
    }
}
