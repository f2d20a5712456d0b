//! Staging: each source is read once, into the pack or into the cipher.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::adapters::cipher::{self, Recipients};
use crate::adapters::files;
use crate::adapters::git::blobs;
use crate::adapters::git::digest_cache::DigestCache;
use crate::adapters::seal_store::SealStore;
use crate::adapters::staging::Staging;
use crate::adapters::workers;
use crate::format::digest::{Digest, Hasher};
use crate::format::manifest::{Member, MemberType};
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::receipt::{self, Receipt};
use crate::format::refusal::{Refusal, Result};
use crate::format::sealed::{SealedArtifact, sealed_path};
use crate::ops::seal::collect::{Plain, Plan, Protected, Source};
use crate::rules::member_type;

/// Everything that was written.
pub struct Staged {
    /// The plain members, in the order of the plan.
    pub plain: Vec<StagedMember>,
    /// The sealed ones, in the order of the plan.
    pub sealed: Vec<StagedSeal>,
}

/// A plain member that was written.
pub struct StagedMember {
    /// Its entry in the manifest.
    pub member: Member,
    /// Its bytes.
    pub size: u64,
}

/// A sealed member that was written.
pub struct StagedSeal {
    /// Its entry in the manifest.
    pub member: Member,
    /// Its entry in `SEALED_ARTIFACTS.json`.
    pub artifact: SealedArtifact,
    /// SHA-256 of the plaintext; never to be published.
    pub plain_hash: Digest,
    /// The receipt to keep, if this is a new ciphertext.
    pub receipt: Option<(Receipt, PathBuf)>,
}

/// Writes every member of the plan.
pub fn stage(staging: &Staging, plan: &Plan) -> Result<Staged> {
    // What must not leak is done first: if it cannot be sealed, nothing was copied for nothing.
    let sealed = match &plan.recipients {
        Some(recipients) => seal_all(staging, plan, recipients)?,
        None => Vec::new(),
    };
    Ok(Staged {
        plain: copy_all(staging, plan)?,
        sealed,
    })
}

fn copy_all(staging: &Staging, plan: &Plan) -> Result<Vec<StagedMember>> {
    let mut staged: Vec<Option<StagedMember>> = plan.plain.iter().map(|_| None).collect();
    let blobs: Vec<(usize, ObjectId)> = plan
        .plain
        .iter()
        .enumerate()
        .filter_map(|(at, item)| match item.source {
            Source::Blob(id) => Some((at, id)),
            _ => None,
        })
        .collect();
    if let Some(repo) = plan.repo.as_ref().filter(|_| !blobs.is_empty()) {
        let ids: Vec<ObjectId> = blobs.iter().map(|(_, id)| *id).collect();
        let copies = repo.with_blobs(&ids, |at, mut blob| {
            let (index, id) = &blobs[at];
            copy(staging, &plan.plain[*index].path, &mut blob, |e| blobs::reading(id, &e))
        })?;
        for ((at, _), copy) in blobs.iter().zip(copies) {
            staged[*at] = Some(copy);
        }
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
        Source::File(path) => {
            let opened = files::open_regular(path)?;
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
        size += n as u64;
        file.write_all(chunk)
            .map_err(|e| Refusal::io("writing", &staging.member(path))(e))?;
    }
    let (kind, artifact_version) = probe.detect();
    Ok(StagedMember {
        member: Member {
            path: path.clone(),
            bytes_hash: hasher.finish(),
            kind,
            artifact_version,
        },
        size,
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

fn seal_all(staging: &Staging, plan: &Plan, recipients: &Recipients) -> Result<Vec<StagedSeal>> {
    let common_dir = plan.repo.as_ref().map(|repo| repo.common_dir());
    let store = common_dir.as_deref().map(SealStore::of);
    let cache = common_dir.as_deref().map_or_else(DigestCache::off, DigestCache::load);
    let sealer = Sealer {
        staging,
        recipients,
        store,
        cache,
        plan,
    };
    workers::map(&plan.protected, || Ok(()), |(), item| sealer.seal(item))
}

struct Sealer<'a> {
    staging: &'a Staging,
    recipients: &'a Recipients,
    store: Option<SealStore>,
    cache: DigestCache,
    plan: &'a Plan,
}

impl Sealer<'_> {
    fn seal(&self, item: &Protected) -> Result<StagedSeal> {
        let member = MemberPath::parse(&sealed_path(&item.path)).map_err(|why| Refusal::UnsafePath {
            path: sealed_path(&item.path),
            reason: why.to_string(),
        })?;
        let target = self.staging.member(&member);
        let file = self.staging.create(&member)?;
        // A tracked artifact that was hashed before need not be read to find its earlier ciphertext.
        if let Source::Blob(id) = &item.source
            && let Some((hash, _)) = self.cache.get(id)
            && let Some(receipt) = self.earlier(&hash)?
        {
            self.reuse(&receipt, file, &target)?;
            return self.staged(item, member, receipt, None);
        }
        let encrypted = match &item.source {
            Source::Blob(id) => {
                let repo = self.plan.repo.as_ref().expect("blobs come from a repository");
                let name = PathBuf::from(item.path.as_str());
                let sealed = repo.with_blobs(std::slice::from_ref(id), |_, mut blob| {
                    cipher::encrypt(self.recipients, &mut blob, &file).map_err(|e| e.refusal(&name, &target))
                })?;
                sealed.into_iter().next().expect("one id gives one result or a refusal")
            }
            source => read_source(source, |path, reader| {
                cipher::encrypt(self.recipients, reader, &file).map_err(|e| e.refusal(path, &target))
            })?,
        };
        if let Some(receipt) = self.earlier(&encrypted.plain_hash)? {
            self.reuse(&receipt, self.staging.overwrite(&member)?, &target)?;
            return self.staged(item, member, receipt, None);
        }
        let receipt = Receipt {
            version: receipt::VERSION.into(),
            plain_hash: encrypted.plain_hash,
            plain_bytes: encrypted.plain_bytes,
            sealed_hash: encrypted.sealed_hash,
            sealed_bytes: encrypted.sealed_bytes,
            recipients: self.recipients.names().to_vec(),
        };
        self.staged(item, member, receipt, Some(target))
    }

    fn earlier(&self, plain_hash: &Digest) -> Result<Option<Receipt>> {
        match &self.store {
            Some(store) => store.find(plain_hash, self.recipients.names()),
            None => Ok(None),
        }
    }

    fn reuse(&self, receipt: &Receipt, file: impl Write, target: &Path) -> Result<()> {
        match &self.store {
            Some(store) => store.copy_into(receipt, file, target),
            None => unreachable!("a receipt comes from a store"),
        }
    }

    fn staged(
        &self,
        item: &Protected,
        member: MemberPath,
        receipt: Receipt,
        new: Option<PathBuf>,
    ) -> Result<StagedSeal> {
        let target = self.staging.member(&member);
        let header = cipher::header(&files::open_regular(&target)?.file).map_err(|reason| Refusal::Crypto {
            deed: "reading back",
            subject: member.to_string(),
            reason,
        })?;
        Ok(StagedSeal {
            artifact: SealedArtifact {
                path: item.path.to_string(),
                class: item.class.clone(),
                policy: item.policy,
                rule: item.rule.clone(),
                sealed_path: member.to_string(),
                sealed_hash: receipt.sealed_hash,
                sealed_bytes: receipt.sealed_bytes,
                plain_bytes: receipt.plain_bytes,
                stanzas: header.stanzas,
                nonce: header.nonce,
            },
            member: Member {
                path: member,
                bytes_hash: receipt.sealed_hash,
                kind: MemberType::Other,
                artifact_version: None,
            },
            plain_hash: receipt.plain_hash,
            receipt: new.map(|path| (receipt, path)),
        })
    }
}
