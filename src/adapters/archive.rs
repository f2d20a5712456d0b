//! A pack in an archive: read where it lies, without being unpacked.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::adapters::files::platform::FileExt;
use crate::adapters::files::{self, OpenedFile};
use crate::adapters::published::{PublishedPack, TakeEachMember, TakeMember, not_listed};
use crate::adapters::workers;
use crate::format::archive::{ArchiveFrames, ArchiveReader, ArchivedMember, UnreadArchive, max_content};
use crate::format::attachment::{Attached, AttachedCounts};
use crate::format::manifest::ManifestDocument;
use crate::refusal::archive::ArchiveFault;
use crate::refusal::pack::PackFault;
use crate::refusal::{Refusal, Result, io_reason};

/// Most members that the manifest does not declare and that are listed nevertheless, so that each becomes a finding.
const MAX_UNDECLARED: usize = 1000;

/// Most threads that read an archive. Each takes about 3 MiB of memory.
const READERS: usize = 8;

/// Number of bytes that are skipped at a time.
const SCRATCH: usize = 64 << 10;

/// Returns whether a regular file at `path` begins like an archive. Links are not followed.
pub fn is_archive(path: &Path) -> bool {
    let opened = files::open_regular(path).ok();
    opened.is_some_and(|opened| ArchiveReader::open(&opened.file, max_content(opened.size)).is_ok())
}

/// Returns whether a file begins like a tar file.
fn is_tar(file: &OpenedFile) -> bool {
    let mut magic = [0; 5];
    file.file.read_exact_at(&mut magic, 257).is_ok() && &magic == b"ustar"
}

/// A pack in an archive, which has been read once from its first byte to its last.
pub struct ArchivedPack {
    name: String,
    path: PathBuf,
    file: Arc<OpenedFile>,
    manifest: Vec<u8>,
    attached: Attached,
    listed: BTreeMap<String, Option<u64>>,
    /// Where the members are, in the order of the archive, which is that of `listed`.
    members: Vec<ArchivedMember>,
    /// Readers that are not in use. They stand behind the member that they read last.
    kept: Mutex<Vec<Frames>>,
}

type Frames = ArchiveFrames<FromFile>;

/// Reads a file from a place of its own.
struct FromFile {
    file: Arc<OpenedFile>,
    at: u64,
}

impl Read for FromFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl ArchivedPack {
    /// Opens the archive at `path`. Returns `None` if there is no regular file.
    pub fn at(path: &Path) -> Result<Option<Self>> {
        // The user named the path, so links are followed.
        if !std::fs::metadata(path).is_ok_and(|meta| meta.is_file()) {
            return Ok(None);
        }
        let name = path.to_string_lossy().into_owned();
        let file = Arc::new(files::open_regular(&files::canonical(path)?)?);
        let source = FromFile {
            file: Arc::clone(&file),
            at: 0,
        };
        let refused = |why| refusal(why, path);
        let opened = ArchiveReader::open(source, max_content(file.size));
        let mut reader = opened.map_err(|why| match why {
            UnreadArchive::Bad(PackFault::Archive {
                fault: ArchiveFault::NotAnArchive,
            }) if is_tar(&file) => refused(ArchiveFault::PlainTar.into()),
            why => refused(why),
        })?;
        let manifest = ManifestDocument::parse(reader.manifest()).ok();
        let declared: BTreeSet<&str> = manifest
            .iter()
            .flat_map(|manifest| manifest.members.iter().map(|member| member.path))
            .collect();
        let mut members: Vec<ArchivedMember> = Vec::new();
        let mut undeclared = 0;
        while let Some(member) = reader.next_member().map_err(refused)? {
            undeclared += usize::from(!declared.contains(member.path.as_str()));
            if undeclared > MAX_UNDECLARED {
                let allowed = MAX_UNDECLARED;
                return Err(refused(ArchiveFault::Undeclared { allowed }.into()));
            }
            members.push(member);
        }
        file.ensure_unchanged()?;
        let (manifest, attached) = reader.into_parts();
        Ok(Some(Self {
            name,
            path: path.to_owned(),
            manifest,
            attached,
            listed: members
                .iter()
                .map(|member| (member.path.to_string(), Some(member.size)))
                .collect(),
            members,
            kept: Mutex::new(Vec::new()),
            file,
        }))
    }

    fn find(&self, path: &str) -> Option<&ArchivedMember> {
        let at = self.members.binary_search_by(|member| member.path.as_str().cmp(path));
        at.ok().map(|at| &self.members[at])
    }

    /// Returns a reader that stands at the content of a member.
    fn reader_at(&self, member: &ArchivedMember) -> Result<Frames, UnreadArchive> {
        let source = || FromFile {
            file: Arc::clone(&self.file),
            at: member.frame_at,
        };
        let mut frames = match self.take_kept(member) {
            Some(frames) if is_before(&frames, member) => frames,
            Some(mut frames) => {
                frames.go_to(source(), member.frame_at);
                frames.begin()?;
                frames
            }
            None => {
                let mut frames = ArchiveFrames::new(source(), member.frame_at)?;
                frames.begin()?;
                frames
            }
        };
        let ahead = member.offset - frames.decoded();
        frames.skip(ahead, &mut vec![0; SCRATCH])?;
        Ok(frames)
    }

    /// Takes the kept reader that has the shortest way to a member. If no reader is on the way, takes any of them.
    fn take_kept(&self, member: &ArchivedMember) -> Option<Frames> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let on_the_way = kept.iter().enumerate().filter(|(_, frames)| is_before(frames, member));
        let nearest = on_the_way.max_by_key(|(_, frames)| frames.decoded());
        match nearest.map(|(at, _)| at) {
            Some(at) => Some(kept.swap_remove(at)),
            None => kept.pop(),
        }
    }

    /// Keeps a reader for the next member. There are never more than threads that read at the same time.
    fn keep(&self, frames: Frames) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(frames);
    }

    /// Reads the wanted members of one frame. Returns those that could not be read, and why.
    fn read_frame(&self, members: &[&ArchivedMember], take: TakeEachMember<'_>) -> Vec<(String, String)> {
        let mut failed = Vec::new();
        for member in members {
            let path = member.path.as_str();
            let read = self.reader_at(member).map_err(io::Error::from);
            let read = read.and_then(|mut frames| {
                take(path, &mut (&mut frames).take(member.size), member.size)?;
                self.keep(frames);
                Ok(())
            });
            if let Err(e) = read {
                failed.push((path.to_owned(), io_reason(&e)));
            }
        }
        failed
    }
}

impl PublishedPack for ArchivedPack {
    fn name(&self) -> &str {
        &self.name
    }

    fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    fn listed(&self) -> &BTreeMap<String, Option<u64>> {
        &self.listed
    }

    fn attached(&self) -> Result<Attached> {
        Ok(self.attached.clone())
    }

    fn attached_counts(&self) -> Result<AttachedCounts> {
        Ok(self.attached.counts())
    }

    fn member(&self, path: &str, take: TakeMember<'_>) -> Result<()> {
        let member = self.find(path).ok_or_else(|| not_listed(self, path))?;
        let refused = |why| refusal(why, &self.path);
        let mut frames = self.reader_at(member).map_err(refused)?;
        take(&mut (&mut frames).take(member.size), member.size).map_err(Refusal::io("reading", &self.path))?;
        self.file.ensure_unchanged()?;
        self.keep(frames);
        Ok(())
    }

    fn each_member(&self, paths: &[&str], take: TakeEachMember<'_>) -> Result<BTreeMap<String, String>> {
        let mut members = Vec::with_capacity(paths.len());
        for path in paths {
            members.push(self.find(path).ok_or_else(|| not_listed(self, path))?);
        }
        members.sort_by_key(|member| (member.frame_at, member.offset));
        // Each frame is decoded once, since frames do not depend on each other.
        let frames: Vec<&[&ArchivedMember]> = members.chunk_by(|a, b| a.frame_at == b.frame_at).collect();
        let threads = workers::threads().min(READERS);
        let failed = workers::map_on(
            threads,
            &frames,
            || Ok(()),
            |(), frame| Ok::<_, Refusal>(self.read_frame(frame, take)),
        )?;
        self.file.ensure_unchanged()?;
        Ok(failed.into_iter().flatten().collect())
    }
}

/// Returns whether a reader comes to a member if it goes on.
fn is_before(frames: &Frames, member: &ArchivedMember) -> bool {
    frames.frame_at() == member.frame_at && frames.decoded() <= member.offset
}

fn refusal(why: UnreadArchive, path: &Path) -> Refusal {
    match why {
        UnreadArchive::Io(e) => Refusal::io("reading", path)(e),
        UnreadArchive::Bad(fault) => Refusal::BadPack {
            path: path.to_owned(),
            fault,
        },
    }
}
