//! Seals the artifacts: makes new ciphertexts, or reuses earlier ones of the same plaintexts.

use std::io::{Read, Write};
use std::path::Path;

use crate::adapters::cipher;
use crate::adapters::clone::digests::DigestCache;
use crate::adapters::clone::seals::SealStore;
use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::adapters::staging::Staging;
use crate::adapters::workers;
use crate::format::canonical_json::to_document;
use crate::format::digest::{Digest, Hashing};
use crate::format::manifest::{Member, MemberType};
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::padding::{Padded, padded_bytes};
use crate::format::receipt::{self, Receipt, ReceiptSubject};
use crate::format::sealed::{
    DIRECTORY, INDEX, INDEX_VERSION, IndexedArtifact, Seal, SealedArtifact, SealedIndex, opaque_path, sealed_path,
};
use crate::ops::pack::documents::ensure_readable;
use crate::ops::pack::seal::copy::read_source;
use crate::ops::pack::seal::load::{ArtifactSize, Load};
use crate::ops::pack::seal::plan::{ArtifactSource, ProtectedArtifact, Sealing};
use crate::ops::pack::seal::reuse::Reusable;
use crate::ops::pack::seal::staged::{KeptFrom, StagedCiphertext, StagedSeal};
use crate::refusal::{Refusal, Result};

/// Seals the artifacts of a plan.
pub(super) struct Sealer<'a> {
    staging: &'a Staging,
    repo: &'a Repository,
    sealing: &'a Sealing,
    store: SealStore,
    cache: &'a DigestCache,
    reusable: Option<&'a Reusable>,
    load: Load,
}

/// A plaintext to encrypt, and the name of its ciphertext.
struct Job<'a> {
    /// The artifact's path.
    path: &'a str,
    source: &'a ArtifactSource,
    padded: bool,
    /// The staged path.
    member: MemberPath,
    /// Whether the member is then renamed to the hash of its ciphertext.
    opaque: bool,
}

impl<'a> Sealer<'a> {
    /// Makes a sealer for the artifacts of a repository.
    pub(super) fn of(
        staging: &'a Staging,
        repo: &'a Repository,
        sealing: &'a Sealing,
        reusable: Option<&'a Reusable>,
    ) -> Self {
        let sources = sealing.artifacts.iter().map(|artifact| &artifact.source);
        Self {
            staging,
            repo,
            sealing,
            store: repo.private().seals(),
            cache: repo.private().digests(),
            reusable,
            load: Load::of(sources.map(ArtifactSize::of)),
        }
    }

    /// Seals all artifacts in their order, and their names if these are sealed, too.
    pub(super) fn all(&self) -> Result<(Vec<StagedSeal>, Option<StagedCiphertext>)> {
        let numbered: Vec<(usize, &ProtectedArtifact)> = self.sealing.artifacts.iter().enumerate().collect();
        let opaque = self.sealing.privacy.opaque_names;
        let sealed = workers::map(
            &numbered,
            || Ok(()),
            |(), (number, item)| {
                let member = match opaque {
                    true => format!("{DIRECTORY}/{number}.new"),
                    false => sealed_path(&item.path),
                };
                let sealed = self.seal(&Job {
                    path: item.path.as_str(),
                    source: &item.source,
                    padded: self.sealing.privacy.pad,
                    member: own_member(&member),
                    opaque,
                })?;
                Ok(StagedSeal {
                    artifact: SealedArtifact {
                        path: (!opaque).then(|| item.path.to_string()),
                        class: item.class.clone(),
                        policy: item.policy,
                        rule: (!opaque).then(|| item.rule.clone()),
                        seal: sealed.seal.clone(),
                    },
                    path: item.path.clone(),
                    sealed,
                })
            },
        )?;
        // With these digests, a tracked artifact need not be read to find its ciphertext next time.
        let hashed: Vec<(ObjectId, Digest, u64)> = self
            .sealing
            .artifacts
            .iter()
            .zip(&sealed)
            .filter_map(|(item, staged)| match item.source {
                ArtifactSource::Blob(id) if self.cache.get(&id).is_none() => {
                    Some((id, staged.sealed.plain_hash, staged.sealed.plain_bytes))
                }
                _ => None,
            })
            .collect();
        self.cache.keep(&hashed, |_| true);
        let index = match opaque && !sealed.is_empty() {
            true => Some(self.index(&sealed)?),
            false => None,
        };
        Ok((sealed, index))
    }

    /// Seals the names that the document leaves out. Their number is public, their length is not.
    fn index(&self, sealed: &[StagedSeal]) -> Result<StagedCiphertext> {
        let mut artifacts: Vec<IndexedArtifact> = self
            .sealing
            .artifacts
            .iter()
            .zip(sealed)
            .map(|(item, staged)| IndexedArtifact {
                path: item.path.to_string(),
                rule: item.rule.clone(),
                sealed_path: staged.sealed.seal.sealed_path.clone(),
            })
            .collect();
        artifacts.sort_by(|a, b| a.path.cmp(&b.path));
        let document = SealedIndex {
            version: INDEX_VERSION.into(),
            artifacts,
        };
        let document = to_document(&document);
        ensure_readable(INDEX, padded_bytes(document.len() as u64))?;
        self.seal(&Job {
            path: INDEX,
            source: &ArtifactSource::Bytes(document),
            padded: true,
            member: own_member(INDEX),
            opaque: false,
        })
    }

    fn seal(&self, job: &Job<'_>) -> Result<StagedCiphertext> {
        let target = self.staging.member(&job.member);
        let file = self.staging.create(&job.member)?;
        // The ciphertext of a tracked artifact with a known hash is found without reading the artifact.
        if let ArtifactSource::Blob(id) = job.source
            && let Some((hash, _)) = self.cache.get(id)
            && let Some(receipt) = self.earlier(self.subject(job, hash))?
        {
            self.store.copy_into(&receipt, file, &target)?;
            return self.staged(job, receipt, KeptFrom::Here);
        }
        let new = match job.source {
            ArtifactSource::Blob(id) => {
                let sealed = self.repo.with_blobs(std::slice::from_ref(id), |_, mut blob| {
                    let size = blob.size();
                    self.encrypt(job, (Path::new(job.path), &mut blob, size), &file)
                })?;
                sealed.into_iter().next().expect("one id gives one result or a refusal")
            }
            source => read_source(source, |path, reader, size| {
                self.encrypt(job, (path, reader, size), &file)
            })?,
        };
        if let Some(receipt) = self.earlier(new.subject.clone())? {
            self.store
                .copy_into(&receipt, self.staging.overwrite(&job.member)?, &target)?;
            return self.staged(job, receipt, KeptFrom::Here);
        }
        if let Some(reusable) = self.reusable
            && let Some(receipt) = reusable.find(&new.subject)
        {
            reusable.copy_into(&receipt, self.staging.overwrite(&job.member)?, &target)?;
            return self.staged(job, receipt, KeptFrom::InPack);
        }
        self.staged(job, new, KeptFrom::No)
    }

    fn subject(&self, job: &Job<'_>, plain_hash: Digest) -> ReceiptSubject {
        ReceiptSubject {
            path: job.path.to_owned(),
            plain_hash,
            padded: job.padded,
            opaque: self.sealing.privacy.opaque_names,
            recipients: self.sealing.recipients.names().to_vec(),
        }
    }

    /// Reads a plaintext once, and encrypts it. It comes with its path and its size in bytes.
    fn encrypt(
        &self,
        job: &Job<'_>,
        (path, plain, size): (&Path, &mut dyn Read, u64),
        file: impl Write + Send,
    ) -> Result<Receipt> {
        let target = self.staging.member(&job.member);
        let encrypt = |plain: &mut dyn Read| {
            let encrypted = match self.load.is_outlasted_by(ArtifactSize::of(job.source), size) {
                true => cipher::encrypt_large(&self.sealing.recipients, plain, file),
                false => cipher::encrypt(&self.sealing.recipients, plain, file),
            };
            encrypted.map_err(|e| e.refusal(path, &target))
        };
        let (encrypted, plain_hash, plain_bytes) = match job.padded {
            true => {
                let mut padded = Padded::new(Hashing::new(plain));
                let encrypted = encrypt(&mut padded)?;
                let (_, hash, bytes) = padded.into_inner().finish();
                (encrypted, hash, bytes)
            }
            false => {
                let encrypted = encrypt(plain)?;
                let (hash, bytes) = (encrypted.plain_hash, encrypted.plain_bytes);
                (encrypted, hash, bytes)
            }
        };
        Ok(Receipt {
            version: receipt::VERSION.into(),
            subject: self.subject(job, plain_hash),
            plain_bytes,
            sealed_hash: encrypted.sealed_hash,
            sealed_bytes: encrypted.sealed_bytes,
        })
    }

    fn earlier(&self, subject: ReceiptSubject) -> Result<Option<Receipt>> {
        match self.sealing.fresh {
            true => Ok(None),
            false => self.store.find(&subject),
        }
    }

    fn staged(&self, job: &Job<'_>, receipt: Receipt, kept: KeptFrom) -> Result<StagedCiphertext> {
        let header =
            cipher::header(&files::open_regular(&self.staging.member(&job.member))?.file).map_err(|fault| {
                Refusal::Crypto {
                    deed: "reading back",
                    subject: job.path.to_owned(),
                    fault,
                }
            })?;
        let member = match job.opaque {
            true => {
                let named = own_member(&opaque_path(&receipt.sealed_hash));
                self.staging.rename(&job.member, &named)?;
                named
            }
            false => job.member.clone(),
        };
        Ok(StagedCiphertext {
            seal: Seal {
                sealed_path: member.to_string(),
                sealed_hash: receipt.sealed_hash,
                sealed_bytes: receipt.sealed_bytes,
                plain_bytes: match job.padded {
                    true => padded_bytes(receipt.plain_bytes),
                    false => receipt.plain_bytes,
                },
                padded: job.padded,
                stanzas: header.stanzas,
                nonce: header.nonce,
            },
            plain_hash: receipt.subject.plain_hash,
            plain_bytes: receipt.plain_bytes,
            // The recipients of another pack's ciphertext are not known, so it gets no receipt.
            receipt: (kept == KeptFrom::No).then(|| (receipt.clone(), self.staging.member(&member))),
            kept,
            member: Member {
                path: member,
                bytes_hash: receipt.sealed_hash,
                kind: MemberType::Other,
                artifact_version: None,
            },
        })
    }
}

/// Returns the path of a member that is named by us, or by a member path.
fn own_member(path: &str) -> MemberPath {
    MemberPath::parse(path).expect("it is made of safe segments")
}
