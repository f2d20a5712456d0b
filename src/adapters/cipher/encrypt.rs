//! Encrypts to recipients.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

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

/// Encrypts `plain` to `recipients` and writes the ciphertext to `output`. Reads `plain` once.
pub fn encrypt(recipients: &Recipients, plain: &mut dyn Read, output: impl Write) -> Result<Encrypted, EncryptError> {
    let encryptor = recipients.with_each(|each| age::Encryptor::with_recipients(each))?;
    let failed = Cell::new(None);
    let writing = |e| EncryptError::Writing(failed.take().unwrap_or(e));
    let mut writer = encryptor
        .wrap_output(Hashing::new(Failing {
            inner: output,
            failed: &failed,
        }))
        .map_err(writing)?;
    let mut reader = Hashing::new(plain);
    let mut buffer = Zeroizing::new(vec![0; 64 << 10]);
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(EncryptError::Reading(e)),
        };
        writer.write_all(&buffer[..n]).map_err(writing)?;
    }
    let mut sealed = writer.finish().map_err(writing)?;
    sealed.flush().map_err(writing)?;
    let (_, sealed_hash, sealed_bytes) = sealed.finish();
    let (_, plain_hash, plain_bytes) = reader.finish();
    Ok(Encrypted {
        plain_hash,
        plain_bytes,
        sealed_hash,
        sealed_bytes,
    })
}

/// Remembers the original error of a failed write, because the crate turns it into text while it writes the header.
struct Failing<'a, W> {
    inner: W,
    failed: &'a Cell<Option<io::Error>>,
}

impl<W> Failing<'_, W> {
    fn keep<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|e| {
            let kind = e.kind();
            if kind != io::ErrorKind::Interrupted {
                self.failed.set(Some(e));
            }
            kind.into()
        })
    }
}

impl<W: Write> Write for Failing<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buf);
        self.keep(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.keep(flushed)
    }
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

    /// Sizes around the chunk size: empty, one byte, one whole chunk, and more.
    const SIZES: [usize; 5] = [0, 1, 65_536, 65_537, 200_000];

    #[test]
    fn an_error_at_any_write_is_an_error_of_writing() {
        let recipients = recipients();
        for size in SIZES {
            let plain = vec![7; size];
            let run = |errs_at| {
                let mut output = Faulty::new(Vec::new(), errs_at);
                let encrypted = encrypt(&recipients, &mut &plain[..], &mut output);
                (encrypted, output)
            };
            let (whole, output) = run(usize::MAX);
            assert_eq!(whole.unwrap().sealed_bytes, output.inner.len() as u64);
            assert!(output.calls > size / (64 << 10) + 2, "{size}: {} calls", output.calls);
            // Headers carry random grease, so the number of calls varies. Stop when a run has no call left to fail.
            let mut failed = 0;
            for errs_at in 1.. {
                match run(errs_at) {
                    (Err(EncryptError::Writing(e)), output) => {
                        assert_eq!(e.to_string(), "injected");
                        assert_eq!(output.calls, errs_at, "{size}: it went on after an error");
                        failed += 1;
                    }
                    (Ok(_), output) if output.calls < errs_at => break,
                    (other, _) => panic!("{size}, call {errs_at}: {other:?}"),
                }
            }
            assert!(failed > size / (64 << 10) + 2, "{size}: {failed}");
        }
    }

    #[test]
    fn an_error_at_any_read_is_an_error_of_reading() {
        let recipients = recipients();
        for size in SIZES {
            let plain = vec![7; size];
            let reads = size.div_ceil(10_000) + 1;
            for errs_at in 1..=reads {
                let mut input = Faulty::new(&plain[..], errs_at);
                let encrypted = encrypt(&recipients, &mut input, io::sink());
                assert!(
                    matches!(&encrypted, Err(EncryptError::Reading(e)) if e.to_string() == "injected"),
                    "{size}, read {errs_at}: {encrypted:?}"
                );
                assert_eq!(input.calls, errs_at, "{size}: it went on after an error");
            }
            let mut input = Faulty::new(&plain[..], reads + 1);
            assert_eq!(
                encrypt(&recipients, &mut input, io::sink()).unwrap().plain_bytes,
                size as u64
            );
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
