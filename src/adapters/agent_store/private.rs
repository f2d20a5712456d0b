//! Private files of agents on disk: bounded reads into memory that is wiped, and encrypted files that are checked before
//! they get their names.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::adapters::cipher::{self, DecryptError, Identities, Recipients};
use crate::adapters::files::platform::{names_of, open_to_lock, set_mode};
use crate::adapters::files::{
    self, Over, Stamp, TEMPORARY, UnnamedFile, ensure_is_no_link, open_regular, open_same, parent, place_unnamed_by,
    remove, sync, unnamed_beside,
};
use crate::format::agent::HEADER;
use crate::format::agent::private::{MAX_CONTENT, PrivateHeader, binding};
use crate::format::digest::{Digest, Hashing};
use crate::refusal::agent::AgentFault;
use crate::refusal::private_file::PrivateFault;
use crate::refusal::{Refusal, Result};

/// The most bytes that a private file may have: the content, and what age adds to it.
pub const MAX_FILE: u64 = MAX_CONTENT + (MAX_CONTENT >> 12) + (4 << 20);

/// Makes the refusal for a private file.
pub fn refused(path: &Path, fault: PrivateFault) -> Refusal {
    Refusal::Agent {
        path: path.to_owned(),
        fault: AgentFault::Private(fault),
    }
}

/// The content of a regular file, and what tells whether it is still the same.
pub struct WholeFile {
    /// Its bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// How many names it has.
    pub names: u64,
    path: PathBuf,
    stamp: Stamp,
}

impl WholeFile {
    /// Reads a regular file of at most `max` bytes. Links are not followed.
    pub fn read(path: &Path, max: u64) -> Result<Self> {
        let opened = open_regular(path)?;
        let too_large = || refused(path, PrivateFault::TooLarge { allowed: max });
        if opened.size > max {
            return Err(too_large());
        }
        // Reserve all the room first: a growing vector leaves copies behind that are not wiped.
        let mut bytes = Zeroizing::new(Vec::with_capacity(opened.size as usize + 1));
        let reading = |e| Refusal::io("reading", path)(e);
        (&opened.file)
            .take(opened.size + 1)
            .read_to_end(&mut bytes)
            .map_err(reading)?;
        opened.ensure_unchanged()?;
        Ok(Self {
            names: names_of(&opened.file).map_err(reading)?,
            stamp: opened.stamp(),
            path: path.to_owned(),
            bytes,
        })
    }

    /// Refuses if the file is not the one that was read, or has changed.
    pub fn ensure_same(&self) -> Result<()> {
        open_same(&self.path, &self.stamp).map(drop)
    }

    /// Removes the file, unless it has changed since it was read.
    pub fn remove(&self) -> Result<()> {
        self.ensure_same()?;
        remove(&self.path)?;
        sync(parent(&self.path))
    }
}

/// A lock on a directory of private files. It is released when the value is dropped, or the process dies.
#[must_use = "the lock is released when it is dropped"]
pub struct DirectoryLock {
    _directory: File,
}

impl DirectoryLock {
    /// Waits for the lock on a directory. No file is made for it.
    pub fn wait(directory: &Path) -> Result<Self> {
        ensure_is_no_link(directory)?;
        // The same words as without a lock: a dry run says what the real one says.
        let opened = open_to_lock(directory).map_err(Refusal::io("listing", directory))?;
        opened.lock().map_err(Refusal::io("locking", directory))?;
        Ok(Self { _directory: opened })
    }
}

/// Returns the name that a new file has until it replaces the one at `path`.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{TEMPORARY}{name}"))
}

/// Removes what a killed process may have left beside `path`, if that is possible. Needs the lock on the directory.
pub fn clean_beside(path: &Path, _lock: &DirectoryLock) {
    let left = temporary(path);
    if std::fs::symlink_metadata(&left).is_ok_and(|meta| meta.is_file()) {
        drop(remove(&left));
    }
}

/// Returns everything in a directory by its name: for a file `None`, else the name of its kind.
pub fn listed(directory: &Path) -> Result<BTreeMap<OsString, Option<&'static str>>> {
    let kinds = files::kinds_in(directory)?.into_iter();
    Ok(kinds
        .map(|(name, kind)| (name, (!kind.is_file()).then(|| files::kind_name(kind))))
        .collect())
}

/// An encrypted file that was written and checked, and has no name yet.
pub struct ProvenFile {
    file: UnnamedFile,
    path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

impl ProvenFile {
    /// Encrypts `content` beside `path`, reads the result back, and compares it.
    ///
    /// If one of the identities opens it, the content is compared. Else the written bytes are: with those that were
    /// encrypted, by their hash, and with the structure of such a file.
    pub fn write(
        path: &Path,
        header: &PrivateHeader,
        content: &[u8],
        recipients: &Recipients,
        identities: &Identities,
    ) -> Result<Self> {
        let writing = |e| Refusal::io("writing", path)(e);
        let mut file = unnamed_beside(path, 0o600)?;
        // The umask may have taken bits away that reading back needs.
        set_mode(&file, 0o600).map_err(writing)?;
        file.write_all(header.bytes()).map_err(writing)?;
        let binding = binding(header.bytes());
        let mut plain = binding.as_bytes().chain(content);
        let encrypted = cipher::encrypt(recipients, &mut plain, &mut file).map_err(|e| e.refusal(path, path))?;
        file.sync_all().map_err(writing)?;
        let mut sealed = Self {
            file,
            path: path.to_owned(),
            bytes: HEADER as u64 + encrypted.sealed_bytes,
        };
        match sealed.comes_back(header, &encrypted.sealed_hash, content, identities)? {
            true => Ok(sealed),
            false => Err(refused(path, PrivateFault::Unproven)),
        }
    }

    fn comes_back(
        &mut self,
        header: &PrivateHeader,
        payload: &Digest,
        content: &[u8],
        identities: &Identities,
    ) -> Result<bool> {
        let reading = |e| Refusal::io("reading", &self.path)(e);
        let mut start = [0; HEADER];
        self.file.rewind().map_err(reading)?;
        self.file.read_exact(&mut start).map_err(reading)?;
        let mut hashing = Hashing::new(&mut self.file);
        let structure = cipher::examine_seal(&mut hashing).map_err(reading)?;
        let (_, found, _) = hashing.finish();
        if start != *header.bytes() || found != *payload || structure.is_err() {
            return Ok(false);
        }
        if identities.is_empty() {
            return Ok(true);
        }
        let mut bytes = Zeroizing::new(Vec::new());
        self.file.rewind().map_err(reading)?;
        self.file.read_to_end(&mut bytes).map_err(reading)?;
        match opened(&bytes, identities) {
            Ok((_, opened)) => Ok(opened.as_slice() == content),
            Err(Unopenable::Cipher(DecryptError::NotFor { .. } | DecryptError::Locked { .. })) => Ok(true),
            Err(_) => Ok(false),
        }
    }

    /// Gives the file its name. Needs the lock on the directory.
    pub fn place(self, over: Over, _lock: &DirectoryLock) -> Result<()> {
        let temporary = temporary(&self.path);
        place_unnamed_by(self.file, &self.path, over, &temporary)
    }
}

/// Why a private file was not opened.
pub enum Unopenable {
    /// It is not valid, or its content is not.
    Fault(PrivateFault),
    /// The cipher did not open it.
    Cipher(DecryptError),
}

impl From<PrivateFault> for Unopenable {
    fn from(fault: PrivateFault) -> Self {
        Self::Fault(fault)
    }
}

/// Opens the bytes of a private file: returns its header, and its content, which may be anything.
pub fn opened(bytes: &[u8], identities: &Identities) -> Result<(PrivateHeader, Zeroizing<Vec<u8>>), Unopenable> {
    let header = PrivateHeader::parse(bytes)?;
    let payload = &bytes[HEADER..];
    // Armour has more than one form of the same bytes.
    if cipher::header(payload).is_err() {
        return Err(PrivateFault::NotAge.into());
    }
    // Reserve all the room first: a growing vector leaves copies behind that are not wiped.
    let mut plain = Zeroizing::new(Vec::with_capacity(payload.len()));
    cipher::decrypt(identities, payload, &mut *plain).map_err(Unopenable::Cipher)?;
    let binding = binding(header.bytes());
    if !plain.starts_with(binding.as_bytes()) {
        return Err(PrivateFault::OtherHeader.into());
    }
    plain.drain(..binding.len());
    Ok((header, plain))
}
