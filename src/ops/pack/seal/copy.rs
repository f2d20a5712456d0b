//! Copies the members in the clear, and hashes and types them in the same pass.

use std::io::{Read, Write};
use std::path::Path;

use crate::adapters::files;
use crate::adapters::git::{Repository, blobs};
use crate::adapters::read_hashed::{read_hashed, read_hashed_apart};
use crate::adapters::staging::Staging;
use crate::adapters::workers;
use crate::format::agent::HEADER;
use crate::format::agent::genome::{GenomeHeader, start_of};
use crate::format::dump::text::TextWatch;
use crate::format::manifest::MemberType;
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::ops::pack::seal::load::{ArtifactSize, Load};
use crate::ops::pack::seal::plan::{ArtifactSource, CopiedMember, TreeMember, TreePlan};
use crate::ops::pack::seal::staged::StagedMember;
use crate::ops::state;
use crate::refusal::{Refusal, Result};
use crate::rules::member_type;

/// Hashes a tree's entries without copying them.
pub(super) fn hash_all(tree: &TreePlan) -> Result<Vec<StagedMember>> {
    let repo = &tree.ruled.repo;
    let known = match &tree.remembered {
        Some(remembered) => {
            let paths: Vec<_> = tree.members.iter().map(TreeMember::original).collect();
            let entries = paths.iter().zip(&tree.members);
            remembered.digests(entries.map(|(path, member)| (&**path, member.kind, member.id)))
        }
        None => vec![None; tree.members.len()],
    };
    let new: Vec<_> = tree
        .members
        .iter()
        .zip(&known)
        .filter(|(_, known)| known.is_none())
        .collect();
    let paths: Vec<_> = new.iter().map(|(member, _)| member.original()).collect();
    let entries = paths.iter().zip(&new);
    let entries = entries.map(|(path, (member, _))| (&**path, member.kind, &member.id));
    let hashed = state::digests(repo, &tree.ruled.registry, entries, repo.private().digests())?;
    drop(paths);
    drop(new);
    let mut hashed = hashed.into_iter();
    let all = known.into_iter().filter_map(|known| known.or_else(|| hashed.next()));
    let staged = all.map(|(hash, size)| StagedMember {
        hash,
        kind: MemberType::Other,
        artifact_version: None,
        size,
        text: None,
        genome: None,
    });
    Ok(staged.collect())
}

/// Copies members into the pack, blobs in the order in which `repo` stores them.
pub(super) fn copy_all<M: CopiedMember>(
    staging: &Staging,
    repo: Option<&Repository>,
    members: &[M],
) -> Result<Vec<StagedMember>> {
    let blobs = members
        .iter()
        .enumerate()
        .filter_map(|(at, member)| match *member.source() {
            ArtifactSource::Blob(id) => Some((at, id)),
            _ => None,
        });
    let (places, ids): (Vec<usize>, Vec<ObjectId>) = blobs.unzip();
    let load = Load::of(members.iter().map(|member| ArtifactSize::of(&member.source())));
    let mut copied = Vec::new();
    if let Some(repo) = repo.filter(|_| !ids.is_empty()) {
        copied = repo.with_blobs(&ids, |at, mut blob| {
            let member = &members[places[at]];
            let shared = load.is_outlasted_by(ArtifactSize::of(&member.source()), blob.size());
            copy(staging, member.path(), (&mut blob, shared), |e| {
                blobs::reading(&ids[at], &e)
            })
        })?;
    }
    drop(ids);
    if copied.len() == members.len() {
        return Ok(copied);
    }
    let mut staged: Vec<Option<StagedMember>> = members.iter().map(|_| None).collect();
    for (at, copy) in places.into_iter().zip(copied) {
        staged[at] = Some(copy);
    }
    let others: Vec<(usize, &M)> = members
        .iter()
        .enumerate()
        .filter(|(at, _)| staged[*at].is_none())
        .collect();
    let copies = workers::map(
        &others,
        || Ok(()),
        |(), (_, member)| {
            let known = ArtifactSize::of(&member.source());
            read_source(&member.source(), |path, reader, size| {
                let shared = load.is_outlasted_by(known, size);
                copy(staging, member.path(), (reader, shared), |e| {
                    Refusal::io("reading", path)(e)
                })
            })
        },
    )?;
    for ((at, _), copy) in others.iter().zip(copies) {
        staged[*at] = Some(copy);
    }
    Ok(staged.into_iter().flatten().collect())
}

/// Passes the bytes of a file, or the given bytes, to `each`, with their number. Refuses a file that changes meanwhile, and
/// a blob, which only a repository has.
pub(super) fn read_source<R>(
    source: &ArtifactSource,
    each: impl FnOnce(&Path, &mut dyn Read, u64) -> Result<R>,
) -> Result<R> {
    match source {
        ArtifactSource::File(path, stamp) => {
            let opened = files::open_same(path, stamp)?;
            let result = each(path, &mut &opened.file, opened.size)?;
            opened.ensure_unchanged()?;
            Ok(result)
        }
        ArtifactSource::Bytes(bytes) => each(Path::new(""), &mut &bytes[..], bytes.len() as u64),
        ArtifactSource::Blob(id) => Err(Refusal::MissingObject {
            count: 1,
            example: id.hex(),
        }),
    }
}

/// Streams a content into a member, and hashes and types it in the same pass. It comes with whether another thread hashes
/// it.
fn copy(
    staging: &Staging,
    path: &MemberPath,
    (reader, shared): (&mut dyn Read, bool),
    unreadable: impl Fn(std::io::Error) -> Refusal,
) -> Result<StagedMember> {
    let mut file = staging.create(path)?;
    let mut probe = Probe::default();
    let mut watch = TextWatch::default();
    let mut head = Vec::with_capacity(HEADER);
    let mut size = 0;
    let take = |chunk: &[u8]| {
        probe.feed(chunk);
        head.extend_from_slice(&chunk[..chunk.len().min(HEADER - head.len())]);
        watch.see(chunk);
        size += chunk.len() as u64;
        file.write_all(chunk)
            .map_err(|e| Refusal::io("writing", &staging.member(path))(e))
    };
    let hash = match shared {
        true => read_hashed_apart(reader, unreadable, take)?,
        false => read_hashed(reader, unreadable, take)?,
    };
    let (kind, artifact_version) = probe.detect();
    Ok(StagedMember {
        hash,
        kind,
        artifact_version: artifact_version.map(String::into_boxed_str),
        size,
        text: watch.shape(),
        genome: is_meant_as_genome(path, &head).then(|| head.into_boxed_slice()),
    })
}

/// Returns whether a member is a pack of cycles by its header or its name, so that it is judged as one.
fn is_meant_as_genome(path: &MemberPath, head: &[u8]) -> bool {
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    start_of(name).is_some() || GenomeHeader::parse(head).is_ok()
}

/// Keeps the beginning of a member that type detection needs, and no more.
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
