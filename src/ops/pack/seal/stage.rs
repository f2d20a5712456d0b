//! Staging: each source is read once, into the pack or into the cipher.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::adapters::cipher::{self, Recipients};
use crate::adapters::clone::digests::DigestCache;
use crate::adapters::clone::seals::SealStore;
use crate::adapters::files;
use crate::adapters::git::blobs;
use crate::adapters::staging::Staging;
use crate::adapters::workers;
use crate::format::canonical_json::to_document;
use crate::format::digest::{Digest, Hasher, Hashing};
use crate::format::dump::text::{TextShape, TextWatch};
use crate::format::manifest::{Member, MemberType};
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::padding::{Padded, padded_bytes};
use crate::format::receipt::{self, Receipt, Subject};
use crate::format::sealed::{
    DIRECTORY, INDEX, INDEX_VERSION, IndexedArtifact, Seal, SealedArtifact, SealedIndex, opaque_path, sealed_path,
};
use crate::ops::pack::documents::ensure_readable;
use crate::ops::pack::seal::collect::{Plain, Plan, Protected, Source, TreePlan, member_path};
use crate::ops::pack::seal::reuse::Reusable;
use crate::ops::state;
use crate::refusal::{Refusal, Result};
use crate::rules::member_type;

/// Everything that was written.
pub struct Staged {
    /// The plain members, in the order of the plan.
    pub plain: Vec<StagedMember>,
    /// The sealed ones, in the order of the plan.
    pub sealed: Vec<StagedSeal>,
    /// The sealed names, where names are sealed too.
    pub index: Option<StagedCiphertext>,
}

impl Staged {
    /// Returns every ciphertext: those of the artifacts, and that of the index.
    pub fn ciphertexts(&self) -> impl Iterator<Item = &StagedCiphertext> {
        self.sealed.iter().map(|seal| &seal.sealed).chain(&self.index)
    }
}

/// A plain member that was written, under the path that the plan has for it.
pub struct StagedMember {
    /// SHA-256 of its bytes.
    pub hash: Digest,
    /// What it is.
    pub kind: MemberType,
    /// Its `version`, where the type is known by one.
    pub artifact_version: Option<Box<str>>,
    /// Its bytes.
    pub size: u64,
    /// Its shape, where it is text.
    pub text: Option<TextShape>,
}

/// A sealed artifact that was written.
pub struct StagedSeal {
    /// Its ciphertext.
    pub sealed: StagedCiphertext,
    /// Its entry in `SEALED_ARTIFACTS.json`.
    pub artifact: SealedArtifact,
    /// Where it would lie in plaintext.
    pub path: MemberPath,
}

/// A ciphertext that was written.
pub struct StagedCiphertext {
    /// Its entry in the manifest.
    pub member: Member,
    /// What is public about it.
    pub seal: Seal,
    /// SHA-256 of the plaintext; never to be published.
    pub plain_hash: Digest,
    /// Bytes of the plaintext, without padding.
    pub plain_bytes: u64,
    /// The receipt to keep, and the ciphertext, if this is a new one.
    pub receipt: Option<(Receipt, PathBuf)>,
    /// Where it was before.
    pub kept: Kept,
}

/// Writes every member of the plan.
pub fn stage(staging: &Staging, plan: &Plan, reusable: Option<&Reusable>) -> Result<Staged> {
    // What must not leak is done first: if it cannot be sealed, nothing was copied for nothing.
    let (sealed, index) = match &plan.recipients {
        Some(recipients) => Sealer::of(staging, plan, recipients, reusable).all()?,
        None => (Vec::new(), None),
    };
    let plain = match plan.tree.as_ref().is_none_or(TreePlan::needs_copies) {
        true => copy_all(staging, plan)?,
        false => hash_all(plan)?,
    };
    Ok(Staged { plain, sealed, index })
}

/// Finds out what copies would be, without any.
fn hash_all(plan: &Plan) -> Result<Vec<StagedMember>> {
    let (Some(repo), Some(registry)) = (&plan.repo, &plan.registry) else {
        unreachable!("a tree pack has a repository, and the registry of its commit");
    };
    let entries = plan.plain.iter().map(|item| match (item.tracked(), &item.entry) {
        (Some((path, _)), Some(entry)) => (path.as_bytes(), entry.kind, &entry.id),
        _ => unreachable!("a tree pack has entries of a tree"),
    });
    let hashed = state::digests(repo, registry, entries, &repo.private().digests())?;
    let staged = hashed.into_iter().map(|(hash, size)| StagedMember {
        hash,
        kind: MemberType::Other,
        artifact_version: None,
        size,
        text: None,
    });
    Ok(staged.collect())
}

fn copy_all(staging: &Staging, plan: &Plan) -> Result<Vec<StagedMember>> {
    let blobs = plan
        .plain
        .iter()
        .enumerate()
        .filter_map(|(at, item)| match item.source {
            Source::Blob(id) => Some((at, id)),
            _ => None,
        });
    let (places, ids): (Vec<usize>, Vec<ObjectId>) = blobs.unzip();
    let mut copied = Vec::new();
    if let Some(repo) = plan.repo.as_ref().filter(|_| !ids.is_empty()) {
        copied = repo.with_blobs(&ids, |at, mut blob| {
            let path = &plan.plain[places[at]].path;
            copy(staging, path, &mut blob, |e| blobs::reading(&ids[at], &e))
        })?;
    }
    drop(ids);
    if copied.len() == plan.plain.len() {
        return Ok(copied);
    }
    let mut staged: Vec<Option<StagedMember>> = plan.plain.iter().map(|_| None).collect();
    for (at, copy) in places.into_iter().zip(copied) {
        staged[at] = Some(copy);
    }
    let others: Vec<(usize, &Plain)> = plan
        .plain
        .iter()
        .enumerate()
        .filter(|(at, _)| staged[*at].is_none())
        .collect();
    let copies = workers::map(
        &others,
        || Ok(()),
        |(), (_, item)| {
            read_source(&item.source, |path, reader| {
                copy(staging, &item.path, reader, |e| Refusal::io("reading", path)(e))
            })
        },
    )?;
    for ((at, _), copy) in others.iter().zip(copies) {
        staged[*at] = Some(copy);
    }
    Ok(staged.into_iter().flatten().collect())
}

/// Gives the bytes of a file, or those at hand, to `each`; a file that changes meanwhile is refused.
fn read_source<R>(source: &Source, each: impl FnOnce(&Path, &mut dyn Read) -> Result<R>) -> Result<R> {
    match source {
        Source::File(path, stamp) => {
            let opened = files::open_same(path, stamp)?;
            let result = each(path, &mut &opened.file)?;
            opened.ensure_unchanged()?;
            Ok(result)
        }
        Source::Bytes(bytes) => each(Path::new(""), &mut &bytes[..]),
        Source::Blob(_) => unreachable!("blobs are read through the repository"),
    }
}

/// Streams `reader` into a member: hashed, typed and written in one pass.
fn copy(
    staging: &Staging,
    path: &MemberPath,
    reader: &mut dyn Read,
    unreadable: impl Fn(std::io::Error) -> Refusal,
) -> Result<StagedMember> {
    let mut file = staging.create(path)?;
    let mut hasher = Hasher::default();
    let mut probe = Probe::default();
    let mut watch = TextWatch::default();
    let mut size = 0;
    let mut buffer = vec![0; 128 << 10];
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(unreadable(e)),
        };
        let chunk = &buffer[..n];
        hasher.update(chunk);
        probe.feed(chunk);
        watch.see(chunk);
        size += n as u64;
        file.write_all(chunk)
            .map_err(|e| Refusal::io("writing", &staging.member(path))(e))?;
    }
    let (kind, artifact_version) = probe.detect();
    Ok(StagedMember {
        hash: hasher.finish(),
        kind,
        artifact_version: artifact_version.map(String::into_boxed_str),
        size,
        text: watch.shape(),
    })
}

/// Keeps what type detection needs to see, and no more.
#[derive(Default)]
struct Probe {
    bytes: Vec<u8>,
    hopeless: bool,
}

impl Probe {
    fn feed(&mut self, chunk: &[u8]) {
        if self.hopeless {
            return;
        }
        if self.bytes.len() + chunk.len() > member_type::MAX_BYTES || !member_type::is_hopeful(chunk) {
            self.hopeless = true;
            self.bytes = Vec::new();
            return;
        }
        self.bytes.extend_from_slice(chunk);
    }

    fn detect(self) -> (MemberType, Option<String>) {
        member_type::detect((!self.hopeless).then_some(&self.bytes))
    }
}

struct Sealer<'a> {
    staging: &'a Staging,
    recipients: &'a Recipients,
    store: Option<SealStore>,
    cache: DigestCache,
    plan: &'a Plan,
    reusable: Option<&'a Reusable>,
}

/// Where a ciphertext was before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Nowhere: it is new.
    No,
    /// In this clone.
    Here,
    /// In another pack.
    InPack,
}

/// What is to be encrypted, and under which name it will lie.
struct Job<'a> {
    /// The artifact's path.
    path: &'a str,
    source: &'a Source,
    padded: bool,
    /// Where it is staged.
    member: MemberPath,
    /// Whether it is then renamed after its ciphertext.
    opaque: bool,
}

impl<'a> Sealer<'a> {
    fn of(staging: &'a Staging, plan: &'a Plan, recipients: &'a Recipients, reusable: Option<&'a Reusable>) -> Self {
        let private = plan.repo.as_ref().map(|repo| repo.private());
        Self {
            staging,
            recipients,
            store: private.map(|private| private.seals()),
            cache: private.map_or_else(DigestCache::off, |private| private.digests()),
            plan,
            reusable,
        }
    }

    fn all(&self) -> Result<(Vec<StagedSeal>, Option<StagedCiphertext>)> {
        let numbered: Vec<(usize, &Protected)> = self.plan.protected.iter().enumerate().collect();
        let opaque = self.plan.privacy.opaque_names;
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
                    padded: self.plan.privacy.pad,
                    member: member_path(member.as_bytes())?,
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
        // So that a tracked artifact need not be read to find its ciphertext the next time.
        let hashed: Vec<(ObjectId, Digest, u64)> = self
            .plan
            .protected
            .iter()
            .zip(&sealed)
            .filter_map(|(item, staged)| match item.source {
                Source::Blob(id) if self.cache.get(&id).is_none() => {
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

    /// Seals the names that the document leaves out. Their number is public; how long they are is not.
    fn index(&self, sealed: &[StagedSeal]) -> Result<StagedCiphertext> {
        let mut artifacts: Vec<IndexedArtifact> = self
            .plan
            .protected
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
            source: &Source::Bytes(document),
            padded: true,
            member: member_path(INDEX.as_bytes())?,
            opaque: false,
        })
    }

    fn seal(&self, job: &Job<'_>) -> Result<StagedCiphertext> {
        let target = self.staging.member(&job.member);
        let file = self.staging.create(&job.member)?;
        // A tracked artifact that was hashed before need not be read to find its earlier ciphertext.
        if let Source::Blob(id) = job.source
            && let Some((hash, _)) = self.cache.get(id)
            && let Some(receipt) = self.earlier(self.subject(job, hash))?
        {
            self.reuse(&receipt, file, &target)?;
            return self.staged(job, receipt, Kept::Here);
        }
        let new = match job.source {
            Source::Blob(id) => {
                let repo = self.plan.repo.as_ref().expect("blobs come from a repository");
                let sealed = repo.with_blobs(std::slice::from_ref(id), |_, mut blob| {
                    self.encrypt(job, Path::new(job.path), &mut blob, &file)
                })?;
                sealed.into_iter().next().expect("one id gives one result or a refusal")
            }
            source => read_source(source, |path, reader| self.encrypt(job, path, reader, &file))?,
        };
        if let Some(receipt) = self.earlier(new.subject.clone())? {
            self.reuse(&receipt, self.staging.overwrite(&job.member)?, &target)?;
            return self.staged(job, receipt, Kept::Here);
        }
        if let Some(reusable) = self.reusable
            && let Some(receipt) = reusable.find(&new.subject)
        {
            reusable.copy_into(&receipt, self.staging.overwrite(&job.member)?, &target)?;
            return self.staged(job, receipt, Kept::InPack);
        }
        self.staged(job, new, Kept::No)
    }

    fn subject(&self, job: &Job<'_>, plain_hash: Digest) -> Subject {
        Subject {
            path: job.path.to_owned(),
            plain_hash,
            padded: job.padded,
            opaque: self.plan.privacy.opaque_names,
            recipients: self.recipients.names().to_vec(),
        }
    }

    /// Reads a plaintext once, into the cipher.
    fn encrypt(&self, job: &Job<'_>, path: &Path, plain: &mut dyn Read, file: impl Write) -> Result<Receipt> {
        let target = self.staging.member(&job.member);
        let refuse = |e: cipher::EncryptError| e.refusal(path, &target);
        let (encrypted, plain_hash, plain_bytes) = match job.padded {
            true => {
                let mut padded = Padded::new(Hashing::new(plain));
                let encrypted = cipher::encrypt(self.recipients, &mut padded, file).map_err(refuse)?;
                let (_, hash, bytes) = padded.into_inner().finish();
                (encrypted, hash, bytes)
            }
            false => {
                let encrypted = cipher::encrypt(self.recipients, plain, file).map_err(refuse)?;
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

    fn earlier(&self, subject: Subject) -> Result<Option<Receipt>> {
        match &self.store {
            Some(store) if !self.plan.fresh => store.find(&subject),
            _ => Ok(None),
        }
    }

    fn reuse(&self, receipt: &Receipt, file: impl Write, target: &Path) -> Result<()> {
        match &self.store {
            Some(store) => store.copy_into(receipt, file, target),
            None => unreachable!("a receipt comes from a store"),
        }
    }

    fn staged(&self, job: &Job<'_>, receipt: Receipt, kept: Kept) -> Result<StagedCiphertext> {
        let header =
            cipher::header(&files::open_regular(&self.staging.member(&job.member))?.file).map_err(|reason| {
                Refusal::Crypto {
                    deed: "reading back",
                    subject: job.path.to_owned(),
                    reason,
                }
            })?;
        let member = match job.opaque {
            true => {
                let named = member_path(opaque_path(&receipt.sealed_hash).as_bytes())?;
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
            // For whom the ciphertext of another pack is sealed is not known, so it gets no receipt that says so.
            receipt: (kept == Kept::No).then(|| (receipt.clone(), self.staging.member(&member))),
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
