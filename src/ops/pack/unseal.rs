//! The sealed part of a pack, for the holder of a key: the names of its artifacts, and their content.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::adapters::cipher::{self, DecryptError, Identities};
use crate::format::canonical_json::{parse_strict_into, to_document};
use crate::format::digest::Hashing;
use crate::format::member_path::{MemberPath, above};
use crate::format::padding::Unpadding;
use crate::format::sealed::{INDEX_VERSION, IndexedArtifact, Seal, SealedArtifacts, SealedIndex};
use crate::ops::keys::identity;
use crate::ops::pack::source::Source;
use crate::refusal::keys::CipherFault;
use crate::refusal::seal::SealFault;
use crate::refusal::{Refusal, Result};

/// The largest index that is opened.
pub const MAX_INDEX: u64 = 64 << 20;

/// An artifact with its name.
#[derive(Clone, Debug)]
pub struct NamedSeal {
    /// The path of the plaintext.
    pub path: MemberPath,
    /// The rule that sealed it.
    pub rule: String,
    /// Its ciphertext.
    pub seal: Seal,
}

/// Why a seal was not opened.
#[derive(Debug)]
pub enum Unopened {
    /// The cipher did not open it.
    Cipher(DecryptError),
    /// It is not the declared file, or its content is not what was declared.
    Seal(SealFault),
}

impl Unopened {
    /// Makes the refusal for `subject`, which was not opened into the file `target`.
    pub fn refusal(self, subject: &str, target: &Path, identities: &Identities) -> Refusal {
        match self {
            Self::Cipher(DecryptError::Writing(e)) => Refusal::io("writing", target)(e),
            Self::Cipher(why) => identity::not_opened(why, subject, identities),
            Self::Seal(fault) => Refusal::Crypto {
                deed: "opening",
                subject: subject.to_owned(),
                fault: CipherFault::Seal(fault),
            },
        }
    }
}

/// Returns the artifacts that the document of a pack declares, sorted by path. If names are sealed, opens
/// the index for them.
pub fn named(
    source: &Source<'_>,
    document: &SealedArtifacts,
    identities: &Identities,
) -> Result<Vec<NamedSeal>, Unopened> {
    named_by(document, |index, bytes| {
        unseal(source, index, identities, bytes).map(drop)
    })
}

/// Like [`named`], but opens the index with `open_index`.
pub fn named_by(
    document: &SealedArtifacts,
    open_index: impl FnOnce(&Seal, &mut Vec<u8>) -> Result<(), Unopened>,
) -> Result<Vec<NamedSeal>, Unopened> {
    let mut named = match &document.index {
        None => document
            .artifacts
            .iter()
            .map(|artifact| {
                let (path, rule) = (artifact.path.as_deref(), artifact.rule.as_deref());
                name(path.unwrap_or_default(), rule.unwrap_or_default(), &artifact.seal)
            })
            .collect::<Result<Vec<_>, _>>()?,
        Some(index) => {
            let mut bytes = Vec::new();
            if index.plain_bytes > MAX_INDEX {
                return Err(Unopened::Seal(SealFault::IndexTooLong { allowed: MAX_INDEX }));
            }
            open_index(index, &mut bytes)?;
            let mut sealed: BTreeMap<&str, &Seal> = document
                .artifacts
                .iter()
                .map(|artifact| (artifact.seal.sealed_path.as_str(), &artifact.seal))
                .collect();
            let index = parse_index(&bytes).map_err(Unopened::Seal)?;
            if index.len() != sealed.len() {
                return Err(Unopened::Seal(SealFault::IndexCount {
                    entries: index.len(),
                    seals: sealed.len(),
                }));
            }
            let entries = index.iter().map(|entry| {
                // Each seal may be named once. A second entry for it finds it gone.
                let seal = sealed.remove(entry.sealed_path.as_str());
                let seal = seal.ok_or_else(|| {
                    let path = entry.sealed_path.clone();
                    Unopened::Seal(SealFault::IndexUnknown { path })
                })?;
                name(&entry.path, &entry.rule, seal)
            });
            entries.collect::<Result<Vec<_>, _>>()?
        }
    };
    named.sort_by(|a, b| a.path.cmp(&b.path));
    if let Some(pair) = named.windows(2).find(|pair| pair[0].path == pair[1].path) {
        let path = pair[0].path.to_string();
        return Err(Unopened::Seal(SealFault::Duplicate { path }));
    }
    let paths: BTreeSet<&str> = named.iter().map(|named| named.path.as_str()).collect();
    for path in &paths {
        if let Some(file) = above(path).find(|above| paths.contains(above)) {
            let path = file.to_owned();
            return Err(Unopened::Seal(SealFault::FileAndDirectory { path }));
        }
    }
    Ok(named)
}

fn parse_index(bytes: &[u8]) -> Result<Vec<IndexedArtifact>, SealFault> {
    let index: SealedIndex = parse_strict_into(bytes).map_err(|e| SealFault::BadIndex { said: e.to_string() })?;
    match index.version.as_str() {
        INDEX_VERSION if to_document(&index) != bytes || !index.artifacts.is_sorted_by(|a, b| a.path < b.path) => {
            Err(SealFault::IndexNotCanonical)
        }
        INDEX_VERSION => Ok(index.artifacts),
        other => Err(SealFault::IndexVersion {
            expected: INDEX_VERSION,
            found: other.to_owned(),
        }),
    }
}

fn name(path: &str, rule: &str, seal: &Seal) -> Result<NamedSeal, Unopened> {
    let parsed = MemberPath::parse(path).map_err(|fault| {
        let path = path.to_owned();
        Unopened::Seal(SealFault::BadName { path, fault })
    })?;
    Ok(NamedSeal {
        path: parsed,
        rule: rule.to_owned(),
        seal: seal.clone(),
    })
}

/// Decrypts a seal of a pack into `output`, without its padding; returns the size of the content.
///
/// After an error, do not use what was written. The ciphertext must be the declared one, even if the file was changed
/// after the pack was verified.
pub fn unseal(
    source: &Source<'_>,
    seal: &Seal,
    identities: &Identities,
    output: impl Write + Send,
) -> Result<u64, Unopened> {
    let mut output = Some(output);
    let mut unsealed = None;
    let read = source.member(&seal.sealed_path, &mut |ciphertext, _| {
        unsealed = output
            .take()
            .map(|output| unseal_from(ciphertext, seal, identities, output));
        Ok(())
    });
    match (read, unsealed) {
        (Ok(()), Some(unsealed)) => unsealed,
        _ => Err(Unopened::Seal(SealFault::Unreadable)),
    }
}

/// Like [`unseal`], but takes the ciphertext from any reader.
pub fn unseal_from(
    ciphertext: impl Read,
    seal: &Seal,
    identities: &Identities,
    output: impl Write,
) -> Result<u64, Unopened> {
    let mut ciphertext = Hashing::new(ciphertext);
    let mut unpadding = Unpadding::new(output, seal.padded);
    cipher::decrypt(identities, &mut ciphertext, &mut unpadding).map_err(Unopened::Cipher)?;
    let (_, hash, bytes) = ciphertext.finish();
    if (hash, bytes) != (seal.sealed_hash, seal.sealed_bytes) {
        return Err(Unopened::Seal(SealFault::Changed));
    }
    let finished = unpadding.finish().map_err(|e| match e.kind() {
        io::ErrorKind::InvalidData => Unopened::Seal(SealFault::BadPadding),
        _ => Unopened::Cipher(DecryptError::Writing(e)),
    });
    finished.map(|(_, length)| length)
}
