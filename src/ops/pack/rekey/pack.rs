//! Rekeys a pack: seals its artifacts for other recipients, and copies everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::adapters::staging::{Access, Staging};
use crate::adapters::{cipher, files, pack_dir, workers};
use crate::format::canonical_json::to_document;
use crate::format::digest::{Digest, Hashing};
use crate::format::manifest::{Declared, Member, MemberType};
use crate::format::member_path::MemberPath;
use crate::format::padding::{Padded, padded_bytes};
use crate::format::sealed::{
    DIRECTORY, INDEX, INDEX_VERSION, IndexedArtifact, MEMBER as SEALED_ARTIFACTS, Seal, SealedArtifact,
    SealedArtifacts, SealedIndex, opaque_path,
};
use crate::format::timestamp::Timestamp;
use crate::format::tree_meta::{FILE_INDEX, FILE_TREE};
use crate::ops::pack::documents::DocumentWriter;
use crate::ops::pack::rekey::remains::Remains;
use crate::ops::pack::rekey::turn::{Ciphertext, TurnJob};
use crate::ops::pack::rekey::{Change, ConfigOf, RekeyReport, RekeyRequest, is_same};
use crate::ops::pack::seal::{check_output, publish};
use crate::ops::pack::sealed_pack::SealedPack;
use crate::ops::pack::source::Source;
use crate::ops::pack::unseal::NamedSeal;
use crate::ops::{Context, contents};
use crate::refusal::pack::PackFault;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};

/// Rekeys a pack.
pub fn rekey(ctx: &Context, request: &RekeyRequest) -> Result<RekeyReport> {
    let root = ctx.cwd.join(&request.what);
    let output = ctx.cwd.join(&request.output);
    check_output(&output, request.replace)?;
    ensure_outside(&root, &output)?;
    let change = Change::of(ctx, request, ConfigOf::Head)?;
    let source = Source::Directory(&root);
    let pack = SealedPack::verified(&source, &request.what)?;
    change.ensure_somebody(pack.document.artifacts.iter().map(|artifact| {
        let path = artifact.path.as_deref();
        path.unwrap_or(&artifact.seal.sealed_path).to_owned()
    }))?;
    files::ensure_stays_in_tree(&output)?;
    let staging = Staging::beside(&output, Access::Shared)?;
    let rekeying = Rekeying {
        change: &change,
        root: &root,
        pack: &pack,
        staging: &staging,
    };
    let Rekeyed { pack_id, old } = rekeying.all()?;
    let replaced = is_same(&root, &output);
    match request.dry_run {
        true => drop(staging),
        false => publish(staging, &output, request.replace)?,
    }
    let standing = (!replaced).then_some(root.as_path());
    Ok(RekeyReport {
        pack_id: Some(pack_id),
        input_hash: pack.verdict.manifest_hash,
        input_bytes: pack.verdict.manifest_bytes,
        artifacts: pack.document.artifacts.len() as u64,
        recipients: change.recipients.names().len(),
        reencrypted: change.reencrypt,
        is_twin: false,
        still_opens: change.still_opens(),
        config_differs: change.differs.is_some(),
        remains: Remains::of(ctx, change.repo.as_ref(), &old, standing, &output),
        output,
    })
}

/// Refuses an output inside the pack: it would not be a member of that pack, and the pack would no longer verify.
fn ensure_outside(root: &Path, output: &Path) -> Result<()> {
    let root = files::canonical(root)?;
    let above = output
        .ancestors()
        .skip(1)
        .find_map(|above| files::canonical(above).ok());
    match above.is_some_and(|above| above.starts_with(&root)) {
        true => Err(Refusal::Usage(Misuse::RekeyedIntoItself {
            output: output.to_owned(),
        })),
        false => Ok(()),
    }
}

/// The result of rekeying.
struct Rekeyed {
    pack_id: Digest,
    old: Vec<Ciphertext>,
}

/// A pack that is being rekeyed.
struct Rekeying<'a> {
    change: &'a Change,
    root: &'a Path,
    pack: &'a SealedPack<'a>,
    staging: &'a Staging,
}

impl Rekeying<'_> {
    fn all(&self) -> Result<Rekeyed> {
        let pack = self.pack;
        let manifest = pack_dir::manifest(self.root)?;
        if manifest.file_hash != pack.verdict.manifest_hash {
            return Err(self.bad(PackFault::Changed));
        }
        let created = Timestamp::parse(&manifest.created).ok_or_else(|| {
            let found = manifest.created.clone();
            self.bad(PackFault::BadTime { found })
        })?;
        let document = &pack.document;
        // Refuses what cannot be opened before anything is copied.
        let named = match &document.index {
            Some(_) => Some(pack.named(&self.change.identities)?),
            None => None,
        };
        let artifacts: Vec<(usize, &SealedArtifact)> = document.artifacts.iter().enumerate().collect();
        let turned = workers::map(
            &artifacts,
            || Ok(()),
            |(), (number, artifact)| self.seal(*number, artifact, named.as_deref()),
        )?;
        let mut old: Vec<Ciphertext> = turned.iter().map(|(_, old)| *old).collect();
        let new: Vec<SealedArtifact> = turned.into_iter().map(|(artifact, _)| artifact).collect();
        let index = match (&document.index, &named) {
            (Some(seal), Some(named)) => {
                old.push(self.observe(seal)?);
                Some(self.index(named, &new)?)
            }
            _ => None,
        };

        let anew: BTreeSet<&str> = [SEALED_ARTIFACTS, FILE_INDEX, FILE_TREE]
            .into_iter()
            .chain(document.seals().map(|seal| seal.sealed_path.as_str()))
            .collect();
        let kept = manifest.members.iter();
        let kept: Vec<Declared<'_>> = kept.filter(|member| !anew.contains(member.path)).collect();
        let copied = workers::map(&kept, || Ok(()), |(), member| self.copy(member))?;
        let mut documents = DocumentWriter::of(self.staging);
        for (member, size) in copied {
            documents.count(member, size);
        }
        let sealed = SealedArtifacts::new(document.mode, document.registry_hash, new, index);
        for seal in sealed.seals() {
            documents.count(self.member_of(seal)?, seal.sealed_bytes);
        }
        documents.add(SEALED_ARTIFACTS, &sealed.to_bytes())?;
        if manifest.members.iter().any(|member| member.path == FILE_INDEX) {
            documents.listing()?;
        }
        let (pack_id, _) = documents.finish(created, manifest.note)?;
        Ok(Rekeyed { pack_id, old })
    }

    /// Writes the ciphertext of an artifact for the new recipients. With `named`, names are sealed.
    fn seal(
        &self,
        number: usize,
        artifact: &SealedArtifact,
        named: Option<&[NamedSeal]>,
    ) -> Result<(SealedArtifact, Ciphertext)> {
        let seal = &artifact.seal;
        let name = named.into_iter().flatten().find(|named| named.seal == *seal);
        let name = name.map(|named| named.path.as_str()).or(artifact.path.as_deref());
        let staged = match named {
            Some(_) => self.member(&format!("{DIRECTORY}/{number}.new"))?,
            None => self.member(&seal.sealed_path)?,
        };
        let path = self.root.join(&seal.sealed_path);
        let job = TurnJob {
            source: &files::open_regular(&path)?,
            path: &path,
            name: name.unwrap_or(&seal.sealed_path),
            target: &self.staging.member(&staged),
        };
        let turned = self.change.turn(&job, self.staging.create(&staged)?)?;
        if (turned.old.hash, turned.old.bytes) != (seal.sealed_hash, seal.sealed_bytes) {
            return Err(self.changed(&seal.sealed_path));
        }
        let mut new = artifact.clone();
        new.seal = self.described(seal, &staged, turned.hash, turned.bytes)?;
        if named.is_some() {
            self.staging.rename(&staged, &self.member(&new.seal.sealed_path)?)?;
        }
        Ok((new, turned.old))
    }

    /// Returns the public description of the staged ciphertext that replaces another.
    fn described(&self, seal: &Seal, staged: &MemberPath, hash: Digest, bytes: u64) -> Result<Seal> {
        let file = files::open_regular(&self.staging.member(staged))?.file;
        let header = cipher::header(&file).map_err(|fault| Refusal::Crypto {
            deed: "reading back",
            subject: seal.sealed_path.clone(),
            fault,
        })?;
        Ok(Seal {
            sealed_path: match self.pack.document.index.is_some() && seal.sealed_path != INDEX {
                true => opaque_path(&hash),
                false => seal.sealed_path.clone(),
            },
            sealed_hash: hash,
            sealed_bytes: bytes,
            plain_bytes: seal.plain_bytes,
            padded: seal.padded,
            stanzas: header.stanzas,
            nonce: header.nonce,
        })
    }

    /// Seals the names again. The index also names the ciphertexts, which changed.
    fn index(&self, named: &[NamedSeal], new: &[SealedArtifact]) -> Result<Seal> {
        let moved: BTreeMap<&str, &str> = self
            .pack
            .document
            .artifacts
            .iter()
            .zip(new)
            .map(|(old, new)| (old.seal.sealed_path.as_str(), new.seal.sealed_path.as_str()))
            .collect();
        let entries = named.iter().map(|artifact| {
            let path = moved.get(artifact.seal.sealed_path.as_str());
            Ok(IndexedArtifact {
                path: artifact.path.to_string(),
                rule: artifact.rule.clone(),
                sealed_path: (*path.ok_or_else(|| self.changed(INDEX))?).to_owned(),
            })
        });
        let content = to_document(&SealedIndex {
            version: INDEX_VERSION.into(),
            artifacts: entries.collect::<Result<_>>()?,
        });
        let member = self.member(INDEX)?;
        let target = self.staging.member(&member);
        let mut padded = Padded::new(&content[..]);
        let encrypted = cipher::encrypt(&self.change.recipients, &mut padded, self.staging.create(&member)?)
            .map_err(|why| why.refusal(Path::new(INDEX), &target))?;
        let blank = Seal {
            sealed_path: INDEX.into(),
            sealed_hash: encrypted.sealed_hash,
            sealed_bytes: encrypted.sealed_bytes,
            plain_bytes: padded_bytes(content.len() as u64),
            padded: true,
            stanzas: Vec::new(),
            nonce: String::new(),
        };
        self.described(&blank, &member, encrypted.sealed_hash, encrypted.sealed_bytes)
    }

    /// Returns the properties by which the ciphertext of the old index can be found.
    fn observe(&self, seal: &Seal) -> Result<Ciphertext> {
        let path = self.root.join(&seal.sealed_path);
        let blob = match &self.change.repo {
            Some(repo) => Some(contents::blob_of_file(&path, &repo.zero_id())?),
            None => None,
        };
        Ok(Ciphertext {
            hash: seal.sealed_hash,
            bytes: seal.sealed_bytes,
            blob,
        })
    }

    /// Copies a member unchanged.
    fn copy(&self, declared: &Declared<'_>) -> Result<(Member, u64)> {
        let path = self.member(declared.path)?;
        let source = self.root.join(declared.path);
        let opened = files::open_regular(&source)?;
        let mut reader = Hashing::new(&opened.file);
        let file = self.staging.create(&path)?;
        files::copy(&mut reader, &source, file, &self.staging.member(&path))?;
        let (_, bytes_hash, size) = reader.finish();
        if declared.bytes_hash.digest() != Some(bytes_hash) {
            return Err(self.changed(declared.path));
        }
        let kind = MemberType::parse(declared.kind).ok_or_else(|| self.changed(declared.path))?;
        let member = Member {
            path,
            bytes_hash,
            kind,
            artifact_version: declared.artifact_version.map(str::to_owned),
        };
        Ok((member, size))
    }

    fn member_of(&self, seal: &Seal) -> Result<Member> {
        Ok(Member {
            path: self.member(&seal.sealed_path)?,
            bytes_hash: seal.sealed_hash,
            kind: MemberType::Other,
            artifact_version: None,
        })
    }

    fn member(&self, path: &str) -> Result<MemberPath> {
        MemberPath::parse(path).map_err(|_| self.changed(path))
    }

    fn changed(&self, path: &str) -> Refusal {
        self.bad(PackFault::MemberChanged { path: path.to_owned() })
    }

    fn bad(&self, fault: PackFault) -> Refusal {
        Refusal::BadPack {
            path: self.pack.name.clone(),
            fault,
        }
    }
}
